//! The set-based merge of a staged batch: insert what has no stored row, update what differs; at once, where
//! the server can be trusted with it, else one after the other.
//!
//! Then insert first: what a concurrent transaction inserted meanwhile is left alone by `ON CONFLICT DO
//! NOTHING` (which waits for it) and seen by the update, whose snapshot is younger; and rows that were all
//! new need no update. The counts are the command tags. Rows of this very transaction are left out of the
//! update by their xmin, so that what a BEFORE INSERT trigger made of them stays.

use crate::batch::Batch;
use crate::map::Slot;
use crate::schema::{Ident, Identity, Mode};

use super::names::{ASIDE, STAGE, differs, first_value, newer, presence, rows_inserted, sets, written};
use super::range::{self, key_matches};
use crate::write::plan::WritePlan;
use crate::write::strategy::{Conflicts, Strategy};

/// The stored row is not of this transaction; or, within the savepoint of rows that are set aside, not of
/// that.
fn not_ours(remainder: bool) -> String {
    if remainder {
        format!("t.xmin OPERATOR(pg_catalog.<>) (SELECT a.xmin FROM {ASIDE} a LIMIT 1)")
    } else {
        "t.xmin OPERATOR(pg_catalog.<>) (SELECT pg_catalog.pg_current_xact_id()::pg_catalog.xid)".to_owned()
    }
}

/// Whether keys are looked up before an insert.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::write) enum KeyLookup {
    /// Those that are stored are left to the update.
    LookedUp,
    /// None is expected to be: should one be, the server refuses, and the batch is replayed.
    NotExpected,
}

/// Inserts the staged rows whose key is not stored.
pub(in crate::write) fn insert(
    plan: &WritePlan,
    batch: &Batch,
    conflicts: Conflicts,
    stored: KeyLookup,
) -> Option<String> {
    if plan.mode == Mode::Update {
        return None;
    }
    let slots = written(plan, batch);
    let (columns, values) = insert_lists(plan, batch, &slots, "s");
    let table = &plan.table().name;
    let overriding = overriding(plan, &slots);
    let mut sql = if slots.is_empty() {
        // Records without any known field: a row of defaults for each.
        format!("INSERT INTO {table} AS t SELECT FROM {STAGE} s")
    } else {
        format!("INSERT INTO {table} AS t ({columns}){overriding} SELECT {values} FROM {STAGE} s")
    };
    if plan.mode != Mode::Append && stored == KeyLookup::LookedUp {
        sql.push_str(&format!(
            " WHERE NOT EXISTS (SELECT FROM {table} t WHERE {})",
            key_matches(plan, batch)
        ));
        sql.insert_str(0, range::allow(plan, batch));
    }
    if plan.mode == Mode::Ignore {
        sql.push_str(" ORDER BY s.s0");
    }
    // Under `ignore` the batch itself may hold a key twice.
    if conflicts == Conflicts::LeftAlone || plan.mode == Mode::Ignore {
        sql.push_str(&on_conflict(plan));
    }
    Some(sql)
}

/// `ON CONFLICT` on the key; nothing for an append. It means the key's index alone: columns without more
/// would mean each index that has them, whatever it calls equal.
pub(in crate::write) fn on_conflict(plan: &WritePlan) -> String {
    let Some(key) = plan.key_index.filter(|_| plan.mode != Mode::Append) else { return String::new() };
    let table = plan.table();
    let index = &table.unique[key];
    let rivals = !table.rivals(key).is_empty();
    if let Some(constraint) = index.constraint.as_ref().filter(|_| rivals)
        && let Ok(constraint) = Ident::new(constraint.as_str())
    {
        return format!(" ON CONFLICT ON CONSTRAINT {constraint} DO NOTHING");
    }
    let columns = index.columns.iter().zip(&index.equality).map(|(&column, equality)| {
        let name = &table.columns[column].name;
        if rivals || !equality.is_plain() {
            format!("{} {}", equality.grouped(&name.to_string()), equality.class)
        } else {
            name.to_string()
        }
    });
    format!(" ON CONFLICT ({}) DO NOTHING", columns.collect::<Vec<_>>().join(", "))
}

/// The source may write identity columns that are always generated.
pub(in crate::write) fn overriding(plan: &WritePlan, slots: &[Slot]) -> &'static str {
    let always =
        slots.iter().any(|&s| plan.table().columns[plan.mapping.slots[s]].identity == Identity::Always);
    if always { " OVERRIDING SYSTEM VALUE" } else { "" }
}

/// Column list and value list of an insert from `source`. A value that a record lacks is the column's
/// default.
pub(in crate::write) fn insert_lists(
    plan: &WritePlan,
    batch: &Batch,
    slots: &[Slot],
    source: &str,
) -> (String, String) {
    let mut columns = Vec::with_capacity(slots.len());
    let mut values = Vec::with_capacity(slots.len());
    for &slot in slots {
        let column = &plan.table().columns[plan.mapping.slots[slot]];
        columns.push(column.name.to_string());
        let default = match (&column.default, column.identity) {
            (Some(default), _) => Some(default.clone()),
            (None, Identity::Always | Identity::ByDefault) => Some(identity_value(plan, slot)),
            (None, Identity::No) => None,
        };
        values.push(match default {
            Some(default) if !batch.always_present(slot) => {
                let given = first_value(plan, source, slot);
                format!("CASE WHEN {} THEN {given} ELSE {default} END", presence(plan, source, slot))
            }
            // Absent values are staged as NULL, which is what a column without default gets.
            _ => first_value(plan, source, slot),
        });
    }
    (columns.join(", "), values.join(", "))
}

/// The next value of an identity column, for records that lack it among others that have it.
fn identity_value(plan: &WritePlan, slot: Slot) -> String {
    let table = plan.table();
    let column = &table.columns[plan.mapping.slots[slot]];
    format!(
        "pg_catalog.nextval(pg_catalog.pg_get_serial_sequence({}, {}))",
        crate::pg::literal(&table.name.to_string()),
        crate::pg::literal(column.name.raw()),
    )
}

/// Inserts and updates at once, between two looks at the counters of the table. `None`: one after the other.
pub(in crate::write) fn at_once(plan: &WritePlan, batch: &Batch, strategy: Strategy) -> Option<String> {
    if strategy.conflicts != Conflicts::NotExpected || strategy.all_new(plan) || !plan.merges_at_once() {
        return None;
    }
    let differs = differs(plan, batch, "s")?;
    let newer = newer(plan, "s").map_or(String::new(), |newer| format!("{newer} AND "));
    let slots = written(plan, batch);
    let (columns, values) = insert_lists(plan, batch, &slots, "s");
    let table = plan.table();
    let counters =
        format!("SELECT {}, pg_catalog.pg_stat_get_xact_tuples_updated({})", rows_inserted(plan), table.oid);
    Some(format!(
        "{allow}{counters};\n\
         MERGE INTO {name} t USING {STAGE} s ON {key} \
         WHEN MATCHED AND {newer}{differs} THEN UPDATE SET {sets} \
         WHEN NOT MATCHED THEN INSERT ({columns}){overriding} VALUES ({values});\n\
         {counters}",
        allow = range::allow(plan, batch),
        name = table.name,
        key = key_matches(plan, batch),
        sets = sets(plan, batch, "s"),
        overriding = overriding(plan, &slots),
    ))
}

/// Updates the stored rows that differ. `None`: there is nothing that could change.
pub(in crate::write) fn update(plan: &WritePlan, batch: &Batch, remainder: bool) -> Option<String> {
    if !matches!(plan.mode, Mode::Upsert | Mode::Update) {
        return None;
    }
    let differs = differs(plan, batch, "s")?;
    let newer = newer(plan, "s").map_or(String::new(), |n| format!(" AND {n}"));
    Some(format!(
        "{}UPDATE {} t SET {} FROM {STAGE} s WHERE {} AND {}{newer} AND {differs}",
        range::allow(plan, batch),
        plan.table().name,
        sets(plan, batch, "s"),
        key_matches(plan, batch),
        not_ours(remainder),
    ))
}

/// Counts the staged rows whose stored row, not of this transaction, is as it should be.
pub(in crate::write) fn count_unchanged(plan: &WritePlan, batch: &Batch, remainder: bool) -> String {
    let same = differs(plan, batch, "s").map_or(String::new(), |d| format!(" AND NOT ({d})"));
    format!(
        "{}SELECT pg_catalog.count(*) FROM {STAGE} s JOIN {} t ON {} WHERE {}{same}",
        range::allow(plan, batch),
        plan.table().name,
        key_matches(plan, batch),
        not_ours(remainder),
    )
}

/// Counts the staged rows whose stored row is as it should be, or was written by this transaction: all of
/// them, if each has met its row.
pub(in crate::write) fn count_met(plan: &WritePlan, batch: &Batch, remainder: bool) -> String {
    let same = differs(plan, batch, "s")
        .map_or(String::new(), |d| format!(" AND (NOT ({d}) OR NOT ({}))", not_ours(remainder)));
    format!(
        "{}SELECT pg_catalog.count(*) FROM {STAGE} s WHERE EXISTS (SELECT FROM {} t WHERE {}{same})",
        range::allow(plan, batch),
        plan.table().name,
        key_matches(plan, batch),
    )
}
