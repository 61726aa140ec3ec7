//! Why a record is refused before the server sees it.

use crate::reject_codes;

use super::mapping::Slot;

/// Why a record was refused here.
pub(super) struct ValueRefusal {
    pub(super) column: Option<Slot>,
    pub(super) sqlstate: &'static str,
    pub(super) reason: String,
}

impl ValueRefusal {
    pub(super) fn at(column: Slot, sqlstate: &'static str, reason: impl Into<String>) -> Self {
        Self { column: Some(column), sqlstate, reason: reason.into() }
    }

    /// Of a field without a column, by its name or its place.
    pub(super) fn no_column(field: Option<&str>, position: usize) -> Self {
        let name = field.map_or_else(|| format!("number {}", position + 1), |name| format!("{name:?}"));
        let reason = format!("the table has no column for field {name}");
        Self { column: None, sqlstate: reject_codes::NO_COLUMN, reason }
    }
}
