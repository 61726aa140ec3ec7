//! PostgreSQL servers of dbload's own: the one a newcomer's first load goes into, and throwaway ones for
//! tests.
//!
//! [`binaries`] finds what is installed, [`cluster`] makes and runs one cluster, [`account`] is who it runs
//! as, `postmaster` is the running process. On top: [`server`] (the default one, left running; `launch`
//! starts and ends it, [`home`] is where it lives), [`temp`] (a server that is gone with its owner, by
//! `watchdog` and `sweep`; `standby` follows one), [`shared`] (one such server a test process, a fresh
//! database a test), `test_server` (the one of all processes of a suite, where there is one).
//!
//! Everything here blocks (processes, files, at most a few seconds) and is plain `std`: from async code call
//! it by `tokio::task::spawn_blocking`. This room never reads argv, never prints, never ends the process, and
//! never touches a server that it did not make.
//!
//! Looked at first: pgtemp 0.7 (panics instead of errors, `sudo -u postgres` under root, TCP only, sleeps and
//! retries, nothing survives a `kill -9` of its owner) and postgresql_embedded 0.22 (downloads or bundles the
//! server, a second sqlx, TCP only, the same leftovers). What is needed here is less than that: run what is
//! installed, leave nothing behind.

pub mod account;
pub mod binaries;
pub mod cluster;
mod error;
pub mod home;
mod launch;
mod postmaster;
mod programs;
pub mod server;
pub mod shared;
mod sql;
mod standby;
mod sweep;
pub mod temp;
mod test_server;
mod watchdog;

pub use error::{LocalError, Result};
pub use postmaster::Postmaster;
pub use server::{LocalServer, ensure_running};
pub use shared::{FreshDatabase, SharedServer};
#[cfg(feature = "testing")]
pub(crate) use sql::quote;
pub use temp::{Options, TempServer};
pub use test_server::{TEST_SERVER, TestServer, test_suite, test_threads};
