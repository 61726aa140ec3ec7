//! The concurrency limiter: who may send now, by a slot of the load's concurrency and a turn at the origin's
//! rate.
//!
//! Requests to one origin queue in front of it, so that one of them at a time waits for its turn and none
//! holds a slot meanwhile. The first unfinished source has a slot of its own: bodies further on may hold all
//! the others until it is done.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, watch};
use url::Url;

use super::counters::Counting;
use super::origin::Origin;
use super::rate_limiter::{RateLimiter, Throttled, Wait};
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

/// A request so near is waited for exactly, where requests must keep their distance.
const EXACT_MAX: Duration = Duration::from_millis(50);

/// A slot, and a turn at an origin: given back when it is dropped.
pub(super) struct RequestPermit {
    _slot: OwnedSemaphorePermit,
    /// None: it waits for one.
    turn: Option<RequestTurn>,
}

/// A turn at an origin: what it comes to is learned from.
pub(super) struct RequestTurn {
    speed: Arc<OriginRate>,
    id: u64,
}

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
    /// A request was answered, or has ended.
    changed: Notify,
    /// It asked to be left alone until then, which is longer than we wait.
    away: Mutex<Option<(Instant, http::StatusCode)>>,
}

impl RateLimiters {
    /// The speed of an origin: of the rates that loads were given, the slowest holds.
    fn of(&self, origin: &Origin, rate: Option<Rate>, concurrency: usize) -> Arc<OriginRate> {
        let mut speeds = lock(&self.0);
        let speed = speeds.entry(origin.clone()).or_insert_with(|| {
            let rate_limiter = Mutex::new(RateLimiter::new(rate, concurrency));
            Arc::new(OriginRate { rate_limiter, changed: Notify::new(), away: Mutex::default() })
        });
        lock(&speed.rate_limiter).hold_to(rate, concurrency);
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
                speed: self.speeds.of(&origin, self.settings.rate, self.settings.concurrency),
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

    /// Requests that have a slot: they are sent, or wait for their turn at a rate.
    pub(super) fn in_flight(&self) -> u64 {
        let free = self.slots.available_permits() + self.first_slot.available_permits();
        (self.settings.concurrency.max(1) + 1).saturating_sub(free) as u64
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
            origin_state.turn_with(&self.slots, false, counting).await
        };
        let mut first = self.first.subscribe();
        let as_first = async {
            // The sender lives as long as this: waiting cannot fail, and would only mean to queue.
            if first.wait_for(|first| ordinal <= *first).await.is_err() {
                std::future::pending::<()>().await;
            }
            origin_state.turn_with(&self.first_slot, true, counting).await
        };
        tokio::select! {
            biased;
            slot = queued => slot,
            slot = as_first => slot,
        }
    }
}

impl OriginState {
    async fn turn_with(&self, slots: &Arc<Semaphore>, is_first: bool, counting: &Counting) -> RequestPermit {
        loop {
            let Ok(slot) = Arc::clone(slots).acquire_owned().await else {
                // Never closed.
                std::future::pending().await
            };
            let mut changed = std::pin::pin!(self.speed.changed.notified());
            changed.as_mut().enable();
            match self.take(is_first) {
                Ok(turn) => return RequestPermit { _slot: slot, turn: Some(turn) },
                Err(wait) => {
                    drop(slot);
                    wait_for(wait, changed, self.is_exact(), counting).await;
                }
            }
        }
    }

    /// Waits for a turn alone: of a request that holds a slot, as behind a redirect.
    async fn turn(&self, counting: &Counting) -> RequestTurn {
        loop {
            let mut changed = std::pin::pin!(self.speed.changed.notified());
            changed.as_mut().enable();
            match self.take(false) {
                Ok(turn) => return turn,
                Err(wait) => wait_for(wait, changed, self.is_exact(), counting).await,
            }
        }
    }

    fn take(&self, is_first: bool) -> Result<RequestTurn, Wait> {
        let id = self.rate_limiter().take(Instant::now(), is_first)?;
        Ok(RequestTurn { speed: Arc::clone(&self.speed), id })
    }

    fn is_exact(&self) -> bool {
        self.rate_limiter().is_exact()
    }

    /// Nothing is left of a limit for so long.
    pub(super) fn close(&self, pause: Duration) {
        self.rate_limiter().close(Instant::now(), pause);
    }

    fn rate_limiter(&self) -> MutexGuard<'_, RateLimiter> {
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

impl RequestPermit {
    /// An answer that was no refusal has begun.
    pub(super) fn accepted(&self) {
        if let Some(RequestTurn { speed, id }) = &self.turn {
            lock(&speed.rate_limiter).accepted(*id, Instant::now());
            speed.changed.notify_waiters();
        }
    }

    /// It was answered, and another origin is asked, or the same again.
    pub(super) async fn go_on(&mut self, origin_state: &OriginState, counting: &Counting) {
        self.accepted();
        // Who waits for a turn must not have one.
        self.turn = None;
        self.turn = Some(origin_state.turn(counting).await);
    }

    /// The server wants fewer requests, at once or in a time. How long to wait before this one is tried again
    /// for the `tries`th time; what others must wait for is the limiter's.
    pub(super) fn refused(&self, refusal: Throttled, asked: Option<Duration>, tries: u32) -> Duration {
        let Some(RequestTurn { speed, id }) = &self.turn else { return Duration::ZERO };
        let wait = lock(&speed.rate_limiter).refused(*id, refusal, Instant::now(), asked, tries);
        speed.changed.notify_waiters();
        wait
    }
}

impl Drop for RequestTurn {
    fn drop(&mut self) {
        lock(&self.speed.rate_limiter).ended(self.id, Instant::now());
        self.speed.changed.notify_waiters();
    }
}

/// Waits for a limit.
async fn wait_for(wait: Wait, changed: impl Future<Output = ()>, is_exact: bool, counting: &Counting) {
    let _waiting = counting.limited();
    let began = Instant::now();
    match wait {
        // Timers tick in milliseconds.
        Wait::For(time) if is_exact && time < EXACT_MAX => {
            let slept = tokio::task::spawn_blocking(move || std::thread::sleep(time)).await;
            if slept.is_err() {
                tokio::time::sleep(time).await;
            }
        }
        Wait::For(time) => tokio::time::sleep(time).await,
        Wait::Change(longest) => {
            let _ = tokio::time::timeout(longest, changed).await;
        }
    }
    counting.waited(began.elapsed());
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
