//! What a test server says of itself.

use super::error::TestingCause;
use super::hands::Hands;
use super::names::OF_SCHEMAS;
use crate::local::TestServer;

/// What is asked once a process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Facts {
    /// Its version, as a number.
    pub(super) version: String,
    /// How it clones soonest.
    pub(super) strategy: CloneStrategy,
    /// The database whose schemas tests have: one of their own, or where none may be made, the one that was
    /// named.
    pub(super) schemas: String,
}

/// How a database is cloned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CloneStrategy {
    /// Block by block through the WAL: no checkpoint is forced, which would wait for the disk.
    WalLog,
    /// File by file: half the time where nothing waits for a disk.
    FileCopy,
}

impl CloneStrategy {
    /// As CREATE DATABASE has it.
    pub(super) const fn sql(self) -> &'static str {
        match self {
            Self::WalLog => "wal_log",
            Self::FileCopy => "file_copy",
        }
    }
}

impl Facts {
    /// Asks.
    ///
    /// # Errors
    /// The server does not answer.
    pub(super) async fn ask(hands: &Hands) -> Result<Self, TestingCause> {
        let question = "SELECT pg_catalog.current_setting('server_version_num'), pg_catalog.current_setting('fsync'), \
             pg_catalog.current_database(), r.rolcreatedb OR r.rolsuper \
             FROM pg_catalog.pg_roles r WHERE r.rolname = current_user";
        let answers = hands.run(question).await;
        let answers = answers.map_err(TestingCause::server("ask the test server for its version"))?;
        let row = answers.first().and_then(|answer| answer.rows.first());
        let field = |i: usize| row.and_then(|row| row.get(i)?.as_deref()).unwrap_or_default();
        let strategy = if field(1) == "off" { CloneStrategy::FileCopy } else { CloneStrategy::WalLog };
        let schemas = if field(3) == "f" { field(2) } else { OF_SCHEMAS };
        Ok(Self { version: field(0).to_owned(), strategy, schemas: schemas.to_owned() })
    }

    /// The URL of the database whose schemas tests have.
    pub(super) fn schemas_url(&self, server: &TestServer) -> String {
        if self.schemas == OF_SCHEMAS { server.database(OF_SCHEMAS) } else { server.url().to_owned() }
    }
}
