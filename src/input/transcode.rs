//! A stream of bytes in another encoding, read as UTF-8. Bounded: a few kilobytes on either side.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, ReadBuf};

use crate::format::{Encoding, TextDecoder};

/// Bytes that are decoded at once: beside the block that they end up in, nothing.
const INPUT_BYTES: usize = 32 * 1024;

/// Reads `inner` as UTF-8.
pub(super) struct Transcode<R> {
    inner: R,
    decoder: TextDecoder,
    input: Box<[u8]>,
    /// Decoded, and not yet handed on from `taken` on.
    decoded: Vec<u8>,
    taken: usize,
    ended: bool,
}

impl<R> Transcode<R> {
    /// `inner` is at the start of the stream.
    pub(super) fn new(inner: R, encoding: Encoding) -> Self {
        Self {
            inner,
            decoder: encoding.decoder(),
            input: vec![0; INPUT_BYTES].into_boxed_slice(),
            decoded: Vec::new(),
            taken: 0,
            ended: false,
        }
    }
}

impl<R: AsyncRead + Unpin> AsyncRead for Transcode<R> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        while this.taken == this.decoded.len() && !this.ended {
            let mut input = ReadBuf::new(&mut this.input);
            ready!(Pin::new(&mut this.inner).poll_read(context, &mut input))?;
            this.ended = input.filled().is_empty();
            this.decoded.clear();
            this.taken = 0;
            this.decoder.decode(input.filled(), this.ended, &mut this.decoded);
        }
        let part = &this.decoded[this.taken..];
        let part = &part[..part.len().min(buf.remaining())];
        buf.put_slice(part);
        this.taken += part.len();
        Poll::Ready(Ok(()))
    }
}
