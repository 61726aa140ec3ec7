//! What ties records of different keys together: the unique constraints besides the key.
//!
//! Which of two records is refused may depend on their order then, and on what became of others before them.

use crate::batch::Batch;
use crate::map::Slot;
use crate::schema::{Equality, Table, UniqueIndex};

use super::names::{STAGE, key_equals};
use crate::write::plan::WritePlan;

/// An index whose columns all have values in every row of a batch.
struct Tie<'a> {
    index: &'a UniqueIndex,
    /// Its columns: ordinal in the table, and slot.
    columns: Vec<(usize, Slot)>,
}

impl<'a> Tie<'a> {
    /// The indexes that a batch writes, of these. `None`: of one of them the staged rows do not tell what
    /// they will hold.
    fn all(plan: &'a WritePlan, batch: &Batch, indexes: &[usize]) -> Option<Vec<Self>> {
        let mut ties = Vec::new();
        for &index in indexes {
            let index = &plan.table().unique[index];
            let slot_of = |&c: &usize| plan.mapping.slots.iter().position(|&s| s == c).map(|slot| (c, slot));
            // Of an expression the columns are not known; a generated one has no slot.
            let columns: Vec<(usize, Slot)> = index.columns.iter().map(slot_of).collect::<Option<_>>()?;
            if index.is_opaque() {
                return None;
            }
            if columns.iter().all(|&(_, slot)| batch.always_present(slot)) {
                ties.push(Self { index, columns });
            } else if columns.iter().any(|&(_, slot)| batch.ever_present(slot))
                || is_same_for_all(plan.table(), index)
            {
                return None;
            }
        }
        Some(ties)
    }

    /// A stored row and a staged row cannot both stand.
    fn same(&self, plan: &WritePlan, target: &str, source: &str) -> String {
        let equal = |&(column, slot): &(usize, Slot)| {
            let name = &plan.table().columns[column].name;
            let equal =
                self.equality_of(column).of(&format!("{target}.{name}"), &format!("{source}.c{slot}"));
            if self.index.nulls_not_distinct {
                format!("({equal} OR {target}.{name} IS NULL AND {source}.c{slot} IS NULL)")
            } else {
                equal
            }
        };
        self.columns.iter().map(equal).collect::<Vec<_>>().join(" AND ")
    }

    fn equality_of(&self, column: usize) -> Equality {
        self.index.equality_of(column).cloned().unwrap_or_else(Equality::plain)
    }

    /// The staged rows that hold something, in groups of which only one can stand.
    fn groups(&self) -> String {
        let grouped = |&(column, slot): &(usize, Slot)| self.equality_of(column).grouped(&format!("c{slot}"));
        let list: Vec<String> = self.columns.iter().map(grouped).collect();
        let held: Vec<String> = self.columns.iter().map(|(_, slot)| format!("c{slot} IS NOT NULL")).collect();
        let held = if self.index.nulls_not_distinct { "true".to_owned() } else { held.join(" AND ") };
        format!(
            "FROM {STAGE} WHERE {held} GROUP BY {} HAVING pg_catalog.count(*) OPERATOR(pg_catalog.>) 1",
            list.join(", ")
        )
    }
}

/// Whether records that have none of its columns would all hold the same: their defaults, or NULL where nulls
/// are equal.
fn is_same_for_all(table: &Table, index: &UniqueIndex) -> bool {
    let mut columns = index.columns.iter().map(|&column| &table.columns[column]);
    columns.all(|column| !column.is_drawn() && (column.default.is_some() || index.nulls_not_distinct))
}

/// Whether a value of another unique index is held by another key, in the table or in the batch: then the
/// order of records may decide which of them is refused. `None`: no such index is written. `Some(None)`: it
/// cannot be told from the staged rows alone.
pub(in crate::write) fn probe(plan: &WritePlan, batch: &Batch) -> Option<Option<String>> {
    let Some(ties) = Tie::all(plan, batch, &plan.paths.other_unique) else { return Some(None) };
    let mut probes = Vec::new();
    for tie in ties {
        probes.push(format!(
            "EXISTS (SELECT FROM {STAGE} s JOIN {} t ON {} WHERE NOT ({}))",
            plan.table().name,
            tie.same(plan, "t", "s"),
            key_equals(plan, "t", "s"),
        ));
        probes.push(format!("EXISTS (SELECT {})", tie.groups()));
    }
    (!probes.is_empty()).then(|| Some(format!("SELECT {}", probes.join(" OR "))))
}

/// Conditions on a staged row `s`: one of them holds for each row that another staged row, or a stored row of
/// another key, may stand in the way of, or that may stand in the way of another. More than those does no
/// harm. `None`: it cannot be told.
pub(in crate::write) fn entangled(plan: &WritePlan, batch: &Batch) -> Option<Vec<String>> {
    let others = plan.table().ties(plan.key_index);
    let table = &plan.table().name;
    let mut conditions = Vec::new();
    for tie in Tie::all(plan, batch, &others)? {
        conditions.push(format!(
            "s.s0 OPERATOR(pg_catalog.=) ANY (SELECT pg_catalog.unnest(pg_catalog.array_agg(s0)) {})",
            tie.groups()
        ));
        if plan.mapping.key.is_empty() {
            conditions.push(format!("EXISTS (SELECT FROM {table} t WHERE {})", tie.same(plan, "t", "s")));
            continue;
        }
        let key = key_equals(plan, "t", "s");
        conditions.push(format!(
            "EXISTS (SELECT FROM {table} t WHERE {} AND ({key}) IS NOT TRUE)",
            tie.same(plan, "t", "s")
        ));
        // It lets go of something that another staged row may want: of the first column at least.
        if let Some(&(column, slot)) = tie.columns.first() {
            let (name, equality) = (&plan.table().columns[column].name, tie.equality_of(column));
            let lets_go = equality.grouped(&format!("t.{name}"));
            let null =
                if tie.index.nulls_not_distinct { format!("t.{name} IS NULL OR ") } else { String::new() };
            conditions.push(format!(
                "EXISTS (SELECT FROM {table} t WHERE {key} AND ({}) IS NOT TRUE \
                 AND ({null}{lets_go} {} ANY (SELECT o.c{slot} FROM {STAGE} o)))",
                tie.same(plan, "t", "s"),
                equality.operator
            ));
        }
    }
    Some(conditions)
}
