//! How fast a load goes right now, and what it waits for, from what is heard of it ten times a second.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use dbload::internals::event::{Gauges, Totals};
use dbload::internals::report::Bottleneck;

/// Rates are over so long: a batch is no burst then.
const OVER: Duration = Duration::from_secs(10);

/// Looks at the queues that say what is waited for: those of three seconds.
const LOOKS: usize = 30;

/// How a load went lately.
#[derive(Default)]
pub(super) struct Pace {
    counts: VecDeque<(Instant, Counts)>,
    looks: VecDeque<Bottleneck>,
}

/// Sums so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Counts {
    rows: u64,
    rejected: u64,
    requests: u64,
}

/// What comes in a second.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Rates {
    pub(super) rows: u64,
    pub(super) rejected: u64,
    pub(super) requests: u64,
}

impl Pace {
    /// Hears how things stand.
    pub(super) fn hear(&mut self, now: Instant, gauges: &Gauges, totals: &Totals) {
        let counts = Counts {
            rows: totals.books.read,
            rejected: totals.books.rejected,
            requests: totals.http.map_or(0, |http| http.sent),
        };
        while self.counts.front().is_some_and(|(at, _)| now.saturating_duration_since(*at) > OVER) {
            self.counts.pop_front();
        }
        self.counts.push_back((now, counts));
        if self.looks.len() == LOOKS {
            self.looks.pop_front();
        }
        self.looks.push_back(bound(gauges));
    }

    /// What came in a second, lately.
    pub(super) fn rates(&self) -> Option<Rates> {
        let ((from, first), (to, last)) = (self.counts.front()?, self.counts.back()?);
        let seconds = to.saturating_duration_since(*from).as_secs_f64();
        let rate = |first: u64, last: u64| {
            #[expect(
                clippy::cast_precision_loss,
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a rate for people"
            )]
            let rate = (last.saturating_sub(first) as f64 / seconds) as u64;
            rate
        };
        (seconds >= 0.5).then(|| Rates {
            rows: rate(first.rows, last.rows),
            rejected: rate(first.rejected, last.rejected),
            requests: rate(first.requests, last.requests),
        })
    }

    /// What it waited for mostly, lately.
    pub(super) fn bound(&self) -> Option<Bottleneck> {
        let of = |bound: Bottleneck| self.looks.iter().filter(|look| **look == bound).count();
        let all = [Bottleneck::Source, Bottleneck::Loader, Bottleneck::Server];
        all.into_iter().max_by_key(|bound| of(*bound)).filter(|bound| of(*bound) > 0)
    }
}

/// What is waited for at a moment: a batch that waits has a writer that is busy, a block that waits has
/// threads that are; where nothing waits, nothing has come.
const fn bound(gauges: &Gauges) -> Bottleneck {
    if gauges.batches_waiting > 0 {
        Bottleneck::Server
    } else if gauges.blocks_waiting > 0 {
        Bottleneck::Loader
    } else {
        Bottleneck::Source
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_of_the_last_seconds_and_the_bound_is_what_was_waited_for_mostly() {
        let mut pace = Pace::default();
        let began = Instant::now();
        assert!(pace.rates().is_none() && pace.bound().is_none());
        for tenth in 0..300_u64 {
            let mut totals = Totals::default();
            // 100 records a second, then 1,000.
            totals.books.read = if tenth < 150 { tenth * 10 } else { 1_500 + (tenth - 150) * 100 };
            totals.books.rejected = tenth;
            let gauges = Gauges { batches_waiting: usize::from(tenth % 3 > 0), ..Gauges::default() };
            pace.hear(began + Duration::from_millis(tenth * 100), &gauges, &totals);
        }
        assert_eq!(pace.rates(), Some(Rates { rows: 1_000, rejected: 10, requests: 0 }));
        assert_eq!(pace.bound(), Some(Bottleneck::Server));
        for _ in 0..LOOKS {
            pace.hear(began + Duration::from_secs(31), &Gauges::default(), &Totals::default());
        }
        assert_eq!(pace.bound(), Some(Bottleneck::Source));
    }
}
