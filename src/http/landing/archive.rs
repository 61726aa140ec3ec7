//! The landing copy as one file: a JSON line a response, compressed with zstd, a frame a response.
//!
//! ```text
//! {"url":"..","page":0,"content_type":"..","body":"the text as it came"}      or "body_base64", where it is no UTF-8
//! ```
//!
//! Responses are spooled to disk first and appended one at a time; the file gets its name at the end of the
//! load: before, it is not there.

use std::io;
use std::path::{Path, PathBuf};

use async_compression::tokio::write::ZstdEncoder;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap};
use tokio::fs::File;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::Mutex;

use crate::http::request::Request;

/// Bytes that are read and encoded at once: a multiple of three, as base64 counts.
const PIECE_BYTES: usize = 48 * 1024;

/// The archive file, and what is appended to it.
pub(super) struct Archive {
    path: PathBuf,
    spool: PathBuf,
    /// One response at a time.
    file: Mutex<Option<File>>,
}

/// What is said of a response besides its body.
pub(super) struct ResponseHead {
    url: String,
    page: u64,
    content_type: Option<String>,
    content_encoding: Option<String>,
}

impl ResponseHead {
    pub(super) fn of(request: &Request, headers: &HeaderMap) -> Self {
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        Self {
            url: request.shown(),
            page: request.page,
            content_type: text(CONTENT_TYPE),
            content_encoding: text(CONTENT_ENCODING),
        }
    }
}

impl Archive {
    pub(super) fn new(path: &Path) -> io::Result<Self> {
        if path.exists() {
            return Err(io::Error::new(
                io::ErrorKind::AlreadyExists,
                "it exists already, and is not overwritten",
            ));
        }
        let mut spool = path.as_os_str().to_owned();
        spool.push(format!(".{}.part", std::process::id()));
        Ok(Self { path: path.to_owned(), spool: PathBuf::from(spool), file: Mutex::default() })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The folder for responses on their way into it, and for itself until it is complete.
    pub(super) fn spool(&self) -> &Path {
        &self.spool
    }

    /// Appends a response whose body is in this file, and removes the file.
    pub(super) async fn append(&self, head: ResponseHead, body: &Path) -> io::Result<()> {
        let mut file = self.file.lock().await;
        if file.is_none() {
            *file = Some(File::create(self.spool.join("archive")).await?);
        }
        let Some(file) = file.as_mut() else { return Ok(()) };
        let mut frame = ZstdEncoder::new(file);
        let is_text = is_utf8(body).await?;
        let line = serde_json::json!({"url": head.url, "page": head.page, "content_type": head.content_type, "content_encoding": head.content_encoding});
        let line = line.to_string();
        frame.write_all(&line.as_bytes()[..line.len() - 1]).await?;
        frame.write_all(if is_text { b",\"body\":\"" } else { b",\"body_base64\":\"" }).await?;
        let mut source = File::open(body).await?;
        let mut piece = vec![0; PIECE_BYTES];
        let mut kept = 0;
        loop {
            let count = fill(&mut source, &mut piece, kept).await?;
            if count == 0 {
                break;
            }
            let used = if is_text { whole_chars(&piece[..count]) } else { count };
            let encoded = if is_text { escaped(&piece[..used]) } else { STANDARD.encode(&piece[..used]) };
            frame.write_all(encoded.as_bytes()).await?;
            piece.copy_within(used..count, 0);
            kept = count - used;
        }
        frame.write_all(b"\"}\n").await?;
        frame.shutdown().await?;
        tokio::fs::remove_file(body).await
    }

    /// Gives the file its name.
    pub(super) async fn finish(&self) -> io::Result<()> {
        let mut file = self.file.lock().await;
        if let Some(mut file) = file.take() {
            file.flush().await?;
            file.sync_data().await?;
            tokio::fs::rename(self.spool.join("archive"), &self.path).await?;
        }
        // What was not complete is in there too, and is not kept.
        tokio::fs::remove_dir_all(&self.spool).await
    }
}

/// Fills the piece behind the bytes that were kept; the count of bytes in it, 0 at the end.
async fn fill(source: &mut File, piece: &mut [u8], kept: usize) -> io::Result<usize> {
    let mut count = kept;
    while count < piece.len() {
        let more = source.read(&mut piece[count..]).await?;
        if more == 0 {
            break;
        }
        count += more;
    }
    Ok(count)
}

/// Bytes up to the last character that is whole.
fn whole_chars(bytes: &[u8]) -> usize {
    match std::str::from_utf8(bytes) {
        Ok(_) => bytes.len(),
        Err(error) => error.valid_up_to(),
    }
}

fn escaped(bytes: &[u8]) -> String {
    let quoted = serde_json::Value::from(String::from_utf8_lossy(bytes)).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

async fn is_utf8(path: &Path) -> io::Result<bool> {
    let mut source = File::open(path).await?;
    let mut piece = vec![0; PIECE_BYTES];
    let mut kept = 0;
    loop {
        let count = fill(&mut source, &mut piece, kept).await?;
        let used = whole_chars(&piece[..count]);
        // At most three bytes of a character may be cut off by the end of a piece.
        if count - used > 3 || (count < piece.len() && used < count) {
            return Ok(false);
        }
        if count < piece.len() {
            return Ok(true);
        }
        piece.copy_within(used..count, 0);
        kept = count - used;
    }
}
