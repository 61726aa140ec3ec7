//! A table that a run has made: what its sample took for a text is no number in it.

use crate::ledger::{MADE, StoredRun, has_made};
use crate::pg::Session;
use crate::prepared::{Act, LoadError};
use crate::schema::Table;

use super::settings::identities;
use super::start::Start;

/// When the table was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum TableOrigin {
    /// Before this run.
    Before,
    /// At an earlier start of it; or by the run that this one is compared with, or whose rejects it loads
    /// again.
    ByThisRun,
    /// At this start, by this statement.
    Here(String),
}

impl TableOrigin {
    /// Of a stored run that goes on.
    pub(super) fn of(self, stored: &StoredRun) -> Self {
        if stored.settings.contains_key(MADE) { Self::ByThisRun } else { self }
    }

    pub(super) fn ddl(self) -> Option<String> {
        match self {
            Self::Before | Self::ByThisRun => None,
            Self::Here(ddl) => Some(ddl),
        }
    }
}

impl Start<'_> {
    /// Of a table that is there. A comparison reads values as the run did that it looks after, and so does
    /// who loads its rejects again.
    pub(super) async fn origin(&self, session: &Session, table: &Table) -> Result<TableOrigin, LoadError> {
        let sampled = &self.begun.sampled.beginnings;
        let are_rejects =
            !sampled.is_empty() && sampled.iter().all(|seen| seen.layout.format.has_refused_records());
        let is_made = match self.act {
            Act::Verify => has_made(session, table.oid, &identities(self.job, &table.name)?).await,
            Act::Load | Act::Plan => are_rejects && has_made(session, table.oid, &[]).await,
        };
        Ok(if is_made { TableOrigin::ByThisRun } else { TableOrigin::Before })
    }
}
