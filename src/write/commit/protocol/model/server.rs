//! The server: what `migrations/` promises of `advance`, `take_over` and `complete`, under READ COMMITTED and
//! row locks.

use super::World;
use super::process::{Process, Told};
use super::scope::{Defect, Scope};

/// A checkpoint's row, and what stands in the table for that partition.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Row {
    pub(super) epoch: u8,
    /// Who took it over last. Not stored: two owners may have one epoch.
    pub(super) life: u8,
    pub(super) at: u8,
    pub(super) done: bool,
    pub(super) read: u8,
    /// How often each record is in the table.
    pub(super) stored: Vec<u8>,
}

/// What is committed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Database {
    pub(super) epoch: u8,
    pub(super) complete: bool,
    pub(super) rows: Vec<Row>,
}

impl Database {
    pub(super) fn new(scope: &Scope) -> Self {
        let stored = vec![0; usize::from(scope.records)];
        let row = Row { epoch: 1, life: 1, at: 0, done: false, read: 0, stored };
        Self { epoch: 1, complete: false, rows: vec![row; scope.partitions] }
    }
}

/// Where a batch begins and ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Span {
    pub(super) from: u8,
    pub(super) to: u8,
}

/// How far a transaction is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Stage {
    /// `advance; COMMIT` is on its way, or waits for the checkpoint's lock.
    Sent,
    /// The fence was passed: the checkpoint is locked.
    Advanced,
    /// A silent fence was passed, and nothing is locked.
    Slipped,
}

/// A transaction whose COMMIT was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Backend {
    pub(super) partition: usize,
    pub(super) life: u8,
    pub(super) epoch: u8,
    pub(super) span: Span,
    pub(super) stage: Stage,
    /// Who waits for the answer; a connection that broke, or a process that died, leaves nobody.
    pub(super) client: Option<usize>,
}

impl World {
    /// Somebody holds the lock on a checkpoint.
    pub(super) fn is_locked(&self, partition: usize) -> bool {
        let advanced = |b: &Backend| b.partition == partition && b.stage == Stage::Advanced;
        let taking = |p: &Process| matches!(p, Process::TakingOver { locked } if *locked > partition);
        self.backends.iter().any(advanced) || self.processes.iter().any(taking)
    }

    /// Somebody holds the lock on the run.
    pub(super) fn run_is_locked(&self) -> bool {
        self.processes.iter().any(|p| matches!(p, Process::TakingOver { .. }))
    }

    /// `advance`: passes the fence, or raises.
    pub(super) fn advance(&mut self, scope: &Scope, backend: usize) {
        let b = self.backends[backend];
        let row = &self.db.rows[b.partition];
        let is_owner = row.epoch == b.epoch || scope.defect == Defect::EpochIgnored;
        let stage = match scope.defect {
            Defect::CheckpointSkipped => Stage::Slipped,
            _ if is_owner && row.at == b.span.from && !row.done => Stage::Advanced,
            Defect::SilentFence => Stage::Slipped,
            _ => {
                self.backends.remove(backend);
                return self.tell(scope, &b, Told::Fenced);
            }
        };
        self.backends[backend].stage = stage;
    }

    /// `COMMIT`.
    pub(super) fn commit(&mut self, scope: &Scope, backend: usize) {
        let b = self.backends.remove(backend);
        let row = &mut self.db.rows[b.partition];
        self.seen.stale_commit |= row.life != b.life;
        for record in b.span.from..b.span.to.min(scope.records) {
            row.stored[usize::from(record)] += 1;
        }
        if b.stage == Stage::Advanced {
            let read = b.span.to.min(scope.records) - b.span.from.min(scope.records);
            row.read += if scope.defect == Defect::CountedTwice { 2 * read } else { read };
            row.at = b.span.to;
            row.done = b.span.to == scope.end();
        }
        self.tell(scope, &b, Told::Committed);
    }

    /// The end of `take_over`: every checkpoint has the new epoch.
    pub(super) fn take_over(&mut self, scope: &Scope) {
        self.lives += 1;
        // An epoch that no owner ever had, or only the next one after what is stored.
        self.db.epoch = if scope.defect == Defect::EpochsReused { self.db.epoch + 1 } else { self.lives };
        for row in &mut self.db.rows {
            row.epoch = self.db.epoch;
            row.life = self.lives;
        }
    }

    /// `complete`; `false`: it raised.
    pub(super) fn complete(&mut self, scope: &Scope, epoch: u8) -> bool {
        let at_end = self.db.rows.iter().all(|row| row.epoch == epoch && row.done);
        let ours = self.db.epoch == epoch && at_end || scope.defect == Defect::CompletionUnchecked;
        if ours && !self.db.complete {
            self.db.complete = true;
            return true;
        }
        // Completed by us already, and the answer was lost?
        ours
    }

    /// A standby takes over with what it has; no connection and no transaction survives.
    pub(super) fn fail_over(&mut self, scope: &Scope) {
        self.seen.lost_commits |= self.db != self.standby;
        self.db = self.standby.clone();
        for process in &mut self.processes {
            if matches!(process, Process::TakingOver { .. }) {
                *process = Process::Down;
            }
        }
        for backend in std::mem::take(&mut self.backends) {
            self.tell(scope, &backend, Told::Lost);
        }
    }

    /// Backends in an order of their own, so that states that mean the same are the same.
    pub(super) fn in_order(mut self) -> Self {
        self.backends.sort_unstable();
        self
    }
}
