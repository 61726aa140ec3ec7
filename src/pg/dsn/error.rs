//! What can be wrong with a connection string.
//!
//! No message holds a value: the value that could not be read may be a piece of a password. Names of
//! parameters, variables and files are shown; of unknown parameters only where the name cannot come from a
//! torn password.

use std::path::PathBuf;

/// A connection string that cannot be used. The caller mends the string.
#[derive(Debug, thiserror::Error)]
pub enum DsnError {
    /// The text is neither a URL nor `key=value`, or breaks off.
    #[error("cannot read the connection string: {what}")]
    Malformed {
        /// What is wrong, without quoting it.
        what: &'static str,
    },
    /// A parameter whose value cannot be read.
    #[error("cannot read `{name}` of the connection string: expected {expected}")]
    BadValue {
        /// Name of the connection parameter.
        name: &'static str,
        /// What would be right.
        expected: &'static str,
    },
    /// A parameter that libpq or another client knows, and dbload does not support.
    #[error("cannot use the connection parameter `{name}`: {why}")]
    Unsupported {
        /// Name of the connection parameter.
        name: String,
        /// Why not, or what to use instead.
        why: &'static str,
    },
    /// A parameter that nobody knows.
    #[error("cannot use an unknown connection parameter{}", named(.name.as_deref()))]
    Unknown {
        /// The parameter, unless its name may be a piece of a password.
        name: Option<String>,
    },
    /// A variable that was named and is not set.
    #[error("cannot read the connection string from the environment: {name} is not set")]
    Variable {
        /// Name of the environment variable.
        name: String,
    },
    /// Any of the others, in a text that was not on the command line.
    #[error("{source} (in {origin})")]
    In {
        /// Where the text was found.
        origin: String,
        /// What is wrong with it.
        source: Box<DsnError>,
    },
    /// A file that was named and cannot be read.
    #[error("cannot read the {role} {}", .path.display())]
    File {
        /// What the file is for.
        role: &'static str,
        /// The file that the error is about.
        path: PathBuf,
        /// The error that lies behind it.
        source: std::io::Error,
    },
    /// A service that no service file has.
    #[error("cannot find the service `{name}` in {}", .path.display())]
    Service {
        /// Name of the service.
        name: String,
        /// Where it was looked for.
        path: PathBuf,
    },
}

fn named(name: Option<&str>) -> String {
    name.map_or_else(String::new, |name| format!(" `{name}`"))
}

impl DsnError {
    /// Says where the text was found.
    pub(super) fn within(self, origin: String) -> Self {
        Self::In { origin, source: Box::new(self) }
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Malformed { .. } => Some(
                "a connection string is postgres://user:password@host:port/dbname, or host=.. user=.. dbname=..; \
                 in a URL write @ / : ? # % of a password as %40 %2F %3A %3F %23 %25",
            ),
            Self::Unknown { name: None } => Some(
                "write special characters of a password as %40 (@), %3F (?), %26 (&); in key=value, quote it",
            ),
            Self::In { source, .. } => source.hint(),
            Self::Variable { .. } => Some("env:NAME takes the connection string from the variable NAME"),
            Self::BadValue { .. }
            | Self::Unsupported { .. }
            | Self::Unknown { .. }
            | Self::File { .. }
            | Self::Service { .. } => None,
        }
    }
}
