//! Which columns a run writes to, and what its key is compared as: stored with it, since a name says neither.
//!
//! A column that was dropped and added, or has changed names with another one, is not where the rows of
//! before lie. Under another type or collation of the key other keys are equal, and their records belong to
//! other writers: one goes on behind records that it never had, and those are lost.

use serde_json::{Value, json};

use crate::ledger::{KEY_TYPES, LedgerError, RunSettings, StoredRun, TARGET_COLUMNS};
use crate::map::{Extra, Target};
use crate::plan::Plan;
use crate::schema::{Column, PgType, Table};

/// What is stored of them, beside the settings. By name, each column's number, and of a composite one its
/// attributes; of the key's what it is hashed as, if it is, and its type for people.
pub(super) fn store(plan: &Plan, settings: &mut RunSettings) {
    let table = &plan.table;
    let numbers: serde_json::Map<String, Value> =
        loaded(table).map(|column| (column.name.raw().to_owned(), number_and_attributes(column))).collect();
    settings.insert(TARGET_COLUMNS.to_owned(), numbers.into());
    if !plan.key.columns.is_empty() {
        let types: serde_json::Map<String, Value> = key_types(plan)
            .map(|(column, hashed)| (column.name.raw().to_owned(), json!([hashed, type_words(column)])))
            .collect();
        settings.insert(KEY_TYPES.to_owned(), types.into());
    }
}

/// Why a run cannot go on in the columns that there are now. Of runs of before nothing is known.
pub(super) fn refused(stored: &StoredRun, plan: &Plan) -> Option<LedgerError> {
    let (what, back) = moved(stored, plan)
        .or_else(|| renamed_within(stored, plan))
        .or_else(|| joined(stored, plan))
        .or_else(|| compared_otherwise(stored, plan))?;
    Some(LedgerError::OtherColumns { run: stored.run.clone(), what, back })
}

/// What has changed, and how it is put right, if it can be.
type Difference = (String, Option<&'static str>);

fn moved(stored: &StoredRun, plan: &Plan) -> Option<Difference> {
    let columns = stored.settings.get(TARGET_COLUMNS)?.as_object()?;
    let numbers = columns.iter().filter_map(|(name, stored)| Some((name, number(stored)?)));
    // Else a field without a column is refused, in the plan or as a reject.
    let passes_over = plan.extra != Extra::Refuse;
    for (name, number) in numbers {
        let now = plan.table.column(name).map(|at| plan.table.columns[at].number);
        let is_renamed = plan.table.numbered(number).is_some();
        if now.is_some_and(|now| now != number) || (now.is_none() && is_renamed && passes_over) {
            let back = "give it its name back, and the same command goes on";
            return Some((plan.table.whereabouts(name, number), is_renamed.then_some(back)));
        }
    }
    None
}

/// A column as it is stored: its number, with the attributes of its type where it has any.
fn number_and_attributes(column: &Column) -> Value {
    attributes(&column.ty)
        .map_or_else(|| column.number.into(), |attributes| json!([column.number, attributes]))
}

fn number(stored: &Value) -> Option<i32> {
    let number = stored.as_i64().or_else(|| stored.get(0)?.as_i64())?;
    i32::try_from(number).ok()
}

/// The names of a composite type's attributes, in the order of their values.
fn attributes(ty: &PgType) -> Option<String> {
    match ty {
        PgType::Composite(members) => {
            let name = |(name, ty): &(String, PgType)| match attributes(ty) {
                Some(within) => format!("{name} ({within})"),
                None => name.clone(),
            };
            Some(members.iter().map(name).collect::<Vec<_>>().join(", "))
        }
        PgType::Array(element, _) => attributes(element),
        _ => None,
    }
}

/// Values of a composite type go by the places of its attributes, which names say at each start.
fn renamed_within(stored: &StoredRun, plan: &Plan) -> Option<Difference> {
    let columns = stored.settings.get(TARGET_COLUMNS)?.as_object()?;
    columns.iter().find_map(|(name, stored)| {
        let before = stored.get(1)?.as_str()?;
        let now = attributes(&plan.table.numbered(number(stored)?)?.ty).unwrap_or_default();
        let back = "give the attributes their names back, and the same command goes on";
        (now != before)
            .then(|| (format!("column {name:?} had the attributes {before}, and has {now}"), Some(back)))
    })
}

/// A column that was not there, and takes what was passed over before: half of a field would lie in it. Where
/// fields without a column are refused, there was none to pass over.
fn joined(stored: &StoredRun, plan: &Plan) -> Option<Difference> {
    let columns = stored.settings.get(TARGET_COLUMNS)?.as_object().filter(|_| plan.extra != Extra::Refuse)?;
    let is_known = |column: &Column| columns.values().any(|stored| number(stored) == Some(column.number));
    let mapping = plan.mapping();
    let filled = plan.fields.iter().filter_map(|(_, target)| match target {
        Target::Slot(slot) => mapping.slots.get(*slot),
        Target::Extra | Target::Generated | Target::Dropped => None,
    });
    let column = filled.map(|at| &plan.table.columns[*at]).find(|column| !is_known(column))?;
    let what =
        format!("column {:?} is new, and would take a field that it was not there for", column.name.raw());
    Some((what, Some("drop it, or give it another name, and the same command goes on")))
}

/// One partition has all records, whatever their keys are.
fn compared_otherwise(stored: &StoredRun, plan: &Plan) -> Option<Difference> {
    let types = stored.settings.get(KEY_TYPES).filter(|_| stored.partitions > 1)?;
    key_types(plan).find_map(|(column, hashed)| {
        let before = types.get(column.name.raw())?;
        if before.get(0)?.as_str() == hashed.as_deref() {
            return None;
        }
        let (name, now) = (column.name.raw(), type_words(column));
        let was = before.get(1)?.as_str()?;
        if was == now {
            let what = format!("the key column {name:?} is compared in another way now");
            return Some((
                what,
                Some("give it the unique index back that it had, and the same command goes on"),
            ));
        }
        let back = "give it the type and collation back that it had, and the same command goes on";
        // To give it a length or scale, the server writes the table anew.
        let comes_back = !was.contains('(');
        let what = format!("the key column {name:?} was {was}, and is {now}: other keys are equal now");
        Some((what, comes_back.then_some(back)))
    })
}

fn loaded(table: &Table) -> impl Iterator<Item = &Column> {
    table.columns.iter().filter(|column| !column.generated)
}

/// The key's columns, each with what says by its hash which partition a record belongs to, if that does.
fn key_types(plan: &Plan) -> impl Iterator<Item = (&Column, Option<String>)> {
    let placing = plan.table.placing(plan.key.index, &plan.key.columns);
    plan.key.columns.iter().map(move |at| {
        let column = &plan.table.columns[*at];
        (column, placing.contains(at).then(|| column.hashed_as()).flatten())
    })
}

fn type_words(column: &Column) -> String {
    match &column.collation {
        Some(collation) => format!("{} COLLATE {collation}", column.type_name),
        None => column.type_name.clone(),
    }
}
