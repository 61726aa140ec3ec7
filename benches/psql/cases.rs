//! What is measured: each case is a table in some state and the ways of loading a file into it.

pub(crate) mod big;
mod far;
mod orders;
mod shapes;
pub(crate) mod tools;

use crate::{
    Outcome, Wish,
    data::{Data, ORDERS},
};
use std::{ffi::OsString, path::Path, time::Duration};

/// A table in some state, and who loads what into it. The first way is what the others are compared with.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    /// Records that are read.
    pub(crate) rows: usize,
    /// Rows of the table that a digest must look at, where it is larger.
    pub(crate) table_rows: usize,
    /// Runs of each way in a round: short ones need more.
    pub(crate) repeats: usize,
    /// Long ones are run once.
    pub(crate) rounds_max: usize,
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
    pub(crate) check: Option<(String, &'static str)>,
    /// What is allowed.
    pub(crate) targets: Vec<Target>,
}

/// What is allowed of one figure.
#[derive(Clone, Copy)]
pub(crate) enum Target {
    /// Time, in times of the case's first way.
    Ratio(f64),
    /// Time.
    Seconds(f64),
    /// Bytes of WAL, in times of the case's first way.
    Wal(f64),
    /// The program's own CPU time for a row, in microseconds.
    Cpu(f64),
    /// Peak memory in MiB.
    Peak(f64),
    /// Peak memory, in times of the case's first way.
    PeakRatio(f64),
}

/// What is run.
pub(crate) enum Program {
    /// psql, with this script.
    Psql(String),
    /// dbload, with these arguments and the DSN.
    Dbload(Vec<OsString>),
    /// Another loader: a command whose `{dsn}` is the server's URL over TCP.
    Tool(Vec<OsString>),
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

/// Changes the stored rows of the big table that a file has; by 0: only their places.
pub(crate) fn changed_in_big(by: u32, file: &str) -> String {
    format!(
        "UPDATE base.big SET o_totalprice = o_totalprice + {by} WHERE o_orderkey IN (SELECT o_orderkey FROM base.{file});\n\
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

/// The same where keys repeat: ON CONFLICT refuses to touch a row twice, so the last record of each is
/// picked.
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
    dbload_all(table, &[file], more)
}

fn dbload_all(table: &str, files: &[&Path], more: &[&str]) -> Program {
    let mut words: Vec<OsString> = files.iter().map(Into::into).collect();
    words.extend(["--table", table, "--pool-size", "2", "--json", "-q"].map(Into::into));
    words.extend(more.iter().map(Into::into));
    Program::Dbload(words)
}

impl Case {
    fn new(name: &'static str, ways: Vec<Way>) -> Self {
        Self {
            name,
            rows: ORDERS,
            table_rows: ORDERS,
            repeats: 1,
            rounds_max: usize::MAX,
            round_trip: Duration::ZERO,
            ways,
        }
    }

    fn rows(self, rows: usize) -> Self {
        Self { rows, table_rows: rows, ..self }
    }

    fn table_rows(self, table_rows: usize) -> Self {
        Self { table_rows, ..self }
    }

    fn repeats(self, repeats: usize) -> Self {
        Self { repeats, ..self }
    }

    fn once(self) -> Self {
        Self { rounds_max: 1, ..self }
    }

    fn round_trip_ms(self, ms: u64) -> Self {
        Self { round_trip: Duration::from_millis(ms), ..self }
    }
}

impl Way {
    fn new(name: &str, prepare: &str, program: Program) -> Self {
        let check = Some(("orders".to_owned(), "base.orders"));
        Self { name: name.to_owned(), prepare: prepare.to_owned(), program, check, targets: Vec::new() }
    }

    fn check(self, table: &str, base: &'static str) -> Self {
        Self { check: Some((table.to_owned(), base)), ..self }
    }

    fn unchecked(self) -> Self {
        Self { check: None, ..self }
    }

    /// A time in times of the case's first way.
    fn target(self, ratio: f64) -> Self {
        self.at_most(Target::Ratio(ratio))
    }

    fn at_most(mut self, target: Target) -> Self {
        self.targets.push(target);
        self
    }
}

/// All cases that were asked for.
pub(crate) fn all(data: &Data, wish: &Wish) -> Outcome<Vec<Case>> {
    let mut cases = orders::upserts(data);
    cases.extend(orders::others(data));
    cases.extend(shapes::cases(data, wish.full));
    cases.extend(far::cases(data));
    cases.extend(orders::short(data));
    if wish.full {
        cases.extend(far::sweeps(data));
        cases.extend(big::cases(data));
    }
    if wish.tools {
        cases.extend(tools::case(data)?);
    }
    let wanted = |case: &Case| wish.cases.as_ref().is_none_or(|part| case.name.contains(&**part));
    Ok(cases.into_iter().filter(wanted).collect())
}
