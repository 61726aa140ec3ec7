//! What the requests of a process came to, in sums: for progress and report.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Sums over all requests of this process.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Requests that were sent, each try and each redirect.
    pub requests: u64,
    /// Tries after the first.
    pub retried: u64,
    /// Requests and bodies that were given up.
    pub failed: u64,
    /// Redirects that were followed.
    pub redirected: u64,
    /// Answers that said: not now (429, 503).
    pub refused: u64,
    /// Bodies that broke and were continued where they had broken.
    pub mended: u64,
    /// Time that requests waited for limits and back-off; of all requests, so it may exceed the time that
    /// passed.
    pub waited: Duration,
    /// Bytes of bodies as they came.
    pub bytes: u64,
    /// Answers that were read from the file that they were fetched into for several loads.
    pub shared: u64,
    /// Requests of which the answer, or the rest of it, is waited for right now.
    pub in_flight: u64,
}

/// The same, while they are counted.
#[derive(Debug, Default)]
pub(super) struct Counting {
    pub(super) requests: AtomicU64,
    retried: AtomicU64,
    pub(super) failed: AtomicU64,
    pub(super) redirected: AtomicU64,
    pub(super) refused: AtomicU64,
    mended: AtomicU64,
    waited_us: AtomicU64,
    pub(super) bytes: AtomicU64,
    pub(super) shared: AtomicU64,
    limited: Mutex<LimitWatch>,
    /// Tries beyond the first by source: only of those that had any.
    by_source: Mutex<HashMap<u64, u64>>,
}

/// The time in which some request waited for a limit.
#[derive(Debug, Default)]
struct LimitWatch {
    waiting: usize,
    since: Option<Instant>,
    before: Duration,
}

/// A request waits for a limit until this is dropped.
pub(super) struct LimitWait<'a>(&'a Mutex<LimitWatch>);

impl Drop for LimitWait<'_> {
    fn drop(&mut self) {
        let mut watch = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        watch.waiting = watch.waiting.saturating_sub(1);
        if watch.waiting == 0 {
            let since = watch.since.take();
            watch.before += since.map_or(Duration::ZERO, |since| since.elapsed());
        }
    }
}

impl Counting {
    /// From now on a request waits for a limit.
    pub(super) fn limited(&self) -> LimitWait<'_> {
        let mut watch = self.limited.lock().unwrap_or_else(PoisonError::into_inner);
        watch.waiting += 1;
        watch.since.get_or_insert_with(Instant::now);
        LimitWait(&self.limited)
    }

    /// The time so far in which some request waited for one.
    pub(super) fn limited_for(&self) -> Duration {
        let watch = self.limited.lock().unwrap_or_else(PoisonError::into_inner);
        watch.before + watch.since.map_or(Duration::ZERO, |since| since.elapsed())
    }

    /// Counts one more, relaxed.
    pub(super) fn one(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// One more try for a source.
    pub(super) fn retried(&self, ordinal: u64) {
        Self::one(&self.retried);
        self.of_source(ordinal);
    }

    /// A body of a source goes on where it broke.
    pub(super) fn mended(&self, ordinal: u64) {
        Self::one(&self.mended);
        self.of_source(ordinal);
    }

    fn of_source(&self, ordinal: u64) {
        *self.by_source.lock().unwrap_or_else(PoisonError::into_inner).entry(ordinal).or_default() += 1;
    }

    pub(super) fn retries_of(&self, ordinal: u64) -> u64 {
        let by_source = self.by_source.lock().unwrap_or_else(PoisonError::into_inner);
        by_source.get(&ordinal).copied().unwrap_or_default()
    }

    pub(super) fn waited(&self, time: Duration) {
        self.waited_us.fetch_add(u64::try_from(time.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    pub(super) fn sums(&self) -> Counters {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counters {
            requests: of(&self.requests),
            retried: of(&self.retried),
            failed: of(&self.failed),
            redirected: of(&self.redirected),
            refused: of(&self.refused),
            mended: of(&self.mended),
            waited: Duration::from_micros(of(&self.waited_us)),
            bytes: of(&self.bytes),
            shared: of(&self.shared),
            in_flight: 0,
        }
    }
}
