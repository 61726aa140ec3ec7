//! The bytes of a source as they are stored: counted, and digested where they are not the content.

use std::io::{self, SeekFrom};
use std::path::Path;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use tokio::fs::File;
use tokio::io::{AsyncRead, AsyncSeekExt as _, ReadBuf};
use xxhash_rust::xxh3::Xxh3;

use crate::format::Compression;

/// How far into the (compressed) file a stream is, in bytes, for a progress bar. Of one source.
pub type RawProgress = Arc<AtomicU64>;

/// The bytes of a source, at some step on the way to its content.
pub(in crate::input) type ByteReader = Box<dyn AsyncRead + Send + Sync + Unpin>;

/// A file, from this byte on.
pub(in crate::input) async fn seek_to(path: &Path, offset: u64) -> io::Result<File> {
    let mut file = File::open(path).await?;
    if offset > 0 {
        file.seek(SeekFrom::Start(offset)).await?;
    }
    Ok(file)
}

/// The running digest of the bytes that a decoder has read; of none where they are the content.
#[derive(Clone, Default)]
pub(in crate::input) struct RawDigest(Arc<Mutex<Option<Xxh3>>>);

impl RawDigest {
    pub(in crate::input) fn of(compression: Compression) -> Self {
        Self(Arc::new(Mutex::new((compression != Compression::None).then(Xxh3::new))))
    }

    fn digest(&self) -> MutexGuard<'_, Option<Xxh3>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// So much was read before it was known that it is not the content.
    pub(in crate::input) fn begin(&self, head: &[u8]) {
        let mut digest = Xxh3::new();
        digest.update(head);
        *self.digest() = Some(digest);
    }

    pub(in crate::input) fn begin_anew(&self) {
        let mut digest = self.digest();
        *digest = digest.is_some().then(Xxh3::new);
    }

    fn update(&self, part: &[u8]) {
        if let Some(digest) = &mut *self.digest() {
            digest.update(part);
        }
    }

    pub(in crate::input) fn so_far(&self) -> Option<u64> {
        self.digest().as_ref().map(Xxh3::digest)
    }
}

/// A reader that only its owner reads: others may hold it, though a body from the network cannot be shared.
/// No lock is taken.
pub(in crate::input) struct Alone<R>(Mutex<R>);

impl<R> Alone<R> {
    pub(in crate::input) const fn new(reader: R) -> Self {
        Self(Mutex::new(reader))
    }
}

impl<R: AsyncRead + Unpin> AsyncRead for Alone<R> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let inner = self.0.get_mut().unwrap_or_else(PoisonError::into_inner);
        Pin::new(inner).poll_read(context, buf)
    }
}

/// Says how far into the file it has read.
pub(in crate::input) struct Counted<R> {
    inner: R,
    progress: RawProgress,
    position: u64,
    stored: Option<RawDigest>,
}

impl<R> Counted<R> {
    pub(in crate::input) const fn new(inner: R, progress: RawProgress, position: u64) -> Self {
        Self { inner, progress, position, stored: None }
    }

    pub(in crate::input) fn digested(mut self, stored: &RawDigest) -> Self {
        self.stored = Some(stored.clone());
        self
    }
}

impl<R: AsyncRead + Unpin> AsyncRead for Counted<R> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let result = Pin::new(&mut self.inner).poll_read(context, buf);
        if let Some(stored) = &self.stored {
            stored.update(&buf.filled()[before..]);
        }
        self.position += (buf.filled().len() - before) as u64;
        self.progress.store(self.position, Ordering::Relaxed);
        result
    }
}
