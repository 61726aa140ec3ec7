//! Encoding: a block of records becomes, for each partition, rows of COPY text and the notes of what was
//! refused.
//!
//! A row is `seq \t presence words \t one value a column of the block`, ready for staging. Runs on a worker
//! thread; everything it needs is in its arguments.

use std::sync::Arc;

use crate::format::{Fields, Layout};
use crate::record::{Block, Operation};
use crate::reject_codes;

use super::cell::{Cell, recycle};
use super::column::ColumnEncoder;
use super::copy_text::{is_canonical_integer, is_verbatim, is_verbatim_but_for_line_feeds, push_number};
use super::keys::{KeyHash, KeyHasher};
use super::mapping::{Extra, Mapping, Slot, Target};
use super::needed::NeededFields;
use super::pieces::BlockPieces;
use super::presence::PresenceWords;
use super::questions::RecordAnswer;
use super::refusal::ValueRefusal;
use super::rows::{EncodedBlock, NarrowedValues, RecordNote, RowMeta, WhyNot};
use super::runs::{Lane, Runs};
use super::shaped::RecordShaper;
use super::wanted::WantedColumn;

/// Encodes a block. `targets`: where its positional fields go. `answers`: by record, what the expressions of
/// the load come to, if it has any.
#[must_use]
pub fn encode_block(
    mapping: &Mapping,
    layout: &Layout,
    targets: &[Target],
    block: Arc<Block>,
    answers: &[RecordAnswer],
) -> EncodedBlock {
    let set = mapping.set_slots();
    mapping.activate(set);
    // What is set comes beside the fields.
    let fixed = (!targets.is_empty() && set.is_empty()).then(|| mapping.slots_of(targets));
    loop {
        let columns = fixed.clone().unwrap_or_else(|| mapping.active());
        let mut encoder = Encoder::new(mapping, &columns, targets, &block, layout);
        let mut shaper = mapping.shaper(layout);
        layout.decode(&block, &mapping.limits, &mut |i, fields| match (fields, block.operation(i)) {
            (Ok(fields), Operation::Upsert) => match &mut shaper {
                None => encoder.record(i, &fields, &[]),
                Some(shaper) => encoder.shaped(i, shaper, &fields, answers.get(i)),
            },
            (Err(error), _) => encoder.reject(i, None, error.kind.sqlstate(), error.to_string()),
        });
        // A field met a column that no earlier record had: begin again with it.
        if encoder.new_slots.is_empty() || fixed.is_some() {
            let Encoder { pieces, ignored_fields, narrowed, wanted, .. } = encoder;
            return EncodedBlock { ignored_fields, narrowed, wanted, ..pieces.of(block, columns) };
        }
        let new_slots = std::mem::take(&mut encoder.new_slots);
        drop(encoder);
        mapping.activate(&new_slots);
    }
}

struct Encoder<'m, 'b> {
    mapping: &'m Mapping,
    columns: &'m [Slot],
    described: Vec<ColumnEncoder<'m>>,
    targets: &'m [Target],
    /// Names of positional fields, where some of them have no column.
    names: Vec<String>,
    block: &'b Block,
    pieces: BlockPieces,
    new_slots: Vec<Slot>,
    ignored_fields: u64,
    /// Some column's values may be narrowed.
    counts_narrowed: bool,
    narrowed: Option<NarrowedValues>,
    /// Fields that columns are to be added for.
    wanted: Vec<WantedColumn>,
    /// Names of the previous record's fields and where they went: records of a source mostly look alike.
    predicted: Vec<(String, Target)>,
    scratch: String,
    extra: String,
    keys: KeyHasher,
    presence: PresenceWords,
    /// Fields of the record before.
    fields: usize,
    /// Room for the cells of a record, kept from one to the next.
    cells: Vec<Cell<'static>>,
    /// Values are pieces of their record's text.
    has_values_from_text: bool,
    /// No value needs an escape, but for line feeds.
    has_line_feeds_at_most: bool,
    /// No value of this record needs an escape.
    is_verbatim: bool,
    /// For records of which none does.
    lane: Option<Lane>,
    /// This record deletes.
    deletes: bool,
    needed: NeededFields,
}

impl<'m, 'b> Encoder<'m, 'b> {
    fn new(
        mapping: &'m Mapping,
        columns: &'m [Slot],
        targets: &'m [Target],
        block: &'b Block,
        layout: &Layout,
    ) -> Self {
        let described: Vec<_> = columns.iter().map(|&slot| ColumnEncoder::new(mapping, slot)).collect();
        Self {
            mapping,
            columns,
            counts_narrowed: described.iter().any(ColumnEncoder::counts),
            narrowed: None,
            wanted: Vec::new(),
            described,
            targets,
            names: if targets.contains(&Target::Extra) { layout.names() } else { Vec::new() },
            block,
            pieces: BlockPieces::new(mapping, block.content_bytes()),
            new_slots: Vec::new(),
            ignored_fields: 0,
            predicted: Vec::new(),
            scratch: String::new(),
            extra: String::new(),
            keys: KeyHasher::default(),
            presence: PresenceWords::new(columns, mapping.slots.len()),
            fields: 0,
            cells: Vec::new(),
            has_values_from_text: layout.has_values_from_text() && mapping.shaper(layout).is_none(),
            has_line_feeds_at_most: is_verbatim_but_for_line_feeds(block.bytes()),
            is_verbatim: false,
            lane: Lane::new(columns, targets, &[&mapping.key[..], &mapping.hashed].concat()),
            deletes: false,
            needed: NeededFields::default(),
        }
    }

    fn reject(&mut self, i: usize, column: Option<Slot>, sqlstate: &'static str, reason: String) {
        self.reject_at(i, column.map(|slot| self.mapping.column_name(slot).to_owned()), sqlstate, reason);
    }

    fn reject_at(&mut self, i: usize, column: Option<String>, sqlstate: &'static str, reason: String) {
        self.note(i, WhyNot::Refused { column, sqlstate: sqlstate.into(), reason });
    }

    fn note(&mut self, i: usize, why: WhyNot) {
        let partition = self.mapping.partitioner.of_ordinal(self.block.start.record + i as u64);
        let i = u32::try_from(i).unwrap_or(u32::MAX);
        self.pieces.parts[partition].notes.push(RecordNote { i, why });
    }

    /// A record that is shaped first.
    fn shaped(
        &mut self,
        i: usize,
        shaper: &mut RecordShaper<'_>,
        fields: &Fields<'_, '_>,
        answer: Option<&RecordAnswer>,
    ) {
        match (shaper.shape(fields), answer.and_then(RecordAnswer::why_not)) {
            (Err(refusal), _) => self.reject_at(i, refusal.column, refusal.sqlstate, refusal.reason),
            (Ok(_), Some(why)) => self.note(i, why),
            (Ok(members), None) => {
                let set = answer.map_or(&[][..], RecordAnswer::values);
                self.deletes = answer.is_some_and(RecordAnswer::deletes);
                let members = if self.deletes { self.needed.of(self.mapping, members) } else { members };
                self.record(i, &Fields::Mended(&members), set);
                self.deletes = false;
            }
        }
    }

    /// `set`: values of columns that are set, beside its fields.
    fn record(&mut self, i: usize, fields: &Fields<'_, '_>, set: &[Option<Option<String>>]) {
        let mut cells = recycle(std::mem::take(&mut self.cells));
        cells.resize(self.mapping.slots.len(), Cell::Absent);
        self.is_verbatim = self.has_values_from_text && self.needs_no_escape(i);
        let outcome = match fields {
            Fields::Positional(values) if self.is_verbatim && values.len() == self.targets.len() => {
                self.take_lane(i, values, &mut cells)
            }
            _ => None,
        };
        let outcome = outcome.unwrap_or_else(|| {
            self.collect(fields, &mut cells)?;
            for (&slot, value) in self.mapping.set_slots().iter().zip(set) {
                if let Some(value) = value {
                    cells[slot] = value.as_deref().map_or(Cell::Null, Cell::Text);
                }
                self.presence.are_noted = false;
            }
            self.row(i, &mut cells)
        });
        self.cells = recycle(cells);
        if self.counts_narrowed {
            self.note_narrowed(i, outcome.is_ok());
        }
        if let Err(refusal) = outcome {
            self.reject(i, refusal.column, refusal.sqlstate, refusal.reason);
        }
    }

    /// Counts what of the record was narrowed; of a reject nothing was.
    fn note_narrowed(&mut self, i: usize, is_row: bool) {
        for column in &self.described {
            let values = column.narrowed.take();
            if values > 0 && is_row {
                let column = || self.mapping.column_name(column.slot).to_owned();
                let narrowed =
                    self.narrowed.get_or_insert_with(|| NarrowedValues { values: 0, i, column: column() });
                narrowed.values += values;
            }
        }
    }

    /// `None`: there is no lane.
    fn take_lane<'c>(
        &mut self,
        i: usize,
        values: &[Option<&'c str>],
        cells: &mut [Cell<'c>],
    ) -> Option<Result<(), ValueRefusal>> {
        let mut lane = self.lane.take()?;
        // Of the others nobody asks.
        for &(slot, field) in &lane.keys {
            cells[slot] = values[field].map_or(Cell::Null, Cell::Text);
        }
        let outcome = self.row_of(i, cells, Some((&mut lane, values)));
        self.lane = Some(lane);
        Some(outcome)
    }

    fn needs_no_escape(&self, i: usize) -> bool {
        let of_text =
            || self.has_line_feeds_at_most && self.block.is_on_one_line(i) || is_verbatim(self.block.raw(i));
        self.block.is_verbatim().unwrap_or_else(of_text)
    }

    /// Puts each field into its slot.
    fn collect<'c>(
        &mut self,
        fields: &'c Fields<'c, 'c>,
        cells: &mut [Cell<'c>],
    ) -> Result<(), ValueRefusal> {
        self.extra.clear();
        let count = match fields {
            Fields::Positional(values) => values.len(),
            Fields::Named(members) => members.len(),
            Fields::Mended(members) => members.len(),
        };
        self.presence.are_noted &= count == self.fields;
        self.fields = count;
        match fields {
            Fields::Positional(values) => {
                for (position, value) in values.iter().enumerate() {
                    let cell = value.map_or(Cell::Null, Cell::Text);
                    match self.targets.get(position) {
                        Some(Target::Slot(slot)) => cells[*slot] = cell,
                        Some(Target::Extra) => {
                            let names = std::mem::take(&mut self.names);
                            let added =
                                self.extra_field(names.get(position).map(String::as_str), position, cell);
                            self.names = names;
                            added?;
                        }
                        Some(Target::Generated | Target::Dropped) | None => {}
                    }
                }
            }
            Fields::Named(members) => {
                self.named(members.iter().map(|(name, raw)| (&**name, Cell::of_json(raw))), cells)?;
            }
            Fields::Mended(members) => {
                self.named(members.iter().map(|(name, value)| (&**name, Cell::of(value))), cells)?;
            }
        }
        Ok(())
    }

    fn named<'n, 'c>(
        &mut self,
        members: impl Iterator<Item = (&'n str, Cell<'c>)>,
        cells: &mut [Cell<'c>],
    ) -> Result<(), ValueRefusal> {
        for (position, (name, cell)) in members.enumerate() {
            match self.target_of(position, name) {
                Target::Slot(slot) => {
                    if !matches!(cells[slot], Cell::Absent) {
                        let reason = "two fields go to this column";
                        return Err(ValueRefusal::at(slot, reject_codes::DUPLICATE_COLUMN, reason));
                    }
                    cells[slot] = cell;
                }
                Target::Extra => self.extra_field(Some(name), position, cell)?,
                Target::Generated | Target::Dropped => {}
            }
        }
        Ok(())
    }

    #[inline]
    fn target_of(&mut self, position: usize, name: &str) -> Target {
        match self.predicted.get(position) {
            Some((predicted, target)) if predicted == name => *target,
            _ => self.target_of_other(position, name),
        }
    }

    /// Of a name that the record before did not have there.
    #[cold]
    fn target_of_other(&mut self, position: usize, name: &str) -> Target {
        let target = self.mapping.target(name).0;
        if let Target::Slot(slot) = target
            && self.columns.binary_search(&slot).is_err()
        {
            self.new_slots.push(slot);
        }
        self.presence.are_noted = false;
        self.predicted.truncate(position);
        if self.predicted.len() == position {
            self.predicted.push((name.to_owned(), target));
        }
        target
    }

    /// A field without a column, by the rule of `--extra`.
    fn extra_field(
        &mut self,
        name: Option<&str>,
        position: usize,
        cell: Cell<'_>,
    ) -> Result<(), ValueRefusal> {
        match self.mapping.extra {
            Extra::Refuse => Err(ValueRefusal::no_column(name, position)),
            Extra::Ignore => {
                self.ignored_fields += 1;
                Ok(())
            }
            Extra::Add => {
                let name = name.map_or_else(|| format!("field{}", position + 1), ToOwned::to_owned);
                self.mapping.want(&name, cell, &mut self.wanted)
            }
            Extra::Jsonb(_) => {
                if let Some(slot) = self.mapping.extra_slot
                    && self.columns.binary_search(&slot).is_err()
                {
                    self.new_slots.push(slot);
                }
                let name = name.map_or_else(|| format!("field{}", position + 1), ToOwned::to_owned);
                cell.push_member(&mut self.extra, name);
                Ok(())
            }
        }
    }

    /// Appends the row to its partition, whole or not at all.
    fn row(&mut self, i: usize, cells: &mut [Cell<'_>]) -> Result<(), ValueRefusal> {
        let mut extra = std::mem::take(&mut self.extra);
        let outcome = if let (Some(slot), false) = (self.mapping.extra_slot, extra.is_empty()) {
            if !matches!(cells[slot], Cell::Absent | Cell::Null) {
                self.extra = extra;
                let reason = "the record has a value of its own for the column of extra fields";
                return Err(ValueRefusal::at(slot, reject_codes::DUPLICATE_COLUMN, reason));
            }
            extra.push('}');
            let mut cells = cells.to_vec();
            cells[slot] = Cell::Json(&extra);
            self.row_of(i, &cells, None)
        } else {
            self.row_of(i, cells, None)
        };
        self.extra = extra;
        outcome
    }

    /// Of a record that takes the lane the cells hold the key alone.
    fn row_of(
        &mut self,
        i: usize,
        cells: &[Cell<'_>],
        values: Option<(&mut Lane, &[Option<&str>])>,
    ) -> Result<(), ValueRefusal> {
        let KeyHash { whole: hash, place, numbers, is_unread } =
            self.keys.hash(self.mapping, &mut self.scratch, cells)?;
        self.pieces.turn(i, is_unread);
        let partition = match () {
            () if self.mapping.placing.is_empty() => {
                self.mapping.partitioner.of_ordinal(self.block.start.record + i as u64)
            }
            () if self.pieces.is_unread => 0,
            () => self.mapping.partitioner.of_hash(place),
        };
        let is_whole = values.is_some();
        self.presence.note(self.columns, |slot| is_whole || !matches!(cells[slot], Cell::Absent));
        let mut bytes = std::mem::take(&mut self.pieces.parts[partition].bytes);
        let before = bytes.len();
        push_number(&mut bytes, self.block.first_seq + i as u64);
        self.presence.push(&mut bytes, self.deletes);
        let outcome = match values {
            Some((lane, values)) => self.push_runs(&mut bytes, i, lane, values),
            None => self.push_cells(&mut bytes, cells),
        };
        bytes.push(b'\n');
        let part = &mut self.pieces.parts[partition];
        match outcome {
            Ok(()) => {
                part.keys = match numbers {
                    Some(key) if part.rows.is_empty() => Some(key.into()),
                    numbers => part.keys.zip(numbers).map(|(keys, key)| keys.and(key)),
                };
                part.rows.push(RowMeta {
                    i: u32::try_from(i).unwrap_or(u32::MAX),
                    end: u32::try_from(bytes.len()).unwrap_or(u32::MAX),
                    hash,
                });
                part.note_presence(self.presence.now());
                part.has_unread_keys |= is_unread;
                part.deletes |= self.deletes;
            }
            Err(_) => bytes.truncate(before),
        }
        part.bytes = bytes;
        outcome
    }

    fn push_cells(&mut self, out: &mut Vec<u8>, cells: &[Cell<'_>]) -> Result<(), ValueRefusal> {
        for column in &self.described {
            out.push(b'\t');
            let cell = cells[column.slot];
            if self.is_verbatim
                && column.passes
                && let Some(text) = cell.plain_text()
            {
                column.judge(text)?;
                out.extend_from_slice(text.as_bytes());
            } else {
                column.push(out, &mut self.scratch, cell)?;
            }
        }
        Ok(())
    }

    fn push_runs(
        &mut self,
        out: &mut Vec<u8>,
        i: usize,
        lane: &mut Lane,
        values: &[Option<&str>],
    ) -> Result<(), ValueRefusal> {
        let mut runs = Runs::new(self.block.raw(i), &mut lane.delimiters);
        for (column, &field) in self.described.iter().zip(&lane.fields) {
            match values[field] {
                Some(text) if column.passes || column.is_int() && is_canonical_integer(text) => {
                    if column.passes {
                        column.judge(text)?;
                    }
                    runs.push(out, text.as_bytes());
                }
                value => {
                    runs.flush(out);
                    out.push(b'\t');
                    let cell = value.map_or(Cell::Null, Cell::Text);
                    column.push(out, &mut self.scratch, cell)?;
                }
            }
        }
        runs.flush(out);
        Ok(())
    }
}
