//! The members of a JSON object, as whoever reads one hands them on.

use std::borrow::Cow;

/// Up to this many members, comparing each name with those before is faster than hashing.
pub(super) const NAMES_COMPARED: usize = 24;

/// Names and raw values of one record, in its order.
pub(super) type RawMembers<'t> = Vec<(Cow<'t, str>, &'t str)>;
