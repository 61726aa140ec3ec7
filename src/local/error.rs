//! What can go wrong with a server of our own, in words for the person who has to mend it.
//!
//! Causes are sources. `hint()` is what to do next, where there is something to do.

use super::programs::{Binaries, OLDEST_MAJOR, PgVersion};
use std::{io, path::PathBuf};

/// What everything in this room returns.
pub type Result<T> = std::result::Result<T, LocalError>;

/// Why a local server could not be made, started, reached or removed.
#[derive(Debug, thiserror::Error)]
pub enum LocalError {
    /// No server binaries anywhere.
    #[error("find PostgreSQL's server programs (initdb, pg_ctl, postgres): none are installed")]
    NoBinaries {
        /// How this system installs them.
        install: String,
    },
    /// The folder named by the user lacks one of the programs.
    #[error("find {program} in {}: it is not there, or cannot be run", dir.display())]
    NoProgram {
        /// The folder that the error is about.
        dir: PathBuf,
        /// The program that was run.
        program: &'static str,
    },
    /// The newest server is too old.
    #[error("use PostgreSQL {} in {}: the oldest that works is {OLDEST_MAJOR}", .0.version, .0.dir.display())]
    TooOld(Binaries),
    /// A file or folder could not be made, read, written or removed.
    #[error("{doing} {}", path.display())]
    File {
        /// What was being done, as a verb phrase.
        doing: &'static str,
        /// What it was done to.
        path: PathBuf,
        /// The error that lies behind it.
        #[source]
        source: io::Error,
    },
    /// A program could not be run at all.
    #[error("run {}", program.display())]
    Spawn {
        /// The program that was run.
        program: PathBuf,
        /// The error that lies behind it.
        #[source]
        source: io::Error,
    },
    /// initdb or pg_ctl said no.
    #[error("run {program}: it failed\n{output}")]
    Program {
        /// The program that was run.
        program: &'static str,
        /// The end of what it said.
        output: String,
    },
    /// The server ended instead of starting.
    #[error("start PostgreSQL in {}: it ended at once\n{log}", data.display())]
    Ended {
        /// The data folder of the cluster.
        data: PathBuf,
        /// The end of its log.
        log: String,
    },
    /// The server runs, but is not ready in time.
    #[error("wait for PostgreSQL in {}: not ready after {seconds} s\n{log}", data.display())]
    NotReady {
        /// The data folder of the cluster.
        data: PathBuf,
        /// How long was waited.
        seconds: u64,
        /// The end of its log.
        log: String,
    },
    /// The server does not end.
    #[error("stop PostgreSQL in {}: still running after {seconds} s\n{log}", data.display())]
    NotStopped {
        /// The data folder of the cluster.
        data: PathBuf,
        /// How long was waited.
        seconds: u64,
        /// The end of its log.
        log: String,
    },
    /// No place for the user's data.
    #[error("find the folder for the local server: neither XDG_DATA_HOME nor HOME is set")]
    NoHome,
    /// A data folder that lacks what every cluster has.
    #[error("start PostgreSQL in {}: the folder is there, but it is no complete cluster", .0.display())]
    Corrupt(PathBuf),
    /// A data folder of another major version.
    #[error(
        "start PostgreSQL in {}: the cluster was made by version {made_by}, installed {}",
        data.display(),
        versions(installed)
    )]
    OtherVersion {
        /// The cluster's data folder.
        data: PathBuf,
        /// The major version that made it.
        made_by: u32,
        /// The versions that are installed.
        installed: Vec<PgVersion>,
    },
    /// psql is not installed.
    #[error("find psql: it is not installed")]
    NoPsql,
    /// Running as root, and nobody to drop to.
    #[error("run PostgreSQL as root: it refuses, and there is no user `postgres` or `nobody` to run it as")]
    NoAccount,
    /// The user that the server runs as cannot reach a folder.
    #[error("let user {user} reach {}: {} is closed to others", path.display(), closed.display())]
    Unreachable {
        /// The user that owns it.
        user: String,
        /// The path that the error is about.
        path: PathBuf,
        /// The folder above it that is in the way.
        closed: PathBuf,
    },
    /// A folder with our name that is somebody else's.
    #[error("use {}: it belongs to another user", .0.display())]
    NotOurs(PathBuf),
    /// A statement on our own server failed.
    #[error("{doing} on the local server")]
    Sql {
        /// What was being done, as a verb phrase.
        doing: String,
        /// The error that lies behind it.
        #[source]
        source: crate::pg::DbError,
    },
}

impl LocalError {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NoBinaries { install } => {
                format!(
                    "{install}; or set DBLOAD_PG_BIN to the folder with initdb and postgres; or give a server with --dsn"
                )
            }
            Self::NoProgram { .. } => {
                "DBLOAD_PG_BIN must name a folder with initdb, pg_ctl and postgres, open to all users"
                    .to_owned()
            }
            Self::NoHome => "set HOME, or give a server with --dsn".to_owned(),
            Self::NoPsql => "install it (Debian: sudo apt-get install postgresql-client)".to_owned(),
            Self::Corrupt(data) => format!(
                "if it holds nothing of yours: dbload local reset --yes; else move {} away and restore it from a backup",
                data.display()
            ),
            Self::OtherVersion { data, made_by, installed } => move_hint(data, *made_by, installed.first()),
            Self::TooOld(_) => {
                "install a newer one, or set DBLOAD_PG_BIN to its folder, or give a server with --dsn"
                    .to_owned()
            }
            Self::NoAccount => "make a user for it: useradd --system postgres".to_owned(),
            Self::Unreachable { closed, .. } => {
                format!("chmod o+x {}, or use another folder", closed.display())
            }
            Self::NotOurs(path) => {
                format!("remove {}, or set TMPDIR to a folder of your own", path.display())
            }
            Self::File { source, path, .. } => return file_hint(source, path),
            Self::Program { output: text, .. } | Self::Ended { log: text, .. } => return disk_hint(text),
            Self::NotReady { .. } | Self::NotStopped { .. } | Self::Spawn { .. } | Self::Sql { .. } => {
                return None;
            }
        })
    }

    pub(super) fn file(doing: &'static str, path: &std::path::Path, source: io::Error) -> Self {
        Self::File { doing, path: path.to_owned(), source }
    }
}

fn versions(installed: &[PgVersion]) -> String {
    let words: Vec<String> = installed.iter().map(ToString::to_string).collect();
    if words.is_empty() { "is none".to_owned() } else { format!("is {}", words.join(", ")) }
}

/// The two ways to move data to another major version, as lines to copy.
fn move_hint(data: &std::path::Path, made_by: u32, newest: Option<&PgVersion>) -> String {
    let (data, new) = (data.display(), newest.map_or(made_by + 1, |version| version.major));
    format!(
        "install version {made_by} beside it (Debian: sudo apt-get install postgresql-{made_by}), and the server starts again.\n\
         hint: to move the data to version {new}, with both installed:\n  \
         DBLOAD_PG_BIN=<bin of {made_by}> dbload local start && pg_dumpall -d \"$(dbload local url)\" >all.sql\n  \
         dbload local stop && mv {data} {data}.{made_by}\n  \
         DBLOAD_PG_BIN=<bin of {new}> dbload local start && psql -d \"$(dbload local url)\" -f all.sql\n\
         hint: or, for much data, instead of the dump: start and stop the new one once, then\n  \
         pg_upgrade -U postgres -b <bin of {made_by}> -B <bin of {new}> -d {data}.{made_by} -D {data}\n\
         hint: if it holds nothing of yours: dbload local reset --yes"
    )
}

fn file_hint(source: &io::Error, path: &std::path::Path) -> Option<String> {
    match source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            Some(format!("the disk is full: free some space around {}", path.display()))
        }
        io::ErrorKind::ReadOnlyFilesystem => {
            Some("the disk is read-only: set XDG_DATA_HOME (or TMPDIR) to a writable folder".to_owned())
        }
        io::ErrorKind::PermissionDenied => {
            Some("set XDG_DATA_HOME (or TMPDIR) to a folder that you may write to".to_owned())
        }
        _ => None,
    }
}

/// In the words of the system.
const READ_ONLY: &str = "Read-only file system";

/// PostgreSQL's programs tell of a full disk only in words: a hint may read them, a decision never does.
fn disk_hint(text: &str) -> Option<String> {
    if text.contains("No space left on device") {
        return Some(
            "the disk is full: free some space, or set XDG_DATA_HOME (or TMPDIR) to another one".to_owned(),
        );
    }
    text.contains(READ_ONLY)
        .then(|| "the disk is read-only: set XDG_DATA_HOME (or TMPDIR) to a writable folder".to_owned())
}
