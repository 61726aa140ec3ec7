//! Beginning anew: a flag that means once is obeyed once, and what is advised is true for the mode of the
//! load.

use dbload::internals::local::{Options, TempServer};
use rustix::process::Signal;

use crate::{
    rows,
    support::{Database, Folder, Outcome, Scene, until},
};

const RECORDS: u64 = 12_000;

fn numbered(records: u64) -> String {
    (0..records).fold("id,v\n".to_owned(), |text, id| text + &format!("{id},v{id}\n"))
}

/// A table that takes about so many milliseconds a row.
fn slow(key: &str, milliseconds: f64) -> String {
    format!(
        "CREATE TABLE t (id bigint {key}, v text); \
         CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep({}); RETURN NULL; END $$; \
         CREATE TRIGGER slow AFTER INSERT OR UPDATE ON t FOR EACH ROW EXECUTE FUNCTION slow()",
        milliseconds / 1000.0
    )
}

/// Begins a load of `t.csv` with these words and kills it in the middle; the rows that it has left.
fn killed(scene: &Scene, words: &str) -> u64 {
    let running = scene.dbload(&format!("t.csv --batch-rows 50 --pool-size 1 {words}")).spawn();
    let committed = "SELECT coalesce(sum(inserted), 0) FROM _dbload.checkpoint";
    until("batches are committed", || {
        scene.db.try_rows(committed).is_ok_and(|(rows, _)| rows[0][0].as_deref().is_some_and(|n| n != "0"))
    });
    running.signal(Signal::KILL);
    running.wait();
    scene.db.until_quiet();
    scene.sql("DROP TRIGGER slow ON t");
    scene.db.count("t")
}

#[test]
fn an_append_that_restarts_and_loses_commits_goes_on_with_its_own_run() {
    // How many commits a crash takes is the server's affair: more than none, in one of these.
    let mut lost = false;
    for _ in 0..4 {
        let server = TempServer::start(Options::default()).unwrap();
        server.create_database("doomed").unwrap();
        let scene = Scene { db: Database::connect(&server.dsn("doomed")), folder: Folder::new() };
        scene.sql(&slow("", 0.3));
        scene.file("t.csv", numbered(RECORDS));
        // The writer of the log sleeps as long as it may: what was acknowledged is not on the disk.
        for setting in ["wal_writer_delay = '10s'", "wal_writer_flush_after = '1GB'"] {
            scene.sql(&format!("ALTER SYSTEM SET {setting}"));
        }
        scene.sql("SELECT pg_reload_conf()");
        let words = "t.csv --mode append --restart --again --take-over --pool-size 2 --batch-rows 200";
        let running = scene.dbload(words).spawn();
        let batches = |db: &Database| {
            let sql = "SELECT coalesce(sum(batches), 0) FROM _dbload.checkpoint";
            db.try_rows(sql).ok().and_then(|(rows, _)| rows[0][0].as_ref()?.parse::<u64>().ok()).unwrap_or(0)
        };
        until("batches are committed", || batches(&scene.db) >= 8);
        let before = batches(&scene.db);
        server.kill9();
        server.restart().unwrap();
        let db = Database::connect(&server.dsn("doomed"));
        lost |= batches(&db) < before;
        db.sql(
            "CREATE OR REPLACE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
        );
        let outcome = running.wait().exits(0);
        assert!(!outcome.stderr.contains("given up"), "{outcome}");
        assert_eq!(db.lines("SELECT count(*), count(DISTINCT id) FROM t"), [format!("{RECORDS}|{RECORDS}")]);
        assert_eq!(outcome.rows(), rows!(read: RECORDS, inserted: RECORDS), "{outcome}");
        assert_eq!(db.lines("SELECT state FROM _dbload.run"), ["complete"], "one run: {outcome}");
        if lost {
            assert!(outcome.report().attempts > 1, "{outcome}");
            return;
        }
    }
    panic!("no crash has lost a commit: the test tests nothing");
}

/// The last hint that was given.
#[track_caller]
fn hint(outcome: &Outcome) -> String {
    let lines: Vec<_> = outcome.stderr.lines().filter(|line| line.starts_with("hint: ")).collect();
    (*lines.last().unwrap_or_else(|| panic!("no hint: {outcome}"))).to_owned()
}

#[test]
fn a_restart_that_would_double_an_append_is_refused_with_what_to_do_and_that_works() {
    let begin = || {
        let scene = Scene::with(&slow("", 1.0));
        scene.file("t.csv", numbered(600));
        let rows = killed(&scene, "--mode append");
        assert!((1..600).contains(&rows));
        (scene, rows)
    };
    let is_whole = |scene: &Scene| {
        assert_eq!(scene.db.lines("SELECT count(*), count(DISTINCT id) FROM t"), ["600|600"]);
    };
    // Going on.
    let (scene, rows) = begin();
    let refused = scene.run("t.csv --mode append --restart").exits(8);
    let run = scene.db.one("SELECT run FROM _dbload.run");
    for said in [
        rows.to_string().as_str(),
        run.as_str(),
        "public.t",
        "without --restart",
        "TRUNCATE public.t",
        "--restart --again",
    ] {
        assert!(refused.stderr.contains(said), "{said}: {refused}");
    }
    assert_eq!(scene.db.one("SELECT state FROM _dbload.run"), "running", "a refusal changes nothing");
    assert_eq!(scene.run("t.csv --mode append").exits(0).report().attempts, 2);
    is_whole(&scene);
    // Emptied, the one flag is enough.
    let (scene, _) = begin();
    scene.sql("TRUNCATE t");
    scene.run("t.csv --mode append --restart").exits(0);
    is_whole(&scene);
    // The run's rows deleted, beside others that stay.
    let (scene, _) = begin();
    scene.sql("DELETE FROM t; INSERT INTO t VALUES (-1, 'mine')");
    scene.run("t.csv --mode append --restart").exits(8).says("goes on where it stopped; or delete the");
    scene.run("t.csv --mode append --restart --again").exits(0).says("is given up");
    scene.sql("DELETE FROM t WHERE id = -1");
    is_whole(&scene);
    // Nothing was inserted: nothing to say twice.
    let scene = Scene::with("CREATE TABLE t (id int, v text)");
    scene.file("t.csv", "id,v\nx,1\ny,2\n");
    scene.run("t.csv --mode append --max-rejects 0").exits(9);
    scene.run("t.csv --mode append --restart").exits(3);
}

#[test]
fn what_a_changed_target_or_source_or_setting_asks_for_is_true_for_the_mode() {
    type Change = fn(&Scene);
    let changes: [(&str, Change, &str); 4] = [
        ("rewritten", |scene| scene.sql("ALTER TABLE t ALTER COLUMN v TYPE varchar(9)"), ""),
        ("rebuilt", |scene| scene.sql("ALTER TABLE t ADD COLUMN more float DEFAULT random()"), ""),
        (
            "shrunk",
            |scene| {
                scene.file("t.csv", numbered(300));
            },
            "",
        ),
        ("settings", |_| {}, "--timezone Asia/Tokyo"),
    ];
    for (mode, key) in [("append", ""), ("upsert", "PRIMARY KEY"), ("ignore", "PRIMARY KEY")] {
        for (what, change, words) in &changes {
            let scene = Scene::with(&slow(key, 1.0));
            scene.file("t.csv", numbered(600));
            let rows = killed(&scene, &format!("--mode {mode}"));
            change(&scene);
            let command = format!("t.csv --mode {mode} {words}");
            let refused = scene.run(&command);
            if refused.code() == 0 {
                // A change that is none to this load.
                continue;
            }
            let refused = refused.exits(8);
            let hint = hint(&refused);
            assert!(hint.contains(&format!("the {rows} rows")), "{mode}, {what}: {refused}");
            let records = if *what == "shrunk" { 300 } else { 600 };
            if mode == "append" {
                assert!(hint.contains("delete") && hint.contains("--restart --again"), "{what}: {refused}");
                scene
                    .run(&format!("{command} --restart"))
                    .exits(8)
                    .says("would append all sources once more");
                scene.sql("DELETE FROM t");
                scene.run(&format!("{command} --restart --again")).exits(0);
            } else {
                assert!(!hint.contains("delete") && hint.contains("--restart"), "{what}: {refused}");
                assert_eq!(hint.contains("as they are"), mode == "ignore", "{what}: {refused}");
                scene.run(&format!("{command} --restart")).exits(0);
            }
            let counts = "SELECT count(*) FILTER (WHERE id < 300), count(DISTINCT id) >= $ FROM t";
            assert_eq!(
                scene.db.lines(&counts.replace('$', &records.to_string())),
                ["300|t"],
                "{mode}, {what}"
            );
        }
    }
}

/// The same command, without `--mode`, once went by the key: it must not append what it had stored by that.
#[test]
fn a_load_whose_key_is_gone_is_refused_and_goes_on_when_it_is_back() {
    let scene = Scene::with(&slow("PRIMARY KEY", 0.05));
    scene.file("t.csv", numbered(RECORDS));
    let left = killed(&scene, "");
    assert!(left > 0 && left < RECORDS, "{left}");
    scene.sql("ALTER TABLE t DROP CONSTRAINT t_pkey");
    for words in ["", "--restart", "--restart --again"] {
        let line = format!("t.csv --batch-rows 50 --pool-size 1 {words}");
        scene.plain(&line).run().exits(8).says("no unique index on (id)").says("--mode append");
        assert_eq!(scene.db.count("t"), left, "{line}");
    }
    scene.sql("ALTER TABLE t ADD PRIMARY KEY (id)");
    let outcome = scene.dbload("t.csv --batch-rows 50 --pool-size 1").run().exits(0);
    assert_eq!(outcome.report().attempts, 2, "it went on: {outcome}");
    assert_eq!(outcome.rows(), rows!(read: RECORDS, inserted: RECORDS));
    // A complete one as well; who wants an append says so.
    scene.sql("ALTER TABLE t DROP CONSTRAINT t_pkey");
    scene.plain("t.csv --batch-rows 50 --pool-size 1").run().exits(8).says("create the index again");
    assert_eq!(scene.db.count("t"), RECORDS);
    let outcome = scene.dbload("t.csv --batch-rows 50 --mode append").run().exits(0);
    assert_eq!(outcome.rows(), rows!(read: RECORDS, inserted: RECORDS));
    assert_eq!(scene.db.count("t"), 2 * RECORDS);
}
