//! A column of a block's rows, and how a value goes into it.

use crate::format::{OnNul, clean_json};
use crate::schema::PgType;

use super::cell::{Cell, passes, push_cell, text_of};
use super::judge::Loss;
use super::mapping::{Mapping, Slot};
use super::narrowing::Judge;
use super::refusal::ValueRefusal;

/// A column of the block's rows.
pub(super) struct ColumnEncoder<'m> {
    pub(super) slot: Slot,
    ty: &'m PgType,
    mapping: &'m Mapping,
    /// It is hashed: equal values must give equal bytes.
    canonical: bool,
    /// A value's text goes to the server as it came, but for escapes.
    pub(super) passes: bool,
    on_nul: OnNul,
    judge: Option<&'m Judge>,
    /// Values of the record in hand that were narrowed, as is allowed.
    pub(super) narrowed: std::cell::Cell<u64>,
}

impl<'m> ColumnEncoder<'m> {
    pub(super) fn new(mapping: &'m Mapping, slot: Slot) -> Self {
        let ty = &mapping.table.columns[mapping.slots[slot]].ty;
        let canonical = mapping.hashed.contains(&slot);
        Self {
            slot,
            ty,
            mapping,
            canonical,
            passes: passes(ty, canonical),
            on_nul: mapping.limits.on_nul,
            judge: mapping.judges.get(slot).and_then(Option::as_ref),
            narrowed: std::cell::Cell::new(0),
        }
    }

    pub(super) const fn is_int(&self) -> bool {
        matches!(self.ty, PgType::Int)
    }

    /// Values of it may be narrowed, and are counted.
    pub(super) fn counts(&self) -> bool {
        self.judge.is_some_and(|judge| judge.allowed)
    }

    /// Some of its values may be refused for what they would lose.
    pub(super) fn refuses(&self) -> bool {
        self.judge.is_some_and(|judge| !judge.allowed)
    }

    pub(super) fn name(&self) -> &'m str {
        self.mapping.column_name(self.slot)
    }

    pub(super) fn type_name(&self) -> &'m str {
        &self.mapping.table.columns[self.mapping.slots[self.slot]].type_name
    }

    pub(super) fn is_bytes(&self) -> bool {
        let column = &self.mapping.table.columns[self.mapping.slots[self.slot]];
        column.domain_base.as_deref().unwrap_or(&column.type_name) == "bytea"
    }

    /// A value's text, and what it would be refused for.
    pub(super) fn foreseen<'t>(
        &self,
        cell: Cell<'t>,
        room: &'t mut String,
    ) -> Option<(&'t str, Option<Loss>)> {
        if matches!(cell, Cell::Absent | Cell::Null) {
            return None;
        }
        let text = self.text_of(cell, room).ok()?;
        let judge = self.judge.filter(|judge| !judge.allowed);
        Some((text, judge.and_then(|judge| judge.loss(text)).filter(|loss| loss.can_be_allowed())))
    }

    /// What is stored of this text says what it says, or need not.
    #[inline]
    pub(super) fn judge(&self, text: &str) -> Result<(), ValueRefusal> {
        match self.judge {
            None => Ok(()),
            Some(judge) => self.judge_by(judge, text),
        }
    }

    fn judge_by(&self, judge: &Judge, text: &str) -> Result<(), ValueRefusal> {
        if judge.sees_no_loss(text) { Ok(()) } else { self.judge_longer(judge, text) }
    }

    /// Of a text that has to be looked through.
    #[cold]
    fn judge_longer(&self, judge: &Judge, text: &str) -> Result<(), ValueRefusal> {
        let Some(loss) = judge.loss(text) else { return Ok(()) };
        if judge.allowed {
            self.narrowed.set(self.narrowed.get() + 1);
            return Ok(());
        }
        let reason = loss.reason(self.type_name(), self.name());
        Err(ValueRefusal::at(self.slot, loss.sqlstate(), reason))
    }

    /// Appends a value of it.
    pub(super) fn push(
        &self,
        out: &mut Vec<u8>,
        scratch: &mut String,
        cell: Cell<'_>,
    ) -> Result<(), ValueRefusal> {
        let cleaned;
        let cell = match cell {
            // JSON inside delimited text has escapes of its own.
            Cell::Text(text) if matches!(self.ty, PgType::Json) && self.on_nul != OnNul::Reject => {
                cleaned = clean_json(text.as_bytes(), self.on_nul);
                Cell::Text(std::str::from_utf8(&cleaned).unwrap_or(text))
            }
            cell => cell,
        };
        let mut nested = String::new();
        let cell = match (self.judge, cell) {
            (None, cell) | (_, cell @ (Cell::Absent | Cell::Null)) => cell,
            (Some(_), cell) => {
                self.judge(self.text_of(cell, &mut nested)?)?;
                if nested.is_empty() { cell } else { Cell::Text(&nested) }
            }
        };
        push_cell(out, scratch, cell, self.ty, self.canonical)
            .map_err(|(sqlstate, reason)| ValueRefusal::at(self.slot, sqlstate, reason))
    }

    /// The text that the server reads; `nested` is room for one that does not stand in the source.
    fn text_of<'t>(&self, cell: Cell<'t>, nested: &'t mut String) -> Result<&'t str, ValueRefusal> {
        text_of(cell, self.ty, nested)
            .map_err(|(sqlstate, reason)| ValueRefusal::at(self.slot, sqlstate, reason))
    }
}
