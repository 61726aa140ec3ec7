//! Which columns a run writes to, and what its key is compared as: stored with it, since a name says neither.
//!
//! A column that was dropped and added, or has changed names with another one, is not where the rows of
//! before lie. One of another kind, an identity or generated, takes what it did not take before, or takes it
//! no more. Under another type or collation of the key other keys are equal, and their records belong to
//! other writers: one goes on behind records that it never had, and those are lost.

use serde_json::{Value, json};

use crate::ledger::{KEY_TYPES, LedgerError, RunSettings, StoredRun, TARGET_COLUMNS};
use crate::map::{Extra, Mapping, Target};
use crate::plan::Plan;
use crate::schema::{Column, ColumnKind, Mode, PgType};

/// The columns as a run is stored with them: by name, each one's number, of a composite one its attributes,
/// and its kind.
pub(super) fn of_target(plan: &Plan) -> Value {
    let columns: serde_json::Map<String, Value> =
        plan.table.columns.iter().map(|column| (column.name.raw().to_owned(), stored_form(column))).collect();
    columns.into()
}

/// What is stored beside the settings: the columns, and of the key's what each is hashed as, if it is, and
/// its type for people.
pub(super) fn store(plan: &Plan, settings: &mut RunSettings) {
    settings.insert(TARGET_COLUMNS.to_owned(), of_target(plan));
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
        .or_else(|| of_another_kind(stored, plan))
        .or_else(|| renamed_within(stored, plan))
        .or_else(|| joined(stored, plan))
        .or_else(|| left_out(stored, plan))
        .or_else(|| compared_otherwise(stored, plan))?;
    Some(LedgerError::OtherColumns { run: stored.run.clone(), what, back })
}

/// What has changed, and how it is put right, if it can be.
type Difference = (String, Option<&'static str>);

fn moved(stored: &StoredRun, plan: &Plan) -> Option<Difference> {
    let columns = stored.settings.get(TARGET_COLUMNS)?.as_object()?;
    for (name, stored) in columns {
        let Some(number) = number(stored) else { continue };
        let now = plan.table.column(name).map(|at| &plan.table.columns[at]);
        let is_renamed = plan.table.numbered(number).is_some();
        let was_generated = kind(stored) == Some(ColumnKind::Generated);
        let is_elsewhere = match now {
            // What the server fills takes no field, whichever column it is.
            Some(now) => now.number != number && !(was_generated && now.generated),
            None if was_generated => is_gathered(name, plan),
            // It would be added once more, and what was loaded is gone with the old one.
            None if plan.extra == Extra::Add => true,
            // Else a field without a column is refused, in the plan or as a reject.
            None => is_renamed && plan.extra != Extra::Refuse,
        };
        if is_elsewhere {
            let back = "give it its name back, and the same command goes on";
            return Some((plan.table.whereabouts(name, number), is_renamed.then_some(back)));
        }
    }
    None
}

/// A field of this name goes to the column of `--extra`.
fn is_gathered(name: &str, plan: &Plan) -> bool {
    matches!(plan.extra, Extra::Jsonb(_))
        && plan
            .fields
            .iter()
            .any(|(field, target)| *target == Target::Extra && field.eq_ignore_ascii_case(name))
}

/// The same column, and records have a say in it that they had not, or have it no more. Of an identity it
/// matters where stored rows are updated, and never of the key.
fn of_another_kind(stored: &StoredRun, plan: &Plan) -> Option<Difference> {
    let columns = stored.settings.get(TARGET_COLUMNS)?.as_object()?;
    let is_of_key = |number| plan.key.columns.iter().any(|&at| plan.table.columns[at].number == number);
    columns.values().find_map(|stored| {
        let (number, was) = (number(stored)?, kind(stored)?);
        let column = plan.table.numbered(number)?;
        let change = was.change(column.kind())?;
        let is_generated = was == ColumnKind::Generated || column.generated;
        let is_updated = matches!(plan.mode, Mode::Upsert | Mode::Update) && !is_of_key(number);
        // An expression is not given back but with a new column.
        let back = "make the column what it was, and the same command goes on";
        (is_generated || is_updated)
            .then(|| (format!("column {:?} {change}", column.name.raw()), (!is_generated).then_some(back)))
    })
}

/// A column as it is stored: its number, the attributes of its type where it has any, and its kind. Builds of
/// before have stored the number alone, or with attributes only, and nothing of generated columns.
fn stored_form(column: &Column) -> Value {
    let attributes = if column.generated { None } else { attributes(&column.ty) };
    json!([column.number, attributes, column.kind().stored()])
}

fn number(stored: &Value) -> Option<i32> {
    let number = stored.as_i64().or_else(|| stored.get(0)?.as_i64())?;
    i32::try_from(number).ok()
}

/// `None`: it does not say.
fn kind(stored: &Value) -> Option<ColumnKind> {
    ColumnKind::of_stored(stored.get(2)?.as_str()?)
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
/// fields without a column are refused, or get one, there was none to pass over.
fn joined(stored: &StoredRun, plan: &Plan) -> Option<Difference> {
    let passes_over = !matches!(plan.extra, Extra::Refuse | Extra::Add);
    let columns = stored.settings.get(TARGET_COLUMNS)?.as_object().filter(|_| passes_over)?;
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

/// A generated column of a name that no column had: its field is left out, and was gathered before.
fn left_out(stored: &StoredRun, plan: &Plan) -> Option<Difference> {
    let columns = stored.settings.get(TARGET_COLUMNS)?.as_object()?;
    // Of generated ones runs of before say nothing.
    if !matches!(plan.extra, Extra::Jsonb(_)) || columns.values().all(|stored| kind(stored).is_none()) {
        return None;
    }
    let is_left_out = |(field, target): &(String, Target)| {
        let at = (*target == Target::Generated).then(|| Mapping::column_of(&plan.table, field))??;
        Some(plan.table.columns[at].name.raw())
    };
    let name = plan.fields.iter().filter_map(is_left_out).find(|name| !columns.contains_key(*name))?;
    let what = format!(
        "column {name:?} is a generated column now: a field for it was gathered, and would be left out now"
    );
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
