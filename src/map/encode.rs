//! Encoding: a block of records becomes, for each partition, rows of COPY text and the notes of what was refused.
//!
//! A row is `seq \t presence words \t one value a column of the block`, ready for staging. Runs on a worker
//! thread; everything it needs is in its arguments.

use std::sync::Arc;

use crate::format::{Fields, Layout, OnNul, clean_json};
use crate::record::Block;
use crate::schema::PgType;

use super::cell::{Cell, passes, push_cell};
use super::copy_text::{is_verbatim, is_verbatim_but_for_line_feeds, push_number};
use super::keys::{KeyHash, KeyHasher, KeyRange};
use super::mapping::{Extra, Mapping, Slot, Target};

/// Columns that one presence word covers: a word is a bigint, and its sign bit stays clear.
pub const PRESENCE_WORD_BITS: usize = 63;

/// One row of a partition.
#[derive(Debug, Clone, Copy)]
pub struct RowMeta {
    /// Index of the record in its block.
    pub i: u32,
    /// Where its COPY text ends in the partition's bytes.
    pub end: u32,
    /// Hash of the hashable part of its key.
    pub hash: u64,
}

/// A record that was refused before it reached the server.
#[derive(Debug, Clone)]
pub struct RejectNote {
    /// Index of the record in its block.
    pub i: u32,
    /// The column it failed at, if one is to blame.
    pub column: Option<String>,
    /// SQLSTATE that the server would have used.
    pub sqlstate: &'static str,
    /// Why, without values of the record.
    pub reason: String,
}

/// Rows and rejects of one partition, each in source order.
#[derive(Debug, Default)]
pub struct PartRows {
    /// COPY text of the rows.
    pub bytes: Vec<u8>,
    /// The rows.
    pub rows: Vec<RowMeta>,
    /// Their keys, if they are all numbers.
    pub keys: Option<KeyRange>,
    /// The rejects.
    pub rejects: Vec<RejectNote>,
    /// Presence words that every row has.
    pub present_in_all: Option<Vec<u64>>,
    /// Presence words that any row has.
    pub present_in_any: Vec<u64>,
}

/// A block, encoded.
#[derive(Debug)]
pub struct EncodedBlock {
    /// Where it came from; keeps the originals alive.
    pub block: Arc<Block>,
    /// Slots that every row has a value for, ascending: the columns of the COPY.
    pub columns: Arc<[Slot]>,
    /// One entry a partition.
    pub parts: Vec<PartRows>,
    /// Fields left out under `--extra ignore`.
    pub ignored_fields: u64,
}

/// Encodes a block. `targets`: where its positional fields go.
#[must_use]
pub fn encode_block(
    mapping: &Mapping,
    layout: &Layout,
    targets: &[Target],
    block: Arc<Block>,
) -> EncodedBlock {
    let fixed: Option<Arc<[Slot]>> = (!targets.is_empty()).then(|| slots_of(mapping, targets));
    loop {
        let columns = fixed.clone().unwrap_or_else(|| mapping.active());
        let mut encoder = Encoder::new(mapping, &columns, targets, (&block, layout));
        layout.decode(&block, &mapping.limits, &mut |i, fields| match fields {
            Ok(fields) => encoder.record(i, &fields),
            Err(error) => encoder.reject(i, None, error.kind.sqlstate(), error.to_string()),
        });
        // A field met a column that no earlier record had: begin again with it.
        if encoder.new_slots.is_empty() || fixed.is_some() {
            let Encoder { parts, ignored_fields, .. } = encoder;
            return EncodedBlock { block, columns, parts, ignored_fields };
        }
        let new_slots = std::mem::take(&mut encoder.new_slots);
        drop(encoder);
        mapping.activate(&new_slots);
    }
}

fn slots_of(mapping: &Mapping, targets: &[Target]) -> Arc<[Slot]> {
    let mut slots: Vec<Slot> = targets
        .iter()
        .filter_map(|t| match t {
            Target::Slot(slot) => Some(*slot),
            Target::Extra => mapping.extra_slot,
            Target::Generated => None,
        })
        .collect();
    slots.sort_unstable();
    slots.dedup();
    slots.into()
}

/// Why a record was refused here.
pub(super) struct Refusal {
    pub(super) column: Option<Slot>,
    pub(super) sqlstate: &'static str,
    pub(super) reason: String,
}

impl Refusal {
    pub(super) fn at(column: Slot, sqlstate: &'static str, reason: impl Into<String>) -> Self {
        Self { column: Some(column), sqlstate, reason: reason.into() }
    }
}

/// A column of the block's rows.
struct Column<'m> {
    slot: Slot,
    ty: &'m PgType,
    /// It is hashed: equal values must give equal bytes.
    canonical: bool,
    /// A value's text goes to the server as it came, but for escapes.
    passes: bool,
}

struct Encoder<'m, 'b> {
    mapping: &'m Mapping,
    columns: &'m [Slot],
    described: Vec<Column<'m>>,
    targets: &'m [Target],
    block: &'b Block,
    /// Presence words in use: those that hold a column of this block.
    words: Vec<usize>,
    parts: Vec<PartRows>,
    new_slots: Vec<Slot>,
    ignored_fields: u64,
    /// Names of the previous record's fields and where they went: records of a source mostly look alike.
    predicted: Vec<(String, Target)>,
    scratch: String,
    extra: String,
    keys: KeyHasher,
    presence: Vec<u64>,
    next_presence: Vec<u64>,
    /// The presence words as COPY text, as long as rows have the same fields.
    presence_text: Vec<u8>,
    /// They are those of a record with the fields of this one.
    noted: bool,
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
}

impl<'m, 'b> Encoder<'m, 'b> {
    fn new(
        mapping: &'m Mapping,
        columns: &'m [Slot],
        targets: &'m [Target],
        (block, layout): (&'b Block, &Layout),
    ) -> Self {
        let mut words: Vec<usize> = columns.iter().map(|slot| slot / PRESENCE_WORD_BITS).collect();
        words.dedup();
        let partitions = usize::try_from(mapping.partitioner.count).unwrap_or(1);
        let share = block.bytes.len() / partitions;
        let parts = (0..partitions)
            .map(|_| PartRows { bytes: Vec::with_capacity(share + share / 4), ..PartRows::default() })
            .collect();
        let presence = vec![0; mapping.slots.len().div_ceil(PRESENCE_WORD_BITS)];
        let described = columns.iter().map(|&slot| {
            let ty = &mapping.table.columns[mapping.slots[slot]].ty;
            let canonical = mapping.hashed.contains(&slot);
            Column { slot, ty, canonical, passes: passes(ty, canonical) }
        });
        Self {
            mapping,
            columns,
            described: described.collect(),
            targets,
            block,
            words,
            parts,
            new_slots: Vec::new(),
            ignored_fields: 0,
            predicted: Vec::new(),
            scratch: String::new(),
            extra: String::new(),
            keys: KeyHasher::default(),
            next_presence: presence.clone(),
            presence,
            presence_text: Vec::new(),
            noted: false,
            fields: 0,
            cells: Vec::new(),
            has_values_from_text: layout.has_values_from_text(),
            has_line_feeds_at_most: is_verbatim_but_for_line_feeds(&block.bytes),
            is_verbatim: false,
        }
    }

    fn reject(&mut self, i: usize, column: Option<Slot>, sqlstate: &'static str, reason: String) {
        let partition = self.mapping.partitioner.of_ordinal(self.block.start.record + i as u64);
        self.parts[partition].rejects.push(RejectNote {
            i: u32::try_from(i).unwrap_or(u32::MAX),
            column: column.map(|slot| self.mapping.column_name(slot).to_owned()),
            sqlstate,
            reason,
        });
    }

    fn record(&mut self, i: usize, fields: &Fields<'_, '_>) {
        let mut cells = recycle(std::mem::take(&mut self.cells));
        cells.resize(self.mapping.slots.len(), Cell::Absent);
        self.is_verbatim = self.has_values_from_text && self.needs_no_escape(i);
        let outcome = self.collect(fields, &mut cells).and_then(|()| self.row(i, &mut cells));
        self.cells = recycle(cells);
        if let Err(refusal) = outcome {
            self.reject(i, refusal.column, refusal.sqlstate, refusal.reason);
        }
    }

    fn needs_no_escape(&self, i: usize) -> bool {
        let span = &self.block.spans[i];
        self.has_line_feeds_at_most && span.line == span.end_line || is_verbatim(self.block.raw(i))
    }

    /// Puts each field into its slot.
    fn collect<'c>(&mut self, fields: &'c Fields<'c, 'c>, cells: &mut [Cell<'c>]) -> Result<(), Refusal> {
        self.extra.clear();
        let count = match fields {
            Fields::Positional(values) => values.len(),
            Fields::Named(members) => members.len(),
        };
        self.noted &= count == self.fields;
        self.fields = count;
        match fields {
            Fields::Positional(values) => {
                for (position, value) in values.iter().enumerate() {
                    let cell = value.map_or(Cell::Null, Cell::Text);
                    match self.targets.get(position) {
                        Some(Target::Slot(slot)) => cells[*slot] = cell,
                        Some(Target::Extra) => self.extra_field(None, position, cell)?,
                        Some(Target::Generated) | None => {}
                    }
                }
            }
            Fields::Named(members) => {
                for (position, (name, raw)) in members.iter().enumerate() {
                    let cell = if *raw == "null" { Cell::Null } else { Cell::Json(raw) };
                    match self.target_of(position, name) {
                        Target::Slot(slot) => {
                            if !matches!(cells[slot], Cell::Absent) {
                                return Err(Refusal::at(slot, "42701", "two fields go to this column"));
                            }
                            cells[slot] = cell;
                        }
                        Target::Extra => self.extra_field(Some(name), position, cell)?,
                        Target::Generated => {}
                    }
                }
            }
        }
        Ok(())
    }

    fn target_of(&mut self, position: usize, name: &str) -> Target {
        if let Some((predicted, target)) = self.predicted.get(position)
            && predicted == name
        {
            return *target;
        }
        let target = self.mapping.target(name).0;
        if let Target::Slot(slot) = target
            && self.columns.binary_search(&slot).is_err()
        {
            self.new_slots.push(slot);
        }
        self.noted = false;
        self.predicted.truncate(position);
        if self.predicted.len() == position {
            self.predicted.push((name.to_owned(), target));
        }
        target
    }

    /// A field without a column, by the rule of `--extra`.
    fn extra_field(&mut self, name: Option<&str>, position: usize, cell: Cell<'_>) -> Result<(), Refusal> {
        match self.mapping.extra {
            Extra::Refuse => {
                let name = name.map_or_else(|| format!("number {}", position + 1), |n| format!("{n:?}"));
                Err(Refusal {
                    column: None,
                    sqlstate: "42703",
                    reason: format!("the table has no column for field {name}"),
                })
            }
            Extra::Ignore => {
                self.ignored_fields += 1;
                Ok(())
            }
            Extra::Jsonb(_) => {
                if let Some(slot) = self.mapping.extra_slot
                    && self.columns.binary_search(&slot).is_err()
                {
                    self.new_slots.push(slot);
                }
                self.extra.push(if self.extra.is_empty() { '{' } else { ',' });
                let name = name.map_or_else(|| format!("field{}", position + 1), ToOwned::to_owned);
                self.extra.push_str(&serde_json::Value::from(name).to_string());
                self.extra.push(':');
                match cell {
                    Cell::Json(raw) => self.extra.push_str(raw),
                    Cell::Text(text) => self.extra.push_str(&serde_json::Value::from(text).to_string()),
                    Cell::Null | Cell::Absent => self.extra.push_str("null"),
                }
                Ok(())
            }
        }
    }

    /// Appends the row to its partition, whole or not at all.
    fn row(&mut self, i: usize, cells: &mut [Cell<'_>]) -> Result<(), Refusal> {
        let mut extra = std::mem::take(&mut self.extra);
        let outcome = if let (Some(slot), false) = (self.mapping.extra_slot, extra.is_empty()) {
            if !matches!(cells[slot], Cell::Absent | Cell::Null) {
                self.extra = extra;
                return Err(Refusal::at(
                    slot,
                    "42701",
                    "the record has a value of its own for the column of extra fields",
                ));
            }
            extra.push('}');
            let mut cells = cells.to_vec();
            cells[slot] = Cell::Json(&extra);
            self.row_of(i, &cells)
        } else {
            self.row_of(i, cells)
        };
        self.extra = extra;
        outcome
    }

    fn row_of(&mut self, i: usize, cells: &[Cell<'_>]) -> Result<(), Refusal> {
        let KeyHash { whole: hash, place, numbers } =
            self.keys.hash(self.mapping, &mut self.scratch, cells)?;
        let partition = if self.mapping.key.is_empty() || self.mapping.hashed.is_empty() {
            self.mapping.partitioner.of_ordinal(self.block.start.record + i as u64)
        } else {
            self.mapping.partitioner.of_hash(place)
        };
        self.note_fields(cells);
        let mut bytes = std::mem::take(&mut self.parts[partition].bytes);
        let before = bytes.len();
        let outcome = self.push_row(&mut bytes, i, cells);
        let part = &mut self.parts[partition];
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
                note_presence(part, &self.presence);
            }
            Err(_) => bytes.truncate(before),
        }
        part.bytes = bytes;
        outcome
    }

    /// Which columns the record has a value for.
    fn note_fields(&mut self, cells: &[Cell<'_>]) {
        if self.noted {
            return;
        }
        self.next_presence.fill(0);
        for &slot in self.columns {
            let bit = u64::from(!matches!(cells[slot], Cell::Absent));
            self.next_presence[slot / PRESENCE_WORD_BITS] |= bit << (slot % PRESENCE_WORD_BITS);
        }
        if self.presence_text.is_empty() || self.presence != self.next_presence {
            std::mem::swap(&mut self.presence, &mut self.next_presence);
            self.presence_text.clear();
            for &word in &self.words {
                self.presence_text.push(b'\t');
                push_number(&mut self.presence_text, self.presence[word]);
            }
        }
        self.noted = true;
    }

    fn push_row(&mut self, out: &mut Vec<u8>, i: usize, cells: &[Cell<'_>]) -> Result<(), Refusal> {
        push_number(out, self.block.first_seq + i as u64);
        out.extend_from_slice(&self.presence_text);
        for &Column { slot, ty, canonical, passes } in &self.described {
            out.push(b'\t');
            if self.is_verbatim
                && passes
                && let Some(text) = cells[slot].plain_text()
            {
                out.extend_from_slice(text.as_bytes());
                continue;
            }
            let cleaned;
            let cell = match cells[slot] {
                // JSON inside delimited text has escapes of its own.
                Cell::Text(text)
                    if matches!(ty, PgType::Json) && self.mapping.limits.on_nul != OnNul::Reject =>
                {
                    cleaned = clean_json(text.as_bytes(), self.mapping.limits.on_nul);
                    Cell::Text(std::str::from_utf8(&cleaned).unwrap_or(text))
                }
                cell => cell,
            };
            push_cell(out, &mut self.scratch, cell, ty, canonical)
                .map_err(|(sqlstate, reason)| Refusal::at(slot, sqlstate, reason))?;
        }
        out.push(b'\n');
        Ok(())
    }
}

/// The same room for cells of another lifetime.
fn recycle<'to>(mut cells: Vec<Cell<'_>>) -> Vec<Cell<'to>> {
    cells.clear();
    cells.into_iter().map(|_| Cell::Absent).collect()
}

fn note_presence(part: &mut PartRows, presence: &[u64]) {
    match &mut part.present_in_all {
        None => part.present_in_all = Some(presence.to_vec()),
        Some(all) => all.iter_mut().zip(presence).for_each(|(all, word)| *all &= word),
    }
    if part.present_in_any.is_empty() {
        part.present_in_any = presence.to_vec();
    } else {
        part.present_in_any.iter_mut().zip(presence).for_each(|(any, word)| *any |= word);
    }
}
