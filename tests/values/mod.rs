//! What is stored says what the text said, or the record is a reject: for each type whose input function
//! rounds, cuts or reinterprets without an error.

mod property;

use crate::{rows, support::Scene};

/// SQL type, what of its texts are rejects, what are not and how the server shows them.
type Kind = (&'static str, &'static [(&'static str, &'static str)], &'static [(&'static str, &'static str)]);

const KINDS: [Kind; 36] = [
    (
        "numeric(10,2)",
        &[("10.239", "22003"), ("3607.3299999999999", "22003"), ("1.5e-3", "22003")],
        &[("5", "5.00"), ("10.2300", "10.23"), ("1.5e1", "15.00")],
    ),
    ("numeric(5,-2)", &[("1250", "22003")], &[("1200", "1200"), ("1.2e3", "1200")]),
    (
        "money",
        &[
            ("1.239", "22003"),
            ("1,5", "22003"),
            ("1.2,3", "22003"),
            ("", "22003"),
            ("-", "22003"),
            ("$.", "22003"),
        ],
        &[("1.230", "$1.23"), ("$1,234.56", "$1,234.56")],
    ),
    (
        "timestamp",
        &[
            ("2024-05-01T10:00:00+02:00", "22008"),
            ("2024-05-01 10:00:00.1234567", "22008"),
            ("2024-05-01 23:59:60", "22008"),
            ("now", "22007"),
            ("24-05-01 10:00", "22007"),
            ("2024-01-01 12:00 + 02:00", "22008"),
            ("2024-01-01 12:00 - 13:00", "22008"),
            ("2024-01-01 12:30.5", "22008"),
            ("2024010112", "22007"),
            ("2023-366 12:00", "22007"),
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
            ("2024-01-01 12:00 - 13:00", "22008"),
            ("Mon Jan 01 2024 12:00:00 GMT+0100", "22008"),
            ("2024-01-01 12:00 UTC+2", "22008"),
            ("2024-01-01 12:00 GMT+02:00", "22008"),
            ("2024-01-01 12:00 GMT-05:00", "22008"),
            ("2024-01-01 12:00Z+2", "22008"),
            ("2024-01-01 12:00 am-2", "22008"),
            ("2024-01-01 12:00 +123", "22008"),
            ("2024010112", "22007"),
            ("2023 366", "22007"),
        ],
        &[
            ("2024-01-01 12:00 Etc/GMT+5", "2024-01-01 17:00:00+00"),
            ("2024-01-01 12:00 EST5EDT", "2024-01-01 17:00:00+00"),
            ("2024-01-01 12:00 GMT+0", "2024-01-01 12:00:00+00"),
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
            ("2024010112", "22007"),
            ("202401011", "22007"),
            ("2023-366", "22007"),
            ("2024-01-01 - 5", "22008"),
        ],
        &[
            ("2024-366", "2024-12-31"),
            ("2023-365", "2023-12-31"),
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
            ("12:00 - 13:00", "22008"),
            ("12:30.5", "22008"),
        ],
        &[("10:00", "10:00:00"), ("10:00Z", "10:00:00"), ("24:00:00", "24:00:00")],
    ),
    (
        "timetz",
        &[
            ("2024-05-01 10:00+02", "22008"),
            ("12:00 - 13:00", "22008"),
            ("12:00 GMT+02:00", "22008"),
            ("12:00 UTC-5", "22008"),
        ],
        &[("10:00+02", "10:00:00+02")],
    ),
    (
        "timestamp[]",
        &[("{2024-01-01 12:00 + 02:00}", "22008")],
        &[("{2024-01-01}", "{\"2024-01-01 00:00:00\"}")],
    ),
    ("tsrange", &[("[2024-01-01 12:00 + 02:00,)", "22008")], &[("empty", "empty")]),
    ("timestamptz[]", &[("{2024-01-01 12:00 UTC+2}", "22008")], &[("{}", "{}")]),
    ("tstzrange", &[("[2024-01-01 12:00 GMT-05:00,)", "22008")], &[("empty", "empty")]),
    (
        "interval",
        &[
            ("1.5 months", "22015"),
            ("P1.5M", "22015"),
            ("1.3 years", "22015"),
            ("0.0000001 s", "22008"),
            ("1,5 h", "22015"),
            ("1h30", "22015"),
            ("12h 30", "22015"),
            ("1-2 h", "22015"),
            ("5 - 7 h", "22015"),
            ("1:30 min", "22015"),
            ("h 5", "22015"),
            ("PT0430", "22015"),
            ("1_000 h", "22015"),
        ],
        &[
            ("1 day, 2 hours", "1 day 02:00:00"),
            ("P00010203T040506", "1 year 2 mons 3 days 04:05:06"),
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
    // PostgreSQL 15 reads the second and third as other numbers.
    ("xid", &[("-1", "22003"), ("4294967296", "22003"), ("12x", "22003")], &[("7", "7")]),
    ("tid", &[("(-1,1)", "22003")], &[("(7,1)", "(7,1)")]),
    ("hstore", &[("a=>1,a=>2", "22030")], &[("b=>1, a=>NULL", "\"a\"=>NULL, \"b\"=>\"1\"")]),
    ("tsvector", &[("a:20000", "22001")], &[("b a:1", "'a':1 'b'")]),
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
    ("pair", &[("(1,2.55,)", "22003"), ("(1,2.5,ab )", "22001")], &[("(1,2.5,a )", "(1,2.5,\"a \")")]),
    ("price", &[("1.239", "22003")], &[("1.23", "1.23")]),
    ("timerange", &[("[10:00+02,)", "22008")], &[("[10:00,11:00)", "[10:00:00,11:00:00)")]),
];

const OWN: &str = "CREATE EXTENSION hstore; CREATE TYPE pair AS (x int, y numeric(4,1), z varchar(2)); CREATE DOMAIN price AS numeric(10,2) CHECK (VALUE > 0); \
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
        // Of a sample that is mostly rejects nothing is loaded.
        let others: Vec<usize> = (100..100 + bad.len()).collect();
        let csv: String = texts.clone().enumerate().map(|(i, v)| format!("{i},{}\n", quoted(v))).collect();
        let csv = others.iter().fold(csv, |csv, i| csv + &format!("{i},\n"));
        scene.file(&format!("t{t}.csv"), format!("id,v\n{csv}"));
        let is_json = ty.starts_with("json");
        let json = |v: &str| if is_json { v.to_owned() } else { serde_json::to_string(v).unwrap() };
        let jsonl: String =
            texts.enumerate().map(|(i, v)| format!("{{\"id\":{i},\"v\":{}}}\n", json(v))).collect();
        let jsonl = others.iter().fold(jsonl, |jsonl, i| jsonl + &format!("{{\"id\":{i},\"v\":null}}\n"));
        scene.file(&format!("t{t}.jsonl"), jsonl);
        for format in ["csv", "jsonl"] {
            scene.sql(&format!("DELETE FROM t{t}"));
            let line = format!("t{t}.{format} --no-ledger");
            let outcome = scene.run(&line).exits(if bad.is_empty() { 0 } else { 3 });
            let (many, rejected) = ((2 * bad.len() + good.len()) as u64, bad.len() as u64);
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
                    // What is beyond a float is the server's own error; newer ones refuse these too.
                    let is_ours = reject.reason.contains("--narrowing v=allow")
                        || *ty == "real"
                        || reject.reason.contains("no number without a sign");
                    assert!(is_ours, "{ty} {text}: {}", reject.reason);
                }
            }
            let stored = scene
                .db
                .lines(&format!("SET TimeZone = 'UTC'; SELECT v FROM t{t} WHERE id < 100 ORDER BY id"));
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

/// Each reject that names the flag is loaded by it, from the reject file; and no other is.
#[test]
fn what_a_reject_says_of_the_flag_is_true() {
    let scene = Scene::with(OWN);
    for (t, (ty, bad, _)) in KINDS.iter().enumerate().filter(|(_, (_, bad, _))| !bad.is_empty()) {
        scene.sql(&format!("CREATE TABLE t{t} (id int PRIMARY KEY, v {ty})"));
        let line = |(i, (text, _)): (usize, &(&str, &str))| format!("{i},{}\n{},\n", quoted(text), 100 + i);
        let lines: String = bad.iter().enumerate().map(line).collect();
        scene.file(&format!("t{t}.csv"), format!("id,v\n{lines}"));
        let report = scene.run(&format!("t{t}.csv")).exits(3).report();
        let rejects = report.rejected(scene.cwd());
        let named = rejects.iter().filter(|reject| reject.reason.contains("--narrowing v=allow")).count();
        let file = report.rejects.file.unwrap().display().to_string();
        let again = format!("{file} --table t{t} --narrowing v=allow --rejects again{t}.rejects.jsonl");
        let outcome = scene.run(&again);
        let rows = outcome.rows();
        assert!(rows.inserted >= named as u64, "{ty}: {outcome}");
        assert_eq!(rows.inserted + rows.rejected, bad.len() as u64, "{ty}: {outcome}");
        assert!(*ty == "xid" || named == bad.len() || *ty == "real", "{ty}: {outcome}");
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

/// In a table that was made from a sample, a value that the sample would have kept from being a number is
/// none; also behind a crash. In a table that was there, 007 is the number 7.
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

/// Before the first row it is said what the sample shows; where most of it would be rejected nothing is
/// begun.
#[test]
fn what_the_sample_shows_to_be_narrowed_is_said_before_the_first_row() {
    let scene =
        Scene::with("CREATE TABLE t (id int PRIMARY KEY, price numeric(10,2), at timestamp, b bytea)");
    let line = |id: u32, price: &str, at: &str| format!("{id},{price},{at},\n");
    let good: String = (1..=20).map(|id| line(id, "1.50", "2024-05-01 10:00")).collect();
    let bad = line(21, "10.239", "2024-05-01 10:00") + &line(22, "1", "2024-05-01T10:00:00+02:00");
    scene.file("some.csv", format!("id,price,at,b\n{good}{bad}"));
    let said = [
        "column price: its decimals would be rounded as numeric(10,2), first of \"10.239\" at some.csv:22",
        "1 of 22 sampled records are rejects (--narrowing price=allow",
        "column at: its offset from UTC would be dropped",
        "first of \"2024-05-01T10:00:00+02:00\" at some.csv:23",
    ];
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let plan = scene.plain("some.csv -t t --dry-run").run().exits(0);
    let outcome = scene.run("some.csv -t t").exits(3);
    for words_said in said {
        assert!(words(&plan.stdout).contains(words_said), "{words_said}: {plan}");
        assert!(words(&outcome.stderr).contains(words_said), "{words_said}: {outcome}");
    }
    let allowed = scene.run("some.csv -t t --narrowing allow").exits(0);
    assert!(!allowed.stderr.contains("would be"), "{allowed}");
    // Most of it.
    let mostly: String = (1..=20).map(|id| line(id, "1.505", "2024-05-01 10:00")).collect();
    scene.file("most.csv", format!("id,price,at,b\n{mostly}{bad}"));
    scene.sql("DELETE FROM t");
    for flags in ["", "--dry-run", "--no-ledger"] {
        let refused = scene.plain(&format!("most.csv -t t {flags}")).run().exits(6);
        assert!(words(&refused.stderr).contains("22 of the first 22 records would be rejects"), "{refused}");
        let hint = "--narrowing at=allow leaves them to the server, as it reads them; or give the column a type that holds them";
        refused.says("--narrowing price=allow --narrowing at=allow").says("1.505").says(hint);
    }
    assert_eq!(scene.db.count("t"), 0);
    // What the hint says; or a column that holds them.
    let outcome = scene.load("most.csv -t t --narrowing price=allow --narrowing at=allow");
    assert_eq!(outcome.rows(), rows!(read: 22, inserted: 22));
    scene.sql("DELETE FROM t; ALTER TABLE t ALTER price TYPE numeric, ALTER at TYPE timestamptz");
    let outcome = scene.load("most.csv -t t --load-id anew");
    assert_eq!(outcome.rows(), rows!(read: 22, inserted: 22));
    // Of a few records nothing is concluded.
    scene.sql("DELETE FROM t; ALTER TABLE t ALTER price TYPE numeric(10,2)");
    scene.file("few.csv", "id,price\n1,10.239\n2,3607.3299999999999\n3,5\n");
    let outcome = scene.run("few.csv -t t").exits(3);
    assert_eq!(outcome.rows(), rows!(read: 3, inserted: 1, rejected: 2));
    assert_eq!(scene.db.lines("SELECT price FROM t"), ["5.00"]);
}

/// What people bring: dates and times of all spellings, with the right value of each.
#[test]
fn times_that_people_bring_are_stored_right_or_are_rejects() {
    let scene = Scene::with(
        "CREATE TABLE odd (id int PRIMARY KEY, at timestamptz); CREATE TABLE plain (id int PRIMARY KEY, at timestamp); \
         CREATE TABLE days (id int PRIMARY KEY, d date)",
    );
    let odd = [
        "Wed Oct 10 20:19:24 +0000 2018",
        "Tue, 03 Jun 2025 10:00:00 GMT",
        "/Date(1530144000000)/",
        "10/Oct/2000:13:55:36 -0700",
        "2024-05-01T10:00:00Z[Europe/Berlin]",
        "2024-W05-3",
        "2024-05-01T10:00:00.123456789Z",
        "2024-05-01 10:00:00 CEST",
        "now",
        "today",
        "0000-00-00 00:00:00",
        "2024-05-01T24:00:00Z",
        "2024-05-01T10:00:60Z",
    ];
    let lines = |field: &str, values: &[&str]| -> String {
        let line = |(i, value): (usize, &&str)| format!("{{\"id\":{},\"{field}\":\"{value}\"}}\n", i + 1);
        values.iter().enumerate().map(line).collect()
    };
    scene.file("odd.jsonl", lines("at", &odd));
    let outcome = scene.run("odd.jsonl").exits(3);
    assert_eq!(outcome.rows(), rows!(read: 13, inserted: 5, rejected: 8), "{outcome}");
    assert_eq!(
        scene.db.lines("SET TimeZone = 'UTC'; SELECT id, at FROM odd ORDER BY id"),
        [
            "1|2018-10-10 20:19:24+00",
            "2|2025-06-03 10:00:00+00",
            "4|2000-10-10 20:55:36+00",
            "8|2024-05-01 08:00:00+00",
            "12|2024-05-02 00:00:00+00"
        ]
    );
    scene.file(
        "plain.jsonl",
        lines("at", &["2024-05-01T10:00:00+02:00", "2024-05-01T10:00:00Z", "2024-05-01T10:00:00"]),
    );
    scene.run("plain.jsonl").exits(3);
    assert_eq!(
        scene.db.lines("SELECT id, at FROM plain ORDER BY id"),
        ["2|2024-05-01 10:00:00", "3|2024-05-01 10:00:00"]
    );
    scene.file("days.jsonl", lines("d", &["2024-05-01T23:30:00-05:00", "2024-05-01"]));
    scene.run("days.jsonl").exits(3);
    assert_eq!(scene.db.lines("SELECT id, d FROM days ORDER BY id"), ["2|2024-05-01"]);
}

/// Numbers with signs of other countries, and seconds since 1970: no flag reads them, so they are texts in a
/// table that is made, and rejects of a column that is there; never another number or another time.
#[test]
fn what_no_flag_reads_is_a_text_or_a_reject_and_never_another_value() {
    let files = [
        ("thousands.csv", "id,v\n1,\"25,000\"\n2,\"1,234.56\"\n3,900\n", "numeric", &["3|900"][..]),
        ("german.csv", "id;v\n1;1.234,56\n2;12,50\n3;7\n", "numeric", &["3|7"]),
        (
            "epoch.jsonl",
            "{\"id\":1,\"v\":1692352800000}\n{\"id\":2,\"v\":1692352800}\n{\"id\":3,\"v\":0}\n{\"id\":4,\"v\":45292}\n\
             {\"id\":5,\"v\":\"20240101\"}\n",
            "timestamp",
            &["5|2024-01-01 00:00:00"],
        ),
    ];
    for (name, text, ty, stored) in files {
        let scene = Scene::with(&format!("CREATE TABLE t (id int PRIMARY KEY, v {ty})"));
        scene.file(name, text);
        scene.run(&format!("{name} -t t")).exits(3);
        assert_eq!(scene.db.lines("TABLE t"), stored, "{name}");
        if ty == "numeric" {
            scene.load(&format!("{name} -t made"));
            let texts: Vec<String> =
                text.lines().skip(1).map(|line| line.replace('"', "").replacen([',', ';'], "|", 1)).collect();
            assert_eq!(scene.db.lines("SELECT id, v FROM made ORDER BY id"), texts, "{name}");
        }
    }
}

/// Base64 and 0x are letters for bytea: they are stored so, and it is said.
#[test]
fn bytes_in_another_spelling_are_stored_as_their_letters_and_it_is_said() {
    let scene = Scene::with("CREATE TABLE t (id int PRIMARY KEY, b bytea, x bytea, h bytea)");
    scene.file("t.jsonl", "{\"id\":1,\"b\":\"SGVsbG8=\",\"x\":\"0x48656c6c6f\",\"h\":\"\\\\x48656c6c6f\"}\n");
    let outcome = scene.load("t.jsonl");
    let words = outcome.stderr.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("column b: \"SGVsbG8=\" at t.jsonl:1 looks like base64"), "{outcome}");
    assert!(
        words.contains("column x: \"0x48656c6c6f\" at t.jsonl:1 looks like hexadecimal behind 0x"),
        "{outcome}"
    );
    assert!(!words.contains("column h"), "{outcome}");
    assert_eq!(
        scene
            .db
            .lines("SELECT convert_from(b, 'UTF8'), convert_from(x, 'UTF8'), convert_from(h, 'UTF8') FROM t"),
        ["SGVsbG8=|0x48656c6c6f|Hello"]
    );
}

/// In a table that a run has made, 007 behind the sample is a reject: a comparison and the reload of its
/// reject file say what the load said.
#[test]
fn a_comparison_and_a_reload_agree_with_the_run_that_made_its_table() {
    let scene = Scene::new();
    let mut file = "id,code\n".to_owned();
    for i in 1..=120_000 {
        file += &format!("{i},{}\n", 10_000 + i % 80_000);
    }
    file += "120001,00700\n";
    scene.file("codes.csv", &file);
    let outcome = scene.run("codes.csv --key id").exits(3);
    assert_eq!((outcome.rows().inserted, outcome.rows().rejected), (120_000, 1), "{outcome}");
    // Its own table: the value is a reject for the comparison too.
    let verified = scene.run("verify codes.csv --key id").exits(3);
    let found: serde_json::Value = serde_json::from_str(verified.stdout.trim()).unwrap();
    assert_eq!((found["rejected"].as_u64(), found["missing"].as_u64()), (Some(1), Some(0)), "{verified}");
    let rejects = outcome.report().rejects.file.unwrap().display().to_string();
    // As it stands it is one again; mended it is loaded.
    let again =
        scene.run(&format!("{rejects} --table codes --key id --rejects again.rejects.jsonl")).exits(3);
    assert_eq!(again.rows().rejected, 1, "{again}");
    scene.sql("ALTER TABLE codes ALTER code TYPE text");
    scene.run(&format!("{rejects} --table codes --key id --load-id mended")).exits(0);
    assert_eq!(scene.db.one("SELECT code FROM codes WHERE id = 120001"), "00700");
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
