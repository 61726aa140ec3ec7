//! A record that the target does not hold: where it is, why, and what it was. The same from the encoder or
//! the server to the ledger, the reject file and the report.

use crate::format::Values;
use crate::record::Position;

/// A rejected record; what is known of the record itself is `O`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reject<O = Original> {
    /// Where it begins, and its ordinal in its source, 1-based.
    pub place: Position,
    /// The column to blame.
    pub column: Option<String>,
    /// SQLSTATE: the server's, or what it would have been.
    pub sqlstate: String,
    /// The constraint to blame.
    pub constraint: Option<String>,
    /// The reason, in words for people.
    pub reason: String,
    /// The record as the source had it.
    pub original: O,
}

/// A rejected record as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Original {
    /// What is kept of it.
    pub kept: Kept,
    /// What its values were written as, wherever it has any.
    pub values: Values,
}

/// What is kept of a rejected record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kept {
    /// A JSON object by field name.
    Record(String),
    /// Text that could not be split into fields.
    Raw(String),
    /// Bytes that are no UTF-8, or hold NUL.
    Bytes(Vec<u8>),
    /// Longer than the limit on records: only its beginning was ever in memory.
    NotKept,
}

impl Original {
    /// Its source was delimited text.
    #[must_use]
    pub fn is_text(&self) -> bool {
        self.values == Values::Text
    }
}

impl Kept {
    /// Length of what was kept, in bytes.
    #[must_use]
    pub const fn bytes_len(&self) -> usize {
        match self {
            Self::Record(text) | Self::Raw(text) => text.len(),
            Self::Bytes(bytes) => bytes.len(),
            Self::NotKept => 0,
        }
    }
}
