//! What a transaction came to: committed with its books, or failed, and where.

use crate::account::{Books, SourceBooks};
use crate::pg::DbError;

use super::mark::Marked;
use super::predictor::Direct;
use super::reject::{ReasonOfBatch, Rejected};
use super::strategy::Strategy;

/// Where a transaction failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FailedAt {
    /// No connection could be had.
    Connect,
    /// Before any value was looked at.
    Begin,
    /// In the COPY into staging, or the conversion.
    Staging,
    /// In the merge, or in the constraints at its end.
    Merge,
    /// The table is not the one that the plan was made for.
    Table,
    /// The table has another version than was known.
    Target,
    /// In writing the ledger.
    Ledger,
    /// COMMIT was sent, and its answer is missing.
    Commit,
}

impl FailedAt {
    /// At the table or in what is staged for it: its own statements have failed.
    pub(super) const fn is_before_ledger(self) -> bool {
        match self {
            Self::Begin | Self::Staging | Self::Merge | Self::Table => true,
            Self::Connect | Self::Target | Self::Ledger | Self::Commit => false,
        }
    }
}

/// A transaction that did not commit, as far as is known.
#[derive(Debug)]
pub(super) struct Failed {
    pub(super) at: FailedAt,
    pub(super) error: DbError,
}

impl Failed {
    pub(super) const fn at(at: FailedAt) -> impl Fn(DbError) -> Self {
        move |error| Self { at, error }
    }
}

/// What a batch came to.
#[derive(Debug, Clone, Default)]
pub struct Committed {
    /// What became of the batch's records.
    pub books: Books,
    /// Its books by source.
    pub sources: Vec<(u32, SourceBooks)>,
    /// Rejects, where no ledger keeps them.
    pub rejects: Vec<Rejected>,
    /// Why they were rejected, where somebody keeps a record.
    pub reasons: Vec<ReasonOfBatch>,
    /// What it comes to of the watermark, if one is kept.
    pub marked: Option<Box<Marked>>,
    /// It took the careful path.
    pub row_by_row: bool,
    /// Whether its rows went straight into the table.
    pub direct: Direct,
    /// Seconds in COPY, in the merge, and in the commit.
    pub seconds: [f64; 3],
}

/// What has become of a batch.
pub(super) enum Written {
    /// The batch is committed, with these books.
    Committed(Committed),
    /// Nothing is done, and this way is the next to try.
    Not(Strategy),
}
