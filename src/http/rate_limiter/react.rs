//! What a refusal now and then changes, where a limit is known. Pure.

use std::time::Duration;

use super::comparison::{Comparison, Finding};
use super::learned::{
    DEAR_PROBE_SECONDS, LearnedRate, LearnedWindow, PROBE_SECONDS, PROBE_SECONDS_MAX, Trust,
};
use super::outcomes::float;
use super::{DRAINING, Learned, OutcomeSample, RateLimiter, SLACK_MIN};

/// A change is judged after this long at the earliest.
const JUDGED_AFTER_SECONDS: f64 = 0.4;
/// Over which time a rate is measured, at most.
const MEASURED_SECONDS: f64 = 2.0;
/// A window from so few requests that has grown by this share is rather a rate.
const WINDOW_SMALL: f64 = 4.0;
const WINDOW_GREW: f64 = 1.5;
/// A climb ends where so many were refused, and that share of the last answers; and this is when it is
/// judged.
const CLIMB_REFUSED: usize = 4;
const CLIMB_REFUSED_SHARE: f64 = 0.5;
const CLIMB_JUDGED_AFTER_SECONDS: f64 = 0.15;
/// What is left of a rate that was refused, and where a refusal costs a pause.
const BELOW_REFUSED: f64 = 0.95;
const BELOW_DEAR: f64 = 0.94;

impl RateLimiter {
    /// One more refusal, of a request that was sent beside so many others.
    pub(super) fn react(&mut self, now: f64, others: usize) {
        let is_judged = self.is_more_than_noise() && now - self.sample.since >= JUDGED_AFTER_SECONDS;
        if is_judged && self.is_useless(now) {
            return;
        }
        let sample = &self.sample;
        match self.learned {
            Learned::Nothing => {}
            Learned::Rate(_)
                if sample.refused == sample.count
                    && sample.streak >= 2
                    && now >= self.closed_until + self.latency =>
            {
                // Nothing has come through since: it is not over yet.
                self.stay_away(now);
            }
            Learned::Rate(rate) if self.is_more_than_noise() => self.react_rate(now, rate),
            Learned::Window(window) if self.is_more_than_noise() => self.react_window(now, window, others),
            Learned::Rate(_) | Learned::Window(_) => {}
        }
    }

    /// Whether it did not help to be slower: then that is undone.
    pub(super) fn is_useless(&mut self, now: f64) -> bool {
        let is_probe = match &self.learned {
            Learned::Nothing => true,
            Learned::Rate(rate) => rate.trust == Trust::Finding || rate.is_probe(now),
            Learned::Window(window) => window.size > window.good,
        };
        if is_probe {
            return false;
        }
        let stretch = self.sample.stretch(now);
        self.comparison.add(stretch);
        match self.comparison.finding() {
            Finding::Open => false,
            Finding::Helps => {
                self.comparison = Comparison::default();
                self.comparison.add(stretch);
                false
            }
            Finding::Useless { share, rate } => {
                self.noise = self.noise.max(share);
                self.comparison = Comparison::default();
                match &mut self.learned {
                    Learned::Window(window) => window.set((rate * self.latency).max(window.size), now),
                    learned => *learned = Learned::Rate(LearnedRate::begun(Trust::Finding, rate, now)),
                }
                self.sample = OutcomeSample::since(now);
                true
            }
        }
    }

    /// Whether more is refused than would be anyway.
    fn is_more_than_noise(&self) -> bool {
        let expected = float(self.sample.count) * self.noise;
        let few = if self.is_told { 0.5 } else { 1.5 };
        float(self.sample.refused) >= expected + 2.5 * expected.sqrt() + few
    }

    fn share(&self) -> f64 {
        float(self.sample.refused) / float(self.sample.count.max(1))
    }

    fn react_window(&mut self, now: f64, mut window: LearnedWindow, others: usize) {
        if window.first < WINDOW_SMALL && window.size > WINDOW_GREW * window.first && self.latency > 0.0 {
            // What was refused at first was not how many there were at once.
            let (good, tried) = (window.good / self.latency, window.size / self.latency);
            self.learned = Learned::Rate(LearnedRate::found(good, tried, now, 1.0));
            self.sample = OutcomeSample::since(now);
            return;
        }
        if float(others) < window.good.floor() && others + 1 < window.cap() {
            self.draining = Some(now + DRAINING.as_secs_f64());
            return;
        }
        if window.size > window.good {
            window.step_back(now, self.latency);
        } else if window.size > 1.5 {
            window.set((window.size - 1.0).max(1.0), now);
        } else {
            window.set(window.size * 0.9, now);
        }
        self.learned = Learned::Window(window);
        if window.size < 0.95 {
            // Not even one at once.
            self.find(now);
        }
        self.sample = OutcomeSample::since(now);
    }

    fn react_rate(&mut self, now: f64, rate: LearnedRate) {
        let age = now - rate.since;
        let is_judged = if rate.trust == Trust::Finding {
            // It grows so fast that a limit shows at once; a few that are refused show none.
            let is_refused =
                self.sample.refused >= CLIMB_REFUSED && self.sample.recent_share() >= CLIMB_REFUSED_SHARE;
            age >= CLIMB_JUDGED_AFTER_SECONDS && (self.is_told || is_refused)
        } else {
            age >= JUDGED_AFTER_SECONDS
        };
        if !is_judged {
            return;
        }
        let (was, share) = (rate.at(now), self.share());
        self.slack = if self.slack > SLACK_MIN { self.slack / 2 } else { Duration::ZERO };
        let open = (now - self.opened_at).max(JUDGED_AFTER_SECONDS);
        let accepted = self.outcomes.lately(now, age.min(MEASURED_SECONDS).min(open));
        let lately = self.outcomes.lately(now, 1.0);
        let was_probe = rate.is_probe(now) && share < 0.25;
        let next = if rate.trust == Trust::Finding {
            let steady = self.outcomes.steady(self.finding_since, self.burst.unwrap_or_default());
            let to = steady.clamp(was * 0.3, was).max(lately * 0.65);
            LearnedRate::begun(Trust::Refining, to * BELOW_REFUSED, now)
        } else if was_probe && was > rate.ceiling * 1.15 && lately > rate.ceiling * 1.08 {
            // Much more is allowed by now.
            LearnedRate::begun(Trust::Refining, lately.min(was * 0.9) * BELOW_REFUSED, now)
        } else if was_probe {
            let later = (rate.probe_after * 2.0).min(PROBE_SECONDS_MAX);
            LearnedRate::found(rate.ceiling * BELOW_REFUSED, rate.ceiling, now, later)
        } else {
            self.slower(now, &rate, accepted)
        };
        self.learned = Learned::Rate(next);
        self.sample = OutcomeSample::since(now);
    }

    fn slower(&self, now: f64, rate: &LearnedRate, accepted: f64) -> LearnedRate {
        let (was, share) = (rate.at(now), self.share());
        let measured = (accepted * super::BELOW_ACCEPTED).max(was * (1.0 - share) * BELOW_REFUSED);
        // Not much slower, before it is known whether that helps.
        let floor = if share < 0.5 { self.comparison.slowest() } else { 0.0 };
        let mut to = measured.min(was * BELOW_REFUSED).max(was * 0.3).max(floor.min(was));
        if self.is_told {
            // Each refusal costs a pause.
            to = to.min(accepted.max(was * 0.8) * BELOW_DEAR);
        }
        let ceiling = if share > 0.1 { accepted.max(to) * 1.04 } else { was * 0.985 };
        let probe_after = match (rate.trust, self.is_told) {
            (Trust::Found, _) => rate.probe_after,
            (_, true) => DEAR_PROBE_SECONDS,
            (_, false) => PROBE_SECONDS,
        };
        LearnedRate::found(to, ceiling, now, probe_after)
    }
}
