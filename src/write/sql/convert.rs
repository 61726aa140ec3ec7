//! Conversion with a verdict for each record: text staging to typed staging, in a loop on the server.
//!
//! Used for rows that COPY left out (17 and newer), and for whole batches in which COPY failed (before, or
//! where a type's input function raises hard). The assignment to a column of the staging row type is the
//! type's own input function with the column's length and scale, as in COPY; where it raises, `at` says at
//! which column. Here even an internal error (XX000) is the value's: that is what hstore and others raise for
//! a text that they cannot read.

use std::fmt::Write as _;

use crate::batch::Batch;
use crate::pg::sqlstate::is_raised_again;
use crate::pg::{Raised, literal};

use super::names::{REFUSED, STAGE, TEXT, written};
use crate::write::plan::WritePlan;

/// Says of rows in the text staging what is wrong with them, as far as their types can say so without
/// raising: from PostgreSQL 16 on, a fifth of what the loop costs. (`NOT` of a NULL value's validity is
/// NULL.)
pub(in crate::write) fn explain(plan: &WritePlan, batch: &Batch) -> String {
    let (mut first, mut value, mut type_name) = (String::new(), String::new(), String::new());
    for slot in written(plan, batch) {
        let column = &plan.table().columns[plan.mapping.slots[slot]];
        let of = literal(&column.staged_type());
        let _ = write!(first, " WHEN NOT pg_catalog.pg_input_is_valid(t.c{slot}, {of}) THEN {slot}");
        let _ = write!(value, " WHEN f.slot OPERATOR(pg_catalog.=) {slot} THEN f.c{slot}");
        let _ = write!(type_name, " WHEN f.slot OPERATOR(pg_catalog.=) {slot} THEN {of}");
    }
    format!(
        "INSERT INTO {REFUSED} (s0, slot, sqlstate, reason) \
         SELECT f.s0, f.slot, e.sql_error_code, e.message OPERATOR(pg_catalog.||) CASE WHEN e.detail OPERATOR(pg_catalog.<>) '' THEN ': ' OPERATOR(pg_catalog.||) e.detail ELSE '' END \
         FROM (SELECT t.*, CASE{first} END AS slot FROM {TEXT} t OFFSET 0) f, \
         LATERAL pg_catalog.pg_input_error_info(CASE{value} END, CASE{type_name} END) e \
         WHERE f.slot IS NOT NULL AND e.sql_error_code IS NOT NULL AND e.message IS NOT NULL"
    )
}

/// The loop: every row of the text staging that is not among the refused goes to the typed staging, or there.
pub(in crate::write) fn block(plan: &WritePlan, batch: &Batch) -> String {
    let words = plan.mapping.slots.len().div_ceil(crate::map::PRESENCE_WORD_BITS);
    let mut assignments = String::from("dbload_typed.s0 := dbload_text.s0;");
    for word in 0..words {
        let _ = write!(assignments, " dbload_typed.h{word} := dbload_text.h{word};");
    }
    for slot in written(plan, batch) {
        let _ = write!(
            assignments,
            "\n            dbload_at := {slot}; dbload_typed.c{slot} := dbload_text.c{slot};"
        );
    }
    let raised = is_raised_again("dbload_state", Raised::Conversion);
    let text = format!(
        "DECLARE
    dbload_text record;
    dbload_typed {STAGE}%ROWTYPE;
    dbload_at int;
    dbload_state pg_catalog.text; dbload_constraint pg_catalog.text;
    dbload_message pg_catalog.text; dbload_detail pg_catalog.text;
BEGIN
    FOR dbload_text IN SELECT * FROM {TEXT} WHERE (s0 OPERATOR(pg_catalog.=) ANY (SELECT r.s0 FROM {REFUSED} r)) IS NOT TRUE LOOP
        BEGIN
            dbload_at := NULL;
            {assignments}
            INSERT INTO {STAGE} SELECT dbload_typed.*;
        EXCEPTION WHEN OTHERS THEN
            GET STACKED DIAGNOSTICS dbload_state = RETURNED_SQLSTATE, dbload_constraint = CONSTRAINT_NAME,
                dbload_message = MESSAGE_TEXT, dbload_detail = PG_EXCEPTION_DETAIL;
            IF {raised} THEN
                RAISE;
            END IF;
            INSERT INTO {REFUSED} (s0, slot, sqlstate, constraint_name, reason)
            VALUES (dbload_text.s0, dbload_at, dbload_state, CASE WHEN dbload_constraint OPERATOR(pg_catalog.<>) '' THEN dbload_constraint END,
                    dbload_message OPERATOR(pg_catalog.||) CASE WHEN dbload_detail OPERATOR(pg_catalog.<>) '' THEN ': ' OPERATOR(pg_catalog.||) dbload_detail ELSE '' END);
        END;
    END LOOP;
END"
    );
    format!("DO LANGUAGE plpgsql {}", literal(&text))
}
