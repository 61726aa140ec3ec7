//! Which spans are kept: of traces as the standard variables say it; of batches those that tell something.

use std::time::Duration;

use super::ids::{ParentSpan, TraceId};

/// Batches of a load that are spans at any rate.
const FIRST_BATCHES: u64 = 200;

/// A batch is slow when it takes so many times what one takes.
const SLOW: u32 = 3;

/// Spans of batches of a load, and spans of its sources.
pub(super) const SPANS_MAX: u64 = 1_000;

/// Whether a trace is kept.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct TraceSampler {
    /// Who has started us decides, where there is one.
    is_parent_based: bool,
    ratio: f64,
}

impl TraceSampler {
    /// By `OTEL_TRACES_SAMPLER` and its argument; what is not known is as if it was not set.
    pub(super) fn read(word: Option<&str>, argument: Option<&str>) -> Self {
        let is_parent_based = word.is_none_or(|word| word.starts_with("parentbased_"));
        let ratio = match word.map(|word| word.trim_start_matches("parentbased_")) {
            Some("always_off") => 0.0,
            Some("traceidratio") => argument.and_then(|text| text.trim().parse().ok()).unwrap_or(1.0),
            Some("always_on") | None => 1.0,
            Some(_) => return Self::read(None, None),
        };
        Self { is_parent_based, ratio }
    }

    pub(super) fn keeps(self, parent: Option<&ParentSpan>, trace: &TraceId) -> bool {
        if let Some(parent) = parent.filter(|_| self.is_parent_based) {
            return parent.is_sampled;
        }
        // The last seven bytes of an id are random.
        let random = trace[9..].iter().fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
        (random as f64) < self.ratio * (1_u64 << 56) as f64
    }
}

/// Which batches of a load are spans.
#[derive(Debug, Default)]
pub(super) struct BatchSampler {
    seen: u64,
    kept: u64,
    all: Duration,
}

impl BatchSampler {
    /// The first ones, then the slow ones, and ever fewer of the others.
    pub(super) fn keeps(&mut self, took: Duration) -> bool {
        self.seen += 1;
        self.all = self.all.saturating_add(took);
        let is_slow = took.as_secs_f64() * self.seen as f64 > self.all.as_secs_f64() * f64::from(SLOW);
        let keeps =
            (self.seen <= FIRST_BATCHES || is_slow || self.seen.is_power_of_two()) && self.kept < SPANS_MAX;
        self.kept += u64::from(keeps);
        keeps
    }

    /// How many were not kept.
    pub(super) const fn left_out(&self) -> u64 {
        self.seen - self.kept
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_is_kept_as_the_variables_and_the_parent_have_it() {
        let parent = |is_sampled| ParentSpan { trace: [1; 16], span: [1; 8], is_sampled, state: None };
        let check = |word, argument, parent: Option<ParentSpan>, kept| {
            let sampler = TraceSampler::read(word, argument);
            assert_eq!(sampler.keeps(parent.as_ref(), &[0x7f; 16]), kept, "{word:?} {argument:?} {parent:?}");
        };
        check(None, None, None, true);
        check(None, None, Some(parent(false)), false);
        check(Some("always_on"), None, Some(parent(false)), true);
        check(Some("always_off"), None, Some(parent(true)), false);
        check(Some("parentbased_always_off"), None, Some(parent(true)), true);
        check(Some("parentbased_always_off"), None, None, false);
        check(Some("traceidratio"), Some("0.4"), None, false);
        check(Some("traceidratio"), Some("0.6"), None, true);
        check(Some("something"), Some("0"), None, true);
    }

    #[test]
    fn of_many_batches_the_first_and_the_slow_ones_are_kept_and_never_too_many() {
        let mut sampler = BatchSampler::default();
        let mut kept = Vec::new();
        for n in 1..=5_000_u64 {
            let took = if n == 3_000 { 900 } else { 100 };
            if sampler.keeps(Duration::from_millis(took)) {
                kept.push(n);
            }
        }
        assert_eq!(kept[..200], (1..=200).collect::<Vec<_>>());
        assert_eq!(kept[200..], [256, 512, 1_024, 2_048, 3_000, 4_096]);
        assert_eq!(sampler.left_out(), 5_000 - 206);
        let mut growing = BatchSampler::default();
        let all = (1..=5_000_u64).filter(|n| growing.keeps(Duration::from_millis(n * n * n * n))).count();
        assert_eq!(all as u64, SPANS_MAX);
    }
}
