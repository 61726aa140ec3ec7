//! Where it happens: a server that may be killed, and a way to it for people with questions.

use super::load::CLERK;
use crate::support::Database;
use dbload::internals::local::{Options, TempServer};
use std::time::{Duration, Instant};

/// A server recovers from a kill within this time, on a loaded machine too.
const RECOVERY: Duration = Duration::from_secs(60);

pub struct Arena {
    pub server: TempServer,
}

impl Arena {
    pub fn new() -> Self {
        let options = Options::default().conf("max_connections = 200").conf("deadlock_timeout = '200ms'");
        let arena = Self { server: TempServer::start(options).unwrap() };
        arena.connect("postgres").sql(&format!("CREATE ROLE {CLERK} LOGIN"));
        arena
    }

    /// A connection to a database, as soon as the server lets one in.
    pub fn connect(&self, database: &str) -> Database {
        let until = Instant::now() + RECOVERY;
        loop {
            match Database::try_connect(&self.server.dsn(database)) {
                Ok(db) => return db,
                Err(error) => assert!(Instant::now() < until, "the server stays away: {error}"),
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}
