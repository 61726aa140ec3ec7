//! A body that streams: the bytes of one version, from first to last, or an error.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use futures::stream::{self, Stream};
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use tokio::io::{AsyncRead, ReadBuf};
use tokio_util::io::StreamReader;
use url::Url;

use super::counters::Counting;
use super::error::{HttpError, Truncation};
use super::framing::BodyEnd;
use super::incoming::Incoming;
use super::request::Version;
use super::shared::ClientState;
use super::transfer::FirstAnswer;

type Pieces = Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send>>;

/// The bytes of a representation as they are sent, as a reader. Where the connection breaks it is mended by a
/// range of the very same version, or the reader fails; [`HttpError::from_io`](super::HttpError::from_io)
/// says why. Its end is the end.
pub struct Body {
    head: FirstAnswer,
    end_in_content: Arc<AtomicBool>,
    reader: StreamReader<Pieces, Bytes>,
    /// Behind an error the stream is at its end, which must not look like the body's.
    has_failed: bool,
}

impl Body {
    pub(super) fn new(transfer: Incoming, shared: Arc<ClientState>) -> Self {
        let (head, end_in_content) = (transfer.head().clone(), transfer.end_in_content());
        let pieces = stream::try_unfold(transfer, move |mut transfer| {
            let shared = Arc::clone(&shared);
            async move {
                match transfer.next().await {
                    Ok(Some(bytes)) => Ok(Some((bytes, transfer))),
                    Ok(None) => Ok(None),
                    Err(error) => {
                        // Whether it is an end is known to who reads the content.
                        if !matches!(error, HttpError::Cut { how: Truncation::Unproven, .. }) {
                            Counting::one(&shared.counting.failed);
                        }
                        Err(error.into_io())
                    }
                }
            }
        });
        Self { head, end_in_content, reader: StreamReader::new(Box::pin(pieces)), has_failed: false }
    }

    /// The version that it is of.
    #[must_use]
    pub const fn identity(&self) -> &Version {
        &self.head.version
    }

    /// Where it came from at last, behind redirects.
    #[must_use]
    pub const fn url(&self) -> &Url {
        &self.head.url
    }

    /// What the server says that it is.
    #[must_use]
    pub fn content_type(&self) -> Option<&str> {
        self.head.headers.get(CONTENT_TYPE)?.to_str().ok()
    }

    /// The headers of its first answer.
    #[must_use]
    pub const fn headers(&self) -> &http::HeaderMap {
        &self.head.headers
    }

    /// How the server compressed it: not undone here, since resume points count bytes as they are sent. None
    /// for `identity`.
    #[must_use]
    pub fn content_encoding(&self) -> Option<&str> {
        let encoding = self.head.headers.get(CONTENT_ENCODING)?.to_str().ok()?.trim();
        Some(encoding).filter(|encoding| !encoding.is_empty() && !encoding.eq_ignore_ascii_case("identity"))
    }

    /// Whether the same bytes can be had again: it has a strong validator.
    #[must_use]
    pub const fn is_replayable(&self) -> bool {
        self.head.version.etag.is_some()
    }

    /// How its end is known.
    #[must_use]
    pub const fn ending(&self) -> BodyEnd {
        self.head.ending
    }

    /// Says that the content has an end of its own (one JSON text), so that an end that is not proven is no
    /// error here.
    pub fn allow_unproven_end(&self) {
        self.end_in_content.store(true, Ordering::Relaxed);
    }
}

impl AsyncRead for Body {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.has_failed {
            return Poll::Ready(Err(io::Error::other("the body broke off before")));
        }
        let read = Pin::new(&mut self.reader).poll_read(context, buf);
        self.has_failed = matches!(read, Poll::Ready(Err(_)));
        read
    }
}
