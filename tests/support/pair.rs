//! Two servers: a primary, and a standby that streams from it and may be promoted.

use super::Database;
use dbload::internals::local::{Options, TempServer};
use std::time::{Duration, Instant};

/// A commit is not acknowledged before the standby has it.
pub const SYNCHRONOUS: &str = "synchronous_standby_names = '*'";

pub struct Pair {
    pub primary: TempServer,
    pub standby: TempServer,
}

impl Pair {
    /// With a database, and this line in the primary's configuration.
    pub fn with(database: &str, conf: &str) -> Self {
        let primary =
            TempServer::start(Options::default().conf("wal_keep_size = '256MB'").conf(conf)).unwrap();
        let standby =
            primary.standby(Options::default().conf("wal_retrieve_retry_interval = '100ms'")).unwrap();
        primary.create_database(database).unwrap();
        let pair = Self { primary, standby };
        pair.catch_up();
        pair
    }

    /// A connection string that names both and asks for the one that takes writes.
    pub fn url(&self, database: &str) -> String {
        let sockets = [&self.primary, &self.standby].map(|s| s.cluster().sockets.display().to_string());
        let hosts = sockets.join(",");
        format!(
            "postgresql:///{database}?host={hosts}&port=5432&user=postgres&target_session_attrs=read-write"
        )
    }

    /// Waits until the standby has all that the primary has.
    pub fn catch_up(&self) {
        let primary = Database::connect(&self.primary.url());
        let all = primary.one("SELECT pg_current_wal_insert_lsn()");
        let replayed = format!("SELECT pg_last_wal_replay_lsn() >= '{all}'");
        let until = Instant::now() + Duration::from_secs(30);
        while Database::connect(&self.standby.url()).one(&replayed) != "t" {
            assert!(Instant::now() < until, "the standby does not follow");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}
