//! What decoding holds a record to.

use crate::format::{OnNul, SubMicroseconds};

/// Deepest nesting of a value: PostgreSQL's own JSON parser gives up at a few thousand levels (its stack),
/// and no sane record comes near.
const DEPTH: usize = 1_000;

/// Most fields in a record: PostgreSQL has at most 1,600 columns; the rest is room for ignored ones.
const FIELDS: usize = 10_000;

/// What decoding holds a record to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DecodeLimits {
    /// Brackets open at once in a value.
    pub depth: usize,
    /// Fields in a record.
    pub fields: usize,
    /// What becomes of NUL and lone surrogates.
    pub on_nul: OnNul,
    /// Blanks around a field of delimited text do not keep it from being NULL.
    pub trims_nulls: bool,
    /// What becomes of the digits below the microsecond of a time that is a number.
    pub sub_microseconds: SubMicroseconds,
}

impl Default for DecodeLimits {
    fn default() -> Self {
        Self {
            depth: DEPTH,
            fields: FIELDS,
            on_nul: OnNul::Reject,
            trims_nulls: false,
            sub_microseconds: SubMicroseconds::Keep,
        }
    }
}
