//! What is said of a table that was loaded: the metadata of a materialisation. Pure.

use dbload::internals::account::Books;
use dbload::internals::report::{Report, TableColumn};
use serde_json::{Map, Value, json};

/// The metadata of what these reports have loaded, all into one table.
pub(super) fn metadata(reports: &[&Report], is_partitioned: bool) -> Value {
    let mut out = Map::new();
    let Some(last) = reports.last() else { return Value::Object(out) };
    let mut set = |name: &str, kind: &str, value: Value| {
        out.insert(name.to_owned(), json!({"raw_value": value, "type": kind}));
    };
    set("dagster/table_name", "text", json!(last.table));
    set("dagster/column_schema", "table_schema", column_schema(&last.columns));
    set("dagster/uri", "text", json!(uri(last)));
    let sum = |count: fn(&Books) -> u64| reports.iter().map(|report| count(&report.rows)).sum::<u64>();
    let rejected = sum(|rows| rows.rejected);
    if is_partitioned {
        let read = sum(|rows| rows.read - rows.rejected - rows.deduplicated - rows.deleted);
        set("dagster/partition_row_count", "int", json!(read));
    }
    for (name, count) in [
        ("read", sum(|rows| rows.read)),
        ("inserted", sum(|rows| rows.inserted)),
        ("updated", sum(|rows| rows.updated)),
        ("unchanged", sum(|rows| rows.unchanged)),
        ("deleted", sum(|rows| rows.deleted)),
        ("deduplicated", sum(|rows| rows.deduplicated)),
        ("skipped", sum(|rows| rows.skipped)),
        ("rejected", rejected),
    ] {
        set(&format!("dbload/{name}"), "int", json!(count));
    }
    set("dbload/run", "text", json!(last.run));
    set("dbload/mode", "text", json!(last.mode));
    set("dbload/guarantee", "text", json!(last.guarantee.name()));
    set("dbload/starts", "int", json!(last.attempts));
    let elapsed: f64 = reports.iter().map(|report| report.elapsed_seconds).sum();
    set("dbload/elapsed_seconds", "float", json!(elapsed));
    if rejected > 0 {
        let reasons: Vec<_> = reports.iter().flat_map(|report| &report.rejects.reasons).collect();
        set("dbload/rejects", "json", json!(reasons));
        if let Some(file) = reports.iter().rev().find_map(|report| report.rejects.file.as_ref()) {
            set("dbload/rejects_file", "path", json!(file));
        }
    }
    Value::Object(out)
}

/// The columns of the table, as Dagster shows them.
fn column_schema(columns: &[TableColumn]) -> Value {
    let column = |column: &TableColumn| {
        json!({
            "name": column.name,
            "type": column.type_name,
            "constraints": {"nullable": !column.not_null, "unique": false, "other": []},
        })
    };
    json!({"columns": columns.iter().map(column).collect::<Vec<_>>()})
}

/// Where the table is: `postgres://host:port/database/schema/table`; no user, no password.
fn uri(report: &Report) -> String {
    format!("postgres://{}/{}", report.database.trim_start_matches('/'), report.table.replace('.', "/"))
}
