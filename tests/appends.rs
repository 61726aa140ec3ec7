//! An append is done once: whatever stands under the table's name by now, whoever else has appended the file,
//! however the same is said. The oracle is the table; hints are followed as they are printed.

use std::process::Command;

use crate::support::{Dbload, Outcome, Scene, archive, compress};

const TABLE: &str = "CREATE TABLE t (id int, v text)";

fn numbered(ids: std::ops::Range<u64>) -> String {
    ids.fold("id,v\n".to_owned(), |text, id| text + &format!("{id},v{id}\n"))
}

/// A load in small batches by one writer.
fn load(scene: &Scene, words: &str) -> Dbload {
    scene.dbload(&format!("{words} --mode append --batch-rows 100 --pool-size 1"))
}

/// Kills a load behind its second commit; the rows that it has left.
#[track_caller]
fn killed(scene: &Scene, words: &str) -> u64 {
    let outcome = load(scene, words).env("DBLOAD_CRASH_AT", "committed:2").run();
    assert!(outcome.was_killed(), "{outcome}");
    scene.db.until_quiet();
    scene.db.count("t")
}

/// Rows, and different ones.
fn counts(scene: &Scene) -> String {
    scene.db.one("SELECT count(*) || ' ' || count(DISTINCT id) FROM t")
}

/// The words behind `--again` in a hint, as a shell takes them.
#[track_caller]
fn again_of(outcome: &Outcome) -> Vec<String> {
    let hint = outcome.stderr.lines().find(|line| line.starts_with("hint: "));
    let hint = hint.unwrap_or_else(|| panic!("no hint: {outcome}"));
    let flag = &hint[hint.find("--again=").unwrap_or_else(|| panic!("no flag: {outcome}"))..];
    let flag = flag.split(" append").next().unwrap().split(" goes on").next().unwrap();
    let shell = Command::new("bash").arg("-c").arg(format!("printf '%s\\0' {flag}")).output().unwrap();
    assert!(shell.status.success(), "{flag}");
    let words = String::from_utf8(shell.stdout).unwrap();
    words.split_terminator('\0').map(str::to_owned).collect()
}

/// What stands under the name is another table, with the rows of the first: as after a restore, a copy that
/// takes the name, a rename.
const OTHERS: [&str; 2] = [
    "CREATE TABLE copy AS SELECT * FROM t; ALTER TABLE t RENAME TO t_old; ALTER TABLE copy RENAME TO t",
    "CREATE TABLE copy AS SELECT * FROM t; DROP TABLE t; CREATE TABLE t (id int, v text); \
     INSERT INTO t SELECT * FROM copy",
];

#[test]
fn a_table_that_took_the_name_is_asked_about_what_was_appended_under_it() {
    for change in OTHERS {
        let scene = Scene::with(TABLE);
        scene.file("a.csv", numbered(0..10));
        scene.file("b.csv", numbered(10..20));
        scene.load("a.csv -t t --mode append");
        scene.sql(change);
        for words in ["a.csv", "a.csv b.csv", "a.csv --restart"] {
            load(&scene, &format!("{words} -t t"))
                .run()
                .exits(8)
                .says("another table has its name since")
                .says("look whether its rows are there");
            assert_eq!(counts(&scene), "10 10", "{change}");
        }
        // Asked for, it is known of the new one from then on.
        scene.sql("DELETE FROM t WHERE id > 3");
        let words = again_of(&load(&scene, "a.csv -t t").run().exits(8));
        load(&scene, "a.csv -t t").args(words).run().exits(0);
        assert_eq!(counts(&scene), "14 10", "{change}");
        load(&scene, "a.csv b.csv -t t").run().exits(0);
        assert_eq!(counts(&scene), "24 20", "{change}");
        // Made anew, and empty: nothing of it is there.
        scene.sql("DROP TABLE t; CREATE TABLE t (id int, v text)");
        load(&scene, "a.csv b.csv -t t").run().exits(0);
        assert_eq!(counts(&scene), "20 20", "{change}");
    }
}

/// The number of a file that is gone is given to another one: as where each test of a suite writes its own
/// file for a table that it makes anew.
#[test]
fn a_file_that_was_given_the_number_of_one_that_is_gone_is_another_one() {
    for (name, next) in [("a.csv", "b.csv"), ("a.zip", "b.zip")] {
        let content = |text: String| match name {
            "a.zip" => archive::zip(&[("data.csv", text.as_bytes())]),
            _ => text.into_bytes(),
        };
        let scene = Scene::with(TABLE);
        for change in [OTHERS[1], "", "TRUNCATE t; INSERT INTO t VALUES (7, 'v7')"] {
            scene.file(name, content(numbered(0..10)));
            load(&scene, &format!("{name} -t t --again")).run().exits(0);
            if !change.is_empty() {
                scene.sql(&format!("DROP TABLE IF EXISTS copy; {change}"));
            }
            let before = scene.db.count("t");
            std::fs::rename(scene.cwd().join(name), scene.cwd().join(next)).unwrap();
            std::fs::write(scene.cwd().join(next), content(numbered(100..130))).unwrap();
            let outcome = load(&scene, &format!("{next} -t t")).run().exits(0);
            assert_eq!(scene.db.count("t"), before + 30, "{change}: {outcome}");
            scene.sql("DELETE FROM t; TRUNCATE _dbload.run CASCADE");
        }
    }
}

#[test]
fn an_unfinished_append_into_a_table_of_before_is_not_begun_anew_over_its_rows() {
    for change in OTHERS {
        let scene = Scene::with(TABLE);
        scene.file("a.csv", numbered(0..500));
        let there = killed(&scene, "a.csv -t t");
        assert!(there > 0 && there < 500, "{there}");
        scene.sql(change);
        let advice = format!("look whether the {there} rows that it has inserted are in public.t");
        load(&scene, "a.csv -t t").run().exits(8).says("dropped and created again").says(&advice);
        load(&scene, "a.csv -t t --restart").run().exits(8).says("may be in public.t").says(&advice);
        // Under another name of the load.
        load(&scene, "a.csv -t t --load-id other").run().exits(8);
        assert_eq!(scene.db.count("t"), there, "{change}");
        scene.sql("DELETE FROM t");
        load(&scene, "a.csv -t t --restart --again").run().exits(0);
        assert_eq!(counts(&scene), "500 500", "{change}");
    }
}

/// A restored ledger numbers tables as another cluster did: what has the same number by chance is no proof.
#[test]
fn a_number_of_the_catalog_under_another_name_is_no_proof() {
    let scene = Scene::with(TABLE);
    scene.file("a.csv", numbered(0..10));
    scene.file("b.csv", numbered(10..20));
    scene.load("a.csv -t t --mode append");
    // A rename leaves the rows, by which it is known.
    scene.sql("ALTER TABLE t RENAME TO u");
    scene.load("a.csv b.csv -t u --mode append");
    assert_eq!(scene.db.count("u"), 20);
    scene.sql("ALTER TABLE u RENAME TO t; TRUNCATE t; INSERT INTO t VALUES (99, 'other')");
    scene.sql("UPDATE _dbload.run SET target = '\"public\".\"u\"', target_file = (SELECT relfilenode FROM pg_class WHERE oid = target_oid)");
    load(&scene, "a.csv -t t").run().exits(8).says("it had another name then");
    assert_eq!(counts(&scene), "1 1");
}

/// A copy has the rows and no index: the same command would append.
#[test]
fn a_load_by_a_key_does_not_append_to_a_copy_without_one() {
    let scene = Scene::with("CREATE TABLE t (id int PRIMARY KEY, v text)");
    scene.file("a.csv", numbered(0..10));
    scene.plain("a.csv -t t").run().exits(0);
    scene.sql("CREATE TABLE copy AS SELECT * FROM t; DROP TABLE t; ALTER TABLE copy RENAME TO t");
    scene.plain("a.csv -t t").run().exits(8).says("create the index again");
    assert_eq!(counts(&scene), "10 10");
    scene.sql("ALTER TABLE t ADD PRIMARY KEY (id)");
    scene.plain("a.csv -t t").run().exits(0);
    assert_eq!(counts(&scene), "10 10");
    scene.sql("DROP TABLE t; CREATE TABLE t (id int, v text)");
    scene.plain("a.csv -t t").run().exits(0);
    assert_eq!(counts(&scene), "10 10");
}

/// Rows that a trigger has put elsewhere, or a part that was detached has kept, are not gone.
#[test]
fn rows_that_were_moved_are_not_gone() {
    let moves = "CREATE TABLE t (id int, v text); CREATE TABLE archive (id int, v text); ";
    let cases = [
        (
            format!(
                "{moves} CREATE FUNCTION move() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO archive VALUES (NEW.*); \
                 DELETE FROM t; RETURN NULL; END $$; \
                 CREATE TRIGGER move AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION move()"
            ),
            "",
            "archive",
            "its triggers may move rows",
        ),
        (
            format!(
                "{moves} CREATE FUNCTION move() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
                 INSERT INTO archive SELECT * FROM t; DELETE FROM t; RETURN NULL; END $$; \
                 CREATE TRIGGER move AFTER INSERT ON t FOR EACH STATEMENT EXECUTE FUNCTION move()"
            ),
            "",
            "archive",
            "its triggers may move rows",
        ),
        (
            format!(
                "{moves} CREATE FUNCTION move() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
                 INSERT INTO archive VALUES (NEW.*); RETURN NULL; END $$; \
                 CREATE TRIGGER move BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION move()"
            ),
            "",
            "archive",
            "its triggers may move rows",
        ),
        (
            "CREATE TABLE t (id int, v text) PARTITION BY RANGE (id); CREATE TABLE p PARTITION OF t DEFAULT"
                .to_owned(),
            "ALTER TABLE t DETACH PARTITION p; CREATE TABLE q PARTITION OF t DEFAULT",
            "p",
            "a part of it was detached since",
        ),
    ];
    for (schema, then, elsewhere, why) in cases {
        let scene = Scene::with(&schema);
        scene.file("a.csv", numbered(0..10));
        scene.file("b.csv", numbered(10..20));
        load(&scene, "a.csv -t t").run().exits(0);
        scene.sql(if then.is_empty() { "SELECT" } else { then });
        for words in ["a.csv", "a.csv b.csv"] {
            load(&scene, &format!("{words} -t t"))
                .run()
                .exits(8)
                .says(why)
                .says("look whether its rows are there");
        }
        assert_eq!(scene.db.count(elsewhere), 10, "{schema}");
        load(&scene, "a.csv b.csv -t t --again=a.csv").run().exits(0);
        let all =
            scene.db.one(&format!("SELECT (SELECT count(*) FROM t) + (SELECT count(*) FROM {elsewhere})"));
        assert_eq!(all, "30", "{schema}");
    }
    // Partitions of old records go, and their files are not appended for that; emptied ones are asked about.
    let scene = Scene::with(
        "CREATE TABLE t (id int, v text) PARTITION BY RANGE (id); CREATE TABLE p PARTITION OF t FOR VALUES FROM (0) TO (10); \
         CREATE TABLE q PARTITION OF t DEFAULT",
    );
    scene.file("a.csv", numbered(0..10));
    scene.file("b.csv", numbered(10..20));
    scene.file("c.csv", numbered(20..30));
    load(&scene, "a.csv b.csv -t t").run().exits(0);
    scene.sql("DROP TABLE p");
    load(&scene, "a.csv b.csv c.csv -t t").run().exits(0);
    assert_eq!(counts(&scene), "20 20");
    scene.sql("TRUNCATE q; INSERT INTO t VALUES (99, 'other')");
    load(&scene, "a.csv b.csv c.csv -t t").run().exits(8).says("truncated or rewritten since");
}

/// A trigger is asked about as it was when the rows came.
#[test]
fn rows_that_were_moved_by_a_trigger_of_before_are_not_gone_either() {
    let scene = Scene::with(
        "CREATE TABLE t (id int, v text); CREATE TABLE archive (id int, v text); \
         CREATE FUNCTION move() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
         INSERT INTO archive VALUES (NEW.*); RETURN NULL; END $$; \
         CREATE TRIGGER move BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION move()",
    );
    scene.file("a.csv", numbered(0..10));
    load(&scene, "a.csv -t t").run().exits(0);
    scene.sql("DROP TRIGGER move ON t");
    load(&scene, "a.csv -t t").run().exits(8).says("a trigger that it had then may have moved its rows");
    assert_eq!(scene.db.one("SELECT (SELECT count(*) FROM t), (SELECT count(*) FROM archive)"), "0|10");
    load(&scene, "a.csv -t t --again=a.csv").run().exits(0);
    assert_eq!(scene.db.one("SELECT (SELECT count(*) FROM t), (SELECT count(*) FROM archive)"), "10|10");
    // What came without a trigger is gone when the table is empty.
    scene.sql("TRUNCATE t; DELETE FROM _dbload.run WHERE target_files::text LIKE '%pt%'");
    load(&scene, "a.csv -t t").run().exits(0);
    assert_eq!(scene.db.count("t"), 10);
}

#[test]
fn an_append_does_not_go_on_with_what_another_run_has_appended_since() {
    let scene = Scene::with(TABLE);
    scene.file("a.csv", numbered(0..500));
    scene.file("b.csv", numbered(500..600));
    let there = killed(&scene, "a.csv b.csv -t t");
    // What the run has not come to is its own all the same.
    load(&scene, "b.csv -t t")
        .run()
        .exits(8)
        .says("is a source of the unfinished run")
        .says("finish that run first, by the command that began it (its sources: a.csv b.csv)");
    assert_eq!(scene.db.count("t"), there);
    let words = again_of(&load(&scene, "a.csv -t t").run().exits(8).says("unfinished"));
    load(&scene, "a.csv -t t").args(words).run().exits(0);
    assert_eq!(scene.db.count("t"), there + 500);
    let refused = load(&scene, "a.csv b.csv -t t").run().exits(8).says("after the unfinished run");
    let refused = refused.says(&format!("delete what that has put there of them ({there} records)"));
    assert_eq!(scene.db.count("t"), there + 500);
    // As it says: once.
    scene.sql("DELETE FROM t WHERE ctid IN (SELECT min(ctid) FROM t GROUP BY id HAVING count(*) > 1)");
    assert_eq!(counts(&scene), "500 500");
    // Or going on.
    load(&scene, "a.csv b.csv -t t").args(again_of(&refused)).run().exits(0);
    assert_eq!(counts(&scene), format!("{} 600", 500 + 500 - there + 100));

    // A copy of it, by a run that was begun first and goes on behind the start of the other.
    let scene = Scene::with(TABLE);
    scene.file("a.csv", numbered(0..500));
    killed(&scene, "a.csv -t t");
    scene.file("copy/a.csv", numbered(0..500));
    load(&scene, "copy/a.csv -t t --again=copy/a.csv").run().exits(0);
    load(&scene, "a.csv -t t").run().exits(8).says("after the unfinished run");
}

#[test]
fn an_append_that_has_done_nothing_gives_way_to_one_that_has() {
    let scene = Scene::with(TABLE);
    scene.file("a.csv", numbered(0..500));
    scene.file("b.csv", numbered(500..600));
    let outcome = load(&scene, "a.csv b.csv -t t").env("DBLOAD_CRASH_AT", "recorded:1").run();
    assert!(outcome.was_killed(), "{outcome}");
    scene.db.until_quiet();
    load(&scene, "a.csv -t t --again=a.csv").run().exits(0);
    let refused = load(&scene, "a.csv b.csv -t t").run().exits(8);
    refused.says("--restart gives the unfinished run up and leaves out what is there");
    load(&scene, "a.csv b.csv -t t --restart").run().exits(0);
    assert_eq!(counts(&scene), "600 600");
}

#[test]
fn the_flag_of_a_hint_is_the_files_name_as_a_shell_takes_it() {
    for name in [
        "a b.csv",
        "-x.csv",
        "it's.csv",
        "$HOME `ls`.csv",
        "a,b.csv",
        "yes",
        "1",
        "line\nend.csv",
        "~.csv",
        "größe.csv",
        "deep/er/ü*.csv",
    ] {
        let scene = Scene::with(TABLE);
        scene.file(name, numbered(0..10));
        scene.file("other.csv", numbered(10..20));
        let command = |more: &[String]| {
            let words = ["-t", "t", "--mode", "append", "--format", "csv"].map(str::to_owned);
            scene.dbload("").args(words).args(more).args(["--", name]).run()
        };
        command(&[]).exits(0);
        scene.load("other.csv -t t --mode append");
        scene.file(name, numbered(0..11));
        let refused = command(&["other.csv".to_owned()]).exits(8).says("appends all of it once more");
        let words = again_of(&refused);
        assert_eq!(words.len(), 1, "{name}: {refused}");
        command(&[words, vec!["other.csv".to_owned()]].concat()).exits(0);
        assert_eq!(counts(&scene), "31 20", "{name:?}: of this file, and of no other");
    }
}

#[test]
fn records_are_the_same_however_their_path_is_spelt() {
    let text = "{\"data\":{\"items\":[{\"id\":1,\"v\":\"x\"}],\"more\":[{\"id\":2,\"v\":\"y\"}]}}";
    for (one, other) in
        [("data.items", "/data/items"), ("/data/items", "data.items"), ("data..items", "/data/items")]
    {
        let scene = Scene::with(TABLE);
        scene.file("a.json", text);
        scene.load(&format!("a.json -t t --mode append --records {one}"));
        load(&scene, &format!("a.json -t t --records {other}"))
            .run()
            .exits(8)
            .says("appended to this table before");
        load(&scene, "a.json -t t --records data.more").run().exits(0);
        assert_eq!(counts(&scene), "2 2");
    }
    // A run that was begun by the one goes on by the other.
    let scene = Scene::with(TABLE);
    let items: Vec<String> = (0..500).map(|id| format!("{{\"id\":{id},\"v\":\"x\"}}")).collect();
    scene.file("a.json", format!("{{\"data\":{{\"items\":[{}]}}}}", items.join(",")));
    killed(&scene, "a.json -t t --records data.items");
    load(&scene, "a.json -t t --records /data/items").run().exits(0);
    assert_eq!(counts(&scene), "500 500");
}

#[test]
fn a_partition_and_its_table_are_asked_about_each_other() {
    let schema = "CREATE TABLE t (id int, v text) PARTITION BY RANGE (id); \
                  CREATE TABLE p PARTITION OF t FOR VALUES FROM (0) TO (100); CREATE TABLE q PARTITION OF t DEFAULT";
    for (first, then, says) in
        [("t", "p", "which this table is, or was, a part of"), ("p", "t", "which is a part of this table")]
    {
        let scene = Scene::with(schema);
        scene.file("a.csv", numbered(0..10));
        load(&scene, &format!("a.csv -t {first}")).run().exits(0);
        let refused = load(&scene, &format!("a.csv -t {then}")).run().exits(8).says(says);
        assert_eq!(counts(&scene), "10 10");
        if then == "p" {
            scene.sql("ALTER TABLE t DETACH PARTITION p");
            load(&scene, "a.csv -t p").run().exits(8).says(says);
            scene.sql("ALTER TABLE t ATTACH PARTITION p FOR VALUES FROM (0) TO (100)");
        }
        load(&scene, &format!("a.csv -t {then}")).args(again_of(&refused)).run().exits(0);
        assert_eq!(counts(&scene), "20 10");
        // The other partition has nothing of it.
        scene.file("b.csv", numbered(200..210));
        load(&scene, "b.csv -t q").run().exits(0);
    }
}

/// The command that loads a reject file, as it is printed.
fn reload_of(outcome: &Outcome) -> Option<String> {
    let hint = outcome.stderr.lines().find(|line| line.starts_with("hint: mend them in "))?;
    // The scene says the connection itself.
    Some(hint.split_once(" and run: dbload ")?.1.split(" --dsn ").next()?.to_owned())
}

#[test]
fn rejects_of_an_append_that_goes_on_are_loaded_from_its_last_file_alone() {
    for ledger in ["", "--no-ledger"] {
        let scene = Scene::with("CREATE TABLE t (id int, v int)");
        let text = (0..500).fold("id,v\n".to_owned(), |text, id| {
            text + &format!("{id},{}\n", if id % 100 == 7 { "seven" } else { "7" })
        });
        scene.file("t.csv", text);
        let line = format!("t.csv -t t --mode append --batch-rows 50 --pool-size 1 {ledger}");
        let over = scene.plain(&format!("{line} --max-rejects 1")).run().exits(9);
        let over = over.says("mend and load that one alone");
        assert_eq!(reload_of(&over), None, "{over}");
        if !ledger.is_empty() {
            scene.sql("TRUNCATE t");
        }
        let done = scene.plain(&line).run().exits(3);
        assert_eq!(counts(&scene), "495 495");
        let command = reload_of(&done).unwrap();
        let file = command.split(' ').next().unwrap();
        scene.file(file, scene.folder.read(file).replace("\"seven\"", "\"7\""));
        scene.plain(&command).run().exits(0);
        assert_eq!(counts(&scene), "500 500", "{command}");
    }
    // With a key each file may be loaded, as often as one likes; the rest of a pipe is another load.
    let scene = Scene::with("CREATE TABLE t (id int PRIMARY KEY, v int)");
    let text = (0..500)
        .fold("id,v\n".to_owned(), |text, id| text + &format!("{id},{}\n", if id < 9 { "x" } else { "7" }));
    scene.file("t.csv", &text);
    let over = scene.plain("t.csv --batch-rows 50 --pool-size 1 --max-rejects 1").run().exits(9);
    assert!(reload_of(&over).is_some(), "{over}");
    scene.sql("ALTER TABLE t DROP CONSTRAINT t_pkey; TRUNCATE t");
    let pipe = scene
        .plain("- -t t --format csv --mode append --batch-rows 50 --pool-size 1 --max-rejects 1")
        .stdin(text);
    let over = pipe.run().exits(9).says("--skip-records");
    assert!(reload_of(&over).is_some() && !over.stderr.contains("the same command goes on"), "{over}");
}

/// However the bytes lie in a file, it is the same records: `gzip f.csv` makes no other ones.
#[test]
fn the_same_content_is_known_compressed_otherwise_and_plain() {
    let gz = |text: &str| compress::gzip(text.as_bytes());
    let long = numbered(0..20_000);
    for text in [numbered(0..50), long] {
        let rows = text.lines().count() as u64 - 1;
        let files = [
            ("a.csv", text.clone().into_bytes()),
            ("a.csv.gz", gz(&text)),
            ("far/other.csv.gz", gz(&text)),
            ("a.csv.xz", compress::xz(text.as_bytes())),
            ("far/plain.csv", text.clone().into_bytes()),
        ];
        for (first, others) in [
            ("a.csv", &["a.csv.gz", "far/other.csv.gz", "a.csv.xz"][..]),
            ("a.csv.gz", &["a.csv", "a.csv.xz", "far/plain.csv"]),
            ("a.csv.xz", &["a.csv", "a.csv.gz", "far/other.csv.gz", "far/plain.csv"]),
        ] {
            let scene = Scene::with(TABLE);
            for (name, bytes) in &files {
                scene.file(name, bytes);
            }
            scene.load(&format!("{first} -t t --mode append"));
            for other in others {
                let refused =
                    load(&scene, &format!("{other} -t t")).run().exits(8).says("has the content of");
                assert_eq!(again_of(&refused), [format!("--again={other}")]);
            }
            assert_eq!(scene.db.count("t"), rows);
            // Other content is loaded, by whatever name.
            std::fs::remove_file(scene.cwd().join(first)).unwrap();
            let other = text.replace("v7", "w7");
            scene.file("a.csv.gz", gz(&other));
            load(&scene, "a.csv.gz -t t").run().exits(if first == "a.csv.gz" { 8 } else { 0 });
        }
    }
}

/// Two loads of different sources have one file in common, and look for earlier appends before either has
/// recorded its run: one of them has to look again.
/// Two appends that are recorded at one moment, after both have looked. Their exit codes.
fn at_one_moment(scene: &Scene, words: [&str; 2]) -> [i32; 2] {
    let holder = scene.db.another();
    holder.sql("BEGIN; LOCK TABLE _dbload.run IN SHARE MODE");
    let running = words.map(|words| load(scene, words).spawn());
    let blocked = "SELECT count(*) FROM pg_stat_activity \
                   WHERE datname = current_database() AND wait_event_type = 'Lock'";
    while scene.db.one(blocked) != "2" {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    holder.sql("COMMIT");
    running.map(|running| {
        let outcome = running.wait();
        assert!([0, 7, 8].contains(&outcome.code()), "{outcome}");
        outcome.code()
    })
}

#[test]
fn of_two_starts_at_one_moment_one_appends_the_file() {
    let scene = Scene::with(TABLE);
    scene.file("first.csv", "id,v\n-1,x\n");
    scene.file("a.csv", numbered(0..300));
    scene.file("b.csv", numbered(300..340));
    scene.load("first.csv -t t --mode append");
    at_one_moment(&scene, ["a.csv -t t", "a.csv b.csv -t t"]);
    assert_eq!(scene.db.one("SELECT count(*) FROM t WHERE id BETWEEN 0 AND 299"), "300");
    assert_eq!(scene.db.one("SELECT count(DISTINCT id) FROM t WHERE id BETWEEN 0 AND 299"), "300");
}

/// Into a table and a part of it, or under two names: while one of them has stored nothing yet, the other
/// knows it by what the ledger has of its sources.
#[test]
fn of_two_starts_at_one_moment_one_appends_the_content_whatever_it_goes_by() {
    let parts = "CREATE TABLE t (id int, v text) PARTITION BY RANGE (id); CREATE TABLE p PARTITION OF t DEFAULT; \
                 CREATE TABLE c (id int, v text); CREATE TABLE d () INHERITS (c)";
    for words in [["a.csv -t t", "a.csv -t p"], ["a.csv -t d", "a.csv -t c"], ["a.csv -t t", "copy.csv -t t"]]
    {
        let scene = Scene::with(parts);
        for name in ["a.csv", "copy.csv"] {
            scene.file(name, numbered(0..300));
        }
        scene.file("first.csv", "id,v\n-1,x\n");
        scene.load("first.csv -t t --mode append");
        let codes = at_one_moment(&scene, words);
        let rows = scene.db.one("SELECT (SELECT count(*) FROM t WHERE id >= 0) + (SELECT count(*) FROM c)");
        assert_eq!(rows, "300", "{words:?} {codes:?}");
    }
}
