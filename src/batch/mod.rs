//! Batching: encoded blocks become, for each partition, batches of bounded size that know where they begin
//! and end.
//!
//! A batch carries its own place: the checkpoint before it, the one after it, and every record in between
//! that belongs to its partition, rows and rejects alike. Pure and synchronous: conserves records, keeps
//! their order, and never reads a clock; when to flush by time is the pipeline's to say.

mod batcher;
mod chunk;
mod partition_keys;
mod seen_keys;
#[cfg(test)]
mod tests;

pub use batcher::{BatchLimits, Batcher, KeyHashes};
pub use chunk::{Batch, Chunk, ChunkNote, Keys, SourceCount};
