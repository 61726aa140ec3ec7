//! The client: one for a load, cheap to clone. What it shares are connections, the origins' states, tokens,
//! slots and counters.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::admission::{ConcurrencyLimiter, RateLimiters, pause};
use super::body::Body;
use super::cookies::CookieJar;
use super::counters::{Counters, Counting};
use super::credentials::Credentials;
use super::error::HttpError;
use super::guess::{Clues, Guess, guess};
use super::incoming::Incoming;
use super::landing::Landing;
use super::once;
use super::origin::Origins;
use super::page::{self, Page};
use super::request::{Request, Resume};
use super::retry::{FailureKind, RetryState};
use super::send::Encodings;
use super::settings::Settings;
use super::shared::ClientState;
use super::tls::Engines;
use super::token::TokenCache;

/// Fetches. Cheap to clone.
#[derive(Clone)]
pub struct Client(Arc<ClientState>);

/// What to do about a first page that does not lead on.
const ONLY_PAGE: &str = "look at the page: curl -i URL; if it is all there is, leave --strict-pages out";

/// More notes about answers are not made: a thousand endpoints that say the same are not a thousand notes.
const NOTES_MAX: usize = 10;

impl Client {
    /// A client whose credentials go to these origins. Reads the files that settings name.
    ///
    /// # Errors
    /// When a setting cannot be used, or a file cannot be read.
    pub fn new(settings: &Settings, origins: Origins) -> Result<Self, HttpError> {
        Self::within(&RateLimiters::default(), settings, origins)
    }

    /// As [`Client::new`], with the speeds that other loads keep to as well. Nothing else is shared with
    /// them.
    ///
    /// # Errors
    /// As [`Client::new`].
    pub fn within(speeds: &RateLimiters, settings: &Settings, origins: Origins) -> Result<Self, HttpError> {
        Ok(Self(Arc::new(ClientState {
            settings: settings.clone(),
            credentials: Credentials::new(settings, origins)?,
            tokens: TokenCache::default(),
            cookies: CookieJar::default(),
            engines: Engines::new(settings),
            limiter: ConcurrencyLimiter::new(settings, speeds.clone()),
            counting: Counting::default(),
            landing: settings.save_raw.as_deref().map(Landing::new).transpose()?,
            notes: Mutex::default(),
            more_said: AtomicBool::new(false),
        })))
    }

    /// Opens a body, from its start or where an earlier one of the same version stopped. Retries, waits,
    /// redirects and credentials are dealt with inside. A slot of `concurrency` is held until the body ends
    /// or is dropped.
    ///
    /// # Errors
    /// When the server refuses, patience runs out, or what comes is no data.
    pub async fn open(
        &self,
        request: &Request,
        from: Option<Resume>,
        encodings: Encodings,
    ) -> Result<Body, HttpError> {
        let begun = Incoming::begin(&self.0, request, from, encodings).await;
        let incoming = begun.inspect_err(|_| Counting::one(&self.0.counting.failed))?;
        Ok(Body::new(incoming, Arc::clone(&self.0)))
    }

    /// Fetches a page: a whole body within the limit, decompressed where the server compressed it for the
    /// way.
    ///
    /// # Errors
    /// As [`Client::open`], and when it is too large.
    pub async fn page(&self, request: &Request) -> Result<Page, HttpError> {
        let mut tries = RetryState::new(self.0.settings.retry_limits);
        loop {
            let error = match self.whole(request).await {
                Ok(page) => return Ok(page),
                Err(error) => error,
            };
            // Nothing of it was handed out: it may begin again from the start.
            let origin_state = self.0.limiter.origin(&request.url);
            let is_broken = matches!(error, HttpError::Cut { .. }) && error.is_restartable();
            let wait = if is_broken {
                tries.pause(FailureKind::Server, &mut origin_state.budget(), Instant::now())
            } else {
                None
            };
            let Some(wait) = wait else {
                Counting::one(&self.0.counting.failed);
                return Err(error);
            };
            self.0.counting.retried(request.ordinal);
            pause(wait, &self.0.counting).await;
        }
    }

    /// Sends a request of our own once, to one who gives credentials; its answer is short.
    ///
    /// # Errors
    /// When there is none within this time. A refusal is an answer.
    pub async fn ask_once(
        &self,
        request: http::Request<bytes::Bytes>,
        within: Duration,
    ) -> Result<http::Response<bytes::Bytes>, HttpError> {
        once::ask(&self.0, request, within).await
    }

    async fn whole(&self, request: &Request) -> Result<Page, HttpError> {
        let mut incoming = Incoming::begin(&self.0, request, None, Encodings::Whole).await?;
        page::read(&mut incoming, request, self.0.settings.limits.page_bytes).await
    }

    /// Requests of sources up to this ordinal wait for no slot of the others: the first unfinished source
    /// must come through, also where bodies further on hold all slots and wait for their turn.
    pub fn prioritize(&self, ordinal: u64) {
        self.0.limiter.prioritize(ordinal);
    }

    /// What the requests so far came to.
    #[must_use]
    pub fn counters(&self) -> Counters {
        Counters { in_flight: self.0.limiter.in_flight(), ..self.0.counting.sums() }
    }

    /// The time so far in which some request waited for a limit of its server, or for `--rate`.
    #[must_use]
    pub fn limited_for(&self) -> Duration {
        self.0.counting.limited_for()
    }

    /// Whether a body that ends with its connection is taken for whole.
    #[must_use]
    pub fn accepts_unproven_end(&self) -> bool {
        self.0.settings.accepts_unproven_end
    }

    /// A body ended in a way that does not show that it is whole, and its content does not either.
    pub fn ended_unproven(&self) {
        Counting::one(&self.0.counting.failed);
    }

    /// A body was asked for again from its start.
    pub fn begun_again(&self, request: &Request) {
        self.0.counting.retried(request.ordinal);
    }

    /// Tries beyond the first for the source of this ordinal: requests, and bodies that broke.
    #[must_use]
    pub fn retries_of(&self, ordinal: u64) -> u64 {
        self.0.counting.retries_of(ordinal)
    }

    /// Words of a server without the secrets that it was sent.
    pub async fn redacted(&self, words: &str, request: &Request) -> String {
        let token = self.0.tokens.current(&self.0.settings.auth, &self.0.engines).await.ok().flatten();
        let words = self.0.credentials.strike_out(words, request, token.as_ref().map(|token| &token.secret));
        self.0.cookies.strike_out(words)
    }

    /// Looks whether an answer is all there is, where nobody has said how pages lead to each other: if it
    /// says that it is not, that is a note, once for all sources.
    ///
    /// # Errors
    /// Where that is to be an error.
    pub fn expect_all(&self, request: &Request, clues: &Clues<'_>) -> Result<(), HttpError> {
        let Some(guess) = guess(clues) else { return Ok(()) };
        let advice = match (clues.list, &guess.rule) {
            (Some(list), Some(_)) => format!("--records {list} {}", guess.advice()),
            (Some(list), None) => format!("--records {list} reads its records; {}", guess.advice()),
            (None, _) => guess.advice(),
        };
        let url = request.shown();
        if self.0.settings.strict_pages {
            let reason = format!("go on: there is {}", guess.seen);
            return Err(HttpError::Pages { url, reason, hint: Some(advice.into()) });
        }
        if !self.0.more_said.swap(true, Ordering::Relaxed) {
            self.note(format!("{url} may not be all there is: there is {} ({advice})", guess.seen));
        }
        Ok(())
    }

    /// Says what a first page has told about pages, once for all sources.
    pub fn say_found(&self, name: &str, found: &Guess) {
        if !self.0.more_said.swap(true, Ordering::Relaxed)
            && let Some(rule) = &found.rule
        {
            self.note(format!("{name} goes on, by {}: --paginate '{rule}'", found.seen));
        }
    }

    /// Refuses a first page that does not say how the next one is found, if it is to be an error. `missing`:
    /// what was looked for in vain.
    ///
    /// # Errors
    /// Likewise.
    pub fn allow_only_page(&self, request: &Request, missing: &str) -> Result<(), HttpError> {
        if !self.0.settings.strict_pages {
            return Ok(());
        }
        let reason = format!("cannot be followed: the first one has {missing}");
        Err(HttpError::Pages { url: request.shown(), reason, hint: Some(ONLY_PAGE.into()) })
    }

    /// Keeps a note about an answer, in the middle of a source, for [`Client::take_notes`].
    pub fn note(&self, text: String) {
        let mut notes = self.0.notes.lock().unwrap_or_else(PoisonError::into_inner);
        notes.so_far += 1;
        if notes.so_far <= NOTES_MAX {
            notes.waiting.push(text);
        }
    }

    /// Takes the notes that were made since the last time.
    #[must_use]
    pub fn take_notes(&self) -> Vec<String> {
        std::mem::take(&mut self.0.notes.lock().unwrap_or_else(PoisonError::into_inner).waiting)
    }

    /// Ends the landing copy: what was fetched whole is on disk behind it.
    ///
    /// # Errors
    /// When it cannot be written.
    pub async fn finish(&self) -> Result<(), HttpError> {
        match &self.0.landing {
            Some(landing) => landing.finish().await,
            None => Ok(()),
        }
    }
}
