//! The client: one for a load, cheap to clone. What it shares are connections, the origins' states, tokens, slots and counters.

use super::body::Body;
use super::counters::Counters;
use super::error::HttpError;
use super::origin::Origins;
use super::page::Page;
use super::request::{Request, Resume};
use super::settings::Settings;

/// Fetches. Cheap to clone.
#[derive(Clone)]
pub struct Client {}

impl Client {
    /// A client whose credentials go to these origins. Reads the files that settings name.
    ///
    /// # Errors
    /// When a setting cannot be used, or a file cannot be read.
    pub fn new(_settings: &Settings, _origins: Origins) -> Result<Self, HttpError> {
        Ok(Self {})
    }

    /// Opens a body, from its start or where an earlier one of the same version stopped. Retries, waits, redirects and
    /// credentials are dealt with inside. A slot of `concurrency` is held until the body ends or is dropped.
    ///
    /// # Errors
    /// When the server refuses, patience runs out, or what comes is no data.
    pub async fn open(&self, _request: &Request, _from: Option<Resume>) -> Result<Body, HttpError> {
        std::future::pending().await
    }

    /// Fetches a page: a whole body within the limit, decompressed where the server compressed it for the way.
    ///
    /// # Errors
    /// As [`Client::open`], and when it is too large.
    pub async fn page(&self, _request: &Request) -> Result<Page, HttpError> {
        std::future::pending().await
    }

    /// Requests of sources up to this ordinal wait for no slot: the first unfinished source must come through, also where
    /// bodies further on hold all slots and wait for their turn.
    pub fn let_pass(&self, _ordinal: u64) {}

    /// What the requests so far came to.
    #[must_use]
    pub fn counters(&self) -> Counters {
        Counters::default()
    }

    /// Ends the landing copy: what was fetched whole is on disk behind it.
    ///
    /// # Errors
    /// When it cannot be written.
    pub async fn finish(&self) -> Result<(), HttpError> {
        Ok(())
    }
}
