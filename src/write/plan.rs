//! The plan of writing: what the catalog says about which path a batch may take, and why.

use std::sync::Arc;
use std::time::Duration;

use crate::map::{Mapping, Slot};
use crate::schema::{Mode, Table};

/// Where staging tables live.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Staging {
    /// Made once a connection, emptied at every commit.
    Session,
    /// Made and dropped in each transaction: behind a pooler the next transaction has another backend.
    Transaction,
}

/// Facts of the table that decide the path of a batch.
#[derive(Debug, Clone)]
pub struct Paths {
    /// Every batch takes the careful path, for this reason.
    pub always_careful: Option<&'static str>,
    /// Folding records of one key would show, for this reason: batches with repeated keys take the careful path.
    pub folding_shows: Option<&'static str>,
    /// A trigger or policy may swallow rows: what was not stored must be counted, not assumed.
    pub may_swallow: bool,
    /// Ordinals in [`Table::unique`] of the other unique indexes whose values a batch may move between keys.
    pub other_unique: Vec<usize>,
}

impl Paths {
    /// Judges a table.
    #[must_use]
    pub fn of(table: &Table, key_index: Option<usize>, mode: Mode) -> Self {
        let merges = matches!(mode, Mode::Upsert | Mode::Update);
        let others: Vec<usize> = (0..table.unique.len()).filter(|&i| Some(i) != key_index).collect();
        let opaque = others.iter().any(|&i| {
            let index = &table.unique[i];
            index.columns.is_empty() || index.columns.iter().any(|&c| table.columns[c].generated)
        });
        let always_careful = if table.references_itself {
            Some("a foreign key to the table itself makes the order of records matter")
        } else if merges && table.has_exclusions {
            Some("an exclusion constraint ties records of different keys together")
        } else if merges && opaque {
            Some(
                "a unique index over an expression or a generated column ties records of different keys together",
            )
        } else {
            None
        };
        let folding_shows = [
            (table.has_checks, "CHECK constraints judge each record"),
            (table.has_foreign_keys, "foreign keys judge each record"),
            (table.has_exclusions, "exclusion constraints judge each record"),
            (!others.is_empty(), "another unique index judges each record"),
            (table.has_row_triggers, "row triggers see each record"),
            (table.has_row_security, "row-level security judges each record"),
            (table.has_generated, "generated columns may refuse a record"),
            (table.has_index_expressions, "index expressions may refuse a record"),
            (table.columns.iter().any(|c| c.domain_base.is_some()), "domains judge each record"),
        ]
        .into_iter()
        .find_map(|(holds, why)| holds.then_some(why));
        Self {
            always_careful,
            folding_shows,
            may_swallow: table.has_before_row_triggers || table.has_row_security,
            other_unique: if merges { others } else { Vec::new() },
        }
    }
}

/// Everything that writing a batch needs to know, the same for all writers of a run.
#[derive(Debug, Clone)]
pub struct WritePlan {
    /// Fields, slots and columns.
    pub mapping: Arc<Mapping>,
    /// What happens to records whose key is stored.
    pub mode: Mode,
    /// Ordinal in [`Table::unique`] of the key's index.
    pub key_index: Option<usize>,
    /// Which path, and why.
    pub paths: Paths,
    /// `server_version_num`.
    pub server_version: u32,
    /// Where staging tables live.
    pub staging: Staging,
    /// Only a record with a greater value in this column replaces a stored one.
    pub newer_by: Option<Slot>,
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

/// Beyond the server's own limit on a statement: the way there and back, and a server that is slow to cancel.
const ANSWER_GRACE: Duration = Duration::from_secs(5);

impl WritePlan {
    /// The server cancels a statement at its limit; who has not answered a little later does not answer any more.
    #[must_use]
    pub fn answer_limit(&self) -> Option<Duration> {
        (self.statement_timeout_ms > 0).then(|| Duration::from_millis(self.statement_timeout_ms) + ANSWER_GRACE)
    }

    /// The target.
    #[must_use]
    pub fn table(&self) -> &Table {
        &self.mapping.table
    }

    /// COPY can leave out rows that do not convert.
    #[must_use]
    pub const fn copy_skips_errors(&self) -> bool {
        self.server_version >= 170_000
    }
}
