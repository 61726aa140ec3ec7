//! What a server may send, however hostile: messages no longer than any of PostgreSQL, and a login that is
//! short.
//!
//! The drivers believe the length that a message claims, and keep what arrives until it is whole; and they
//! keep the notices of a login until it is over. So the frames are counted on their way in, and the
//! connection ends where they go beyond. Reads type and length of each message, never its content.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::tls::{ChannelBinding, TlsStream};

/// Longest message: the server cannot make a longer one (its `MaxAllocSize`).
const MESSAGE_MAX_BYTES: u64 = 1 << 30;
/// Everything up to the end of the login: greetings of PostgreSQL have some 500 bytes, a trigger's notices a
/// few more.
const LOGIN_MAX_BYTES: u64 = 1 << 20;
/// A message's head: its type and its length.
const HEAD_BYTES: usize = 5;
/// The end of the login: ready for a query.
const READY: u8 = b'Z';

/// A wire whose incoming frames are counted.
pub(super) struct FrameLimited<S> {
    stream: S,
    frames: Frames,
}

impl<S> FrameLimited<S> {
    pub(super) fn new(stream: S) -> Self {
        Self { stream, frames: Frames::default() }
    }
}

/// Where in which message the bytes are.
#[derive(Debug, Default)]
struct Frames {
    head: [u8; HEAD_BYTES],
    head_bytes: usize,
    body_left: u64,
    login_bytes: u64,
    is_logged_in: bool,
}

impl Frames {
    /// Counts bytes that came in; an error where they go beyond.
    fn count(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            if self.body_left > 0 {
                let taken = usize::try_from(self.body_left).map_or(bytes.len(), |left| left.min(bytes.len()));
                self.body_left -= taken as u64;
                bytes = &bytes[taken..];
                continue;
            }
            let (taken, rest) = bytes.split_at((HEAD_BYTES - self.head_bytes).min(bytes.len()));
            self.head[self.head_bytes..self.head_bytes + taken.len()].copy_from_slice(taken);
            self.head_bytes += taken.len();
            if self.head_bytes == HEAD_BYTES {
                self.head_bytes = 0;
                self.begin()?;
            }
            bytes = rest;
        }
        Ok(())
    }

    /// Looks at the head of the message that begins here.
    fn begin(&mut self) -> io::Result<()> {
        let [kind, length @ ..] = self.head;
        let length = u64::from(u32::from_be_bytes(length));
        // The length counts itself; a shorter one is for the driver to refuse.
        self.body_left = length.saturating_sub(4);
        if length > MESSAGE_MAX_BYTES {
            return Err(refused(&format!("a message of {length} bytes, longer than any of PostgreSQL")));
        }
        if !self.is_logged_in {
            self.login_bytes += length + 1;
            if self.login_bytes > LOGIN_MAX_BYTES {
                return Err(refused(&format!("more than {LOGIN_MAX_BYTES} bytes before the login was over")));
            }
            self.is_logged_in = kind == READY;
        }
        Ok(())
    }
}

fn refused(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("the server sent {what}"))
}

impl<S: AsyncRead + Unpin> AsyncRead for FrameLimited<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        Poll::Ready(self.frames.count(&buf.filled()[before..]))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for FrameLimited<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

impl<S: TlsStream + Unpin> TlsStream for FrameLimited<S> {
    fn channel_binding(&self) -> ChannelBinding {
        self.stream.channel_binding()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(kind: u8, body_bytes: u32) -> Vec<u8> {
        let mut bytes = vec![kind];
        bytes.extend((body_bytes + 4).to_be_bytes());
        bytes.resize(bytes.len() + body_bytes as usize, b'x');
        bytes
    }

    /// However the bytes are cut.
    fn check(bytes: &[u8], words: Option<&str>) {
        for piece in [1, 2, 3, 7, 4096, bytes.len()] {
            let mut frames = Frames::default();
            let error = bytes.chunks(piece).find_map(|piece| frames.count(piece).err());
            let error = error.map(|error| error.to_string());
            assert_eq!(error.is_some(), words.is_some(), "cut at {piece}: {error:?}");
            assert!(error.unwrap_or_default().contains(words.unwrap_or_default()), "cut at {piece}");
        }
    }

    #[test]
    fn a_session_as_it_should_be_passes() {
        let mut bytes = [message(b'R', 4), message(b'S', 20), message(b'n', 0), message(READY, 1)].concat();
        bytes.extend(message(b'D', 2 << 20));
        bytes.extend(message(READY, 1));
        check(&bytes, None);
    }

    #[test]
    fn a_login_without_end_is_ended() {
        check(&message(b'N', 1_000).repeat(1_100), Some("before the login was over"));
        check(&message(b'R', 2 << 20)[..100], Some("before the login was over"));
    }

    #[test]
    fn a_message_longer_than_any_is_refused_by_its_header() {
        for length in [u32::MAX, (1 << 30) + 1] {
            let mut bytes = message(READY, 1);
            bytes.push(b'D');
            bytes.extend(length.to_be_bytes());
            check(&bytes, Some("longer than any"));
        }
    }
}
