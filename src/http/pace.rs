//! How fast an origin may be asked: a token bucket for `--rate`, a gate that `Retry-After` closes, and a rate that is learned from refusals.
//!
//! Without `--rate` nothing is held back until the server refuses (429). Then the rate is what it accepted lately, a little less; it grows
//! again slowly, soon up to where it was refused, and beyond only after a minute. So a limit is met with few refusals and used nearly whole.
//! Pure: the clock comes in.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::retry_after::FLOOR;
use super::settings::Rate;

/// How much earlier than its turn a request may go: timers tick in milliseconds, and what they lose must be caught up with. Far less than a burst.
const SLACK: Duration = Duration::from_millis(10);
/// Over which time the accepted requests are counted: limits are mostly by the second.
const WINDOW: Duration = Duration::from_secs(1);
/// Accepted requests that are remembered: a rate beyond this many a second is not learned.
const REMEMBERED_MAX: usize = 10_000;
/// A pause longer than this belongs to a limit by the minute or hour: then the rate is that of the whole cycle.
const LONG_PAUSE: Duration = Duration::from_secs(2);
/// Share of the accepted rate that is tried first, and what is left of a learned rate that was refused again.
const BELOW_ACCEPTED: f64 = 0.97;
const BELOW_REFUSED: f64 = 0.93;
/// Share of the refused rate up to which it grows soon.
const BELOW_CEILING: f64 = 0.99;
/// When it begins to grow, by how much a second, when it goes beyond the refused rate, and by which factor a second.
const GROWS_AFTER_SECONDS: f64 = 10.0;
const GROWTH: f64 = 0.005;
const PROBES_AFTER_SECONDS: f64 = 60.0;
const PROBING: f64 = 1.05;
/// The slowest rate that is learned: one in ten seconds; longer pauses are the server's to ask for.
const SLOWEST: f64 = 0.1;
/// Pauses of an origin that does not say how long, doubled with each refusal in a row.
const PAUSE_MAX: Duration = Duration::from_secs(30);

/// The speed of one origin.
#[derive(Debug)]
pub(super) struct Pace {
    given: Option<Duration>,
    learned: Option<Learned>,
    accepted: VecDeque<Instant>,
    accepted_since_cut: u64,
    began: Option<Instant>,
    gate: Option<Instant>,
    /// When the next request is due.
    due: Option<Instant>,
    refused_in_a_row: u32,
}

#[derive(Debug, Clone, Copy)]
struct Learned {
    per_second: f64,
    refused_at: f64,
    since: Instant,
    /// What is sent before then and refused belongs to the same refusal.
    settled: Instant,
}

/// What a refusal says about the rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// 429: too fast.
    TooFast,
    /// 503: not now.
    Unavailable,
}

impl Pace {
    pub(super) fn new(rate: Option<Rate>) -> Self {
        Self {
            given: rate.map(|rate| rate.per / rate.requests.get()),
            learned: None,
            accepted: VecDeque::new(),
            accepted_since_cut: 0,
            began: None,
            gate: None,
            due: None,
            refused_in_a_row: 0,
        }
    }

    /// Takes a turn, or says how long to wait before asking again.
    pub(super) fn take(&mut self, now: Instant) -> Result<(), Duration> {
        let slack = |due: Instant| due.checked_sub(SLACK).unwrap_or(due);
        let free = self.gate.into_iter().chain(self.due.map(slack)).max().filter(|free| *free > now);
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
        while self.accepted.front().is_some_and(|at| now.duration_since(*at) > WINDOW)
            || self.accepted.len() >= REMEMBERED_MAX
        {
            self.accepted.pop_front();
        }
        self.accepted.push_back(now);
    }

    /// A refusal of a request that was sent at `sent`. Closes the gate, and says for how long.
    pub(super) fn refused(
        &mut self,
        refusal: Refusal,
        sent: Instant,
        now: Instant,
        asked: Option<Duration>,
    ) -> Duration {
        let unsaid = FLOOR.saturating_mul(1 << self.refused_in_a_row.min(10)).min(PAUSE_MAX);
        let pause = asked.unwrap_or(unsaid).max(FLOOR);
        // Only a request that was sent behind the last gate says anything new.
        if self.gate.is_none_or(|gate| sent >= gate) {
            self.refused_in_a_row += 1;
        }
        self.gate = Some(self.gate.map_or(now + pause, |gate| gate.max(now + pause)));
        let is_same = self.learned.is_some_and(|learned| sent < learned.settled);
        if refusal == Refusal::TooFast && !is_same {
            self.cut(now, pause);
        }
        pause
    }

    #[expect(clippy::cast_precision_loss, reason = "a rate needs no more precision")]
    fn cut(&mut self, now: Instant, pause: Duration) {
        let seen = if pause > LONG_PAUSE {
            let cycle = self.began.map_or(Duration::ZERO, |began| now.duration_since(began)) + pause;
            self.accepted_since_cut as f64 / cycle.as_secs_f64()
        } else {
            let from = now.checked_sub(WINDOW);
            self.accepted.iter().filter(|at| from.is_none_or(|from| **at >= from)).count() as f64
                / WINDOW.as_secs_f64()
        };
        let (per_second, refused_at) = match self.learned {
            None => (seen * BELOW_ACCEPTED, seen),
            Some(learned) => {
                let was = learned.rate(now);
                (was.min(seen.max(was / 2.0)) * BELOW_REFUSED, was)
            }
        };
        let settled = now + pause.max(WINDOW);
        self.learned = Some(Learned { per_second: per_second.max(SLOWEST), refused_at, since: now, settled });
        self.due = None;
        self.began = None;
        self.accepted_since_cut = 0;
    }
}

impl Learned {
    fn rate(&self, now: Instant) -> f64 {
        let age = now.saturating_duration_since(self.since).as_secs_f64();
        let grown = self.per_second * (1.0 + GROWTH * (age - GROWS_AFTER_SECONDS).max(0.0));
        let rate = grown.min((self.refused_at * BELOW_CEILING).max(self.per_second));
        rate * PROBING.powf((age - PROBES_AFTER_SECONDS).clamp(0.0, 300.0))
    }
}

#[cfg(test)]
mod tests;
