//! Delimiter-separated values, in a build without the feature `csv`: a source of them is refused when it is
//! opened.

use std::ops::Range;

use super::field::{Misfit, Quoting};
use super::{DecodeError, DecodeErrorKind, DecodeLimits, Each};
use crate::format::Dialect;
use crate::record::Text;

/// No record is one.
pub(super) fn decode(
    _dialect: &Dialect,
    _columns: usize,
    records: &Text,
    _limits: &DecodeLimits,
    each: &mut Each<'_>,
) {
    for i in 0..records.spans.len() {
        each(i, Err(DecodeErrorKind::NotOneRecord.at(records.raw(i), 0)));
    }
}

/// None is found.
pub(in crate::format) fn fields(
    _dialect: &Dialect,
    _raw: &[u8],
    _each: impl FnMut(Range<usize>, Quoting),
) -> Result<(), Misfit> {
    Err((DecodeErrorKind::NotOneRecord, 0))
}

/// Fields of a record.
pub(in crate::format) const fn field_count(_dialect: &Dialect, _raw: &[u8]) -> usize {
    0
}

/// Names of a header.
pub(in crate::format) fn header_names(_dialect: &Dialect, raw: &[u8]) -> Result<Vec<String>, DecodeError> {
    Err(DecodeErrorKind::NotOneRecord.at(raw, 0))
}
