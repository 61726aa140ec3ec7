//! A column of a block's rows, and how a value goes into it.

use crate::format::{OnNul, clean_json};
use crate::schema::PgType;

use super::cell::{Cell, passes, push_cell};
use super::mapping::{Mapping, Slot};
use super::refusal::Refusal;

/// A column of the block's rows.
pub(super) struct Column<'m> {
    pub(super) slot: Slot,
    ty: &'m PgType,
    /// It is hashed: equal values must give equal bytes.
    canonical: bool,
    /// A value's text goes to the server as it came, but for escapes.
    pub(super) passes: bool,
    on_nul: OnNul,
}

impl<'m> Column<'m> {
    pub(super) fn new(mapping: &'m Mapping, slot: Slot) -> Self {
        let ty = &mapping.table.columns[mapping.slots[slot]].ty;
        let canonical = mapping.hashed.contains(&slot);
        Self { slot, ty, canonical, passes: passes(ty, canonical), on_nul: mapping.limits.on_nul }
    }

    pub(super) const fn is_int(&self) -> bool {
        matches!(self.ty, PgType::Int)
    }

    /// Appends a value of it.
    pub(super) fn push(
        &self,
        out: &mut Vec<u8>,
        scratch: &mut String,
        cell: Cell<'_>,
    ) -> Result<(), Refusal> {
        let cleaned;
        let cell = match cell {
            // JSON inside delimited text has escapes of its own.
            Cell::Text(text) if matches!(self.ty, PgType::Json) && self.on_nul != OnNul::Reject => {
                cleaned = clean_json(text.as_bytes(), self.on_nul);
                Cell::Text(std::str::from_utf8(&cleaned).unwrap_or(text))
            }
            cell => cell,
        };
        push_cell(out, scratch, cell, self.ty, self.canonical)
            .map_err(|(sqlstate, reason)| Refusal::at(self.slot, sqlstate, reason))
    }
}
