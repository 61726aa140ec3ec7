//! The kit: the program as a process, the database as seen by somebody else, folders, and random numbers that
//! can be replayed.
//!
//! Nothing in here uses dbload's own code for what it checks: only `dbload::internals::local` for throwaway
//! servers.

pub mod api;
pub mod archive;
pub mod bouncer;
pub mod bucket;
pub mod compress;
pub mod container;
pub mod database;
pub mod dbload;
pub mod fake;
pub mod folder;
pub mod generate;
pub mod http;
pub mod inject;
pub mod ledger;
pub mod mariadb;
pub mod pair;
pub mod proxy;
pub mod scene;

pub use database::Database;
pub use dbload::{Dbload, Outcome, Rows, Running, program};
pub use fake::Fake;
pub use folder::Folder;
pub use generate::Rng;
pub use inject::Inject;
pub use ledger::audit;
pub use mariadb::MariaDb;
pub use proxy::Proxy;
pub use scene::Scene;

/// Waits for what is to come, a minute and a half at most: a slow machine is no failure.
#[track_caller]
pub fn until(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(90);
    while !done() {
        assert!(std::time::Instant::now() < deadline, "never: {what}");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
}
