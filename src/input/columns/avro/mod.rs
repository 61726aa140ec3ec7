//! Containers of Avro, looked through before they are decoded.
//!
//! The decoder spins on a block with bytes behind its last row, passes over rows that take none, and makes
//! room for whatever a block unpacks to. `container` reads header and blocks, `codec` unpacks them, `schema`
//! makes of the writer's schema what `walk` needs to go from one row to the next. What the decoder gets is
//! plain blocks of rows that are all there, and no more at once than memory has room for.

mod codec;
mod container;
mod schema;
#[cfg(test)]
mod tests;
mod walk;

pub(super) use container::AvroContainer;
