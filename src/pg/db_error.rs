//! What went wrong with a statement, or with having a session for it: the server's word, a connection that is
//! gone, or a condition of our own. Each is an arm of its own and keeps its cause; what it means is asked of
//! `sqlstate`.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// What lies behind an error. Shared: the failure of a batch is told more than once.
pub type SharedCause = Arc<dyn Error + Send + Sync>;

/// Why a statement came to nothing. `Debug` leaves out the texts that may quote a record.
#[derive(Clone, thiserror::Error)]
#[non_exhaustive]
pub enum DbError {
    /// The server's own word.
    #[error(transparent)]
    Server(Box<ServerError>),
    /// The connection is gone; or what came over it is no answer of PostgreSQL, and nobody knows what the
    /// next one would be an answer to.
    #[error("the connection was lost{}", of(.place.as_deref()))]
    Lost {
        /// The database, as `host:port/dbname` for people.
        place: Option<Arc<str>>,
        /// What the driver says.
        #[source]
        cause: Option<SharedCause>,
    },
    /// The server has not answered for so long that it counts as gone.
    #[error("no answer within {} s{}", .limit.as_secs(), of(.place.as_deref()))]
    TimedOut {
        /// The time limit that was passed.
        limit: Duration,
        /// The database, as `host:port/dbname` for people.
        place: Option<Arc<str>>,
    },
    /// Nobody gives us a session: as good as a connection that was lost.
    #[error(transparent)]
    Unreachable(SharedCause),
    /// No server takes writes, as far as the connection string names any.
    #[error(transparent)]
    ReadOnly(SharedCause),
    /// The table is another one than the plan was made for.
    #[error("table {table} was changed while it was loaded: {change}")]
    TableChanged {
        /// Name of the table that the error is about.
        table: String,
        /// What is different, in words.
        change: String,
    },
    /// The columns of the table are others than when this transaction's statements were made.
    #[error("table {table} was changed while it was loaded")]
    Stale {
        /// Name of the table that the error is about.
        table: String,
    },
    /// What a merge did cannot be told from the table's counters: something else writes to the table within
    /// this very transaction.
    #[error("what was written does not come to what was merged")]
    Uncounted,
    /// An answer has another shape than was asked for.
    #[error("{0}")]
    Answer(String),
    /// The protocol has no word for it: it never reaches the server.
    #[error("a statement with a NUL character cannot be sent")]
    Nul,
    /// Anything else that a driver or a question to the catalog gives.
    #[error(transparent)]
    Other(SharedCause),
}

/// An error as the server reported it. `Debug` leaves out the texts that may quote a record.
#[derive(Clone, Default, PartialEq, Eq, thiserror::Error)]
#[error("{message} ({sqlstate})")]
pub struct ServerError {
    /// The SQLSTATE that the server gave.
    pub sqlstate: String,
    /// The server ended the session too (FATAL, PANIC).
    pub ended_session: bool,
    /// The primary message; may quote values of the record.
    pub message: String,
    /// The detail; may quote values of the record.
    pub detail: Option<String>,
    /// Name of the constraint that the error is about.
    pub constraint: Option<String>,
    /// Name of the schema that the error is about.
    pub schema: Option<String>,
    /// Name of the table that the error is about.
    pub table: Option<String>,
    /// Name of the column that the error is about.
    pub column: Option<String>,
}

fn of(place: Option<&str>) -> String {
    place.map_or_else(String::new, |place| format!(" (server {place})"))
}

impl DbError {
    /// A lost connection, without a word from anybody.
    #[must_use]
    pub const fn lost() -> Self {
        Self::Lost { place: None, cause: None }
    }

    /// Anything that has no arm of its own.
    pub fn other(error: impl Error + Send + Sync + 'static) -> Self {
        Self::Other(Arc::new(error))
    }

    /// The server's word, if it gave one.
    #[must_use]
    pub fn server(&self) -> Option<&ServerError> {
        match self {
            Self::Server(said) => Some(said),
            _ => None,
        }
    }

    /// The SQLSTATE, if the server gave one.
    #[must_use]
    pub fn sqlstate(&self) -> Option<&str> {
        self.server().map(|said| said.sqlstate.as_str())
    }

    /// The constraint that the server names.
    #[must_use]
    pub fn constraint(&self) -> Option<&str> {
        self.server()?.constraint.as_deref()
    }

    /// The session is over: the connection broke, or the server ended it.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        match self {
            Self::Server(said) => said.ended_session,
            Self::Lost { .. } | Self::TimedOut { .. } | Self::Unreachable(_) => true,
            _ => false,
        }
    }

    /// As it arose on a session with the server at `place`: what is not the server's word there, and no limit
    /// of ours, is a connection that is of no more use.
    pub(super) fn at(self, place: &Arc<str>) -> Self {
        let place = Some(Arc::clone(place));
        match self {
            Self::Lost { cause, .. } => Self::Lost { place, cause },
            Self::TimedOut { limit, .. } => Self::TimedOut { limit, place },
            Self::Other(cause) => Self::Lost { place, cause: Some(cause) },
            other => other,
        }
    }
}

impl fmt::Debug for DbError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let arm = match self {
            Self::Server(said) => return said.fmt(f),
            Self::Lost { .. } => "Lost",
            Self::TimedOut { .. } => "TimedOut",
            Self::Unreachable(_) => "Unreachable",
            Self::ReadOnly(_) => "ReadOnly",
            Self::TableChanged { .. } => "TableChanged",
            Self::Stale { .. } => "Stale",
            Self::Uncounted => "Uncounted",
            Self::Answer(_) => "Answer",
            Self::Nul => "Nul",
            Self::Other(_) => "Other",
        };
        f.write_str(arm)
    }
}

impl fmt::Debug for ServerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerError")
            .field("sqlstate", &self.sqlstate)
            .field("ended_session", &self.ended_session)
            .field("constraint", &self.constraint)
            .field("table", &self.table)
            .field("column", &self.column)
            .finish_non_exhaustive()
    }
}

impl From<ServerError> for DbError {
    fn from(said: ServerError) -> Self {
        Self::Server(Box::new(said))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_no_texts_that_may_quote_a_record() {
        let said = ServerError {
            message: "invalid input syntax: \"canary\"".to_owned(),
            detail: Some("Key (a)=(canary) exists".to_owned()),
            ..ServerError::default()
        };
        assert!(!format!("{:?}", DbError::from(said)).contains("canary"));
        assert!(!format!("{:?}", DbError::Answer("canary".to_owned())).contains("canary"));
    }
}
