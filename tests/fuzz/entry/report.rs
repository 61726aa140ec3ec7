//! The report as JSON: one line that reads back as what was put in, whatever the names hold.

use dbload::internals::account::Books;
use dbload::internals::report::{
    Guarantee, PoolReport, REPORT_VERSION, Reason, Rejects, Report, Seconds, SourceReport, SourceState,
};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::Dials;

#[derive(Deserialize)]
struct Elapsed<'t> {
    #[serde(borrow)]
    elapsed_seconds: &'t RawValue,
}

pub fn run(data: &[u8]) {
    let mut dials = Dials::new(data);
    let mut number = || u64::from_le_bytes(std::array::from_fn(|_| dials.byte()));
    let rows = Books { read: number(), inserted: number(), rejected: number(), ..Books::default() };
    let elapsed = f64::from_bits(number());
    let state = dials.pick(&[
        SourceState::Complete,
        SourceState::Unfinished,
        SourceState::Failed,
        SourceState::Skipped,
    ]);
    let mut word = || dials.text(0);
    let (name, table, database, run, error, column, sqlstate, first) =
        (word(), word(), word(), word(), word(), word(), word(), word());
    let report = Report {
        http: None,
        version: REPORT_VERSION,
        run: run.clone(),
        table: table.clone(),
        table_sql: table.clone(),
        database: database.clone(),
        mode: "upsert",
        guarantee: Guarantee::ExactlyOnce,
        complete: false,
        attempts: 1,
        rows,
        sources: vec![SourceReport {
            name: name.clone(),
            bytes: rows.read,
            read: rows.read,
            rejected: rows.rejected,
            retries: 0,
            state,
            error: (!error.is_empty()).then(|| error.clone()),
            doubtful: rows.read % 2 == 1,
        }],
        rejects: Rejects {
            file: Some(name.clone()),
            is_file: true,
            longest_bytes: 0,
            reasons: vec![Reason {
                sqlstate: sqlstate.clone(),
                column: Some(column.clone()),
                constraint: None,
                count: rows.rejected,
                first: first.clone(),
                type_name: Some(table.clone()),
                example: error.clone(),
            }],
        },
        ignored_fields: rows.inserted,
        pool: PoolReport::default(),
        seconds: Seconds::default(),
        bottleneck: None,
        elapsed_seconds: elapsed,
        rows_per_second: rows.read,
    };
    let text = serde_json::to_string(&report).expect("every report can be written");
    assert!(!text.contains(['\n', '\r', '\0', '\u{1b}']), "one line, for any terminal");
    let value: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
    let at = |path: &str| value.pointer(path).unwrap_or(&Value::Null);
    for (path, expected) in [
        ("/run", &run),
        ("/table", &table),
        ("/database", &database),
        ("/sources/0/name", &name),
        ("/rejects/file", &name),
        ("/rejects/reasons/0/column", &column),
        ("/rejects/reasons/0/sqlstate", &sqlstate),
        ("/rejects/reasons/0/first", &first),
    ] {
        assert_eq!(at(path).as_str(), Some(expected.as_str()), "{path}");
    }
    assert_eq!(at("/sources/0/error").as_str(), (!error.is_empty()).then_some(error.as_str()));
    assert_eq!(at("/rejects/reasons/0/example"), &Value::Null, "no value of a record in the report");
    assert_eq!(at("/rows/read").as_u64(), Some(rows.read), "digits stay digits");
    assert_eq!(at("/rows/rejected").as_u64(), Some(rows.rejected));
    let raw: Elapsed<'_> = serde_json::from_str(&text).expect("the same text");
    let seconds = raw.elapsed_seconds.get().parse::<f64>().ok();
    assert!(if elapsed.is_finite() { seconds == Some(elapsed) } else { seconds.is_none() });
}
