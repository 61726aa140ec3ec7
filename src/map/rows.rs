//! What a block becomes: for each partition, rows of COPY text and the notes of what was refused.

use std::borrow::Cow;
use std::sync::Arc;

use crate::record::Block;

use super::keys::KeyRange;
use super::mapping::Slot;
use super::wanted::WantedColumn;

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

/// A record that the server is not sent.
#[derive(Debug, Clone)]
pub struct RecordNote {
    /// Index of the record in its block.
    pub i: u32,
    /// Why it is not.
    pub why: WhyNot,
}

/// Why a record is not sent.
#[derive(Debug, Clone)]
pub enum WhyNot {
    /// By the condition of the load.
    LeftOut,
    /// It was refused.
    Refused {
        /// The column it failed at, if one is to blame.
        column: Option<String>,
        /// SQLSTATE that the server would have used, or has.
        sqlstate: Cow<'static, str>,
        /// Why, without values of the record but those that the server shows.
        reason: String,
    },
}

impl RecordNote {
    /// It was refused.
    #[must_use]
    pub const fn is_reject(&self) -> bool {
        matches!(self.why, WhyNot::Refused { .. })
    }
}

/// Rows of one partition and its records that are none, each in source order.
#[derive(Debug, Default)]
pub struct PartRows {
    /// COPY text of the rows.
    pub bytes: Vec<u8>,
    /// What is to be known of each row, in order.
    pub rows: Vec<RowMeta>,
    /// Their keys, if they are all numbers.
    pub keys: Option<KeyRange>,
    /// Records of the partition that are not sent, in order.
    pub notes: Vec<RecordNote>,
    /// Presence words that every row has.
    pub present_in_all: Option<Vec<u64>>,
    /// Presence words that any row has.
    pub present_in_any: Vec<u64>,
    /// The keys of some rows the server alone can read: their hashes tell them from no other.
    pub has_unread_keys: bool,
    /// Some of the rows delete.
    pub deletes: bool,
}

impl PartRows {
    /// Notes which columns a row has a value for.
    #[inline]
    pub(super) fn note_presence(&mut self, presence: &[u64]) {
        match &mut self.present_in_all {
            None => self.present_in_all = Some(presence.to_vec()),
            Some(all) => all.iter_mut().zip(presence).for_each(|(all, word)| *all &= word),
        }
        if self.present_in_any.is_empty() {
            self.present_in_any = presence.to_vec();
        } else {
            self.present_in_any.iter_mut().zip(presence).for_each(|(any, word)| *any |= word);
        }
    }

    /// What its rows take.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        self.bytes.len() + self.rows.capacity() * size_of::<RowMeta>()
    }
}

/// The first records of a block, or the next ones, that are written apart from those behind them: either all
/// of their keys are unread, or none is.
#[derive(Debug)]
pub struct EncodedPiece {
    /// One entry a partition.
    pub parts: Vec<PartRows>,
    /// Records of the block up to its end.
    pub records: usize,
    /// The keys of its rows the server alone can read.
    pub is_unread: bool,
}

/// A block of records as rows of COPY text, by partition.
#[derive(Debug)]
pub struct EncodedBlock {
    /// Where it came from; keeps the originals alive.
    pub block: Arc<Block>,
    /// Slots that every row has a value for, ascending: the columns of the COPY.
    pub columns: Arc<[Slot]>,
    /// Pieces before the last one, in their order. Mostly there are none.
    pub earlier: Vec<EncodedPiece>,
    /// Of the last piece, one entry a partition.
    pub parts: Vec<PartRows>,
    /// The keys of the last piece the server alone can read, and have to be written apart.
    pub is_unread: bool,
    /// Fields left out under `--extra ignore`.
    pub ignored_fields: u64,
    /// Values that were narrowed, where that is allowed.
    pub narrowed: Option<NarrowedValues>,
    /// Fields without a column that have a value, in the order of their first ones, where columns are added
    /// for them: then the block is of no use before they are there.
    pub wanted: Vec<WantedColumn>,
}

impl EncodedBlock {
    /// What its rows take.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        let earlier = self.earlier.iter().flat_map(|piece| &piece.parts);
        earlier.chain(&self.parts).map(PartRows::memory_bytes).sum()
    }
}

/// Values that became others on their way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NarrowedValues {
    /// Values that were narrowed.
    pub values: u64,
    /// Index of the record that has the first.
    pub i: usize,
    /// Column of the first of them.
    pub column: String,
}
