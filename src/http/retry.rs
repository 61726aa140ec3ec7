//! What is tried again, how long to wait before, and when to give up: the one place for requests.
//!
//! Back-off is exponential with full jitter. A request has its tries and its time; an origin has a budget
//! that all its requests share, so that many bad endpoints do not multiply a server's trouble.

use std::time::{Duration, Instant};

use backon::{BackoffBuilder as _, ExponentialBackoff, ExponentialBuilder};
use http::StatusCode;

use super::rate_limiter::Throttled;
use super::settings::RetryLimits;

/// The first pause, at most.
const PAUSE_MIN: Duration = Duration::from_millis(200);
/// The longest pause: a server that is back should not wait long for us.
const PAUSE_MAX: Duration = Duration::from_secs(20);
/// Successes that pay for one more retry.
const SUCCESSES_PER_RETRY: u64 = 2;

/// What a failed try was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FailureKind {
    /// The connection: the server said nothing.
    Connection,
    /// The server failed: 408, 425, 5xx.
    Server,
    /// The server wants us to be slower. How long to stay away is the origin's gate.
    Refused(Throttled),
    /// Anything else: it will not get better.
    Final,
}

impl FailureKind {
    /// What a status means that is no success.
    pub(super) fn of(status: StatusCode) -> Self {
        match status.as_u16() {
            429 => Self::Refused(Throttled::TooFast),
            503 => Self::Refused(Throttled::Unavailable),
            408 | 425 | 500..=599 => Self::Server,
            _ => Self::Final,
        }
    }
}

/// The trouble of one origin.
#[derive(Debug)]
pub(super) struct RetryBudget {
    retries_left: u64,
    retries_max: u64,
    successes: u64,
    failing_since: Option<Instant>,
    has_answered: bool,
}

impl RetryBudget {
    /// Each request in flight may use all its tries once; what is beyond has to be earned by successes.
    pub(super) fn new(retry_limits: RetryLimits, concurrency: usize) -> Self {
        let retries = u64::from(retry_limits.tries) * concurrency as u64;
        Self {
            retries_left: retries,
            retries_max: retries,
            successes: 0,
            failing_since: None,
            has_answered: false,
        }
    }

    pub(super) fn succeeded(&mut self) {
        self.failing_since = None;
        self.has_answered = true;
        self.successes += 1;
        if self.successes.is_multiple_of(SUCCESSES_PER_RETRY) {
            self.retries_left = (self.retries_left + 1).min(self.retries_max);
        }
    }

    fn failed(&mut self, now: Instant) -> Duration {
        now.saturating_duration_since(*self.failing_since.get_or_insert(now))
    }
}

/// The tries of one request.
#[derive(Debug)]
pub(super) struct RetryState {
    retry_limits: RetryLimits,
    began: Option<Instant>,
    pauses: ExponentialBackoff,
    /// The number of tries that failed.
    pub(super) count: u32,
    /// Of these, refusals: they are bounded by time alone.
    refused: u32,
}

impl RetryState {
    pub(super) fn new(retry_limits: RetryLimits) -> Self {
        let pauses = ExponentialBuilder::default()
            .with_min_delay(PAUSE_MIN)
            .with_max_delay(PAUSE_MAX)
            .without_max_times()
            .build();
        Self { retry_limits, began: None, pauses, count: 0, refused: 0 }
    }

    /// Time since the first failure.
    pub(super) fn within(&self, now: Instant) -> Duration {
        self.began.map_or(Duration::ZERO, |began| now.saturating_duration_since(began))
    }

    /// What is left of the time in which it may fail.
    pub(super) fn left(&self, now: Instant) -> Duration {
        self.retry_limits.retry_for.saturating_sub(self.within(now))
    }

    /// The pause before the next try, or none if there is none. A refusal waits at the gate instead.
    pub(super) fn pause(
        &mut self,
        failure: FailureKind,
        budget: &mut RetryBudget,
        now: Instant,
    ) -> Option<Duration> {
        if failure == FailureKind::Final {
            return None;
        }
        self.count += 1;
        let began = *self.began.get_or_insert(now);
        let too_long = now.saturating_duration_since(began) >= self.retry_limits.retry_for
            || budget.failed(now) >= self.retry_limits.retry_for;
        if too_long || self.retry_limits.tries <= 1 {
            return None;
        }
        match failure {
            FailureKind::Final => None,
            FailureKind::Refused(Throttled::Unavailable) if self.retry_limits.counts_unavailable => {
                budget.has_answered = true;
                (self.count - self.refused < self.retry_limits.tries).then_some(Duration::ZERO)
            }
            FailureKind::Refused(_) => {
                budget.has_answered = true;
                self.refused += 1;
                Some(Duration::ZERO)
            }
            // Who never answered is rather a mistake in the URL than away.
            FailureKind::Connection if budget.has_answered => Some(self.jittered()),
            FailureKind::Connection => {
                (self.count - self.refused < self.retry_limits.tries).then(|| self.jittered())
            }
            FailureKind::Server => {
                budget.has_answered = true;
                let may = self.count - self.refused < self.retry_limits.tries && budget.retries_left > 0;
                budget.retries_left = budget.retries_left.saturating_sub(1);
                may.then(|| self.jittered())
            }
        }
    }

    /// Full jitter: anything from nothing to the whole pause.
    fn jittered(&mut self) -> Duration {
        self.pauses.next().unwrap_or(PAUSE_MAX).mul_f64(fastrand::f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: RetryLimits = RetryLimits {
        retry_for: Duration::from_secs(60),
        tries: 4,
        counts_unavailable: false,
        longest_wait: Duration::from_secs(60),
    };

    fn status(code: u16) -> FailureKind {
        FailureKind::of(StatusCode::from_u16(code).unwrap())
    }

    #[test]
    fn statuses_are_judged() {
        for again in [408, 425, 500, 501, 502, 504, 507, 599] {
            assert_eq!(status(again), FailureKind::Server, "{again}");
        }
        for last in [400, 401, 403, 404, 405, 409, 410, 413, 418, 422, 451] {
            assert_eq!(status(last), FailureKind::Final, "{last}");
        }
        assert_eq!(
            (status(429), status(503)),
            (FailureKind::Refused(Throttled::TooFast), FailureKind::Refused(Throttled::Unavailable))
        );
    }

    #[test]
    fn tries_and_time_of_a_request_are_bounded() {
        let now = Instant::now();
        let mut budget = RetryBudget::new(PATIENCE, 10);
        let mut tries = RetryState::new(PATIENCE);
        let pauses: Vec<_> =
            std::iter::from_fn(|| tries.pause(FailureKind::Server, &mut budget, now)).collect();
        assert_eq!(pauses.len(), 3);
        for (pause, most_ms) in pauses.iter().zip([200, 400, 800]) {
            assert!(pause.as_millis() <= most_ms, "{pauses:?}");
        }
        let mut refused = RetryState::new(PATIENCE);
        assert!((0..100).all(|_| refused.pause(FailureKind::Refused(Throttled::TooFast), &mut budget, now)
            == Some(Duration::ZERO)));
        assert_eq!(
            refused.pause(FailureKind::Refused(Throttled::TooFast), &mut budget, now + PATIENCE.retry_for),
            None
        );
        let mut counted = RetryState::new(RetryLimits { counts_unavailable: true, ..PATIENCE });
        let unavailable = FailureKind::Refused(Throttled::Unavailable);
        assert_eq!(std::iter::from_fn(|| counted.pause(unavailable, &mut budget, now)).count(), 3);
        assert_eq!(RetryState::new(PATIENCE).pause(FailureKind::Final, &mut budget, now), None);
    }

    #[test]
    fn the_budget_of_an_origin_is_shared_and_earned() {
        let now = Instant::now();
        let mut budget = RetryBudget::new(PATIENCE, 2);
        let used = |budget: &mut RetryBudget| {
            let mut tries = RetryState::new(PATIENCE);
            std::iter::from_fn(|| tries.pause(FailureKind::Server, budget, now)).count()
        };
        assert_eq!(
            (used(&mut budget), used(&mut budget), used(&mut budget), used(&mut budget)),
            (3, 3, 0, 0)
        );
        (0..4).for_each(|_| budget.succeeded());
        assert_eq!((used(&mut budget), used(&mut budget)), (2, 0));
    }

    #[test]
    fn an_origin_that_has_answered_may_be_away_one_that_never_did_may_not() {
        let now = Instant::now();
        let mut budget = RetryBudget::new(PATIENCE, 2);
        let mut tries = RetryState::new(PATIENCE);
        assert_eq!(std::iter::from_fn(|| tries.pause(FailureKind::Connection, &mut budget, now)).count(), 3);
        budget.succeeded();
        let mut tries = RetryState::new(PATIENCE);
        assert!((0..100).all(|_| tries.pause(FailureKind::Connection, &mut budget, now).is_some()));
        assert_eq!(tries.pause(FailureKind::Connection, &mut budget, now + PATIENCE.retry_for), None);
    }
}
