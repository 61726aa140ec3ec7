//! A body from the network, read at any place: in windows, each asked for by a range of the one version.

use std::collections::VecDeque;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::{Bytes, BytesMut};
use tokio::io::AsyncReadExt as _;
use tokio::runtime::Handle;

use super::ranges::{Ranges, within};
use crate::http::Version;
use crate::input::stream::{RawProgress, Stream};
use crate::input::web::{self, BodyChanged, BodySource};

/// All windows together: those of one file are read side by side.
const WINDOWS_BYTES: usize = 8 << 20;
/// A window, where there are many: a request is worth as much.
const WINDOW_BYTES_MIN: usize = 64 << 10;
const WINDOW_BYTES_MAX: usize = 1 << 20;

/// Bytes that are kept of its beginning.
const HEAD_BYTES: usize = 64;

/// A body whose server gives parts of it.
pub(in crate::input) struct BodyRanges {
    origin: Arc<BodySource>,
    version: Version,
    size: u64,
    runtime: Handle,
    /// Parts that are read side by side; 0: not known yet, and what is asked for is all that is fetched.
    parts: AtomicUsize,
    windows: Mutex<VecDeque<(u64, Bytes)>>,
    progress: RawProgress,
}

impl BodyRanges {
    /// Of a body that was opened; `None`: its server does not say that it gives parts of it, or which version
    /// it is.
    pub(in crate::input) fn of(stream: &Stream, progress: RawProgress) -> Option<Self> {
        let (origin, version, headers) = stream.body()?;
        version.etag.as_ref()?;
        // A place in it is one of its bytes as they are.
        let is_plain = headers.get("content-encoding").is_none();
        let units = headers.get("accept-ranges").map(|units| units.as_bytes());
        let gives_parts = is_plain && units == Some(b"bytes");
        let size = version.length.filter(|_| gives_parts)?;
        // Its beginning is here.
        let head = (0, Bytes::copy_from_slice(&stream.buffer[..stream.buffer.len().min(HEAD_BYTES)]));
        let (parts, windows) = (AtomicUsize::new(0), Mutex::new(VecDeque::from([head])));
        let (origin, version, runtime) = (Arc::clone(origin), version.clone(), Handle::current());
        Some(Self { origin, version, size, runtime, parts, windows, progress })
    }

    async fn fetch(&self, from: u64, bytes: usize) -> io::Result<Bytes> {
        let body = self.origin.open(from, Some(&self.version)).await;
        let mut body = body.map_err(io::Error::other)?;
        if let Some(why) = web::difference(&self.version, body.identity()) {
            return Err(io::Error::other(BodyChanged(why)));
        }
        let mut read = BytesMut::with_capacity(bytes);
        while read.len() < bytes {
            let left = (bytes - read.len()) as u64;
            if (&mut body).take(left).read_buf(&mut read).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(read.freeze())
    }
}

impl Ranges for BodyRanges {
    fn size(&self) -> u64 {
        self.size
    }

    fn expect(&self, parts: usize) {
        self.parts.store(parts.max(1), Ordering::Relaxed);
    }

    fn read(&self, from: u64, bytes: usize) -> io::Result<Bytes> {
        within(self.size, from, bytes)?;
        let parts = self.parts.load(Ordering::Relaxed);
        let mut windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        let held = windows.iter().find_map(|(start, window)| {
            let at = usize::try_from(from.checked_sub(*start)?).ok()?;
            (at.checked_add(bytes)? <= window.len()).then(|| window.slice(at..at + bytes))
        });
        if let Some(held) = held {
            return Ok(held);
        }
        let window = WINDOWS_BYTES.checked_div(parts).unwrap_or(0);
        let window = if parts == 0 { 0 } else { window.clamp(WINDOW_BYTES_MIN, WINDOW_BYTES_MAX) };
        let left = usize::try_from(self.size - from).unwrap_or(usize::MAX);
        let fetched = self.runtime.block_on(self.fetch(from, window.min(left).max(bytes)))?;
        self.progress.fetch_max(from, Ordering::Relaxed);
        let read = fetched.slice(..bytes);
        if fetched.len() <= window {
            // One of each part, and the footer.
            if windows.len() > parts {
                windows.pop_front();
            }
            windows.push_back((from, fetched));
        }
        Ok(read)
    }
}
