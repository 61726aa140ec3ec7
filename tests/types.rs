//! Every type that PostgreSQL parses from text, from JSON and from CSV.
//!
//! Values that do not cast, are too long or may not be null (CASES.md, row 42) are named with their row and
//! column.

use crate::{rows, support::Scene};

/// SQL type, JSON as it stands in the file, CSV field, what the server shows of it.
type Row = (&'static str, &'static str, &'static str, &'static str);

const TYPES: [Row; 44] = [
    ("smallint", "-32768", "-32768", "-32768"),
    ("int", "7", "7", "7"),
    ("bigint", "\"9007199254740993\"", "9007199254740993", "9007199254740993"),
    ("numeric", "1.10", "1.10", "1.10"),
    ("numeric(6,2)", "3.5", "3.5", "3.50"),
    ("real", "0.1", "0.1", "0.1"),
    ("double precision", "0.30000000000000004", "0.30000000000000004", "0.30000000000000004"),
    ("boolean", "true", "true", "t"),
    ("boolean", "\"no\"", "no", "f"),
    ("text", "\"a\"", "a", "a"),
    ("text", "12.50", "12.50", "12.50"),
    ("text", "true", "true", "true"),
    ("varchar(3)", "\"abc\"", "abc", "abc"),
    ("char(5)", "\"ab\"", "ab", "ab   "),
    ("\"char\"", "\"x\"", "x", "x"),
    ("name", "\"n\"", "n", "n"),
    ("date", "\"2024-02-29\"", "2024-02-29", "2024-02-29"),
    ("time", "\"12:34:56.789\"", "12:34:56.789", "12:34:56.789"),
    ("timetz", "\"12:00+02\"", "12:00+02", "12:00:00+02"),
    ("timestamp", "\"2024-02-29T12:00:00\"", "2024-02-29 12:00:00", "2024-02-29 12:00:00"),
    ("timestamptz", "\"2024-02-29T12:00:00+02:00\"", "2024-02-29T10:00:00Z", "2024-02-29 10:00:00+00"),
    ("interval", "\"P1Y2M3DT4H\"", "1 year 2 mons 3 days 4 hours", "1 year 2 mons 3 days 04:00:00"),
    (
        "uuid",
        "\"A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11\"",
        "{a0eebc999c0b4ef8bb6d6bb9bd380a11}",
        "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
    ),
    ("bytea", "\"\\\\xDEAD00\"", "\\xdead00", "\\xdead00"),
    ("json", "{\"a\":1.0,\"a\":2}", "\"{\"\"a\"\":1.0,\"\"a\"\":2}\"", "{\"a\":1.0,\"a\":2}"),
    (
        "jsonb",
        "{\"b\":[1,null],\"a\":1.50}",
        "\"{\"\"b\"\":[1,null],\"\"a\"\":1.50}\"",
        "{\"a\": 1.50, \"b\": [1, null]}",
    ),
    ("jsonb", "[1,2]", "\"[1,2]\"", "[1, 2]"),
    ("jsonb", "\"text\"", "\"\"\"text\"\"\"", "\"text\""),
    ("jsonb", "12.0", "12.0", "12.0"),
    ("inet", "\"10.0.0.1/24\"", "10.0.0.1/24", "10.0.0.1/24"),
    ("cidr", "\"10.0.0.0/8\"", "10.0.0.0/8", "10.0.0.0/8"),
    ("macaddr", "\"08-00-2b-01-02-03\"", "08:00:2b:01:02:03", "08:00:2b:01:02:03"),
    ("int[]", "[1,null,3]", "\"{1,NULL,3}\"", "{1,NULL,3}"),
    ("int[]", "[[1,2],[3,4]]", "\"{{1,2},{3,4}}\"", "{{1,2},{3,4}}"),
    ("int[]", "[]", "{}", "{}"),
    (
        "text[]",
        "[\"a b\",\"\",\"q\\\"\\\\\",\"NULL\",null,\"c,d\"]",
        "\"{\"\"a b\"\",\"\"\"\",\"\"q\\\"\"\\\\\"\",\"\"NULL\"\",NULL,\"\"c,d\"\"}\"",
        "{\"a b\",\"\",\"q\\\"\\\\\",\"NULL\",NULL,\"c,d\"}",
    ),
    ("jsonb[]", "[{\"a\":1},[2],3]", "\"{\"\"{\\\"\"a\\\"\":1}\"\",[2],3}\"", "{\"{\\\"a\\\": 1}\",[2],3}"),
    ("int4range", "\"[1,5]\"", "\"[1,5]\"", "[1,6)"),
    (
        "tsrange",
        "\"[2024-01-01,2024-01-02)\"",
        "\"[2024-01-01,2024-01-02)\"",
        "[\"2024-01-01 00:00:00\",\"2024-01-02 00:00:00\")",
    ),
    ("int4multirange", "\"{[1,3),[5,7)}\"", "\"{[1,3),[5,7)}\"", "{[1,3),[5,7)}"),
    ("bit(4)", "\"1010\"", "1010", "1010"),
    ("point", "\"(1.5,2)\"", "\"(1.5,2)\"", "(1.5,2)"),
    ("tsvector", "\"'a':1 'b':2\"", "'a':1 'b':2", "'a':1 'b':2"),
    ("pg_lsn", "\"16/B374D848\"", "16/B374D848", "16/B374D848"),
];

const OWN: &str = "CREATE EXTENSION citext; CREATE EXTENSION hstore; \
    CREATE TYPE mood AS ENUM ('sad', 'so so', 'it''s'); CREATE DOMAIN positive AS int CHECK (VALUE > 0); \
    CREATE DOMAIN code AS varchar(4) NOT NULL; CREATE TYPE pair AS (x int, \"Y y\" text, z int[]);";

const OWN_TYPES: [Row; 9] = [
    ("mood", "\"so so\"", "so so", "so so"),
    ("mood[]", "[\"it's\",\"sad\"]", "\"{it's,sad}\"", "{it's,sad}"),
    ("positive", "3", "3", "3"),
    ("code", "\"ab\"", "ab", "ab"),
    (
        "pair",
        "{\"x\":1,\"Y y\":\"a, \\\"b\\\"\",\"z\":[1,2]}",
        "\"(1,\"\"a, \\\"\"b\\\"\"\"\",\"\"{1,2}\"\")\"",
        "(1,\"a, \"\"b\"\"\",\"{1,2}\")",
    ),
    ("pair", "{\"z\":null,\"x\":5}", "\"(5,,)\"", "(5,,)"),
    ("pair[]", "[{\"x\":1,\"Y y\":\"a\",\"z\":null}]", "\"{\"\"(1,a,)\"\"}\"", "{\"(1,a,)\"}"),
    ("citext", "\"AbC\"", "AbC", "AbC"),
    ("hstore", "{\"a\":\"1\",\"b c\":null}", "\"a=>1, \"\"b c\"\"=>NULL\"", "\"a\"=>\"1\", \"b c\"=>NULL"),
];

#[test]
fn every_type_arrives_from_json_and_from_csv() {
    let scene = Scene::new();
    scene.sql(OWN);
    let mut types: Vec<Row> = TYPES.iter().chain(&OWN_TYPES).copied().collect();
    if scene.db.try_sql("SELECT '<a/>'::xml").is_ok() {
        types.push(("xml", "\"<a>b</a>\"", "<a>b</a>", "<a>b</a>"));
    }
    let columns: Vec<String> = types.iter().enumerate().map(|(i, t)| format!("c{i} {}", t.0)).collect();
    scene.sql(&format!("CREATE TABLE t (id int PRIMARY KEY, {})", columns.join(", ")));
    let fields: Vec<String> = types.iter().enumerate().map(|(i, t)| format!("\"c{i}\":{}", t.1)).collect();
    scene.file("t.jsonl", format!("{{\"id\":1,{}}}\n", fields.join(",")));
    let names: Vec<String> = (0..types.len()).map(|i| format!("c{i}")).collect();
    let values: Vec<&str> = types.iter().map(|t| t.2).collect();
    scene.file("t.csv", format!("id,{}\n2,{}\n", names.join(","), values.join(",")));
    for (file, id) in [("t.jsonl", 1), ("t.csv", 2)] {
        let outcome = scene.run(file);
        assert_eq!(outcome.rows(), rows!(read: 1, inserted: 1), "{outcome}");
        let stored = scene
            .db
            .rows(&format!("SET TimeZone = 'UTC'; SELECT {} FROM t WHERE id = {id}", names.join(", ")));
        for (row, stored) in types.iter().zip(&stored[0]) {
            assert_eq!(stored.as_deref(), Some(row.3), "{} from {file}", row.0);
        }
        assert_eq!(scene.load(file).rows(), rows!(read: 1, unchanged: 1));
    }
}

#[test]
fn what_a_type_refuses_is_rejected_with_column_and_state() {
    let bad = [
        ("int", "\"abc\"", "22P02"),
        ("int", "\"99999999999\"", "22003"),
        ("date", "\"2024-02-30\"", "22008"),
        ("date", "\"01/02/2024\"", "22008"),
        ("timestamptz", "\"soon\"", "22007"),
        ("varchar(3)", "\"abcd\"", "22001"),
        ("numeric(4,2)", "\"123.4\"", "22003"),
        ("boolean", "\"maybe\"", "22P02"),
        ("uuid", "\"x\"", "22P02"),
        ("mood", "\"glad\"", "22P02"),
        ("positive", "-1", "23514"),
        ("inet", "\"10.0.0.300\"", "22P02"),
        ("bytea", "\"\\\\xzz\"", "22023"),
        ("int[]", "[1,\"x\"]", "22P02"),
        ("int4range", "\"[5,1]\"", "22000"),
        ("pair", "{\"x\":\"a\"}", "22P02"),
        ("double precision", "1e400", "22003"),
        ("smallint", "32768", "22003"),
        ("time", "\"25:00\"", "22008"),
        ("bit(4)", "\"101\"", "22026"),
    ];
    let scene = Scene::new();
    scene.sql(OWN);
    let columns: Vec<String> = bad.iter().enumerate().map(|(i, t)| format!("c{i} {}", t.0)).collect();
    scene.sql(&format!("CREATE TABLE t (id int PRIMARY KEY, {})", columns.join(", ")));
    let mut text = String::new();
    for (i, (_, json, _)) in bad.iter().enumerate() {
        text += &format!("{{\"id\":{i},\"c{i}\":{json}}}\n{{\"id\":{},\"c{i}\":null}}\n", 100 + i);
    }
    scene.file("t.jsonl", text);
    let outcome = scene.run("t.jsonl --batch-rows 1000").exits(3);
    let many = bad.len() as u64;
    assert_eq!(outcome.rows(), rows!(read: 2 * many, inserted: many, rejected: many), "{outcome}");
    let rejects = outcome.report().rejected(scene.cwd());
    for (i, (sql, json, state)) in bad.iter().enumerate() {
        let reject = rejects
            .iter()
            .find(|r| r.line == 2 * i as u64 + 1)
            .unwrap_or_else(|| panic!("{sql} took {json}"));
        assert_eq!(reject.sqlstate.as_deref(), Some(*state), "{sql} {json}: {}", reject.reason);
        assert_eq!(
            reject.column.as_deref(),
            Some(format!("c{i}").as_str()),
            "{sql} {json}: {}",
            reject.reason
        );
    }
}

#[test]
fn a_value_too_long_is_named_with_file_line_column_and_limit() {
    let scene = Scene::with("CREATE TABLE t (id int PRIMARY KEY, code varchar(3))");
    scene.file("t.csv", "id,code\n1,abc\n2,abcdef\n");
    let outcome = scene.run("t.csv").exits(3);
    for text in ["t.csv:3", "code", "22001", "varchar(3)"] {
        let said = outcome.stderr.replace("character varying", "varchar");
        assert!(said.contains(text), "stderr lacks {text:?}: {outcome}");
    }
}

/// The kit, tried alone: the server agrees with the table above.
#[test]
fn the_table_of_types_is_what_the_server_says() {
    let scene = Scene::new();
    scene.sql(OWN);
    scene.sql("SET TimeZone = 'UTC'; SET DateStyle = 'ISO, YMD'");
    for (sql, json, csv, shown) in TYPES.iter().chain(&OWN_TYPES) {
        let text = csv
            .strip_prefix('"')
            .map_or((*csv).to_owned(), |c| c.trim_end_matches('\n')[..c.len() - 1].replace("\"\"", "\""));
        scene.sql(&format!(
            "CREATE TEMP TABLE probe (v {sql}); INSERT INTO probe VALUES ({})",
            crate::support::database::literal(&text)
        ));
        assert_eq!(scene.db.lines("SELECT * FROM probe"), [*shown], "{sql} {csv}");
        scene.sql("DROP TABLE probe");
        serde_json::from_str::<serde_json::Value>(json).unwrap();
    }
}
