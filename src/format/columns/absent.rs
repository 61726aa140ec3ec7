//! Columns, in a build without the feature `parquet`: a source of them is refused when it is opened.

use crate::format::decode::{DecodeLimits, Each};
use crate::record::Columns;

#[path = "below.rs"]
mod below;

pub use below::SubMicroseconds;

/// No block is one.
pub(super) const fn decode(_columns: &Columns, _limits: &DecodeLimits, _each: &mut Each<'_>) {}

/// No block is one.
pub(super) const fn row_as_json(_columns: &Columns, _i: usize) -> Option<String> {
    None
}
