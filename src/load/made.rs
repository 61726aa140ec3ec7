//! A table that a run has made: what its sample took for a text is no number in it.

use crate::ledger::StoredRun;

/// The setting that says so of a stored run.
pub(super) const MADE: &str = "made";

/// When the table was made.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum TableOrigin {
    /// Before this run.
    Before,
    /// At an earlier start of it.
    ByThisRun,
    /// At this start, by this statement.
    Here(String),
}

impl TableOrigin {
    /// Of a stored run.
    pub(super) fn of(stored: &StoredRun) -> Self {
        if stored.settings.contains_key(MADE) { Self::ByThisRun } else { Self::Before }
    }

    pub(super) fn ddl(self) -> Option<String> {
        match self {
            Self::Before | Self::ByThisRun => None,
            Self::Here(ddl) => Some(ddl),
        }
    }
}
