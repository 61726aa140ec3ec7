//! The server that tests run on: one for all processes of a suite where there is one, else the process's own.

use super::{Result, SharedServer};
use std::env;

/// The variable that names a server for all test processes: `dbload local run` sets it.
pub const TEST_SERVER: &str = "DBLOAD_TEST_SERVER";

/// What tells the run of a suite from others: cargo nextest's, pytest-xdist's.
const SUITES: [&str; 2] = ["NEXTEST_RUN_ID", "PYTEST_XDIST_TESTRUNUID"];

/// How many tests run at the same time.
const THREADS: [&str; 2] = ["NEXTEST_TEST_THREADS", "RUST_TEST_THREADS"];

/// The server that tests run on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TestServer {
    url: String,
}

impl TestServer {
    /// The one that [`TEST_SERVER`] names, else the one of this process, started by whoever asks first.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn get() -> Result<Self> {
        let named = env::var(TEST_SERVER).ok().filter(|url| !url.trim().is_empty());
        let url = match named {
            Some(url) => url,
            None => SharedServer::get()?.server().url(),
        };
        Ok(Self { url })
    }

    /// The URL of the database that administrators connect to.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The URL of another database of it.
    #[must_use]
    pub fn database(&self, name: &str) -> String {
        let (before, after) = self.url.split_once('?').unwrap_or((&self.url, ""));
        let authority = before.find("://").map_or(0, |at| at + 3);
        let path = before[authority..].find('/').map_or(before.len(), |at| authority + at);
        let options = if after.is_empty() { String::new() } else { format!("?{after}") };
        format!("{}/{name}{options}", &before[..path])
    }
}

/// The same in all processes of one run of a suite, and another one in the next.
#[must_use]
pub fn test_suite() -> String {
    let named = SUITES.iter().find_map(|name| env::var(name).ok().filter(|id| !id.is_empty()));
    named.unwrap_or_else(|| {
        let parent = rustix::process::getppid().map_or(0, |pid| pid.as_raw_nonzero().get());
        format!("child of {parent}")
    })
}

/// How many tests run at the same time, as far as that is said anywhere; else as many as there are cores.
#[must_use]
pub fn test_threads() -> usize {
    let named = THREADS.iter().find_map(|name| env::var(name).ok()?.parse().ok());
    named.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_url_of_another_database_differs_in_its_name_alone() {
        for (url, other) in [
            (
                "postgresql:///postgres?host=/tmp/s&port=5432&user=postgres",
                "postgresql:///x?host=/tmp/s&port=5432&user=postgres",
            ),
            ("postgres://me:a%2Fb@localhost:5433/postgres", "postgres://me:a%2Fb@localhost:5433/x"),
            ("postgres://localhost", "postgres://localhost/x"),
            ("postgres://localhost?user=me", "postgres://localhost/x?user=me"),
        ] {
            assert_eq!(TestServer { url: url.to_owned() }.database("x"), other);
        }
    }
}
