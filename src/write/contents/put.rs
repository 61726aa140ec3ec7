//! What puts the rows of the table beside a target in the place of those that the target has.
//!
//! All of it stands in one transaction, which completes the run too. Who writes to the target waits for it;
//! who reads sees what was there before, until the transaction has committed. The target is never truncated:
//! a snapshot of before would find it empty then.

use crate::schema::{Column, Equality, Identity, Relation, Table};

use super::super::sql::settings;
use crate::write::plan::WritePlan;

/// Begins the transaction.
#[must_use]
pub fn begin_whole(plan: &WritePlan) -> String {
    settings::begin_whole(plan)
}

/// Locks the target, so that nobody else writes to it.
#[must_use]
pub fn lock_whole(target: &Table) -> String {
    format!("LOCK TABLE {} IN SHARE ROW EXCLUSIVE MODE", target.name)
}

/// Locks the table beside it, so that whatever was still on its way there has ended.
#[must_use]
pub fn lock_beside(plan: &WritePlan) -> String {
    format!("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE", plan.table().name)
}

/// The table without those that inherit from it; a partitioned one is nothing without its parts.
pub(super) fn only(table: &Table) -> String {
    match table.relation {
        Relation::Table => format!("ONLY {}", table.name),
        Relation::Partitioned => table.name.to_string(),
    }
}

/// Columns that are written: the server works out the others.
fn written(table: &Table) -> impl Iterator<Item = &Column> {
    table.columns.iter().filter(|column| !column.generated)
}

fn names<'a>(of: &'a str, columns: impl Iterator<Item = &'a Column>) -> String {
    columns.map(|column| format!("{of}{}", column.name)).collect::<Vec<_>>().join(", ")
}

/// The statements that put the rows in place, each with whether its count is one of rows that went: all of
/// them, or what differs of them.
#[must_use]
pub fn put(plan: &WritePlan, target: &Table, by_difference: bool) -> Vec<(String, bool)> {
    let (only, beside) = (only(target), &plan.table().name);
    let judge = ("SET CONSTRAINTS ALL IMMEDIATE".to_owned(), false);
    let insert = |unless: &str| {
        format!(
            "INSERT INTO {} ({}) OVERRIDING SYSTEM VALUE SELECT {} FROM {beside} s{unless}",
            target.name,
            names("", written(target)),
            names("s.", written(target)),
        )
    };
    if !by_difference {
        return vec![(format!("DELETE FROM {only}"), true), (insert(""), false), judge];
    }
    let key = same_key(plan);
    // Before what is new, for another unique index may have a value that moves to it.
    let delete = format!("DELETE FROM {only} t WHERE NOT EXISTS (SELECT FROM {beside} s WHERE {key})");
    let mut statements = vec![(format!("ANALYZE {beside}"), false), (delete, true)];
    let updated = || written(target).filter(|column| column.identity != Identity::Always);
    if updated().next().is_some() {
        let sets: Vec<String> =
            updated().map(|column| format!("{} = s.{}", column.name, column.name)).collect();
        let update = format!(
            "UPDATE {only} t SET {} FROM {beside} s WHERE {key} \
             AND ROW({})::record OPERATOR(pg_catalog.*<>) ROW({})::record",
            sets.join(", "),
            names("s.", updated()),
            names("t.", updated()),
        );
        statements.push((update, false));
    }
    let unless = format!(" WHERE NOT EXISTS (SELECT FROM {only} t WHERE {key})");
    statements.extend([(insert(&unless), false), judge]);
    statements
}

/// How many rows both tables have: as many, or something has kept rows out, or has left others in.
#[must_use]
pub fn count_both(plan: &WritePlan, target: &Table) -> String {
    format!(
        "SELECT (SELECT pg_catalog.count(*) FROM {}), (SELECT pg_catalog.count(*) FROM {})",
        only(target),
        plan.table().name
    )
}

/// How many rows that are to go a foreign key holds. Its columns stand beside those that they refer to.
#[must_use]
pub fn held_rows(plan: &WritePlan, target: &Table, child: &str, columns: &[(String, String)]) -> String {
    let refers: Vec<String> =
        columns.iter().map(|(own, of)| format!("c.{own} OPERATOR(pg_catalog.=) t.{of}")).collect();
    format!(
        "SELECT pg_catalog.count(*) FROM {} t WHERE NOT EXISTS (SELECT FROM {} s WHERE {}) \
         AND EXISTS (SELECT FROM {child} c WHERE {})",
        only(target),
        plan.table().name,
        same_key(plan),
        refers.join(" AND "),
    )
}

/// A row of the target, `t`, and one beside it, `s`, have the same key.
fn same_key(plan: &WritePlan) -> String {
    let table = plan.table();
    let equal = |&slot: &usize| {
        let at = plan.mapping.slots[slot];
        let column = &table.columns[at];
        let equality = plan.key_index.and_then(|index| table.unique[index].equality_of(at));
        let equality = equality.cloned().unwrap_or_else(Equality::plain);
        let (ours, theirs) = (format!("t.{}", column.name), format!("s.{}", column.name));
        let equal = equality.of(&ours, &theirs);
        match plan.mapping.null_keys && !column.not_null {
            true => format!("({equal} OR {ours} IS NULL AND {theirs} IS NULL)"),
            false => equal,
        }
    };
    plan.mapping.key.iter().map(equal).collect::<Vec<_>>().join(" AND ")
}
