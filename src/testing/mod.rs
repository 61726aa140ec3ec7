//! Databases for tests: each test says what it wants to find, gets a database of its own with it, in
//! milliseconds, and leaves nothing behind.
//!
//! ```
//! # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
//! # let folder = tempfile::tempdir()?;
//! # std::env::set_current_dir(&folder)?;
//! # std::fs::create_dir_all("tests/fixtures")?;
//! # std::fs::write("tests/schema.sql", "CREATE TABLE users (id int PRIMARY KEY, email text NOT NULL)")?;
//! # std::fs::write("tests/fixtures/users.jsonl", "{\"$label\": \"alice\", \"email\": \"alice@example.org\"}")?;
//! let db = dbload::testing::database().schema("tests/schema.sql").fixtures("tests/fixtures").await?;
//! let (client, connection) = tokio_postgres::connect(db.url(), tokio_postgres::NoTls).await?;
//! # tokio::spawn(connection);
//! let row = client.query_one("SELECT email FROM users", &[]).await?;
//! assert_eq!(row.get::<_, &str>(0), "alice@example.org");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The schema and the fixtures are loaded once, into a template that is known by their content, and cloned
//! for each test. The server is that of `DBLOAD_TEST_SERVER`, which `dbload local run -- cargo test` sets for
//! all test processes; without it, a throwaway one of this process.
//!
//! A database is gone when its value is dropped, and after a panic it stays: its URL is written to standard
//! error, and the next run of the tests removes it. So does what a killed process leaves.

mod ahead;
mod back;
mod clone;
mod copies;
mod database;
mod error;
mod facts;
mod hands;
mod keeper;
mod migrations;
mod names;
mod recipe;
mod schemas;
mod setup;
mod stock;
mod sweep;
mod template;

pub use database::TestDatabase;
pub use error::TestingError;
pub use setup::DatabaseSetup;

/// A database for a test, to be described further, and awaited.
pub fn database() -> DatabaseSetup {
    DatabaseSetup::new()
}
