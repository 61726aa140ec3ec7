//! Killed in the middle of a file of columns: nothing twice, nothing lost, and what was dealt with not read.

use std::fs;

use parquet::basic::Compression;

use super::written::{self, text};
use crate::rows;
use crate::support::api::{Api, Reply};
use crate::support::{Dbload, Outcome, Scene};

const ROWS: i64 = 20_000;
const GROUP: usize = 4_000;

fn load(scene: &Scene, name: &str) -> Dbload {
    scene.dbload(&format!("{name} -t t --mode append --batch-rows 1000 --pool-size 2"))
}

#[track_caller]
fn killed(scene: &Scene, name: &str, commits: u32) {
    let outcome = load(scene, name).env("DBLOAD_CRASH_AT", format!("committed:{commits}")).run();
    assert!(outcome.was_killed(), "{outcome}");
    scene.db.until_quiet();
}

/// Each row once, with its own value.
#[track_caller]
fn check_whole(scene: &Scene, outcome: &Outcome) {
    assert_eq!(outcome.rows().read, ROWS as u64, "{outcome}");
    assert_eq!(
        scene.db.one("SELECT count(*) || ' ' || count(DISTINCT id) || ' ' || max(id) FROM t"),
        format!("{ROWS} {ROWS} {}", ROWS - 1)
    );
    let values: String = (0..ROWS).map(|id| text(id) + "\n").collect();
    scene.file("expected.txt", &values);
    let stored = scene.db.lines("SELECT v FROM t ORDER BY id").join("\n") + "\n";
    assert!(stored == values, "values differ");
}

#[test]
fn killed_again_and_again_each_row_is_there_once() {
    for (name, bytes) in [
        ("a.parquet", written::parquet(&written::rows(ROWS), GROUP, Compression::SNAPPY)),
        ("a.arrows", arrow_stream(ROWS)),
    ] {
        let scene = Scene::with("CREATE TABLE t (id bigint, v text)");
        scene.file(name, bytes);
        for commits in [2, 3, 1, 5] {
            killed(&scene, name, commits);
        }
        check_whole(&scene, &load(&scene, name).run().exits(0));
    }
}

fn arrow_stream(rows: i64) -> Vec<u8> {
    let batch = written::rows(rows);
    let mut writer = arrow_ipc::writer::StreamWriter::try_new(Vec::new(), &batch.schema()).unwrap();
    for from in (0..batch.num_rows()).step_by(3_000) {
        writer.write(&batch.slice(from, (batch.num_rows() - from).min(3_000))).unwrap();
    }
    writer.into_inner().unwrap()
}

#[test]
fn row_groups_that_were_dealt_with_are_not_read_again() {
    let scene = Scene::with("CREATE TABLE t (id bigint, v text)");
    let file = written::parquet(&written::rows(ROWS), GROUP, Compression::UNCOMPRESSED);
    let second = usize::try_from(written::footer(&file).row_group(1).column(1).data_page_offset()).unwrap();
    // Behind the first 64 KiB, which tell a file that was replaced.
    assert!(second > 65_536 && file.len() > second + 200_000, "{second} of {}", file.len());
    scene.file("a.parquet", &file);
    // A writer each: both are behind the second row group.
    let one = |scene: &Scene| scene.dbload("a.parquet -t t --mode append --batch-rows 1000 --pool-size 1");
    let outcome = one(&scene).env("DBLOAD_CRASH_AT", "committed:9").run();
    assert!(outcome.was_killed(), "{outcome}");
    scene.db.until_quiet();
    let there = scene.db.count("t");
    assert!(there >= 2 * GROUP as u64, "{there}");
    let mut damaged = file;
    damaged[second..second + 2_000].fill(0xff);
    scene.file("a.parquet", &damaged);
    check_whole(&scene, &one(&scene).run().exits(0));
}

#[test]
fn another_file_under_the_name_is_refused() {
    let scene = Scene::with("CREATE TABLE t (id bigint, v text)");
    scene.file("a.parquet", written::parquet(&written::rows(ROWS), GROUP, Compression::SNAPPY));
    killed(&scene, "a.parquet", 3);
    scene.file("a.parquet", written::parquet(&written::rows(ROWS), GROUP - 1, Compression::SNAPPY));
    let there = scene.db.count("t");
    load(&scene, "a.parquet").run().exits(8);
    assert_eq!(scene.db.count("t"), there);
}

#[test]
fn rows_are_skipped_limited_and_numbered_like_lines() {
    let scene = Scene::with("CREATE TABLE t (id bigint CHECK (id <> 4321), v text)");
    scene.file("a.parquet", written::parquet(&written::rows(ROWS), GROUP, Compression::SNAPPY));
    let outcome = scene.run("a.parquet -t t --mode append --skip-records 4000").exits(3);
    assert_eq!(outcome.rows(), rows!(read: 16000, inserted: 15999, rejected: 1));
    let reject = &outcome.report().rejected(scene.cwd())[0];
    assert_eq!((reject.line, reject.record.as_ref().unwrap()["id"].get()), (4322, "\"4321\""));
    assert_eq!(scene.db.one("SELECT min(id) FROM t"), "4000");
}

#[test]
fn parquet_over_http_is_read_by_ranges_and_a_resume_asks_for_what_is_left() {
    let scene = Scene::with("CREATE TABLE t (id bigint, v text)");
    let file = written::parquet(&written::rows(ROWS), GROUP, Compression::UNCOMPRESSED);
    let groups = written::footer(&file);
    let third = u64::try_from(groups.row_group(2).column(0).data_page_offset()).unwrap();
    let served = bytes::Bytes::from(file);
    let body = served.clone();
    let api = Api::serve(move |ask| Reply::file(ask, body.clone(), "\"one\""));
    let url = api.url("/a.parquet");
    let one =
        |scene: &Scene| scene.dbload(&format!("{url} -t t --mode append --batch-rows 1000 --pool-size 1"));
    let outcome = one(&scene).env("DBLOAD_CRASH_AT", "committed:9").run();
    assert!(outcome.was_killed(), "{outcome}");
    scene.db.until_quiet();
    assert!(scene.db.count("t") >= 2 * GROUP as u64);
    // Forgets them.
    let _ = api.asked();
    check_whole(&scene, &one(&scene).run().exits(0));
    let asked: Vec<u64> = api
        .asked()
        .iter()
        .filter_map(|ask| ask.header("range")?.strip_prefix("bytes=")?.split('-').next()?.parse().ok())
        .collect();
    assert!(!asked.is_empty() && asked.iter().all(|from| *from >= third), "{asked:?} from {third}");
    // What a server gives no parts of is read of a copy.
    let whole = Api::serve(move |_| Reply::new(200, "application/octet-stream", served.clone()));
    scene.sql("TRUNCATE t");
    check_whole(&scene, &scene.run(&format!("{} -t t", whole.url("/a.parquet"))).exits(0));
}

#[test]
fn files_of_columns_come_through_a_pipe_and_compressed() {
    let scene = Scene::with("CREATE TABLE t (id bigint PRIMARY KEY, v text)");
    let stream = arrow_stream(5_000);
    let outcome = scene.dbload("- -t t").stdin(stream.clone()).run().exits(0);
    assert_eq!(outcome.rows(), rows!(read: 5000, inserted: 5000));
    scene.file("a.bin.gz", crate::support::compress::gzip(&stream));
    assert_eq!(scene.load("a.bin.gz -t t").rows(), rows!(read: 5000, unchanged: 5000));
    let file = fs::read("tests/data/columns/avro.deflate.avro").unwrap();
    scene.dbload("- -t avro").stdin(file).run().exits(0);
    assert!(scene.db.count("avro") > 0);
    let parquet = written::parquet(&written::rows(5), GROUP, Compression::SNAPPY);
    let made = scene.dbload("- -t p").stdin(parquet.clone()).run().exits(0).rows();
    assert_eq!((made.read, made.inserted), (5, 5));
    scene.file("a.parquet.gz", crate::support::compress::gzip(&parquet));
    scene.load("a.parquet.gz -t q");
    scene.file("a.zip", crate::support::archive::zip(&[("a.parquet", &parquet)]));
    scene.load("a.zip -t r");
    assert_eq!(scene.db.digest("p"), scene.db.digest("q"));
    assert_eq!(scene.db.digest("p"), scene.db.digest("r"));
    scene.file("cut.parquet.gz", &crate::support::compress::gzip(&parquet)[..200]);
    scene.run("cut.parquet.gz -t q").exits(4);
    scene.dbload("- -t p").stdin(parquet[..parquet.len() - 9].to_vec()).run().exits(4);
}
