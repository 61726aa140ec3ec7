//! The mapping of one run: fields to slots, slots to columns, the key, the rule for fields without a column.
//!
//! A *slot* is a writable column of the target in catalog order. Staging has one column a slot, so that a
//! field which turns up late in a JSON source still has its place.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, PoisonError, RwLock};

use serde::{Deserialize, Serialize};

use crate::format::DecodeLimits;
use crate::schema::{Narrows, PgType, Table};
use crate::shape::{FieldOwner, KnownColumns, Route, Shaping};

use super::asked::AskedExpressions;
use super::deletions::Deletions;
use super::judge::Clocks;
use super::names::{self, Match};
use super::narrowing::{Judge, Narrowing};
use super::partition::{Partitioner, neighbour_bits};

/// Index of a writable column.
pub type Slot = usize;

/// Where a field goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// Into the column of this slot.
    Slot(Slot),
    /// Its column is generated: left out, said in the plan.
    Generated,
    /// Left out, as it was asked for.
    Dropped,
    /// Without a column: by the rule of `--extra`.
    Extra,
}

/// What becomes of fields without a column.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Extra {
    /// The record is rejected (the load is refused if it shows in the sample).
    Refuse,
    /// Left out and counted.
    Ignore,
    /// Collected as an object in this jsonb column.
    Jsonb(String),
    /// A column is added for it, once it has a value.
    Add,
}

impl Extra {
    /// The rule in one word, as the command line has it.
    #[must_use]
    pub fn rule(&self) -> String {
        match self {
            Self::Refuse => "refuse".to_owned(),
            Self::Ignore => "ignore".to_owned(),
            Self::Jsonb(column) => format!("jsonb:{column}"),
            Self::Add => "add".to_owned(),
        }
    }
}

/// A field that met its column by another spelling; said in the plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MatchNote {
    /// Name in the source.
    pub field: String,
    /// Name in the table.
    pub column: String,
    /// How field and column were found to be the same.
    pub how: Match,
}

/// Why names cannot be mapped.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum MappingError {
    /// Two names of one header go to one column.
    #[error("fields {first:?} and {second:?} both go to column {column:?}")]
    TwoFieldsOneColumn {
        /// The field that comes first.
        first: String,
        /// The field behind it.
        second: String,
        /// The column that both would go to.
        column: String,
    },
    /// Names without a column under `--extra refuse`.
    #[error("the table has no column for {}", super::names::listed(fields))]
    NoColumn {
        /// Names of the fields.
        fields: Vec<String>,
    },
}

/// Fields to columns, for all sources of a run.
#[derive(Debug)]
pub struct Mapping {
    /// The table that rows are made for.
    pub table: Arc<Table>,
    /// Ordinal in [`Table::columns`] of each slot.
    pub slots: Vec<usize>,
    /// Slots of the key columns, in the order of the key; empty without a key.
    pub key: Vec<Slot>,
    /// Those of them that are hashed.
    pub hashed: Vec<Slot>,
    /// Of these the ones by which a partition is chosen.
    pub placing: Vec<Slot>,
    /// Low bits in which the numbers of keys may differ and still share a partition.
    pub neighbour_bits: u32,
    /// What the session adds to the meaning of a time.
    pub(super) clocks: Clocks,
    /// The key's index is NULLS NOT DISTINCT: NULL is a legal key value.
    pub null_keys: bool,
    /// Rule for fields without a column.
    pub extra: Extra,
    /// Its slot, for [`Extra::Jsonb`].
    pub extra_slot: Option<Slot>,
    /// Under [`Extra::Add`]: a column can be added in mid-load, since what was read can be read again.
    pub adds_late: bool,
    /// How records find their partition.
    pub partitioner: Partitioner,
    /// What decoding holds records to.
    pub limits: DecodeLimits,
    /// What becomes of fields on their way.
    pub shaping: Shaping,
    /// What the server is asked of each record first.
    pub asked: Option<Arc<AskedExpressions>>,
    /// Slots of the columns that are set by its answers.
    set_slots: Vec<Slot>,
    /// What records that delete are about, if any may.
    pub deletions: Option<Deletions>,
    /// Of each slot that has one: who judges whether a value stays what it is. None has one before
    /// [`Mapping::judged`].
    pub(super) judges: Vec<Option<Judge>>,
    /// Slots that any record with named fields has used so far, ascending. It only grows.
    active: RwLock<Arc<[Slot]>>,
}

impl Mapping {
    /// A mapping onto the writable columns of a table; `key` holds column ordinals.
    #[must_use]
    pub fn new(
        table: Arc<Table>,
        key: &[usize],
        null_keys: bool,
        extra: Extra,
        partitioner: Partitioner,
    ) -> Self {
        let slots: Vec<usize> = (0..table.columns.len()).filter(|&c| !table.columns[c].generated).collect();
        let slot_of = |column: usize| slots.iter().position(|&c| c == column);
        let key: Vec<Slot> = key.iter().filter_map(|&c| slot_of(c)).collect();
        let extra_slot = match &extra {
            Extra::Jsonb(name) => table.column(name).and_then(slot_of),
            Extra::Refuse | Extra::Ignore | Extra::Add => None,
        };
        let mapping = Self {
            table,
            slots,
            key,
            hashed: Vec::new(),
            placing: Vec::new(),
            neighbour_bits: 0,
            clocks: Clocks::default(),
            null_keys,
            extra,
            extra_slot,
            adds_late: false,
            partitioner,
            limits: DecodeLimits::default(),
            shaping: Shaping::default(),
            asked: None,
            set_slots: Vec::new(),
            deletions: None,
            judges: Vec::new(),
            active: RwLock::new(Arc::from([])),
        };
        mapping.told_by(None)
    }

    /// The key is told apart by this index: of its columns those alone are hashed whose equality is that of
    /// their texts.
    #[must_use]
    pub fn told_by(mut self, index: Option<usize>) -> Self {
        let (table, slots) = (&self.table, &self.slots);
        let columns: Vec<usize> = self.key.iter().map(|&slot| slots[slot]).collect();
        let placing = table.placing(index, &columns);
        let of = |is: &dyn Fn(usize) -> bool| -> Vec<Slot> {
            self.key.iter().copied().filter(|&slot| is(slots[slot])).collect()
        };
        self.hashed = of(&|column| table.is_hashable(index, column));
        self.placing = of(&|column| placing.contains(&column));
        self.neighbour_bits = neighbour_bits(self.key.len(), self.placing.len());
        self
    }

    /// Records whose key the server alone can read belong to the first partition, and wait for those before
    /// them: a record of the same key may be in any other.
    #[must_use]
    pub fn sets_unread_apart(&self) -> bool {
        let has_unread = |&slot: &Slot| self.table.columns[self.slots[slot]].has_unread_texts();
        self.partitioner.count > 1 && self.placing.iter().any(has_unread)
    }

    /// Values are judged by this rule. `made`: the table was made from a sample of this very run.
    #[must_use]
    pub fn judged(mut self, narrowing: &Narrowing, clocks: Clocks, made: bool) -> Self {
        let judge = |&column: &usize| {
            let column = &self.table.columns[column];
            let written = made.then(|| Narrows::written(&column.type_name)).flatten();
            let narrows = written.or_else(|| column.narrows.clone())?;
            Some(Judge { narrows, clocks, allowed: narrowing.allows(column.name.raw()) })
        };
        self.judges = self.slots.iter().map(judge).collect();
        self.clocks = clocks;
        self
    }

    /// The same, for fields that are shaped.
    #[must_use]
    pub fn shaped(mut self, shaping: Shaping) -> Self {
        self.shaping = shaping;
        self
    }

    /// The same, for records that expressions are asked about.
    #[must_use]
    pub fn asking(mut self, asked: Option<Arc<AskedExpressions>>) -> Self {
        let slot = |column: &str| {
            let column = self.table.column(column)?;
            self.slots.iter().position(|&c| c == column)
        };
        self.set_slots = asked.iter().flat_map(|asked| asked.sets()).filter_map(|(c, _)| slot(c)).collect();
        self.asked = asked;
        self
    }

    /// The same, for records of which some delete.
    #[must_use]
    pub fn deleting(mut self, deletions: Option<Deletions>) -> Self {
        if let (Some(deletions), Some(asked)) = (&deletions, &mut self.asked) {
            let (table, slots) = (&self.table, &self.slots);
            let needed: Vec<&str> =
                deletions.needed.iter().map(|&slot| table.columns[slots[slot]].name.raw()).collect();
            Arc::make_mut(asked).need(&needed);
            self.set_slots.extend(deletions.mark.map(|mark| mark.slot));
        }
        self.deletions = deletions;
        self
    }

    /// Slots of the columns that are set by expressions, in their order, and of the one that marks rows.
    #[must_use]
    pub fn set_slots(&self) -> &[Slot] {
        &self.set_slots
    }

    /// Where a field of this name goes.
    #[must_use]
    pub fn target(&self, field: &str) -> (Target, Match) {
        let (target, how) = match self.shaping.route(field) {
            Route::ByName => self.target_of_column(names::find(&self.table, field)),
            Route::Column(column) => {
                self.target_of_column(self.table.column(column).map(|column| (column, Match::Exact)))
            }
            Route::Dropped => (Target::Dropped, Match::Exact),
        };
        let is_for_expressions = match target {
            Target::Slot(slot) => self.set_slots.contains(&slot),
            Target::Extra => self.asked.as_ref().is_some_and(|asked| asked.names(field)),
            Target::Generated | Target::Dropped => false,
        };
        if is_for_expressions { (Target::Dropped, Match::Exact) } else { (target, how) }
    }

    /// A field of this name becomes its members, which have columns.
    #[must_use]
    pub fn is_taken_apart(&self, field: &str) -> bool {
        self.shaping.separator().is_some_and(|separator| {
            let begins = format!("{field}{separator}");
            !self.below(&begins).is_empty() || self.shaping.maps_below(&begins).next().is_some()
        })
    }

    /// Fields of a sample, which was taken apart without knowing the table: members of an object whose column
    /// holds it whole are that field.
    #[must_use]
    pub fn rejoined(&self, fields: &[String]) -> Vec<String> {
        let Some(separator) = self.shaping.separator().filter(|separator| !separator.is_empty()) else {
            return fields.to_vec();
        };
        let holds = |name: &str| self.owner(name).is_some_and(|owner| owner.holds_nested);
        let whole = |field: &str| {
            let mut ends = field.match_indices(separator).map(|(at, _)| &field[..at]);
            ends.find(|name| holds(name)).filter(|_| self.target(field).0 == Target::Extra).map(str::to_owned)
        };
        let mut known = HashSet::new();
        let mut rejoined = Vec::with_capacity(fields.len());
        for field in fields {
            match whole(field) {
                None => rejoined.push(field.clone()),
                Some(name) if !fields.contains(&name) && known.insert(name.clone()) => rejoined.push(name),
                Some(_) => {}
            }
        }
        rejoined
    }

    /// Where the values of the column of this name go, whatever fields are called.
    #[must_use]
    pub fn column_target(&self, column: &str) -> Target {
        self.target_of_column(names::find(&self.table, column)).0
    }

    fn target_of_column(&self, found: Option<(usize, Match)>) -> (Target, Match) {
        match found {
            None => (Target::Extra, Match::Exact),
            Some((column, how)) => match self.slots.iter().position(|&c| c == column) {
                Some(slot) => (Target::Slot(slot), how),
                None => (Target::Generated, how),
            },
        }
    }

    /// The column of a table that a field of this name goes to.
    #[must_use]
    pub fn column_of(table: &Table, field: &str) -> Option<usize> {
        names::find(table, field).map(|(column, _)| column)
    }

    /// Targets of a header's names, and how those met that are spelt differently; refuses two on one column.
    pub fn header(&self, names: &[String]) -> Result<(Vec<Target>, Vec<MatchNote>), MappingError> {
        let mut seen: HashMap<Slot, &String> = HashMap::new();
        let mut targets = Vec::with_capacity(names.len());
        let mut notes = Vec::new();
        for name in names {
            let (target, how) = self.target(name);
            if let Target::Slot(slot) = target {
                let column = self.column_name(slot).to_owned();
                if let Some(first) = seen.insert(slot, name) {
                    return Err(MappingError::TwoFieldsOneColumn {
                        first: first.clone(),
                        second: name.clone(),
                        column,
                    });
                }
                if how != Match::Exact {
                    notes.push(MatchNote { field: name.clone(), column, how });
                }
            }
            targets.push(target);
        }
        Ok((targets, notes))
    }

    /// The slots that fields with these targets fill, ascending.
    pub(super) fn slots_of(&self, targets: &[Target]) -> Arc<[Slot]> {
        let mut slots: Vec<Slot> = targets
            .iter()
            .filter_map(|t| match t {
                Target::Slot(slot) => Some(*slot),
                Target::Extra => self.extra_slot,
                Target::Generated | Target::Dropped => None,
            })
            .collect();
        slots.sort_unstable();
        slots.dedup();
        slots.into()
    }

    /// Name of a slot's column.
    #[must_use]
    pub fn column_name(&self, slot: Slot) -> &str {
        self.table.columns[self.slots[slot]].name.raw()
    }

    /// The slots in use.
    #[must_use]
    pub fn active(&self) -> Arc<[Slot]> {
        self.active.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Adds slots to those in use.
    pub fn activate(&self, more: &[Slot]) -> Arc<[Slot]> {
        let mut active = self.active.write().unwrap_or_else(PoisonError::into_inner);
        let mut all: Vec<Slot> = active.iter().chain(more).copied().collect();
        all.sort_unstable();
        all.dedup();
        if all.len() > active.len() {
            *active = all.into();
        }
        active.clone()
    }
}

impl KnownColumns for Mapping {
    fn owner(&self, field: &str) -> Option<FieldOwner> {
        let column = match self.shaping.route(field) {
            Route::ByName => names::find(&self.table, field)?.0,
            Route::Column(column) => self.table.column(column)?,
            Route::Dropped => return None,
        };
        let column = &self.table.columns[column];
        Some(FieldOwner {
            column: column.name.raw().to_owned(),
            type_name: Some(column.domain_base.as_ref().unwrap_or(&column.type_name).clone()),
            holds_nested: matches!(column.ty, PgType::Json | PgType::Composite(_) | PgType::Hstore),
        })
    }

    fn below(&self, begins: &str) -> Vec<String> {
        names::below(&self.table, begins)
    }
}
