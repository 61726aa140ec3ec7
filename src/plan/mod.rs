//! The plan: every decision that is taken before the first row, and what of the user's wishes must be
//! refused.
//!
//! Pure: from the catalog's description of the table, a sample of the sources and the job's wishes.
//! `--dry-run` shows it.

mod add;
mod contents;
mod create;
mod deletions;
mod exchange;
mod expressions;
mod foreseen;
mod key;
mod policies;
mod refusal;
mod refuse;
mod sample;
mod wishes;

use std::collections::HashSet;
use std::sync::Arc;

use crate::map::{
    AskedExpressions, Deletions, Extra, Foreseen, Mapping, MappingError, MatchNote, Partitioner,
    Partitioning, Target,
};
use crate::schema::{MergePolicy, Mode, Paths, Rest, Table, UniqueIndex};
use crate::shape::Shaping;

pub use add::{NewColumn, columns_to_add, refuse_adding};
pub use contents::{Exchange, Replacing};
pub use create::{NewTable, TableWishes, new_table};
pub use deletions::{no_comparison, no_delete};
pub use exchange::{refuse_part, refuse_removing, refuse_replacing};
pub use expressions::refuse_expression;
pub use foreseen::{foreseen_notes, refuse_narrowed};
pub use key::{Key, choose_key};
pub use policies::{no_equal, no_greater, no_patches};
pub use refusal::Refusal;
pub use refuse::{narrowed_column, refuse_loops, refuse_reading, refuse_sequence, refuse_staging};
pub use sample::{Sample, SampledSource};
pub use wishes::Wishes;

/// All decisions about a load that are made before its first row.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The target, as the catalog describes it.
    pub table: Arc<Table>,
    /// What becomes of a record whose key is stored.
    pub mode: Mode,
    /// What becomes of rows that are in no source.
    pub rest: Rest,
    /// The table that `table` stands in for until all is loaded, where its content is replaced.
    pub replacing: Option<Replacing>,
    /// The columns that tell records apart; none for an append.
    pub key: Key,
    /// How records find their partition.
    pub partitioner: Partitioner,
    /// Why there is one partition only.
    pub one_partition: Option<&'static str>,
    /// Which path a batch may take, and why.
    pub paths: Paths,
    /// Fields and how they met their columns.
    pub fields: Vec<(String, Target)>,
    /// Fields that met by another spelling.
    pub matches: Vec<MatchNote>,
    /// Worth saying, no fault.
    pub notes: Vec<String>,
    /// Column that tells newer records.
    pub newer_by: Option<String>,
    /// The operator that says greater of it: the server is asked for it.
    pub greater: Option<String>,
    /// Rule for fields without a column.
    pub extra: Extra,
    /// What becomes of fields on their way.
    pub shaping: Shaping,
    /// What the server is asked of records first.
    pub asked: Option<Arc<AskedExpressions>>,
    /// What records that delete are about, if any may.
    pub deletions: Option<Deletions>,
    /// Columns, by their ordinals, that are not simply overwritten.
    pub policies: Vec<(usize, MergePolicy)>,
    /// What the sample shows of values that would become others: the load looks at it.
    pub foreseen: Foreseen,
}

impl Plan {
    /// The mapping of this plan, with the sample's columns in use from the first block on.
    #[must_use]
    pub fn mapping(&self) -> Mapping {
        let mapping = Mapping::new(
            Arc::clone(&self.table),
            &self.key.columns,
            self.key.null_keys,
            self.extra.clone(),
            self.partitioner,
        )
        .told_by(self.key.index)
        .shaped(self.shaping.clone())
        .asking(self.asked.clone())
        .deleting(self.deletions.clone());
        let slots: Vec<usize> = self
            .fields
            .iter()
            .filter_map(|(_, target)| match target {
                Target::Slot(slot) => Some(*slot),
                Target::Extra => mapping.extra_slot,
                Target::Generated | Target::Dropped => None,
            })
            .collect();
        mapping.activate(&slots);
        mapping
    }

    /// Columns without a field whose default asks a sequence.
    #[must_use]
    pub fn filled_by_sequences(&self) -> Vec<&str> {
        let mapping = self.mapping();
        let given: HashSet<usize> = self
            .fields
            .iter()
            .filter_map(|(_, target)| match target {
                Target::Slot(slot) => mapping.slots.get(*slot).copied(),
                Target::Extra | Target::Generated | Target::Dropped => None,
            })
            .collect();
        let columns = self.table.columns.iter().enumerate().filter(|(ordinal, column)| {
            !given.contains(ordinal) && column.default.as_deref().is_some_and(|sql| sql.contains("nextval("))
        });
        columns.map(|(_, column)| column.name.raw()).collect()
    }

    /// What a record that is applied twice comes to: under some policies to as much as one that is appended
    /// twice.
    #[must_use]
    pub fn mode_of_repeats(&self) -> Mode {
        if self.accumulates() { Mode::Append } else { self.mode }
    }

    /// A record that is applied twice leaves another value than one that is applied once, though its key is
    /// stored.
    #[must_use]
    pub fn accumulates(&self) -> bool {
        self.policies.iter().any(|(_, policy)| policy.accumulates())
    }

    /// No record can meet a stored row: there is none, or no key to meet it by.
    #[must_use]
    pub fn nothing_stored(&self) -> bool {
        self.table.has_no_pages || self.mode == Mode::Append
    }

    /// The whole key of a record is what a comparison knows it by, and where the server alone can read that
    /// the records of one key may be in two partitions.
    pub fn compare_in_one(&mut self) {
        let columns = self.table.placing(self.key.index, &self.key.columns);
        if columns.iter().any(|&column| self.table.columns[column].has_unread_texts()) {
            self.partitioner = Partitioner { by: Partitioning::One, count: 1 };
        }
    }

    /// The table that the user has named.
    #[must_use]
    pub fn target(&self) -> &Table {
        self.replacing.as_ref().map_or(&self.table, |replacing| &replacing.target)
    }

    /// The mode, by the name that users write.
    #[must_use]
    pub const fn mode_name(&self) -> &'static str {
        self.rest.mode_name(self.mode)
    }

    /// What is applied twice is there twice: records are appended to what is there, or a policy adds them up.
    #[must_use]
    pub fn appends(&self) -> bool {
        self.rest == Rest::Stays && (self.mode == Mode::Append || self.accumulates())
    }

    /// Names of the key columns.
    #[must_use]
    pub fn key_names(&self) -> Vec<String> {
        self.table.names(&self.key.columns).iter().map(|name| name.raw().to_owned()).collect()
    }
}

/// Makes the plan, or refuses.
pub fn make_plan(table: Table, sample: &Sample, wishes: &Wishes<'_>) -> Result<Plan, Refusal> {
    let table = Arc::new(table);
    let mut notes = Vec::new();
    // As they are called when they come to their columns.
    let fields = sample.fields();
    let fields = fields.into_iter().filter_map(|field| wishes.shaping.column_of(field));
    let set = wishes.asked.iter().flat_map(|asked| asked.sets()).map(|(column, _)| column);
    let fields: Vec<&str> = fields.chain(set).collect();
    let (mode, key) = choose_key(&table, &fields, wishes, &mut notes)?;
    let policies = policies::of_columns(&table, &key, mode, wishes)?;
    let mut paths = Paths::of(&table, key.index, mode).with_policies(&table, key.index, &policies);
    if wishes.rest == Rest::Removed {
        paths.straight = paths.straight.and(Err("each batch keeps the keys that it has met"));
    }
    let (by, one_partition) = partitioning(&table, &key, mode, &fields, wishes);
    let count = if by == Partitioning::One { 1 } else { u32::try_from(wishes.pool_size.max(1)).unwrap_or(1) };
    let partitioner = Partitioner { by, count };
    let mapping =
        Mapping::new(Arc::clone(&table), &key.columns, key.null_keys, wishes.extra.clone(), partitioner)
            .shaped(wishes.shaping.clone())
            .asking(wishes.asked.cloned());
    let deletions = deletions::of_plan(&mapping, &key, mode, wishes)?;
    let mapping = mapping.deleting(deletions.clone());
    refuse::shaped_columns(&table, wishes.shaping, wishes.extra)?;
    refuse::masked(&mapping, &key, wishes.shaping)?;
    refuse::extra_column(&table, wishes.extra)?;
    let (mut targets, matches) = match_fields(&mapping, sample, wishes.extra)?;
    if let Some(asked) = wishes.asked {
        expressions::set_columns(asked, &mapping)?;
        targets.extend(asked.sets().map(|(column, _)| (column.to_owned(), mapping.column_target(column))));
        targets.extend(asked.mark.iter().map(|mark| (mark.clone(), mapping.column_target(mark))));
        notes.extend(expressions::unknown_names(asked, sample));
    }
    refuse::rights(&table, &mapping, &targets, mode, wishes)?;
    refuse::missing_key(&table, &key, &targets, &mapping, sample)?;
    notes.extend(refuse::notes(&table, &mapping, &targets, mode));
    let newer_by = newer_by(&mapping, wishes)?;
    Ok(Plan {
        table,
        mode,
        rest: wishes.rest,
        replacing: None,
        key,
        partitioner,
        one_partition,
        paths,
        fields: targets,
        matches,
        notes,
        newer_by,
        greater: None,
        extra: wishes.extra.clone(),
        shaping: wishes.shaping.clone(),
        asked: wishes.asked.cloned(),
        deletions,
        policies,
        foreseen: Foreseen::default(),
    })
}

fn newer_by(mapping: &Mapping, wishes: &Wishes<'_>) -> Result<Option<String>, Refusal> {
    let Some(name) = wishes.newer_by else { return Ok(None) };
    match mapping.column_target(name) {
        Target::Slot(slot) => Ok(Some(mapping.column_name(slot).to_owned())),
        Target::Generated | Target::Dropped | Target::Extra => Err(Refusal::new(
            format!("--newer-by {name}: the table has no such column that can be written"),
            "name a column that says how old a record is",
        )),
    }
}

/// The refusal of a `--newer-by` column whose values have no order.
#[must_use]
pub fn no_order(column: &str) -> Refusal {
    Refusal::new(
        format!("--newer-by {column}: values of its type have no order"),
        "name a column with a number or a time",
    )
}

/// The refusal of a run that the ledger of this database cannot describe.
#[must_use]
pub fn unknown_character(what: &str, text: &str) -> Refusal {
    Refusal::new(
        format!(
            "{what} {text:?} has a character that the encoding of the database lacks: the ledger cannot keep it"
        ),
        "use other characters, or --no-ledger",
    )
}

/// Fields and where they go.
type Targets = Vec<(String, Target)>;

/// Matches the sample's fields, source by source, so that two fields of one source on one column are found.
fn match_fields(
    mapping: &Mapping,
    sample: &Sample,
    extra: &Extra,
) -> Result<(Targets, Vec<MatchNote>), Refusal> {
    let mut all: Vec<(String, Target)> = Vec::new();
    let mut known: HashSet<String> = HashSet::new();
    let mut matches: Vec<MatchNote> = Vec::new();
    for source in &sample.sources {
        let fields = mapping.rejoined(&source.fields);
        let (targets, notes) = mapping.header(&fields).map_err(|error| match error {
            MappingError::TwoFieldsOneColumn { .. } => Refusal::new(
                format!("{}: {error}", source.name),
                "rename or remove one of them; names match exactly, else whatever their case, else as snake_case",
            ),
            MappingError::NoColumn { .. } => Refusal { message: error.to_string(), hint: None },
        })?;
        for (name, target) in fields.iter().zip(targets) {
            // What is null in place of an object is null for the columns of its members.
            let is_object = target == Target::Extra && mapping.is_taken_apart(name);
            if known.insert(name.clone()) && !is_object {
                all.push((name.clone(), target));
            }
        }
        matches.extend(notes.into_iter().filter(|note| !matches.contains(note)).collect::<Vec<_>>());
    }
    let without: Vec<String> =
        all.iter().filter(|(_, target)| *target == Target::Extra).map(|(name, _)| name.clone()).collect();
    if !without.is_empty() && *extra == Extra::Refuse {
        let columns: Vec<&str> = mapping.table.columns.iter().map(|c| c.name.raw()).take(30).collect();
        return Err(Refusal::new(
            format!("table {}: {}", mapping.table.name.plain(), MappingError::NoColumn { fields: without }),
            format!(
                "leave them out with --extra ignore, collect them with --extra jsonb:COLUMN, or add columns; it has {}",
                columns.join(", ")
            ),
        ));
    }
    Ok((all, matches))
}

/// Whether a unique index may refuse one of two records. Not where no record has any of its columns, and one
/// of them is drawn anew for each; a default that is the same each time ties the records that lack the column
/// together, and so does a generated column.
fn may_tie(table: &Table, index: &UniqueIndex, fields: &[&str]) -> bool {
    let is_given = |c: usize| {
        table.columns[c].generated
            || fields.iter().any(|field| Mapping::column_of(table, field).is_some_and(|found| found == c))
    };
    index.is_opaque()
        || index.columns.iter().any(|&c| is_given(c))
        || !index.columns.iter().any(|&c| table.columns[c].is_drawn())
}

/// How records find their partition, and why there may be one only.
fn partitioning(
    table: &Table,
    key: &Key,
    mode: Mode,
    fields: &[&str],
    wishes: &Wishes<'_>,
) -> (Partitioning, Option<&'static str>) {
    let hashed = !table.placing(key.index, &key.columns).is_empty();
    let ties = table.ties(key.index).into_iter().any(|index| may_tie(table, &table.unique[index], fields));
    let reason = if table.references_itself {
        Some("the table refers to itself")
    } else if table.has_exclusions {
        Some("an exclusion constraint ties records together")
    } else if ties {
        Some("a unique index besides the key ties records together")
    } else if table.has_before_row_triggers && !key.columns.is_empty() {
        Some("a BEFORE trigger may rewrite the key")
    } else if (mode == Mode::Append || wishes.policies.accumulate()) && wishes.has_pipe {
        Some("what a pipe has appended must be a beginning of it")
    } else if !key.columns.is_empty() && !hashed {
        Some("no column of the key has one text for equal values")
    } else {
        None
    };
    match reason {
        Some(why) => (Partitioning::One, Some(why)),
        None if key.columns.is_empty() => (Partitioning::Turns, None),
        None => (Partitioning::Key, None),
    }
}
