//! Archives behind a URL: their members are sources as those of a file are, and a resume goes on in one.

use super::{check, kill_beyond, lines, scene};
use crate::rows;
use crate::support::api::{Api, Reply};
use crate::support::archive::{tar, zip};
use crate::support::{Scene, audit, compress};

fn served(bytes: Vec<u8>) -> Api {
    Api::serve(move |_| Reply::new(200, "application/octet-stream", bytes.clone()))
}

/// Each batch takes so long.
fn slow(scene: &Scene) {
    scene.sql(
        "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.05); RETURN NULL; END $$;
         CREATE TRIGGER slow AFTER INSERT ON t FOR EACH STATEMENT EXECUTE FUNCTION slow()",
    );
}

#[test]
fn members_of_an_archive_behind_a_url_are_chosen_as_those_of_a_file() {
    let (one, two) = (lines(0, 2_000), lines(2_000, 3_000));
    let files: [(&str, &[u8]); 3] =
        [("2026/a.jsonl", one.as_bytes()), ("2026/b.jsonl", two.as_bytes()), ("read.me", b"no data")];
    for (name, bytes) in [
        ("data.zip", zip(&files)),
        ("data.tar", tar(&[], &files)),
        ("data.tar.gz", compress::gzip(&tar(&[], &files))),
    ] {
        let api = served(bytes);
        let scene = scene();
        let url = api.url(&format!("/{name}"));
        scene.run(&format!("{url} -t t")).exits(4).says("has 3 files").says(&format!("'{url}#2026/a.jsonl'"));
        api.asked();
        // What signs it is no part of its name, and is not stored.
        let signed = format!(
            "{url}?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=CANARY&X-Amz-Date=2026&X-Amz-Expires=60&X-Amz-SignedHeaders=host&X-Amz-Signature=CANARY"
        );
        let outcome = scene.load(&format!("{signed}#2026/* -t t"));
        check(&scene, 3_000, &outcome);
        let report = outcome.report();
        assert_eq!(report.rows, rows!(read: 3_000, inserted: 3_000), "{outcome}");
        assert_eq!(audit(&scene.db), report.rows);
        let names: Vec<&str> = report.sources.iter().map(|source| source.name.as_str()).collect();
        assert_eq!(names, [format!("{url}#2026/a.jsonl"), format!("{url}#2026/b.jsonl")]);
        assert_eq!(api.requests(), 1, "it is fetched once");
        let stored = scene.db.one("SELECT count(*) FROM _dbload.source s WHERE s::text LIKE '%CANARY%'");
        assert_eq!(stored, "0");
    }
}

#[test]
fn a_load_that_was_killed_goes_on_in_a_member_and_appends_it_once() {
    let (one, two) = (lines(0, 15_000), lines(15_000, 30_000));
    let files: [(&str, &[u8]); 2] = [("a.jsonl", one.as_bytes()), ("b.jsonl", two.as_bytes())];
    for (name, bytes) in [
        ("data.zip", zip(&files)),
        ("data.tar", tar(&[], &files)),
        ("data.tar.zst", compress::zstd(&tar(&[], &files))),
    ] {
        let api = served(bytes);
        let scene = scene();
        slow(&scene);
        let line =
            format!("{}#* -t t --mode append --batch-rows 500 --pool-size 2", api.url(&format!("/{name}")));
        for stored in [4_000, 18_000] {
            kill_beyond(&scene, scene.dbload(&line).spawn(), stored);
        }
        assert!(scene.db.count("t") < 30_000, "the kill came too late");
        let outcome = scene.load(&line);
        check(&scene, 30_000, &outcome);
        let report = outcome.report();
        assert_eq!((report.rows, report.attempts), (rows!(read: 30_000, inserted: 30_000), 3), "{outcome}");
        assert_eq!(audit(&scene.db), report.rows);
        scene.run(&line).exits(8).says("were appended to this table before");
        assert_eq!(scene.db.count("t"), 30_000);
    }
}

#[test]
fn an_archive_of_another_content_is_refused_on_a_resume() {
    let make = |letter: &str| {
        let text = lines(0, 30_000).replace("\"r1", &format!("\"{letter}1"));
        zip(&[("a.jsonl", text.as_bytes())])
    };
    let (first, second) = (make("r"), make("R"));
    let api = served(first);
    let scene = scene();
    slow(&scene);
    let line = format!("{} -t t --batch-rows 500 --pool-size 2", api.url("/data.zip"));
    kill_beyond(&scene, scene.dbload(&line).spawn(), 5_000);
    let before = scene.db.digest("t");
    api.answer_with(move |_| Reply::new(200, "application/zip", second.clone()));
    scene.run(&line).exits(8).says("changed").says("--restart");
    assert_eq!(scene.db.digest("t"), before);
    let outcome = scene.load(&format!("{line} --restart"));
    assert_eq!(outcome.report().rows.read, 30_000);
    assert_eq!(scene.db.one("SELECT count(*) FROM t WHERE note LIKE 'R%'"), "11111");
}

#[test]
fn what_is_no_archive_there_is_said_and_a_cut_one_is_none() {
    let text = lines(0, 500);
    let whole = tar(&[], &[("a.jsonl", text.as_bytes())]);
    // The end of a tar that the connection does not prove.
    let cut = Api::serve(move |_| Reply::new(200, "application/x-tar", whole.clone()).cut_after(4_096));
    let scene = scene();
    scene.run(&format!("{} -t t --http-tries 2", cut.url("/data.tar"))).exits(4);
    let page = served(b"<html>sign in</html>".to_vec());
    scene.run(&format!("{} -t t", page.url("/data.zip"))).exits(4).says("an HTML page");
    let text = served(b"id,v\n1,2\n".to_vec());
    scene.run(&format!("{} -t t", text.url("/data.zip"))).exits(4).says("no zip archive");
    let gone = Api::serve(|_| Reply::new(404, "text/plain", "no"));
    scene.run(&format!("{} -t t", gone.url("/data.zip"))).exits(4).says("404");
    assert_eq!(scene.db.count("t"), 0);
}

#[test]
fn many_archives_behind_urls_are_refused_before_one_more_is_fetched() {
    let api = served(zip(&[("a.jsonl", lines(0, 1).as_bytes())]));
    let scene = scene();
    let words = format!("{} -t t", api.url("/{1..257}.zip"));
    scene.run(&words).exits(4).says("more than 256 archives").says("load them in several runs");
    assert_eq!((api.requests(), scene.db.count("t")), (256, 0));
}

#[test]
fn sheets_of_a_workbook_behind_a_url_are_chosen_by_the_same_sign() {
    let book = std::fs::read("tests/data/sheets/types.xlsx").unwrap();
    let api = Api::serve(move |ask| Reply::file(ask, book.clone(), "\"1\""));
    let table = "(key int PRIMARY KEY, value text)";
    let scene =
        Scene::with(&format!("CREATE TABLE t {table}; CREATE TABLE u {table}; CREATE TABLE v {table}"));
    let url = api.url("/types.xlsx");
    let outcome = scene.load(&format!("{url}#other --range B2:C --table t"));
    assert_eq!(outcome.report().sources[0].name, format!("{url}#other"));
    let file = std::path::absolute("tests/data/sheets/types.xlsx").unwrap();
    scene.load(&format!("{}#other --range B2:C --table u", file.display()));
    assert_eq!(scene.db.digest("t"), scene.db.digest("u"));
    scene.run(&format!("{url}#nothing --table v")).exits(4).says("it has no sheet \"nothing\"");
}
