//! Why a file of SQLite gives no (further) rows, and what to do about it.

use std::error::Error;

type SqliteCause = Box<dyn Error + Send + Sync>;

/// Names that an error lists.
const NAMES_SHOWN: usize = 8;

/// Why a table cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum SqliteError {
    /// The operating system, or SQLite, does not open it.
    #[error("SQLite cannot open the file")]
    Open(#[source] SqliteCause),
    /// The file is something else.
    #[error("the file is no SQLite database, or an encrypted one")]
    NotADatabase,
    /// Somebody else writes, and does not end.
    #[error("another process keeps the file locked")]
    Locked,
    /// What is stored does not hang together.
    #[error("the database is damaged")]
    Damaged(#[source] SqliteCause),
    /// No table of that name.
    #[error("the file has no table or view {name}{}", names(.has))]
    Missing {
        /// The name that was asked for.
        name: String,
        /// Those that there are.
        has: Vec<String>,
    },
    /// It has rows that nobody could name.
    #[error("it has no columns that could be read")]
    NoColumns,
    /// A statement that gives no rows, or writes.
    #[error("what stands behind query= is no query")]
    NoRows,
    /// SQLite refuses.
    #[error("SQLite does not give the rows")]
    Refused(#[source] SqliteCause),
    /// The place of a load is none in this table.
    #[error("it has another primary key, or other values in it, than when this load began")]
    OtherKey,
    /// The thread that reads is gone.
    #[error("its reader ended early")]
    Gone,
}

fn names(has: &[String]) -> String {
    let shown = has.iter().take(NAMES_SHOWN).cloned().collect::<Vec<_>>().join(", ");
    match has.len() {
        0 => "; it has none".to_owned(),
        n if n > NAMES_SHOWN => format!("; it has {shown} and {} more", n - NAMES_SHOWN),
        _ => format!("; it has {shown}"),
    }
}

impl SqliteError {
    /// What to do about it.
    #[must_use]
    pub const fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Open(_) => Some(
                "it needs the right to read the file, and one that another program has in WAL mode or left in the middle \
                 of a transaction the right to write beside it; a copy is made by: sqlite3 FILE 'VACUUM INTO \"COPY\"'",
            ),
            Self::NotADatabase => {
                Some("if it is a file of records, name it by its path alone, without sqlite://")
            }
            Self::Locked => {
                Some("wait until that process has ended its transaction; the same command reads it then")
            }
            Self::Damaged(_) => Some("sqlite3 FILE .recover writes what can be saved of it as SQL"),
            Self::Missing { .. } => Some("table=NAME takes one of them"),
            Self::NoRows => Some("one SELECT, VALUES or WITH .. SELECT; %20 is a space"),
            Self::OtherKey => Some("its rows are told apart otherwise now: --restart reads it anew"),
            Self::NoColumns | Self::Refused(_) | Self::Gone => None,
        }
    }
}

#[cfg(feature = "sqlite")]
impl From<rusqlite::Error> for SqliteError {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode as Code;
        match error.sqlite_error_code() {
            Some(Code::NotADatabase) => Self::NotADatabase,
            Some(Code::DatabaseBusy | Code::DatabaseLocked) => Self::Locked,
            Some(Code::DatabaseCorrupt) => Self::Damaged(error.into()),
            Some(Code::CannotOpen | Code::PermissionDenied | Code::ReadOnly) => Self::Open(error.into()),
            _ => Self::Refused(error.into()),
        }
    }
}
