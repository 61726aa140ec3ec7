//! The predictor: what a batch is expected to meet, by what the last ones met: which of several ways to one
//! result is the cheapest.
//!
//! A guess only. Wherever it is wrong the server says so, or the next statement finds out, and the result is
//! the same.

use crate::account::Books;

/// What a batch is expected to meet in the table.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Forecast {
    /// Keys of which none is stored.
    AllNew,
    /// Mostly keys that are not stored.
    #[default]
    New,
    /// Mostly rows that are as they should be.
    Same,
    /// Nothing but rows that are as they should be.
    AllSame,
    /// Mostly stored rows that differ.
    Changed,
}

/// Whether the rows of a batch went straight into the table.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Direct {
    /// It was not tried.
    #[default]
    NotTried,
    /// The table refused one of them, and the batch went by staging.
    Refused,
    /// The rows went straight into the table.
    Done,
}

/// Batches by staging after a refusal grow up to so many: a refused COPY leaves dead rows behind, and one of
/// 256 batches may be wasted.
const PENALTY_MAX: u32 = 256;
/// How fast they grow.
const PENALTY_GROWTH: u32 = 4;

/// What one partition has learnt.
#[derive(Debug, Clone, Copy)]
pub struct Predictor {
    pub(super) expect: Forecast,
    /// The table refused rows of the last batch.
    refuses: bool,
    /// Of the last batch some were rejected, for whatever reason.
    rejected: bool,
    /// Batches of nothing but new rows that must come first, before rows are tried straight into the table.
    wanted: u32,
    /// What `wanted` becomes at the next refusal.
    penalty: u32,
}

impl Predictor {
    /// The outlook of the first batch. `nothing_stored`: the table has no rows, or those that it has do not
    /// matter.
    #[must_use]
    pub const fn new(nothing_stored: bool) -> Self {
        let expect = if nothing_stored { Forecast::AllNew } else { Forecast::New };
        Self {
            expect,
            refuses: false,
            rejected: false,
            wanted: if nothing_stored { 0 } else { 1 },
            penalty: 1,
        }
    }

    /// Whether rows may be tried straight into the table.
    pub(super) const fn all_new(&self) -> bool {
        self.wanted == 0
    }

    /// Whether the table is expected to refuse rows.
    pub(super) const fn refuses(&self) -> bool {
        self.refuses
    }

    /// Whether all rows are expected to be good ones.
    pub(super) const fn is_clean(&self) -> bool {
        !self.rejected
    }

    /// The next batch will be like this one, of which so many rows were repeats.
    pub(super) fn learn(&mut self, books: &Books, repeats: u64, direct: Direct, row_by_row: bool) {
        let accepted = books.read - books.rejected;
        self.refuses = row_by_row && books.rejected > 0;
        self.rejected = books.rejected > 0;
        self.expect = if books.updated > books.inserted + books.unchanged {
            Forecast::Changed
        } else if books.unchanged > 0 && books.unchanged + books.rejected == books.read {
            Forecast::AllSame
        } else if books.unchanged > books.inserted {
            Forecast::Same
        } else if books.inserted > 0 && books.inserted + books.rejected == books.read {
            Forecast::AllNew
        } else {
            Forecast::New
        };
        match direct {
            Direct::Done => self.penalty = 1,
            Direct::NotTried if row_by_row => self.refused(),
            Direct::Refused => self.refused(),
            Direct::NotTried if accepted == 0 => {}
            Direct::NotTried if books.inserted + repeats >= accepted => {
                self.wanted = self.wanted.saturating_sub(1)
            }
            Direct::NotTried => self.wanted = self.wanted.max(1),
        }
    }

    const fn refused(&mut self) {
        self.wanted = self.penalty;
        let more = self.penalty * PENALTY_GROWTH;
        self.penalty = if more < PENALTY_MAX { more } else { PENALTY_MAX };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(inserted: u64, updated: u64, unchanged: u64) -> Books {
        Books { read: inserted + updated + unchanged, inserted, updated, unchanged, ..Books::default() }
    }

    #[test]
    fn what_most_rows_were_is_expected_next() {
        let mut predictor = Predictor::new(false);
        for (books, expect) in [
            (batch(10, 0, 0), Forecast::AllNew),
            (Books { rejected: 3, read: 13, ..batch(10, 0, 0) }, Forecast::AllNew),
            (Books { rejected: 13, read: 13, ..batch(0, 0, 0) }, Forecast::New),
            (batch(10, 1, 0), Forecast::New),
            (batch(1, 9, 0), Forecast::Changed),
            (batch(1, 0, 9), Forecast::Same),
            (batch(0, 0, 9), Forecast::AllSame),
            (Books { rejected: 3, read: 12, ..batch(0, 0, 9) }, Forecast::AllSame),
            (batch(0, 1, 9), Forecast::Same),
            (batch(5, 5, 5), Forecast::New),
        ] {
            predictor.learn(&books, 0, Direct::NotTried, false);
            assert_eq!(predictor.expect, expect, "{books:?}");
        }
    }

    #[test]
    fn rows_go_straight_in_where_the_table_is_empty_or_nothing_stored_was_met() {
        assert!(Predictor::new(true).all_new());
        let mut predictor = Predictor::new(false);
        assert!(!predictor.all_new());
        predictor.learn(&batch(9, 0, 1), 0, Direct::NotTried, false);
        assert!(!predictor.all_new());
        predictor.learn(&batch(10, 0, 0), 0, Direct::NotTried, false);
        assert!(predictor.all_new());
        // Whatever repeats are, they say nothing of the others.
        let mut predictor = Predictor::new(false);
        predictor.learn(&batch(8, 1, 1), 1, Direct::NotTried, false);
        assert!(!predictor.all_new());
        predictor.learn(&batch(8, 1, 1), 2, Direct::NotTried, false);
        assert!(predictor.all_new());
    }

    #[test]
    fn each_refusal_asks_for_more_batches_of_new_rows() {
        let mut predictor = Predictor::new(true);
        for wanted in [1, 4, 16] {
            predictor.learn(&batch(10, 0, 0), 0, Direct::Refused, false);
            for left in (0..wanted).rev() {
                assert!(!predictor.all_new(), "{wanted} {left}");
                predictor.learn(&batch(10, 0, 0), 0, Direct::NotTried, false);
            }
            assert!(predictor.all_new(), "{wanted}");
        }
        predictor.learn(&batch(10, 0, 0), 0, Direct::Done, false);
        predictor.learn(&batch(10, 0, 0), 0, Direct::Refused, false);
        predictor.learn(&batch(10, 0, 0), 0, Direct::NotTried, false);
        assert!(predictor.all_new());
    }
}
