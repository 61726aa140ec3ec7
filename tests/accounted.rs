//! Each record that is neither inserted nor updated has a cause that was found: its row is alike, or
//! something has swallowed it. Nothing is counted as what is left over.

use crate::rows;
use crate::support::{Rows, Scene, audit};

const RECORDS: u64 = 60;

/// Rows 1 to 40 are stored, every second of them as the file has it; 41 to 60 are new.
fn scene(table: &str) -> Scene {
    let scene = Scene::with(table);
    scene.sql(
        "INSERT INTO t SELECT i, CASE WHEN i % 2 = 0 THEN i * 7 ELSE 0 END FROM generate_series(1, 40) i",
    );
    let text = (1..=RECORDS).fold("id,v\n".to_owned(), |text, i| text + &format!("{i},{}\n", i * 7));
    scene.file("t.csv", text);
    scene
}

const PLAIN: &str = "CREATE TABLE t (id int PRIMARY KEY, v int)";
const PARTITIONED: &str = "CREATE TABLE t (id int PRIMARY KEY, v int) PARTITION BY RANGE (id); \
     CREATE TABLE t1 PARTITION OF t FOR VALUES FROM (0) TO (30); \
     CREATE TABLE t2 PARTITION OF t FOR VALUES FROM (30) TO (1000)";
/// Two statements instead of one MERGE.
const WATCHED: &str = "CREATE TABLE t (id int PRIMARY KEY, v int); \
     CREATE FUNCTION watch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$; \
     CREATE TRIGGER watch AFTER UPDATE ON t FOR EACH ROW EXECUTE FUNCTION watch()";

/// Another program deletes a row that the file changes, while the batch waits for it: the row is there again
/// when the batch has committed, and was inserted. `unchanged` were only those that are alike.
#[test]
fn a_row_that_is_deleted_under_a_batch_is_no_unchanged_one() {
    for table in [PLAIN, PARTITIONED, WATCHED] {
        for deleted in [5, 35] {
            let scene = scene(table);
            let other = scene.db.another();
            other.sql(&format!("BEGIN; DELETE FROM t WHERE id = {deleted}"));
            let running = scene.dbload("t.csv -t t --mode upsert --pool-size 1").spawn();
            scene.db.until_blocked();
            other.sql("COMMIT");
            let outcome = running.wait().exits(0);
            let expected = "(SELECT i AS id, i * 7 AS v FROM generate_series(1, 60) i) x";
            assert_eq!(scene.db.digest("t"), scene.db.digest(expected), "{table} {deleted}: {outcome}");
            assert_eq!(audit(&scene.db), outcome.rows());
            let books = rows!(read: 60, inserted: 21, updated: 19, unchanged: 20);
            assert_eq!(outcome.rows(), books, "{table} {deleted}: {outcome}");
        }
    }
}

/// What something makes of ids that are divisible by ten: 10 to 40 are alike, 50 and 60 are new.
fn swallowing(mode: &str, setup: &str) -> Rows {
    let scene = scene(PARTITIONED);
    scene.sql(
        "CREATE FUNCTION swallow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
         IF NEW.id % 10 IN (0, 5) THEN RETURN NULL; END IF; RETURN NEW; END $$",
    );
    scene.sql(setup);
    let outcome = scene.run(&format!("t.csv -t t --mode {mode} --key id --pool-size 2")).exits(0);
    let stored = scene.db.one("SELECT count(*) FROM t WHERE v = id * 7");
    let rows = outcome.rows();
    assert_eq!(audit(&scene.db), rows, "{outcome}");
    // Those that the file has inserted or changed, and the twenty that were alike.
    assert_eq!(stored, (rows.inserted + rows.updated + 20).to_string(), "{mode}: {outcome}");
    rows
}

#[test]
fn rows_that_a_trigger_swallows_are_skipped_wherever_it_hangs_and_whenever_it_fires() {
    let on = |table: &str| {
        format!(
            "CREATE TRIGGER swallow BEFORE INSERT OR UPDATE ON {table} FOR EACH ROW EXECUTE FUNCTION swallow();"
        )
    };
    let replica = "ALTER TABLE t2 ENABLE REPLICA TRIGGER swallow;";
    // Swallowed are 45, 50, 55 and 60 of the new ones, and 5, 15, 25 and 35 of those that differ.
    let all = (rows!(read: 60, inserted: 16, updated: 16, unchanged: 20, skipped: 8), 4);
    // Of one partition: 35 and the new ones.
    let one = (rows!(read: 60, inserted: 16, updated: 19, unchanged: 20, skipped: 5), 4);
    let none = (rows!(read: 60, inserted: 20, updated: 20, unchanged: 20), 0);
    for (setup, (upserted, swallowed)) in [
        (on("t"), all),
        (on("t2"), one),
        // Not for this session: it must swallow nothing, and be counted as nothing.
        (format!("{}{replica}", on("t2")), none),
    ] {
        assert_eq!(swallowing("upsert", &setup), upserted, "{setup}");
        let ignored = swallowing("ignore", &setup);
        assert_eq!((ignored.inserted, ignored.skipped), (20 - swallowed, 40 + swallowed), "{setup}");
        let updated = swallowing("update", &setup);
        assert_eq!((updated.updated, updated.unchanged), (upserted.updated, 20), "{setup}");
        assert_eq!(updated.skipped, 60 - updated.updated - 20, "{setup}");
    }
    // As a superuser, or a role that was given the right, may have it: then such a trigger does fire, and
    // others do not.
    let setting = |setup: String| {
        format!(
            "{setup} DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET session_replication_role = replica', current_database()); END $$"
        )
    };
    assert_eq!(swallowing("upsert", &setting(format!("{}{replica}", on("t2")))), one.0);
    assert_eq!(swallowing("upsert", &setting(on("t"))), none.0);
}

/// A rule may do anything with a row: it is refused before the first one.
#[test]
fn a_rule_that_swallows_rows_is_refused() {
    for mode in ["upsert", "append", "ignore"] {
        let scene = scene(PLAIN);
        scene.sql("CREATE RULE r AS ON INSERT TO t DO INSTEAD NOTHING");
        scene.run(&format!("t.csv -t t --mode {mode}")).exits(6).says("rule");
        assert_eq!(scene.db.count("t"), 40);
    }
}
