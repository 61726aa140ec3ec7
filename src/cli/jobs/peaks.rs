//! What a load had of connections, requests and queues, for monitoring: the most of each, and how busy its
//! connections were.

use std::sync::{Mutex, PoisonError};

use dbload::internals::event::{Detail, Event, Gauges, Totals};

/// Listens to a load.
#[derive(Default)]
pub(super) struct PeakWatch(Mutex<LoadPeaks>);

/// The most of each; sums over glances at even distances.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct LoadPeaks {
    pub(super) connections: u64,
    pub(super) requests_in_flight: Option<u64>,
    pub(super) blocks_waiting: u64,
    pub(super) batches_waiting: u64,
    busy: u64,
    open: u64,
}

impl PeakWatch {
    pub(super) fn on(&self, event: &Event, totals: &Totals) {
        if let Event::Detail(detail) = event
            && let Detail::Gauges(gauges) = &**detail
        {
            let in_flight = totals.http.map(|http| http.in_flight);
            self.0.lock().unwrap_or_else(PoisonError::into_inner).glance(gauges, in_flight);
        }
    }

    pub(super) fn peaks(&self) -> LoadPeaks {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl LoadPeaks {
    fn glance(&mut self, gauges: &Gauges, in_flight: Option<u64>) {
        self.add(&Self {
            connections: gauges.connections as u64,
            requests_in_flight: in_flight,
            blocks_waiting: gauges.blocks_waiting as u64,
            batches_waiting: gauges.batches_waiting as u64,
            busy: gauges.busy as u64,
            open: gauges.connections as u64,
        });
    }

    /// Of several starts, or windows, of one load.
    pub(super) fn add(&mut self, other: &Self) {
        self.connections = self.connections.max(other.connections);
        self.requests_in_flight = self.requests_in_flight.max(other.requests_in_flight);
        self.blocks_waiting = self.blocks_waiting.max(other.blocks_waiting);
        self.batches_waiting = self.batches_waiting.max(other.batches_waiting);
        self.busy += other.busy;
        self.open += other.open;
    }

    /// Of the connections that were open, the share that was in use; none where there were none.
    pub(super) fn busy_share(&self) -> Option<f64> {
        (self.open > 0).then(|| self.busy.min(self.open) as f64 / self.open as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_of_each_is_kept_and_of_the_busy_ones_the_share() {
        let mut peaks = LoadPeaks::default();
        assert_eq!(peaks.busy_share(), None);
        let glance = |connections, busy, blocks_waiting| {
            let mut gauges = Gauges::default();
            (gauges.connections, gauges.busy, gauges.blocks_waiting) = (connections, busy, blocks_waiting);
            gauges
        };
        peaks.glance(&glance(4, 1, 7), None);
        peaks.glance(&glance(4, 3, 2), Some(5));
        peaks.glance(&glance(2, 2, 0), Some(1));
        assert_eq!((peaks.connections, peaks.blocks_waiting, peaks.requests_in_flight), (4, 7, Some(5)));
        assert_eq!(peaks.busy_share(), Some(0.6));
    }
}
