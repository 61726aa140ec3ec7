//! The rate limiter, how fast an origin may be asked: a token bucket for `--rate`, a gate that `Retry-After`
//! closes, and a rate that is learned from refusals.
//!
//! Without `--rate` nothing is held back until the server refuses (429; 503, where it comes again and again
//! between answers, as nginx refuses). Then the rate is what it accepted lately, a little less; where that
//! was only a burst, the rate is found by a steep climb. It grows again slowly, soon up to where it was
//! refused, and beyond only after a minute. So a limit is met with few refusals and used nearly whole. Pure:
//! the clock comes in.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::retry_after::FLOOR;
use super::settings::Rate;

/// A burst of fewer accepted requests than this says little about the rate behind it.
const BURST_SMALL: u64 = 30;
/// How much earlier than its turn a request may go: timers tick in milliseconds, and what they lose must be
/// caught up with. Far less than a burst.
const SLACK: Duration = Duration::from_millis(30);
/// Below this it is none.
const SLACK_MIN: Duration = Duration::from_millis(4);
/// A server that says 503 behind an answer so often is not away: it refuses.
const UNAVAILABLE_MIN: u32 = 2;
/// Over which time the accepted requests are counted: limits are mostly by the second.
const WINDOW: Duration = Duration::from_secs(1);
/// The same while a rate is being found: long enough to see a whole second of any clock.
const FINDING_WINDOW: Duration = Duration::from_secs(2);
/// Accepted requests that are remembered: a rate beyond this many a second is not learned.
const REMEMBERED_MAX: usize = 10_000;
/// A pause longer than this belongs to a limit by the minute or hour: then the rate is that of the whole
/// cycle.
const LONG_PAUSE: Duration = Duration::from_secs(2);
/// Share of the accepted rate that is tried first, and what is left of a learned rate that was refused again.
const BELOW_ACCEPTED: f64 = 0.97;
const BELOW_REFUSED: f64 = 0.93;
/// The same for a rate that was learned just before, and for one that was growing by multiples.
const BELOW_FRESH: f64 = 0.9;
const BELOW_REFINED: f64 = 0.96;
const BELOW_GUESSED: f64 = 0.5;
/// Share of the refused rate up to which it grows soon.
const BELOW_CEILING: f64 = 0.99;
/// When it begins to grow, by how much a second, when it goes beyond the refused rate, and by which factor a
/// second.
const GROWS_AFTER_SECONDS: f64 = 10.0;
const GROWTH: f64 = 0.005;
const PROBES_AFTER_SECONDS: f64 = 60.0;
const PROBING: f64 = 1.05;
/// The first guess, where little or nothing was accepted before the first refusal; by which factor a second
/// it grows, and from when after the pause.
const GUESS: f64 = 25.0;
const FINDING: f64 = 8.0;
const GUESS_SETTLES: Duration = Duration::from_millis(150);
/// Fewer requests, or a shorter time, say little about a rate.
const SUSTAINED_FEW: u64 = 8;
/// Guesses that were refused so soon.
const GUESSES_MAX: u32 = 2;
const SUSTAINED_MIN: Duration = Duration::from_millis(150);
/// A rate measured in the climb is mostly a little too low: by how much a second it grows, from when, and up
/// to where.
const REFINING: f64 = 0.015;
const REFINES_AFTER_SECONDS: f64 = 2.0;
const ABOVE_REFINED: f64 = 1.04;
/// The slowest rate that is learned: one in ten seconds; longer pauses are the server's to ask for.
const SLOWEST: f64 = 0.1;
/// Pauses of an origin that does not say how long, doubled with each refusal in a row.
const PAUSE_MAX: Duration = Duration::from_secs(30);

/// The speed of one origin.
#[derive(Debug)]
pub(super) struct RateLimiter {
    given: Option<Duration>,
    learned: Option<Learned>,
    accepted: VecDeque<Instant>,
    accepted_since_cut: u64,
    /// Accepted before a first rate was learned: a server lets so many through at once.
    burst: u64,
    guesses: u32,
    began: Option<Instant>,
    closed_until: Option<Instant>,
    /// When the next request is due.
    due: Option<Instant>,
    refused_in_a_row: u32,
    /// Times that a 503 came behind an answer.
    unavailable: u32,
    /// How much earlier than its turn a request may go: less with each refusal of a learned rate, since some
    /// servers count the time between two requests.
    slack: Duration,
}

#[derive(Debug, Clone, Copy)]
struct Learned {
    per_second: f64,
    refused_at: f64,
    since: Instant,
    /// What is sent before then and refused belongs to the same refusal.
    settled: Instant,
    trust: Trust,
}

/// What a learned rate is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trust {
    /// A small burst was accepted: the rate behind it may be much higher. It grows by multiples until it is
    /// refused again.
    Guessed,
    /// It was refused while it was growing from a guess.
    Refined,
    /// It was refused at a steady rate.
    Found,
}

/// What a refusal says about the rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Throttled {
    /// Status 429: requests came too fast.
    TooFast,
    /// Status 503: the server cannot answer now.
    Unavailable,
}

impl RateLimiter {
    pub(super) fn new(rate: Option<Rate>) -> Self {
        Self {
            given: rate.map(interval_of),
            learned: None,
            accepted: VecDeque::new(),
            accepted_since_cut: 0,
            burst: 0,
            guesses: 0,
            began: None,
            closed_until: None,
            due: None,
            refused_in_a_row: 0,
            unavailable: 0,
            slack: SLACK,
        }
    }

    /// Another load was given this rate: the slower one holds from now on.
    pub(super) fn hold_to(&mut self, rate: Option<Rate>) {
        self.given = self.given.into_iter().chain(rate.map(interval_of)).max();
    }

    /// Takes a turn, or says how long to wait before asking again.
    pub(super) fn take(&mut self, now: Instant) -> Result<(), Duration> {
        let slack = |due: Instant| due.checked_sub(self.slack).unwrap_or(due);
        let free = self.closed_until.into_iter().chain(self.due.map(slack)).max().filter(|free| *free > now);
        if let Some(free) = free {
            return Err(free - now);
        }
        self.began.get_or_insert(now);
        if let Some(interval) = self.interval(now) {
            self.due = Some(self.due.map_or(now, |due| due.max(now)) + interval);
        }
        Ok(())
    }

    fn interval(&self, now: Instant) -> Option<Duration> {
        let learned = self.learned.map(|learned| Duration::from_secs_f64(1.0 / learned.rate(now)));
        self.given.into_iter().chain(learned).max()
    }

    /// An answer that was no refusal.
    pub(super) fn accepted(&mut self, now: Instant) {
        self.refused_in_a_row = 0;
        self.accepted_since_cut += 1;
        // Before the first refusal, or sent before it.
        if self.learned.is_none_or(|learned| learned.trust == Trust::Guessed)
            && self.closed_until.is_none_or(|closed_until| now < closed_until)
        {
            self.burst += 1;
        }
        while self.accepted.front().is_some_and(|at| now.duration_since(*at) > FINDING_WINDOW)
            || self.accepted.len() >= REMEMBERED_MAX
        {
            self.accepted.pop_front();
        }
        self.accepted.push_back(now);
    }

    /// Nothing is left of a limit for so long: to ask before would be refused.
    pub(super) fn close(&mut self, now: Instant, pause: Duration) {
        let until = now + pause;
        self.closed_until = Some(self.closed_until.map_or(until, |gate| gate.max(until)));
    }

    /// A refusal of a request that was sent at `sent`. Closes the gate, and says for how long.
    pub(super) fn refused(
        &mut self,
        refusal: Throttled,
        sent: Instant,
        now: Instant,
        asked: Option<Duration>,
    ) -> Duration {
        let unsaid = FLOOR.saturating_mul(1 << self.refused_in_a_row.min(10)).min(PAUSE_MAX);
        let pause = asked.unwrap_or(unsaid).max(FLOOR);
        let between = self.refused_in_a_row == 0 && self.accepted_since_cut > 0;
        self.unavailable += u32::from(between && refusal == Throttled::Unavailable);
        let too_fast = match refusal {
            Throttled::TooFast => true,
            // A server that is away, or hiccups, says nothing about the rate. One that refuses between two
            // answers does.
            Throttled::Unavailable => {
                between && self.unavailable >= UNAVAILABLE_MIN && !self.accepted.is_empty()
            }
        };
        // Only a request that was sent behind the last gate says anything new.
        if self.closed_until.is_none_or(|closed_until| sent >= closed_until) {
            self.refused_in_a_row += 1;
        }
        self.closed_until =
            Some(self.closed_until.map_or(now + pause, |closed_until| closed_until.max(now + pause)));
        let is_same = self.learned.is_some_and(|learned| sent < learned.settled);
        // Where nothing was accepted, a long pause leaves nothing to learn from.
        let is_known = self.learned.is_some() || self.accepted_since_cut > 0 || pause <= LONG_PAUSE;
        if too_fast && !is_same && is_known {
            self.cut(now, pause);
        }
        pause
    }

    #[expect(clippy::cast_precision_loss, reason = "a rate needs no more precision")]
    fn cut(&mut self, now: Instant, pause: Duration) {
        let age = self.began.map_or(Duration::ZERO, |began| now.duration_since(began));
        let mut trust = Trust::Found;
        if self.learned.is_some() {
            self.slack = if self.slack > SLACK_MIN { self.slack / 2 } else { Duration::ZERO };
        }
        let estimate = match self.learned {
            None if pause <= LONG_PAUSE => {
                if age < WINDOW && self.accepted_since_cut < BURST_SMALL {
                    trust = Trust::Guessed;
                }
                self.lately(now, WINDOW).max(GUESS)
            }
            None => self.accepted_since_cut as f64 / (age + pause).as_secs_f64(),
            // Perhaps for something else than the rate: two requests too close to each other.
            Some(learned)
                if learned.trust == Trust::Guessed
                    && self.accepted_since_cut < SUSTAINED_FEW
                    && self.guesses < GUESSES_MAX =>
            {
                self.guesses += 1;
                trust = Trust::Guessed;
                (learned.rate(now) * BELOW_FRESH).min(GUESS)
            }
            Some(learned) if learned.trust == Trust::Guessed && self.accepted_since_cut >= SUSTAINED_FEW => {
                trust = Trust::Refined;
                let was = learned.rate(now);
                self.sustained().clamp(was * BELOW_GUESSED, was)
            }
            // Too soon to be measured.
            Some(learned) if learned.trust == Trust::Refined && age < pause + FINDING_WINDOW * 2 => {
                trust = Trust::Refined;
                learned.rate(now) * BELOW_FRESH
            }
            Some(learned) if learned.trust == Trust::Refined => {
                let was = learned.rate(now);
                (self.accepted_since_cut as f64 / age.as_secs_f64()).clamp(was * BELOW_REFINED, was)
            }
            // What came through since the last refusal, its pause included, is what the server allows in the
            // long run.
            Some(learned) => {
                let was = learned.rate(now);
                (self.accepted_since_cut as f64 / age.as_secs_f64()).clamp(was / 2.0, was * BELOW_REFUSED)
            }
        };
        let per_second = (estimate * BELOW_ACCEPTED).max(SLOWEST);
        let settled = now + pause + if trust == Trust::Guessed { GUESS_SETTLES } else { WINDOW };
        let is_from_climb =
            trust == Trust::Refined && self.learned.is_some_and(|learned| learned.trust == Trust::Guessed);
        let refused_at = if is_from_climb { estimate * ABOVE_REFINED } else { estimate };
        self.learned = Some(Learned { per_second, refused_at, since: now, settled, trust });
        self.due = None;
        self.began = Some(now);
        self.accepted_since_cut = 0;
    }

    /// The steady rate that the accepted requests of a growing rate show, beside a burst as large as the
    /// first one: it is in their number over any time, and the time over which they are the most beyond it is
    /// the one since the rate was passed.
    #[expect(clippy::cast_precision_loss, reason = "a rate needs no more precision")]
    fn sustained(&self) -> f64 {
        let Some(last) = self.accepted.back() else { return 0.0 };
        let burst = self.burst.saturating_sub(1) as f64;
        let since =
            self.accepted.iter().enumerate().map(|(i, at)| (self.accepted.len() - 1 - i, *last - *at));
        let rates = since
            .filter(|(_, time)| (SUSTAINED_MIN..=WINDOW).contains(time))
            .map(|(count, time)| (count as f64 - burst) / time.as_secs_f64());
        rates.fold(0.0, f64::max)
    }

    /// Accepted requests a second, over this time.
    #[expect(clippy::cast_precision_loss, reason = "a rate needs no more precision")]
    fn lately(&self, now: Instant, time: Duration) -> f64 {
        let from = now.checked_sub(time);
        let count = self.accepted.iter().filter(|at| from.is_none_or(|from| **at >= from)).count();
        count as f64 / time.as_secs_f64()
    }
}

fn interval_of(rate: Rate) -> Duration {
    rate.per / rate.requests.get()
}

impl Learned {
    fn rate(&self, now: Instant) -> f64 {
        if self.trust == Trust::Guessed {
            let steady = now.saturating_duration_since(self.settled).as_secs_f64();
            return self.per_second * FINDING.powf(steady.min(30.0));
        }
        let age = now.saturating_duration_since(self.since).as_secs_f64();
        let (growth, after) = match self.trust {
            Trust::Refined => (REFINING, REFINES_AFTER_SECONDS),
            Trust::Guessed | Trust::Found => (GROWTH, GROWS_AFTER_SECONDS),
        };
        let grown = self.per_second * (1.0 + growth * (age - after).max(0.0));
        let rate = grown.min((self.refused_at * BELOW_CEILING).max(self.per_second));
        rate * PROBING.powf((age - PROBES_AFTER_SECONDS).clamp(0.0, 300.0))
    }
}

#[cfg(test)]
mod tests;
