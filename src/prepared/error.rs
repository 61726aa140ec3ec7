//! Why a load failed, sorted by what the user can do: every kind has its exit code.

use std::path::{Path, PathBuf};

use crate::input::SourceError;
use crate::ledger::LedgerError;
use crate::pg::catalog::CatalogError;
use crate::pg::sqlstate::known_as;
use crate::pg::{DbError, PgError};
use crate::plan::Refusal;
use crate::rejects::RejectFileError;
use crate::schema::Mode;
use crate::write::WriteError;

/// Why a load failed.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// A source cannot be read at all.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The database cannot be reached.
    #[error(transparent)]
    Connect(#[from] PgError),
    /// The catalog cannot be read, or the target is no table.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    /// Schema, mapping or rights do not allow it.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The ledger cannot be used, or refuses.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// A batch could not be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// The server refused to create the table or record the run.
    #[error("{doing}")]
    Prepare {
        /// What was being done.
        doing: &'static str,
        /// The error that lies behind it.
        source: DbError,
    },
    /// Two names of one source go to one column, found after the sample.
    #[error("{source_name}: {error}")]
    Mapping {
        /// Name of the source, for people.
        source_name: String,
        /// Why the fields cannot be mapped.
        error: crate::map::MappingError,
    },
    /// The server knows nothing of the run that it has acknowledged commits of.
    #[error(
        "the server at {database} knows nothing of run {run}: it was lost by a failover to a standby that lagged, or the \
         ledger was deleted"
    )]
    Forgotten {
        /// The id of the run.
        run: String,
        /// The database, as `host:port/dbname` for people.
        database: String,
        /// What it did with records.
        mode: Mode,
    },
    /// Stopped by the caller: what was found or planned so far is no answer.
    #[error("stopped before the end")]
    Stopped,
    /// The table was changed while it was loaded, and does not fit any more.
    #[error("{change}; now")]
    ChangedMeanwhile {
        /// What was found in mid-load.
        change: String,
        /// What a new plan is refused for.
        #[source]
        error: Box<LoadError>,
    },
    /// Writing failed where an earlier start of the same load did, and for the same reason.
    #[error("write to the database")]
    FailedAgain(#[source] DbError),
    /// A worker thread of ours died: a defect of dbload.
    #[error("a worker of dbload failed: {0}")]
    Worker(String),
    /// Rejects that no ledger keeps could not be written to their file either.
    #[error("cannot write the reject file: {error}; {}", lost_words(*.rejects, .left.as_deref()))]
    RejectsLost {
        /// The error, in words for people.
        error: RejectFileError,
        /// Rejects that are in no file.
        rejects: u64,
        /// Where the ones before them are.
        left: Option<PathBuf>,
    },
    /// The sources gave fewer records than were expected of them.
    #[error("{read} records were read, and at least {expected} were expected")]
    TooFew {
        /// Records that were read.
        read: u64,
        /// Records that there should be at least.
        expected: u64,
    },
    /// A source has no records, and all rows of the table would go.
    #[error("{name} has no records, and --mode {mode} would take rows away for want of them")]
    EmptySource {
        /// The source, without secrets.
        name: String,
        /// The mode.
        mode: &'static str,
    },
    /// Not one record came into the table, and all rows of before would go.
    #[error("{read} records were read, and none of them could be stored: --mode {mode} would leave nothing")]
    NothingLoaded {
        /// Records that were read.
        read: u64,
        /// The mode.
        mode: &'static str,
    },
    /// The server does not let the rows take the place of those of before.
    #[error("the new content of {table} was not put in place{}", .held.as_ref().map_or_else(String::new, |held| format!("; {held}")))]
    NotReplaced {
        /// The table.
        table: String,
        /// What holds rows that are to go, in words.
        held: Option<String>,
        /// What the server says.
        source: DbError,
    },
    /// Something has kept rows out of the table, or has left others in it.
    #[error(
        "the new content of {table} was not put in place: {loaded} rows were loaded, and {rows} would be there"
    )]
    KeptOut {
        /// The table.
        table: String,
        /// Rows that would be in it.
        rows: u64,
        /// Rows that were loaded.
        loaded: u64,
    },
    /// More rows are in no source than may be removed.
    #[error("{gone} of {rows} rows of {table} are in no source, and at most {limit} may be removed")]
    TooManyRemovals {
        /// The table.
        table: String,
        /// Rows that would go.
        gone: u64,
        /// Rows that there are.
        rows: u64,
        /// What may go, in words.
        limit: String,
    },
    /// Others go along with the rows that were to be removed.
    #[error("removing {removed} rows of {table} would take {lost} away: it reaches other rows of the table")]
    OthersGone {
        /// The table.
        table: String,
        /// Rows that were removed.
        removed: u64,
        /// Rows that it has fewer then.
        lost: u64,
    },
    /// No record has the field that the watermark is of.
    #[error("not one of {records} records has a {field:?} that is a watermark")]
    NoMark {
        /// The field.
        field: String,
        /// Records that were read.
        records: u64,
    },
    /// The sums over what was committed do not balance.
    #[error("the books do not balance: {read} records read, {accounted} accounted for")]
    Unbalanced {
        /// Records that were read.
        read: u64,
        /// Records whose fate is known.
        accounted: u64,
    },
}

fn lost_words(rejects: u64, left: Option<&Path>) -> String {
    let left = left.map(|path| path.display());
    match (rejects, left) {
        (0, Some(left)) => format!("the rejected records are in {left}"),
        (n, None) => format!("rejected records that are kept nowhere: {n}"),
        (n, Some(left)) => {
            format!("rejected records that are kept nowhere: {n}; those before them are in {left}")
        }
    }
}

impl LoadError {
    /// What refuses a new plan, or the run, is the table's change, where there was one: what was loaded
    /// before is kept, and the load goes on once the table fits, unless the ledger says what it takes.
    pub(crate) fn because_of(self, change: Option<String>) -> Self {
        match (self, change) {
            (error @ (Self::Refused(_) | Self::Catalog(_)), Some(change)) => {
                Self::ChangedMeanwhile { change, error: Box::new(error) }
            }
            (Self::Ledger(error), Some(change)) if error.is_of_target() => {
                Self::ChangedMeanwhile { change, error: Box::new(Self::Ledger(error)) }
            }
            (error, _) => error,
        }
    }

    /// The server knows nothing of the run, wherever that showed.
    pub(crate) const fn is_forgotten(&self) -> bool {
        matches!(self, Self::Write(WriteError::Forgotten) | Self::Ledger(LedgerError::Forgotten))
    }

    /// What the user can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Source(error) => error.hint(),
            Self::Connect(error) => error.hint().map(ToOwned::to_owned),
            Self::Write(WriteError::Database(error)) => {
                let hint = error.hint().map_or_else(String::new, |hint| format!("{hint}; "));
                Some(format!("{hint}the same command goes on where this one stopped"))
            }
            Self::FailedAgain(error) => {
                let hint = error.hint().map_or_else(String::new, |hint| format!("{hint}; "));
                Some(format!(
                    "{hint}an earlier start failed at the same place for the same reason{}: until that is changed the same command fails \
                     here each time, and then it goes on where this one stopped",
                    known_as(error).map_or_else(String::new, |code| format!(" (SQLSTATE {code})"))
                ))
            }
            Self::Write(WriteError::Changed(_)) => Some(
                "what was committed before is in the ledger, if there is one; the same command looks at the table again, and goes on if it fits".to_owned(),
            ),
            Self::ChangedMeanwhile { error, .. } if matches!(**error, Self::Ledger(_)) => error.hint(),
            Self::ChangedMeanwhile { error, .. } => {
                let hint = error.hint().map_or_else(String::new, |hint| format!("{hint}; "));
                Some(format!(
                    "{hint}once the table fits, the same command goes on where this one stopped, unless a column was dropped: \
                     what was loaded into that is gone with it"
                ))
            }
            Self::Write(WriteError::Unknown(_)) => {
                Some("the same command asks the ledger, and goes on from there".to_owned())
            }
            Self::Catalog(CatalogError::Server(source)) | Self::Prepare { source, .. } => {
                source.hint().map(ToOwned::to_owned)
            }
            Self::Refused(refusal) => refusal.hint.clone(),
            Self::Ledger(error) => error.hint(),
            Self::Write(WriteError::Fenced) => Some("the other process goes on; nothing is lost".to_owned()),
            Self::Forgotten { mode, .. } => Some(forgotten_hint(*mode)),
            Self::RejectsLost { .. } => Some(
                "load again with another --rejects FILE, or with the ledger, which keeps rejects in the database".to_owned(),
            ),
            Self::TooFew { .. } | Self::NoMark { .. } => Some("the run is given up: the next start reads the sources anew".to_owned()),
            Self::EmptySource { .. } | Self::NothingLoaded { .. } => Some(
                "no row was taken away, and the run is given up: the next start reads the sources anew; --allow-empty \
                 believes them".to_owned(),
            ),
            Self::TooManyRemovals { gone, .. } => Some(format!(
                "nothing was removed; if that is right, the same command with --max-removals {gone} removes them, and \
                 reads nothing again"
            )),
            Self::OthersGone { .. } => Some(
                "nothing was removed: a foreign key that cascades, or a trigger, leads back to the table; once that is \
                 mended the same command removes them".to_owned(),
            ),
            Self::NotReplaced { source, .. } => {
                let hint = source.hint().map_or_else(String::new, |hint| format!("{hint}; "));
                Some(format!(
                    "{hint}the old content stays, and what was loaded is kept beside it: once that is mended, the same \
                     command puts it in place; --restart loads all sources anew"
                ))
            }
            Self::KeptOut { .. } => Some(
                "a trigger of the table keeps rows out, or puts others in; the old content stays, and what was loaded is \
                 kept beside it: without that trigger the same command puts it in place".to_owned(),
            ),
            Self::Mapping { .. } => Some("rename or remove one of them".to_owned()),
            Self::Catalog(_) | Self::Write(_) | Self::Stopped | Self::Worker(_) | Self::Unbalanced { .. } => None,
        }
    }
}

/// As far as the ledger knows there is nothing of the run. Whoever has deleted only the ledger still has the
/// rows.
fn forgotten_hint(mode: Mode) -> String {
    let begins =
        "as far as the ledger knows, nothing of it is in this database; the same command begins a new run";
    match mode {
        Mode::Append => format!(
            "{begins} and appends everything: look first that the table holds nothing of this one, which a deleted \
             ledger would not know of"
        ),
        Mode::Upsert | Mode::Update | Mode::Ignore => begins.to_owned(),
    }
}
