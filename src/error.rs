//! The public error: sorted by what the caller can do, with its causes kept and the report of what was
//! committed.
//!
//! Which kind an error of a room is, is decided here and nowhere else; exit codes follow from the kind.

mod hint;

use std::error::Error as StdError;
use std::sync::Arc;

use crate::exit::ExitClass;
use crate::input::SourceError;
use crate::ledger::LedgerError;
use crate::load::{Ended, Outcome};
use crate::pg::catalog::CatalogError;
use crate::pg::sqlstate::is_refusal;
use crate::pg::{DbError, PgError};
use crate::prepared::LoadError;
use crate::report::{Report, SourceState};
use crate::write::WriteError;

/// What the caller can do about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// Mend the call: a connection string, a name, an option or a record that cannot be used.
    Usage,
    /// Mend table, mapping or rights: nothing was loaded.
    Refused,
    /// Mend the source, or wait for it: what it gave before is committed.
    Source,
    /// Wait for the database, or mend it: what was committed before stands.
    Database,
    /// Decide what becomes of another load: one that runs, has ended, or was begun otherwise.
    Ledger,
    /// Look at the rejects: there are more of them than allowed.
    Budget,
    /// Run the load again: whether the last batch is committed could not be found out.
    Unknown,
    /// Nothing is wrong: the load was stopped, as asked for.
    Stopped,
    /// Report it: a defect of dbload, or a machine that does not let it keep what it must.
    Unexpected,
}

impl ErrorKind {
    /// How a program that ends with such an error exits.
    #[must_use]
    pub const fn exit_class(self) -> ExitClass {
        match self {
            Self::Usage => ExitClass::Usage,
            Self::Refused => ExitClass::Refused,
            Self::Source => ExitClass::Source,
            Self::Database => ExitClass::Database,
            Self::Ledger => ExitClass::Ledger,
            Self::Budget => ExitClass::Budget,
            Self::Unknown => ExitClass::Unknown,
            Self::Stopped => ExitClass::Interrupted,
            Self::Unexpected => ExitClass::Unexpected,
        }
    }
}

impl LoadError {
    /// What the caller can do.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Source(SourceError::Header { .. }) => ErrorKind::Refused,
            Self::Source(
                SourceError::Missing(_) | SourceError::Dialect { .. } | SourceError::NoPipe { .. },
            ) => ErrorKind::Usage,
            Self::Source(_)
            | Self::TooFew { .. }
            | Self::NoMark { .. }
            | Self::EmptySource { .. }
            | Self::NothingLoaded { .. } => ErrorKind::Source,
            Self::Connect(error) => kind_of_connect(error),
            Self::Refused(_) | Self::Mapping { .. } => ErrorKind::Refused,
            Self::Catalog(error) => match error {
                CatalogError::Server(error) => kind_of_db(error),
                CatalogError::NotATable { .. } | CatalogError::Name(_) => ErrorKind::Refused,
                CatalogError::Answer => ErrorKind::Unexpected,
            },
            Self::Prepare { source, .. } => kind_of_db(source),
            Self::Ledger(error) => kind_of_ledger(error),
            Self::Write(error) => match error {
                WriteError::Database(_) | WriteError::Changed(_) => ErrorKind::Database,
                WriteError::Fenced | WriteError::Forgotten => ErrorKind::Ledger,
                WriteError::Unknown(_) | WriteError::LostCommits => ErrorKind::Unknown,
                WriteError::Stopped => ErrorKind::Unexpected,
            },
            Self::ChangedMeanwhile { error, .. } => match **error {
                Self::Ledger(_) => ErrorKind::Ledger,
                _ => ErrorKind::Database,
            },
            Self::FailedAgain(_)
            | Self::NotReplaced { .. }
            | Self::KeptOut { .. }
            | Self::OthersGone { .. } => ErrorKind::Database,
            Self::TooManyRemovals { .. } => ErrorKind::Budget,
            Self::Forgotten { .. } => ErrorKind::Ledger,
            Self::Stopped => ErrorKind::Stopped,
            Self::Worker(_) | Self::RejectsLost { .. } => ErrorKind::Unexpected,
            Self::Unbalanced { .. } => ErrorKind::Unknown,
        }
    }
}

fn kind_of_connect(error: &PgError) -> ErrorKind {
    match error {
        PgError::Dsn(_) | PgError::Missing(_) => ErrorKind::Usage,
        error if error.lacks_conversion() => ErrorKind::Refused,
        _ => ErrorKind::Database,
    }
}

/// Missing rights and objects are the schema's; anything else is the database's.
fn kind_of_db(error: &DbError) -> ErrorKind {
    if is_refusal(error) { ErrorKind::Refused } else { ErrorKind::Database }
}

fn kind_of_ledger(error: &LedgerError) -> ErrorKind {
    match error {
        LedgerError::Server { source, .. } => kind_of_db(source),
        LedgerError::Connect(error) => kind_of_connect(error),
        LedgerError::NoRights { .. } | LedgerError::TooNew { .. } | LedgerError::Untrusted { .. } => {
            ErrorKind::Refused
        }
        LedgerError::Running { .. }
        | LedgerError::CompletedMeanwhile { .. }
        | LedgerError::MarkOfAnother { .. }
        | LedgerError::Raced
        | LedgerError::Fenced
        | LedgerError::Forgotten
        | LedgerError::OtherSettings { .. }
        | LedgerError::OtherColumns { .. }
        | LedgerError::TargetChanged { .. }
        | LedgerError::KeyGone { .. }
        | LedgerError::TargetGone { .. }
        | LedgerError::AnotherVersion
        | LedgerError::SourceChanged { .. }
        | LedgerError::FileChanged { .. }
        | LedgerError::PlacesDiffer { .. }
        | LedgerError::NoSuchSource { .. }
        | LedgerError::AppendedElsewhere { .. }
        | LedgerError::AppendedInPart { .. }
        | LedgerError::AppendedInDoubt { .. }
        | LedgerError::AppendedToKin { .. }
        | LedgerError::AppendedSince { .. }
        | LedgerError::NotResumed { .. }
        | LedgerError::RowsStay { .. }
        | LedgerError::LoadedBefore { .. }
        | LedgerError::AppendedAndChanged { .. } => ErrorKind::Ledger,
        LedgerError::Unbalanced { .. } => ErrorKind::Unknown,
    }
}

/// The class of an outcome that is no error of its own.
impl Outcome {
    /// How a program with this outcome exits.
    #[must_use]
    pub fn exit_class(&self) -> ExitClass {
        self.ended.exit_class(self.report.as_ref().map_or(0, |report| report.rows.rejected))
    }
}

impl Ended {
    /// Whether it is a source that failed: what is said of it quotes its server, which may quote anything.
    pub(crate) fn is_of_source(&self) -> bool {
        self.exit_class(0) == ExitClass::Source
    }

    /// How a program exits whose load ended so, with so many records rejected.
    #[must_use]
    pub fn exit_class(&self, rejected: u64) -> ExitClass {
        match self {
            Self::Complete if rejected > 0 => ExitClass::Rejects,
            Self::Complete => ExitClass::Complete,
            Self::SourceFailed => ExitClass::Source,
            Self::OverBudget => ExitClass::Budget,
            Self::Interrupted => ExitClass::Interrupted,
            Self::Failed(error) => error.kind().exit_class(),
        }
    }
}

/// The error of the room that failed.
#[derive(Debug, thiserror::Error)]
enum Cause {
    #[error(transparent)]
    Load(LoadError),
    #[error("sources failed: {0}")]
    Sources(String),
    #[error("more records were rejected than allowed")]
    Budget,
    #[error("stopped before the end")]
    Stopped,
    #[error("{0}")]
    Usage(String),
    #[error("the record has no form in JSON")]
    Record(#[source] serde_json::Error),
    #[error("the records that were to be loaded came to no end")]
    Caller(#[source] Arc<dyn StdError + Send + Sync>),
    #[error("the load has ended already, and has said why")]
    Ended,
}

/// Why a load did not come to its end.
///
/// [`kind`](Error::kind) says what can be done, [`hint`](Error::hint) says it in words, the
/// [`source`](std::error::Error::source) chain has the causes, and [`report`](Error::report) what was
/// committed all the same. Neither holds a password or a value of a record.
#[derive(Debug)]
pub struct Error(Box<Inner>);

#[derive(Debug)]
struct Inner {
    kind: ErrorKind,
    cause: Cause,
    report: Option<Report>,
    may_resume: bool,
    first_unsaved: Option<u64>,
}

impl Error {
    fn new(kind: ErrorKind, cause: Cause) -> Self {
        Self(Box::new(Inner { kind, cause, report: None, may_resume: true, first_unsaved: None }))
    }

    /// What the caller can do about it.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Whether the same load, run again, goes on where this one ended: no record is read or applied that was
    /// committed.
    #[must_use]
    pub fn is_resumable(&self) -> bool {
        self.0.may_resume && self.0.kind.exit_class().resumes()
    }

    /// What can be done about it, in words.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match &self.0.cause {
            Cause::Load(error) => error.hint().map(|hint| hint::for_callers(&hint)),
            Cause::Sources(_) if self.is_resumable() => {
                Some("once that is mended, the same load reads what failed, and nothing else".to_owned())
            }
            Cause::Budget if self.is_resumable() => {
                Some("mend the source, or allow more; the same load goes on".to_owned())
            }
            Cause::Stopped if self.is_resumable() => Some("the same load goes on".to_owned()),
            Cause::Caller(_) | Cause::Sources(_) | Cause::Budget | Cause::Stopped => None,
            Cause::Record(_) => Some("nothing of it was sent; the load goes on without it".to_owned()),
            Cause::Usage(_) | Cause::Ended => None,
        }
    }

    /// For an append of what cannot be read again: the number of the first record, from 1, that is not in the
    /// table. All before it are.
    #[must_use]
    pub fn first_unsaved(&self) -> Option<u64> {
        self.0.first_unsaved
    }

    /// What was committed before, where the database could still be asked.
    #[must_use]
    pub fn report(&self) -> Option<&Report> {
        self.0.report.as_ref()
    }
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.cause.fmt(f)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.cause.source()
    }
}

impl From<LoadError> for Error {
    fn from(error: LoadError) -> Self {
        match error {
            LoadError::Stopped => Self::new(ErrorKind::Stopped, Cause::Stopped),
            error => Self::new(error.kind(), Cause::Load(error)),
        }
    }
}

impl Outcome {
    /// The report of a load that came to its end; else why it did not, with the report of what it did.
    ///
    /// # Errors
    ///
    /// Whatever kept it from its end.
    pub fn into_result(self) -> Result<Report, Error> {
        let Self { ended, report, may_resume, pipe_rest } = self;
        let error = match (ended, report) {
            (Ended::Complete, Some(report)) => return Ok(report),
            // A load that is complete has its report, or the reason is how it ended.
            (Ended::Complete, None) => LoadError::Worker("a complete load has no report".to_owned()).into(),
            (Ended::SourceFailed, report) => {
                let words = report.as_ref().map(failed_sources).unwrap_or_default();
                Error::new(ErrorKind::Source, Cause::Sources(words)).with(report)
            }
            (Ended::OverBudget, report) => Error::new(ErrorKind::Budget, Cause::Budget).with(report),
            (Ended::Interrupted, report) => Error::new(ErrorKind::Stopped, Cause::Stopped).with(report),
            (Ended::Failed(error), report) => Error::from(error).with(report),
        };
        let mut error: Error = error;
        error.0.may_resume = may_resume;
        error.0.first_unsaved = pipe_rest.map(|(_, record)| record);
        Err(error)
    }
}

impl Error {
    /// An option that cannot be used.
    pub(crate) fn usage(words: String) -> Self {
        Self::new(ErrorKind::Usage, Cause::Usage(words))
    }

    /// A record that cannot be sent.
    pub(crate) fn record(error: serde_json::Error) -> Self {
        Self::new(ErrorKind::Usage, Cause::Record(error))
    }

    /// A call to a load that has ended.
    pub(crate) fn ended() -> Self {
        Self::new(ErrorKind::Usage, Cause::Ended)
    }

    /// What was handed over cannot be read again.
    pub(crate) fn of_a_feed(mut self) -> Self {
        self.0.may_resume = false;
        self
    }

    /// The caller's own error is why there were no more records.
    pub(crate) fn because(mut self, error: Arc<dyn StdError + Send + Sync>) -> Self {
        if self.0.kind == ErrorKind::Source {
            self.0.cause = Cause::Caller(error);
        }
        self
    }

    fn with(mut self, report: Option<Report>) -> Self {
        self.0.report = report;
        self
    }
}

fn failed_sources(report: &Report) -> String {
    let failed = report.sources.iter().filter(|source| source.state == SourceState::Failed);
    let words = failed.map(|source| {
        let why = source.error.as_deref().unwrap_or("why is not known");
        format!("{}: {why}", source.name)
    });
    words.collect::<Vec<_>>().join("; ")
}
