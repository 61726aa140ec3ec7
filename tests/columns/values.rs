//! Every type, from every writer, digit for digit.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray, StructArray, TimestampNanosecondArray};
use arrow_schema::{DataType, Field};
use parquet::basic::Compression;

use super::written;
use crate::rows;
use crate::support::api::{Api, Reply};
use crate::support::{Rng, Scene};

/// Files that the writers made once.
const KEPT: &str = "tests/data/columns";
/// What tells which SQL is of a file.
fn sql_of(file: &str) -> &str {
    file.split('.').next().unwrap()
}

/// Loads a file into a new table, and compares types and rows with what its writer has said.
#[track_caller]
fn check(folder: &Path, file: &str) {
    let scene = Scene::new();
    let expected = std::fs::read_to_string(folder.join(format!("{}.sql", sql_of(file)))).unwrap();
    scene.sql(&expected);
    let count = expected.matches("INSERT INTO").count() as u64;
    let path = folder.join(file);
    let outcome = scene.load(&format!("{} -t t", path.display()));
    assert_eq!((outcome.rows().read, outcome.rows().inserted), (count, count), "{file}: {outcome}");
    let types = |table: &str| {
        scene.db.lines(&format!(
            "SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute \
             WHERE attrelid = '{table}'::regclass AND attnum > 0 ORDER BY attnum"
        ))
    };
    assert_eq!(types("t"), types("expected"), "{file}");
    for (less, more) in [("t", "expected"), ("expected", "t")] {
        let differs = scene.db.lines(&format!("SELECT * FROM {less} EXCEPT ALL SELECT * FROM {more}"));
        assert_eq!(differs, Vec::<String>::new(), "{file}: in {less} alone");
    }
}

fn files(folder: &Path) -> Vec<String> {
    let names =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.filter(|name| !name.ends_with(".sql")).collect();
    names.sort();
    names
}

/// Requirements B4 (codecs), B11 (Avro's logical types), B12 (compressed buffers; told by the first bytes).
#[test]
fn what_pyarrow_duckdb_and_fastavro_wrote_is_in_the_table_digit_for_digit() {
    let folder = std::path::absolute(KEPT).unwrap();
    let files = files(&folder);
    for kind in ["parquet", "arrow", "arrows", "avro"] {
        assert!(files.iter().any(|file| file.ends_with(&format!(".{kind}"))), "no file of {kind} is kept");
    }
    for file in files {
        check(&folder, &file);
    }
}

#[test]
fn values_that_are_made_up_anew_are_in_the_table_digit_for_digit() {
    let python = PathBuf::from("target/python/columns/bin/python");
    if !python.exists() {
        println!(
            "skipped: no {}; `python3 -m venv target/python/columns` and its pip install pyarrow, duckdb, \
                  fastavro, cramjam, backports.zstd",
            python.display()
        );
        return;
    }
    let scene = Scene::new();
    let seed = Rng::new().below(1 << 30);
    println!("seed {seed}");
    let made = Command::new(python)
        .args(["tests/columns/write.py", scene.cwd().to_str().unwrap(), &seed.to_string(), "60"])
        .status()
        .unwrap();
    assert!(made.success());
    for file in files(scene.cwd()) {
        check(scene.cwd(), &file);
    }
}

fn nanos(values: &[i64]) -> RecordBatch {
    let ids: ArrayRef = Arc::new(Int64Array::from_iter_values(0..values.len() as i64));
    let times: ArrayRef = Arc::new(TimestampNanosecondArray::from(values.to_vec()));
    RecordBatch::try_from_iter([("id", ids), ("at", times)]).unwrap()
}

#[test]
fn nanoseconds_are_exact_or_a_reject_and_truncated_or_rounded_where_that_is_said() {
    let file = written::parquet(&nanos(&[1_000, 1_999, -1, 0]), 10, Compression::UNCOMPRESSED);
    let at = "SELECT id, at FROM t ORDER BY id";
    for (words, expected) in [
        ("", &["0|1970-01-01 00:00:00.000001", "3|1970-01-01 00:00:00"][..]),
        (
            "--sub-microseconds truncate",
            &[
                "0|1970-01-01 00:00:00.000001",
                "1|1970-01-01 00:00:00.000001",
                "2|1969-12-31 23:59:59.999999",
                "3|1970-01-01 00:00:00",
            ],
        ),
        (
            "--sub-microseconds round",
            &[
                "0|1970-01-01 00:00:00.000001",
                "1|1970-01-01 00:00:00.000002",
                "2|1970-01-01 00:00:00",
                "3|1970-01-01 00:00:00",
            ],
        ),
    ] {
        let scene = Scene::with("CREATE TABLE t (id bigint PRIMARY KEY, at timestamp)");
        scene.file("a.parquet", &file);
        let outcome = scene.run(&format!("a.parquet -t t {words}"));
        let outcome = outcome.exits(if words.is_empty() { 3 } else { 0 });
        assert_eq!(scene.db.lines(at), expected, "{words}");
        if words.is_empty() {
            // B13: a reject is a line of JSON with the row's number and all its digits, and loads again.
            let rejects = outcome.report().rejected(scene.cwd());
            assert_eq!(rejects.iter().map(|reject| reject.line).collect::<Vec<_>>(), [2, 3]);
            let shown = rejects[0].record.as_ref().unwrap()["at"].get().to_owned();
            assert_eq!(shown, "\"1970-01-01 00:00:00.000001999\"");
            let name = outcome.report().rejects.file.unwrap().display().to_string();
            let again = scene.load(&format!("{name} -t t --narrowing allow"));
            assert_eq!(again.rows(), rows!(read: 2, inserted: 2));
            assert_eq!(scene.db.count("t"), 4);
        }
    }
}

/// Requirement B13, of rows with nested values, bytes and NUL.
#[test]
fn rejects_are_lines_of_json_that_load_again() {
    let thing: ArrayRef = Arc::new(StructArray::from(vec![(
        Arc::new(Field::new("a", DataType::Int64, true)),
        Arc::new(Int64Array::from(vec![1, 2, 3])) as ArrayRef,
    )]));
    let batch = RecordBatch::try_from_iter([
        ("id", Arc::new(Int64Array::from(vec![1, 2, 3])) as ArrayRef),
        ("n", Arc::new(StringArray::from(vec!["7", "seven\\\t\n\"", "8"])) as ArrayRef),
        ("s", Arc::new(StringArray::from(vec!["x", "y", "a\0b"])) as ArrayRef),
        ("thing", thing),
        ("raw", Arc::new(arrow_array::BinaryArray::from_vec(vec![b"\0", b"\\", b"ab"])) as ArrayRef),
    ]);
    let scene = Scene::with("CREATE TABLE t (id int PRIMARY KEY, n int, s text, thing jsonb, raw bytea)");
    scene.file("a.parquet", written::parquet(&batch.unwrap(), 10, Compression::UNCOMPRESSED));
    let outcome = scene.run("a.parquet -t t").exits(3);
    assert_eq!(outcome.rows(), rows!(read: 3, inserted: 1, rejected: 2));
    assert_eq!(scene.db.lines("SELECT * FROM t"), ["1|7|x|{\"a\": 1}|\\x00"]);
    let name = outcome.report().rejects.file.unwrap().display().to_string();
    scene.sql("ALTER TABLE t ALTER n TYPE text");
    let again = scene.load(&format!("{name} -t t --on-nul strip"));
    assert_eq!(again.rows(), rows!(read: 2, inserted: 2));
    assert_eq!(
        scene.db.lines("SELECT id, n, s, thing, raw FROM t WHERE id > 1 ORDER BY id"),
        ["2|seven\\\t\n\"|y|{\"a\": 2}|\\x5c", "3|8|ab|{\"a\": 3}|\\x6162"]
    );
}

/// Requirement B6.
#[test]
fn a_column_with_a_dot_in_its_name_is_not_one_within_another() {
    let inner: ArrayRef = Arc::new(StructArray::from(vec![(
        Arc::new(Field::new("b", DataType::Int64, true)),
        Arc::new(Int64Array::from(vec![1])) as ArrayRef,
    )]));
    let dotted: ArrayRef = Arc::new(Int64Array::from(vec![2]));
    let batch = RecordBatch::try_from_iter([("a", inner), ("a.b", dotted)]).unwrap();
    let scene = Scene::new();
    scene.file("a.parquet", written::parquet(&batch, 10, Compression::UNCOMPRESSED));
    scene.load("a.parquet -t t");
    assert_eq!(scene.db.lines("SELECT a, \"a.b\" FROM t"), ["{\"b\": 1}|2"]);
}

#[test]
fn a_column_that_a_file_lacks_is_absent_and_the_types_of_the_target_decide() {
    let scene = Scene::with("CREATE TABLE t (id int PRIMARY KEY, v text DEFAULT 'given', n numeric)");
    let ids: ArrayRef = Arc::new(Int64Array::from(vec![1, 2]));
    let texts: ArrayRef = Arc::new(StringArray::from(vec![Some("one"), None]));
    let numbers: ArrayRef = Arc::new(arrow_array::Float64Array::from(vec![1.5, 2.0]));
    let first = RecordBatch::try_from_iter([("id", Arc::clone(&ids)), ("v", texts)]).unwrap();
    let ids_after: ArrayRef = Arc::new(StringArray::from(vec!["1", "3"]));
    let second = RecordBatch::try_from_iter([("n", numbers), ("id", ids_after)]).unwrap();
    scene.file("1.parquet", written::parquet(&first, 10, Compression::UNCOMPRESSED));
    scene.file("2.parquet", written::parquet(&second, 10, Compression::UNCOMPRESSED));
    scene.load("1.parquet 2.parquet -t t");
    assert_eq!(scene.db.lines("SELECT * FROM t ORDER BY id"), ["1|one|1.5", "2|NULL|NULL", "3|given|2"]);
}

/// Of a file and of a body, into a table that the load makes.
#[test]
fn doubles_of_all_digits_are_no_rejects_and_a_body_says_its_types_too() {
    let values: Vec<f64> = (1..400)
        .map(|i| f64::from(i) / 7.0 * 10_f64.powi(i % 40 - 20))
        .chain([5e-324, f64::MAX, -0.0])
        .collect();
    let numbers: ArrayRef = Arc::new(arrow_array::Float64Array::from(values.clone()));
    let ids: ArrayRef = Arc::new(Int64Array::from_iter_values(0..402));
    let small: ArrayRef = Arc::new(arrow_array::Int16Array::from_iter_values(0..402));
    let batch = RecordBatch::try_from_iter([("id", ids), ("small", small), ("d", numbers)]).unwrap();
    let bytes = written::parquet(&batch, 100, Compression::SNAPPY);
    let scene = Scene::new();
    scene.file("a.parquet", &bytes);
    let api = Api::serve(move |ask| Reply::file(ask, bytes.clone(), "\"v1\""));
    for (source, table) in [("a.parquet".to_owned(), "t"), (api.url("/a.parquet"), "u")] {
        let outcome = scene.load(&format!("{source} --table {table}"));
        assert_eq!(outcome.rows(), rows!(read: 402, inserted: 402));
        let stored = scene.db.lines(&format!("SELECT d FROM {table} ORDER BY id"));
        let bits = |value: f64| value.to_bits();
        let stored: Vec<u64> = stored.iter().map(|text| bits(text.parse().unwrap())).collect();
        assert_eq!(stored, values.iter().copied().map(bits).collect::<Vec<_>>());
        let types = format!(
            "SELECT string_agg(format_type(atttypid, atttypmod), ' ' ORDER BY attnum) FROM pg_attribute \
             WHERE attrelid = '{table}'::regclass AND attnum > 0"
        );
        assert_eq!(scene.db.one(&types), "bigint smallint double precision");
    }
}

#[test]
fn files_of_all_formats_are_one_list_of_sources() {
    let scene = Scene::with("CREATE TABLE t (id int PRIMARY KEY, v text)");
    scene.file("b.parquet", written::parquet(&written::rows(3), 10, Compression::UNCOMPRESSED));
    scene.file("c.csv", "id,v\n1,from CSV\n");
    scene.file("d.jsonl", "{\"id\":7,\"v\":\"from JSON\"}\n");
    assert_eq!(scene.load(". -t t").rows(), rows!(read: 5, inserted: 4, deduplicated: 1));
    let expected =
        [format!("0|{}", written::text(0)), "1|from CSV".to_owned(), format!("2|{}", written::text(2))];
    assert_eq!(scene.db.lines("SELECT * FROM t WHERE id < 3 ORDER BY id"), expected);
}
