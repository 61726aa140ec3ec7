//! The rate limiter: how an origin may be asked. A token bucket for `--rate`, a gate that `Retry-After`
//! closes, and what is learned from refusals.
//!
//! Without `--rate` nothing is held back before the server refuses, and a refusal now and then changes
//! nothing: its request alone is tried again. Where many are refused, one behind the other, nothing more is
//! sent until the answers under way have come. They show how many requests the server takes at once; if it
//! refuses that many too, it is a rate, which is found by a steep climb. Either grows again: slowly up to
//! where it was refused, then by probing. Where slowing down does not help, it is undone: then refusals have
//! nothing to do with us. So a limit is met with few refusals and used nearly whole. Pure: the clock comes
//! in.

use std::collections::HashMap;
use std::time::{Duration, Instant};

mod comparison;
mod learned;
mod outcomes;
mod react;
mod sample;

use super::retry_after::FLOOR;
use super::settings::Rate;
use comparison::Comparison;
use learned::{GUESS, LearnedRate, LearnedWindow, PROBE_SECONDS, Trust};
use outcomes::{Episode, Outcomes, float};
use sample::OutcomeSample;

/// Behind so many refusals in a row nothing is sent before the next answer.
const SUSPECT: usize = 4;
/// How much earlier than its turn a request may go: timers tick in milliseconds, and what they lose must be
/// caught up with. Far less than a burst.
const SLACK: Duration = Duration::from_millis(30);
/// Below this it is none.
const SLACK_MIN: Duration = Duration::from_millis(4);
/// A server that took so few at first counts the time between two requests.
const BURST_SMALL: usize = 3;
/// How long answers under way are waited for before it is decided what was learned.
const DRAINING: Duration = Duration::from_secs(2);
/// What was sent before that is forgotten.
const EPISODE_SECONDS: f64 = 3.0;
/// A share of all slots beyond which a number of requests at once is none.
const NEARLY_ALL: f64 = 0.9;
/// A pause that is asked for by a 429 and is longer than this is proof of a limit by itself.
const TELLING: Duration = Duration::from_millis(500);
/// Pauses of an origin that does not say how long, doubled with each refusal in a row.
const PAUSE_MAX: Duration = Duration::from_secs(30);
/// Likewise of a request that alone was refused, and its factor.
const ALONE_MAX: Duration = Duration::from_secs(20);
const ALONE_FACTOR: f64 = 1.35;
/// Share of an accepted rate that is tried first.
const BELOW_ACCEPTED: f64 = 0.97;

/// How one origin may be asked.
#[derive(Debug)]
pub(super) struct RateLimiter {
    /// When the first request was sent.
    epoch: Option<Instant>,
    given: Option<Duration>,
    concurrency: usize,
    learned: Learned,
    closed_until: f64,
    /// The same before it was closed at last.
    opened_at: f64,
    /// When the next request is due.
    due: Option<f64>,
    slack: Duration,
    under_way: HashMap<u64, UnderWay>,
    next: u64,
    outcomes: Outcomes,
    sample: OutcomeSample,
    /// Nothing is sent until the answers under way have come, or until then.
    draining: Option<f64>,
    refused_in_a_row: u32,
    /// The share that is refused whatever we do.
    noise: f64,
    /// Whether it helps to be slower.
    comparison: Comparison,
    /// Accepted before a limit was first met: a server lets so many through at once.
    burst: Option<usize>,
    /// Since when a rate is looked for.
    finding_since: f64,
    /// How long requests take, in the mean.
    latency: f64,
    /// What the last refusal asked for.
    asked: Option<Duration>,
    is_told: bool,
}

/// What is known of the server's limit.
#[derive(Debug, Clone, Copy)]
enum Learned {
    Nothing,
    Rate(LearnedRate),
    Window(LearnedWindow),
}

/// A request that was sent and has not ended.
#[derive(Debug, Clone, Copy)]
struct UnderWay {
    sent: f64,
    /// How many others there were.
    others: usize,
    is_answered: bool,
}

/// What a refusal says about the rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Throttled {
    /// Status 429: requests came too fast.
    TooFast,
    /// Status 503: the server cannot answer now.
    Unavailable,
}

/// Why a request may not be sent yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wait {
    /// It may ask again after this.
    For(Duration),
    /// Something must end before, and at the latest after this it may ask again.
    Change(Duration),
}

impl RateLimiter {
    /// For so many requests at once.
    pub(super) fn new(rate: Option<Rate>, concurrency: usize) -> Self {
        Self {
            epoch: None,
            given: rate.map(interval_of),
            concurrency,
            learned: Learned::Nothing,
            closed_until: 0.0,
            opened_at: 0.0,
            due: None,
            slack: SLACK,
            under_way: HashMap::new(),
            next: 0,
            outcomes: Outcomes::default(),
            sample: OutcomeSample::default(),
            draining: None,
            refused_in_a_row: 0,
            noise: 0.0,
            comparison: Comparison::default(),
            burst: None,
            finding_since: 0.0,
            latency: 0.0,
            asked: None,
            is_told: false,
        }
    }

    /// Another load was given this rate: the slower one holds from now on.
    pub(super) fn hold_to(&mut self, rate: Option<Rate>, concurrency: usize) {
        self.given = self.given.into_iter().chain(rate.map(interval_of)).max();
        self.concurrency = self.concurrency.max(concurrency);
    }

    fn at(&mut self, now: Instant) -> f64 {
        now.saturating_duration_since(*self.epoch.get_or_insert(now)).as_secs_f64()
    }

    /// Takes a turn: the number of the request. `is_first`: it is not counted how many there are, since all
    /// others may wait for this one.
    pub(super) fn take(&mut self, now: Instant, is_first: bool) -> Result<u64, Wait> {
        let now = self.at(now);
        if let Some(until) = self.draining {
            let is_done = !self.under_way.values().any(|request| !request.is_answered);
            if !is_done && now < until {
                return Err(Wait::Change(seconds(until - now)));
            }
            self.decide(now);
        }
        if matches!(self.learned, Learned::Nothing) && self.sample.streak >= SUSPECT && self.unanswered() > 0
        {
            // The next answer tells more.
            return Err(Wait::Change(DRAINING));
        }
        let slack = self.slack.as_secs_f64();
        let free = self.due.map_or(self.closed_until, |due| self.closed_until.max(due - slack));
        if free > now {
            return Err(Wait::For(seconds(free - now)));
        }
        if let Learned::Window(window) = &self.learned
            && !is_first
            && self.under_way.len() >= window.cap()
        {
            return Err(Wait::Change(DRAINING));
        }
        if let Some(interval) = self.interval(now) {
            // Who counts the time between two requests does not want them to be caught up with.
            let from = if slack > 0.0 { self.due.map_or(now, |due| due.max(now)) } else { now };
            self.due = Some(from + interval);
        }
        self.next += 1;
        let unanswered = self.unanswered();
        self.sample.sent(self.next, unanswered);
        let request = UnderWay { sent: now, others: self.under_way.len(), is_answered: false };
        self.under_way.insert(self.next, request);
        Ok(self.next)
    }

    fn unanswered(&self) -> usize {
        self.under_way.values().filter(|request| !request.is_answered).count()
    }

    fn interval(&self, now: f64) -> Option<f64> {
        let learned = match &self.learned {
            Learned::Nothing => None,
            Learned::Rate(rate) => Some(1.0 / rate.at(now)),
            Learned::Window(window) => (self.latency > 0.0).then(|| window.interval(self.latency)),
        };
        let given = self.given.map(|interval| interval.as_secs_f64());
        learned.into_iter().chain(given).reduce(f64::max)
    }

    /// Requests must keep their distance exactly.
    pub(super) const fn is_exact(&self) -> bool {
        self.slack.is_zero()
    }

    /// An answer that was no refusal has begun.
    pub(super) fn accepted(&mut self, id: u64, now: Instant) {
        let now = self.at(now);
        let Some(request) = self.under_way.get_mut(&id).filter(|request| !request.is_answered) else {
            return;
        };
        request.is_answered = true;
        let sent = request.sent;
        self.outcomes.answered(id, sent, now, true);
        self.refused_in_a_row = 0;
        if sent >= self.sample.since {
            self.sample.add(id, false);
            if let Learned::Window(window) = &mut self.learned {
                window.accepted += 1;
            }
        }
    }

    /// A request has ended, however.
    pub(super) fn ended(&mut self, id: u64, now: Instant) {
        let now = self.at(now);
        let Some(request) = self.under_way.remove(&id) else { return };
        if !request.is_answered {
            return;
        }
        self.outcomes.ended(id, now);
        let took = now - request.sent;
        self.latency = if self.latency > 0.0 { self.latency * 0.9 + took * 0.1 } else { took };
        let (others, is_clean) = (self.under_way.len(), self.sample.refused == 0 && self.draining.is_none());
        if let Learned::Window(window) = &mut self.learned
            && is_clean
            && others + 1 >= window.cap()
            && window.grow(now, self.latency)
        {
            if window.cap() >= self.concurrency {
                self.learned = Learned::Nothing;
            }
            self.sample = OutcomeSample::since(self.sample.since);
        }
    }

    /// Nothing is left of a limit for so long: to ask before would be refused.
    pub(super) fn close(&mut self, now: Instant, pause: Duration) {
        let now = self.at(now);
        self.close_until(now, now + pause.as_secs_f64());
    }

    fn close_until(&mut self, now: f64, until: f64) {
        if now >= self.closed_until {
            self.opened_at = self.closed_until;
        }
        self.closed_until = self.closed_until.max(until);
    }

    /// A refusal. How long this request must wait before it is tried again for the `tries`th time.
    pub(super) fn refused(
        &mut self,
        id: u64,
        refusal: Throttled,
        now: Instant,
        asked: Option<Duration>,
        tries: u32,
    ) -> Duration {
        let alone = asked.unwrap_or_else(|| pause_alone(tries)).max(FLOOR);
        let now = self.at(now);
        let Some(request) = self.under_way.remove(&id) else { return alone };
        self.outcomes.answered(id, request.sent, now, false);
        if let Some(asked) = asked.filter(|_| refusal == Throttled::TooFast) {
            self.close_until(now, now + asked.max(FLOOR).as_secs_f64());
        }
        // What was sent before something was changed says nothing about the change.
        if self.draining.is_some() || request.sent < self.sample.since {
            return alone;
        }
        self.asked = asked;
        self.is_told = refusal == Throttled::TooFast && asked.is_some_and(|asked| asked >= TELLING);
        self.sample.add(id, true);
        let unanswered = self.unanswered();
        let is_proof = self.sample.is_proof(unanswered, self.noise)
            || self.is_told && !matches!(self.learned, Learned::Rate(_));
        if is_proof {
            self.draining = Some(now + DRAINING.as_secs_f64());
        } else {
            self.react(now, request.others);
        }
        alone
    }

    /// The answers under way have come: what is to be learned of them.
    fn decide(&mut self, now: f64) {
        self.draining = None;
        let seen = self.outcomes.episode(self.sample.since.max(now - EPISODE_SECONDS));
        if seen.accepted == 0 {
            // It is away, or its limit is used up.
            if matches!(self.learned, Learned::Window(_)) && self.burst.is_some() {
                self.find(now);
            }
            self.stay_away(now);
            return;
        }
        if self.is_useless(now) {
            return;
        }
        let burst = *self.burst.get_or_insert(seen.accepted);
        if burst <= BURST_SMALL {
            self.slack = Duration::ZERO;
        }
        self.learn(now, &seen);
        if let Some(asked) = self.asked {
            self.close_until(now, now + asked.as_secs_f64());
        }
        self.due = None;
        self.sample = OutcomeSample::since(now);
    }

    fn learn(&mut self, now: f64, seen: &Episode) {
        let at_once = float(seen.at_once);
        let is_some = seen.at_once > 0 && at_once < NEARLY_ALL * float(self.concurrency);
        match &mut self.learned {
            Learned::Nothing if is_some && !self.is_told => {
                self.learned = Learned::Window(LearnedWindow::new(at_once, now));
            }
            Learned::Window(window) if window.size > 1.0 && at_once >= 0.7 * window.size => {
                window.set(at_once.min(window.size - 1.0).max(1.0), now);
            }
            // It held for long: now it is another.
            Learned::Window(window)
                if is_some
                    && float(window.accepted) >= 3.0 * window.size
                    && now - window.since > 5.0 * self.latency =>
            {
                self.learned = Learned::Window(LearnedWindow::new(at_once, now));
            }
            Learned::Nothing | Learned::Window(_) => self.find(now),
            // Always refused at the same number.
            Learned::Rate(_) if is_some && seen.refused >= 6 && seen.at_once_min + 1 >= seen.at_once => {
                self.learned = Learned::Window(LearnedWindow::new(at_once, now));
            }
            Learned::Rate(rate) => {
                let (was, lately) = (rate.at(now), self.outcomes.lately(now, 1.0));
                let to = lately.max(was * 0.1).min(was * 0.9);
                *rate = LearnedRate::found(to * BELOW_ACCEPTED, to * 1.05, now, PROBE_SECONDS);
            }
        }
    }

    /// Begins to look for a rate.
    fn find(&mut self, now: f64) {
        let lately = self.outcomes.lately(now, 1.0) - float(self.burst.unwrap_or_default());
        self.learned = Learned::Rate(LearnedRate::begun(Trust::Finding, lately.max(GUESS), now));
        self.finding_since = now;
    }

    /// Nothing comes through: longer each time.
    fn stay_away(&mut self, now: f64) {
        self.refused_in_a_row += 1;
        let unsaid = FLOOR.saturating_mul(1 << (self.refused_in_a_row - 1).min(10)).min(PAUSE_MAX);
        let pause = self.asked.map_or(unsaid, |asked| {
            // One that asks for moments again and again does not mean it.
            if self.refused_in_a_row > 2 { asked.max(unsaid) } else { asked }
        });
        let until = now + pause.as_secs_f64();
        self.close_until(now, until);
        if let Learned::Rate(rate) = &mut self.learned {
            rate.since = self.closed_until;
        }
        self.due = None;
        self.sample = OutcomeSample::since(now);
    }
}

/// The pause of a request that alone was refused: a moment, and more with each try.
fn pause_alone(tries: u32) -> Duration {
    let most = ALONE_FACTOR.powf(f64::from(tries.min(30)));
    FLOOR.mul_f64(1.0 + fastrand::f64() * (most - 1.0)).min(ALONE_MAX)
}

fn interval_of(rate: Rate) -> Duration {
    rate.per / rate.requests.get()
}

fn seconds(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or(Duration::ZERO)
}

#[cfg(test)]
mod tests;
