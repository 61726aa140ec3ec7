//! The protocol of a batch: what its writer does next, by what has happened so far.
//!
//! A state machine without I/O, clock or randomness: [`Protocol::next`] hears what happened and says the next
//! step, and `committer` does it. What an error means is asked of `pg::sqlstate`; how long patience lasts is
//! known to `retry`. When the outcome of a batch is unknown, the checkpoint says what became of it; when it
//! did not commit, the same batch is replayed, its boundaries unchanged, and the fence decides. This never
//! sees a record, a session or a statement.

use crate::account::Books;
use crate::pg::sqlstate::{is_damage, is_too_long, may_be_committed, was_not_new};
use crate::pg::{Action, DbError, SingleRecord, Stage, classify};
use crate::record::Position;

use crate::write::outcome::FailedAt;
use crate::write::strategy::{Conflicts, WritePath};

/// A checkpoint, as read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(in crate::write) struct StoredCheckpoint {
    /// The epoch of the owner.
    pub(in crate::write) epoch: u64,
    /// Everything before it is dealt with; without its line.
    pub(in crate::write) at: Position,
    /// The partition is at its end.
    pub(in crate::write) done: bool,
    /// What was committed up to it.
    pub(in crate::write) books: Books,
}

/// What tells a batch from a batch, for as long as it is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(in crate::write) struct Terms {
    /// The position that the batch begins at.
    pub(in crate::write) before: Position,
    /// The position that the batch ends at.
    pub(in crate::write) after: Position,
    /// It is the last one of its partition.
    pub(in crate::write) done: bool,
    /// The number of records in the batch.
    pub(in crate::write) records: u64,
    /// How to learn what became of it.
    pub(in crate::write) proof: Proof,
}

/// What can tell whether a batch was committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(in crate::write) enum Proof {
    /// The checkpoint, under this epoch.
    Checkpoint {
        /// The epoch that this owner has.
        epoch: u64,
    },
    /// Nothing, but it may be applied twice: its records have keys.
    NotNeeded,
    /// Nothing, and applied twice it would be stored twice.
    None,
}

/// What happened to a step that the protocol asked for.
#[derive(Debug, Clone, Copy)]
pub(in crate::write) enum Happened<'a> {
    /// The batch was tried, and the server confirmed its COMMIT.
    Committed,
    /// The batch was tried, and failed.
    Failed {
        /// The step of the transaction that it failed at.
        at: FailedAt,
        /// The error that ended the try.
        error: &'a DbError,
        /// The unique index of the key.
        key: Option<&'a str>,
    },
    /// The checkpoint was read; `None`: it is gone, and the run with it.
    Found(Option<&'a StoredCheckpoint>),
    /// The checkpoint could not be read.
    NoAnswer,
    /// The pause is over.
    BackoffElapsed,
    /// Instead of a pause: patience has run out.
    PatienceEnded,
}

/// What to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(in crate::write) enum Step {
    /// Try the batch, as it is.
    Attempt {
        /// The path that the batch took.
        path: WritePath,
        /// Expecting this of other programs.
        conflicts: Conflicts,
    },
    /// Read the checkpoint of the partition, waiting for whoever holds it.
    ReadCheckpoint,
    /// Wait, if patience lasts; but first this.
    Pause(Mitigation),
    /// Cut the batch in two: each half has a protocol of its own.
    Halve,
    /// The batch is committed.
    Done,
    /// Stop, and say so.
    Stop(Stop),
}

/// What is done about a failure before waiting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(in crate::write) enum Mitigation {
    /// Nothing is done but to wait.
    None,
    /// Idle connections are closed: what they have prepared is stale.
    FreshConnections,
    /// Write with one connection fewer.
    FewerConnections,
}

impl Mitigation {
    /// Its name, where it is more than waiting.
    pub(in crate::write) const fn name(self) -> Option<&'static str> {
        match self {
            Self::None => None,
            Self::FreshConnections => Some("fresh_connections"),
            Self::FewerConnections => Some("fewer_connections"),
        }
    }
}

/// Why there is nothing more to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(in crate::write) enum Stop {
    /// The last error is not one that passes, or has not passed.
    Failed,
    /// The run is another owner's.
    Fenced,
    /// Nobody could be asked what became of the batch.
    Unknown,
    /// The checkpoint is where it cannot be, unless the server has lost commits.
    LostCommits,
    /// There is no checkpoint: the server knows nothing of the run.
    Forgotten,
    /// The table is not the one that the plan was made for; nothing of the batch is done.
    Changed,
}

/// What the machine waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Phase {
    /// The outcome of a try, or the pause before the next one.
    Trying,
    /// What the checkpoint says, or the pause before asking again.
    InDoubt,
}

/// What may have become of the tries so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum EarlierTries {
    /// None of them can commit any more.
    Ended,
    /// One of them was given up with its COMMIT sent, and a backend may still be at it.
    MayCommit,
}

/// The protocol of one batch, up to now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(in crate::write) struct Protocol {
    terms: Terms,
    path: WritePath,
    conflicts: Conflicts,
    prepared_anew: bool,
    earlier: EarlierTries,
    phase: Phase,
    /// The last doubt came of a limit on a transaction's time: as it is, the batch would meet it again.
    took_too_long: bool,
}

impl Protocol {
    /// Nothing has happened: the first step is to try.
    pub(in crate::write) const fn new(terms: Terms) -> (Self, Step) {
        let new = Self {
            terms,
            path: WritePath::SetBased,
            conflicts: Conflicts::NotExpected,
            prepared_anew: false,
            earlier: EarlierTries::Ended,
            phase: Phase::Trying,
            took_too_long: false,
        };
        (new, new.attempt())
    }

    /// COMMIT was sent, and what became of it is not known.
    pub(in crate::write) fn in_doubt(&self) -> bool {
        self.phase == Phase::InDoubt
    }

    /// The next step. What happened must be an answer to the last one.
    pub(in crate::write) fn next(&mut self, happened: Happened<'_>) -> Step {
        match happened {
            Happened::Committed => Step::Done,
            Happened::Failed { at, error, key } => self.failed(at, error, key),
            Happened::Found(found) => self.found(found),
            Happened::NoAnswer => Step::Pause(Mitigation::None),
            Happened::BackoffElapsed if self.in_doubt() => Step::ReadCheckpoint,
            Happened::BackoffElapsed => self.attempt(),
            Happened::PatienceEnded if self.in_doubt() => Step::Stop(Stop::Unknown),
            Happened::PatienceEnded => Step::Stop(Stop::Failed),
        }
    }

    const fn attempt(&self) -> Step {
        Step::Attempt { path: self.path, conflicts: self.conflicts }
    }

    fn by(&mut self, path: WritePath) -> Step {
        self.path = path;
        self.attempt()
    }

    fn failed(&mut self, at: FailedAt, error: &DbError, key: Option<&str>) -> Step {
        let action = match classify(self.stage_of(at, key), error) {
            Action::PrepareAnew if self.prepared_anew && at == FailedAt::Merge => Action::CarefulPath,
            Action::PrepareAnew if self.prepared_anew => Action::Fatal,
            action => action,
        };
        let row_by_row = self.path.row_by_row();
        match action {
            Action::ReplayWithJitter if was_not_new(error) => {
                self.conflicts = Conflicts::LeftAlone;
                self.attempt()
            }
            Action::CarefulPath if self.path < row_by_row => self.by(row_by_row),
            // The whole may still be committed behind our back, and then the halves fit nowhere.
            Action::HalveBatch(_) if self.terms.records > 1 && self.earlier == EarlierTries::MayCommit => {
                Step::Pause(Mitigation::None)
            }
            Action::HalveBatch(_) if self.terms.records > 1 => Step::Halve,
            Action::HalveBatch(SingleRecord::Reject) if self.path < row_by_row => self.by(row_by_row),
            Action::HalveBatch(_) => Step::Stop(Stop::Failed),
            // Said before COMMIT was sent; but an earlier try may still be committing, and the next plan
            // reads the checkpoints.
            Action::PlanAnew => Step::Stop(Stop::Changed),
            Action::ResolveByCheckpoint | Action::Fenced => self.doubt(error),
            Action::Reconnect | Action::ReplayWithJitter | Action::FindPrimary | Action::PauseForSpace => {
                Step::Pause(Mitigation::None)
            }
            Action::PrepareAnew => {
                self.prepared_anew = true;
                Step::Pause(Mitigation::FreshConnections)
            }
            Action::ShrinkPool => Step::Pause(Mitigation::FewerConnections),
            Action::CarefulPath | Action::Fatal => {
                // A value that COPY refuses in staging is not fatal: it converts one by one.
                let refused_value = at == FailedAt::Staging && error.server().is_some() && !is_damage(error);
                let converting = self.path.converting();
                if refused_value && self.path < converting {
                    self.by(converting)
                } else {
                    Step::Stop(Stop::Failed)
                }
            }
        }
    }

    fn stage_of<'a>(&self, at: FailedAt, key: Option<&'a str>) -> Stage<'a> {
        match at {
            FailedAt::Connect => Stage::Connect,
            FailedAt::Begin | FailedAt::Staging => Stage::BeforeCommit,
            FailedAt::Ledger => Stage::Ledger,
            FailedAt::Table | FailedAt::Target => Stage::Elsewhere,
            FailedAt::Merge => {
                Stage::Merge { cheap_key: key.filter(|_| self.conflicts == Conflicts::NotExpected) }
            }
            FailedAt::Commit => Stage::AfterCommitSent,
        }
    }

    /// The outcome is unknown.
    fn doubt(&mut self, error: &DbError) -> Step {
        // An error that the server lived to tell ended the transaction.
        let may_be_committed = may_be_committed(error);
        self.took_too_long = is_too_long(error);
        match self.terms.proof {
            Proof::Checkpoint { .. } => {
                // Its session has said its last word, and the checkpoint is read behind it.
                if may_be_committed && !self.took_too_long {
                    self.earlier = EarlierTries::MayCommit;
                }
                self.phase = Phase::InDoubt;
                Step::ReadCheckpoint
            }
            Proof::None if may_be_committed => Step::Stop(Stop::Unknown),
            Proof::None | Proof::NotNeeded => Step::Pause(Mitigation::None),
        }
    }

    /// What the checkpoint says about a batch whose outcome is unknown.
    fn found(&mut self, found: Option<&StoredCheckpoint>) -> Step {
        self.phase = Phase::Trying;
        let Proof::Checkpoint { epoch } = self.terms.proof else { return Step::Stop(Stop::Failed) };
        let Some(found) = found else { return Step::Stop(Stop::Forgotten) };
        if found.epoch < epoch {
            // The take-over itself is among the commits that were lost.
            Step::Stop(Stop::LostCommits)
        } else if found.epoch > epoch {
            Step::Stop(Stop::Fenced)
        } else if found.at == self.terms.after && found.done == self.terms.done {
            Step::Done
        } else if found.at == self.terms.before && !found.done {
            if self.took_too_long && self.terms.records > 1 && self.earlier == EarlierTries::Ended {
                return Step::Halve;
            }
            // What fails in the checkpoint's own statement may fail every time: not for ever.
            Step::Pause(Mitigation::None)
        } else {
            Step::Stop(Stop::LostCommits)
        }
    }
}

#[cfg(test)]
mod model;
#[cfg(test)]
mod tests;
