//! What becomes of the rows that are in the table and not in the sources: the half of a mode that is not
//! about records.

use super::Mode;

/// What becomes of rows of the table that no record is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Rest {
    /// They stay as they are.
    #[default]
    Stays,
    /// They are removed, once all records are in.
    Removed,
    /// All that was there before goes, in the moment in which the records take its place.
    Replaced,
}

impl Rest {
    /// The mode that asks for it, by its name on the command line; else that of the records.
    #[must_use]
    pub const fn mode_name(self, mode: Mode) -> &'static str {
        match self {
            Self::Stays => mode.name(),
            Self::Removed => "sync",
            Self::Replaced => "replace",
        }
    }
}

/// What a load may do that takes rows away.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Removals {
    /// A source without records is believed.
    pub allow_empty: bool,
    /// Foreign keys of other tables may delete or change rows there.
    pub allow_cascade: bool,
    /// More than these are a question.
    pub max: RemovalLimit,
}

/// How many rows may be removed; above that none is.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum RemovalLimit {
    /// A tenth of a hundred rows and more, else ten.
    #[default]
    Usual,
    /// So many.
    Count(u64),
    /// This share of the rows (0 to 1).
    Share(f64),
}

impl RemovalLimit {
    /// A share says nothing of fewer rows.
    const USUAL_FROM_ROWS: u64 = 100;
    const USUAL_ROWS: u64 = 10;
    const USUAL_SHARE: f64 = 0.1;

    /// So many of so many rows are too many.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a share of so many rows needs no more precision")]
    pub fn is_exceeded(self, removed: u64, rows: u64) -> bool {
        match self {
            Self::Usual if rows < Self::USUAL_FROM_ROWS => removed > Self::USUAL_ROWS,
            Self::Usual => removed as f64 > Self::USUAL_SHARE * rows as f64,
            Self::Count(limit) => removed > limit,
            Self::Share(share) => removed as f64 > share * rows as f64,
        }
    }

    /// In words.
    #[must_use]
    pub fn words(self) -> String {
        match self {
            Self::Usual => {
                format!("10%, and {} of fewer than {} rows", Self::USUAL_ROWS, Self::USUAL_FROM_ROWS)
            }
            Self::Count(limit) => limit.to_string(),
            Self::Share(share) => format!("{}%", share * 100.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::RemovalLimit::{Count, Share, Usual};

    #[test]
    fn a_limit_is_what_may_still_go() {
        for (limit, rows, most) in [
            (Usual, 10, 10),
            (Usual, 99, 10),
            (Usual, 100, 10),
            (Usual, 1_000, 100),
            (Count(0), 1_000, 0),
            (Count(7), 5, 7),
            (Share(0.5), 10, 5),
            (Share(0.0), 10, 0),
            (Share(1.0), 10, 10),
        ] {
            assert!(!limit.is_exceeded(most, rows), "{limit:?} of {rows}");
            assert!(limit.is_exceeded(most + 1, rows), "{limit:?} of {rows}");
        }
    }
}
