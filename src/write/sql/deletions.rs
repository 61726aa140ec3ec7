//! Staged rows that delete: the stored rows of their keys go, or are marked (`--soft-delete`).

use crate::batch::{Batch, Keys};
use crate::map::{DeletionMark, MarkKind, PRESENCE_WORD_BITS};
use crate::pg::literal;
use crate::pg::sqlstate::REFERENCE;

use super::names::{STAGE, key_equals, key_grouped, newer};
use super::range::{self, key_matches};
use crate::write::plan::WritePlan;

/// A row of `source` deletes: its words of presence have their sign bit set.
pub(in crate::write) fn deletes(plan: &WritePlan, source: &str) -> String {
    let words = plan.mapping.slots.len().div_ceil(PRESENCE_WORD_BITS);
    if words == 1 {
        return format!("{source}.h0 OPERATOR(pg_catalog.<) 0::bigint");
    }
    let is_below = |word| format!("coalesce({source}.h{word}, 0) OPERATOR(pg_catalog.<) 0::bigint");
    format!("({})", (0..words).map(is_below).collect::<Vec<_>>().join(" OR "))
}

/// Counts the staged rows that delete, and says whether the key of one of them stands there twice.
pub(in crate::write) fn probe(plan: &WritePlan, batch: &Batch) -> String {
    let repeats = match batch.keys {
        Keys::Distinct => "false".to_owned(),
        Keys::MayRepeat => format!(
            "EXISTS (SELECT FROM {STAGE} s GROUP BY {} \
             HAVING pg_catalog.count(*) OPERATOR(pg_catalog.>) 1 AND pg_catalog.bool_or({}))",
            key_grouped(plan, "s."),
            deletes(plan, "s")
        ),
    };
    format!("SELECT pg_catalog.count(*) FILTER (WHERE {}), {repeats} FROM {STAGE} s", deletes(plan, "s"))
}

/// Deletes or marks the stored rows.
pub(in crate::write) fn apply(plan: &WritePlan, batch: &Batch) -> String {
    let conditions = format!(
        "{} AND {}{}{}",
        deletes(plan, "s"),
        key_matches(plan, batch),
        if_newer(plan, "s"),
        unless_marked(plan)
    );
    let (allow, table) = (range::allow(plan, batch), &plan.table().name);
    match mark(plan) {
        None => format!("{allow}DELETE FROM {table} t USING {STAGE} s WHERE {conditions}"),
        Some(mark) => {
            format!("{allow}UPDATE {table} t SET {} FROM {STAGE} s WHERE {conditions}", sets(plan, mark, "s"))
        }
    }
}

/// Counts the staged rows that delete and whose stored row is there all the same, unmarked: it is newer, or a
/// trigger or policy has kept it.
pub(in crate::write) fn count_kept(plan: &WritePlan, batch: &Batch) -> String {
    format!(
        "{}SELECT pg_catalog.count(*) FROM {STAGE} s WHERE {} AND EXISTS (SELECT FROM {} t WHERE {}{})",
        range::allow(plan, batch),
        deletes(plan, "s"),
        plan.table().name,
        key_matches(plan, batch),
        unless_marked(plan)
    )
}

/// Takes what was applied off the staging table.
pub(in crate::write) fn unstage(plan: &WritePlan) -> String {
    format!("DELETE FROM {STAGE} s WHERE {}", deletes(plan, "s"))
}

/// The turn of one record that deletes, in the loop over all of them; `others`: that of any other.
pub(super) fn turn(plan: &WritePlan, others: &str) -> String {
    let (row, table) = ("dbload_row", &plan.table().name);
    let met = format!("{}{}", key_equals(plan, "t", row), unless_marked(plan));
    let apply = match mark(plan) {
        None => format!("DELETE FROM {table} t WHERE {met}{}", if_newer(plan, row)),
        Some(mark) => {
            format!("UPDATE {table} t SET {} WHERE {met}{}", sets(plan, mark, row), if_newer(plan, row))
        }
    };
    format!(
        "            IF {} THEN
                {apply};
                GET DIAGNOSTICS dbload_n = ROW_COUNT;
                IF dbload_n OPERATOR(pg_catalog.>) 0 THEN dbload_deleted := dbload_deleted OPERATOR(pg_catalog.+) 1;
                ELSIF EXISTS (SELECT FROM {table} t WHERE {met}) THEN dbload_skipped := dbload_skipped OPERATOR(pg_catalog.+) 1;
                ELSE dbload_unchanged := dbload_unchanged OPERATOR(pg_catalog.+) 1; END IF;
            ELSE
{others}
            END IF;",
        deletes(plan, row)
    )
}

/// What is said behind the reason of a record that would have deleted a row to which others refer.
pub(super) fn advice(plan: &WritePlan) -> String {
    format!(
        " OPERATOR(pg_catalog.||) CASE WHEN {} AND dbload_state OPERATOR(pg_catalog.=) '{REFERENCE}' THEN {} ELSE '' END",
        deletes(plan, "dbload_row"),
        literal(ADVICE)
    )
}

const ADVICE: &str =
    "; the record deletes a row that others refer to: they go first, or with it by ON DELETE CASCADE";

fn mark(plan: &WritePlan) -> Option<DeletionMark> {
    plan.mapping.deletions.as_ref().and_then(|deletions| deletions.mark)
}

fn if_newer(plan: &WritePlan, source: &str) -> String {
    newer(plan, source).map_or_else(String::new, |newer| format!(" AND {newer}"))
}

/// A row that is marked is as good as gone.
fn unless_marked(plan: &WritePlan) -> String {
    let Some(DeletionMark { slot, kind }) = mark(plan) else { return String::new() };
    let name = &plan.table().columns[plan.mapping.slots[slot]].name;
    match kind {
        MarkKind::Flag => format!(" AND t.{name} IS NOT TRUE"),
        MarkKind::Moment { .. } => format!(" AND t.{name} IS NULL"),
    }
}

/// The mark, and what tells newer records: an older one does not take the mark away.
fn sets(plan: &WritePlan, mark: DeletionMark, source: &str) -> String {
    let slots = std::iter::once(mark.slot).chain(plan.newer_by.filter(|slot| *slot != mark.slot));
    let set = |slot: usize| {
        let name = &plan.table().columns[plan.mapping.slots[slot]].name;
        format!("{name} = {source}.c{slot}")
    };
    slots.map(set).collect::<Vec<_>>().join(", ")
}
