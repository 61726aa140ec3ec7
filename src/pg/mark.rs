//! How the transactions of a run are told from others by another process: each holds a lock that nobody waits for.
//!
//! A client that stands still in the middle of a COPY (a stopped process, a machine that was put to sleep) holds what its
//! transaction has locked for as long as it likes: no limit of the server applies while it waits for data. Whoever takes
//! its run over ends such sessions.

use crate::schema::literal;

/// How long a session may take to end, in milliseconds.
const ENDING_MS: u32 = 5_000;

fn key(run: &str) -> String {
    format!("pg_catalog.hashtextextended({}, 0)", literal(&format!("dbload run {run}")))
}

/// To be selected in a transaction: marks it as one of the run. Never waits.
#[must_use]
pub fn mark(run: &str) -> String {
    format!("pg_catalog.pg_try_advisory_xact_lock_shared({})", key(run))
}

/// Ends all other sessions that are in a transaction of the run.
#[must_use]
pub fn end_marked(run: &str) -> String {
    format!(
        "SELECT pg_catalog.pg_terminate_backend(l.pid, {ENDING_MS}) FROM pg_catalog.pg_locks l, \
             (SELECT {} AS key) k \
         WHERE l.locktype = 'advisory' AND l.objsubid = 1 AND l.pid <> pg_catalog.pg_backend_pid() \
             AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()) \
             AND l.classid::bigint = (k.key >> 32) & 4294967295 AND l.objid::bigint = k.key & 4294967295",
        key(run)
    )
}
