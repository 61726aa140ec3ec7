//! What all requests of a client share.

use std::sync::Mutex;
use std::sync::atomic::AtomicBool;

use super::admission::ConcurrencyLimiter;
use super::cookies::CookieJar;
use super::counters::Counting;
use super::credentials::Credentials;
use super::landing::Landing;
use super::settings::Settings;
use super::tls::Engines;
use super::token::TokenCache;

/// What all requests of a client share.
pub(super) struct ClientState {
    pub(super) settings: Settings,
    pub(super) credentials: Credentials,
    pub(super) tokens: TokenCache,
    pub(super) cookies: CookieJar,
    pub(super) engines: Engines,
    pub(super) limiter: ConcurrencyLimiter,
    pub(super) counting: Counting,
    pub(super) landing: Option<Landing>,
    /// What is worth saying about answers, until somebody takes it.
    pub(super) notes: Mutex<Notes>,
    /// It was said that an answer is not all there is: once is enough for a thousand of them.
    pub(super) more_said: AtomicBool,
}

/// Notes that wait, and how many there have been.
#[derive(Default)]
pub(super) struct Notes {
    pub(super) waiting: Vec<String>,
    pub(super) so_far: usize,
}
