//! Shaping: what becomes of the fields of a record between its decoder and its columns. Which are loaded and
//! under which names, which parts of nested values are fields, and how values are written that the server
//! does not read as they stand.
//!
//! A [`Shaping`] is the description, a [`Shaper`] does it, record by record. What concerns names alone is
//! asked once for each name ([`Shaping::route`]), and costs nothing more. Pure: never touches files, Postgres
//! or the clock, and never sees a record without need.

mod expression;
mod expressions;
mod mask;
mod names;
mod parse;
mod path;
mod proposal;
mod shaper;
mod shaping;
#[cfg(test)]
mod tests;
mod value;
mod wanted;

pub use expression::{Expression, FieldName, quoted};
pub use names::{FieldOwner, KnownColumns, Unmade};
pub use parse::ParseFormat;
pub use proposal::proposal;
pub use shaper::{ShapeRefusal, ShapedRecord, Shaper};
pub use shaping::{Route, Shaping};
pub use value::field_text;
