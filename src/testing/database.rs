//! A database of one test.

use std::fmt;
use std::io::Write as _;
use std::thread;

use super::names::KEPT;
use crate::local::{TestServer, quote};
use crate::schema::literal;

/// What a test has for itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Owned {
    /// All of a database.
    Database,
    /// A schema of this name, in a database that others use too.
    Schema(String),
}

/// A database of one test, or a schema of its own: gone when it is dropped. After a panic it stays for people
/// to look at, and its URL is written to standard error; the next run of the tests removes it.
#[must_use = "it is dropped with the value"]
pub struct TestDatabase {
    server: TestServer,
    name: String,
    url: String,
    own: Owned,
    is_kept: bool,
}

impl TestDatabase {
    pub(super) fn new(server: TestServer, name: String, own: Owned) -> Self {
        let mut url = server.database(&name);
        if let Owned::Schema(schema) = &own {
            let sign = if url.contains('?') { '&' } else { '?' };
            url.push_str(&format!("{sign}options=-c%20search_path%3D{schema}"));
        }
        Self { server, name, url, own, is_kept: false }
    }

    /// The URL that clients connect with.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Name of the database.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// It stays, as after a failure: for who wants to look at it. The next run of the tests removes it.
    pub fn keep(mut self) {
        self.is_kept = true;
    }

    fn note_kept(&self) {
        if self.own == Owned::Database {
            let note = format!("COMMENT ON DATABASE {} IS {}", quote(&self.name), literal(KEPT));
            let _ = self.server.execute("note that a database is kept", &[note]);
        }
        // Not `eprintln!`: what a test harness captures is shown behind the failure of another test.
        let _ = writeln!(std::io::stderr(), "dbload: the database of this test stays: {}", self.url);
    }
}

impl fmt::Debug for TestDatabase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TestDatabase").field(&self.name).finish()
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        if self.is_kept || thread::panicking() {
            return self.note_kept();
        }
        // A server that is gone took it with it.
        let _ = match &self.own {
            Owned::Database => {
                let statement = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", quote(&self.name));
                self.server.execute("drop a database", &[statement])
            }
            Owned::Schema(schema) => {
                let statement = format!("DROP SCHEMA IF EXISTS {} CASCADE", quote(schema));
                self.server.execute_in(&self.name, "drop a schema", &[statement])
            }
        };
    }
}
