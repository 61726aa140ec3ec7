//! Digests of what lies in files, read on threads that may wait for it.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use xxhash_rust::xxh3::Xxh3;

/// Bytes that are read at once where a file is only looked at: much more does not fit a core's cache.
const LOOK_BYTES: usize = 256 * 1024;

pub(super) fn hexadecimal(digest: u64) -> String {
    format!("{digest:016x}")
}

/// The digest of the first bytes of a file, so many.
pub(super) async fn digest_of(path: &Path, bytes: u64) -> io::Result<u64> {
    let path = path.to_owned();
    blocking(move || digest_now(&path, bytes)).await
}

/// The same, at once.
pub(super) fn digest_now(path: &Path, bytes: u64) -> io::Result<u64> {
    let mut reader = FileScan::at(path)?;
    let (mut digest, mut read) = (Xxh3::new(), 0);
    while read < bytes {
        let Some(part) = reader.next(bytes - read)? else { return Err(io::ErrorKind::UnexpectedEof.into()) };
        digest.update(part);
        read += part.len() as u64;
    }
    Ok(digest.digest())
}

/// A file that is looked through.
pub(super) struct FileScan {
    file: File,
    buffer: Vec<u8>,
}

impl FileScan {
    pub(super) fn at(path: &Path) -> io::Result<Self> {
        Ok(Self { file: File::open(path)?, buffer: vec![0; LOOK_BYTES] })
    }

    /// The next bytes, at most so many; `None`: there are no more.
    pub(super) fn next(&mut self, most: u64) -> io::Result<Option<&[u8]>> {
        let most = usize::try_from(most).unwrap_or(usize::MAX).min(LOOK_BYTES);
        loop {
            match self.file.read(&mut self.buffer[..most]) {
                Ok(0) => return Ok(None),
                Ok(count) => return Ok(Some(&self.buffer[..count])),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

/// Looks at a file on a thread that may wait for it.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}
