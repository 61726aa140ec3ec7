//! The books: what became of every record, and the sums that must balance.
//!
//! A record starts unaccounted for; nothing counts as success by default. Pure arithmetic: knows neither the
//! database nor the clock.

use serde::{Deserialize, Serialize};

/// Counts of records by what became of them. Sums of what the server committed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Books {
    /// Records found in the sources (blank lines are none).
    pub read: u64,
    /// Stored as new rows.
    pub inserted: u64,
    /// Changed a stored row.
    pub updated: u64,
    /// Found the stored row as it should be.
    pub unchanged: u64,
    /// Their stored row was deleted, or marked as deleted (`--delete-when`).
    #[serde(default)]
    pub deleted: u64,
    /// Folded into a later record of the same key in the same batch.
    pub deduplicated: u64,
    /// Not applied by rule (mode, `--newer-by`, a trigger, a policy).
    pub skipped: u64,
    /// Refused by decoder, mapping, limits or database.
    pub rejected: u64,
}

impl Books {
    /// Records with a known fate.
    #[must_use]
    pub const fn accounted(&self) -> u64 {
        self.inserted
            + self.updated
            + self.unchanged
            + self.deleted
            + self.deduplicated
            + self.skipped
            + self.rejected
    }

    /// `read` equals the sum of the fates.
    #[must_use]
    pub const fn balance(&self) -> bool {
        self.read == self.accounted()
    }

    /// What was added since `before`.
    #[must_use]
    pub const fn since(&self, before: &Self) -> Self {
        Self {
            read: self.read.saturating_sub(before.read),
            inserted: self.inserted.saturating_sub(before.inserted),
            updated: self.updated.saturating_sub(before.updated),
            unchanged: self.unchanged.saturating_sub(before.unchanged),
            deleted: self.deleted.saturating_sub(before.deleted),
            deduplicated: self.deduplicated.saturating_sub(before.deduplicated),
            skipped: self.skipped.saturating_sub(before.skipped),
            rejected: self.rejected.saturating_sub(before.rejected),
        }
    }

    /// Adds another set of books.
    pub const fn add(&mut self, other: &Self) {
        self.read += other.read;
        self.inserted += other.inserted;
        self.updated += other.updated;
        self.unchanged += other.unchanged;
        self.deleted += other.deleted;
        self.deduplicated += other.deduplicated;
        self.skipped += other.skipped;
        self.rejected += other.rejected;
    }
}

/// What one source contributed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceBooks {
    /// Records of this source that are accounted for.
    pub read: u64,
    /// Records of these that were rejected.
    pub rejected: u64,
}

impl SourceBooks {
    /// Adds another set of books.
    pub const fn add(&mut self, other: &Self) {
        self.read += other.read;
        self.rejected += other.rejected;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_without_a_fate_unbalances_the_books() {
        let mut books = Books { read: 3, inserted: 1, updated: 1, ..Books::default() };
        assert!(!books.balance());
        books.add(&Books { rejected: 1, ..Books::default() });
        assert!(books.balance());
    }
}
