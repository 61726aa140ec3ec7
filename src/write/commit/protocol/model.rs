//! The protocol in every interleaving of a small world.
//!
//! [`World`] is a server with a ledger, backends that may outlive their client, and processes that run the
//! real [`Protocol`](super::Protocol). `actions` says what can happen next, `server` and `process` what comes
//! of it, and `properties` what must hold in every state. stateright visits them all; `reach` shows that each
//! of them can still come to its end. Records are appended, the mode in which any mistake shows in the table.

mod actions;
mod process;
mod properties;
mod reach;
mod scope;
mod server;
mod tests;

use process::Process;
use scope::{Budget, Scope};
use server::{Backend, Database};

/// Everything that there is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct World {
    /// What the server has committed.
    db: Database,
    /// What a standby would have, were it promoted now.
    standby: Database,
    /// Transactions at the server whose COMMIT was sent, in no order that means anything.
    backends: Vec<Backend>,
    /// Processes that run this load, or might.
    processes: Vec<Process>,
    /// Faults that may still happen.
    left: Budget,
    /// Owners that the run has had.
    lives: u8,
    /// What was seen happening, and must or must not.
    seen: Seen,
}

/// What no single state shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
struct Seen {
    /// A former owner committed after a take-over had read the checkpoints.
    stale_commit: bool,
    /// A process ended well.
    success: bool,
    /// A process said that the server has lost commits.
    told_of_lost_commits: bool,
    /// The server has lost commits.
    lost_commits: bool,
}

impl World {
    fn new(scope: &Scope) -> Self {
        let db = Database::new(scope);
        let mut processes = vec![Process::Down; scope.processes];
        processes[0] = Process::started(1, 1, &db);
        Self {
            standby: db.clone(),
            db,
            backends: Vec::new(),
            processes,
            left: scope.budget,
            lives: 1,
            seen: Seen::default(),
        }
    }

    /// The run is complete, and somebody was told.
    fn is_over(&self) -> bool {
        self.db.complete && self.seen.success
    }
}
