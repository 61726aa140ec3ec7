//! How the end of a body is known.

use http::Version;
use http::header::{HeaderMap, TRANSFER_ENCODING};

/// How the end of a body is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyEnd {
    /// By its length, its last chunk, the end of its HTTP/2 stream, or TLS's farewell.
    Proven,
    /// The connection closes, which a broken one does too. Only content with an end of its own (one JSON
    /// text) is known to be whole.
    Unproven,
}

impl BodyEnd {
    /// What the head of an answer promises.
    pub(super) fn of(version: Version, headers: &HeaderMap, length: Option<u64>, scheme: &str) -> Self {
        let framed =
            version >= Version::HTTP_2 || length.is_some() || headers.contains_key(TRANSFER_ENCODING);
        // Without TLS's farewell (close_notify) rustls reports an error instead of the end.
        if framed || scheme == "https" { Self::Proven } else { Self::Unproven }
    }
}
