//! What can be refused before the first row is refused here, each with a hint; what is merely worth knowing
//! is a note.

use crate::map::{Extra, Mapping, Target, listed};
use crate::schema::{Column, Ident, Identity, Mode, PgType, Table};
use crate::shape::Shaping;

use super::key::Key;
use super::refusal::Refusal;
use super::sample::Sample;
use super::wishes::Wishes;

/// Staging needs temporary tables.
#[must_use]
pub fn refuse_staging(role: &str, database: &str) -> Refusal {
    Refusal::new(
        format!(
            "the role {role} may not make temporary tables in database {database}, and staging needs them"
        ),
        format!("GRANT TEMPORARY ON DATABASE {} TO {}", quoted(database), quoted(role)),
    )
}

/// What goes record by record is a loop in plpgsql.
#[must_use]
pub fn refuse_loops(role: &str) -> Refusal {
    Refusal::new(
        format!(
            "the role {role} may not use the language plpgsql, and records that the table may refuse need it"
        ),
        format!("GRANT USAGE ON LANGUAGE plpgsql TO {}", quoted(role)),
    )
}

/// Stored rows are looked up and compared.
#[must_use]
pub fn refuse_reading(role: &str, table: &Table) -> Refusal {
    Refusal::new(
        format!("the role {role} may not read table {}, and stored rows are compared", table.name),
        format!("GRANT SELECT ON {} TO {}", table.name, quoted(role)),
    )
}

/// A column takes its values from a sequence, where no field has them.
#[must_use]
pub fn refuse_sequence(role: &str, sequence: &str) -> Refusal {
    Refusal::new(
        format!("the role {role} may not use the sequence {sequence}, which fills a column without a field"),
        format!("GRANT USAGE ON SEQUENCE {sequence} TO {}", quoted(role)),
    )
}

/// A name in SQL for people: quoted, as it may be a word of SQL's own.
pub(super) fn quoted(name: &str) -> String {
    Ident::new(name).map_or_else(|_| name.to_owned(), |name| name.to_string())
}

/// A column that `--narrowing` names is one of the table's.
pub fn narrowed_column(table: &Table, column: &str) -> Result<(), Refusal> {
    if table.column(column).is_some() {
        return Ok(());
    }
    Err(Refusal::new(
        format!("--narrowing {column}=..: table {} has no column of this name", table.name.plain()),
        "name a column as the table has it",
    ))
}

/// Flags whose columns are there when the load begins.
const NOW: [&str; 3] = ["--mask ", "--set ", "--soft-delete "];

/// Columns that `--map` and `--parse` name are the table's.
///
/// Where columns are added they may come later; but for masks, which must be about what they say, and what is
/// set or marks, for which no field comes.
pub(super) fn shaped_columns(table: &Table, shaping: &Shaping, extra: &Extra) -> Result<(), Refusal> {
    let is_now = |words: &String| NOW.iter().any(|flag| words.starts_with(flag));
    let may_come = |words: &String| *extra == Extra::Add && !is_now(words);
    let is_missing = |(column, words): &(&str, String)| table.column(column).is_none() && !may_come(words);
    let Some((_, words)) = shaping.columns().find(is_missing) else { return Ok(()) };
    let names: Vec<&str> = table.columns.iter().map(|column| column.name.raw()).collect();
    Err(Refusal::new(
        format!("{words}: table {} has no column of this name", table.name.plain()),
        format!("name the column as the table has it: {}", listed(&names)),
    ))
}

/// What is masked goes nowhere else, and a key is never null.
pub(super) fn masked(mapping: &Mapping, key: &Key, shaping: &Shaping) -> Result<(), Refusal> {
    let of_key = |column: &&str| mapping.table.column(column).is_some_and(|at| key.columns.contains(&at));
    if let Some(column) = shaping.nulled().find(of_key) {
        return Err(Refusal::new(
            format!(
                "--mask {column}=null: the column is part of the key, and a record without one is rejected"
            ),
            format!("--mask {column}=sha256 --mask-key env:NAME keeps keys apart"),
        ));
    }
    let is_stored = |name: &String| matches!(mapping.target(name).0, Target::Slot(_));
    for (column, around) in shaping.around_masked() {
        if let Some(field) = around.iter().find(|name| is_stored(name)) {
            return Err(Refusal::new(
                format!(
                    "--mask {column}: field {field:?} goes to a column of its own, and has the value within"
                ),
                format!("--drop {field} leaves the rest of it out"),
            ));
        }
    }
    Ok(())
}

/// The column of `--extra jsonb:COLUMN` must be there and hold JSON.
pub(super) fn extra_column(table: &Table, extra: &Extra) -> Result<(), Refusal> {
    let Extra::Jsonb(name) = extra else { return Ok(()) };
    match table.column(name).map(|c| &table.columns[c]) {
        Some(column) if column.ty == PgType::Json && !column.generated => Ok(()),
        Some(column) => Err(Refusal::new(
            format!("--extra jsonb:{name}: column {name:?} is {}", column.type_name),
            "name a jsonb column",
        )),
        None => Err(Refusal::new(
            format!("--extra jsonb:{name}: table {} has no such column", table.name.plain()),
            format!("ALTER TABLE {} ADD COLUMN {} jsonb", table.name, quoted(name)),
        )),
    }
}

/// Rights to write the columns that the sample has; what is lacking is named in one statement.
pub(super) fn rights(
    table: &Table,
    mapping: &Mapping,
    targets: &[(String, Target)],
    mode: Mode,
    wishes: &Wishes<'_>,
) -> Result<(), Refusal> {
    let mut lacking: Vec<&str> = Vec::new();
    let mut first = None;
    for (_, target) in targets {
        let Target::Slot(slot) = target else { continue };
        let column = &table.columns[mapping.slots[*slot]];
        let inserts = mode != Mode::Update;
        let updates = matches!(mode, Mode::Upsert | Mode::Update)
            && !mapping.key.contains(slot)
            && wishes.policies.updates(column.name.raw());
        for (right, is_lacking) in
            [("INSERT", inserts && !column.may_insert), ("UPDATE", updates && !column.may_update)]
        {
            if is_lacking && !lacking.contains(&right) {
                lacking.push(right);
                first.get_or_insert((right, column));
            }
        }
    }
    let Some((right, column)) = first else { return Ok(()) };
    if !wishes.may_select && mode != Mode::Append {
        lacking.push("SELECT");
    }
    let (role, right) = (wishes.role, right.to_lowercase());
    Err(Refusal::new(
        format!("the role {role} may not {right} column {} of table {}", column.name, table.name),
        format!("GRANT {} ON {} TO {}", lacking.join(", "), table.name, quoted(role)),
    ))
}

/// The sample must have the key.
pub(super) fn missing_key(
    table: &Table,
    key: &Key,
    targets: &[(String, Target)],
    mapping: &Mapping,
    sample: &Sample,
) -> Result<(), Refusal> {
    if sample.fields().is_empty() {
        return Ok(());
    }
    let given = |column: usize| {
        targets
            .iter()
            .any(|(_, target)| matches!(target, Target::Slot(slot) if mapping.slots[*slot] == column))
    };
    let missing: Vec<&Column> =
        key.columns.iter().filter(|&&c| !given(c)).map(|&c| &table.columns[c]).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = missing.iter().map(|column| column.name.raw()).collect();
    // With another key, or none, a row would still need a value of it.
    let is_needed = missing.iter().any(|column| column.not_null && !column.has_default());
    let do_what = if is_needed {
        "rename a field to it, or give the column a default"
    } else {
        "--key names another key, --mode append needs none"
    };
    Err(Refusal::new(
        format!("no field for key column {} of table {}", names.join(", "), table.name.plain()),
        format!("the sources have {}; {do_what}", listed(&sample.fields())),
    ))
}

/// What is worth saying before the first row.
pub(super) fn notes(
    table: &Table,
    mapping: &Mapping,
    targets: &[(String, Target)],
    mode: Mode,
) -> Vec<String> {
    let mut notes = Vec::new();
    if targets.is_empty() {
        return notes;
    }
    let given = |column: usize| {
        targets
            .iter()
            .any(|(_, target)| matches!(target, Target::Slot(slot) if mapping.slots[*slot] == column))
    };
    for (ordinal, column) in table.columns.iter().enumerate() {
        let name = column.name.raw();
        if column.not_null && !column.has_default() && !given(ordinal) && mode != Mode::Update {
            notes.push(format!(
                "column {name:?} is NOT NULL, has no default and no field: only records whose key is stored can be applied"
            ));
        }
        let field = targets
            .iter()
            .find(|(field, target)| *target == Target::Generated && field.eq_ignore_ascii_case(name));
        if column.generated && field.is_some() {
            notes.push(format!("column {name:?} is generated: its field is left out"));
        }
        if column.identity == Identity::Always && given(ordinal) {
            notes.push(format!("identity column {name:?} is written where a row is inserted"));
        }
    }
    notes
}
