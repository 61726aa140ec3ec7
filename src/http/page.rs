//! A page: a whole answer in memory, within a limit.

use std::sync::atomic::Ordering;

use async_compression::tokio::bufread::{GzipDecoder, ZstdDecoder};
use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap};
use tokio::io::{AsyncRead, AsyncReadExt as _};
use url::Url;

use super::error::{HttpError, Truncation};
use super::framing::BodyEnd;
use super::incoming::Incoming;
use super::judge;
use super::request::{Request, Version};
use super::transfer::FirstAnswer;

/// A response that was read to its end.
#[derive(Debug, Clone)]
pub struct Page {
    /// Where it came from at last, behind redirects.
    pub url: Url,
    /// The headers of the response.
    pub headers: HeaderMap,
    /// The content of the response, decompressed.
    pub bytes: Bytes,
    /// Which version it was.
    pub version: Version,
    /// How its end is known.
    pub ending: BodyEnd,
    /// It is what an export has come to: later pages lie behind it, and not behind what was asked for.
    pub is_result: bool,
}

impl Page {
    /// What the server says that it is.
    #[must_use]
    pub fn content_type(&self) -> Option<&str> {
        self.headers.get(CONTENT_TYPE)?.to_str().ok()
    }

    /// For content without an end of its own, as lines and CSV: an error where its end is not proven. A JSON
    /// text has one: parsing it is proof enough.
    ///
    /// # Errors
    /// When the end is not proven.
    pub fn must_be_proven(&self) -> Result<(), HttpError> {
        match self.ending {
            BodyEnd::Proven => Ok(()),
            BodyEnd::Unproven => Err(HttpError::Cut {
                url: super::shown(&self.url),
                at: self.bytes.len() as u64,
                how: Truncation::Unproven,
            }),
        }
    }
}

/// Reads a transfer to its end.
pub(super) async fn read(transfer: &mut Incoming, request: &Request, limit: u64) -> Result<Page, HttpError> {
    let too_large = || HttpError::TooLarge { url: request.shown(), limit };
    // The caller judges an end that is not proven: he knows the format.
    transfer.end_in_content().store(true, Ordering::Relaxed);
    let mut bytes = BytesMut::new();
    while let Some(more) = transfer.next().await? {
        if bytes.len() as u64 + more.len() as u64 > limit {
            return Err(too_large());
        }
        bytes.extend_from_slice(&more);
    }
    let FirstAnswer { url, headers, version, ending } = transfer.head().clone();
    let encoding = headers
        .get(CONTENT_ENCODING)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    let unexpected = |reason: String| HttpError::Unexpected { url: request.shown(), reason };
    let bytes = match encoding.as_str() {
        "" | "identity" => bytes.freeze(),
        "gzip" | "x-gzip" => decoded(GzipDecoder::new(&bytes[..]), limit)
            .await
            .map_err(|error| unexpected(format!("its gzip is damaged ({error})")))?,
        "zstd" => decoded(ZstdDecoder::new(&bytes[..]), limit)
            .await
            .map_err(|error| unexpected(format!("its zstd is damaged ({error})")))?,
        other => return Err(unexpected(format!("it is compressed as {other:?}, which was not asked for"))),
    };
    if bytes.len() as u64 > limit {
        return Err(too_large());
    }
    judge::beginning(Some(&bytes)).map_err(unexpected)?;
    Ok(Page { url, headers, bytes, version, ending, is_result: transfer.is_result() })
}

/// Decompresses, a byte beyond the limit at most.
async fn decoded(decoder: impl AsyncRead + Unpin, limit: u64) -> std::io::Result<Bytes> {
    let mut out = Vec::new();
    decoder.take(limit + 1).read_to_end(&mut out).await?;
    Ok(out.into())
}
