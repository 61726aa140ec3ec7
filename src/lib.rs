//! dbload streams records from files into PostgreSQL and upserts them through a connection pool.

pub mod account;
pub mod batch;
pub mod event;
pub mod format;
pub mod job;
pub mod ledger;
pub mod load;
pub mod local;
pub mod map;
pub mod pg;
pub mod pipeline;
pub mod plan;
pub mod record;
pub mod report;
pub mod schema;
pub mod source;
pub mod write;
