//! Why fixtures did not get into a database.

use std::io;
use std::path::PathBuf;

use crate::fixtures::Problems;
use crate::pg::catalog::CatalogError;
use crate::pg::{DbError, PgError};

/// Why fixtures did not get into a database. Nothing of them is in it then.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SeedError {
    /// A folder or file cannot be read.
    #[error("read {}", path.display())]
    File {
        /// Which one.
        path: PathBuf,
        /// The error that lies behind it.
        #[source]
        source: io::Error,
    },
    /// The files say what cannot be.
    #[error(transparent)]
    Problems(#[from] Problems),
    /// The database is not for tests.
    #[error("database {0:?} does not look like one for tests: nothing was written")]
    NotForTests(String),
    /// No session can be had.
    #[error("connect to the database")]
    Connect(#[source] PgError),
    /// The catalog does not say what it was asked for.
    #[error("read the catalog")]
    Catalog(#[from] CatalogError),
    /// The server refuses a row.
    #[error("{place}: {words}")]
    Row {
        /// File, line and label.
        place: String,
        /// What is wrong with it, with the server's words.
        words: String,
    },
    /// The server refuses something else, or is gone.
    #[error("{doing}")]
    Server {
        /// What was being done, as a verb phrase.
        doing: String,
        /// The error that lies behind it.
        #[source]
        source: DbError,
    },
}

impl SeedError {
    /// An error of the server, with what was being done, as a verb phrase.
    pub(super) fn server(doing: &str, source: DbError) -> Self {
        Self::Server { doing: doing.to_owned(), source }
    }

    /// What can be done about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NotForTests(_) => Some(
                "a name with `test` as a word of its own is taken for one; --yes takes this one all the same"
                    .to_owned(),
            ),
            Self::Connect(error) => error.hint().map(|hint| hint.to_string()),
            _ => None,
        }
    }
}
