//! What a writer tells, and how it ends.

use std::time::Instant;

use crate::pg::DbError;
use crate::record::Position;

use super::outcome::Committed;

/// What a writer tells.
#[derive(Debug)]
pub enum WriterEvent {
    /// A batch is committed.
    Committed {
        /// The partition of the writer.
        partition: u32,
        /// The checkpoint it moved to.
        after: Position,
        /// What it came to.
        committed: Box<Committed>,
        /// Who carried it, and for how long.
        carried: Carried,
    },
    /// A batch is too much for the server, and goes on as two.
    Halved {
        /// The partition of the writer.
        partition: u32,
        /// Records of the batch.
        records: u64,
    },
    /// A batch waits for its next try.
    Waiting {
        /// The partition of the writer.
        partition: u32,
        /// What stands in the way.
        error: DbError,
        /// What is done about it besides waiting.
        relief: Option<&'static str>,
    },
    /// The records of a partition were compared with the table.
    Verified {
        /// The counts of the comparison.
        verdict: Box<Verdict>,
    },
    /// A batch that waited goes on.
    Resumed {
        /// The partition of the writer.
        partition: u32,
    },
}

/// A batch in the hands of its writer.
#[derive(Debug, Clone, Copy)]
pub struct Carried {
    /// Since when.
    pub began: Instant,
    /// When it was known to be committed.
    pub ended: Instant,
    /// Bytes that it held.
    pub bytes: usize,
    /// Tries before the one that committed.
    pub retries: u32,
}

/// Why a writer stopped.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The database failed for good, or for longer than we wait.
    #[error("write to the database")]
    Database(#[source] DbError),
    /// Another process has taken the run over.
    #[error("this load was taken over by another process")]
    Fenced,
    /// COMMIT was sent, and nobody could be asked what became of it.
    #[error("commit a batch: the server went away, and it is not known whether it committed")]
    Unknown(#[source] DbError),
    /// The ledger stands before a batch that was acknowledged: the server has lost commits.
    #[error("the server has lost commits that it acknowledged")]
    LostCommits,
    /// The server has no checkpoint of this run.
    #[error("the server knows nothing of this run")]
    Forgotten,
    /// The table is not the one that the plan was made for.
    #[error(transparent)]
    Changed(DbError),
    /// The pipeline has stopped listening.
    #[error("the load was stopped")]
    Stopped,
}

/// Examples that are kept of what differs.
pub(super) const EXAMPLES: u32 = 10;

/// What a comparison found, in records.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Records found in the sources.
    pub read: u64,
    /// The table holds what they say.
    pub equal: u64,
    /// The table holds something else under their key.
    pub different: u64,
    /// The table has no row for them.
    pub missing: u64,
    /// A later record of the same key has the last word.
    pub superseded: u64,
    /// They cannot be decoded, mapped or converted.
    pub rejected: u64,
    /// A condition leaves them out.
    pub skipped: u64,
    /// Sequence numbers of the first records that differ or are missing, and the columns that differ.
    pub examples: Vec<(u64, String)>,
}

impl Verdict {
    /// Adds what was found in another partition.
    pub fn add(&mut self, other: Self) {
        self.read += other.read;
        self.equal += other.equal;
        self.different += other.different;
        self.missing += other.missing;
        self.superseded += other.superseded;
        self.rejected += other.rejected;
        self.skipped += other.skipped;
        self.examples.extend(other.examples);
        self.examples.sort();
        self.examples.truncate(EXAMPLES as usize);
    }
}
