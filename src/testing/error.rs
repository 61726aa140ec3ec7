//! Why a test gets no database.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::PathBuf;

use crate::causes::with_causes;
use crate::local::LocalError;
use crate::pg::{DbError, PgError};
use crate::seed::SeedError;

/// What the caller's migrations may fail with.
pub(super) type BoxError = Box<dyn Error + Send + Sync>;

/// Why a test gets no database. `Debug` is for `unwrap()`: the same words as `Display`.
pub struct TestingError(Box<TestingCause>);

#[derive(Debug, thiserror::Error)]
pub(super) enum TestingCause {
    #[error(transparent)]
    Local(#[from] LocalError),
    #[error(transparent)]
    Seed(#[from] SeedError),
    #[error("read {}", path.display())]
    File {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("{doing}")]
    Server {
        doing: String,
        #[source]
        source: DbError,
    },
    #[error("connect to the new database")]
    Connect(#[source] PgError),
    #[error("run the migrations {name:?}")]
    Migrations {
        name: String,
        #[source]
        source: BoxError,
    },
    #[error("{0}")]
    Refused(String),
    #[error("a thread of dbload ended: {0}")]
    Thread(String),
}

impl TestingCause {
    /// The server refuses what is being done.
    pub(super) fn server(doing: impl Into<String>) -> impl FnOnce(DbError) -> Self {
        let doing = doing.into();
        move |source| Self::Server { doing, source }
    }
}

impl TestingError {
    /// What was asked for cannot be: files or words of the caller have to change. Else the server, or what
    /// runs it, is at fault.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        match &*self.0 {
            TestingCause::Refused(_) | TestingCause::File { .. } | TestingCause::Migrations { .. } => true,
            TestingCause::Seed(error) => {
                matches!(error, SeedError::Problems(_) | SeedError::Row { .. } | SeedError::File { .. })
            }
            TestingCause::Server { source, .. } => source.server().is_some(),
            TestingCause::Local(_) | TestingCause::Connect(_) | TestingCause::Thread(_) => false,
        }
    }

    /// What can be done about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match &*self.0 {
            TestingCause::Local(error) => error.hint(),
            TestingCause::Seed(error) => error.hint(),
            _ => None,
        }
    }
}

impl From<TestingCause> for TestingError {
    fn from(cause: TestingCause) -> Self {
        Self(Box::new(cause))
    }
}

impl fmt::Display for TestingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&with_causes(&*self.0))
    }
}

impl fmt::Debug for TestingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)?;
        self.hint().map_or(Ok(()), |hint| write!(f, "\nhint: {hint}"))
    }
}

impl Error for TestingError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source()
    }
}
