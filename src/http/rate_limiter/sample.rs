//! What became of what was sent since something was changed, and whether it proves a limit. Pure.

use std::collections::VecDeque;

use super::comparison::Stretch;
use super::outcomes::float;

/// So many refusals in a row are no accident; where some are refused anyway, so many more that their chance
/// is less than this.
const STREAK: usize = 8;
const CHANCE: f64 = 2e-6;
/// Nor are so many of the last answers, if they are such a share of the last requests too.
const RECENT: usize = 30;
const ANSWERS_MANY: usize = 16;
const RECENT_MANY: f64 = 0.4;
/// What is refused anyway, and this share beside it.
const BEYOND_NOISE: f64 = 0.3;
/// The last answers, while a rate climbs.
const LATEST: usize = 12;

/// What became of what was sent since something was changed.
#[derive(Debug, Default)]
pub(super) struct OutcomeSample {
    pub(super) since: f64,
    /// Answers.
    pub(super) count: usize,
    pub(super) refused: usize,
    /// Refusals in a row.
    pub(super) streak: usize,
    /// What was compared already: answers, refusals, and when.
    compared: (usize, usize, f64),
    /// The last ones in the order in which they were sent: whether they were refused. Who refuses does so
    /// soon, and answers come later: what is not answered yet counts as accepted.
    recent: VecDeque<(u64, bool)>,
    /// The same of the last answers.
    answers: VecDeque<bool>,
}

impl OutcomeSample {
    pub(super) fn since(now: f64) -> Self {
        Self { since: now, ..Self::default() }
    }

    pub(super) fn sent(&mut self, id: u64, unanswered: usize) {
        while self.recent.len() >= RECENT + unanswered {
            self.recent.pop_front();
        }
        self.recent.push_back((id, false));
    }

    pub(super) fn add(&mut self, id: u64, refused: bool) {
        self.count += 1;
        self.refused += usize::from(refused);
        self.streak = if refused { self.streak + 1 } else { 0 };
        if self.answers.len() == RECENT {
            self.answers.pop_front();
        }
        self.answers.push_back(refused);
        let first = self.recent.front().map_or(0, |first| first.0);
        let place = id.checked_sub(first).and_then(|place| usize::try_from(place).ok());
        if let Some(sent) = place.and_then(|place| self.recent.get_mut(place)) {
            sent.1 = refused;
        }
    }

    /// What became of them since it was asked at last.
    pub(super) fn stretch(&mut self, now: f64) -> Stretch {
        let (count, refused, since) = self.compared;
        self.compared = (self.count, self.refused, now);
        Stretch {
            answered: float(self.count - count),
            refused: float(self.refused - refused),
            seconds: now - since.max(self.since),
        }
    }

    /// The share of the latest answers that was refused.
    pub(super) fn recent_share(&self) -> f64 {
        let last = self.answers.iter().rev().take(LATEST);
        float(last.filter(|refused| **refused).count()) / float(self.answers.len().clamp(1, LATEST))
    }

    /// Whether so much is refused that there must be a limit. So many requests are not answered yet; this
    /// share is refused anyway.
    pub(super) fn is_proof(&self, unanswered: usize, noise: f64) -> bool {
        let refused = self.recent.iter().filter(|sent| sent.1).count();
        let by_chance = if noise > 0.0 { CHANCE.ln() / noise.min(0.9).ln() } else { 0.0 };
        float(self.streak) >= float(STREAK.max(unanswered)).max(by_chance)
            || self.answers.iter().filter(|refused| **refused).count() >= ANSWERS_MANY
                && float(refused) >= RECENT_MANY.max(noise + BEYOND_NOISE) * float(self.recent.len())
    }
}
