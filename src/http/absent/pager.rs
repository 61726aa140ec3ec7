//! Pages: there is none.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::error::HttpError;
use super::paginate::Paginate;
use super::request::{Nobody, Request, Url};

/// A fetched page, which no build without `http` can have.
#[derive(Debug)]
pub struct Page {
    /// The bytes of the page.
    pub bytes: Bytes,
    /// Where it came from.
    pub url: Url,
    /// The headers of the response.
    pub headers: Headers,
    /// What an export has come to.
    pub is_result: bool,
}

/// Headers of an answer.
#[derive(Debug, Clone)]
pub struct Headers(Nobody);

impl Headers {
    /// A header's value.
    #[must_use]
    pub const fn get(&self, _name: &str) -> Option<&Self> {
        match self.0 {}
    }

    /// Its text.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8] {
        match self.0 {}
    }
}

/// That there is more than an answer has.
#[derive(Debug, Clone)]
pub struct Guess(Nobody);

/// An answer, as it is asked whether it is all there is.
#[derive(Debug, Clone, Copy)]
pub struct Clues<'a> {
    /// The headers of the response.
    pub headers: &'a Headers,
    /// Its JSON text.
    pub text: &'a str,
    /// The number of its records.
    pub records: u64,
    /// A list in it.
    pub list: Option<&'a str>,
}

impl Page {
    /// What it is called.
    #[must_use]
    pub fn content_type(&self) -> Option<&str> {
        match self.headers.0 {}
    }

    /// Refuses a page whose end was not proven.
    ///
    /// # Errors
    /// Never comes to one.
    pub fn must_be_proven(&self) -> Result<(), HttpError> {
        match self.headers.0 {}
    }
}

/// A page, as it is asked what follows it.
#[derive(Debug)]
pub struct PageSeen<'a> {
    /// Where it came from.
    pub url: &'a Url,
    /// The headers of the response.
    pub headers: &'a Headers,
    /// The body of the page, as text.
    pub text: &'a str,
    /// The number of records on the page.
    pub records: u64,
    /// Digest of the page's records.
    pub digest: u64,
    /// The text of its last record.
    pub last: Option<&'a str>,
}

/// Where the pages stand.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PagerState(Nobody);

/// Which page comes next.
#[derive(Debug)]
pub struct Pager(Nobody);

impl Pager {
    /// From the first page.
    ///
    /// # Errors
    /// Always.
    pub fn new(_paginate: Paginate, _first: &Request, _pages_max: u64) -> Result<Self, HttpError> {
        Err(HttpError::Absent)
    }

    /// From a stored page.
    #[must_use]
    pub fn at(_paginate: Paginate, _first: &Request, state: PagerState, _pages_max: u64) -> Self {
        Self(state.0)
    }

    /// The page where it stands.
    #[must_use]
    pub const fn request(&self) -> &Request {
        match self.0 {}
    }

    /// Whether an error is the end.
    ///
    /// # Errors
    /// Never comes to one.
    pub fn ends_with(&self, _error: HttpError) -> Result<(), HttpError> {
        match self.0 {}
    }

    /// The pager's state, for a checkpoint.
    #[must_use]
    pub fn state(&self) -> PagerState {
        match self.0 {}
    }

    /// A page behind it.
    #[must_use]
    pub fn ahead(&self, _pages: u64) -> Option<Request> {
        match self.0 {}
    }

    /// The next page.
    ///
    /// # Errors
    /// Never comes to one.
    pub fn next(&mut self, _seen: &PageSeen<'_>) -> Result<Option<Request>, HttpError> {
        match self.0 {}
    }

    /// A page came again.
    #[must_use]
    pub const fn has_come_again(&self) -> bool {
        match self.0 {}
    }

    /// The first page is to tell.
    #[must_use]
    pub const fn finds_out(&self) -> bool {
        match self.0 {}
    }

    /// Why it cannot.
    #[must_use]
    pub fn not_found_out(&self, _member: &str, _records: u64) -> HttpError {
        match self.0 {}
    }

    /// The first page lies elsewhere.
    pub const fn moved(&mut self, _url: &Url) {
        match self.0 {}
    }

    /// What the first page has told.
    pub const fn take_found(&mut self) -> Option<Guess> {
        match self.0 {}
    }

    /// What was looked for in vain.
    #[must_use]
    pub fn never_found(&self) -> Option<String> {
        match self.0 {}
    }
}
