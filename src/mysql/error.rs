//! Why a server of MySQL gives no (further) rows, and what to do about it.

use std::error::Error;

type MysqlCause = Box<dyn Error + Send + Sync>;

/// Names that an error lists.
const NAMES_SHOWN: usize = 8;

/// Why a table cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum MysqlError {
    /// Nobody answers there.
    #[error("cannot connect to the server {place}")]
    Connect {
        /// Where.
        place: String,
        /// Why not.
        source: MysqlCause,
    },
    /// It answers, and lets us not in.
    #[error("the server {place} does not let us in")]
    Login {
        /// Where.
        place: String,
        /// Its words.
        source: MysqlCause,
    },
    /// It wants another way to prove who one is.
    #[error("the server {place} asks for a way to log in that is not known here")]
    LoginMethod {
        /// Where.
        place: String,
        /// Which one.
        source: MysqlCause,
    },
    /// No such database, or none that the user may see.
    #[error("the server {place} has no such database, or not for this user")]
    Database {
        /// Where.
        place: String,
        /// Its words.
        source: MysqlCause,
    },
    /// No encrypted connection comes about.
    #[error("no encrypted connection to the server {place}")]
    Tls {
        /// Where.
        place: String,
        /// Why not.
        source: MysqlCause,
    },
    /// A name without a database.
    #[error("the table {0} is of no database")]
    NoDatabase(String),
    /// No table of that name.
    #[error("the database {database} has no table or view {name} that this user sees{}", names(.has))]
    Missing {
        /// Where it was looked for.
        database: String,
        /// The name that was asked for.
        name: String,
        /// Those that there are.
        has: Vec<String>,
    },
    /// It has rows that nobody could name.
    #[error("it has no columns that could be read")]
    NoColumns,
    /// A statement that gives no rows.
    #[error("what stands behind query= is no query")]
    NoRows,
    /// The user may not read it.
    #[error("the user may not read it")]
    Right(#[source] MysqlCause),
    /// The server refuses.
    #[error("the server does not give the rows")]
    Refused(#[source] MysqlCause),
    /// The connection broke.
    #[error("the connection to the server broke")]
    Lost(#[source] MysqlCause),
    /// The place of a load is none in this table.
    #[error("it has another primary key than when this load began")]
    OtherKey,
    /// The task that reads is gone: what came from the server was nothing that it could read.
    #[error("its reader ended early: what the server sent could not be read")]
    Gone,
}

fn names(has: &[String]) -> String {
    let shown = has.iter().take(NAMES_SHOWN).cloned().collect::<Vec<_>>().join(", ");
    match has.len() {
        0 => String::new(),
        n if n > NAMES_SHOWN => format!("; it has {shown} and {} more", n - NAMES_SHOWN),
        _ => format!("; it has {shown}"),
    }
}

impl MysqlError {
    /// What to do about it.
    #[must_use]
    pub const fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Connect { .. } => Some(
                "mysql://USER@HOST:PORT/DATABASE?table=NAME; a server of this machine may have a socket alone: ?socket=PATH",
            ),
            Self::Login { .. } => Some(
                "the password stands in the word, in ~/.my.cnf (section [client]), in another file by defaults-file=PATH, or in \
                 MYSQL_PWD; the server may let this user in from certain hosts alone",
            ),
            Self::LoginMethod { .. } => Some(
                "mysql_native_password works, and caching_sha2_password over TLS (ssl-mode=REQUIRED): make such a user who may \
                 read the table",
            ),
            Self::Database { .. } => Some("SHOW DATABASES says which ones this user sees"),
            Self::Tls { .. } => Some(
                "ssl-ca=FILE names the authority of the server's certificate, and VERIFY_CA asks for no more than that; \
                 ssl-mode=DISABLED goes without, and everybody on the way can read along",
            ),
            Self::NoDatabase(_) => Some("mysql://HOST/DATABASE?table=NAME, or table=DATABASE.NAME"),
            Self::Missing { .. } => Some("table=NAME, or table=DATABASE.NAME, as SHOW TABLES has it"),
            Self::NoRows => Some("one SELECT, VALUES or WITH .. SELECT; %20 is a space"),
            Self::Right(_) => Some("GRANT SELECT on it to the user; of a view, its maker needs it too"),
            Self::Lost(_) => {
                Some("the same command goes on where the last batch was committed, if there is a key")
            }
            Self::OtherKey => Some("its rows are told apart otherwise now: --restart reads it anew"),
            Self::NoColumns | Self::Refused(_) | Self::Gone => None,
        }
    }
}

/// Numbers of the server's errors, by what they say of a login, of a database, of a right.
#[cfg(feature = "mysql")]
mod numbers {
    pub(super) const LOGIN: [u16; 5] = [1045, 1129, 1130, 1698, 1862];
    pub(super) const LOGIN_METHOD: [u16; 3] = [1251, 1275, 2059];
    pub(super) const DATABASE: [u16; 2] = [1044, 1049];
    pub(super) const TLS: [u16; 1] = [3159];
    // Of a view whose maker is gone it says that nobody is let in.
    pub(super) const RIGHT: [u16; 7] = [1045, 1142, 1143, 1227, 1356, 1370, 1449];
}

#[cfg(feature = "mysql")]
impl MysqlError {
    /// Of what ended the attempt to log in.
    pub(super) fn of_connect(place: String, error: sqlx::Error) -> Self {
        let number = number_of(&error);
        let is = |numbers: &[u16]| number.is_some_and(|number| numbers.contains(&number));
        if is(&numbers::LOGIN) {
            return Self::Login { place, source: error.into() };
        }
        if is(&numbers::LOGIN_METHOD) {
            return Self::LoginMethod { place, source: error.into() };
        }
        if is(&numbers::DATABASE) {
            return Self::Database { place, source: error.into() };
        }
        match error {
            error if is(&numbers::TLS) => Self::Tls { place, source: error.into() },
            error @ sqlx::Error::Tls(_) => Self::Tls { place, source: error.into() },
            sqlx::Error::Io(io) if io.get_ref().is_some_and(|inner| inner.is::<rustls::Error>()) => {
                Self::Tls { place, source: io.into() }
            }
            // Before rows are read, it speaks of ways to log in alone.
            error @ (sqlx::Error::Protocol(_) | sqlx::Error::Configuration(_)) => {
                Self::LoginMethod { place, source: error.into() }
            }
            error => Self::Connect { place, source: error.into() },
        }
    }
}

#[cfg(feature = "mysql")]
fn number_of(error: &sqlx::Error) -> Option<u16> {
    let sqlx::Error::Database(error) = error else { return None };
    Some(error.try_downcast_ref::<sqlx::mysql::MySqlDatabaseError>()?.number())
}

#[cfg(feature = "mysql")]
impl From<sqlx::Error> for MysqlError {
    fn from(error: sqlx::Error) -> Self {
        match (&error, number_of(&error)) {
            (_, Some(number)) if numbers::RIGHT.contains(&number) => Self::Right(error.into()),
            (sqlx::Error::Io(_), _) => Self::Lost(error.into()),
            _ => Self::Refused(error.into()),
        }
    }
}
