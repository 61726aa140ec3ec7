//! The plan of writing: what the catalog says about which path a batch may take, and why.

use std::sync::Arc;

use crate::map::{Mapping, PRESENCE_WORD_BITS, Slot};
use crate::schema::{MergePolicy, Mode, Paths, Table};

use super::mark::MarkColumn;
use super::target::Watched;

/// Where staging tables live.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Staging {
    /// Made once a connection, emptied at every commit.
    Session,
    /// Made and dropped in each transaction: behind a pooler the next transaction has another backend.
    Transaction,
}

/// What characters the database can hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DatabaseEncoding {
    /// The database can hold every character.
    All,
    /// Those of its encoding: a record may have others.
    Some,
}

/// Everything that writing a batch needs to know, the same for all writers of a run.
#[derive(Debug, Clone)]
pub struct WritePlan {
    /// Fields, slots and columns.
    pub mapping: Arc<Mapping>,
    /// What is known of the target by now.
    pub target: Arc<Watched>,
    /// What happens to records whose key is stored.
    pub mode: Mode,
    /// Ordinal in [`Table::unique`] of the key's index.
    pub key_index: Option<usize>,
    /// Which path, and why.
    pub paths: Paths,
    /// The server's version, by `server_version_num`.
    pub server_version: u32,
    /// Where staging tables live.
    pub staging: Staging,
    /// Columns that are not simply overwritten.
    pub policies: Vec<(Slot, MergePolicy)>,
    /// Only a record with a greater value in this column replaces a stored one.
    pub newer_by: Option<Slot>,
    /// The operator that says greater of it, qualified.
    pub greater: Option<String>,
    /// The watermark that is kept, if one is.
    pub mark: Option<MarkColumn>,
    /// Each batch keeps the keys of its records.
    pub keeps_met: bool,
    /// The role may read some column of the target.
    pub may_select: bool,
    /// The database can hold every character; or its encoding holds some, or any bytes.
    pub encoding: DatabaseEncoding,
    /// Batches may commit asynchronously; the run's completion is synchronous.
    pub asynchronous_commit: bool,
    /// Session time zone of every batch.
    pub time_zone: String,
    /// Session `DateStyle` of every batch.
    pub date_style: String,
    /// Limits on statements and locks, in milliseconds.
    pub statement_timeout_ms: u64,
    /// Longest wait for a lock, in milliseconds.
    pub lock_timeout_ms: u64,
}

/// Columns that a table may have.
const COLUMNS_MAX: usize = 1_600;

/// Staging has a column for each slot, a number for each row, and words that say which values are there.
#[must_use]
pub const fn staging_fits(slots: usize) -> bool {
    1 + slots.div_ceil(PRESENCE_WORD_BITS) + slots <= COLUMNS_MAX
}

impl WritePlan {
    /// The table that is loaded into.
    #[must_use]
    pub fn table(&self) -> &Table {
        &self.mapping.table
    }

    /// What becomes of a stored value in this column.
    #[must_use]
    pub fn policy(&self, slot: Slot) -> MergePolicy {
        let found = self.policies.iter().find(|(of, _)| *of == slot);
        found.map_or(MergePolicy::Overwrite, |(_, policy)| *policy)
    }

    /// A batch that is applied twice leaves other values than one that is applied once.
    #[must_use]
    pub fn repeats_show(&self) -> bool {
        self.mapping.key.is_empty() || self.policies.iter().any(|(_, policy)| policy.accumulates())
    }

    /// COPY can leave out rows that do not convert.
    #[must_use]
    pub const fn copy_skips_errors(&self) -> bool {
        self.server_version >= 170_000
    }

    /// The operator by which a staged value is newer than a stored one: the type's own, of its B-tree
    /// operator class. By name alone another schema's might be found, or another type's, where that of the
    /// column is not in `search_path`.
    #[must_use]
    pub fn newer_operator(&self) -> &str {
        self.greater.as_deref().unwrap_or("OPERATOR(pg_catalog.>)")
    }

    /// One MERGE inserts and updates, in one look for each row, and the server's counters tell the two apart,
    /// as its command tag does not. Not where row triggers may write to the table too, nor before the
    /// releases of November 2025: theirs may miss the latest version of a row that another program updates
    /// twice meanwhile.
    #[must_use]
    pub fn merges_at_once(&self) -> bool {
        let mended = match self.server_version / 10_000 {
            ..=14 => false,
            15 => self.server_version >= 150_015,
            16 => self.server_version >= 160_011,
            17 => self.server_version >= 170_007,
            18 => self.server_version >= 180_001,
            _ => true,
        };
        let table = self.table();
        mended
            && self.mode == Mode::Upsert
            && self.key_index.is_some()
            && table.counts_rows
            && !table.has_row_triggers
            && !table.has_row_security
    }
}
