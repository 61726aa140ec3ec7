//! The settings of a batch's transaction: all that input, output, comparison, plans or limits depend on.
//!
//! A role, a database or a pooler's other client may have set any of them to anything; what is stored must
//! not depend on it. What is not here cannot matter: a test goes through `pg_settings` and has a reason for
//! each. Set by `SET LOCAL` in the message of BEGIN, so that they are gone with the transaction: as calls of
//! `set_config` they cost the server twice as much. They hold for the triggers of the table as well.

use crate::schema::literal;

use crate::write::plan::WritePlan;

/// A client that stops in mid-transaction must not hold its locks for long.
const IDLE_TIMEOUT_MS: u64 = 30_000;

/// Settings that are the same for all loads.
const FIXED: [(&str, &str); 20] = [
    // How values are read.
    ("array_nulls", "on"),
    ("IntervalStyle", "postgres"),
    ("xmloption", "content"),
    // How they are written, where something reads them as text.
    ("bytea_output", "hex"),
    ("extra_float_digits", "1"),
    ("xmlbinary", "base64"),
    // What statements mean.
    ("standard_conforming_strings", "on"),
    ("transform_null_equals", "off"),
    ("quote_all_identifiers", "off"),
    ("row_security", "on"),
    ("gin_fuzzy_search_limit", "0"),
    // An error is answered, not the end of the session.
    ("exit_on_error", "off"),
    ("client_min_messages", "warning"),
    ("check_function_bodies", "on"),
    // What staging tables are made of: their row versions are compared.
    ("default_table_access_method", "heap"),
    ("jit", "off"),
    ("plan_cache_mode", "auto"),
    ("enable_indexscan", "on"),
    ("enable_nestloop", "on"),
    ("enable_sort", "on"),
];

/// Settings that are dear to set, a file or a locale is read for each, and mostly as they should be.
const RARE: [(&str, &str); 2] = [("timezone_abbreviations", "Default"), ("lc_monetary", "C")];

/// A statement that sets one for the rest of the transaction.
pub(in crate::write) fn set(name: &str, value: &str) -> String {
    format!("SET LOCAL {name} = {};\n", literal(value))
}

/// To be selected: sets one, unless it has this value.
fn call_unless_set(name: &str, value: &str) -> String {
    let value = literal(value);
    format!(
        "CASE WHEN pg_catalog.current_setting('{name}') OPERATOR(pg_catalog.<>) {value} \
         THEN pg_catalog.set_config('{name}', {value}, true) END"
    )
}

/// BEGIN with the settings of a transaction over a whole table: nothing says how long its statements may
/// take, and it looks for no single rows.
pub(in crate::write) fn begin_whole(plan: &WritePlan) -> String {
    format!("{BEGIN}{}SELECT {}", common(plan, 0), rare())
}

/// BEGIN with the settings of a batch, and what else is to be set and selected in the same message.
pub(in crate::write) fn begin(plan: &WritePlan, sets: &str, selected: Vec<String>) -> String {
    let mut statements = common(plan, plan.statement_timeout_ms);
    // Staged rows look their key up by index. The planner knows nothing of the staging table and would often
    // read the whole target for each batch, so that a batch's cost grew with the table; and a table that is
    // small when a plan is made is read whole for each row, however much this very statement, or this loop,
    // has made it grow. Where a batch is as large as the table, the look-ups cost a few milliseconds more.
    // Child tables need not have an index on the key.
    if !plan.table().has_children {
        statements.extend(
            ["enable_hashjoin", "enable_mergejoin", "enable_seqscan"].map(|strategy| set(strategy, "off")),
        );
    }
    if plan.asynchronous_commit {
        statements.push_str(&set("synchronous_commit", "off"));
    }
    let selected: Vec<String> = std::iter::once(rare()).chain(selected).collect();
    format!("{BEGIN}{statements}{sets}SELECT {}", selected.join(", "))
}

/// BEGIN of a transaction that only reads, with nothing but `pg_catalog` found by its bare name.
pub(in crate::write) fn begin_reading(plan: &WritePlan) -> String {
    let statements = common(plan, plan.statement_timeout_ms);
    format!(
        "{BEGIN}SET TRANSACTION READ ONLY;\n{statements}SET LOCAL search_path = pg_catalog, pg_temp;\nSELECT {}",
        rare()
    )
}

const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED;\n";

fn common(plan: &WritePlan, statement_timeout_ms: u64) -> String {
    let own = [
        set("statement_timeout", &statement_timeout_ms.to_string()),
        set("lock_timeout", &plan.lock_timeout_ms.to_string()),
        set("idle_in_transaction_session_timeout", &IDLE_TIMEOUT_MS.to_string()),
        set("TimeZone", &plan.time_zone),
        set("DateStyle", &plan.date_style),
    ];
    own.into_iter().chain(FIXED.iter().map(|(name, value)| set(name, value))).collect()
}

fn rare() -> String {
    RARE.map(|(name, value)| call_unless_set(name, value)).join(", ")
}
