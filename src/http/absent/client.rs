//! The client: there is none, nor a body.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, ReadBuf};

use super::error::HttpError;
use super::pager::{Clues, Guess, Headers, Page};
use super::request::{Nobody, Request, Resume, Url, Version};
use super::settings::Settings;

/// The speeds of no server.
#[derive(Clone, Default)]
pub struct RateLimiters(());

/// A set of origins that is always empty.
#[derive(Debug, Clone)]
pub struct Origins(());

impl Origins {
    /// Those of no URL.
    #[must_use]
    pub fn of<'a>(_urls: impl IntoIterator<Item = &'a Url>) -> Self {
        Self(())
    }
}

/// How a body may be compressed for the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encodings {
    /// Not at all.
    Identity,
    /// By what needs little memory to be undone.
    Compressed,
}

/// A client that cannot be made in this build.
#[derive(Debug, Clone)]
pub struct Client(Nobody);

impl Client {
    /// None.
    ///
    /// # Errors
    /// Always.
    pub fn within(
        _speeds: &RateLimiters,
        _settings: &Settings,
        _origins: Origins,
    ) -> Result<Self, HttpError> {
        Err(HttpError::Absent)
    }

    /// Streams a body.
    ///
    /// # Errors
    /// Never comes to one.
    pub async fn open(
        &self,
        _request: &Request,
        _from: Option<Resume>,
        _encodings: Encodings,
    ) -> Result<Body, HttpError> {
        match self.0 {}
    }

    /// Fetches a page.
    ///
    /// # Errors
    /// Never comes to one.
    pub async fn page(&self, _request: &Request) -> Result<Page, HttpError> {
        match self.0 {}
    }

    /// Lets a source pass.
    pub fn prioritize(&self, _ordinal: u64) {
        match self.0 {}
    }

    /// What the requests came to.
    #[must_use]
    pub fn counters(&self) -> Counters {
        match self.0 {}
    }

    /// The time in which requests waited for limits.
    #[must_use]
    pub fn limited_for(&self) -> Duration {
        match self.0 {}
    }

    /// Whether a body that ends with its connection is taken for whole.
    #[must_use]
    pub fn accepts_unproven_end(&self) -> bool {
        match self.0 {}
    }

    /// A body ended unproven.
    pub fn ended_unproven(&self) {
        match self.0 {}
    }

    /// A body is asked for again.
    pub fn begun_again(&self, _request: &Request) {
        match self.0 {}
    }

    /// Tries beyond the first.
    #[must_use]
    pub fn retries_of(&self, _ordinal: u64) -> u64 {
        match self.0 {}
    }

    /// Text of a server, with secrets redacted.
    pub async fn redacted(&self, _words: &str, _request: &Request) -> String {
        match self.0 {}
    }

    /// Would look whether an answer is all there is.
    ///
    /// # Errors
    /// Never comes to one.
    pub fn expect_all(&self, _request: &Request, _clues: &Clues<'_>) -> Result<(), HttpError> {
        match self.0 {}
    }

    /// Would say what a first page has told.
    pub fn say_found(&self, _name: &str, _found: &Guess) {
        match self.0 {}
    }

    /// Would refuse a first page that does not say how the next one is found.
    ///
    /// # Errors
    /// Never comes to one.
    pub fn allow_only_page(&self, _request: &Request, _missing: &str) -> Result<(), HttpError> {
        match self.0 {}
    }

    /// Would keep a note for the user.
    pub fn note(&self, _text: String) {
        match self.0 {}
    }

    /// What was worth saying.
    #[must_use]
    pub fn take_notes(&self) -> Vec<String> {
        match self.0 {}
    }

    /// The end.
    ///
    /// # Errors
    /// Never comes to one.
    pub async fn finish(&self) -> Result<(), HttpError> {
        match self.0 {}
    }
}

/// What requests came to.
#[derive(Debug, Clone, Copy, Default)]
pub struct Counters {
    /// Answers that are read from a file: none.
    pub shared: u64,
    /// Requests that are waited for.
    pub in_flight: u64,
    /// Requests that have been sent.
    pub requests: u64,
    /// Tries after the first.
    pub retried: u64,
    /// Requests that were given up.
    pub failed: u64,
    /// Redirects that were followed.
    pub redirected: u64,
    /// Requests that were refused for now.
    pub refused: u64,
    /// Bodies that broke and were continued.
    pub mended: u64,
    /// Time that they waited.
    pub waited: Duration,
    /// Bytes of response bodies that were read.
    pub bytes: u64,
}

/// A response body, which no build without `http` can have.
#[derive(Debug)]
pub struct Body(Nobody);

impl Body {
    /// Which version it is.
    #[must_use]
    pub const fn identity(&self) -> &Version {
        match self.0 {}
    }

    /// What it is called.
    #[must_use]
    pub fn content_type(&self) -> Option<&str> {
        match self.0 {}
    }

    /// The headers of its answer.
    #[must_use]
    pub const fn headers(&self) -> &Headers {
        match self.0 {}
    }
}

impl AsyncRead for Body {
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, _: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.0 {}
    }
}
