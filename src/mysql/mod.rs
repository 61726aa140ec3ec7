//! Tables of servers of MySQL and MariaDB as sources: their tables and queries, rows as lines in the text
//! format of COPY.
//!
//! One transaction that only reads is open from the first look until the last row, on a connection of its own
//! (`reader`). Values come as the server's own text, byte for byte: `columns` says what a type becomes,
//! `value` how a value is written. `server` reads connection strings. Writes nothing.

#[cfg(feature = "mysql")]
mod bounds;
#[cfg(feature = "mysql")]
mod columns;
#[cfg(feature = "mysql")]
mod connect;
mod error;
#[cfg(feature = "mysql")]
mod look;
mod option_file;
#[cfg(feature = "mysql")]
mod reader;
mod server;
#[cfg_attr(not(feature = "mysql"), path = "absent.rs")]
mod table;
#[cfg(feature = "mysql")]
mod value;
mod zero_dates;

pub use error::MysqlError;
pub use server::{MysqlServer, MysqlWordError, without_password};
pub use table::MysqlTable;
pub use zero_dates::ZeroDates;
