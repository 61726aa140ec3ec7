//! What happens during a load, told to whoever listens. Counts are owned by the one who tells.

mod detail;

use std::time::Duration;

use crate::account::Books;

pub use detail::{BatchTimes, BatchWay, BegunPlan, BlockTimes, Detail, Gauges, RejectedFor, SOURCES_NAMED};

/// The state of a load as far as it is committed; every event comes with it.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Totals {
    /// Books of the run, from its first start.
    pub books: Books,
    /// Bytes of the sources as stored (compressed) that were read by this process.
    pub bytes_read: u64,
    /// Bytes of all sources, where known.
    pub bytes_total: Option<u64>,
    /// Requests of this process, where a source is from the network.
    pub http: Option<Requests>,
    /// Batches that this process has committed.
    pub batches: u64,
    /// Of them, straight into the table.
    pub direct: u64,
    /// Of them, tried that way and refused by the table.
    pub direct_refused: u64,
    /// Of them, by the careful path.
    pub careful: u64,
    /// Tries beyond the first.
    pub retries: u64,
}

/// What the requests of this process came to so far.
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct Requests {
    /// Requests that have been sent.
    pub sent: u64,
    /// Of them, tries after the first.
    pub retried: u64,
    /// Requests that were given up.
    pub failed: u64,
    /// Time that they waited for limits and after failures, in sum.
    pub waited: Duration,
    /// Requests of which the answer, or the rest of it, is waited for right now.
    pub in_flight: u64,
}

/// Something that happened during a load, for a listener.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Event {
    /// An unfinished run goes on.
    Resumed {
        /// The id of the run.
        run: String,
        /// Records that were dealt with before.
        records: u64,
    },
    /// The table was created.
    TableCreated {
        /// The statement that made the table.
        ddl: String,
    },
    /// Columns were added to the table, for fields that had none.
    ColumnsAdded {
        /// The statement that added them.
        ddl: String,
    },
    /// A file is left out: an earlier load has appended it.
    SourceSkipped {
        /// Name of the source, for people.
        name: String,
    },
    /// A source that the unfinished run does not have waits for the next run.
    SourceDeferred {
        /// Name of the source, for people.
        name: String,
        /// The id of the run that is finished first.
        run: String,
    },
    /// A field goes to a column that is written in another way.
    FieldMatched {
        /// The field as the records have it.
        field: String,
        /// The column as the table has it.
        column: String,
    },
    /// A sequence was behind the values that the load has stored, and is set.
    SequenceSet {
        /// Name of the sequence, as SQL has it.
        name: String,
        /// The column that takes its values from it.
        column: String,
        /// The last value that it has given now.
        value: i64,
    },
    /// A sequence is behind the values that are stored: an insert that takes its value from it fails.
    SequenceBehind {
        /// Name of the sequence, as SQL has it.
        name: String,
        /// The column that takes its values from it.
        column: String,
        /// The greatest value in the column.
        greatest: i64,
    },
    /// Worth saying, no fault; what a program acts upon has an event of its own.
    Note {
        /// What is to be noted, in words.
        text: String,
    },
    /// A source is being read.
    SourceStarted {
        /// Name of the source, for people.
        name: String,
    },
    /// A source was read to its end; the last of its records may be on their way to the table.
    SourceRead {
        /// Name of the source, for people.
        name: String,
        /// Records that were found in it, by this process.
        records: u64,
        /// How long that took, waiting for it and for the table included.
        elapsed: Duration,
    },
    /// A source failed for good; the others go on.
    SourceFailed {
        /// Name of the source, for people.
        name: String,
        /// The reason, in words for people.
        reason: String,
        /// What the user can do about it.
        hint: Option<String>,
    },
    /// Bytes of a source were read.
    Read,
    /// A batch was committed.
    Committed {
        /// The partition that it is of, from 0.
        partition: u32,
        /// What became of its records.
        rows: Books,
        /// How long it took to send, to merge and to commit.
        elapsed: Duration,
    },
    /// The database cannot be written at the moment.
    Waiting {
        /// The partition whose batch waits; none: the end of the load does.
        partition: Option<u32>,
        /// The reason, in words for people.
        reason: String,
    },
    /// What waited for a server goes on again.
    GoesOn {
        /// The partition whose batch had waited; none: the end of the load had.
        partition: Option<u32>,
    },
    /// For the record of a load, where the program keeps one.
    #[doc(hidden)]
    Detail(Box<Detail>),
}

/// Who listens. Called from the load's own task: must not block.
pub type Listener<'a> = &'a (dyn Fn(&Event, &Totals) + Send + Sync);
