//! The bytes of a source as they are stored: counted, digested where they are not the content, decompressed.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use async_compression::tokio::bufread::{BzDecoder, GzipDecoder, XzDecoder, ZstdDecoder};
use async_compression::zstd::DParameter;
use tokio::io::{AsyncRead, BufReader, ReadBuf};
use xxhash_rust::xxh3::Xxh3;

use crate::format::{Compression, Inflated, XZ_MEMORY_BYTES, ZSTD_WINDOW_LOG};

/// How far into the (compressed) file a stream is, in bytes, for a progress bar. Of one source.
pub type RawProgress = Arc<AtomicU64>;

pub(super) type Reader = Box<dyn AsyncRead + Send + Sync + Unpin>;

/// Bytes of the compressed file that are read at once.
const COMPRESSED_BYTES: usize = 128 * 1024;

/// All members, frames or streams, one behind the other; anything else behind them is an error. So are zeros,
/// which cannot be told from a damaged end, but for xz, whose format allows them as padding.
pub(super) fn decompress<R: AsyncRead + Send + Unpin + 'static>(compression: Compression, raw: R) -> Reader {
    let raw = Alone(Mutex::new(raw));
    if compression == Compression::None {
        return Box::new(raw);
    }
    let raw = BufReader::with_capacity(COMPRESSED_BYTES, raw);
    macro_rules! all_members {
        ($decoder:expr) => {{
            let mut decoder = $decoder;
            decoder.multiple_members(true);
            Box::new(decoder)
        }};
    }
    match compression {
        Compression::None => Box::new(raw),
        Compression::Gzip => all_members!(GzipDecoder::new(raw)),
        Compression::Zstd => {
            all_members!(ZstdDecoder::with_params(raw, &[DParameter::window_log_max(ZSTD_WINDOW_LOG)]))
        }
        Compression::Bzip2 => all_members!(BzDecoder::new(raw)),
        Compression::Xz => all_members!(XzDecoder::with_mem_limit(raw, XZ_MEMORY_BYTES)),
    }
}

/// Zstandard's own name of an error that its library hands out as nothing else.
const ZSTD_WINDOW_TOO_LARGE: &str = "Frame requires too much memory for decoding";

/// What a decoder was refused for, if that is the memory that it wanted.
pub(super) fn too_much_memory(error: &io::Error, window: Option<u64>) -> Option<Inflated> {
    let inner = error.get_ref()?;
    if matches!(inner.downcast_ref(), Some(liblzma::stream::Error::MemLimit)) {
        return Some(Inflated::Dictionary(XZ_MEMORY_BYTES >> 20));
    }
    let limit = (1 << ZSTD_WINDOW_LOG) >> 20;
    (inner.to_string() == ZSTD_WINDOW_TOO_LARGE).then_some(Inflated::Window { window, limit })
}

/// The running digest of the bytes that a decoder has read; of none where they are the content.
#[derive(Clone, Default)]
pub(super) struct Stored(Arc<Mutex<Option<Xxh3>>>);

impl Stored {
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

/// A reader that only its owner reads: others may hold it, though a body from the network cannot be shared. No lock is
/// taken.
struct Alone<R>(Mutex<R>);

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
pub(super) struct Counted<R> {
    inner: R,
    progress: RawProgress,
    position: u64,
    stored: Option<Stored>,
}

impl<R> Counted<R> {
    pub(in crate::input) const fn new(inner: R, progress: RawProgress, position: u64) -> Self {
        Self { inner, progress, position, stored: None }
    }

    pub(in crate::input) fn digested(mut self, stored: &Stored) -> Self {
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
