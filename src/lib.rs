//! dbload streams records from files into PostgreSQL and upserts them through a connection pool.

pub mod format;
pub mod pg;
pub mod record;
pub mod source;
