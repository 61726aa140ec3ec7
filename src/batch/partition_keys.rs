//! What a partition knows of the keys that it has met: whether one stands in the open batch already, or stood
//! in an earlier one.
//!
//! Keys that are numbers and come in order need no look: none repeats any. They are only noted, one behind
//! the other, and the last of them are put among those [met](super::met) when the order ends.

use crate::map::{KeyNumbers, KeyRange};

use super::seen_keys::{KeySighting, SeenKeys};

/// The keys of one partition.
pub(super) struct PartitionKeys {
    met: SeenKeys,
    /// All keys of the open batch are in `met`. If not, they ascend.
    looks: bool,
    /// The highest key so far. `None`: unknown.
    highest: Option<KeyNumbers>,
    /// Hashes of keys of earlier batches that came in order and are not in `met`: the last ones.
    noted: Vec<u64>,
}

impl PartitionKeys {
    /// Of one partition among so many, whose batches have at most so many rows.
    pub(super) fn among(partitions: usize, rows_max: usize) -> Self {
        Self {
            met: SeenKeys::among(partitions, rows_max),
            looks: false,
            highest: Some(KeyNumbers::MIN),
            noted: Vec::new(),
        }
    }

    /// Rows of a block are next; `rows`: the hashes of those that the open batch has. Whether the keys are
    /// all higher than any before, and in order.
    pub(super) fn expect(&mut self, keys: Option<&KeyRange>, rows: impl Iterator<Item = u64>) -> bool {
        let before = self.highest;
        self.highest = before.zip(keys).map(|(before, keys)| before.max(keys.highest));
        let ascend = keys.zip(before).is_some_and(|(keys, before)| keys.ascend && before < keys.lowest);
        if !ascend && !std::mem::replace(&mut self.looks, true) {
            std::mem::take(&mut self.noted).into_iter().for_each(|hash| self.met.remember(hash));
            rows.for_each(|hash| _ = self.met.meet(hash));
        }
        ascend
    }

    /// Looks whether a key was met, and remembers it.
    pub(super) fn meet(&mut self, hash: u64) -> KeySighting {
        if self.looks { self.met.meet(hash) } else { KeySighting::First }
    }

    /// The open batch, with rows of these hashes, is closed. `ascend`: what [`PartitionKeys::expect`] said of
    /// the block that goes on in the next one.
    pub(super) fn next_batch(&mut self, rows: impl Iterator<Item = u64>, ascend: bool) {
        if !self.looks {
            self.noted.extend(rows);
            let forgotten = self.noted.len().saturating_sub(self.met.lasting());
            self.noted.drain(..forgotten);
        }
        self.met.next_batch();
        self.looks = !ascend;
    }
}
