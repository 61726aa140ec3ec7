//! The concurrency limiter: who may send now, by a slot of the load's concurrency and a turn at the origin's
//! rate.
//!
//! Requests to one origin queue in front of it, so that one of them at a time waits for its turn and none
//! holds a slot meanwhile. The first unfinished source has a slot of its own: bodies further on may hold all
//! the others until it is done.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use url::Url;

use super::counters::Counting;
use super::origin::Origin;
use super::rate_limiter::RateLimiter;
use super::retry::RetryBudget;
use super::settings::{Rate, Settings};

/// The states of the origins, and the slots.
pub(super) struct ConcurrencyLimiter {
    settings: Settings,
    speeds: RateLimiters,
    origins: Mutex<HashMap<Origin, Arc<OriginState>>>,
    slots: Arc<Semaphore>,
    first_slot: Arc<Semaphore>,
    first: watch::Sender<u64>,
}

/// A slot: given back when it is dropped.
pub(super) type RequestPermit = OwnedSemaphorePermit;

/// One origin, for one load.
pub(super) struct OriginState {
    queue: tokio::sync::Mutex<()>,
    speed: Arc<OriginRate>,
    budget: Mutex<RetryBudget>,
}

/// How fast origins may be asked, by all the loads of a process together. What is shared is when, never what:
/// no request, no credential. Clones are the same speeds.
#[derive(Clone, Default)]
pub struct RateLimiters(Arc<Mutex<HashMap<Origin, Arc<OriginRate>>>>);

/// The speed of one origin.
struct OriginRate {
    rate_limiter: Mutex<RateLimiter>,
    /// It asked to be left alone until then, which is longer than we wait.
    away: Mutex<Option<(Instant, http::StatusCode)>>,
}

impl RateLimiters {
    /// The speed of an origin: of the rates that loads were given, the slowest holds.
    fn of(&self, origin: &Origin, rate: Option<Rate>) -> Arc<OriginRate> {
        let mut speeds = lock(&self.0);
        let speed = speeds.entry(origin.clone()).or_insert_with(|| {
            Arc::new(OriginRate { rate_limiter: Mutex::new(RateLimiter::new(rate)), away: Mutex::default() })
        });
        lock(&speed.rate_limiter).hold_to(rate);
        Arc::clone(speed)
    }
}

impl ConcurrencyLimiter {
    pub(super) fn new(settings: &Settings, speeds: RateLimiters) -> Self {
        Self {
            settings: settings.clone(),
            speeds,
            origins: Mutex::default(),
            slots: Arc::new(Semaphore::new(settings.concurrency.max(1))),
            first_slot: Arc::new(Semaphore::new(1)),
            first: watch::Sender::new(0),
        }
    }

    /// The state of a URL's origin.
    pub(super) fn origin(&self, url: &Url) -> Arc<OriginState> {
        let mut origins = lock(&self.origins);
        let origin = Origin::of(url);
        let new = || {
            Arc::new(OriginState {
                queue: tokio::sync::Mutex::default(),
                speed: self.speeds.of(&origin, self.settings.rate),
                budget: Mutex::new(RetryBudget::new(self.settings.retry_limits, self.settings.concurrency)),
            })
        };
        Arc::clone(origins.entry(origin.clone()).or_insert_with(new))
    }

    /// Requests up to this ordinal need no slot of the others.
    pub(super) fn prioritize(&self, ordinal: u64) {
        self.first.send_if_modified(|first| {
            let later = ordinal > *first;
            *first = ordinal.max(*first);
            later
        });
    }

    /// Waits for a slot and a turn.
    pub(super) async fn admit(
        &self,
        origin_state: &OriginState,
        ordinal: u64,
        counting: &Counting,
    ) -> RequestPermit {
        let queued = async {
            let _turn = origin_state.queue.lock().await;
            origin_state.turn_with(&self.slots, counting).await
        };
        let mut first = self.first.subscribe();
        let as_first = async {
            // The sender lives as long as this: waiting cannot fail, and would only mean to queue.
            if first.wait_for(|first| ordinal <= *first).await.is_err() {
                std::future::pending::<()>().await;
            }
            origin_state.turn_with(&self.first_slot, counting).await
        };
        tokio::select! {
            biased;
            slot = queued => slot,
            slot = as_first => slot,
        }
    }
}

impl OriginState {
    async fn turn_with(&self, slots: &Arc<Semaphore>, counting: &Counting) -> RequestPermit {
        loop {
            let Ok(slot) = Arc::clone(slots).acquire_owned().await else {
                // Never closed.
                std::future::pending().await
            };
            let Err(wait) = self.rate_limiter().take(Instant::now()) else { return slot };
            drop(slot);
            pause(wait, counting).await;
        }
    }

    /// Waits for a turn alone: of a request that holds a slot, as behind a redirect.
    pub(super) async fn turn(&self, counting: &Counting) {
        loop {
            let taken = self.rate_limiter().take(Instant::now());
            let Err(wait) = taken else { return };
            pause(wait, counting).await;
        }
    }

    pub(super) fn rate_limiter(&self) -> MutexGuard<'_, RateLimiter> {
        lock(&self.speed.rate_limiter)
    }

    pub(super) fn budget(&self) -> MutexGuard<'_, RetryBudget> {
        lock(&self.budget)
    }

    /// How long it still wants to be left alone, if that is longer than we wait.
    pub(super) fn away(&self, longest: Duration) -> Option<(Duration, http::StatusCode)> {
        let (until, status) = (*lock(&self.speed.away))?;
        let left = until.saturating_duration_since(Instant::now());
        (left > longest).then_some((left, status))
    }

    /// It wants to be left alone for so long.
    pub(super) fn leave_alone(&self, asked: Duration, status: http::StatusCode) {
        *lock(&self.speed.away) = Instant::now().checked_add(asked).map(|until| (until, status));
    }
}

/// Sleeps, and counts it.
pub(super) async fn pause(time: Duration, counting: &Counting) {
    let began = Instant::now();
    tokio::time::sleep(time).await;
    counting.waited(began.elapsed());
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What is inside is whole between any two statements: a panic elsewhere does not spoil it.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
