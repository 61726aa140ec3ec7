//! A statement on a server of our own, from code that does not run in an async runtime, or that cannot wait
//! in one (Drop).
//!
//! Runs on a thread with a small runtime of its own, so it may be called from anywhere; costs under a
//! millisecond more.

use std::thread;

use crate::pg::administer;

use super::{LocalError, Result};

/// Runs statements one by one, each outside a transaction, on one connection.
pub(super) fn execute(url: &str, doing: &str, statements: &[String]) -> Result<()> {
    let work = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime =
            runtime.map_err(|e| LocalError::file("make a runtime for", "the statement".as_ref(), e))?;
        let done = runtime.block_on(administer(url, statements));
        done.map_err(|source| LocalError::Sql { doing: doing.to_owned(), source })
    };
    thread::scope(|scope| match scope.spawn(work).join() {
        Ok(result) => result,
        Err(panic) => std::panic::resume_unwind(panic),
    })
}

/// An identifier in SQL text.
pub(crate) fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
