//! Words of presence: which columns a row has a value for, as COPY text, and whether its record deletes.

use super::copy_text::push_number;

/// Columns that one presence word covers: a word is a bigint, and its sign bit says that the record deletes.
pub const PRESENCE_WORD_BITS: usize = 63;

/// Set in each word of a record that deletes (`--delete-when`): as `bigint` it is below zero.
const DELETES_BIT: u64 = 1 << 63;

/// The words of one row after the other, of a block.
pub(super) struct PresenceWords {
    /// Words in use: those that hold a column of the block.
    used: Vec<usize>,
    now: Vec<u64>,
    next: Vec<u64>,
    /// As COPY text, as long as rows have the same fields.
    text: Vec<u8>,
    /// They are those of a record with the fields of this one.
    pub(super) are_noted: bool,
}

impl PresenceWords {
    /// Of a block with these columns, ascending, for a table of so many slots.
    pub(super) fn new(columns: &[usize], slots: usize) -> Self {
        let mut used: Vec<usize> = columns.iter().map(|slot| slot / PRESENCE_WORD_BITS).collect();
        used.dedup();
        let now = vec![0; slots.div_ceil(PRESENCE_WORD_BITS)];
        Self { used, next: now.clone(), now, text: Vec::new(), are_noted: false }
    }

    /// Notes which of the block's columns the record has a value for.
    pub(super) fn note(&mut self, columns: &[usize], has: impl Fn(usize) -> bool) {
        if self.are_noted {
            return;
        }
        self.next.fill(0);
        for &slot in columns {
            let bit = u64::from(has(slot));
            self.next[slot / PRESENCE_WORD_BITS] |= bit << (slot % PRESENCE_WORD_BITS);
        }
        if self.text.is_empty() || self.now != self.next {
            std::mem::swap(&mut self.now, &mut self.next);
            self.text.clear();
            for &word in &self.used {
                self.text.push(b'\t');
                push_number(&mut self.text, self.now[word]);
            }
        }
        self.are_noted = true;
    }

    /// Appends them to a row. `deletes`: its record does.
    pub(super) fn push(&self, out: &mut Vec<u8>, deletes: bool) {
        if !deletes {
            return out.extend_from_slice(&self.text);
        }
        for &word in &self.used {
            out.extend_from_slice(b"\t-");
            push_number(out, DELETES_BIT - self.now[word]);
        }
    }

    /// All of them, as numbers: what a row has, whatever becomes of it.
    pub(super) fn now(&self) -> &[u64] {
        &self.now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_that_deletes_has_words_below_zero_with_the_same_bits() {
        let columns = [0, 2, 62, 63, 130];
        let mut words = PresenceWords::new(&columns, 140);
        words.note(&columns, |slot| slot != 2);
        let text = |deletes| {
            let mut out = Vec::new();
            words.push(&mut out, deletes);
            String::from_utf8(out).unwrap()
        };
        let read =
            |text: &str| -> Vec<i64> { text.split('\t').skip(1).map(|n| n.parse().unwrap()).collect() };
        let (kept, deleted) = (read(&text(false)), read(&text(true)));
        assert_eq!(kept, [1 | 1 << 62, 1, 1 << 4]);
        assert_eq!(deleted, kept.iter().map(|word| word | i64::MIN).collect::<Vec<_>>());
    }
}
