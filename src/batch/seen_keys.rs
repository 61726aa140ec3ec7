//! The set of seen keys: which keys a partition has met lately, by their hashes.
//!
//! Rows whose key was met before are not new to the table, whatever it held at the start: they take another
//! way than those beside them (`Batch::repeats`). What stands in the open batch is never forgotten, what came
//! before it is some time; and two keys may share what is remembered of them. Then a row takes the longer way
//! for nothing.

/// Bytes that the keys of all partitions may take, unless a batch needs more.
const BYTES: usize = 1 << 20;
/// Slots of a generation, at least.
const SLOTS_MIN: usize = 1 << 10;
/// Of so many slots ..
const PARTS: usize = 4;
/// .. so many are filled, at most.
const FILLED: usize = 3;
/// The low bits of a slot say in which batch the key was met, the others are bits of its hash.
const BATCH_BITS: u32 = 4;
const BATCHES: u32 = 1 << BATCH_BITS;

/// Where a key was met before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum KeySighting {
    /// Nowhere, as far as is remembered.
    First,
    /// In an earlier batch.
    Before,
    /// In this batch; or in one so long ago that they are taken for one.
    Now,
}

/// The keys met by one partition: those of this generation, and those of the one before. Each remembers as
/// many, and more than a batch has.
pub(super) struct SeenKeys {
    now: Generation,
    before: Generation,
    slots: usize,
    batch: u32,
}

impl SeenKeys {
    /// Of one partition among so many, whose batches have at most so many rows.
    pub(super) fn among(partitions: usize, rows_max: usize) -> Self {
        let slots = BYTES / size_of::<u32>() / 2 / partitions.max(1);
        let slots = 1_usize << slots.max(SLOTS_MIN).ilog2();
        let needed = rows_max.saturating_mul(PARTS).div_ceil(FILLED).saturating_add(1);
        Self {
            now: Generation::default(),
            before: Generation::default(),
            slots: slots.max(needed.checked_next_power_of_two().unwrap_or(slots)),
            batch: 0,
        }
    }

    /// From here on keys are those of another batch.
    pub(super) const fn next_batch(&mut self) {
        self.batch = (self.batch + 1) % BATCHES;
    }

    /// So many keys are remembered for certain.
    pub(super) const fn lasting(&self) -> usize {
        self.slots * FILLED / PARTS
    }

    /// Remembers a key of an earlier batch.
    pub(super) fn remember(&mut self, hash: u64) {
        let batch = self.batch;
        self.batch = (batch + BATCHES - 1) % BATCHES;
        self.meet(hash);
        self.batch = batch;
    }

    /// Looks whether a key was met, and remembers it.
    pub(super) fn meet(&mut self, hash: u64) -> KeySighting {
        let tag = tag(hash);
        let slot = match self.now.find(hash, tag) {
            Ok(slot) => {
                let batch = self.now.keys[slot] % BATCHES;
                self.now.keys[slot] = tag | self.batch;
                return if batch == self.batch { KeySighting::Now } else { KeySighting::Before };
            }
            Err(slot) => slot,
        };
        let earlier = self.before.find(hash, tag).ok().map(|slot| self.before.keys[slot] % BATCHES);
        if self.now.filled * PARTS < self.now.keys.len() * FILLED {
            self.now.put(slot, tag | self.batch);
        } else {
            std::mem::swap(&mut self.now, &mut self.before);
            self.now.clear(self.slots);
            if let Err(slot) = self.now.find(hash, tag) {
                self.now.put(slot, tag | self.batch);
            }
        }
        match earlier {
            None => KeySighting::First,
            Some(batch) if batch == self.batch => KeySighting::Now,
            Some(_) => KeySighting::Before,
        }
    }
}

/// A table with open addressing: a hash's lower half says where to look, its upper half what for. None, or
/// never full.
#[derive(Default)]
struct Generation {
    keys: Vec<u32>,
    filled: usize,
}

const EMPTY: u32 = 0;

impl Generation {
    fn clear(&mut self, slots: usize) {
        self.filled = 0;
        self.keys.clear();
        self.keys.resize(slots, EMPTY);
    }

    /// Where a hash is looked for first. The number of slots is a power of two.
    fn place(&self, hash: u64) -> usize {
        usize::try_from(hash & u64::from(u32::MAX)).unwrap_or(0) & self.keys.len().saturating_sub(1)
    }

    /// The slot of a hash, or the empty one where it belongs.
    fn find(&self, hash: u64, tag: u32) -> Result<usize, usize> {
        let mut slot = self.place(hash);
        loop {
            match self.keys.get(slot) {
                None | Some(&EMPTY) => return Err(slot),
                Some(found) if found / BATCHES == tag / BATCHES => return Ok(slot),
                Some(_) => slot = (slot + 1) & (self.keys.len() - 1),
            }
        }
    }

    fn put(&mut self, slot: usize, key: u32) {
        self.keys[slot] = key;
        self.filled += 1;
    }
}

/// What is remembered of a hash: never that of an empty slot.
fn tag(hash: u64) -> u32 {
    (u32::try_from(hash >> 32).unwrap_or(0) & !(BATCHES - 1)).max(BATCHES)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(n: u64) -> u64 {
        xxhash_rust::xxh3::xxh3_64(&n.to_le_bytes())
    }

    #[test]
    fn what_was_met_lately_is_known_and_what_was_not_is_not() {
        let mut met = SeenKeys::among(2, 10);
        let lately = (met.slots * FILLED / PARTS) as u64;
        for n in 0..3 * lately {
            assert_eq!(met.meet(hash(n)), KeySighting::First, "{n}");
            assert_eq!(met.meet(hash(n)), KeySighting::Now, "{n}");
            met.next_batch();
        }
        // What is asked for is remembered again, so the oldest goes first.
        for n in 2 * lately..3 * lately {
            assert_ne!(met.meet(hash(n)), KeySighting::First, "{n}");
        }
    }

    #[test]
    fn a_batch_is_told_from_those_before() {
        let mut met = SeenKeys::among(1, 10);
        for batch in 0..BATCHES {
            let meeting = if batch == 0 { KeySighting::First } else { KeySighting::Before };
            assert_eq!(met.meet(hash(7)), meeting, "{batch}");
            assert_eq!(met.meet(hash(7)), KeySighting::Now, "{batch}");
            met.next_batch();
        }
    }

    #[test]
    fn no_key_of_the_open_batch_is_forgotten() {
        for rows in [1, 700, 5_000, 100_000] {
            let mut met = SeenKeys::among(128, rows);
            // A generation ends wherever it likes within the batch.
            for n in 0..met.slots as u64 / 2 {
                met.meet(hash(1_000_000 + n));
            }
            met.next_batch();
            for n in 0..rows as u64 {
                assert_eq!(met.meet(hash(n)), KeySighting::First, "{n} of {rows}");
            }
            for n in 0..rows as u64 {
                assert_eq!(met.meet(hash(n)), KeySighting::Now, "{n} of {rows}");
            }
        }
    }

    #[test]
    fn all_partitions_together_stay_within_their_bytes() {
        for partitions in [1, 2, 3, 8, 100] {
            let met = SeenKeys::among(partitions, 100);
            assert!(met.slots.is_power_of_two());
            assert!(met.slots * size_of::<u32>() * 2 * partitions <= BYTES, "{partitions}");
        }
    }
}
