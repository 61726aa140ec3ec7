//! The retry policy, and the one place that waits and tries again: exponential back-off with full jitter,
//! bounded in time and in tries.

use std::time::{Duration, Instant};

use backon::{BackoffBuilder as _, ExponentialBackoff, ExponentialBuilder};

/// Shortest pause: a conflict with another session is mostly over by then.
const PAUSE_MIN: Duration = Duration::from_millis(20);
/// Longest pause: a server that is back should not wait long for us.
const PAUSE_MAX: Duration = Duration::from_secs(2);
/// Tries in a row of one batch, whatever the time: a fault that comes back this often is no passing one.
const TRIES_MAX: u32 = 10_000;

/// How long to wait for a server that is away or busy.
#[derive(Debug, Clone, Copy)]
pub struct RetryPolicy {
    /// From the first failure of a batch to giving up.
    pub retry_for: Duration,
}

/// Tries of one batch, or of another step that may be repeated.
pub struct Retry {
    retry_policy: RetryPolicy,
    since: Option<Instant>,
    pauses: ExponentialBackoff,
    tries: u32,
}

impl Retry {
    /// No try so far.
    #[must_use]
    pub fn new(retry_policy: RetryPolicy) -> Self {
        let pauses = ExponentialBuilder::default()
            .with_min_delay(PAUSE_MIN)
            .with_max_delay(PAUSE_MAX)
            .with_jitter()
            .without_max_times()
            .build();
        Self { retry_policy, since: None, pauses, tries: 0 }
    }

    /// The number of tries so far.
    #[must_use]
    pub const fn tries(&self) -> u32 {
        self.tries
    }

    /// The pause before the next try, or `None` if patience has run out.
    pub fn pause(&mut self) -> Option<Duration> {
        self.pause_at(Instant::now())
    }

    /// As [`Retry::pause`], by the caller's clock.
    pub(in crate::write) fn pause_at(&mut self, now: Instant) -> Option<Duration> {
        let since = *self.since.get_or_insert(now);
        self.tries += 1;
        if now.saturating_duration_since(since) >= self.retry_policy.retry_for || self.tries > TRIES_MAX {
            return None;
        }
        Some(self.pauses.next().unwrap_or(PAUSE_MAX))
    }
}
