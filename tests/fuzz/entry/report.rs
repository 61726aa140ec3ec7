//! The report as JSON: one line that reads back as what was put in, whatever the names hold.

use dbload::internals::account::Books;
use dbload::internals::report::{Guarantee, REPORT_VERSION, Reason, Report, SourceReport, SourceState};
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
    let mut rows = Books::default();
    (rows.read, rows.inserted, rows.rejected) = (number(), number(), number());
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
    let mut source = SourceReport::default();
    source.name.clone_from(&name);
    (source.bytes, source.read, source.rejected, source.state) = (rows.read, rows.read, rows.rejected, state);
    source.error = (!error.is_empty()).then(|| error.clone());
    source.doubtful = rows.read % 2 == 1;
    let mut reason = Reason::default();
    reason.sqlstate.clone_from(&sqlstate);
    reason.column = Some(column.clone());
    reason.count = rows.rejected;
    reason.first.clone_from(&first);
    reason.type_name = Some(table.clone());
    reason.example.clone_from(&error);
    let mut report = Report::default();
    report.version = REPORT_VERSION;
    report.run.clone_from(&run);
    report.table.clone_from(&table);
    report.table_sql.clone_from(&table);
    report.database.clone_from(&database);
    report.mode = "upsert";
    report.guarantee = Guarantee::ExactlyOnce;
    report.attempts = 1;
    report.rows = rows;
    report.sources = vec![source];
    report.rejects.file = Some(name.clone());
    report.rejects.is_file = true;
    report.rejects.reasons = vec![reason];
    report.ignored_fields = rows.inserted;
    report.elapsed_seconds = elapsed;
    report.rows_per_second = rows.read;
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
