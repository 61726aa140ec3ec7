//! Programs of a server, and their version.

use std::{fmt, path::PathBuf};

/// The oldest major version that works: CREATE DATABASE has no STRATEGY before.
pub const OLDEST_MAJOR: u32 = 15;

/// A server's version. Ordered: the newest is the greatest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PgVersion {
    /// What data folders depend on.
    pub major: u32,
    /// The rest; 0 for a beta.
    pub minor: u32,
}

impl fmt::Display for PgVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// A folder with a server's programs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binaries {
    /// The folder that the programs are in.
    pub dir: PathBuf,
    /// What `postgres --version` says.
    pub version: PgVersion,
}
