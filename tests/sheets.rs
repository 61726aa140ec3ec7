//! Workbooks: rows of their sheets, as openpyxl, pandas and xlwt wrote them (tests/data/sheets/write.py).

use std::path::PathBuf;
use std::time::Duration;

use crate::rows;
use crate::support::api::{Api, Reply};
use crate::support::{Scene, audit, until};

fn kept(name: &str) -> PathBuf {
    std::path::absolute("tests/data/sheets").unwrap().join(name)
}

#[test]
fn cells_are_what_is_stored_and_the_header_is_found_below_a_title() {
    let scene = Scene::new();
    let file = kept("types.xlsx");
    let plan = scene.plain(&format!("{} --table t --key id --dry-run", file.display())).run().exits(0);
    for words in ["header in row 3", "not read: notes, other"] {
        assert!(plan.stdout.contains(words) || plan.stderr.contains(words), "{words}: {plan}");
    }
    let outcome = scene.run(&format!("{} --table t --key id", file.display())).exits(3);
    assert_eq!(outcome.rows(), rows!(read: 5, inserted: 4, rejected: 1));
    for words in ["#N/A", "types.xlsx:8"] {
        assert!(outcome.stderr.contains(words), "{words}: {outcome}");
    }
    let rows =
        "SELECT id, code, price, \"on\", at, clock, took, paid, column_9, note, note_2 FROM t ORDER BY id";
    assert_eq!(
        scene.db.lines(&format!("SET timezone = 'UTC'; SET intervalstyle = 'postgres'; {rows}")),
        [
            "1|007|0.1|2026-11-30|2026-11-30 12:34:56+00|18:30:00|36:00:01.500|t|NULL|a\nb|x",
            "2|é|1234567890.125|1900-03-01|1999-12-31 23:59:59.5+00|00:00:00|00:00:00|f|7|NULL|NULL",
            "4|NULL|3|NULL|NULL|NULL|NULL|NULL|NULL|NULL|NULL",
            "6|last|1e+300|NULL|NULL|NULL|NULL|NULL|NULL|NULL|NULL",
        ]
    );
    assert_eq!(outcome.report().rejected(scene.cwd()).len(), 1);
}

#[test]
fn a_sheet_and_a_part_of_it_are_chosen() {
    let scene =
        Scene::with("CREATE TABLE t (key int PRIMARY KEY, value text); CREATE TABLE u (id int, \"on\" date)");
    let file = kept("types.xlsx");
    let outcome = scene.load(&format!("{} --sheet other --range B2:C --table t", file.display()));
    assert_eq!(outcome.rows(), rows!(read: 3, inserted: 3));
    assert_eq!(scene.db.lines("SELECT * FROM t ORDER BY key"), ["0|v0", "1|v1", "2|v2"]);
    scene
        .run(&format!("{} --sheet another --table t", file.display()))
        .exits(4)
        .says("its sheets are")
        .says("--sheet says which");
    scene
        .run(&format!("{} --range B --table t", file.display()))
        .exits(4)
        .says("is no part of a sheet")
        .says("for all rows of these columns");
    scene
        .run(&format!("{} --range ZZ1:ZZ9 --table t", file.display()))
        .exits(4)
        .says("is it the right --sheet and --range?");
    scene.load(&format!("{} --table u", kept("1904.xlsx").display()));
    assert_eq!(scene.db.lines("SELECT * FROM u"), ["1|2026-11-30"]);
}

#[test]
fn other_workbooks_are_read_too_and_what_is_none_is_refused() {
    let scene =
        Scene::with("CREATE TABLE t (id int PRIMARY KEY, v text, n numeric, \"on\" date, ok boolean)");
    for name in ["frame.ods", "frame.xls"] {
        scene.load(&format!("{} --table t", kept(name).display()));
        assert_eq!(
            scene.db.lines("SELECT * FROM t ORDER BY id"),
            ["1|a|1.5|2026-11-30|t", "2|NULL|2|2024-02-29|f"]
        );
        scene.sql("TRUNCATE t");
    }
    // An archive of something else, a document of something else, one that was cut off.
    let mut bytes = std::fs::read(kept("frame.ods")).unwrap();
    scene.file("cut.xlsx", &bytes[..bytes.len() / 2]);
    scene.run("cut.xlsx --table t").exits(4);
    let at = bytes.windows(11).position(|window| window == b"content.xml").unwrap();
    bytes[at] = b'k';
    let last = bytes.windows(11).rposition(|window| window == b"content.xml").unwrap();
    bytes[last] = b'k';
    scene.file("other.xlsx", &bytes);
    scene.run("other.xlsx --table t").exits(4).says("is no workbook").says("its files are sources");
    scene.file("old.doc", [b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1".as_slice(), &[0; 600]].concat());
    scene.run("old.doc --table t").exits(4);
    assert_eq!(scene.db.count("t"), 0);
}

#[test]
fn no_table_is_made_of_rows_that_have_no_values() {
    let scene = Scene::new();
    let outcome = scene.run(&format!("{} --table t", kept("failed.xlsx").display())).exits(4);
    outcome.says("#DIV/0!").says("is this the right --sheet and --range? A formula that fails");
}

#[test]
fn a_value_beside_the_columns_is_a_reject_and_nothing_is_left_out() {
    let scene = Scene::new();
    let outcome = scene.run(&format!("{} --table t --key id", kept("beside.xlsx").display())).exits(3);
    assert_eq!(outcome.rows(), rows!(read: 62, inserted: 61, rejected: 1));
    outcome.says("a value in column C, which has no name");
    // To the left of them, in a row whose other values are all there.
    let outcome = scene.run(&format!("{} --table u --key id", kept("left.xlsx").display())).exits(3);
    assert_eq!(outcome.rows(), rows!(read: 60, inserted: 59, rejected: 1));
    outcome.says("a value in column A, which has no name");
    scene.run(&format!("{} --table v", kept("far.xlsx").display())).exits(4).says("beyond the last column");
}

#[test]
fn a_load_of_a_sheet_goes_on_in_its_middle_and_a_body_is_read_by_parts() {
    let scene = Scene::with(
        "CREATE TABLE t (id int PRIMARY KEY, v text);
         CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.1); RETURN NULL; END $$;
         CREATE TRIGGER slow AFTER INSERT ON t FOR EACH STATEMENT EXECUTE FUNCTION slow()",
    );
    let bytes = std::fs::read(kept("many.xlsx")).unwrap();
    let api = Api::serve(move |ask| Reply::file(ask, bytes.clone(), "\"v1\""));
    for source in [kept("many.xlsx").display().to_string(), api.url("/many.xlsx")] {
        let command = || scene.dbload(&format!("{source} --table t --batch-rows 500 --pool-size 2"));
        let running = command().spawn();
        until("rows are stored", || scene.db.count("t") > 2_000);
        running.kill9_after(Duration::ZERO);
        assert!(scene.db.count("t") < 20_000);
        let outcome = command().run().exits(0).says("resum");
        assert_eq!(outcome.rows(), rows!(read: 20_000, inserted: 20_000));
        assert_eq!(audit(&scene.db), outcome.rows());
        assert_eq!(scene.db.one("SELECT count(*) FROM t WHERE v = 'value ' || id % 100"), "20000");
        scene.sql("TRUNCATE t; DROP SCHEMA _dbload CASCADE");
    }
}
