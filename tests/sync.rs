//! `--mode sync`: an upsert, and then rows that no record was about are removed. The oracle is a plain loop
//! over records and rows; what stands around the table is asked of the catalog.

use crate::support::{Dbload, Outcome, Rng, Scene, audit};
use std::collections::{BTreeMap, BTreeSet};

/// A key with its value; none, and the record lacks it.
type Record = (u64, Option<u64>);

fn records(rng: &mut Rng, count: u64, keys: u64) -> Vec<Record> {
    (0..count).map(|_| (rng.below(keys), (!rng.one_in(5)).then(|| rng.below(1_000)))).collect()
}

fn jsonl(records: &[Record]) -> String {
    records
        .iter()
        .map(|(id, value)| match value {
            Some(value) => format!("{{\"id\":{id},\"v\":{value}}}\n"),
            None => format!("{{\"id\":{id}}}\n"),
        })
        .collect()
}

/// What the records make of the rows that were there: those that none is about are gone.
fn expected(before: &BTreeMap<u64, u64>, records: &[Record]) -> Vec<String> {
    let mut rows = before.clone();
    let mut met = BTreeSet::new();
    for (id, value) in records {
        met.insert(*id);
        match (rows.get_mut(id), value) {
            (Some(stored), Some(value)) => *stored = *value,
            (Some(_), None) => {}
            (None, value) => _ = rows.insert(*id, value.unwrap_or(7)),
        }
    }
    rows.iter().filter(|(id, _)| met.contains(id)).map(|(id, value)| format!("{id}|{value}")).collect()
}

const TABLE: &str = "CREATE TABLE t (id int PRIMARY KEY, v int DEFAULT 7);
     INSERT INTO t SELECT i, i FROM generate_series(400, 999) i";

fn stored() -> BTreeMap<u64, u64> {
    (400..1_000).map(|id| (id, id)).collect()
}

#[track_caller]
fn is(scene: &Scene, expected: &[String]) {
    assert_eq!(scene.db.lines("SELECT id, v FROM t ORDER BY id"), expected);
}

#[track_caller]
fn is_forgotten(scene: &Scene) {
    assert_eq!(scene.db.count("_dbload.met"), 0);
}

#[test]
fn rows_that_no_record_is_about_are_removed_and_the_others_are_those_of_an_upsert() {
    let mut rng = Rng::new();
    for more in [
        "",
        "CREATE TABLE c (t int REFERENCES t)",
        "ALTER TABLE t ADD u int GENERATED ALWAYS AS (id * 2) STORED UNIQUE; ALTER TABLE t ADD CHECK (v >= 0)",
        "ALTER TABLE t ADD own int REFERENCES t",
        "CREATE VIEW seen AS SELECT * FROM t; ALTER TABLE t ENABLE ROW LEVEL SECURITY",
        "ALTER TABLE t RENAME TO old; CREATE TABLE t (LIKE old INCLUDING ALL) PARTITION BY RANGE (id); \
         CREATE TABLE t1 PARTITION OF t FOR VALUES FROM (0) TO (500); CREATE TABLE t2 PARTITION OF t DEFAULT; INSERT INTO t SELECT * FROM old",
    ] {
        for flags in ["--pool-size 1", "--pool-size 3 --batch-rows 60"] {
            let scene = Scene::with(TABLE);
            scene.sql(more);
            let records = records(&mut rng, 1_200, 800);
            scene.file("a.jsonl", jsonl(&records[..500]));
            scene.file("b.jsonl", jsonl(&records[500..]));
            let expected = expected(&stored(), &records);
            let report = scene
                .load(&format!("a.jsonl b.jsonl --table t --mode sync --max-removals 100% {flags}"))
                .report();
            is(&scene, &expected);
            let met: BTreeSet<u64> = records.iter().map(|(id, _)| *id).collect();
            let gone = stored().keys().filter(|id| !met.contains(id)).count() as u64;
            assert_eq!((report.mode.as_str(), report.removed), ("sync", Some(gone)), "{more} {flags}");
            is_forgotten(&scene);
            audit(&scene.db);
            // Once more: nothing to do.
            let again = scene.load(&format!("a.jsonl b.jsonl --table t --mode sync {flags}")).report();
            assert_eq!((again.removed, again.rows.inserted), (Some(0), 0), "{more} {flags}");
            is(&scene, &expected);
        }
    }
}

#[test]
fn keys_are_compared_as_their_index_compares_them() {
    for (ty, rows, file, left) in [
        ("citext", "('ABC'), ('x')", "abc", "ABC"),
        ("numeric", "(1.50), (2)", "1.5", "1.50"),
        ("char(5)", "('a'), ('b')", "a", "a    "),
        ("text COLLATE nd", "('STRASSE'), ('b')", "Strasse", "STRASSE"),
        (
            "timestamptz",
            "('2024-01-01 00:00Z'), ('2024-01-02 00:00Z')",
            "2024-01-01 01:00+01",
            "2024-01-01 00:00:00+00",
        ),
        ("float8", "(0.1), ('-0.0'), (3)", "0.1\n0.0", "-0,0.1"),
        ("int[]", "('{1,2}'), ('{3}')", "\"{1,2}\"", "{1,2}"),
    ] {
        let scene = Scene::with(
            "CREATE COLLATION nd (provider = icu, locale = 'und-u-ks-level2', deterministic = false)",
        );
        if ty == "citext" && scene.db.try_sql("CREATE EXTENSION citext").is_err() {
            continue;
        }
        scene.sql(&format!(
            "SET TIME ZONE 'UTC'; CREATE TABLE t (k {ty} PRIMARY KEY); INSERT INTO t VALUES {rows}"
        ));
        scene.file("t.csv", format!("k\n{file}\n"));
        let report = scene.load("t.csv --mode sync").report();
        assert_eq!(report.removed, Some(1), "{ty}");
        assert_eq!(
            scene.db.one("SET TIME ZONE 'UTC'; SELECT string_agg(k::text, ',' ORDER BY k) FROM t"),
            left.trim_end(),
            "{ty}"
        );
    }
}

#[test]
fn keys_of_several_columns_and_nulls_are_told_apart_as_the_index_does() {
    for (distinct, null_rows) in [("NULLS NOT DISTINCT", 0), ("", 1)] {
        let scene = Scene::with(&format!(
            "CREATE TABLE t (a int, b text, v int, UNIQUE {distinct} (a, b)); \
             INSERT INTO t VALUES (1, 'x', 0), (1, 'y', 0), (2, 'x', 0), (3, NULL, 0), (4, NULL, 0)"
        ));
        let nulls = if null_rows == 0 { "{\"a\":3,\"b\":null,\"v\":1}\n" } else { "" };
        scene.file(
            "t.jsonl",
            format!("{{\"a\":1,\"b\":\"x\",\"v\":1}}\n{{\"a\":2,\"b\":\"x\",\"v\":0}}\n{nulls}"),
        );
        let outcome = scene.load("t.jsonl --mode sync --key a,b");
        let rows = scene.db.lines("SELECT a, b, v FROM t ORDER BY a, b");
        if null_rows == 0 {
            assert_eq!(rows, ["1|x|1", "2|x|0", "3|NULL|1"]);
            assert_eq!(outcome.report().removed, Some(2));
        } else {
            // No record can be about a row whose key has a null.
            assert_eq!(rows, ["1|x|1", "2|x|0", "3|NULL|0", "4|NULL|0"]);
            outcome.says("whose key has a null").says("stay: 2");
        }
    }
}

#[test]
fn skipped_unchanged_and_refused_records_are_about_their_rows_all_the_same() {
    let scene = Scene::with(
        "CREATE TABLE t (id int PRIMARY KEY, v int CHECK (v < 100), at int); \
         INSERT INTO t SELECT i, i, 5 FROM generate_series(1, 6) i",
    );
    // Older, alike, refused by a CHECK; 4 to 6 are in no record.
    scene.file(
        "t.jsonl",
        "{\"id\":1,\"v\":9,\"at\":4}\n{\"id\":2,\"v\":2,\"at\":5}\n{\"id\":3,\"v\":500,\"at\":9}\n",
    );
    let outcome = scene.run("t.jsonl --mode sync --newer-by at").exits(3);
    assert_eq!(outcome.report().removed, Some(3));
    assert_eq!(scene.db.lines("SELECT id, v FROM t ORDER BY 1"), ["1|1", "2|2", "3|3"]);
}

#[test]
fn nothing_is_removed_while_the_key_of_a_rejected_record_is_not_known() {
    let scene = Scene::with(TABLE);
    scene.file("t.jsonl", "{\"id\":400,\"v\":1}\n{\"id\":401,\"v\":\"x\"}\n{not json\n");
    let outcome = scene.run("t.jsonl --mode sync --max-removals 100%").exits(3);
    let outcome = outcome.says("nothing was removed");
    assert_eq!(outcome.report().removed, None);
    assert_eq!(scene.db.count("t"), 600);
    // Mended, it is.
    scene.file("t.jsonl", "{\"id\":400,\"v\":1}\n{\"id\":401,\"v\":2}\n");
    assert_eq!(scene.load("t.jsonl --mode sync --max-removals 100%").report().removed, Some(598));
}

#[test]
fn more_than_the_limit_is_a_question_and_the_same_command_goes_on_with_another_one() {
    let scene = Scene::with(TABLE);
    // 600 rows: a tenth is 60.
    let keep = |from: u64| jsonl(&(from..1_000).map(|id| (id, Some(id))).collect::<Vec<_>>());
    scene.file("t.jsonl", keep(461));
    let outcome = scene.run("t.jsonl --mode sync").exits(9);
    outcome.says("61").says("600").says("--max-removals");
    assert_eq!(scene.db.count("t"), 600);
    let report = scene.load("t.jsonl --mode sync --max-removals 61").report();
    assert_eq!((report.attempts, report.rows.read, report.removed), (2, 539, Some(61)));
    scene.file("t.jsonl", keep(500));
    assert_eq!(scene.load("t.jsonl --mode sync").report().removed, Some(39));
    // Of fewer than a hundred rows ten may go.
    scene.sql("DELETE FROM t WHERE id >= 550");
    scene.file("t.jsonl", jsonl(&(511..550).map(|id| (id, Some(id))).collect::<Vec<_>>()));
    scene.run("t.jsonl --mode sync").exits(9).says("11").says("50");
    scene.run("t.jsonl --mode sync --max-removals 21%").exits(9);
    assert_eq!(scene.load("t.jsonl --mode sync --max-removals 22%").report().removed, Some(11));
}

#[test]
fn a_source_that_failed_or_has_no_records_removes_nothing() {
    let scene = Scene::with(TABLE);
    scene.file("a.jsonl", jsonl(&(400..990).map(|id| (id, Some(1))).collect::<Vec<_>>()));
    scene.file("b.jsonl", "");
    scene
        .run("a.jsonl b.jsonl --table t --mode sync")
        .exits(4)
        .says("b.jsonl has no records")
        .says("--allow-empty");
    assert_eq!(scene.db.count("t"), 600);
    scene.file("b.json", "[{\"id\":995,\"v\":1},");
    scene.run("a.jsonl b.json --table t --mode sync").exits(4);
    assert_eq!(scene.db.count("t"), 600);
    scene.file("b.json", "[{\"id\":995,\"v\":1}, {\"id\":996,\"v\":1}]");
    assert_eq!(scene.load("a.jsonl b.json --table t --mode sync --restart").report().removed, Some(8));
    // A start that was stopped is gone on with, and what it has met is not forgotten.
    let scene = Scene::with(TABLE);
    scene.file("a.jsonl", jsonl(&(400..990).map(|id| (id, Some(1))).collect::<Vec<_>>()));
    scene.dbload("a.jsonl --table t --mode sync --batch-rows 50").env("DBLOAD_CRASH_AT", "committed:5").run();
    assert_eq!(scene.db.count("t"), 600);
    assert_eq!(scene.load("a.jsonl --table t --mode sync --batch-rows 50").report().removed, Some(10));
}

#[test]
fn foreign_keys_hold_rows_one_by_one_and_reach_further_only_where_that_is_said() {
    let scene = Scene::with(TABLE);
    scene.sql("CREATE TABLE c (t int REFERENCES t); INSERT INTO c VALUES (401), (403)");
    scene.file("t.jsonl", jsonl(&(410..1_000).map(|id| (id, Some(id))).collect::<Vec<_>>()));
    let outcome = scene.load("t.jsonl --mode sync").says("stay all the same").says("c_t_fkey");
    assert_eq!(outcome.report().removed, Some(8));
    assert_eq!(scene.db.lines("SELECT id FROM t WHERE id < 410 ORDER BY 1"), ["401", "403"]);
    // Rows of the table itself, the one that refers before or behind the other one.
    let scene = Scene::with(
        "CREATE TABLE t (id int PRIMARY KEY, v int, own int REFERENCES t); \
         INSERT INTO t VALUES (1, 0, NULL), (2, 0, 1), (3, 0, 2), (4, 0, 5), (5, 0, NULL), (6, 0, NULL), (7, 0, 6)",
    );
    scene.file("t.jsonl", "{\"id\":7,\"v\":1}\n");
    let outcome = scene.load("t.jsonl --mode sync");
    assert_eq!(outcome.report().removed, Some(5));
    assert_eq!(scene.db.lines("SELECT id, v FROM t ORDER BY 1"), ["6|0", "7|1"]);
    for (rule, left) in [("CASCADE", vec![]), ("SET NULL", vec!["NULL"])] {
        let scene = Scene::with(TABLE);
        scene.sql(&format!(
            "CREATE TABLE c (t int REFERENCES t ON DELETE {rule}); INSERT INTO c VALUES (401)"
        ));
        scene.file("t.jsonl", jsonl(&(410..1_000).map(|id| (id, Some(id))).collect::<Vec<_>>()));
        scene.run("t.jsonl --mode sync").exits(6).says("--allow-cascade").says(&format!("ON DELETE {rule}"));
        assert_eq!(scene.db.count("t"), 600);
        assert_eq!(scene.load("t.jsonl --mode sync --allow-cascade").report().removed, Some(10));
        assert_eq!(scene.db.lines("SELECT t FROM c"), left, "{rule}");
    }
    // A met row never goes, whichever way round.
    let scene = Scene::with(
        "CREATE TABLE t (id int PRIMARY KEY, own int REFERENCES t ON DELETE CASCADE); INSERT INTO t VALUES (1, NULL), (2, 1)",
    );
    scene.file("t.jsonl", "{\"id\":2}\n");
    scene
        .run("t.jsonl --mode sync --allow-cascade")
        .exits(6)
        .says("make that foreign key NO ACTION: then the rows that it holds stay");
    let scene = Scene::with(
        "CREATE TABLE t (id int PRIMARY KEY, u int); CREATE TABLE u (id int PRIMARY KEY, t int REFERENCES t ON DELETE CASCADE); \
         ALTER TABLE t ADD FOREIGN KEY (u) REFERENCES u ON DELETE CASCADE; INSERT INTO t VALUES (1, NULL); \
         INSERT INTO u VALUES (1, 1); INSERT INTO t VALUES (2, 1)",
    );
    scene.file("t.jsonl", "{\"id\":2}\n");
    scene.run("t.jsonl --mode sync --allow-cascade").exits(5).says("other rows");
    assert_eq!((scene.db.count("t"), scene.db.count("u")), (2, 1));
}

#[test]
fn where_a_trigger_may_have_changed_keys_nothing_is_taken_for_gone() {
    let scene = Scene::with(TABLE);
    scene.sql(
        "CREATE FUNCTION other() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.id = 1 THEN NEW.id := 2; END IF; RETURN NEW; END $$; \
         CREATE TRIGGER other BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION other()",
    );
    let all: Vec<Record> = (410..1_000).map(|id| (id, Some(id))).collect();
    scene.file("t.jsonl", format!("{{\"id\":1}}\n{}", jsonl(&all)));
    let outcome = scene.load("t.jsonl --mode sync").says("nothing was removed");
    assert_eq!(outcome.report().removed, None);
    // One that changes none is no matter.
    scene.file("t.jsonl", format!("{{\"id\":2}}\n{}", jsonl(&all)));
    assert_eq!(scene.load("t.jsonl --mode sync").report().removed, Some(10));
}

#[test]
fn what_cannot_be_right_is_refused_before_the_first_row() {
    let scene = Scene::with(TABLE);
    scene.file("t.jsonl", "{\"id\":1,\"v\":1}\n");
    for (flags, says) in [
        ("--no-ledger", "--no-ledger"),
        ("--skip-records 1", "--skip-records"),
        ("--accept-changed t.jsonl", "--accept-changed"),
    ] {
        scene.run(&format!("t.jsonl --mode sync {flags}")).exits(6).says(says);
    }
    scene.run("t.jsonl --max-removals 5").exits(6).says("leaves rows that are in no source alone");
    scene.run("t.jsonl --mode replace --max-removals 5").exits(6).says("--max-removals");
    scene.sql("CREATE TABLE n (v int)");
    scene.run("t.jsonl --table n --mode sync --extra ignore").exits(6).says("--mode sync needs a key");
    assert_eq!(scene.db.count("t"), 600);
}

/// Loads that are killed somewhere, and go on.
struct Killed {
    scene: Scene,
    new: Vec<Record>,
}

impl Killed {
    fn new(more: &str) -> Self {
        let scene = Scene::with(TABLE);
        scene.sql(more);
        let new = records(&mut Rng::from_seed(22), 3_000, 900);
        scene.file("t.jsonl", jsonl(&new));
        Self { scene, new }
    }

    fn command(&self) -> Dbload {
        self.scene.dbload("t.jsonl --mode sync --max-removals 100% --pool-size 2 --batch-rows 200")
    }

    /// Whether rows are gone; all of those that have to, or none.
    #[track_caller]
    fn has_removed(&self) -> bool {
        self.scene.db.until_quiet();
        let met: Vec<String> = self.new.iter().map(|(id, _)| id.to_string()).collect();
        let gone = stored().len() - stored().keys().filter(|id| met.contains(&id.to_string())).count();
        let left =
            self.scene.db.count(&format!("t WHERE id >= 400 AND id <> ALL (ARRAY[{}])", met.join(",")));
        assert!(left == 0 || left == gone as u64, "{left} of {gone} are left");
        left == 0
    }

    #[track_caller]
    fn is_done(&self, outcome: Outcome) {
        assert_eq!(outcome.exits(0).rows().read, 3_000);
        is(&self.scene, &expected(&stored(), &self.new));
        is_forgotten(&self.scene);
        audit(&self.scene.db);
    }
}

#[test]
fn killed_at_each_crash_point_it_removes_all_or_nothing_and_goes_on() {
    let points = [
        "recording",
        "recorded",
        "begun",
        "copied",
        "merged",
        "rejects-stored",
        "committed",
        "completing",
        "putting",
        "put",
        "completed",
    ];
    for point in points {
        let killed = Killed::new("");
        let struck = killed.command().env("DBLOAD_CRASH_AT", format!("{point}:1")).run();
        assert!(struck.was_killed(), "{point}: {struck}");
        assert_eq!(killed.has_removed(), point == "completed", "{point}");
        if !["recording", "completed"].contains(&point) {
            let again = killed.command().env("DBLOAD_CRASH_AT", "taken-over:1").run();
            assert!(again.was_killed(), "{point}: {again}");
        }
        killed.is_done(killed.command().run());
    }
}

#[test]
fn killed_at_random_again_and_again_it_comes_to_the_same() {
    let mut rng = Rng::new();
    for _ in 0..cycles() {
        let killed = Killed::new("CREATE TABLE c (t int REFERENCES t)");
        loop {
            let delay = std::time::Duration::from_millis(rng.below(500));
            let outcome = killed.command().spawn().kill9_after(delay);
            let has_removed = killed.has_removed();
            if !outcome.was_killed() {
                outcome.exits(0);
                assert!(has_removed);
                break;
            }
        }
        killed.is_done(killed.command().run());
    }
}

/// `SYNC_CYCLES=500` for a long run.
fn cycles() -> u64 {
    std::env::var("SYNC_CYCLES").ok().and_then(|cycles| cycles.parse().ok()).unwrap_or(5)
}
