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
    /// All that was there before goes, in the moment in which the records take its place.
    Replaced,
}

impl Rest {
    /// The mode that asks for it, by its name on the command line; else that of the records.
    #[must_use]
    pub const fn mode_name(self, mode: Mode) -> &'static str {
        match self {
            Self::Stays => mode.name(),
            Self::Replaced => "replace",
        }
    }
}
