//! What takes away the rows of a table that no record of a run was about.
//!
//! All of it stands in the transaction that completes the run: what goes is counted under a lock that keeps
//! others from writing, and nothing goes before that number was judged.

use crate::ledger::LedgerRef;
use crate::pg::sqlstate::is_raised_again;
use crate::pg::{Raised, literal};
use crate::schema::Equality;

use crate::write::plan::WritePlan;

use super::put::only;

/// The keys that were met.
const MET: &str = "pg_temp.dbload_met";
/// Where the rows are that were not.
const GONE: &str = "pg_temp.dbload_gone";

/// The column of the key as it is compared, and of which type.
fn key_columns(plan: &WritePlan) -> impl Iterator<Item = (usize, &crate::schema::Column)> {
    plan.mapping.key.iter().map(|&slot| (slot, &plan.table().columns[plan.mapping.slots[slot]]))
}

/// Looks up which rows no record was about. Then: how many rows there are, how many of them would go, how
/// many no record can be about, since their key has a null, and how many keys were met that no row has.
#[must_use]
pub fn look_for_gone(plan: &WritePlan, ledger: &LedgerRef) -> String {
    let only = only(plan.table());
    let columns: Vec<(String, String)> = key_columns(plan)
        .map(|(slot, column)| {
            let collate = column
                .collation
                .as_ref()
                .map_or_else(String::new, |collation| format!(" COLLATE {collation}"));
            (format!("c{slot}"), format!("{}{collate}", column.staged_type()))
        })
        .collect();
    let nulls: Vec<String> = key_columns(plan)
        .filter(|(_, column)| !plan.mapping.null_keys && !column.not_null)
        .map(|(_, column)| format!("t.{} IS NULL", column.name))
        .collect();
    let (none, some) = match nulls.is_empty() {
        true => (String::new(), "SELECT 0".to_owned()),
        false => {
            let nulls = nulls.join(" OR ");
            (format!(" AND NOT ({nulls})"), format!("SELECT pg_catalog.count(*) FROM {only} t WHERE {nulls}"))
        }
    };
    let key = same_key(plan);
    format!(
        "DROP TABLE IF EXISTS {MET}, {GONE};\n\
         CREATE TEMPORARY TABLE dbload_met ON COMMIT DROP AS {};\n\
         ANALYZE {MET};\n\
         CREATE TEMPORARY TABLE dbload_gone ON COMMIT DROP AS SELECT t.tableoid AS part, t.ctid AS place FROM {only} t \
           WHERE NOT EXISTS (SELECT FROM {MET} m WHERE {key}){none};\n\
         SELECT (SELECT pg_catalog.count(*) FROM {only}), (SELECT pg_catalog.count(*) FROM {GONE}), ({some}), \
           (SELECT pg_catalog.count(*) FROM {MET} m WHERE NOT EXISTS (SELECT FROM {only} t WHERE {key}))",
        ledger.met_query(&columns),
    )
}

/// A row of the table, `t`, and a key that was met, `m`, are equal.
fn same_key(plan: &WritePlan) -> String {
    let table = plan.table();
    let equal = |(slot, column): (usize, &crate::schema::Column)| {
        let at = plan.mapping.slots[slot];
        let equality = plan.key_index.and_then(|index| table.unique[index].equality_of(at));
        let equality = equality.cloned().unwrap_or_else(Equality::plain);
        let (ours, theirs) = (format!("t.{}", column.name), format!("m.c{slot}"));
        let equal = equality.of(&ours, &theirs);
        match plan.mapping.null_keys && !column.not_null {
            true => format!("({equal} OR {ours} IS NULL AND {theirs} IS NULL)"),
            false => equal,
        }
    };
    key_columns(plan).map(equal).collect::<Vec<_>>().join(" AND ")
}

/// Removes them all, or is refused.
#[must_use]
pub fn remove_all(plan: &WritePlan) -> String {
    format!(
        "DELETE FROM {} t USING {GONE} g WHERE t.tableoid OPERATOR(pg_catalog.=) g.part AND t.ctid OPERATOR(pg_catalog.=) g.place;\n\
         SET CONSTRAINTS ALL IMMEDIATE",
        only(plan.table())
    )
}

/// Removes one after the other, as long as one goes: a row may be held by another one that goes later. Then:
/// how many went, and the constraint that has refused the last of those that stay.
#[must_use]
pub fn remove_each(plan: &WritePlan) -> String {
    let raised = is_raised_again("dbload_state", Raised::Merge);
    let text = format!(
        "DECLARE
    dbload_row record;
    dbload_n bigint;
    dbload_pass bigint;
    dbload_removed bigint := 0;
    dbload_state pg_catalog.text; dbload_constraint pg_catalog.text; dbload_last pg_catalog.text := '';
BEGIN
    LOOP
        dbload_pass := 0;
        dbload_last := '';
        FOR dbload_row IN SELECT g.part, g.place FROM {GONE} g LOOP
            BEGIN
                DELETE FROM {} t WHERE t.tableoid OPERATOR(pg_catalog.=) dbload_row.part AND t.ctid OPERATOR(pg_catalog.=) dbload_row.place;
                GET DIAGNOSTICS dbload_n = ROW_COUNT;
                dbload_pass := dbload_pass OPERATOR(pg_catalog.+) dbload_n;
            EXCEPTION WHEN OTHERS THEN
                GET STACKED DIAGNOSTICS dbload_state = RETURNED_SQLSTATE, dbload_constraint = CONSTRAINT_NAME;
                IF {raised} THEN
                    RAISE;
                END IF;
                dbload_last := dbload_constraint;
            END;
        END LOOP;
        dbload_removed := dbload_removed OPERATOR(pg_catalog.+) dbload_pass;
        EXIT WHEN dbload_pass OPERATOR(pg_catalog.=) 0;
    END LOOP;
    PERFORM pg_catalog.set_config('dbload.removed', dbload_removed::pg_catalog.text, true);
    PERFORM pg_catalog.set_config('dbload.held_by', dbload_last, true);
END",
        only(plan.table())
    );
    format!(
        "SET CONSTRAINTS ALL IMMEDIATE;\nDO LANGUAGE plpgsql {};\n\
         SELECT pg_catalog.current_setting('dbload.removed'), pg_catalog.current_setting('dbload.held_by')",
        literal(&text)
    )
}

/// How many rows there are.
#[must_use]
pub fn count_rows(plan: &WritePlan) -> String {
    format!("SELECT pg_catalog.count(*) FROM {}", only(plan.table()))
}
