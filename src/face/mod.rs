//! What a program that uses the library sees of it: builders that are thin over a job, and nothing of the
//! rooms.

mod load;
mod loader;
mod options;
#[cfg(feature = "http")]
mod requests;
#[cfg(feature = "object-store")]
mod stores;

use std::fmt;
use std::str::FromStr;

use crate::error::Error;
use crate::pg;

pub use load::Load;
pub use loader::{Loader, OpenLoader};

/// Where a load goes: a connection string of libpq, read and validated. Nothing in it has been tried yet.
///
/// Shown, it has no password.
#[derive(Clone)]
pub struct Dsn(pub(crate) pg::ConnInfo);

impl Dsn {
    /// Reads a URL (`postgres://me@db.example.org/shop`) or `key=value` words.
    ///
    /// Nothing is read from the environment; what the text leaves out is libpq's default.
    ///
    /// # Errors
    ///
    /// When it cannot be read. The error does not quote it: the part that cannot be read may be the password.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let parsed = pg::ConnInfo::parse(text).map_err(pg::PgError::from);
        parsed.map(Self).map_err(|error| crate::prepared::LoadError::from(error).into())
    }
}

impl FromStr for Dsn {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Self::parse(text)
    }
}

impl fmt::Debug for Dsn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Dsn").field(&self.0.to_string()).finish()
    }
}
