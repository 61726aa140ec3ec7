//! A statement on a server of our own, from code that does not run in an async runtime, or that cannot wait in one (Drop).
//!
//! Runs on a thread with a small runtime of its own, so it may be called from anywhere; costs under a millisecond more.

use super::{LocalError, Result};
use std::thread;
use tokio_postgres::{Config, NoTls};

/// Runs statements one by one, each outside a transaction, on one connection.
pub(super) fn execute(url: &str, doing: &str, statements: &[String]) -> Result<()> {
    let failed = |source| LocalError::Sql { doing: doing.to_owned(), source };
    let config: Config = url.parse().map_err(failed)?;
    let work = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime =
            runtime.map_err(|e| LocalError::file("make a runtime for", "the statement".as_ref(), e))?;
        runtime.block_on(async {
            let (client, connection) = config.connect(NoTls).await.map_err(failed)?;
            let connection = tokio::spawn(connection);
            for statement in statements {
                client.batch_execute(statement).await.map_err(failed)?;
            }
            drop(client);
            // Waits for the server's side too, so that no connection is left in the way of a DROP DATABASE.
            let _ = connection.await;
            Ok(())
        })
    };
    thread::scope(|scope| match scope.spawn(work).join() {
        Ok(result) => result,
        Err(panic) => std::panic::resume_unwind(panic),
    })
}

/// An identifier in SQL text.
pub(super) fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
