//! The rows of a block while it is encoded: in one piece, but where keys that the server alone can read stand
//! among others.

use std::sync::Arc;

use crate::record::Block;

use super::mapping::{Mapping, Slot};
use super::rows::{EncodedBlock, EncodedPiece, PartRows};

/// The pieces of a block.
pub(super) struct BlockPieces {
    /// Those that are whole.
    pub(super) earlier: Vec<EncodedPiece>,
    /// The one in hand: an entry a partition.
    pub(super) parts: Vec<PartRows>,
    /// The keys of its rows are unread.
    pub(super) is_unread: bool,
    /// Rows with such keys are written apart from others.
    sets_unread_apart: bool,
}

impl BlockPieces {
    /// Of a block of so many bytes.
    pub(super) fn new(mapping: &Mapping, bytes: usize) -> Self {
        let partitions = usize::try_from(mapping.partitioner.count).unwrap_or(1);
        let share = bytes / partitions;
        let part = || PartRows { bytes: Vec::with_capacity(share + share / 4), ..PartRows::default() };
        Self {
            earlier: Vec::new(),
            parts: (0..partitions).map(|_| part()).collect(),
            is_unread: false,
            sets_unread_apart: mapping.sets_unread_apart(),
        }
    }

    /// All of them, of this block.
    pub(super) fn of(self, block: Arc<Block>, columns: Arc<[Slot]>) -> EncodedBlock {
        let Self { earlier, parts, is_unread, .. } = self;
        let (ignored_fields, narrowed, wanted) = (0, None, Vec::new());
        EncodedBlock { block, columns, earlier, parts, is_unread, ignored_fields, narrowed, wanted }
    }

    /// The key of the next row is unread, or not: it goes into a piece of its kind, which begins with this
    /// record if there is none yet.
    pub(super) fn turn(&mut self, record: usize, is_unread: bool) {
        if !self.sets_unread_apart || is_unread == self.is_unread {
            return;
        }
        let before = std::mem::replace(&mut self.is_unread, is_unread);
        if self.parts.iter().any(|part| !part.rows.is_empty()) {
            let next = self.parts.iter().map(|_| PartRows::default()).collect();
            let parts = std::mem::replace(&mut self.parts, next);
            self.earlier.push(EncodedPiece { parts, records: record, is_unread: before });
        }
    }
}
