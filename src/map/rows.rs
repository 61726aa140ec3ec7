//! What a block becomes: for each partition, rows of COPY text and the notes of what was refused.

use std::sync::Arc;

use crate::record::Block;

use super::keys::KeyRange;
use super::mapping::Slot;

/// One row of a partition.
#[derive(Debug, Clone, Copy)]
pub struct RowMeta {
    /// Index of the record in its block.
    pub i: u32,
    /// Where its COPY text ends in the partition's bytes.
    pub end: u32,
    /// Hash of the hashable part of its key.
    pub hash: u64,
}

/// A record that was refused before it reached the server.
#[derive(Debug, Clone)]
pub struct RejectNote {
    /// Index of the record in its block.
    pub i: u32,
    /// The column it failed at, if one is to blame.
    pub column: Option<String>,
    /// SQLSTATE that the server would have used.
    pub sqlstate: &'static str,
    /// Why, without values of the record.
    pub reason: String,
}

/// Rows and rejects of one partition, each in source order.
#[derive(Debug, Default)]
pub struct PartRows {
    /// COPY text of the rows.
    pub bytes: Vec<u8>,
    /// The rows.
    pub rows: Vec<RowMeta>,
    /// Their keys, if they are all numbers.
    pub keys: Option<KeyRange>,
    /// The rejects.
    pub rejects: Vec<RejectNote>,
    /// Presence words that every row has.
    pub present_in_all: Option<Vec<u64>>,
    /// Presence words that any row has.
    pub present_in_any: Vec<u64>,
}

impl PartRows {
    /// What its rows take.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        self.bytes.len() + self.rows.capacity() * size_of::<RowMeta>()
    }
}

/// A block, encoded.
#[derive(Debug)]
pub struct EncodedBlock {
    /// Where it came from; keeps the originals alive.
    pub block: Arc<Block>,
    /// Slots that every row has a value for, ascending: the columns of the COPY.
    pub columns: Arc<[Slot]>,
    /// One entry a partition.
    pub parts: Vec<PartRows>,
    /// Fields left out under `--extra ignore`.
    pub ignored_fields: u64,
    /// Values that were narrowed, where that is allowed.
    pub narrowed: Option<NarrowedValues>,
}

/// Values that became others on their way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NarrowedValues {
    /// How many.
    pub values: u64,
    /// Index of the record that has the first.
    pub i: usize,
    /// Its column.
    pub column: String,
}
