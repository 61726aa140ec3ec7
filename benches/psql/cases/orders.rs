//! Orders and lineitem of TPC-H: the cases of the speed issue.

use super::{
    COLUMNS, Case, FRESH, KEYLESS, LINE_COLUMNS, LINEITEM, Program, Target, Way, Who, changed, copy, dbload,
    staged, staged_last,
};
use crate::data::{Data, IN_FILES};

/// The loader's own CPU time for a row of orders, in microseconds, and its memory: what the issue allows.
const CSV_MICROS: f64 = 0.6;
const JSONL_MICROS: f64 = 1.0;
pub(super) const PEAK_MIB: f64 = 64.0;

/// Orders by psql's staged script, and by dbload from CSV and JSONL, into the same table.
pub(super) fn both(name: &'static str, prepare: &str, data: &Data, targets: [f64; 2]) -> Case {
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

pub(super) fn upserts(data: &Data) -> Vec<Case> {
    let (csv, jsonl) = (data.file("orders.csv"), data.file("orders.jsonl"));
    let (repeated, repeated_jsonl) = (data.file("repeated.csv"), data.file("repeated.jsonl"));
    let mut fresh = both("fresh", FRESH, data, [0.45, 0.50]);
    for (at, micros) in [(1, CSV_MICROS), (2, JSONL_MICROS)] {
        fresh.ways[at].targets.extend([Target::Cpu(micros), Target::Peak(PEAK_MIB)]);
    }
    fresh.ways.insert(1, Way::new("psql \\copy, CSV", FRESH, copy("orders", &csv)));
    let mut unchanged = both("all unchanged", &changed(0, "true"), data, [0.35, 0.40]);
    unchanged.ways.iter_mut().skip(1).for_each(|way| way.targets.push(Target::Wal(0.01)));
    let in_repeated = |way: Way| way.check("orders", "base.repeated");
    vec![
        fresh,
        both("all changed", &changed(1, "true"), data, [0.55, 0.55]),
        unchanged,
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

pub(super) fn others(data: &Data) -> Vec<Case> {
    let file = |name: &str| data.file(name);
    let orders = |name: &str, words: &[&str]| dbload("orders", &file(name), words);
    let (line_csv, line_jsonl) = (file(&data.lines_name("csv")), file(&data.lines_name("jsonl")));
    let line_parquet = file(&data.lines_name("parquet"));
    let lineitem = |name: &str, program| Way::new(name, LINEITEM, program).check("lineitem", "base.lineitem");
    vec![
        Case::new(
            "lineitem, fresh",
            vec![
                lineitem(
                    "psql staged, CSV",
                    staged("lineitem", &line_csv, LINE_COLUMNS, "l_orderkey,l_linenumber"),
                ),
                lineitem("psql \\copy, CSV", copy("lineitem", &line_csv)),
                lineitem("dbload, CSV", dbload("lineitem", &line_csv, &[]))
                    .target(0.50)
                    .at_most(Target::Peak(PEAK_MIB)),
                lineitem("dbload, JSONL", dbload("lineitem", &line_jsonl, &[]))
                    .target(0.50)
                    .at_most(Target::Peak(PEAK_MIB)),
            ],
        )
        .rows(data.lines),
        Case::new(
            "lineitem as Parquet, fresh",
            vec![
                lineitem("dbload, CSV", dbload("lineitem", &line_csv, &[])),
                lineitem("dbload, Parquet (zstd)", dbload("lineitem", &line_parquet, &[]))
                    .target(1.00)
                    .at_most(Target::Peak(PEAK_MIB)),
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
        )
        // A difference of one in a hundred shows in the median of many runs only.
        .repeats(3),
        small_files(data),
    ]
}

/// 5,000 JSON files of 20 records, which cost an opening each.
fn small_files(data: &Data) -> Case {
    const FEW: &str = "DROP TABLE IF EXISTS few;\nCREATE TABLE few (LIKE base.few INCLUDING ALL);\n";
    let few = |name: &str, program| Way::new(name, FEW, program).check("few", "base.few");
    let psql = staged("few", &data.file("few.csv"), COLUMNS, "o_orderkey");
    let ways = vec![
        few("psql staged, one CSV", psql),
        few("dbload, 5,000 JSON files", dbload("few", &data.file("few"), &[])).at_most(Target::Seconds(0.6)),
    ];
    Case::new("small files, fresh", ways).rows(IN_FILES)
}

/// Start to end of a process that has next to nothing to do.
pub(super) fn short(data: &Data) -> Vec<Case> {
    let stored = "CREATE TABLE IF NOT EXISTS one (LIKE base.orders INCLUDING ALL);\n\
                  INSERT INTO one SELECT * FROM base.one ON CONFLICT (o_orderkey) DO UPDATE SET o_totalprice = 0;\n";
    let one = |name: &str, program| Way::new(name, stored, program).check("one", "base.one");
    let psql = staged("one", &data.file("one.csv"), COLUMNS, "o_orderkey");
    vec![
        Case::new(
            "one record",
            vec![
                one("psql staged, CSV", psql),
                one("dbload, JSONL", dbload("one", &data.file("one.jsonl"), &[]))
                    .at_most(Target::Seconds(0.020)),
                one("dbload --no-ledger, JSONL", dbload("one", &data.file("one.jsonl"), &["--no-ledger"])),
            ],
        )
        .rows(1)
        .repeats(10),
        Case::new(
            "--version",
            vec![
                Way::new("psql --version", "", Program::Version(Who::Psql)).unchecked(),
                Way::new("dbload --version", "", Program::Version(Who::Dbload))
                    .unchecked()
                    .at_most(Target::Seconds(0.005)),
            ],
        )
        .rows(1)
        .repeats(10),
    ]
}
