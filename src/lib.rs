//! dbload streams records from files into PostgreSQL and upserts them through a connection pool.

pub mod account;
pub mod batch;
pub mod format;
pub mod local;
pub mod map;
pub mod pg;
pub mod record;
pub mod schema;
pub mod source;
pub mod write;
