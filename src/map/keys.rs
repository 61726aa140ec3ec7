//! The key of a record: the hashes that tell it from others and find its partition, and its numbers.
//!
//! Of keys that are numbers a block says whether they come in order: one that is higher than all before it
//! repeats none of them, and nobody need look.

use crate::reject_codes;
use crate::schema::PgType;

use super::canonical::{self, Canonical};
use super::cell::{Cell, ValueError, push_cell, text_of};
use super::mapping::Mapping;
use super::partition;
use super::refusal::ValueRefusal;

/// The numbers of a key: of one column, or of two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeyNumbers([i64; 2]);

impl KeyNumbers {
    /// Not above any key.
    pub const MIN: Self = Self([i64::MIN; 2]);

    /// The number of the first column.
    #[must_use]
    pub const fn first(self) -> i64 {
        self.0[0]
    }

    /// The numbers of the columns that are hashed, in their order. `None`: there are others, or too many.
    #[must_use]
    pub fn of(numbers: impl IntoIterator<Item = Option<i64>>) -> Option<Self> {
        let mut numbers = numbers.into_iter();
        let first = numbers.next()??;
        let second = numbers.next().unwrap_or(Some(0))?;
        numbers.next().is_none().then_some(Self([first, second]))
    }
}

/// What the keys of some rows are like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyRange {
    /// The lowest key of the rows.
    pub lowest: KeyNumbers,
    /// The highest key of the rows.
    pub highest: KeyNumbers,
    /// Each is higher than the one before it.
    pub ascend: bool,
}

impl KeyRange {
    /// Of these rows, and of one more.
    #[must_use]
    pub fn and(self, key: KeyNumbers) -> Self {
        Self {
            lowest: self.lowest.min(key),
            highest: self.highest.max(key),
            ascend: self.ascend && self.highest < key,
        }
    }

    /// Of these rows, and of others behind them.
    #[must_use]
    pub fn with(self, behind: Self) -> Self {
        Self {
            lowest: self.lowest.min(behind.lowest),
            highest: self.highest.max(behind.highest),
            ascend: self.ascend && behind.ascend && self.highest < behind.lowest,
        }
    }
}

impl From<KeyNumbers> for KeyRange {
    fn from(key: KeyNumbers) -> Self {
        Self { lowest: key, highest: key, ascend: true }
    }
}

/// What becomes of a record's key.
pub(super) struct KeyHash {
    /// Of all that can be hashed of it: tells keys apart.
    pub(super) whole: u64,
    /// Of what says where it is stored: tells which partition.
    pub(super) place: u64,
    /// Its numbers, if it has nothing else.
    pub(super) numbers: Option<KeyNumbers>,
    /// The server alone can read some of it: records of the same key may have other hashes.
    pub(super) is_unread: bool,
}

/// Hashes keys. Holds the room for it.
#[derive(Default)]
pub(super) struct KeyHasher {
    key: Vec<u8>,
    place: Vec<u8>,
    numbers: Vec<Option<i64>>,
}

impl KeyHasher {
    /// Checks that the key is there, and hashes what of it can be hashed.
    pub(super) fn hash(
        &mut self,
        mapping: &Mapping,
        scratch: &mut String,
        cells: &[Cell<'_>],
    ) -> Result<KeyHash, ValueRefusal> {
        self.key.clear();
        self.place.clear();
        for &slot in &mapping.key {
            match cells[slot] {
                Cell::Absent => {
                    return Err(ValueRefusal::at(
                        slot,
                        reject_codes::NO_KEY,
                        "the record has no value for this key column",
                    ));
                }
                Cell::Null if !mapping.null_keys => {
                    return Err(ValueRefusal::at(slot, reject_codes::NO_KEY, "null in a key column"));
                }
                _ => {}
            }
        }
        self.numbers.clear();
        let mut is_unread = false;
        for &slot in &mapping.hashed {
            let ty = &mapping.table.columns[mapping.slots[slot]].ty;
            let start = self.key.len();
            let canonical = self
                .push_canonical(mapping, scratch, cells[slot], ty)
                .map_err(|(sqlstate, reason)| ValueRefusal::at(slot, sqlstate, reason))?;
            let number = match canonical {
                Canonical::Number(n) => Some(n),
                Canonical::Text => None,
                Canonical::Unread => {
                    is_unread = true;
                    None
                }
            };
            self.numbers.push(number);
            if mapping.placing.contains(&slot) {
                let bits = partition::bits_of(ty, mapping.neighbour_bits);
                partition::push_place(&mut self.place, &self.key[start..], number, bits);
            }
            // No byte of UTF-8, so that ("a", "bc") and ("ab", "c") differ.
            self.key.push(0xff);
        }
        Ok(KeyHash {
            whole: partition::hash_key(&self.key),
            place: partition::hash_key(&self.place),
            numbers: KeyNumbers::of(self.numbers.iter().copied()),
            is_unread,
        })
    }

    /// Appends the canonical text of a value.
    fn push_canonical(
        &mut self,
        mapping: &Mapping,
        scratch: &mut String,
        cell: Cell<'_>,
        ty: &PgType,
    ) -> Result<Canonical, ValueError> {
        let start = self.key.len();
        let form = match ty {
            PgType::Canonical(form) if !matches!(cell, Cell::Null) => *form,
            _ => {
                push_cell(&mut self.key, scratch, cell, ty, true)?;
                if *ty == PgType::Padded {
                    trim_end(&mut self.key, start);
                }
                if mapping.table.has_one_broken_bar {
                    join_bars(&mut self.key, start);
                }
                let text = || std::str::from_utf8(&self.key[start..]).unwrap_or_default();
                let integer = (*ty == PgType::Int).then(|| text().parse().ok()).flatten();
                return Ok(integer.map_or(Canonical::Text, Canonical::Number));
            }
        };
        let text = text_of(cell, ty, scratch)?;
        let canonical = canonical::read(&mut self.key, form, mapping.clocks, text);
        if let Canonical::Number(n) = canonical {
            self.key.extend_from_slice(itoa::Buffer::new().format(n).as_bytes());
        }
        Ok(canonical)
    }
}

/// Takes spaces off the end of what begins at `start`.
fn trim_end(text: &mut Vec<u8>, start: usize) {
    let len = text[start..].iter().rposition(|&b| b != b' ').map_or(0, |last| last + 1);
    text.truncate(start + len);
}

/// Makes one character of the two broken bars in what begins at `start`.
fn join_bars(text: &mut Vec<u8>, start: usize) {
    let joined = match std::str::from_utf8(&text[start..]) {
        Ok(text) if text.contains('\u{ffe4}') => text.replace('\u{ffe4}', "\u{a6}"),
        _ => return,
    };
    text.truncate(start);
    text.extend_from_slice(joined.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_compared_column_by_column() {
        let key = |numbers: &[i64]| KeyNumbers::of(numbers.iter().copied().map(Some)).unwrap();
        let range = |keys: &[&[i64]]| {
            let mut keys = keys.iter().map(|numbers| key(numbers));
            let first = KeyRange::from(keys.next().unwrap());
            keys.fold(first, KeyRange::and)
        };
        assert!(range(&[&[1, 1], &[1, 2], &[2, 1]]).ascend);
        assert!(range(&[&[-5], &[-4], &[i64::MAX]]).ascend);
        assert!(!range(&[&[1], &[1]]).ascend);
        // Once out of order, out of order.
        assert!(!range(&[&[1], &[3], &[2], &[4]]).ascend);
        assert_eq!(range(&[&[1], &[3], &[-2], &[2]]).lowest, key(&[-2]));
        assert_eq!(range(&[&[1], &[3], &[-2], &[2]]).highest, key(&[3]));
        let (low, high) = (range(&[&[1], &[3]]), range(&[&[4], &[9]]));
        assert_eq!(low.with(high), range(&[&[1], &[3], &[4], &[9]]));
        assert_eq!(high.with(low), KeyRange { ascend: false, ..low.with(high) });
        assert_eq!(KeyNumbers::of([Some(1), None]), None);
        assert_eq!(KeyNumbers::of([None]), None);
        assert_eq!(KeyNumbers::of([]), None);
        assert_eq!(KeyNumbers::of([Some(1), Some(2), Some(3)]), None);
    }
}
