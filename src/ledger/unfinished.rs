//! An unfinished run, as a start finds it: free, or somebody's.

use super::error::LedgerError;
use super::owner::Owner;
use super::run::StoredTarget;

/// An unfinished run, before it is taken over.
#[derive(Debug, Clone)]
pub struct Unfinished {
    /// The id of the run.
    pub run: String,
    /// The process that owns the run.
    pub owner: Owner,
    /// Seconds since the owner's last sign of life.
    pub heartbeat_seconds: f64,
    /// The target that it writes to.
    pub target: StoredTarget,
    /// No crash of the server has emptied what is unlogged.
    pub is_alive: bool,
    /// It has inserted rows.
    pub has_inserted: bool,
    /// Records of it have deleted rows: that none is there may be its own doing.
    pub has_deleted: bool,
    /// So many, by its committed books.
    pub inserted: u64,
    /// The name of its mode.
    pub mode: String,
}

/// What opening came to.
#[derive(Debug)]
pub enum Opened {
    /// There is no unfinished run.
    Nothing,
    /// One that may be taken over.
    Free(Unfinished),
    /// One that somebody else is at.
    Owned(Unfinished),
}

impl Unfinished {
    /// The error of a start that finds somebody else at it.
    #[must_use]
    pub fn running(&self) -> LedgerError {
        LedgerError::Running {
            owner: self.owner.to_string(),
            heartbeat: format!("last sign of life {:.0} s ago", self.heartbeat_seconds.max(0.0)),
        }
    }
}
