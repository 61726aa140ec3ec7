//! The settings of a batch's transaction: all that input, output, comparison, plans or limits depend on.
//!
//! A role, a database or a pooler's other client may have set any of them to anything; what is stored must
//! not depend on it. What is not here cannot matter: a test goes through `pg_settings` and has a reason for
//! each. Set by `set_config` in the message of BEGIN, so that they are gone with the transaction. They hold
//! for the triggers of the table as well.

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

/// To be selected: sets one for the rest of the transaction.
pub(in crate::write) fn call(name: &str, value: &str) -> String {
    format!("pg_catalog.set_config('{name}', {}, true)", literal(value))
}

/// To be selected: sets one, unless it has this value.
fn call_unless_set(name: &str, value: &str) -> String {
    let set = call(name, value);
    format!(
        "CASE WHEN pg_catalog.current_setting('{name}') OPERATOR(pg_catalog.<>) {} THEN {set} END",
        literal(value)
    )
}

/// Those of a transaction over a whole table: nothing says how long its statements may take, and it looks
/// for no single rows.
pub(in crate::write) fn of_whole(plan: &WritePlan) -> Vec<String> {
    let mut calls = vec![
        call("statement_timeout", "0"),
        call("lock_timeout", &plan.lock_timeout_ms.to_string()),
        call("idle_in_transaction_session_timeout", &IDLE_TIMEOUT_MS.to_string()),
        call("TimeZone", &plan.time_zone),
        call("DateStyle", &plan.date_style),
    ];
    calls.extend(FIXED.iter().map(|(name, value)| call(name, value)));
    calls.extend(RARE.iter().map(|(name, value)| call_unless_set(name, value)));
    calls
}

/// To be selected behind BEGIN.
pub(in crate::write) fn calls(plan: &WritePlan) -> Vec<String> {
    let mut calls = vec![
        call("statement_timeout", &plan.statement_timeout_ms.to_string()),
        call("lock_timeout", &plan.lock_timeout_ms.to_string()),
        call("idle_in_transaction_session_timeout", &IDLE_TIMEOUT_MS.to_string()),
        call("TimeZone", &plan.time_zone),
        call("DateStyle", &plan.date_style),
    ];
    calls.extend(FIXED.iter().map(|(name, value)| call(name, value)));
    calls.extend(RARE.iter().map(|(name, value)| call_unless_set(name, value)));
    // Staged rows look their key up by index. The planner knows nothing of the staging table and would often
    // read the whole target for each batch, so that a batch's cost grew with the table; and a table that is
    // small when a plan is made is read whole for each row, however much this very statement, or this loop,
    // has made it grow. Where a batch is as large as the table, the look-ups cost a few milliseconds more.
    // Child tables need not have an index on the key.
    if !plan.table().has_children {
        calls.extend(
            ["enable_hashjoin", "enable_mergejoin", "enable_seqscan"].map(|strategy| call(strategy, "off")),
        );
    }
    if plan.asynchronous_commit {
        calls.push(call("synchronous_commit", "off"));
    }
    calls
}
