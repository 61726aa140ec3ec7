//! What the record of a load tells beyond what a listener mostly wants: each block, each batch, each reason.
//!
//! Blocks, batches and reasons are told only where the job asks for it. Moments are times since the pipeline
//! began. No value of a record and no words of a server: a reason is an SQLSTATE, a column, a constraint, and
//! a count.

use std::time::Duration;

use crate::account::Books;

/// Something that the record of a load tells.
#[derive(Debug, Clone)]
pub enum Detail {
    /// The pipeline begins, with this plan.
    Begun(BegunPlan),
    /// A block of records was read and decoded.
    Block(BlockTimes),
    /// A batch was committed.
    Batch(BatchTimes),
    /// Records of a batch were rejected.
    Rejected(RejectedFor),
    /// A batch waits for its next try.
    Held {
        /// The partition; none: the end of the load waits.
        partition: Option<u32>,
        /// What the server said, if it did.
        sqlstate: Option<String>,
        /// What is done about it besides waiting.
        relief: Option<&'static str>,
    },
    /// A batch is written as two.
    Halved {
        /// The partition that it is of.
        partition: u32,
        /// Records of the batch.
        records: u64,
    },
    /// Somebody outside, or the budget of rejects, has asked for the end.
    Stopping,
    /// How things stand, now and then.
    Gauges(Gauges),
}

/// The plan of a load, as its record tells it.
#[derive(Debug, Clone)]
pub struct BegunPlan {
    /// The run; none without a ledger.
    pub run: Option<String>,
    /// How long ago the pipeline began: moments of other events are counted from there.
    pub ago: Duration,
    /// How often it was started.
    pub attempt: u32,
    /// The table, for people.
    pub table: String,
    /// The database, as `host:port/name`.
    pub database: String,
    /// The version of the server.
    pub server: String,
    /// What happens to a record whose key is stored already.
    pub mode: &'static str,
    /// Columns of the key.
    pub key: Vec<String>,
    /// Parts that are written side by side.
    pub partitions: u32,
    /// Why it is one.
    pub one_partition: Option<&'static str>,
    /// How often a record may be applied.
    pub guarantee: &'static str,
    /// Connections of the load.
    pub connections: usize,
    /// Rows of a batch at most.
    pub batch_rows: u64,
    /// Bytes of a batch at most.
    pub batch_bytes: usize,
    /// What earlier starts have made of their records.
    pub before: Books,
    /// Names of the first sources.
    pub sources: Vec<String>,
    /// How many there are.
    pub sources_all: usize,
    /// Their bytes, where known.
    pub bytes: Option<u64>,
}

/// Sources that the plan names; the others begin and end by name.
pub const SOURCES_NAMED: usize = 100;

/// A block and what it took.
#[derive(Debug, Clone, Copy)]
pub struct BlockTimes {
    /// Ordinal of its source.
    pub source: u32,
    /// Records in it.
    pub records: u64,
    /// Bytes of them.
    pub bytes: u64,
    /// When it began to be looked for, and when it was there.
    pub read: [Duration; 2],
    /// Of that, work: the rest was waiting for bytes.
    pub reading: Duration,
    /// When it began to be decoded, and when that was done.
    pub decoded: [Duration; 2],
    /// CPU time of that.
    pub decoding: Duration,
}

/// A batch and what it took.
#[derive(Debug, Clone, Copy)]
pub struct BatchTimes {
    /// The partition that it is of, from 0.
    pub partition: u32,
    /// What became of its records.
    pub rows: Books,
    /// Bytes that it held.
    pub bytes: u64,
    /// When its writer had it.
    pub began: Duration,
    /// When it was known to be committed.
    pub ended: Duration,
    /// Of that: sending it.
    pub copied: Duration,
    /// Merging it.
    pub merged: Duration,
    /// Committing it. The rest was waiting: for a connection, for the server, for tries that failed.
    pub committed: Duration,
    /// By which way.
    pub way: BatchWay,
    /// Straight into the table was tried, and refused.
    pub refused: bool,
    /// Tries before the one that committed.
    pub retries: u32,
}

/// By which way a batch came into the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BatchWay {
    /// Straight into it.
    Direct,
    /// By staging and a merge.
    Merged,
    /// Record by record, at least in part.
    Careful,
}

/// Why records of a batch were rejected: nothing that a record or a server said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RejectedFor {
    /// Five characters.
    pub sqlstate: String,
    /// The column, if one was to blame.
    pub column: Option<String>,
    /// The constraint, if one was.
    pub constraint: Option<String>,
    /// How many records of the batch.
    pub count: u64,
    /// Ordinal of the source of the first of them.
    pub source: u32,
    /// Its name.
    pub name: String,
    /// The line on which the first of them begins.
    pub line: u64,
}

/// How things stand.
#[derive(Debug, Clone, Copy, Default)]
pub struct Gauges {
    /// Connections that are open, used or idle.
    pub connections: usize,
    /// Of them, in use.
    pub busy: usize,
    /// Blocks that wait to be decoded.
    pub blocks_waiting: usize,
    /// Batches that wait for their writer.
    pub batches_waiting: usize,
}
