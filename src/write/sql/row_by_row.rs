//! The row-by-row path, also called careful: the reference itself, as one loop in the server over the staged
//! rows in source order.
//!
//! Each record has a block of its own; what raises rejects that record alone, with SQLSTATE, constraint and
//! column as the server names them. It is a DO block, not a function of the ledger: its statements are
//! written out for this table, so that the server plans them once a batch, and it works without a ledger.

use crate::batch::Batch;
use crate::map::Slot;
use crate::pg::sqlstate::{REPLAYED, is_raised_again};
use crate::pg::{Raised, catalog, literal};
use crate::schema::{Identity, Mode};

use super::deletions;
use super::merge::{insert_lists, on_conflict, overriding};
use super::names::{REFUSED, differs, key_equals, newer, presence, sets, written};
use crate::write::plan::WritePlan;
use crate::write::predictor::Forecast;

/// A row that neither update nor insert takes, because another transaction inserts and deletes it meanwhile,
/// is tried this often; then the batch is replayed.
const TRIES: u32 = 5;

/// The loop over the rows of a staging table. Its counts are left in the setting `dbload.counts`: inserted,
/// updated, unchanged, skipped, and of a batch that may delete what was deleted. `witness`: a statement for
/// the block of the first record that is written.
pub(in crate::write) fn block(
    plan: &WritePlan,
    batch: &Batch,
    rows: &str,
    expect: Forecast,
    witness: Option<&str>,
) -> String {
    let body = match plan.mode {
        Mode::Append => append(plan, batch),
        Mode::Ignore => keyed(plan, batch, None, true, expect),
        Mode::Update => keyed(plan, batch, update(plan, batch), false, expect),
        Mode::Upsert => keyed(plan, batch, update(plan, batch), true, expect),
    };
    // A batch that deletes nothing is written as if none did.
    let (body, counter, count, advice) = match batch.may_delete {
        false => (body, "", "", String::new()),
        true => {
            let counter = "\n    dbload_deleted bigint := 0;";
            (deletions::turn(plan, &body), counter, ", dbload_deleted", deletions::advice(plan))
        }
    };
    let column = blamed_column(plan);
    let raised = is_raised_again("dbload_state", Raised::Merge);
    let witnessed = witness.map_or_else(String::new, |statement| {
        format!(
            "
            IF NOT dbload_witnessed AND (dbload_inserted OPERATOR(pg_catalog.+) dbload_updated) OPERATOR(pg_catalog.>) 0 THEN
                {statement};
                dbload_witnessed := true;
            END IF;"
        )
    });
    let text = format!(
        "#variable_conflict use_column
DECLARE
    dbload_row record;
    dbload_n bigint;
    dbload_try int;
    dbload_moved bigint;
    dbload_inserted bigint := 0;
    dbload_updated bigint := 0;
    dbload_unchanged bigint := 0;
    dbload_skipped bigint := 0;{counter}
    dbload_witnessed boolean := false;
    dbload_state pg_catalog.text; dbload_constraint pg_catalog.text; dbload_column pg_catalog.text;
    dbload_message pg_catalog.text; dbload_detail pg_catalog.text; dbload_type pg_catalog.text;
BEGIN
    FOR dbload_row IN SELECT * FROM {rows} ORDER BY s0 LOOP
        BEGIN
{body}{witnessed}
        EXCEPTION WHEN OTHERS THEN
            GET STACKED DIAGNOSTICS dbload_state = RETURNED_SQLSTATE, dbload_constraint = CONSTRAINT_NAME,
                dbload_column = COLUMN_NAME, dbload_type = PG_DATATYPE_NAME, dbload_message = MESSAGE_TEXT, dbload_detail = PG_EXCEPTION_DETAIL;
            -- Not the record's fault: the batch is replayed, or the load ends.
            IF {raised} THEN
                RAISE;
            END IF;
            INSERT INTO {REFUSED} (s0, sqlstate, constraint_name, column_name, reason)
            VALUES (dbload_row.s0, dbload_state, CASE WHEN dbload_constraint OPERATOR(pg_catalog.<>) '' THEN dbload_constraint END, {column},
                    dbload_message OPERATOR(pg_catalog.||) CASE WHEN dbload_detail OPERATOR(pg_catalog.<>) '' THEN ': ' OPERATOR(pg_catalog.||) dbload_detail ELSE '' END{advice});
        END;
    END LOOP;
    PERFORM pg_catalog.set_config('dbload.counts', pg_catalog.concat_ws(' ', dbload_inserted, dbload_updated,
        dbload_unchanged, dbload_skipped{count}), true);
END"
    );
    // The body holds text of the catalog (names, defaults): quoted as a literal, it cannot end the block.
    format!("DO LANGUAGE plpgsql {}", literal(&text))
}

/// The column that the server names.
const OWN_COLUMN: &str = "CASE WHEN dbload_column OPERATOR(pg_catalog.<>) '' THEN dbload_column END";

/// The column to blame: as the server names it, or the only one of the domain that it names.
fn blamed_column(plan: &WritePlan) -> String {
    let columns = &plan.table().columns;
    let domains: Vec<String> = columns
        .iter()
        .filter_map(|column| Some((column, column.domain_name.as_ref()?)))
        .filter(|(_, name)| columns.iter().filter(|c| c.domain_name.as_ref() == Some(name)).count() == 1)
        .map(|(column, name)| {
            format!(
                "WHEN dbload_type OPERATOR(pg_catalog.=) {} THEN {}",
                literal(name),
                literal(column.name.raw())
            )
        })
        .collect();
    if domains.is_empty() {
        return OWN_COLUMN.to_owned();
    }
    format!("coalesce({OWN_COLUMN}, CASE {} END)", domains.join(" "))
}

fn append(plan: &WritePlan, batch: &Batch) -> String {
    format!(
        "            {};
            IF dbload_n OPERATOR(pg_catalog.>) 0 THEN dbload_inserted := dbload_inserted OPERATOR(pg_catalog.+) 1; ELSE dbload_skipped := dbload_skipped OPERATOR(pg_catalog.+) 1; END IF;",
        counted_insert(plan, batch)
    )
}

/// One record with a key: update the stored row, else say what stored rows count as, else insert. Where
/// hardly any is stored, the look for it comes first: one statement less for each new row.
fn keyed(plan: &WritePlan, batch: &Batch, update: Option<String>, inserts: bool, expect: Forecast) -> String {
    let table = &plan.table().name;
    let equal = key_equals(plan, "t", "dbload_row");
    let looks_first = update.is_some() && inserts && matches!(expect, Forecast::AllNew | Forecast::New);
    let update = update.map_or(String::new(), |sql| {
        format!(
            "                {sql};
                GET DIAGNOSTICS dbload_n = ROW_COUNT;
                IF dbload_n OPERATOR(pg_catalog.>) 0 THEN dbload_updated := dbload_updated OPERATOR(pg_catalog.+) 1; EXIT; END IF;\n"
        )
    });
    let stored = match differs(plan, batch, "dbload_row") {
        // It differs and was not updated: not newer, or a trigger or policy kept it.
        Some(differs) if plan.mode != Mode::Ignore => format!(
            "IF EXISTS (SELECT FROM {table} t WHERE {equal} AND {differs})
                    THEN dbload_skipped := dbload_skipped OPERATOR(pg_catalog.+) 1; ELSE dbload_unchanged := dbload_unchanged OPERATOR(pg_catalog.+) 1; END IF;"
        ),
        _ if plan.mode == Mode::Ignore => "dbload_skipped := dbload_skipped OPERATOR(pg_catalog.+) 1;".to_owned(),
        _ => "dbload_unchanged := dbload_unchanged OPERATOR(pg_catalog.+) 1;".to_owned(),
    };
    // A trigger or policy is asked once.
    let swallowed = if plan.paths.may_swallow {
        format!(
            "                IF NOT EXISTS (SELECT FROM {table} t WHERE {equal}) THEN dbload_skipped := dbload_skipped OPERATOR(pg_catalog.+) 1; EXIT; END IF;\n"
        )
    } else {
        String::new()
    };
    let insert = if inserts {
        format!(
            "                {};
                IF dbload_n OPERATOR(pg_catalog.>) 0 THEN dbload_inserted := dbload_inserted OPERATOR(pg_catalog.+) 1; EXIT; END IF;
{swallowed}                dbload_try := dbload_try OPERATOR(pg_catalog.+) 1;
                IF dbload_try OPERATOR(pg_catalog.>=) {TRIES} THEN
                    RAISE EXCEPTION 'a row is neither stored nor inserted' USING ERRCODE = '{REPLAYED}';
                END IF;",
            counted_insert(plan, batch)
        )
    } else {
        "                dbload_skipped := dbload_skipped OPERATOR(pg_catalog.+) 1; EXIT;".to_owned()
    };
    let (look, looked) = if looks_first {
        (format!("                IF EXISTS (SELECT FROM {table} t WHERE {equal}) THEN\n"), "END IF;\n")
    } else {
        (String::new(), "")
    };
    format!(
        "            dbload_try := 0;
            LOOP
{look}{update}                IF EXISTS (SELECT FROM {table} t WHERE {equal}) THEN
                    {stored}
                    EXIT;
                END IF;
{looked}{insert}
            END LOOP;"
    )
}

fn update(plan: &WritePlan, batch: &Batch) -> Option<String> {
    let differs = differs(plan, batch, "dbload_row")?;
    let newer = newer(plan, "dbload_row").map_or(String::new(), |n| format!(" AND {n}"));
    Some(format!(
        "UPDATE {} t SET {} WHERE {}{newer} AND {differs}",
        plan.table().name,
        sets(plan, batch, "dbload_row"),
        key_equals(plan, "t", "dbload_row"),
    ))
}

/// Inserts a row, and says in `dbload_n` whether it is stored: in a child table too, where a trigger has put
/// it there.
fn counted_insert(plan: &WritePlan, batch: &Batch) -> String {
    let insert = insert(plan, batch);
    if !plan.paths.moves_rows {
        return format!("{insert};\n                GET DIAGNOSTICS dbload_n = ROW_COUNT");
    }
    let moved = catalog::rows_inserted_below(plan.table().oid);
    format!(
        "dbload_moved := ({moved});
                {insert};
                GET DIAGNOSTICS dbload_n = ROW_COUNT;
                IF dbload_n OPERATOR(pg_catalog.=) 0 AND ({moved}) OPERATOR(pg_catalog.>) dbload_moved THEN dbload_n := 1; END IF"
    )
}

fn insert(plan: &WritePlan, batch: &Batch) -> String {
    let slots = written(plan, batch);
    let is_identity = |&slot: &Slot| plan.table().columns[plan.mapping.slots[slot]].identity != Identity::No;
    match slots.iter().copied().find(is_identity).filter(|&slot| !batch.always_present(slot)) {
        None => insert_of(plan, batch, slots),
        Some(identity) => {
            let without = slots.iter().copied().filter(|&slot| slot != identity).collect();
            format!(
                "IF {} THEN {}; ELSE {}; END IF",
                presence(plan, "dbload_row", identity),
                insert_of(plan, batch, slots),
                insert_of(plan, batch, without)
            )
        }
    }
}

fn insert_of(plan: &WritePlan, batch: &Batch, slots: Vec<Slot>) -> String {
    let table = &plan.table().name;
    if slots.is_empty() {
        return format!("INSERT INTO {table} DEFAULT VALUES{}", on_conflict(plan));
    }
    let (columns, values) = insert_lists(plan, batch, &slots, "dbload_row");
    format!(
        "INSERT INTO {table} ({columns}){} VALUES ({values}){}",
        overriding(plan, &slots),
        on_conflict(plan)
    )
}
