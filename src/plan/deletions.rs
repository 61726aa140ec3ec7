//! Records that delete: what of it must be refused, and what is needed of them.

use crate::map::{DeletionMark, Deletions, Mapping, MarkKind, Target};
use crate::schema::{Mode, Rest, Table};

use super::key::Key;
use super::refusal::Refusal;
use super::refuse::quoted;
use super::wishes::Wishes;

/// What records that delete are about; `None`: none may.
pub(super) fn of_plan(
    mapping: &Mapping,
    key: &Key,
    mode: Mode,
    wishes: &Wishes<'_>,
) -> Result<Option<Deletions>, Refusal> {
    if wishes.shaping.deletion().is_none() {
        return Ok(None);
    }
    refuse_mode(mode, wishes)?;
    let mut needed = mapping.key.clone();
    for name in [wishes.newer_by, wishes.watermark].into_iter().flatten() {
        match mapping.column_target(name) {
            Target::Slot(slot) if !needed.contains(&slot) => needed.push(slot),
            _ => {}
        }
    }
    let mark = wishes.shaping.mark().map(|column| mark(mapping, key, wishes, column)).transpose()?;
    Ok(Some(Deletions { needed, mark }))
}

fn refuse_mode(mode: Mode, wishes: &Wishes<'_>) -> Result<(), Refusal> {
    let (why, hint) = match (mode, wishes.rest) {
        (_, Rest::Replaced) => (
            "what is in no record is gone in any case",
            "leave those records out with --where, or use --mode upsert",
        ),
        (_, Rest::Removed) => (
            "rows go whose records are in no source, and not by a record",
            "leave those records out with --where, or use --mode upsert",
        ),
        (Mode::Append, Rest::Stays) => {
            ("a row is found by its key, and an append has none", "name the key with --key")
        }
        (Mode::Ignore, Rest::Stays) => {
            ("it never touches a stored row", "use --mode upsert or --mode update")
        }
        (Mode::Upsert | Mode::Update, Rest::Stays) => return Ok(()),
    };
    let name = wishes.rest.mode_name(mode);
    Err(Refusal::new(format!("--delete-when with --mode {name}: {why}"), hint))
}

fn mark(mapping: &Mapping, key: &Key, wishes: &Wishes<'_>, name: &str) -> Result<DeletionMark, Refusal> {
    let flag = format!("--soft-delete {name}");
    let table = &mapping.table;
    let Some(ordinal) = table.column(name) else {
        return Err(Refusal::new(
            format!("{flag}: table {} has no column of this name", table.name.plain()),
            format!("ALTER TABLE {} ADD COLUMN {} boolean NOT NULL DEFAULT false", table.name, quoted(name)),
        ));
    };
    let column = &table.columns[ordinal];
    let refused = |what: &str, hint: &str| Err(Refusal::new(format!("{flag}: the column {what}"), hint));
    if key.columns.contains(&ordinal) {
        return refused("is part of the key, by which a stored row is found", "mark rows in another column");
    }
    if column.generated {
        return refused("is generated", "the server computes its values: mark rows in another column");
    }
    if wishes.newer_by == Some(name) {
        return refused("says by --newer-by which record is newer", "mark rows in another column");
    }
    if wishes.policies.iter().any(|(of, _)| of == name) {
        return refused("has a policy", "leave --merge and --insert-only of it out");
    }
    let type_name = column.domain_base.as_deref().unwrap_or(&column.type_name);
    let Some(kind) = MarkKind::of(type_name) else {
        return refused(&format!("is {type_name}"), "a mark is boolean, or a timestamp");
    };
    if matches!(kind, MarkKind::Moment { .. }) && column.not_null {
        return refused(
            "is NOT NULL, and a row that is not deleted has no time of its deletion",
            "drop NOT NULL, or use a boolean",
        );
    }
    match mapping.slots.iter().position(|&of| of == ordinal) {
        Some(slot) => Ok(DeletionMark { slot, kind }),
        None => refused("cannot be written", "mark rows in another column"),
    }
}

/// The refusal of deletions that the role has no right to.
#[must_use]
pub fn no_delete(role: &str, table: &Table) -> Refusal {
    Refusal::new(
        format!("--delete-when: the role {role} may not delete from table {}", table.name),
        format!("GRANT DELETE ON {} TO {}", table.name, quoted(role)),
    )
}

/// The refusal of a comparison with records that delete.
#[must_use]
pub fn no_comparison() -> Refusal {
    Refusal::new(
        "--delete-when: a comparison looks for the row of each record, and does not know those that must be gone",
        "leave the records that delete out: --where with the contrary in place of --delete-when",
    )
}
