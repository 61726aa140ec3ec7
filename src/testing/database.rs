//! A database of one test.

use std::fmt;
use std::io::Write as _;
use std::thread;

use super::back::take_back;
use super::keeper::{Keeper, OnDatabase};
use super::names::KEPT;
use crate::local::quote;
use crate::schema::literal;

/// What a test has for itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Owned {
    /// All of a database.
    Database,
    /// A schema, in a database that others use too.
    Schema {
        /// Its name.
        name: String,
        /// What it is made by.
        recipe: u64,
    },
}

/// A database of one test, or a schema of its own: gone when it is dropped. After a panic it stays for people
/// to look at, and its URL is written to standard error; the next run of the tests removes it.
#[must_use = "it is dropped with the value"]
pub struct TestDatabase {
    keeper: &'static Keeper,
    name: String,
    url: String,
    own: Owned,
    is_kept: bool,
}

impl TestDatabase {
    pub(super) fn new(keeper: &'static Keeper, name: String, own: Owned) -> Self {
        let url = match &own {
            Owned::Database => keeper.server.database(&name),
            Owned::Schema { name, .. } => {
                let url = keeper.facts.schemas_url(&keeper.server);
                let sign = if url.contains('?') { '&' } else { '?' };
                format!("{url}{sign}options=-c%20search_path%3D{name}")
            }
        };
        keeper.stock().begin();
        Self { keeper, name, url, own, is_kept: false }
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

    /// It stays, and somebody else has it now.
    pub(super) fn forget(self) {
        self.keeper.stock().end();
        std::mem::forget(self);
    }

    fn note_kept(&self) {
        let (place, what, name) = match &self.own {
            Owned::Database => (OnDatabase::Administration, "DATABASE", &self.name),
            Owned::Schema { name, .. } => (OnDatabase::Schemas, "SCHEMA", name),
        };
        let note = format!(
            "DO $$ BEGIN EXECUTE pg_catalog.format('COMMENT ON {what} %I IS %L', {}, \
             {} || EXTRACT(epoch FROM pg_catalog.now())::bigint); END $$",
            literal(name),
            literal(KEPT)
        );
        let _ = self.keeper.run_here(place, "note that a database is kept", note);
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
        self.keeper.stock().end();
        if self.is_kept || thread::panicking() {
            return self.note_kept();
        }
        // A server that is gone took it with it.
        let _ = match &self.own {
            Owned::Database => {
                let statement = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", quote(&self.name));
                self.keeper.run_here(OnDatabase::Administration, "drop a database", statement).map(drop)
            }
            Owned::Schema { name, recipe } => take_back(self.keeper, name, *recipe),
        };
    }
}
