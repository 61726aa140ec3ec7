//! What is stored says what the text said, or the record is a reject: for each type whose input function rounds, cuts
//! or reinterprets without an error.

mod property;

use crate::{rows, support::Scene};

/// SQL type, what of its texts are rejects, what are not and how the server shows them.
type Kind = (&'static str, &'static [(&'static str, &'static str)], &'static [(&'static str, &'static str)]);

const KINDS: [Kind; 29] = [
    (
        "numeric(10,2)",
        &[("10.239", "22003"), ("3607.3299999999999", "22003"), ("1.5e-3", "22003")],
        &[("5", "5.00"), ("10.2300", "10.23"), ("1.5e1", "15.00")],
    ),
    ("numeric(5,-2)", &[("1250", "22003")], &[("1200", "1200"), ("1.2e3", "1200")]),
    ("money", &[("1.239", "22003")], &[("1.230", "$1.23"), ("$1,234.56", "$1,234.56")]),
    (
        "timestamp",
        &[
            ("2024-05-01T10:00:00+02:00", "22008"),
            ("2024-05-01 10:00:00.1234567", "22008"),
            ("2024-05-01 23:59:60", "22008"),
            ("now", "22007"),
            ("24-05-01 10:00", "22007"),
        ],
        &[
            ("2024-05-01T10:00:00Z", "2024-05-01 10:00:00"),
            ("2024-05-01T10:00:00", "2024-05-01 10:00:00"),
            ("2024-05-01T10:00:00.1234560", "2024-05-01 10:00:00.123456"),
            ("infinity", "infinity"),
        ],
    ),
    (
        "timestamp(3)",
        &[("2024-05-01 10:00:00.1234", "22008")],
        &[("2024-05-01 10:00:00.1230", "2024-05-01 10:00:00.123")],
    ),
    (
        "timestamptz",
        &[
            ("now", "22007"),
            ("today", "22007"),
            ("2024-05-01T10:00:00.123456789Z", "22008"),
            ("2024-05-01T10:00:60Z", "22008"),
        ],
        &[
            ("2024-05-01T10:00:00+02:00", "2024-05-01 08:00:00+00"),
            ("Wed Oct 10 20:19:24 +0000 2018", "2018-10-10 20:19:24+00"),
            ("2024-05-01T24:00:00Z", "2024-05-02 00:00:00+00"),
        ],
    ),
    (
        "date",
        &[
            ("2024-05-01T23:30:00-05:00", "22008"),
            ("2024-05-01 10:00", "22008"),
            ("2024-05-01T00:00:00+02:00", "22008"),
            ("24-05-01", "22007"),
            ("yesterday", "22007"),
        ],
        &[
            ("2024-05-01", "2024-05-01"),
            ("2024-05-01T00:00:00", "2024-05-01"),
            ("2024-05-01T00:00:00Z", "2024-05-01"),
            ("20240501", "2024-05-01"),
        ],
    ),
    (
        "time",
        &[
            ("10:00+02", "22008"),
            ("2024-05-01 10:00", "22008"),
            ("10:00:00.1234567", "22008"),
            ("23:59:60", "22008"),
            ("now", "22007"),
        ],
        &[("10:00", "10:00:00"), ("10:00Z", "10:00:00"), ("24:00:00", "24:00:00")],
    ),
    ("timetz", &[("2024-05-01 10:00+02", "22008")], &[("10:00+02", "10:00:00+02")]),
    (
        "interval",
        &[("1.5 months", "22015"), ("P1.5M", "22015"), ("1.3 years", "22015"), ("0.0000001 s", "22008")],
        &[
            ("0.5 years", "6 mons"),
            ("1.5 days", "1 day 12:00:00"),
            ("P1Y2M3DT4H", "1 year 2 mons 3 days 04:00:00"),
        ],
    ),
    ("interval day", &[("1 day 2 hours", "22015")], &[("3 days", "3 days")]),
    ("varchar(3)", &[("abc ", "22001")], &[("ab ", "ab "), ("äöü", "äöü")]),
    ("char(3)", &[], &[("ab    ", "ab ")]),
    ("\"char\"", &[("xy", "22001")], &[("x", "x")]),
    ("name", &[("nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn", "22001")], &[("n", "n")]),
    ("oid", &[("-1", "22003"), ("010", "22003")], &[("4294967295", "4294967295")]),
    ("xid", &[("-1", "22003")], &[("7", "7")]),
    (
        "jsonb",
        &[(r#"{"a":1,"a":2}"#, "22030"), (r#"[{"a":1,"\u0061":2}]"#, "22030")],
        &[(r#"{ "b": 1, "a": [1] }"#, r#"{"a": [1], "b": 1}"#)],
    ),
    ("json", &[], &[(r#"{"a":1,"a":2}"#, r#"{"a":1,"a":2}"#)]),
    ("bigint", &[], &[("007", "7"), ("1.0", "1"), ("1e3", "1000")]),
    ("real", &[("1e60", "22003")], &[("0.1", "0.1"), ("0.12345678901", "0.12345679")]),
    ("boolean", &[], &[("TRUE", "t"), ("1", "t")]),
    ("numeric(4,1)[]", &[("{1.5,2.55}", "22003")], &[("{1.5,NULL}", "{1.5,NULL}")]),
    ("date[]", &[("{2024-05-01,today}", "22007")], &[("{2024-05-01}", "{2024-05-01}")]),
    (
        "daterange",
        &[("[\"2024-05-01 10:00\",)", "22008")],
        &[("[2024-05-01,2024-05-02)", "[2024-05-01,2024-05-02)")],
    ),
    ("tsmultirange", &[("{[\"2024-05-01 10:00+02\",)}", "22008")], &[("{}", "{}")]),
    ("pair", &[("(1,2.55)", "22003")], &[("(1,2.5)", "(1,2.5)")]),
    ("price", &[("1.239", "22003")], &[("1.23", "1.23")]),
    ("timerange", &[("[10:00+02,)", "22008")], &[("[10:00,11:00)", "[10:00:00,11:00:00)")]),
];

const OWN: &str = "CREATE TYPE pair AS (x int, y numeric(4,1)); CREATE DOMAIN price AS numeric(10,2) CHECK (VALUE > 0); \
    CREATE TYPE timerange AS RANGE (subtype = time)";

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\"\""))
}

#[test]
fn what_a_type_would_narrow_is_rejected_with_its_column_and_the_flag_that_allows_it() {
    let scene = Scene::with(OWN);
    for (t, (ty, bad, good)) in KINDS.iter().enumerate() {
        scene.sql(&format!("CREATE TABLE t{t} (id int PRIMARY KEY, v {ty})"));
        let texts = bad.iter().chain(*good).map(|(text, _)| *text);
        let csv: String = texts.clone().enumerate().map(|(i, v)| format!("{i},{}\n", quoted(v))).collect();
        scene.file(&format!("t{t}.csv"), format!("id,v\n{csv}"));
        let is_json = ty.starts_with("json");
        let json = |v: &str| if is_json { v.to_owned() } else { serde_json::to_string(v).unwrap() };
        let jsonl: String =
            texts.enumerate().map(|(i, v)| format!("{{\"id\":{i},\"v\":{}}}\n", json(v))).collect();
        scene.file(&format!("t{t}.jsonl"), jsonl);
        for format in ["csv", "jsonl"] {
            scene.sql(&format!("DELETE FROM t{t}"));
            let line = format!("t{t}.{format} --no-ledger");
            let outcome = scene.run(&line).exits(if bad.is_empty() { 0 } else { 3 });
            let (many, rejected) = ((bad.len() + good.len()) as u64, bad.len() as u64);
            assert_eq!(
                outcome.rows(),
                rows!(read: many, inserted: many - rejected, rejected: rejected),
                "{ty}"
            );
            if rejected > 0 {
                let rejects = outcome.report().rejected(scene.cwd());
                for ((text, state), reject) in bad.iter().zip(&rejects) {
                    assert_eq!(reject.sqlstate.as_deref(), Some(*state), "{ty} {text}: {}", reject.reason);
                    assert_eq!(reject.column.as_deref(), Some("v"), "{ty} {text}");
                    // What is beyond a float is the server's own error.
                    let is_ours = reject.reason.contains("--narrowing v=allow") || *ty == "real";
                    assert!(is_ours, "{ty} {text}: {}", reject.reason);
                }
            }
            let stored = scene.db.lines(&format!("SET TimeZone = 'UTC'; SELECT v FROM t{t} ORDER BY id"));
            let expected: Vec<&str> = good.iter().map(|(_, shown)| *shown).collect();
            assert_eq!(stored, expected, "{ty} from {format}");
            // A comparison has the same judge.
            let verified = scene.run(&format!("verify {line}")).exits(if bad.is_empty() { 0 } else { 3 });
            let found: serde_json::Value = serde_json::from_str(verified.stdout.trim()).unwrap();
            let counts = ["equal", "rejected", "different", "missing"].map(|count| found[count].as_u64());
            assert_eq!(
                counts,
                [Some(many - rejected), Some(rejected), Some(0), Some(0)],
                "{ty} from {format}"
            );
        }
    }
}

/// What is allowed is stored as the server takes it, counted, and the first one is named.
#[test]
fn what_is_allowed_is_counted_and_the_first_is_named() {
    let scene = Scene::with("CREATE TABLE t (id int PRIMARY KEY, price numeric(10,2), at timestamp)");
    let file = "id,price,at\n1,1.23,2024-05-01 10:00:00\n2,10.239,2024-05-01 10:00:00\n3,1.005,2024-05-01T10:00:00+02:00\n";
    scene.file("t.csv", file);
    let outcome = scene.run("t.csv --narrowing price=allow").exits(3);
    assert_eq!(outcome.rows(), rows!(read: 3, inserted: 2, rejected: 1), "{outcome}");
    let narrowed = |outcome: &crate::support::Outcome| -> serde_json::Value {
        let report: serde_json::Value = serde_json::from_str(outcome.stdout.trim()).unwrap();
        report["narrowed"].clone()
    };
    let expected = serde_json::json!({"values": 1, "first": "t.csv:3", "column": "price"});
    assert_eq!(narrowed(&outcome), expected);
    let outcome = scene.load("t.csv --narrowing allow");
    assert_eq!(outcome.rows(), rows!(read: 3, inserted: 1, unchanged: 2), "{outcome}");
    assert_eq!(narrowed(&outcome)["values"], 3);
    assert_eq!(scene.db.lines("SELECT price, at FROM t WHERE id = 3"), ["1.01|2024-05-01 10:00:00"]);
    scene.run("verify t.csv --narrowing allow").exits(0);
    scene.run("t.csv --narrowing allow --narrowing at=reject").exits(3);
    scene.run("t.csv --narrowing nosuch=allow").exits(6).says("nosuch");
    scene.run("t.csv --narrowing perhaps").exits(2).says("COLUMN=allow");
}

/// In a table that was made from a sample, a value that the sample would have kept from being a number is none; also
/// behind a crash. In a table that was there, 007 is the number 7.
#[test]
fn a_column_made_from_the_sample_keeps_what_the_sample_would_have_kept() {
    let scene = Scene::new();
    let mut file = "id,zip,size\n".to_owned();
    for i in 1..=120_000 {
        file += &format!("{i},{},{}.5\n", 10_000 + i % 80_000, i % 7);
    }
    file += "120001,01234,1\n120002,1E5,1\n120003,7,007\n120004,8.0,2\n";
    scene.file("zips.csv", file);
    let killed =
        scene.dbload("zips.csv --key id --pool-size 1 --batch-rows 1000").env("DBLOAD_CRASH_AT", "begun:3");
    assert!(killed.run().was_killed());
    let outcome = scene.run("zips.csv --key id --pool-size 1 --batch-rows 1000").exits(3);
    let rows = outcome.rows();
    assert_eq!((rows.read, rows.rejected), (120_004, 3), "{outcome}");
    let rejects = outcome.report().rejected(scene.cwd());
    let places: Vec<_> = rejects.iter().map(|r| (r.line, r.column.as_deref().unwrap_or_default())).collect();
    assert_eq!(places, [(120_002, "zip"), (120_003, "zip"), (120_004, "size")]);
    assert_eq!(scene.db.lines("SELECT zip FROM zips WHERE id > 120000"), ["8"]);
    scene.load("zips.csv --key id --load-id again");
    assert_eq!(
        scene.db.lines("SELECT zip, size FROM zips WHERE id > 120000 ORDER BY id"),
        ["1234|1", "100000|1", "7|7", "8|2"]
    );
}

/// The rule is a setting of the run: a resume must share it.
#[test]
fn a_resume_has_the_rule_of_its_run() {
    let scene = Scene::with("CREATE TABLE t (id int PRIMARY KEY, n numeric(4,1))");
    let lines: String =
        (0..200).map(|i| format!("{i},{}\n", if i % 2 == 0 { "1.5" } else { "1.55" })).collect();
    scene.file("t.csv", format!("id,n\n{lines}"));
    scene.run("t.csv --max-rejects 10 --batch-rows 50 --narrowing n=reject").exits(9);
    scene.run("t.csv --narrowing allow").exits(8).says("narrowing");
    scene.run("t.csv --narrowing n=reject").exits(3);
    assert_eq!(scene.db.one("SELECT count(*) FROM t"), "100");
}
