//! Quarantine, or setting aside: of a batch that holds rows which the table will refuse, those alone go
//! record by record.
//!
//! Set aside is each row that NOT NULL, CHECK or a foreign key looks set to refuse, each whose key stands in
//! the batch more than once, and each that is [entangled](super::ties) with another. That is a guess with one
//! side that must be right: the rows that stay depend on no other, and none depends on them, so they may be
//! merged as a set before the ones that are set aside. Should the table refuse one of those that stay, all is
//! undone, and the whole batch goes record by record. The verdict is always the server's own.

use crate::batch::Batch;
use crate::map::Slot;
use crate::schema::{Check, ForeignKey, Identity, Mode};

use super::names::{ASIDE, STAGE, key_equals, key_grouped, presence};
use super::unique_constraints;
use crate::write::plan::WritePlan;

/// Moves the rows to be set aside out of the staging table. `None`: the table is not one of which it can be
/// told.
pub(in crate::write) fn set_aside(plan: &WritePlan, batch: &Batch) -> Option<String> {
    let table = plan.table();
    // A trigger, a policy, an exclusion constraint judge by what nobody can ask them beforehand.
    if plan.paths.always_careful.is_some()
        || table.has_row_triggers
        || table.has_row_security
        || table.has_exclusions
    {
        return None;
    }
    let mut conditions = unique_constraints::entangled(plan, batch)?;
    conditions.extend(not_nulls(plan, batch));
    conditions.extend(checks(plan, batch));
    conditions.extend(orphans(plan, batch));
    conditions.extend(repeated(plan));
    if conditions.is_empty() {
        return None;
    }
    Some(format!(
        // A look into a set that stood alone would become a join without an index.
        "WITH aside AS (DELETE FROM {STAGE} s WHERE ({}) IS TRUE RETURNING s.*) \
         INSERT INTO {ASIDE} SELECT * FROM aside",
        conditions.join(" OR ")
    ))
}

/// Rows whose key is another's too.
fn repeated(plan: &WritePlan) -> Option<String> {
    (!plan.mapping.key.is_empty()).then(|| {
        format!(
            "s.s0 OPERATOR(pg_catalog.=) ANY (SELECT pg_catalog.unnest(pg_catalog.array_agg(s0)) FROM {STAGE} GROUP BY {} HAVING pg_catalog.count(*) OPERATOR(pg_catalog.>) 1)",
            key_grouped(plan, "")
        )
    })
}

fn not_nulls(plan: &WritePlan, batch: &Batch) -> Vec<String> {
    let table = plan.table();
    let mut conditions = Vec::new();
    for (slot, &column) in plan.mapping.slots.iter().enumerate() {
        let column = &table.columns[column];
        if !column.not_null {
            continue;
        }
        if batch.always_present(slot) {
            conditions.push(format!("s.c{slot} IS NULL"));
            continue;
        }
        if batch.ever_present(slot) {
            conditions.push(format!("{} AND s.c{slot} IS NULL", presence(plan, "s", slot)));
        }
        if column.default.is_some() || column.identity != Identity::No || plan.mode == Mode::Update {
            continue;
        }
        // Without a value it cannot be inserted.
        let mut lacks = Vec::new();
        if batch.ever_present(slot) {
            lacks.push(format!("NOT ({})", presence(plan, "s", slot)));
        }
        if !plan.mapping.key.is_empty() {
            lacks.push(format!(
                "NOT EXISTS (SELECT FROM {} t WHERE {})",
                table.name,
                key_equals(plan, "t", "s")
            ));
        }
        conditions.push(if lacks.is_empty() { "true".to_owned() } else { lacks.join(" AND ") });
    }
    conditions
}

/// Rows of which a CHECK constraint is false, where they have all that it reads.
fn checks(plan: &WritePlan, batch: &Batch) -> Vec<String> {
    let table = plan.table();
    let condition = |check: &Check| {
        let slots = slots_of(plan, batch, check.columns.iter().copied())?;
        let values: Vec<String> = slots
            .iter()
            .map(|&slot| format!("s.c{slot} AS {}", table.columns[plan.mapping.slots[slot]].name))
            .collect();
        let has = has_all(plan, batch, &slots);
        Some(format!(
            "{has}EXISTS (SELECT FROM (SELECT {}) r WHERE NOT ({}))",
            values.join(", "),
            check.expression
        ))
    };
    table.checks.iter().filter_map(condition).collect()
}

/// Rows whose parent is not there.
fn orphans(plan: &WritePlan, batch: &Batch) -> Vec<String> {
    let condition = |key: &ForeignKey| {
        let slots = slots_of(plan, batch, key.columns.iter().map(|(column, ..)| *column))?;
        let equal: Vec<String> = slots
            .iter()
            .zip(&key.columns)
            .map(|(slot, (_, parent, operator))| format!("p.{parent} {operator} s.c{slot}"))
            .collect();
        let held: Vec<String> = slots.iter().map(|slot| format!("s.c{slot} IS NOT NULL AND ")).collect();
        let has = has_all(plan, batch, &slots);
        Some(format!(
            "{has}{}NOT EXISTS (SELECT FROM {} p WHERE {})",
            held.concat(),
            key.parent,
            equal.join(" AND ")
        ))
    };
    plan.table().foreign_keys.iter().filter_map(condition).collect()
}

/// The slots of columns, if a row of the batch may have a value for each.
fn slots_of(plan: &WritePlan, batch: &Batch, mut columns: impl Iterator<Item = usize>) -> Option<Vec<Slot>> {
    let mut slots = Vec::new();
    columns.try_for_each(|column| {
        let slot = plan.mapping.slots.iter().position(|&c| c == column)?;
        slots.push(slot);
        batch.ever_present(slot).then_some(())
    })?;
    Some(slots)
}

/// A row has a value for each of these.
fn has_all(plan: &WritePlan, batch: &Batch, slots: &[Slot]) -> String {
    let sometimes = slots.iter().filter(|&&slot| !batch.always_present(slot));
    sometimes.map(|&slot| format!("{} AND ", presence(plan, "s", slot))).collect()
}
