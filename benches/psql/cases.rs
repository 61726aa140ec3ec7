//! What is measured: each case is a table in some state and the ways of loading a file into it.

use crate::data::{Data, ORDERS};
use std::{ffi::OsString, path::Path, time::Duration};

/// A table in some state, and who loads what into it. The first way is what the others are compared with.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    /// Records that are read.
    pub(crate) rows: usize,
    /// Runs of each way in a round: short ones need more.
    pub(crate) repeats: usize,
    /// The round trip between program and server, where there is one to speak of.
    pub(crate) round_trip: Duration,
    pub(crate) ways: Vec<Way>,
}

/// One way of loading.
pub(crate) struct Way {
    pub(crate) name: String,
    /// What is run before each time, unmeasured.
    pub(crate) prepare: String,
    pub(crate) program: Program,
    /// The table that is loaded, and the one that it must be equal to afterwards.
    pub(crate) check: Option<(&'static str, &'static str)>,
    /// The time that the speed issue allows.
    pub(crate) target: Option<Target>,
}

/// A time that is allowed.
#[derive(Clone, Copy)]
pub(crate) enum Target {
    /// In times of the case's first way.
    Ratio(f64),
    Seconds(f64),
}

/// What is run.
pub(crate) enum Program {
    /// psql, with this script.
    Psql(String),
    /// dbload, with these arguments and the DSN.
    Dbload(Vec<OsString>),
    /// Either, asked for its version.
    Version(Who),
}

/// Whose version.
#[derive(Clone, Copy)]
pub(crate) enum Who {
    Psql,
    Dbload,
}

const FRESH: &str = "DROP TABLE IF EXISTS orders;\nCREATE TABLE orders (LIKE base.orders INCLUDING ALL);\n";
const KEYLESS: &str = "DROP TABLE IF EXISTS orders;\nCREATE TABLE orders (LIKE base.orders);\n";
const LINEITEM: &str =
    "DROP TABLE IF EXISTS lineitem;\nCREATE TABLE lineitem (LIKE base.lineitem INCLUDING ALL);\n";
const SETTLE: &str = "VACUUM ANALYZE orders;\nCHECKPOINT;\n";
const COLUMNS: &str = "o_orderkey,o_custkey,o_orderstatus,o_totalprice,o_orderdate,o_orderpriority,o_clerk,o_shippriority,o_comment";
const LINE_COLUMNS: &str = "l_orderkey,l_partkey,l_suppkey,l_linenumber,l_quantity,l_extendedprice,l_discount,l_tax,\
                            l_returnflag,l_linestatus,l_shipdate,l_commitdate,l_receiptdate,l_shipinstruct,l_shipmode,l_comment";

/// Stored orders of which those that `where_` picks are there, each with another price.
fn changed(by: u32, where_: &str) -> String {
    let select = COLUMNS.replace("o_totalprice", &format!("o_totalprice + {by}"));
    format!("{FRESH}INSERT INTO orders SELECT {select} FROM base.orders WHERE {where_};\n{SETTLE}")
}

/// Changes the stored rows of the big table that a file has.
fn changed_in_big(file: &str) -> String {
    format!(
        "UPDATE base.big SET o_totalprice = o_totalprice + 1 WHERE o_orderkey IN (SELECT o_orderkey FROM base.{file});\n\
         VACUUM ANALYZE base.big;\nCHECKPOINT;\n"
    )
}

/// What an expert types: a temporary table, then an upsert, in one transaction.
fn staged(table: &str, file: &Path, columns: &str, key: &str) -> Program {
    let copy = format!("\\copy st ({columns}) FROM '{}' CSV HEADER\n", file.display());
    let insert =
        format!("INSERT INTO {table} ({columns}) SELECT {columns} FROM st {}", on_conflict(columns, key));
    Program::Psql(format!(
        "BEGIN;\nCREATE TEMP TABLE st (LIKE {table}) ON COMMIT DROP;\n{copy}{insert};\nCOMMIT;\n"
    ))
}

/// The same where keys repeat: ON CONFLICT refuses to touch a row twice, so the last record of each is picked.
fn staged_last(file: &Path) -> Program {
    let copy = format!("\\copy st ({COLUMNS}) FROM '{}' CSV HEADER\n", file.display());
    let upsert = on_conflict(COLUMNS, "o_orderkey");
    Program::Psql(format!(
        "BEGIN;\nCREATE TEMP TABLE st (LIKE orders, n bigserial) ON COMMIT DROP;\n{copy}INSERT INTO orders ({COLUMNS}) \
         SELECT DISTINCT ON (o_orderkey) {COLUMNS} FROM st ORDER BY o_orderkey, n DESC {upsert};\nCOMMIT;\n"
    ))
}

fn on_conflict(columns: &str, key: &str) -> String {
    let keys: Vec<&str> = key.split(',').collect();
    let sets: Vec<String> =
        columns.split(',').filter(|c| !keys.contains(c)).map(|c| format!("{c} = excluded.{c}")).collect();
    format!("ON CONFLICT ({key}) DO UPDATE SET {}", sets.join(", "))
}

fn copy(table: &str, file: &Path) -> Program {
    Program::Psql(format!("\\copy {table} FROM '{}' CSV HEADER\n", file.display()))
}

fn dbload(table: &str, file: &Path, more: &[&str]) -> Program {
    let mut words: Vec<OsString> = vec![file.into()];
    words.extend(["--table", table, "--pool-size", "2", "--json", "-q"].map(Into::into));
    words.extend(more.iter().map(Into::into));
    Program::Dbload(words)
}

impl Case {
    fn new(name: &'static str, ways: Vec<Way>) -> Self {
        Self { name, rows: ORDERS, repeats: 1, round_trip: Duration::ZERO, ways }
    }

    fn rows(self, rows: usize) -> Self {
        Self { rows, ..self }
    }

    fn repeats(self, repeats: usize) -> Self {
        Self { repeats, ..self }
    }

    fn round_trip_ms(self, ms: u64) -> Self {
        Self { round_trip: Duration::from_millis(ms), ..self }
    }
}

impl Way {
    fn new(name: &str, prepare: &str, program: Program) -> Self {
        let check = Some(("orders", "base.orders"));
        Self { name: name.to_owned(), prepare: prepare.to_owned(), program, check, target: None }
    }

    fn check(self, table: &'static str, base: &'static str) -> Self {
        Self { check: Some((table, base)), ..self }
    }

    fn unchecked(self) -> Self {
        Self { check: None, ..self }
    }

    fn target(self, ratio: f64) -> Self {
        Self { target: Some(Target::Ratio(ratio)), ..self }
    }

    fn within(self, seconds: f64) -> Self {
        Self { target: Some(Target::Seconds(seconds)), ..self }
    }
}

/// All cases.
pub(crate) fn all(data: &Data, full: bool) -> Vec<Case> {
    let mut cases = upserts(data);
    cases.extend(others(data));
    cases.extend(short(data));
    if full {
        cases.extend(big(data));
    }
    cases
}

/// Orders by psql's staged script, and by dbload from CSV and JSONL, into the same table.
fn both(name: &'static str, prepare: &str, data: &Data, targets: [f64; 2]) -> Case {
    let (csv, jsonl) = (data.file("orders.csv"), data.file("orders.jsonl"));
    Case::new(
        name,
        vec![
            Way::new("psql staged, CSV", prepare, staged("orders", &csv, COLUMNS, "o_orderkey")),
            Way::new("dbload, CSV", prepare, dbload("orders", &csv, &[])).target(targets[0]),
            Way::new("dbload, JSONL", prepare, dbload("orders", &jsonl, &[])).target(targets[1]),
        ],
    )
}

fn upserts(data: &Data) -> Vec<Case> {
    let (csv, jsonl) = (data.file("orders.csv"), data.file("orders.jsonl"));
    let (repeated, repeated_jsonl) = (data.file("repeated.csv"), data.file("repeated.jsonl"));
    let mut fresh = both("fresh", FRESH, data, [0.45, 0.50]);
    fresh.ways.insert(1, Way::new("psql \\copy, CSV", FRESH, copy("orders", &csv)));
    let in_repeated = |way: Way| way.check("orders", "base.repeated");
    vec![
        fresh,
        both("all changed", &changed(1, "true"), data, [0.55, 0.55]),
        both("all unchanged", &changed(0, "true"), data, [0.35, 0.40]),
        both("half new, half changed", &changed(1, "o_orderkey % 2 = 0"), data, [0.55, 0.55]),
        Case::new(
            "10% duplicate keys",
            vec![
                in_repeated(Way::new("psql staged, CSV", FRESH, staged_last(&repeated))),
                in_repeated(Way::new("dbload, CSV", FRESH, dbload("orders", &repeated, &[])).target(0.55)),
                in_repeated(
                    Way::new("dbload, JSONL", FRESH, dbload("orders", &repeated_jsonl, &[])).target(0.55),
                ),
            ],
        ),
        Case::new(
            "append without key",
            vec![
                Way::new("psql \\copy, CSV", KEYLESS, copy("orders", &csv)),
                Way::new("dbload, CSV", KEYLESS, dbload("orders", &csv, &["--mode", "append", "--again"]))
                    .target(0.80),
                Way::new(
                    "dbload, JSONL",
                    KEYLESS,
                    dbload("orders", &jsonl, &["--mode", "append", "--again"]),
                ),
            ],
        ),
    ]
}

fn others(data: &Data) -> Vec<Case> {
    let file = |name: &str| data.file(name);
    let orders = |name: &str, words: &[&str]| dbload("orders", &file(name), words);
    let (line_csv, line_jsonl) = (file(&data.lines_name("csv")), file(&data.lines_name("jsonl")));
    let lineitem = |name: &str, program| Way::new(name, LINEITEM, program).check("lineitem", "base.lineitem");
    let slow = |name, ms| both(name, FRESH, data, [1.0, 1.0]).round_trip_ms(ms);
    vec![
        Case::new(
            "lineitem, fresh",
            vec![
                lineitem(
                    "psql staged, CSV",
                    staged("lineitem", &line_csv, LINE_COLUMNS, "l_orderkey,l_linenumber"),
                ),
                lineitem("psql \\copy, CSV", copy("lineitem", &line_csv)),
                lineitem("dbload, CSV", dbload("lineitem", &line_csv, &[])).target(0.50),
                lineitem("dbload, JSONL", dbload("lineitem", &line_jsonl, &[])).target(0.50),
            ],
        )
        .rows(data.lines),
        Case::new(
            "compressed, fresh",
            vec![
                Way::new("dbload, CSV", FRESH, orders("orders.csv", &[])),
                Way::new("dbload, CSV gzip", FRESH, orders("orders.csv.gz", &[])).target(1.25),
                Way::new("dbload, CSV zstd", FRESH, orders("orders.csv.zst", &[])).target(1.10),
            ],
        ),
        Case::new(
            "ledger, fresh",
            vec![
                Way::new("dbload --no-ledger, CSV", FRESH, orders("orders.csv", &["--no-ledger"])),
                Way::new("dbload, CSV", FRESH, orders("orders.csv", &[])).target(1.015),
            ],
        ),
        slow("5 ms away, fresh", 5),
        slow("50 ms away, fresh", 50),
    ]
}

/// Start to end of a process that has next to nothing to do.
fn short(data: &Data) -> Vec<Case> {
    let stored = "CREATE TABLE IF NOT EXISTS one (LIKE base.orders INCLUDING ALL);\n\
                  INSERT INTO one SELECT * FROM base.one ON CONFLICT (o_orderkey) DO UPDATE SET o_totalprice = 0;\n";
    let one = |name: &str, program| Way::new(name, stored, program).check("one", "base.one");
    let psql = staged("one", &data.file("one.csv"), COLUMNS, "o_orderkey");
    vec![
        Case::new(
            "one record",
            vec![
                one("psql staged, CSV", psql),
                one("dbload, JSONL", dbload("one", &data.file("one.jsonl"), &[])).within(0.050),
                one("dbload --no-ledger, JSONL", dbload("one", &data.file("one.jsonl"), &["--no-ledger"])),
            ],
        )
        .rows(1)
        .repeats(10),
        Case::new(
            "--version",
            vec![
                Way::new("psql --version", "", Program::Version(Who::Psql)).unchecked(),
                Way::new("dbload --version", "", Program::Version(Who::Dbload)).unchecked().within(0.005),
            ],
        )
        .rows(1)
        .repeats(10),
    ]
}

/// Whether cost grows with the table.
fn big(data: &Data) -> Vec<Case> {
    let (contiguous, spread) = (data.file(&data.big_name("contiguous")), data.file(&data.big_name("spread")));
    let in_big = |way: Way| way.check("base.big", "base.big");
    let staged_big = |file: &Path| staged("base.big", file, COLUMNS, "o_orderkey");
    vec![
        Case::new(
            "into a big table, contiguous keys",
            vec![
                Way::new(
                    "dbload, CSV, into 300,000",
                    &changed(1, "true"),
                    dbload("orders", &data.file("orders.csv"), &[]),
                ),
                in_big(Way::new("psql staged, CSV", &changed_in_big("contiguous"), staged_big(&contiguous))),
                in_big(Way::new(
                    "dbload, CSV",
                    &changed_in_big("contiguous"),
                    dbload("base.big", &contiguous, &[]),
                ))
                .target(1.25),
            ],
        ),
        Case::new(
            "into a big table, spread keys",
            vec![
                in_big(Way::new("psql staged, CSV", &changed_in_big("spread"), staged_big(&spread))),
                in_big(Way::new("dbload, CSV", &changed_in_big("spread"), dbload("base.big", &spread, &[])))
                    .target(0.80),
            ],
        ),
    ]
}
