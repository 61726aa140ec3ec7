//! Exit codes: a documented contract. The gravest wins: 7, 5, 4, 9, 3.

use dbload::ledger::LedgerError;
use dbload::load::{Ended, LoadError};
use dbload::pg::PgError;
use dbload::pg::catalog::CatalogError;
use dbload::source::SourceError;
use dbload::write::WriteError;

/// Complete, all accepted.
pub(crate) const COMPLETE: u8 = 0;
/// A defect of dbload.
pub(crate) const UNEXPECTED: u8 = 1;
/// A wrong word on the command line.
pub(crate) const USAGE: u8 = 2;
/// Complete, with rejects.
pub(crate) const REJECTS: u8 = 3;
/// A source failed.
pub(crate) const SOURCE: u8 = 4;
/// The database failed.
pub(crate) const DATABASE: u8 = 5;
/// Schema, mapping or rights refused.
pub(crate) const REFUSED: u8 = 6;
/// Outcome unknown, or the books do not balance.
pub(crate) const UNKNOWN: u8 = 7;
/// Refused by the ledger.
pub(crate) const LEDGER: u8 = 8;
/// More rejects than allowed.
pub(crate) const BUDGET: u8 = 9;

/// The code of a load. `interrupted` is the signal's own (130 or 143).
pub(crate) fn code_of(ended: &Ended, rejected: u64, interrupted: u8) -> u8 {
    match ended {
        Ended::Complete if rejected > 0 => REJECTS,
        Ended::Complete => COMPLETE,
        Ended::SourceFailed => SOURCE,
        Ended::OverBudget => BUDGET,
        Ended::Interrupted => interrupted,
        Ended::Failed(error) => code_of_error(error),
    }
}

/// The code of an error.
pub(crate) fn code_of_error(error: &LoadError) -> u8 {
    match error {
        LoadError::Source(SourceError::Header { .. }) => REFUSED,
        LoadError::Source(_) => SOURCE,
        LoadError::Connect(error) => code_of_connect(error),
        LoadError::Refused(_) | LoadError::Mapping { .. } => REFUSED,
        LoadError::Catalog(error) => match error {
            CatalogError::Server(view) => code_of_sqlstate(view.sqlstate.as_deref()),
            CatalogError::NotATable { .. } | CatalogError::Name(_) => REFUSED,
            CatalogError::Answer => UNEXPECTED,
        },
        LoadError::Prepare { view, .. } => code_of_sqlstate(view.sqlstate.as_deref()),
        LoadError::Ledger(error) => code_of_ledger(error),
        LoadError::Write(error) => match error {
            WriteError::Database(_) => DATABASE,
            WriteError::Fenced | WriteError::Forgotten => LEDGER,
            WriteError::Unknown(_) | WriteError::LostCommits => UNKNOWN,
            WriteError::Stopped => UNEXPECTED,
        },
        LoadError::Forgotten { .. } => LEDGER,
        LoadError::Stopped | LoadError::Worker(_) | LoadError::RejectsLost { .. } => UNEXPECTED,
        LoadError::Unbalanced { .. } => UNKNOWN,
    }
}

fn code_of_connect(error: &PgError) -> u8 {
    match error {
        PgError::Dsn(_) => USAGE,
        _ => DATABASE,
    }
}

/// Missing rights and objects are the schema's; anything else is the database's.
fn code_of_sqlstate(sqlstate: Option<&str>) -> u8 {
    match sqlstate {
        Some(code) if code.starts_with("42") || code == "3F000" => REFUSED,
        _ => DATABASE,
    }
}

fn code_of_ledger(error: &LedgerError) -> u8 {
    match error {
        LedgerError::Server { view, .. } => code_of_sqlstate(view.sqlstate.as_deref()),
        LedgerError::Connect(error) => code_of_connect(error),
        LedgerError::NoRights { .. } | LedgerError::TooNew { .. } => REFUSED,
        LedgerError::Running { .. }
        | LedgerError::Raced
        | LedgerError::Fenced
        | LedgerError::Forgotten
        | LedgerError::OtherSettings { .. }
        | LedgerError::TargetChanged { .. }
        | LedgerError::SourceChanged { .. }
        | LedgerError::LoadedBefore { .. }
        | LedgerError::AppendedAndChanged { .. } => LEDGER,
        LedgerError::Unbalanced { .. } => UNKNOWN,
    }
}
