//! Which partition a record belongs to. A stored run is resumed with the same answer: who changes it changes
//! the setting that such a run is refused by. The hash is XXH3 (a published function) of the canonical texts
//! of the key's columns (`map::canonical`), of numbers without their low bits.

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use crate::schema::{CanonicalForm, PgType};

/// Records without a key go to the partitions in turn, in runs of this many: long enough that a batch
/// compresses well into the table's pages, short enough that small files keep all writers busy.
const TURN_RECORDS: u64 = 2_048;

/// How records find their partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Partitioning {
    /// By hash of the key.
    Key,
    /// Runs of consecutive records in turn.
    Turns,
    /// All records belong to one partition.
    One,
}

/// Partitioning with its number of partitions.
#[derive(Debug, Clone, Copy)]
pub struct Partitioner {
    /// What records are partitioned by.
    pub by: Partitioning,
    /// How many there are.
    pub count: u32,
}

impl Partitioner {
    /// The partition of a record that has no usable key hash: undecodable, rejected, or without a key.
    #[must_use]
    pub fn of_ordinal(&self, record: u64) -> usize {
        match self.by {
            Partitioning::One => 0,
            Partitioning::Key | Partitioning::Turns => {
                usize::try_from((record / TURN_RECORDS) % u64::from(self.count)).unwrap_or(0)
            }
        }
    }

    /// The partition of a record with this key hash.
    #[must_use]
    pub fn of_hash(&self, hash: u64) -> usize {
        usize::try_from(hash % u64::from(self.count)).unwrap_or(0)
    }
}

/// Low bits of microseconds beside those of an integer: rows mostly lie a tenth of a second apart, or more.
const MICROS_BITS: u32 = 16;
/// Low bits of days: there are few.
const DAY_BITS_MAX: u32 = 4;

/// Keys whose numbers differ only in so many low bits share a partition: of so many columns, of which so
/// many are hashed. Rows of neighbouring keys mostly lie on one page of the table and of its index: two
/// connections that update them in turn would wait for each other's page locks. Where there are few values of
/// a column beside others (a device and a time, a shop and an article) all of them could be neighbours, and
/// one writer had all the work.
#[must_use]
pub const fn neighbour_bits(columns: usize, hashed: usize) -> u32 {
    match columns {
        0 | 1 => 8,
        _ if hashed < columns => 0,
        _ => 4,
    }
}

/// Low bits in which values of a type may differ and still share a partition.
pub(super) const fn bits_of(ty: &PgType, neighbour_bits: u32) -> u32 {
    match ty {
        PgType::Canonical(CanonicalForm::Timestamp(_) | CanonicalForm::Time(_)) => {
            MICROS_BITS + neighbour_bits
        }
        PgType::Canonical(CanonicalForm::Date) if neighbour_bits > DAY_BITS_MAX => DAY_BITS_MAX,
        _ => neighbour_bits,
    }
}

/// Appends what of a canonical key value says where its row is stored: neighbours, by so many bits, are
/// alike.
pub(super) fn push_place(place: &mut Vec<u8>, canonical: &[u8], number: Option<i64>, bits: u32) {
    match number {
        Some(n) => place.extend_from_slice(&(n >> bits).to_le_bytes()),
        // No byte of UTF-8, so that ("a", "bc") and ("ab", "c") differ.
        None => place.extend_from_slice(canonical),
    }
    place.push(0xff);
}

/// Hash of the canonical key text.
#[must_use]
pub(super) fn hash_key(canonical: &[u8]) -> u64 {
    xxh3_64(canonical)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_the_one_that_stored_runs_rely_on() {
        assert_eq!(hash_key(b""), 0x2d06_8005_38d3_94c2);
        assert_eq!(Partitioner { by: Partitioning::Turns, count: 3 }.of_ordinal(2_048), 1);
        assert_eq!(Partitioner { by: Partitioning::One, count: 3 }.of_ordinal(5_000), 0);
    }
}
