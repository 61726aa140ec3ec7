//! Files of SQLite as sources: their tables and queries, rows as lines in the text format of COPY.
//!
//! One read transaction is open from the first look until the last row. SQLite's library is not asynchronous:
//! each open table has a thread of its own (`worker`), which hands rows over a short queue. `declared` says
//! what a declared type becomes, `value` how a value is written. Writes nothing.

#[cfg(feature = "sqlite")]
mod declared;
mod error;
#[cfg(feature = "sqlite")]
mod look;
#[cfg_attr(not(feature = "sqlite"), path = "absent.rs")]
mod table;
#[cfg(feature = "sqlite")]
mod value;
#[cfg(feature = "sqlite")]
mod worker;

pub use error::SqliteError;
pub use table::{SqliteTable, tables_of};
