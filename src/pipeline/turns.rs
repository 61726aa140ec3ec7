//! Keys that the server alone can read: their records wait for all before them, and those behind wait for
//! them.
//!
//! A record of the same key, spelt otherwise, may belong to any partition. So the two kinds of records are
//! never written at the same time. Which kind a record is, and to which partition it belongs, follows from
//! the record alone: what has committed when a process dies is a beginning of the records, up to those of one
//! kind in flight, and a resume finds the rest where it was.

use std::time::Instant;

use crate::record::Position;

use super::shared::PipelineContext;
use super::waits::Waits;

/// Whose turn it is.
pub(super) struct Turns {
    is_unread: bool,
    /// Where the last batch of each partition ends that was handed out.
    handed_out: Vec<Position>,
}

impl Turns {
    pub(super) fn of(shared: &PipelineContext<'_>) -> Self {
        Self { is_unread: false, handed_out: shared.prepared.checkpoints.iter().map(|c| c.at).collect() }
    }

    /// A batch was handed out.
    pub(super) fn note(&mut self, partition: u32, after: Position) {
        if let Some(place) = self.handed_out.get_mut(partition as usize) {
            *place = after;
        }
    }

    /// Whether records of this kind have to wait for others.
    pub(super) const fn is_over_for(&self, is_unread: bool) -> bool {
        self.is_unread != is_unread
    }

    /// Waits until all that was handed out has committed: then it is the others' turn. False: the load was
    /// stopped meanwhile.
    pub(super) async fn turn(&mut self, shared: &PipelineContext<'_>, waits: &mut Waits) -> bool {
        let since = Instant::now();
        let mut committed = shared.committed.subscribe();
        let all = committed.wait_for(|committed| *committed == self.handed_out);
        let is_done = tokio::select! {
            all = all => all.is_ok(),
            () = shared.stop.cancelled() => false,
        };
        waits.writer += since.elapsed();
        self.is_unread = !self.is_unread;
        is_done
    }
}
