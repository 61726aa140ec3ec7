//! XML, in a build without the feature `xml`: a source of it is refused when it is opened.

use super::{DecodeErrorKind, DecodeLimits, Each};
use crate::record::Text;

/// No record is one.
pub(super) fn decode(records: &Text, _limits: &DecodeLimits, each: &mut Each<'_>) {
    for i in 0..records.spans.len() {
        each(i, Err(DecodeErrorKind::NotOneRecord.at(records.raw(i), 0)));
    }
}
