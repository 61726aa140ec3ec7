//! Dedup, or folding: several records of one key in a batch become one, field by field, where that cannot be
//! seen.

use crate::batch::Batch;
use crate::map::{PRESENCE_WORD_BITS, Slot};
use crate::schema::MergePolicy;

use super::names::{STAGE, key_equals, key_grouped, presence, same_key, written};
use crate::write::plan::WritePlan;

/// Counts the rows that stand before another row of their key, and whether one of them would be refused by
/// NOT NULL.
pub(in crate::write) fn probe(plan: &WritePlan) -> String {
    let nulls: Vec<String> = plan
        .mapping
        .slots
        .iter()
        .enumerate()
        .filter(|(_, c)| plan.table().columns[**c].not_null)
        .map(|(slot, _)| format!("c{slot} IS NULL"))
        .collect();
    let nulls = if nulls.is_empty() { "false".to_owned() } else { nulls.join(" OR ") };
    format!(
        "SELECT coalesce(pg_catalog.sum(n OPERATOR(pg_catalog.-) 1), 0), coalesce(pg_catalog.bool_or(refusable), false) FROM \
         (SELECT pg_catalog.count(*) AS n, pg_catalog.bool_or({nulls}) AS refusable FROM {STAGE} GROUP BY {} HAVING pg_catalog.count(*) OPERATOR(pg_catalog.>) 1) d",
        key_grouped(plan, "")
    )
}

/// Removes the staged rows whose key is not stored: under `--mode update` each of them is skipped, however
/// often its key occurs.
pub(in crate::write) fn drop_unknown(plan: &WritePlan) -> String {
    format!(
        "DELETE FROM {STAGE} s WHERE NOT EXISTS (SELECT FROM {} t WHERE {})",
        plan.table().name,
        key_equals(plan, "t", "s")
    )
}

/// Folds the repeated keys of the staging table. The staging table has no index: joined with itself it is
/// read whole and hashed, unlike in the rest of the transaction.
pub(in crate::write) fn fold(plan: &WritePlan, batch: &Batch) -> String {
    format!(
        "SET LOCAL enable_hashjoin = on;\nSET LOCAL enable_seqscan = on;\n{};\n\
         SET LOCAL enable_hashjoin = off;\nSET LOCAL enable_seqscan = off",
        folding(plan, batch)
    )
}

fn folding(plan: &WritePlan, batch: &Batch) -> String {
    let whole = batch.present_in_all == batch.present_in_any;
    let (key, hashed) = (&plan.mapping.key, &plan.mapping.hashed);
    let equal_is_alike = |slot: &Slot| plan.table().columns[plan.mapping.slots[*slot]].equal_is_alike;
    let spelt_alike = key.iter().all(|slot| hashed.contains(slot) && equal_is_alike(slot));
    let key = key_grouped(plan, "");
    let equal = same_key(plan, "d", "s");
    if whole && spelt_alike && plan.policies.is_empty() {
        // Every record has every field: the last one is the fold.
        return format!(
            "DELETE FROM {STAGE} s USING (SELECT {key}, pg_catalog.max(s0) AS last FROM {STAGE} GROUP BY {key} HAVING pg_catalog.count(*) OPERATOR(pg_catalog.>) 1) d \
             WHERE {equal} AND s.s0 OPERATOR(pg_catalog.<) d.last"
        );
    }
    let fields = written(plan, batch);
    let word_count = plan.mapping.slots.len().div_ceil(PRESENCE_WORD_BITS);
    let mut columns = vec!["s0".to_owned()];
    let mut values = vec!["pg_catalog.max((f.s).s0)".to_owned()];
    for word in 0..word_count {
        columns.push(format!("h{word}"));
        values.push(format!("pg_catalog.bit_or(coalesce((f.s).h{word}, 0))"));
    }
    for slot in fields {
        columns.push(format!("c{slot}"));
        values.push(folded(plan, slot));
    }
    format!(
        "WITH d AS (SELECT {key} FROM {STAGE} GROUP BY {key} HAVING pg_catalog.count(*) OPERATOR(pg_catalog.>) 1), \
         f AS (DELETE FROM {STAGE} s USING d WHERE {equal} RETURNING s) \
         INSERT INTO {STAGE} ({}) SELECT {} FROM f GROUP BY {}",
        columns.join(", "),
        values.join(", "),
        key_grouped(plan, "(f.s)."),
    )
}

/// The last value that a record of the group has; of a key column the first, as the stored row keeps that
/// spelling.
fn folded(plan: &WritePlan, slot: Slot) -> String {
    if plan.mapping.key.contains(&slot) {
        return format!("((pg_catalog.array_agg(f.s ORDER BY (f.s).s0))[1]).c{slot}");
    }
    let value = format!("(f.s).c{slot}");
    let (order, filter) = match plan.policy(slot) {
        MergePolicy::Keep => ("(f.s).s0".to_owned(), format!(" AND {value} IS NOT NULL")),
        MergePolicy::Fill => ("(f.s).s0 DESC".to_owned(), format!(" AND {value} IS NOT NULL")),
        MergePolicy::Greatest => (format!("{value} DESC NULLS LAST, (f.s).s0"), String::new()),
        MergePolicy::Least => (format!("{value} NULLS LAST, (f.s).s0"), String::new()),
        // Records with the others are never folded, but where they are compared: then these count for
        // nothing.
        MergePolicy::Overwrite
        | MergePolicy::InsertOnly
        | MergePolicy::Add
        | MergePolicy::Append
        | MergePolicy::Union
        | MergePolicy::Patch => ("(f.s).s0 DESC".to_owned(), String::new()),
    };
    format!(
        "((pg_catalog.array_agg(f.s ORDER BY {order}) FILTER (WHERE {}{filter}))[1]).c{slot}",
        presence(plan, "(f.s)", slot)
    )
}
