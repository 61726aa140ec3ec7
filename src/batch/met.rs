//! Which keys a partition has met lately, by their hashes.
//!
//! Rows whose key was met before are not new to the table, whatever it held at the start: they take another way than those
//! beside them (`Batch::repeats`). It is a guess, that two keys may share and that long ago is forgotten; nothing but speed
//! depends on it.

/// Bytes that the keys of all partitions may take.
const BYTES: usize = 1 << 20;
/// Slots of a generation, at least.
const SLOTS_MIN: usize = 1 << 10;
/// Of so many slots ..
const PARTS: usize = 4;
/// .. so many are filled, at most.
const FILLED: usize = 3;

/// The keys met by one partition: those of this generation, and those of the one before. Each remembers as many.
pub(super) struct Met {
    now: Generation,
    before: Generation,
    slots: usize,
}

impl Met {
    /// Of one partition among so many.
    pub(super) fn among(partitions: usize) -> Self {
        let slots = BYTES / size_of::<u32>() / 2 / partitions.max(1);
        let slots = (1 << slots.max(SLOTS_MIN).ilog2()) as usize;
        Self { now: Generation::default(), before: Generation::default(), slots }
    }

    pub(super) fn contains(&self, hash: u64) -> bool {
        self.now.find(hash).is_ok() || self.before.find(hash).is_ok()
    }

    pub(super) fn remember(&mut self, hash: u64) {
        if self.now.filled * PARTS >= self.now.tags.len() * FILLED {
            std::mem::swap(&mut self.now, &mut self.before);
            self.now.filled = 0;
            self.now.tags.clear();
            self.now.tags.resize(self.slots, EMPTY);
        }
        if let Err(slot) = self.now.find(hash) {
            self.now.tags[slot] = tag(hash);
            self.now.filled += 1;
        }
    }
}

/// A table with open addressing: a hash's lower half says where to look, its upper half what for. None, or never full.
#[derive(Default)]
struct Generation {
    tags: Vec<u32>,
    filled: usize,
}

const EMPTY: u32 = 0;

impl Generation {
    /// The slot of a hash, or the empty one where it belongs.
    fn find(&self, hash: u64) -> Result<usize, usize> {
        let (count, tag) = (self.tags.len(), tag(hash));
        if count == 0 {
            return Err(0);
        }
        // The number of slots is a power of two.
        let mut slot = usize::try_from(hash & u64::from(u32::MAX)).unwrap_or(0) & (count - 1);
        loop {
            match self.tags[slot] {
                EMPTY => return Err(slot),
                found if found == tag => return Ok(slot),
                _ => slot = (slot + 1) & (count - 1),
            }
        }
    }
}

fn tag(hash: u64) -> u32 {
    u32::try_from(hash >> 32).unwrap_or(0).max(EMPTY + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(n: u64) -> u64 {
        xxhash_rust::xxh3::xxh3_64(&n.to_le_bytes())
    }

    #[test]
    fn what_was_met_lately_is_known_and_what_was_not_is_not() {
        let mut met = Met::among(2);
        let lately = (met.slots * FILLED / PARTS) as u64;
        for n in 0..3 * lately {
            assert!(!met.contains(hash(n)), "{n}");
            met.remember(hash(n));
            met.remember(hash(n));
            let back = n.saturating_sub(lately - 1);
            assert!(met.contains(hash(back)) && met.contains(hash(n)), "{n}");
        }
    }

    #[test]
    fn all_partitions_together_stay_within_their_bytes() {
        for partitions in [1, 2, 3, 8, 100] {
            let met = Met::among(partitions);
            assert!(met.slots.is_power_of_two());
            assert!(met.slots * size_of::<u32>() * 2 * partitions <= BYTES, "{partitions}");
        }
    }
}
