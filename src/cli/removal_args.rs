//! Flags about rows that are in the table and not in the sources.

use clap::Args;
use dbload::internals::job::Removals;

use super::parse;

/// What may be done about rows that are in no source.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Target")]
pub(crate) struct RemovalArgs {
    /// With --mode replace: a source without records is no mistake, and neither is a load that comes to no
    /// rows at all
    #[arg(long, env = "DBLOAD_ALLOW_EMPTY", value_parser = parse::switch("DBLOAD_ALLOW_EMPTY"))]
    pub(crate) allow_empty: bool,
    /// With --mode replace: rows may go although foreign keys of other tables then delete or change rows
    /// there (CASCADE, SET NULL, SET DEFAULT)
    #[arg(long, env = "DBLOAD_ALLOW_CASCADE", value_parser = parse::switch("DBLOAD_ALLOW_CASCADE"))]
    pub(crate) allow_cascade: bool,
}

impl RemovalArgs {
    /// As a job has it.
    pub(crate) const fn removals(&self) -> Removals {
        Removals { allow_empty: self.allow_empty, allow_cascade: self.allow_cascade }
    }
}
