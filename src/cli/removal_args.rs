//! Flags about rows that are in the table and not in the sources.

use clap::Args;
use dbload::internals::schema::{RemovalLimit, Removals};

use super::parse;

/// What may be done about rows that are in no source.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Target")]
pub(crate) struct RemovalArgs {
    /// With --mode sync: remove no row at all where more would go, or more than this share of all rows; by
    /// default 10%, and 10 rows of fewer than 100
    #[arg(long, value_name = "N|P%", env = "DBLOAD_MAX_REMOVALS", value_parser = parse::removals)]
    pub(crate) max_removals: Option<RemovalLimit>,
    /// With --mode replace or sync: a source without records is no mistake, and neither is a load that comes
    /// to no rows at all
    #[arg(long, env = "DBLOAD_ALLOW_EMPTY", value_parser = parse::switch("DBLOAD_ALLOW_EMPTY"))]
    pub(crate) allow_empty: bool,
    /// With --mode replace or sync: rows may go although foreign keys of other tables then delete or change
    /// rows there (CASCADE, SET NULL, SET DEFAULT)
    #[arg(long, env = "DBLOAD_ALLOW_CASCADE", value_parser = parse::switch("DBLOAD_ALLOW_CASCADE"))]
    pub(crate) allow_cascade: bool,
}

impl RemovalArgs {
    /// As a job has it.
    pub(crate) fn removals(&self) -> Removals {
        let max = self.max_removals.unwrap_or_default();
        Removals { allow_empty: self.allow_empty, allow_cascade: self.allow_cascade, max }
    }
}
