//! How large a world is: records, processes, and how often each fault may strike.

/// A switchable defect: the checker must find what it breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Defect {
    /// As it should be.
    None,
    /// The fence moves no row and says nothing.
    SilentFence,
    /// The fence looks at the place alone.
    EpochIgnored,
    /// A lost answer to COMMIT counts as a commit.
    UnknownIsCommitted,
    /// What is tried again ends elsewhere.
    OtherBoundaries,
    /// A cancelled batch is halved, whatever an earlier try of it may still do.
    HalvedInDoubt,
    /// A batch commits without its checkpoint.
    CheckpointSkipped,
    /// The ledger counts each batch twice.
    CountedTwice,
    /// Nobody asks whether the run is at its end under this owner.
    CompletionUnchecked,
    /// A take-over counts on from the epoch that it finds, also where the server has lost some.
    EpochsReused,
}

/// Faults that may still happen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Budget {
    /// Connections that break, or answers that are lost.
    pub(super) losses: u8,
    /// Transactions that the server aborts, and says so.
    pub(super) aborts: u8,
    /// Statements that are cancelled: the batch is halved.
    pub(super) cancels: u8,
    /// Transactions that take too long: the server ends them, and their sessions.
    pub(super) limits: u8,
    /// Tables that are found changed before a checkpoint.
    pub(super) changes: u8,
    /// Processes that are killed.
    pub(super) crashes: u8,
    /// Take-overs from a process that lives.
    pub(super) take_overs: u8,
    /// Writers whose patience ends.
    pub(super) give_ups: u8,
    /// Promotions of a standby that may be behind, or crashes of a server that commits asynchronously.
    pub(super) failovers: u8,
}

/// The world's size.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scope {
    pub(super) partitions: usize,
    /// Records of each partition.
    pub(super) records: u8,
    /// Records in a batch, at most.
    pub(super) batch_max: u8,
    pub(super) processes: usize,
    pub(super) budget: Budget,
    pub(super) defect: Defect,
}

impl Scope {
    /// The place behind all records: only the last batch of a partition ends there.
    pub(super) const fn end(&self) -> u8 {
        self.records + 1
    }

    pub(super) const fn with(self, defect: Defect) -> Self {
        Self { defect, ..self }
    }
}
