//! What a checkpoint on a page says: what finds the page again, and whether it is what it was.

use serde::{Deserialize, Serialize};

use crate::http::PagerState;

/// What a checkpoint on a page says.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct PlaceToken {
    /// Its request, and what the pages before it came to; without secrets.
    pub(super) pager: PagerState,
    /// Where it begins: offset, record, line.
    pub(super) start: (u64, u64, u64),
    /// Digest of the digests of all pages before it, in hexadecimal.
    pub(super) before: String,
    /// Its own digest, in hexadecimal.
    pub(super) digest: String,
    /// Places and digests are of records. 0.1.0 had them of whole answers: a source that was begun so goes on
    /// so.
    #[serde(default)]
    pub(super) of_records: bool,
}
