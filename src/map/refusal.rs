//! Why a record is refused before the server sees it.

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
}
