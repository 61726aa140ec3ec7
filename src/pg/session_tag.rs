//! Session tags: how the transactions of a run are told from others by another process: each holds a lock
//! that nobody waits for.
//!
//! A client that stands still in the middle of a COPY (a stopped process, a machine that was put to sleep)
//! holds what its transaction has locked for as long as it likes: no limit of the server applies while it
//! waits for data. Whoever takes its run over ends such sessions; and a writer whose connection fell silent
//! ends what is left of its own.

use crate::schema::literal;

/// How long a session may take to end, in milliseconds.
const ENDING_MS: u32 = 5_000;

fn key(name: &str) -> String {
    format!("pg_catalog.hashtextextended({}, 0)", literal(&format!("dbload {name}")))
}

fn of_run(run: &str) -> String {
    key(&format!("run {run}"))
}

fn of_writer(run: &str, partition: u32) -> String {
    key(&format!("run {run} partition {partition}"))
}

/// To be selected in a transaction: marks it as one of the run, and of this writer of it. Never waits.
#[must_use]
pub fn mark(run: &str, partition: u32) -> String {
    let take = |key| format!("pg_catalog.pg_try_advisory_xact_lock_shared({key})");
    format!("{}, {}", take(of_run(run)), take(of_writer(run, partition)))
}

/// Ends all other sessions that are in a transaction of the run.
#[must_use]
pub fn terminate_tagged(run: &str) -> String {
    end(&of_run(run))
}

/// Ends all other sessions that are in a transaction of this writer: it has one at a time.
#[must_use]
pub fn terminate_tagged_writer(run: &str, partition: u32) -> String {
    end(&of_writer(run, partition))
}

fn end(key: &str) -> String {
    format!(
        "SELECT pg_catalog.pg_terminate_backend(l.pid, {ENDING_MS}) FROM pg_catalog.pg_locks l, \
             (SELECT {key} AS key) k \
         WHERE l.locktype = 'advisory' AND l.objsubid = 1 AND l.pid <> pg_catalog.pg_backend_pid() \
             AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()) \
             AND l.classid::bigint = (k.key >> 32) & 4294967295 AND l.objid::bigint = k.key & 4294967295"
    )
}
