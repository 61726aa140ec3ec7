//! A page: a whole answer in memory, within a limit.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderMap};
use url::Url;

use super::error::{Cut, HttpError};
use super::framing::Ending;
use super::request::Version;

/// A whole answer.
#[derive(Debug, Clone)]
pub struct Page {
    /// Where it came from at last, behind redirects.
    pub url: Url,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its content, decompressed.
    pub bytes: Bytes,
    /// Which version it was.
    pub version: Version,
    /// How its end is known.
    pub ending: Ending,
}

impl Page {
    /// What the server says that it is.
    #[must_use]
    pub fn content_type(&self) -> Option<&str> {
        self.headers.get(CONTENT_TYPE)?.to_str().ok()
    }

    /// For content without an end of its own, as lines and CSV: an error where its end is not proven. A JSON text has one: parsing it is proof enough.
    ///
    /// # Errors
    /// When the end is not proven.
    pub fn must_be_proven(&self) -> Result<(), HttpError> {
        match self.ending {
            Ending::Proven => Ok(()),
            Ending::Unproven => Err(HttpError::Cut { url: super::shown(&self.url), at: self.bytes.len() as u64, how: Cut::Unproven }),
        }
    }
}
