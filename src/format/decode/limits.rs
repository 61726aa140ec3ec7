//! What decoding holds a record to.

use crate::format::OnNul;

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
}

impl Default for DecodeLimits {
    fn default() -> Self {
        Self { depth: DEPTH, fields: FIELDS, on_nul: OnNul::Reject }
    }
}
