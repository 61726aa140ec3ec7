//! Commits that the caller asks for: everything up to a record goes to the writers at once, and waits for no
//! full batch.

use std::future::pending;

use tokio::sync::watch;

use crate::job::Job;

/// What was asked for, and how far the batches are. Costs nothing where nobody can ask.
pub(super) struct Commits {
    asked: Option<watch::Receiver<u64>>,
    batched: u64,
    flushed: u64,
}

impl Commits {
    pub(super) fn of(job: &Job) -> Self {
        Self { asked: job.feed.as_ref().map(|feed| feed.wanted()), batched: 0, flushed: 0 }
    }

    /// Waits until there is something new to be asked about. Cancelling loses nothing: see
    /// [`Commits::is_due`].
    pub(super) async fn asked(&mut self) {
        let Some(asked) = &mut self.asked else { return pending().await };
        if asked.changed().await.is_err() {
            pending().await
        }
    }

    /// So many more records are in batches.
    pub(super) const fn batched(&mut self, records: usize) {
        self.batched += records as u64;
    }

    /// All that is to be committed is in batches: they should be flushed now. Says so once.
    pub(super) fn is_due(&mut self) -> bool {
        let Some(asked) = &self.asked else { return false };
        let wanted = *asked.borrow();
        let due = wanted > self.flushed && self.batched >= wanted;
        if due {
            self.flushed = self.batched;
        }
        due
    }
}
