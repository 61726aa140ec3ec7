//! Rows of columns as fields: each value as the text that PostgreSQL reads, so that the target's type
//! decides. What is nested is JSON, which becomes an array where the column is one.
//!
//! Column by column: what a value is written as is looked up once a block. Never goes by way of a float where
//! the source has digits.

mod below;
mod decode;
mod moment;
mod sheet;
mod sql_type;
mod text;
mod writer;

pub use below::SubMicroseconds;
pub(super) use decode::{decode, row_as_json};
pub(crate) use decode::{is_flat, is_verbatim};
pub(crate) use sheet::SHEET;
pub(crate) use sql_type::sql_types;
