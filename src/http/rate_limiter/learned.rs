//! What is known of a server's limit: a rate, or how many requests it takes at once. Both grow while nothing
//! is refused, slowly up to where they were refused, and beyond that by probing. Pure.

/// Beyond this a rate is none.
const RATE_MAX: f64 = 1e5;
/// The rate that is begun with where little is known, and by which factor a second it is found.
pub(super) const GUESS: f64 = 25.0;
const FINDING: f64 = 6.0;
const FINDING_SECONDS: f64 = 20.0;
/// By which factor a second a first measure grows until it is refused, and from when.
const REFINING: f64 = 1.12;
const REFINES_AFTER_SECONDS: f64 = 0.5;
/// By how much a second a rate grows up to near its ceiling, and from when.
const GROWTH: f64 = 0.015;
const GROWS_AFTER_SECONDS: f64 = 1.0;
const BELOW_CEILING: f64 = 0.99;
/// Beyond the ceiling: by this, to the power of the seconds squared.
const PROBING: f64 = 1.05;
const PROBING_SECONDS: f64 = 8.0;
/// When it goes beyond, the first time, where a refusal costs a pause, and at most.
pub(super) const PROBE_SECONDS: f64 = 3.0;
pub(super) const DEAR_PROBE_SECONDS: f64 = 20.0;
pub(super) const PROBE_SECONDS_MAX: f64 = 9.0;

/// How sure a rate is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trust {
    /// Not yet refused: it grows by multiples.
    Finding,
    /// Measured once: it grows until it is refused again.
    Refining,
    /// Refused at a steady rate.
    Found,
}

/// A rate that a server allows.
#[derive(Debug, Clone, Copy)]
pub(super) struct LearnedRate {
    pub(super) trust: Trust,
    pub(super) base: f64,
    pub(super) ceiling: f64,
    pub(super) since: f64,
    /// Seconds until it is tried whether more is allowed by now.
    pub(super) probe_after: f64,
}

impl LearnedRate {
    pub(super) const fn begun(trust: Trust, base: f64, since: f64) -> Self {
        let (ceiling, probe_after) = (f64::INFINITY, f64::INFINITY);
        Self { trust, base, ceiling, since, probe_after }
    }

    pub(super) const fn found(base: f64, ceiling: f64, since: f64, probe_after: f64) -> Self {
        Self { trust: Trust::Found, base, ceiling, since, probe_after }
    }

    /// More than what was refused before is tried.
    pub(super) fn is_probe(&self, now: f64) -> bool {
        self.at(now) > self.ceiling * 1.001
    }

    /// Requests a second.
    pub(super) fn at(&self, now: f64) -> f64 {
        let age = (now - self.since).max(0.0);
        let rate = match self.trust {
            Trust::Finding => self.base * FINDING.powf(age.min(FINDING_SECONDS)),
            Trust::Refining => self.base * REFINING.powf((age - REFINES_AFTER_SECONDS).max(0.0)),
            Trust::Found => {
                let grown = self.base * (1.0 + GROWTH * (age - GROWS_AFTER_SECONDS).max(0.0));
                let held = grown.min((self.ceiling * BELOW_CEILING).max(self.base));
                let beyond = (age - self.probe_after).clamp(0.0, PROBING_SECONDS);
                held * PROBING.powf(beyond * beyond)
            }
        };
        rate.min(RATE_MAX)
    }
}

/// The shortest time between two steps of a window that grows, and how many latencies it is.
const STEP_SECONDS: f64 = 0.25;
const STEP_LATENCIES: f64 = 1.5;
/// The longest: for one whose steps were refused.
const STEP_SECONDS_MAX: f64 = 8.0;
/// The first step, as a share; the next ones are twice as large, up to twofold.
const STEP: f64 = 0.1;
/// Requests of a window go evenly over a latency, a little faster than that: some servers count the time
/// between two. Of few, more exactly.
const EVENLY: f64 = 0.9;
const EVENLY_FEW: f64 = 0.97;
const FEW: f64 = 4.0;

/// How many requests a server takes at once.
#[derive(Debug, Clone, Copy)]
pub(super) struct LearnedWindow {
    pub(super) size: f64,
    /// The last one that was not refused, and the first one.
    pub(super) good: f64,
    pub(super) first: f64,
    /// Accepted requests since it was learned, and since when that is.
    pub(super) accepted: usize,
    pub(super) since: f64,
    grown_at: f64,
    step: f64,
    pause: Option<f64>,
    has_grown: bool,
}

impl LearnedWindow {
    pub(super) const fn new(size: f64, now: f64) -> Self {
        Self {
            size,
            good: size,
            first: size,
            accepted: 0,
            since: now,
            grown_at: now,
            step: STEP,
            pause: None,
            has_grown: false,
        }
    }

    /// Requests at once.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small positive number")]
    pub(super) fn cap(&self) -> usize {
        ((self.size - 1e-6).ceil() as usize).max(1)
    }

    /// Seconds between two requests.
    pub(super) fn interval(&self, latency: f64) -> f64 {
        latency / self.size * if self.size < FEW { EVENLY_FEW } else { EVENLY }
    }

    /// Grows, if it is time.
    pub(super) fn grow(&mut self, now: f64, latency: f64) -> bool {
        let usual = step_seconds(latency);
        let pause = if self.size > self.good { usual } else { self.pause.unwrap_or(usual).max(usual) };
        if now - self.grown_at < pause {
            return false;
        }
        if self.size > self.good {
            (self.has_grown, self.pause) = (true, None);
        }
        self.good = self.size;
        self.size *= 1.0 + self.step;
        self.step = (self.step * 2.0).min(1.0);
        self.grown_at = now;
        true
    }

    /// A step was too much: back to where it was.
    pub(super) fn step_back(&mut self, now: f64, latency: f64) {
        let usual = step_seconds(latency);
        self.pause = match self.has_grown {
            true => None,
            false => Some((self.pause.unwrap_or(usual) * 2.0).min(STEP_SECONDS_MAX)),
        };
        self.has_grown = false;
        self.set(self.good, now);
    }

    /// From now on it is this.
    pub(super) const fn set(&mut self, size: f64, now: f64) {
        (self.size, self.good, self.step, self.grown_at) = (size, size, STEP, now);
    }
}

fn step_seconds(latency: f64) -> f64 {
    (latency * STEP_LATENCIES).max(STEP_SECONDS)
}
