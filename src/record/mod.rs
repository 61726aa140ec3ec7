//! Records and their places: what travels from the sources to the writers.
//!
//! A [`Block`] is a run of records of one source, in source order. It owns its content: text with the places
//! of the records in it, or columns. Who reads, cuts and decodes (`source`, `format`) knows the content;
//! everybody else asks the block, by the number of a record in it. It is decoded by a worker, and kept (its
//! content is shared, not copied) until the last batch with one of its records has committed, so that a
//! reject can show the original.
//!
//! Pure vocabulary: no I/O, no clock, no async.

mod block;
mod columns;
mod place;
mod text;

pub use block::{Block, Content, Operation};
pub use columns::Columns;
pub use place::{Digest, PageToken, Place, Position};
pub use text::{Span, SpanKind, Text};
