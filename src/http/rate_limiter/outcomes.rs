//! What became of the requests of the last seconds: what a limit is learned from. Times are seconds since the
//! first request. Pure.

use std::collections::VecDeque;

/// Older ones say nothing about now.
const KEPT_SECONDS: f64 = 5.0;
/// A faster server is not learned from.
const KEPT_MAX: usize = 10_000;
/// Over which times a steady rate is looked for behind a burst, among how many of the last answers.
const STEADY_SECONDS: std::ops::RangeInclusive<f64> = 0.12..=1.0;
const STEADY_MAX: usize = 300;

/// Small numbers as what is calculated with.
pub(super) fn float(count: usize) -> f64 {
    u32::try_from(count).map_or(f64::MAX, f64::from)
}

/// One request that was answered.
#[derive(Debug, Clone, Copy)]
struct RequestOutcome {
    id: u64,
    sent: f64,
    answered: f64,
    /// When its body had come.
    ended: f64,
    accepted: bool,
}

/// What the requests since a moment came to.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Episode {
    pub(super) accepted: usize,
    pub(super) refused: usize,
    /// Of those that were refused: how many accepted ones were under way, at most and at least.
    pub(super) at_once: usize,
    pub(super) at_once_min: usize,
}

/// The answers of the last seconds.
#[derive(Debug, Default)]
pub(super) struct Outcomes(VecDeque<RequestOutcome>);

impl Outcomes {
    /// An answer has begun, or was refused.
    pub(super) fn answered(&mut self, id: u64, sent: f64, now: f64, accepted: bool) {
        let is_old = |first: &RequestOutcome| first.answered < now - KEPT_SECONDS && first.ended < now;
        while self.0.front().is_some_and(is_old) || self.0.len() >= KEPT_MAX {
            self.0.pop_front();
        }
        let ended = if accepted { f64::INFINITY } else { now };
        self.0.push_back(RequestOutcome { id, sent, answered: now, ended, accepted });
    }

    /// All of an answer has come.
    pub(super) fn ended(&mut self, id: u64, now: f64) {
        if let Some(outcome) = self.0.iter_mut().rev().find(|outcome| outcome.id == id) {
            outcome.ended = outcome.ended.min(now);
        }
    }

    /// Accepted ones a second, over so many seconds.
    pub(super) fn lately(&self, now: f64, seconds: f64) -> f64 {
        let since = |outcome: &&RequestOutcome| outcome.accepted && outcome.answered > now - seconds;
        float(
            self.0.iter().rev().take_while(|outcome| outcome.answered > now - seconds).filter(since).count(),
        ) / seconds
    }

    /// The steady rate behind a burst of so many, of a rate that has grown since then: it is in the number of
    /// answers over any time, and most in that since the rate was passed.
    pub(super) fn steady(&self, since: f64, burst: usize) -> f64 {
        let accepted = self.0.iter().rev().take_while(|outcome| outcome.answered >= since);
        let times: Vec<f64> =
            accepted.filter(|outcome| outcome.accepted).take(STEADY_MAX).map(|o| o.answered).collect();
        let Some(last) = times.first() else { return 0.0 };
        let rates = times.iter().enumerate().map(|(count, at)| (count, last - at));
        rates
            .filter(|(_, seconds)| STEADY_SECONDS.contains(seconds))
            .map(|(count, seconds)| (float(count) - float(burst.saturating_sub(1))) / seconds)
            .fold(0.0, f64::max)
    }

    /// What was sent since then.
    pub(super) fn episode(&self, since: f64) -> Episode {
        let sent = || self.0.iter().filter(move |outcome| outcome.sent >= since);
        let accepted: Vec<&RequestOutcome> = sent().filter(|outcome| outcome.accepted).collect();
        let at_once = |refused: &RequestOutcome| {
            let under_way =
                |other: &&&RequestOutcome| other.sent <= refused.sent && refused.sent < other.ended;
            accepted.iter().filter(under_way).count()
        };
        let refused: Vec<usize> = sent().filter(|outcome| !outcome.accepted).map(at_once).collect();
        Episode {
            accepted: accepted.len(),
            refused: refused.len(),
            at_once: refused.iter().copied().max().unwrap_or_default(),
            at_once_min: refused.iter().copied().min().unwrap_or_default(),
        }
    }
}
