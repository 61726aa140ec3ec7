//! Whether it helps to be slower: what was refused before, and since. Pure.
//!
//! A limit accepts as many requests a second however many are sent, so fewer are refused at a slower rate;
//! where refusals do not follow us, the same share of them is refused at any rate.

/// From so many requests a share can be told, and from so many refusals.
const ENOUGH_BEFORE: f64 = 30.0;
const ENOUGH_SINCE: f64 = 40.0;
const ENOUGH_REFUSED: f64 = 3.0;
/// The rates must differ by this, and the share be this, before it can be said that it did not help.
const SLOWER: f64 = 0.9;
const SHARE_MIN: f64 = 0.02;
/// How much slower it may become before that is known.
const SLOWEST: f64 = 0.5;

/// What was sent in a time at about one rate.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Stretch {
    pub(super) answered: f64,
    pub(super) refused: f64,
    pub(super) seconds: f64,
}

impl Stretch {
    fn add(&mut self, other: Self) {
        self.answered += other.answered;
        self.refused += other.refused;
        self.seconds += other.seconds;
    }

    fn share(&self) -> f64 {
        self.refused / self.answered.max(1.0)
    }

    fn rate(&self) -> f64 {
        self.answered / self.seconds.max(0.01)
    }
}

/// What was refused before it became slower, and since.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Comparison {
    before: Stretch,
    since: Stretch,
}

/// What a comparison shows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Finding {
    /// Not enough yet.
    Open,
    /// Less is refused.
    Helps,
    /// This share is refused, as before at that rate.
    Useless { share: f64, rate: f64 },
}

impl Comparison {
    pub(super) fn add(&mut self, stretch: Stretch) {
        if self.before.answered < ENOUGH_BEFORE || self.before.refused < ENOUGH_REFUSED {
            self.before.add(stretch);
        } else {
            self.since.add(stretch);
        }
    }

    /// Below this rate it must not become slower yet.
    pub(super) fn slowest(&self) -> f64 {
        let is_open = self.before.answered > 0.0 && self.since.answered < ENOUGH_SINCE;
        if is_open { self.before.rate() * SLOWEST } else { 0.0 }
    }

    pub(super) fn finding(&self) -> Finding {
        if self.since.answered < ENOUGH_SINCE || self.since.refused < ENOUGH_REFUSED {
            return Finding::Open;
        }
        let (before, since) = (self.before.share(), self.since.share());
        let by_limit = 1.0 - (1.0 - before) * self.before.rate() / self.since.rate();
        if since < f64::midpoint(by_limit.max(0.0), before) {
            return Finding::Helps;
        }
        if self.since.rate() > self.before.rate() * SLOWER || before.min(since) < SHARE_MIN {
            return Finding::Open;
        }
        let mut both = self.before;
        both.add(self.since);
        Finding::Useless { share: both.share(), rate: self.before.rate() }
    }
}
