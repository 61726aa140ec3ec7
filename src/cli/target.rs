//! Where a load goes: the DSN in all its forms, or the local server, which is said on stderr.

use dbload::internals::local::{LocalError, server};
use dbload::internals::pg::dsn::from_env;
use dbload::internals::pg::{ConnInfo, ConnectTarget, DsnError};

use super::local::started_words;

/// Why there is no target.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TargetError {
    /// The DSN cannot be read.
    #[error(transparent)]
    Dsn(#[from] DsnError),
    /// The local server cannot be had.
    #[error(transparent)]
    Local(#[from] LocalError),
    /// A worker thread died of a panic.
    #[error("a worker of dbload failed: {0}")]
    Worker(String),
}

impl TargetError {
    pub(crate) fn hint(&self) -> Option<String> {
        match self {
            Self::Dsn(error) => error.hint().map(ToOwned::to_owned),
            Self::Local(error) => error.hint(),
            Self::Worker(_) => None,
        }
    }

    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::Dsn(_) => super::exit::USAGE,
            Self::Local(_) => super::exit::DATABASE,
            Self::Worker(_) => super::exit::UNEXPECTED,
        }
    }
}

/// A target, and whether it is the local server.
pub(crate) struct Resolved {
    pub(crate) dsn: ConnInfo,
    pub(crate) is_local: bool,
}

/// A database that is a source. `PG*` is of the target, but a password file names the server of each
/// password.
pub(crate) fn database(text: &str) -> Result<ConnInfo, DsnError> {
    const OF_ANY: [&str; 4] = ["HOME", "PGPASSFILE", "PGSERVICEFILE", "PGSYSCONFDIR"];
    let known = |name: &&str| OF_ANY.contains(name);
    let env = |name: &str| Some(name).filter(known).and_then(|name| std::env::var(name).ok());
    match from_env(Some(text), &env)? {
        ConnectTarget::Server(dsn) => Ok(*dsn),
        ConnectTarget::Local => ConnInfo::parse(text),
    }
}

/// What a client of MySQL hears from the environment of a login.
pub(crate) fn of_mysql(name: &str) -> Option<String> {
    const KNOWN: [&str; 3] = ["HOME", "USER", "MYSQL_PWD"];
    KNOWN.contains(&name).then(|| std::env::var(name).ok()).flatten()
}

/// Finds the database; starts the local server if that is the one. `say` gets the words about it.
pub(crate) async fn resolve(flag: Option<&str>, say: &dyn Fn(&str)) -> Result<Resolved, TargetError> {
    let env = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    match from_env(flag, &env)? {
        ConnectTarget::Server(dsn) => {
            dsn.notes.iter().for_each(|note| say(&format!("note: {note}")));
            Ok(Resolved { dsn: *dsn, is_local: false })
        }
        ConnectTarget::Local => {
            let server = tokio::task::spawn_blocking(server::ensure_running)
                .await
                .map_err(|error| TargetError::Worker(error.to_string()))??;
            say(&started_words(&server));
            Ok(Resolved { dsn: ConnInfo::parse(&server.url)?, is_local: true })
        }
    }
}
