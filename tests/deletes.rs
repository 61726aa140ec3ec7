//! Records that delete (`--delete-when`, `--soft-delete`): what they need, what they come to, and that all of
//! it is as if each record had been applied alone, in order, however a load is cut, killed and resumed. The
//! oracle is the table, and a loop over the same records that knows no batch.

use crate::{
    rows,
    support::{Dbload, Rng, Rows, Scene, generate},
};
use std::collections::BTreeMap;
use std::fmt::Write;

/// A load with these flags, each of which may have blanks in it.
fn load(scene: &Scene, line: &str, flags: &[&str]) -> Dbload {
    flags.iter().fold(scene.dbload(line), |load, flag| load.arg(flag))
}

const WHEN: &str = "--delete-when=op = 'D'";

#[test]
fn a_record_that_deletes_needs_nothing_but_its_key() {
    for pool in ["--pool-size=1", "--pool-size=3"] {
        let scene = Scene::with(
            "CREATE TABLE t (id int PRIMARY KEY, n int NOT NULL, day date); \
             INSERT INTO t SELECT i, i, '2024-01-01' FROM generate_series(1, 6) i",
        );
        scene.file(
            "a.jsonl",
            "{\"op\":\"D\",\"id\":1,\"n\":\"none\",\"day\":[1]}\n{\"op\":\"U\",\"id\":2,\"n\":20}\n{\"op\":\"D\",\"id\":3,\"day\":{\"x\":1}}\n\
             {\"op\":\"D\",\"id\":4}\n{\"op\":\"D\",\"id\":9}\n{\"op\":null,\"id\":5,\"n\":5}\n{\"op\":\"D\",\"id\":\"x\"}\n{\"op\":\"D\",\"n\":1}\n",
        );
        let outcome = load(&scene, "a.jsonl --table t --drop op", &[WHEN, pool]).run().exits(3);
        assert_eq!(outcome.rows(), rows!(read: 8, updated: 1, unchanged: 2, deleted: 3, rejected: 2));
        assert_eq!(scene.db.lines("SELECT id, n FROM t ORDER BY id"), ["2|20", "5|5", "6|6"]);
        scene.file("b.csv", "op,id,n,day\nD,2,none,never\nD,5,,\n,7,7,2024-02-02\n");
        let outcome = load(&scene, "b.csv --table t --drop op", &[WHEN, pool]).run().exits(0);
        assert_eq!(outcome.rows(), rows!(read: 3, inserted: 1, deleted: 2));
        assert_eq!(scene.db.lines("SELECT id, n FROM t ORDER BY id"), ["6|6", "7|7"]);
        scene.file("c.csv", "op,id\nD,7\n");
        let told = scene.plain("c.csv --table t --drop op").arg(WHEN).run().exits(0);
        assert!(told.stdout.lines().any(|line| line.split_whitespace().eq(["deleted", "1"])), "{told}");
    }
}

#[test]
fn what_is_set_is_asked_of_a_record_that_deletes_where_its_key_needs_it() {
    let scene = Scene::with(
        "CREATE TABLE t (k text PRIMARY KEY, n int, v int); INSERT INTO t VALUES ('a-1', 1, 5), ('a-2', 2, 5)",
    );
    scene.file("a.csv", "op,a,b,m,w\nD,A,1,x,9\nD,A,2,y,3\nU,B,3,3,1\nD,A,4,z,oops\nU,B,5,no,1\n");
    let flags = [
        "--set=k=lower(a) || '-' || b",
        "--set=n=m::int",
        "--set=v=w::int",
        "--only=k",
        "--newer-by=v",
        WHEN,
    ];
    let outcome = load(&scene, "a.csv --table t", &flags).run().exits(3);
    assert_eq!(outcome.rows(), rows!(read: 5, inserted: 1, deleted: 1, skipped: 1, rejected: 2));
    assert_eq!(scene.db.lines("SELECT * FROM t ORDER BY k"), ["a-2|2|5", "b-3|3|1"]);
    let rejects = outcome.report().rejected(scene.cwd());
    assert_eq!(rejects.iter().map(|reject| reject.line).collect::<Vec<_>>(), [5, 6]);
    // Of the deletion itself too an error is a reject, with the expression named.
    let outcome =
        load(&scene, "a.csv --table t --only k", &[flags[0], "--delete-when=w::int > 5"]).run().exits(3);
    let rejects = outcome.report().rejected(scene.cwd());
    assert!(rejects[0].reason.contains("--delete-when w::int > 5: "), "{rejects:?}");
    assert_eq!((rejects.len(), rejects[0].line), (1, 5));
}

#[test]
fn what_follows_a_deletion_in_a_batch_is_an_insert_with_defaults() {
    let scene = Scene::with(
        "CREATE TABLE t (id int PRIMARY KEY, a text DEFAULT 'none', b text DEFAULT 'none'); INSERT INTO t VALUES (1, 'x', 'y')",
    );
    scene.file(
        "a.jsonl",
        "{\"id\":1,\"a\":\"folded\"}\n{\"id\":1,\"op\":\"D\"}\n{\"id\":1,\"b\":\"new\"}\n\
         {\"id\":2,\"a\":\"first\"}\n{\"id\":2,\"op\":\"D\"}\n{\"id\":2,\"op\":\"D\"}\n",
    );
    let outcome = load(&scene, "a.jsonl --table t --drop op --pool-size 1", &[WHEN]).run().exits(0);
    assert_eq!(scene.db.lines("SELECT * FROM t"), ["1|none|new"]);
    assert_eq!(outcome.rows(), rows!(read: 6, inserted: 2, updated: 1, unchanged: 1, deleted: 2));
}

#[test]
fn deletions_of_different_keys_are_one_statement_a_batch() {
    for soft in [false, true] {
        let scene = Scene::with(
            "CREATE TABLE t (id int PRIMARY KEY, n int, gone boolean NOT NULL DEFAULT false); \
             INSERT INTO t SELECT i, 0 FROM generate_series(1, 20000) i",
        );
        let text: String = (1..=20_000).fold(String::from("op,id,n\n"), |mut text, id| {
            // Every second record deletes, at first; then all do.
            let op = if id % 2 == 0 || id > 10_000 { "D" } else { "U" };
            let _ = writeln!(text, "{op},{},{id}", id + 5_000);
            text
        });
        scene.file("a.csv", text);
        let flags: &[&str] = if soft { &[WHEN, "--soft-delete=gone"] } else { &[WHEN] };
        let outcome =
            load(&scene, "a.csv --table t --drop op --batch-rows 2000 --pool-size 2", flags).run().exits(0);
        assert_eq!(outcome.report().pool.careful, 0, "{outcome}");
        assert!(outcome.report().pool.batches < 20, "{outcome}");
        assert_eq!(outcome.rows(), rows!(read: 20_000, updated: 5_000, deleted: 10_000, unchanged: 5_000));
        let alive = "SELECT count(*), sum(n), min(id), max(id) FROM t WHERE NOT gone";
        assert_eq!(scene.db.one(alive), "10000|25000000|1|14999");
        // Once more there is nothing left to do.
        let again = load(&scene, "a.csv --table t --drop op --pool-size 2", flags).run().exits(0);
        assert_eq!(again.rows(), rows!(read: 20_000, unchanged: 20_000));
    }
}

/// A row, as the loop below keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Row {
    a: String,
    b: String,
    version: Option<i64>,
    gone: bool,
}

/// How deletions of a case are to be applied.
#[derive(Debug, Clone, Copy)]
struct Way {
    is_soft: bool,
    has_version: bool,
}

/// A record: its key, whether it deletes, and the fields that it has.
struct Given {
    id: u64,
    deletes: bool,
    a: Option<u64>,
    b: Option<u64>,
    version: i64,
}

/// Applies a record alone. The books have what was folded among the unchanged.
fn apply(table: &mut BTreeMap<u64, Row>, books: &mut Rows, way: Way, given: &Given) {
    books.read += 1;
    let stored = table.get_mut(&given.id);
    let is_older = |row: &Row| way.has_version && row.version.is_some_and(|version| given.version <= version);
    match (stored, given.deletes) {
        (None, true) => books.unchanged += 1,
        (Some(row), true) if row.gone => books.unchanged += 1,
        (Some(row), true) if is_older(row) => books.skipped += 1,
        (Some(row), true) => {
            books.deleted += 1;
            if way.is_soft {
                row.gone = true;
                row.version = if way.has_version { Some(given.version) } else { row.version };
            } else {
                table.remove(&given.id);
            }
        }
        (None, false) => {
            books.inserted += 1;
            let text = |field: Option<u64>| field.map_or("none".to_owned(), |value| value.to_string());
            let row = Row { a: text(given.a), b: text(given.b), version: Some(given.version), gone: false };
            table.insert(given.id, row);
        }
        (Some(row), false) => {
            let mut new = Row { gone: false, version: Some(given.version), ..row.clone() };
            if let Some(a) = given.a {
                new.a = a.to_string();
            }
            if let Some(b) = given.b {
                new.b = b.to_string();
            }
            if new == *row {
                books.unchanged += 1;
            } else if is_older(row) {
                books.skipped += 1;
            } else {
                books.updated += 1;
                *row = new;
            }
        }
    }
}

#[test]
fn any_order_of_records_comes_to_what_each_of_them_alone_would() {
    let seeds: Vec<u64> = match generate::replay() {
        Some(seed) => vec![seed],
        None => (0..16).map(|_| generate::fresh_seed()).collect(),
    };
    let scene = Scene::new();
    for seed in seeds {
        one_order(&scene, seed);
    }
}

fn one_order(scene: &Scene, seed: u64) {
    let mut rng = Rng::from_seed(seed);
    let way = Way { is_soft: rng.one_in(2), has_version: rng.one_in(2) };
    let tied = if rng.one_in(4) { ", EXCLUDE USING btree (id WITH =)" } else { "" };
    scene.sql(&format!(
        "DROP TABLE IF EXISTS t; CREATE TABLE t (id int PRIMARY KEY, a text DEFAULT 'none', b text DEFAULT 'none', \
         version bigint, gone boolean NOT NULL DEFAULT false{tied}); \
         DO $$ BEGIN IF to_regclass('_dbload.run') IS NOT NULL THEN TRUNCATE _dbload.run CASCADE; END IF; END $$"
    ));
    let (keys, many) = (1 + rng.below(60), 50 + rng.below(1_500));
    let often = rng.pick(&[2, 4, 20]);
    let (mut table, mut books) = (BTreeMap::new(), Rows::default());
    let mut text = String::new();
    for n in 0..many {
        let field = |rng: &mut Rng| (!rng.one_in(3)).then(|| rng.below(3));
        let given = Given {
            id: rng.below(keys),
            deletes: rng.one_in(often),
            a: field(&mut rng),
            b: field(&mut rng),
            // Some come too late.
            version: (n - n.min(rng.below(8))).cast_signed(),
        };
        apply(&mut table, &mut books, way, &given);
        let op = if given.deletes { "D" } else { "U" };
        let _ = write!(text, "{{\"id\":{},\"op\":\"{op}\",\"version\":{}", given.id, given.version);
        for (name, value) in [("a", given.a), ("b", given.b)] {
            if let Some(value) = value {
                // Of a record that deletes whatever stands there.
                let value = if given.deletes { "{\"bad\":1}".to_owned() } else { value.to_string() };
                let _ = write!(text, ",\"{name}\":{value}");
            }
        }
        text.push_str("}\n");
    }
    scene.file("a.jsonl", text);
    let line = format!(
        "a.jsonl --table t --drop op --batch-rows {} --pool-size {}",
        rng.pick(&[1, 3, 20, 100, 10_000]),
        1 + rng.below(4)
    );
    let mut flags = vec![WHEN];
    flags.extend(way.is_soft.then_some("--soft-delete=gone"));
    flags.extend(way.has_version.then_some("--newer-by=version"));
    let kill = rng.one_in(2).then(|| format!("committed:{}", 1 + rng.below(6)));
    let mut outcome = match &kill {
        None => load(scene, &line, &flags).run(),
        Some(at) => load(scene, &line, &flags).env("DBLOAD_CRASH_AT", at).run(),
    };
    if outcome.was_killed() {
        scene.db.until_alone();
        outcome = load(scene, &line, &flags).run();
    }
    let case = format!("seed {seed}: {way:?} {line} {kill:?}\n{outcome}");
    let found = outcome.rows();
    let version = |row: &Row| row.version.map_or("NULL".to_owned(), |version| version.to_string());
    let expected: Vec<String> = table
        .iter()
        .map(|(id, row)| {
            format!("{id}|{}|{}|{}|{}", row.a, row.b, version(row), if row.gone { "t" } else { "f" })
        })
        .collect();
    assert_eq!(scene.db.lines("SELECT id, a, b, version, gone FROM t ORDER BY id"), expected, "{case}");
    let sums = |rows: Rows| {
        (rows.read, rows.inserted, rows.deleted, rows.stored_before(), rows.skipped, rows.rejected)
    };
    assert_eq!(sums(found), sums(books), "{case}");
}

#[test]
fn a_row_that_others_refer_to_stays_and_its_record_is_a_reject_that_loads_again() {
    for deferred in ["", " DEFERRABLE INITIALLY DEFERRED"] {
        let scene = Scene::with(&format!(
            "CREATE TABLE t (id int PRIMARY KEY, n int); INSERT INTO t SELECT i, i FROM generate_series(1, 500) i; \
             CREATE TABLE child (of int REFERENCES t{deferred}); INSERT INTO child VALUES (7), (300)"
        ));
        let text: String = (1..=400).fold(String::from("op,id,n\n"), |mut text, id| {
            let _ = writeln!(text, "{},{id},x", if id % 10 == 9 { "" } else { "D" });
            text
        });
        scene.file("a.csv", text.replace(",x\n", ",5\n"));
        let outcome =
            load(&scene, "a.csv --table t --drop op --batch-rows 50 --pool-size 2", &[WHEN]).run().exits(3);
        assert_eq!(outcome.rows(), rows!(read: 400, updated: 40, deleted: 358, rejected: 2));
        assert_eq!(scene.db.one("SELECT count(*), count(*) FILTER (WHERE id IN (7, 300)) FROM t"), "142|2");
        let rejects = outcome.report().rejected(scene.cwd());
        let told = rejects.iter().filter(|reject| {
            reject.sqlstate.as_deref() == Some("23503") && reject.reason.contains("ON DELETE CASCADE")
        });
        assert_eq!(told.count(), 2, "{rejects:?}");
        // The command has the flags; where nothing refers to the rows any more they go.
        scene.sql("DELETE FROM child");
        let (_, command) = outcome.stderr.split_once("and run: ").expect("a command");
        let command = command.lines().next().unwrap();
        assert!(command.contains("--delete-when"), "{command}");
        let program = env!("CARGO_BIN_EXE_dbload");
        let done = std::process::Command::new("sh")
            .args(["-c", &command.replacen("dbload ", &format!("'{program}' --no-progress "), 1)])
            .current_dir(scene.cwd())
            .env("DBLOAD_DSN", scene.db.url())
            .output()
            .unwrap();
        assert!(done.status.success(), "{command}: {}", String::from_utf8_lossy(&done.stderr));
        assert_eq!(scene.db.one("SELECT count(*) FROM t"), "140");
    }
}

#[test]
fn a_table_that_refers_to_itself_is_judged_record_by_record() {
    let scene = Scene::with(
        "CREATE TABLE t (id int PRIMARY KEY, up int REFERENCES t); INSERT INTO t VALUES (1, NULL), (2, 1), (3, NULL), (4, 3)",
    );
    scene.file("a.csv", "op,id,up\nD,1,\nD,2,\nD,4,\nD,3,\n");
    let outcome = load(&scene, "a.csv --table t --drop op", &[WHEN]).run().exits(3);
    assert_eq!(outcome.rows(), rows!(read: 4, deleted: 3, rejected: 1));
    assert_eq!(scene.db.lines("SELECT id FROM t"), ["1"]);
}

#[test]
fn a_unique_value_is_free_once_its_row_is_gone_and_not_before() {
    let scene = Scene::with(
        "CREATE TABLE t (id int PRIMARY KEY, mail text UNIQUE); INSERT INTO t VALUES (1, 'a'), (2, 'b')",
    );
    scene.file("a.csv", "op,id,mail\n,10,a\nD,1,\n,11,a\nD,2,\n,12,b\n");
    let outcome = load(&scene, "a.csv --table t --drop op", &[WHEN]).run().exits(3);
    assert_eq!(outcome.rows(), rows!(read: 5, inserted: 2, deleted: 2, rejected: 1));
    assert_eq!(scene.db.lines("SELECT * FROM t ORDER BY id"), ["11|a", "12|b"]);
}

#[test]
fn rows_that_a_trigger_or_a_policy_keeps_are_skipped() {
    let scene = Scene::with(
        "CREATE TABLE t (id int PRIMARY KEY, n int); INSERT INTO t SELECT i, i FROM generate_series(1, 9) i; \
         CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN IF OLD.id % 2 = 0 THEN RETURN NULL; END IF; RETURN OLD; END$$; \
         CREATE TRIGGER keep BEFORE DELETE ON t FOR EACH ROW EXECUTE FUNCTION keep()",
    );
    scene.file("a.csv", "op,id\nD,1\nD,2\nD,3\nD,4\nD,20\n");
    let outcome = load(&scene, "a.csv --table t --drop op", &[WHEN]).run().exits(0);
    assert_eq!(outcome.rows(), rows!(read: 5, deleted: 2, skipped: 2, unchanged: 1));
    scene.file("b.csv", "op,id,n\nD,6,\nD,7,\n,8,80\n");
    let outcome = load(&scene, "b.csv --table t --drop op", &[WHEN]).run().exits(0);
    assert_eq!(outcome.rows(), rows!(read: 3, updated: 1, deleted: 1, skipped: 1));
    assert_eq!(scene.db.one("SELECT string_agg(id::text, ' ' ORDER BY id) FROM t"), "2 4 5 6 8 9");
}

#[test]
fn partitions_and_children_are_deleted_from_too() {
    let scene = Scene::with(
        "CREATE TABLE t (id int PRIMARY KEY, n int) PARTITION BY RANGE (id); \
         CREATE TABLE low PARTITION OF t FOR VALUES FROM (0) TO (100); CREATE TABLE high PARTITION OF t FOR VALUES FROM (100) TO (200); \
         INSERT INTO t SELECT i, i FROM generate_series(90, 110) i; \
         CREATE TABLE p (id int PRIMARY KEY, n int); CREATE TABLE c () INHERITS (p); INSERT INTO p VALUES (1, 1); INSERT INTO c VALUES (2, 2)",
    );
    let text: String = (80..=109).fold(String::from("op,id\n"), |mut text, id| {
        let _ = writeln!(text, "D,{id}");
        text
    });
    scene.file("a.csv", text);
    let outcome = load(&scene, "a.csv --table t --drop op", &[WHEN]).run().exits(0);
    assert_eq!(outcome.rows(), rows!(read: 30, deleted: 20, unchanged: 10));
    assert_eq!(scene.db.lines("SELECT id FROM t"), ["110"]);
    scene.file("b.csv", "op,id\nD,1\nD,2\nD,3\n");
    let outcome = load(&scene, "b.csv --table p --drop op", &[WHEN]).run().exits(0);
    assert_eq!(outcome.rows(), rows!(read: 3, deleted: 2, unchanged: 1));
    assert_eq!(scene.db.one("SELECT count(*) FROM p"), "0");
}

#[test]
fn a_row_is_marked_with_the_first_start_of_the_run_and_a_later_record_takes_the_mark_away() {
    for (type_name, form) in [("timestamptz", "x"), ("timestamp(3)", "x at time zone 'UTC'")] {
        let scene = Scene::with(&format!(
            "CREATE TABLE t (id int PRIMARY KEY, n int, gone {type_name}); \
             INSERT INTO t SELECT i, i FROM generate_series(1, 1000) i; INSERT INTO t VALUES (2000, 1, '2001-02-03')"
        ));
        let text: String = (1..=1_000).fold(String::from("op,id,n,gone\n"), |mut text, id| {
            let _ = writeln!(text, "{},{id},{id},never", if id % 2 == 0 { "D" } else { "" });
            text
        });
        scene.file("a.csv", format!("{text}D,2000,1,\nD,3000,1,\n"));
        let flags = [WHEN, "--soft-delete=gone"];
        let line = "a.csv --table t --drop op --batch-rows 100 --pool-size 2";
        assert!(load(&scene, line, &flags).env("DBLOAD_CRASH_AT", "committed:3").run().was_killed());
        scene.db.until_alone();
        std::thread::sleep(std::time::Duration::from_millis(50));
        let outcome = load(&scene, line, &flags).run().exits(0);
        assert_eq!(outcome.rows(), rows!(read: 1_002, unchanged: 502, deleted: 500));
        let begun = format!(
            "(SELECT ({form})::{type_name} FROM (SELECT date_trunc('milliseconds', started_at) AS x FROM _dbload.run) r)"
        );
        assert_eq!(
            scene.db.one(&format!(
                "SELECT count(*), count(DISTINCT gone), min(id % 2), bool_and(date_trunc('milliseconds', gone) = {begun}) FROM t WHERE gone > '2002-01-01'"
            )),
            "500|1|0|t"
        );
        assert_eq!(scene.db.one("SELECT gone::date FROM t WHERE id = 2000"), "2001-02-03");
        scene.file("b.csv", "op,id,n\n,2,2\n,4,44\nD,2000,\n,3000,3\n");
        let outcome = load(&scene, "b.csv --table t --drop op", &flags).run().exits(0);
        assert_eq!(outcome.rows(), rows!(read: 4, inserted: 1, updated: 2, unchanged: 1));
        let stored = "SELECT id, n, gone IS NULL FROM t WHERE id IN (2, 4, 3000) ORDER BY id";
        assert_eq!(scene.db.lines(stored), ["2|2|t", "4|44|t", "3000|3|t"]);
    }
}

#[test]
fn a_new_table_gets_the_column_that_marks() {
    let scene = Scene::new();
    scene.file("a.csv", "op,id,n\n,1,1\n,2,2\nD,1,x\n");
    let flags = [WHEN, "--soft-delete=gone"];
    let outcome = load(&scene, "a.csv --table t --key id --drop op", &flags).run().exits(0);
    assert_eq!(outcome.rows(), rows!(read: 3, inserted: 2, deleted: 1));
    assert_eq!(scene.db.lines("SELECT id, gone FROM t ORDER BY id"), ["1|t", "2|f"]);
    let flags = [WHEN, "--soft-delete=gone_at", "--column=gone_at timestamptz"];
    load(&scene, "a.csv --table u --key id --drop op", &flags).run().exits(0);
    assert_eq!(scene.db.lines("SELECT id, gone_at IS NULL FROM u ORDER BY id"), ["1|f", "2|t"]);
}

#[test]
fn a_run_that_has_deleted_all_its_rows_goes_on_with_an_empty_table() {
    let scene = Scene::with("CREATE TABLE t (id int PRIMARY KEY)");
    let text: String = (0..600).fold(String::from("op,id\n"), |mut text, n| {
        let _ = writeln!(text, "{},{}", if n / 100 % 2 == 0 { "" } else { "D" }, n % 100);
        text
    });
    scene.file("a.csv", text);
    let line = "a.csv --table t --drop op --batch-rows 100 --pool-size 1";
    assert!(load(&scene, line, &[WHEN]).env("DBLOAD_CRASH_AT", "committed:2").run().was_killed());
    scene.db.until_alone();
    assert_eq!(scene.db.one("SELECT count(*) FROM t"), "0");
    // Who deletes for another reason loads other rows.
    load(&scene, line, &["--delete-when=op = 'X'"]).run().exits(8).says("delete-when");
    load(&scene, line, &[]).run().exits(8).says("delete-when");
    let outcome = load(&scene, line, &[WHEN]).run().exits(0);
    assert_eq!(outcome.rows(), rows!(read: 600, inserted: 300, deleted: 300));
    assert_eq!(crate::support::ledger::audit(&scene.db), outcome.rows());
}

#[test]
fn what_cannot_be_right_is_refused_before_the_first_row_with_what_helps() {
    let scene = Scene::with(
        "CREATE TABLE t (id int PRIMARY KEY, n int, v int, made timestamptz NOT NULL DEFAULT now(), gone boolean, \
         twice int GENERATED ALWAYS AS (n * 2) STORED); CREATE TABLE bare (id int)",
    );
    scene.file("a.csv", "op,id,n,v\nD,1,1,1\n");
    let refused = |line: &str, flags: &[&str], says: &str| {
        let outcome = load(&scene, &format!("a.csv --drop op {line}"), flags).run();
        assert!([2, 6].contains(&outcome.code()), "{flags:?}: {outcome}");
        assert!(outcome.stderr.contains(says), "{flags:?}: {outcome}");
        assert_eq!(scene.db.one("SELECT count(*) FROM t"), "0");
    };
    for mode in ["append", "ignore", "replace", "sync"] {
        refused(&format!("--table t --mode {mode}"), &[WHEN], &format!("--delete-when with --mode {mode}"));
    }
    refused("--table bare --extra ignore", &[WHEN], "--delete-when with --mode append");
    refused("--table t", &["--delete-when=random() > 0.5"], "random()");
    refused("--table t", &["--delete-when=op"], "--delete-when op");
    refused("--table t", &["--soft-delete=gone"], "--delete-when");
    for (column, says) in [
        ("id", "part of the key"),
        ("v", "which record is newer"),
        ("n", "a mark is boolean, or a timestamp"),
        ("twice", "is generated"),
        ("made", "is NOT NULL"),
        ("none", "ADD COLUMN \"none\" boolean"),
    ] {
        refused("--table t --newer-by v", &[WHEN, &format!("--soft-delete={column}")], says);
    }
    refused("--table t", &[WHEN, "--soft-delete=gone", "--map=n=gone"], "beside --soft-delete gone");
    refused("--table t", &[WHEN, "--soft-delete=gone", "--set=gone=true"], "beside --soft-delete gone");
    refused("--table t", &[WHEN, "--soft-delete=gone", "--insert-only=gone"], "has a policy");
    let verified = scene.plain("verify a.csv --table t --drop op --pool-size 2").arg(WHEN).run();
    assert_ne!(verified.code(), 0);
    assert!(verified.stderr.contains("must be gone"), "{verified}");
}

#[test]
fn the_right_to_delete_is_asked_for_first_and_marking_needs_none() {
    let scene = Scene::with("CREATE TABLE t (id int PRIMARY KEY, gone boolean); INSERT INTO t VALUES (1)");
    let role = format!("clerk_{}", scene.db.name());
    scene.sql(&format!("CREATE ROLE {role} LOGIN; GRANT SELECT, INSERT, UPDATE ON t TO {role}"));
    scene.file("a.csv", "op,id\nD,1\n");
    let facts =
        "SELECT current_setting('unix_socket_directories'), current_setting('port'), current_database()";
    let facts: Vec<String> = scene.db.rows(facts)[0].iter().flatten().cloned().collect();
    let url = format!("host={} port={} dbname={} user={role}", facts[0], facts[1], facts[2]);
    let as_clerk = |flags: &[&str]| {
        let load =
            Dbload::new(scene.cwd()).line("a.csv --table t --drop op --no-ledger").arg("--dsn").arg(&url);
        flags.iter().fold(load, |load, flag| load.arg(flag)).run()
    };
    let refused = as_clerk(&[WHEN]);
    assert!(refused.stderr.contains(&format!("GRANT DELETE ON \"public\".\"t\" TO \"{role}\"")), "{refused}");
    as_clerk(&[WHEN, "--soft-delete=gone"]).exits(0);
    assert_eq!(scene.db.one("SELECT gone FROM t"), "t");
    scene.sql(&format!("GRANT DELETE ON t TO {role}; UPDATE t SET gone = false"));
    as_clerk(&[WHEN]).exits(0);
    assert_eq!(scene.db.one("SELECT count(*) FROM t"), "0");
    scene.sql(&format!("DROP OWNED BY {role}; DROP ROLE {role}"));
}

#[test]
fn they_are_keys_of_the_job_file_and_the_plan_says_them() {
    let scene = Scene::with("CREATE TABLE t (id int PRIMARY KEY, at timestamptz, gone boolean)");
    scene.file("a.csv", "id,op,at\n1,,2024-01-01\n2,,2024-01-02\n");
    scene.file(
        "dbload.toml",
        "name = \"shop\"\n\n[load.t]\nsource = \"*.csv\"\ndrop = [\"op\"]\nheader = [\"X-Since: {watermark}\"]\nwatermark = { field = \"at\", initial = \"2023-01-01\" }\n\
         delete_when = \"op = 'D'\"\nsoft_delete = \"gone\"\n",
    );
    let run = || Dbload::new(scene.cwd()).args(["run", "-d", scene.db.url()]).run();
    run().exits(0);
    // Records that delete move the watermark too, if there are no others.
    scene.file("a.csv", "id,op,at\n1,D,2024-01-03\n");
    run().exits(0);
    assert_eq!(
        scene.db.lines("SELECT id, at::date, gone FROM t ORDER BY id"),
        ["1|2024-01-01|t", "2|2024-01-02|f"]
    );
    assert!(scene.db.one("SELECT value FROM _dbload.watermark").starts_with("2024-01-03"));
    let plan =
        scene.plain("a.csv --table t --drop op --dry-run").arg(WHEN).arg("--soft-delete=gone").run().exits(0);
    for words in ["delete-when op = 'D'", "soft-delete gone"] {
        assert!(plan.stdout.contains(words), "{words}: {plan}");
    }
}

#[test]
fn a_batch_of_a_build_of_before_names_no_deletions_and_its_books_are_right() {
    let scene = Scene::with("CREATE TABLE t (id int PRIMARY KEY)");
    scene.file("a.csv", "id\n1\n");
    scene.load("a.csv --table t").exits(0);
    scene.sql(
        "INSERT INTO _dbload.run (run, identity, target, target_oid, target_file, mode, key, partitions, settings, guarantee, owner) \
         SELECT 'old', 'old', target, target_oid, target_file, mode, key, 1, settings, guarantee, owner FROM _dbload.run LIMIT 1; \
         INSERT INTO _dbload.checkpoint (run, partition, epoch) VALUES ('old', 0, 1); \
         SELECT _dbload.advance('old', 0, 1, '{0,0,0}', '{1,0,5,1}', true, '{5,1,1,1,1,1,0,0}', '{0,5,0}', NULL, NULL); \
         SELECT _dbload.complete('old', 1)",
    );
    assert_eq!(scene.db.one("SELECT read, deleted FROM _dbload.checkpoint WHERE run = 'old'"), "5|0");
    let counts = "SELECT _dbload.advance('new', 0, 1, '{0,0,0}', '{1,0,5,1}', true, ARRAY[5,1,1,1,0,0,0,0,3], '{0,5,0}', NULL, NULL)";
    scene.sql(
        "INSERT INTO _dbload.run (run, identity, target, target_oid, target_file, mode, key, partitions, settings, guarantee, owner) \
         SELECT 'new', 'new', target, target_oid, target_file, mode, key, 1, settings, guarantee, owner FROM _dbload.run LIMIT 1; \
         INSERT INTO _dbload.checkpoint (run, partition, epoch) VALUES ('new', 0, 1)",
    );
    let refused = scene.db.try_sql(counts).expect_err("three that delete, and two that are left");
    assert_eq!(refused.code().map(|code| code.code().to_owned()).as_deref(), Some("DL002"));
}
