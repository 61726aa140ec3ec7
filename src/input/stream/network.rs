//! Of a body from the network: where it comes from, and what its first answer said.

use std::sync::Arc;

use crate::http::{HeaderMap, Version};
use crate::input::spool::Spoolable;
use crate::input::web::BodySource;

/// Of a body from the network: where it comes from, and what its first answer said.
pub(super) struct Network {
    pub(super) origin: Arc<BodySource>,
    pub(super) version: Version,
    pub(super) content_type: Option<String>,
    pub(super) headers: HeaderMap,
    /// Its bytes, from where it was opened at last.
    pub(super) chunks: Spoolable,
}
