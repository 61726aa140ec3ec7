//! What can go wrong with a connection, sorted by what the caller can do about it.
//!
//! Every message names the place (`host:port/dbname`) and, where a login failed, the user. None holds a
//! password: they are built from the [`ConnInfo`]'s redacted description, the drivers' own words and the
//! server's primary message.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use crate::causes::with_causes;
use crate::feature::Missing;

use super::db_error::{DbError, ServerError};
use super::dsn::{ConnInfo, DsnError, Server};
use super::sqlstate::{self, Action, Stage};
use super::tls::{CertificateFault, TlsError};
use super::transport::DialError;

/// An error of this room.
#[derive(Debug, thiserror::Error)]
pub enum PgError {
    /// Mend the connection string.
    #[error(transparent)]
    Dsn(#[from] DsnError),
    /// Build with the feature.
    #[error(transparent)]
    Missing(#[from] Missing),
    /// Mend the TLS files that the connection string names.
    #[error(transparent)]
    TlsFiles(#[from] TlsError),
    /// Nobody answers there: wait and try again, or mend the host.
    #[error("cannot connect to {place}: {why}")]
    Unreachable {
        /// The database, as `host:port/dbname` for people.
        place: String,
        /// In which way it failed.
        why: Unreachable,
    },
    /// The two sides cannot agree on TLS.
    #[error("cannot connect to {place} with TLS: {why}")]
    Tls {
        /// The database, as `host:port/dbname` for people.
        place: String,
        /// In which way it failed.
        why: TlsFailure,
    },
    /// The server does not let this user in: mend user, password or rights.
    #[error("cannot log in to {place} as {user}: {why}")]
    Login {
        /// The database, as `host:port/dbname` for people.
        place: String,
        /// The role that tried to log in.
        user: String,
        /// In which way it failed.
        why: LoginFailure,
    },
    /// The server answers but takes no session now, or has no such database: its SQLSTATE says which.
    #[error("cannot open a session on {place} as {user}")]
    Refused {
        /// The database, as `host:port/dbname` for people.
        place: String,
        /// The role that tried to log in.
        user: String,
        /// The answer of the server, with its SQLSTATE.
        source: Box<ServerError>,
    },
    /// None of the servers takes writes: wait for a promotion, or name the primary.
    #[error("cannot find a server that takes writes at {place}")]
    ReadOnly {
        /// The database, as `host:port/dbname` for people.
        place: String,
    },
    /// All connections stayed in use.
    #[error("cannot get a connection to {place} from the pool within {} s", .waited.as_secs())]
    PoolBusy {
        /// The database, as `host:port/dbname` for people.
        place: String,
        /// How long was waited.
        waited: Duration,
    },
    /// The server refused a statement, or went away under it.
    #[error("cannot {doing}")]
    Statement {
        /// What was being done, as a verb phrase.
        doing: &'static str,
        /// The error that lies behind it.
        source: DbError,
    },
    /// This machine does not let dbload do what it needs.
    #[error("cannot {doing}")]
    Local {
        /// What was being done, as a verb phrase.
        doing: &'static str,
        /// The error that lies behind it.
        source: io::Error,
    },
}

/// Why no server answers at a place.
#[derive(Debug)]
pub enum Unreachable {
    /// The name has no address.
    UnknownHost(io::Error),
    /// Refused, no route, no such socket.
    NoConnection(io::Error),
    /// No answer in time.
    Timeout(Duration),
    /// The connection broke, or something else than PostgreSQL answered.
    BrokenOff(String),
}

impl std::fmt::Display for Unreachable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::UnknownHost(error) => write!(f, "the host is unknown ({error})"),
            Self::NoConnection(error) => write!(f, "{error}"),
            Self::Timeout(limit) => write!(f, "no answer within {} s", limit.as_secs()),
            Self::BrokenOff(what) => write!(f, "{what}"),
        }
    }
}

/// Why the two sides do not agree on TLS.
#[derive(Debug)]
pub enum TlsFailure {
    /// The server offers none.
    NotOffered,
    /// The certificate is not acceptable.
    Certificate(Box<CertificateFault>),
    /// The handshake failed otherwise.
    Handshake(io::Error),
}

impl std::fmt::Display for TlsFailure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NotOffered => f.write_str("the server does not offer it"),
            Self::Certificate(fault) => write!(f, "the server's certificate {fault}"),
            Self::Handshake(error) => write!(f, "{error}"),
        }
    }
}

/// Why a login failed.
#[derive(Debug)]
pub enum LoginFailure {
    /// The server wants a password and none was given.
    NoPassword,
    /// The server said no (SQLSTATE class 28).
    Denied(Box<ServerError>),
    /// The two sides cannot agree on a method, or the server could not prove itself.
    Method(String),
}

impl std::fmt::Display for LoginFailure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NoPassword => f.write_str("the server asks for a password and none was given"),
            Self::Denied(said) => f.write_str(&said.message),
            Self::Method(what) => f.write_str(what),
        }
    }
}

impl PgError {
    /// A statement's error, with what was being done (a verb phrase after "cannot").
    pub fn statement(doing: &'static str, error: impl Into<DbError>) -> Self {
        Self::Statement { doing, source: error.into() }
    }

    pub(super) fn from_dial(dsn: &ConnInfo, server: &Server, error: DialError) -> Self {
        let place = place(dsn, server);
        match error {
            DialError::Lookup(error) => Self::Unreachable { place, why: Unreachable::UnknownHost(error) },
            DialError::Connect(error) => Self::Unreachable { place, why: Unreachable::NoConnection(error) },
            DialError::Timeout(limit) => Self::Unreachable { place, why: Unreachable::Timeout(limit) },
            DialError::Answer(error) => {
                Self::Unreachable { place, why: Unreachable::BrokenOff(error.to_string()) }
            }
            DialError::TlsNotOffered => Self::Tls { place, why: TlsFailure::NotOffered },
            DialError::Handshake(error) => Self::Tls { place, why: TlsFailure::from_io(error) },
        }
    }

    /// An error of the start-up or login on a wire that stands.
    pub(super) fn from_startup(dsn: &ConnInfo, server: &Server, error: tokio_postgres::Error) -> Self {
        let (place, user) = (place(dsn, server), dsn.user.clone());
        let words = with_causes(&error);
        match DbError::from(error) {
            DbError::Server(said) if sqlstate::is_denied_login(&said) => {
                Self::Login { place, user, why: LoginFailure::Denied(said) }
            }
            DbError::Server(source) => Self::Refused { place, user, source },
            error if error.is_lost() => Self::Unreachable { place, why: Unreachable::BrokenOff(words) },
            // The driver's own refusals: it looks for the password only when the server asks for one.
            _ if server.password.is_none() => Self::Login { place, user, why: LoginFailure::NoPassword },
            _ => Self::Login { place, user, why: LoginFailure::Method(words) },
        }
    }

    /// The server's answer, if it gave one.
    #[must_use]
    pub fn server(&self) -> Option<&ServerError> {
        match self {
            Self::Refused { source: said, .. } | Self::Login { why: LoginFailure::Denied(said), .. } => {
                Some(said)
            }
            Self::Statement { source, .. } => source.server(),
            _ => None,
        }
    }

    /// What it means to whoever wanted a session for a statement.
    pub(super) fn into_db(self) -> DbError {
        match self {
            Self::Refused { source: said, .. } | Self::Login { why: LoginFailure::Denied(said), .. } => {
                DbError::Server(said)
            }
            Self::Statement { source, .. } => source,
            Self::ReadOnly { .. } => DbError::ReadOnly(Arc::new(self)),
            // Nobody answered: as good as a lost connection.
            Self::Unreachable { .. } | Self::PoolBusy { .. } => DbError::Unreachable(Arc::new(self)),
            error => DbError::other(error),
        }
    }

    /// What to do about an error that arose at `stage`.
    #[must_use]
    pub fn action(&self, stage: Stage<'_>) -> Action {
        match self {
            Self::Unreachable { .. } => sqlstate::classify(stage, &DbError::lost()),
            Self::ReadOnly { .. } => Action::FindPrimary,
            Self::Refused { source, .. } => sqlstate::of_server(stage, source),
            Self::Statement { source, .. } => sqlstate::classify(stage, source),
            Self::Login { .. }
            | Self::Dsn(_)
            | Self::Missing(_)
            | Self::TlsFiles(_)
            | Self::Tls { .. }
            | Self::PoolBusy { .. }
            | Self::Local { .. } => Action::Fatal,
        }
    }

    /// The server cannot do what every session asks of it: UTF-8 in its database's encoding. Waiting does not
    /// help.
    #[must_use]
    pub fn lacks_conversion(&self) -> bool {
        matches!(self, Self::Refused { source, .. } if sqlstate::lacks_conversion(source))
    }

    /// What an operator can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Dsn(error) => error.hint(),
            Self::Missing(missing) => Some(missing.hint()),
            Self::TlsFiles(_) => {
                Some("see sslrootcert, sslcert and sslkey of the DSN (PGSSLROOTCERT and so on)")
            }
            Self::Unreachable { why, .. } => Some(match why {
                Unreachable::UnknownHost(_) => "check the host's name in the DSN",
                Unreachable::NoConnection(_) => {
                    "is the server running, and listening on that address and port?"
                }
                Unreachable::Timeout(_) => {
                    "a firewall in between, or a server too busy? connect_timeout sets the limit"
                }
                Unreachable::BrokenOff(_) => "is that a PostgreSQL port? the server's log says more",
            }),
            Self::Tls { why, .. } => Some(why.hint()),
            Self::Login { why: LoginFailure::NoPassword, .. } => {
                Some("give the password by PGPASSWORD, ~/.pgpass or the DSN")
            }
            Self::Login { why: LoginFailure::Method(_), .. } => Some(
                "supported are SCRAM-SHA-256 (with channel binding over TLS), MD5, clear text and certificates",
            ),
            Self::Refused { .. } if self.lacks_conversion() => Some(
                "most likely the database's encoding (MULE_INTERNAL) has no conversion to UTF-8, which dbload speaks: load \
                 into a database with ENCODING 'UTF8'",
            ),
            Self::Login { why: LoginFailure::Denied(said), .. } | Self::Refused { source: said, .. } => {
                sqlstate::hint(&said.sqlstate)
            }
            Self::Statement { source, .. } => source.hint(),
            Self::ReadOnly { .. } => sqlstate::hint(sqlstate::READ_ONLY),
            Self::PoolBusy { .. } | Self::Local { .. } => None,
        }
    }
}

impl TlsFailure {
    fn from_io(error: io::Error) -> Self {
        match CertificateFault::of(&error) {
            Some(fault) => Self::Certificate(Box::new(fault)),
            None => Self::Handshake(error),
        }
    }

    fn hint(&self) -> &'static str {
        match self {
            Self::NotOffered => "sslmode=prefer connects without TLS where the server has none",
            Self::Certificate(fault) => fault.hint(),
            Self::Handshake(_) => "TLS 1.2 or 1.3 is needed; the server's log says more",
        }
    }
}

fn place(dsn: &ConnInfo, server: &Server) -> String {
    format!("{server}/{}", dsn.dbname)
}
