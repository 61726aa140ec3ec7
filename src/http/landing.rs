//! The landing copy: what was fetched, as it came, response by response; complete or absent, never half.
//!
//! In a folder: a file a response, written beside the load under a temporary name and renamed at its end.
//! Names sort in the order of sources and pages, so that loading the folder replays the load. In a
//! `.jsonl.zst` file: a line a response, see [`archive`].

mod archive;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap};
use tokio::fs::File;
use tokio::io::AsyncWriteExt as _;
use tokio::sync::mpsc;
use tokio_util::task::TaskTracker;

use self::archive::Archive;
use super::error::HttpError;
use super::request::Request;

/// Pieces of a body that wait for the disk: about as much as a socket's buffer. Behind that, fetching waits.
const WAITING_MAX: usize = 8;
/// Longest part of a URL in a file's name.
const NAME_CHARS_MAX: usize = 80;

/// Where copies land. Shared by all requests of a client.
pub(super) struct Landing {
    folder: PathBuf,
    archive: Option<Arc<Archive>>,
    writers: TaskTracker,
    failed: Arc<Mutex<Option<HttpError>>>,
}

impl Landing {
    /// Makes the folder; `.jsonl.zst` is a file instead, which must not be there yet.
    pub(super) fn new(path: &Path) -> Result<Self, HttpError> {
        let failed = |source| HttpError::Landing { path: path.to_owned(), source };
        let is_archive = path.to_str().is_some_and(|path| path.ends_with(".jsonl.zst"));
        let (folder, archive) = if is_archive {
            let archive = Archive::new(path).map_err(failed)?;
            (archive.spool().to_owned(), Some(Arc::new(archive)))
        } else {
            (path.to_owned(), None)
        };
        std::fs::create_dir_all(&folder).map_err(failed)?;
        Ok(Self { folder, archive, writers: TaskTracker::new(), failed: Arc::default() })
    }

    /// Begins the copy of an answer. Where an earlier one could not be written, that is the error.
    pub(super) fn begin(&self, request: &Request, headers: &HeaderMap) -> Result<Copy, HttpError> {
        if let Some(error) = self.take_error() {
            return Err(error);
        }
        let path = self.folder.join(name(request, headers));
        let (pieces, waiting) = mpsc::channel(WAITING_MAX);
        let (failed, target) = (Arc::clone(&self.failed), path.clone());
        let archive =
            self.archive.clone().map(|archive| (archive, archive::ResponseHead::of(request, headers)));
        self.writers.spawn(async move {
            let written = async {
                let whole = write(&target, waiting).await?;
                match archive.filter(|_| whole) {
                    Some((archive, head)) => archive.append(head, &target).await,
                    None => Ok(()),
                }
            };
            if let Err(source) = written.await {
                let mut failed = failed.lock().unwrap_or_else(PoisonError::into_inner);
                failed.get_or_insert(HttpError::Landing { path: target.clone(), source });
            }
        });
        Ok(Copy { path, pieces })
    }

    /// Waits until all that is complete is on disk.
    pub(super) async fn finish(&self) -> Result<(), HttpError> {
        self.writers.close();
        self.writers.wait().await;
        self.writers.reopen();
        if let Some(error) = self.take_error() {
            return Err(error);
        }
        match &self.archive {
            Some(archive) => archive
                .finish()
                .await
                .map_err(|source| HttpError::Landing { path: archive.path().to_owned(), source }),
            None => Ok(()),
        }
    }

    fn take_error(&self) -> Option<HttpError> {
        self.failed.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// The copy of one answer. Dropped before [`Copy::complete`], it leaves nothing.
#[must_use]
pub(super) struct Copy {
    path: PathBuf,
    pieces: mpsc::Sender<LandingPiece>,
}

enum LandingPiece {
    Bytes(Bytes),
    End,
}

impl Copy {
    pub(super) async fn feed(&mut self, bytes: &Bytes) -> Result<(), HttpError> {
        self.send(LandingPiece::Bytes(bytes.clone())).await
    }

    pub(super) async fn complete(self) -> Result<(), HttpError> {
        self.send(LandingPiece::End).await
    }

    async fn send(&self, piece: LandingPiece) -> Result<(), HttpError> {
        let gone = |_| HttpError::Landing {
            path: self.path.clone(),
            source: io::Error::other("the disk refused it (full?)"),
        };
        self.pieces.send(piece).await.map_err(gone)
    }
}

/// Writes what comes, under a temporary name. True: it came to its end, and is there under its own.
async fn write(path: &Path, mut pieces: mpsc::Receiver<LandingPiece>) -> io::Result<bool> {
    let temporary = temporary(path);
    let whole = async {
        let mut file = File::create(&temporary).await?;
        loop {
            match pieces.recv().await {
                Some(LandingPiece::Bytes(bytes)) => file.write_all(&bytes).await?,
                Some(LandingPiece::End) => break,
                None => return Ok(false),
            }
        }
        file.flush().await?;
        // A name without its bytes, after a power cut, would be half a copy.
        file.sync_data().await?;
        tokio::fs::rename(&temporary, path).await?;
        Ok(true)
    };
    let whole: io::Result<bool> = whole.await;
    if !matches!(whole, Ok(true)) {
        // It may never have been made.
        let _ = tokio::fs::remove_file(&temporary).await;
    }
    whole
}

/// Hidden, and with the process's number: whoever was killed left one of another name.
fn temporary(path: &Path) -> PathBuf {
    let name = path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    path.with_file_name(format!(".{name}.{}.part", std::process::id()))
}

/// `000012-000003-events.jsonl.gz`: the source's place, the page, the last part of the path, an extension for
/// its format.
fn name(request: &Request, headers: &HeaderMap) -> String {
    let segment = request
        .url
        .path_segments()
        .and_then(|mut parts| parts.rfind(|part| !part.is_empty()))
        .unwrap_or("index")
        .to_owned();
    let plain = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_') { c } else { '_' };
    let mut name: String = segment.chars().map(plain).take(NAME_CHARS_MAX).collect();
    let kind = headers
        .get(CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok())
        .unwrap_or_default()
        .to_ascii_lowercase();
    let extension = match kind.split(';').next().unwrap_or_default().trim() {
        "application/x-ndjson" | "application/jsonl" | "application/x-jsonlines" => ".jsonl",
        "text/csv" => ".csv",
        "text/tab-separated-values" => ".tsv",
        kind if kind == "application/json" || kind.ends_with("+json") => ".json",
        _ => "",
    };
    if !name.contains('.') {
        name.push_str(extension);
    }
    let encoding =
        headers.get(CONTENT_ENCODING).and_then(|encoding| encoding.to_str().ok()).unwrap_or_default();
    let compressed = match encoding.trim() {
        "gzip" | "x-gzip" => ".gz",
        "zstd" => ".zst",
        _ => "",
    };
    if !name.ends_with(compressed) {
        name.push_str(compressed);
    }
    format!("{:06}-{:06}-{name}", request.ordinal, request.page)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use url::Url;

    use super::*;

    #[test]
    fn names_sort_and_tell_the_format() {
        let name_of = |url: &str, kind: &'static str, encoding: &'static str| {
            let mut request = Request::get(Url::parse(url).unwrap());
            (request.ordinal, request.page) = (12, 3);
            let headers = [
                (CONTENT_TYPE, HeaderValue::from_static(kind)),
                (CONTENT_ENCODING, HeaderValue::from_static(encoding)),
            ];
            name(&request, &HeaderMap::from_iter(headers))
        };
        assert_eq!(
            name_of("https://h/x/events.jsonl.gz", "application/gzip", ""),
            "000012-000003-events.jsonl.gz"
        );
        assert_eq!(
            name_of("https://h/items?page=3", "application/json; charset=utf-8", "gzip"),
            "000012-000003-items.json.gz"
        );
        assert_eq!(name_of("https://h/", "text/csv", ""), "000012-000003-index.csv");
        assert_eq!(
            name_of("https://h/a%2F..%2Fb/..%2f", "", ""),
            "000012-000003-..2f".replace("..2f", ".._2f")
        );
    }
}
