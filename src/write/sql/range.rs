//! Keys that lie close together are found by one walk along the index, instead of a look from its root for
//! each: a merge join of the staged rows with the part of the table between the lowest of them and the
//! highest.
//!
//! A stored row costs a tenth to a fifth of a look, so this is worth it where there are not many more of them
//! than staged ones. Of a key that is one integer there are at most as many as numbers in between. Staged
//! rows are copied once more, to be sorted: wide ones cost more than is gained. The planner may still choose
//! to look for each.

use crate::batch::Batch;
use crate::schema::PgType;

use super::names::{key_equality, key_equals};
use crate::write::plan::WritePlan;

/// Numbers between the lowest and the highest key, for each row.
const SPARSENESS_MAX: i128 = 12;

/// Bytes of a batch for each row: twice as many as its COPY text has.
const ROW_BYTES_MAX: u64 = 1_000;

/// What a statement that asks by [`key_matches`] must be preceded by. A batch is sorted in memory: it has a
/// few megabytes, and they are there only while the statement runs.
pub(in crate::write) fn allow(plan: &WritePlan, batch: &Batch) -> &'static str {
    if condition(plan, batch).is_some() {
        "SET LOCAL enable_mergejoin = on;\nSET LOCAL enable_bitmapscan = off;\nSET LOCAL work_mem = '64MB';\n"
    } else {
        ""
    }
}

/// A stored row `t` and a staged row `s` have the same key.
pub(in crate::write) fn key_matches(plan: &WritePlan, batch: &Batch) -> String {
    let mut equal = key_equals(plan, "t", "s");
    if let Some(within) = condition(plan, batch) {
        equal.push_str(&within);
    }
    equal
}

/// What is true of all stored rows whose keys the batch has.
fn condition(plan: &WritePlan, batch: &Batch) -> Option<String> {
    let (&[slot], Some(range)) = (plan.mapping.key.as_slice(), &batch.key_range) else { return None };
    let column = &plan.table().columns[plan.mapping.slots[slot]];
    let is_walked = column.ty == PgType::Int
        && column.domain_base.is_none()
        && column.not_null
        && plan.key_index.is_some()
        && key_equality(plan, slot).is_plain();
    let is_narrow = batch.bytes as u64 / ROW_BYTES_MAX <= batch.rows;
    let (lowest, highest) = (range.lowest.first(), range.highest.first());
    let numbers = i128::from(highest) - i128::from(lowest) + 1;
    (is_walked && is_narrow && numbers <= SPARSENESS_MAX * i128::from(batch.rows)).then(|| {
        let name = &column.name;
        format!(
            " AND t.{name} OPERATOR(pg_catalog.>=) pg_catalog.int8 '{lowest}' \
             AND t.{name} OPERATOR(pg_catalog.<=) pg_catalog.int8 '{highest}'"
        )
    })
}
