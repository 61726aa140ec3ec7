//! Stored and new keys in one batch: one MERGE where the server can be trusted with it, an insert and an
//! update where not. The table and the books are the same either way, whatever other programs do to the rows
//! meanwhile.
//!
//! Which way was taken a statement trigger says, which notes the statement that it belongs to.

use crate::rows;
use crate::support::{Rows, Running, Scene};

/// Of 400 stored rows every fourth is to change, and 200 are new.
const STORED: &str = "CREATE TABLE items (id int PRIMARY KEY, name text, n int DEFAULT 7, note text);
     INSERT INTO items SELECT i, 'item ' || i, i, 'kept' FROM generate_series(1, 400) i";
/// Notes each statement that inserts or updates.
const WATCHED: &str = "CREATE TABLE seen (statement text);
     CREATE FUNCTION watch() RETURNS trigger LANGUAGE plpgsql AS
       $$ BEGIN INSERT INTO seen VALUES (current_query()); RETURN NULL; END $$;
     CREATE TRIGGER watch AFTER INSERT OR UPDATE ON items FOR EACH STATEMENT EXECUTE FUNCTION watch()";

fn scene(more: &str) -> Scene {
    let scene = Scene::with(STORED);
    scene.sql(WATCHED);
    scene.sql(more);
    let record = |id: u64| {
        let n = if id.is_multiple_of(4) { id + 1 } else { id };
        format!("{{\"id\":{id},\"name\":\"item {id}\",\"n\":{n}}}\n")
    };
    scene.file("items.jsonl", (1..=600).map(record).collect::<String>());
    scene
}

const EXPECTED: &str = "(SELECT id, 'item ' || id AS name, id + (id % 4 = 0)::int AS n, \
                         CASE WHEN id <= 400 THEN 'kept' END AS note FROM generate_series(1, 600) id) y";

fn books() -> Rows {
    rows!(read: 600, inserted: 200, updated: 100, unchanged: 300)
}

#[track_caller]
fn is_merged(scene: &Scene, merges: bool) {
    assert_eq!(scene.db.digest("items"), scene.db.digest(EXPECTED));
    let seen = |word: &str| {
        scene.db.one(&format!(
            "SELECT count(*) > 0 FROM seen WHERE statement ~ 'dbload_stage' AND statement ~ '^(SET LOCAL[^;]*;\\s*)*{word}'"
        ))
    };
    let seen = (seen("(SELECT.*)?MERGE"), seen("(INSERT|UPDATE)"));
    assert_eq!(seen, if merges { ("t".into(), "f".into()) } else { ("f".into(), "t".into()) });
}

#[test]
fn new_changed_and_unchanged_rows_are_merged_at_once_and_counted_apart() {
    for flags in
        ["--pool-size 1", "--pool-size 2 --batch-rows 50", "--no-ledger --pool-size 3 --batch-rows 7"]
    {
        let scene = scene("");
        assert_eq!(scene.load(&format!("items.jsonl {flags}")).rows(), books(), "{flags}");
        is_merged(&scene, true);
        let again = scene.load(&format!("items.jsonl {flags}")).rows();
        assert_eq!(again, rows!(read: 600, unchanged: 600), "{flags}");
    }
}

#[test]
fn where_counters_cannot_tell_rows_are_inserted_and_then_updated() {
    for (why, more) in [
        ("a row trigger", "CREATE TRIGGER each AFTER UPDATE ON items FOR EACH ROW EXECUTE FUNCTION watch()"),
        ("a child", "CREATE TABLE child () INHERITS (items)"),
    ] {
        let scene = scene(more);
        assert_eq!(scene.load("items.jsonl --batch-rows 50").rows(), books(), "{why}");
        is_merged(&scene, false);
    }
    let scene = scene("");
    let off = format!("ALTER DATABASE \"{}\" SET track_counts = off", scene.db.name());
    scene.sql(&off);
    assert_eq!(scene.load("items.jsonl --batch-rows 50").rows(), books());
    is_merged(&scene, false);
}

/// How often the index of the key was gone down from its root for a load of these records.
fn looks(scene: &Scene, flags: &str, books: &Rows) -> u64 {
    let looks = || {
        let sum = "SELECT sum(idx_scan) FROM pg_stat_user_indexes WHERE indexrelname = 'items_pkey'";
        scene.db.one(sum).parse::<u64>().unwrap()
    };
    let before = looks();
    assert_eq!(scene.load(&format!("items.jsonl --pool-size 2 --batch-rows 4000 {flags}")).rows(), *books);
    scene.db.until_alone();
    looks() - before
}

#[test]
fn keys_that_lie_close_together_are_found_by_walks_along_the_index() {
    for (key, lowest, step) in [
        ("smallint", -3_000, 1),
        ("int", 2_147_400_000, 2),
        ("bigint", i64::MIN, 3),
        // Too far apart, or of a type that the planner takes for another one's, or no number.
        ("bigint", -5, 1_000),
        ("near", -9, 1),
        ("text", 0, 1),
    ] {
        let scene = Scene::with("CREATE DOMAIN near AS int CHECK (VALUE > -10)");
        let id = format!("({lowest} + i * {step}::bigint)");
        scene.sql(&format!(
            "CREATE TABLE items (id {key} PRIMARY KEY, n int);
             INSERT INTO items SELECT {id}::{key}, i FROM generate_series(0, 23999) i WHERE i % 3 > 0"
        ));
        let record =
            |i: i64| format!("{{\"id\":{},\"n\":{}}}\n", lowest + i * step, i + i64::from(i % 3 > 1));
        scene.file("items.jsonl", (0..24_000).map(record).collect::<String>());
        let is_close = step < 10 && key.ends_with("int");
        let expected = format!(
            "(SELECT {id}::{key} AS id, i + (i % 3 > 1)::int AS n FROM generate_series(0, 23999) i) y"
        );
        // A MERGE, and a look whether all is as it should be.
        for (flags, books) in [
            ("", rows!(read: 24_000, inserted: 8_000, updated: 8_000, unchanged: 8_000)),
            ("", rows!(read: 24_000, unchanged: 24_000)),
            ("--no-ledger", rows!(read: 24_000, unchanged: 24_000)),
        ] {
            let looks = looks(&scene, flags, &books);
            assert_eq!(looks < 6_000, is_close, "{key} {step} {flags}: {looks}");
            assert_eq!(scene.db.digest("items"), scene.db.digest(&expected), "{key} {step} {flags}");
        }
    }
}

#[test]
fn a_bad_value_among_changed_rows_is_one_reject_wherever_it_stands() {
    for flags in ["--pool-size 1", "--pool-size 2", "--pool-size 2 --no-ledger"] {
        let scene = Scene::with(
            "CREATE TABLE items (id int PRIMARY KEY, name text, n int CHECK (n <> 55)); \
             INSERT INTO items SELECT i, 'item ' || i, 0 FROM generate_series(1, 3000) i",
        );
        // Some batches have one, some none, some two in a row; one kind the COPY refuses, one the merge.
        let record = |id: u64| match id {
            7 | 1_250 | 1_251 | 1_390 | 2_999 => format!("{{\"id\":{id},\"n\":\"many\"}}\n"),
            1_700 => format!("{{\"id\":{id},\"n\":55}}\n"),
            _ => format!("{{\"id\":{id},\"n\":{}}}\n", id % 50 + 1),
        };
        scene.file("items.jsonl", (1..=3_000).map(record).collect::<String>());
        let report = scene.run(&format!("items.jsonl --batch-rows 100 {flags}")).exits(3).report();
        assert_eq!(report.rows, rows!(read: 3_000, updated: 2_994, rejected: 6), "{flags}");
        let expected = "(SELECT id, 'item ' || id AS name, CASE WHEN id IN (7, 1250, 1251, 1390, 2999, 1700) THEN 0 \
                        ELSE id % 50 + 1 END AS n FROM generate_series(1, 3000) id) y";
        assert_eq!(scene.db.digest("items"), scene.db.digest(expected), "{flags}");
    }
}

#[test]
fn counters_that_do_not_come_to_what_was_merged_are_not_believed() {
    // The trigger's own rows count as the table's.
    let scene = scene(
        "CREATE FUNCTION meddle() RETURNS trigger LANGUAGE plpgsql AS
           $$ BEGIN IF pg_trigger_depth() = 1 THEN UPDATE items SET note = 'kept' WHERE id = 3; END IF; RETURN NULL; END $$;
         CREATE TRIGGER meddle AFTER INSERT OR UPDATE ON items FOR EACH STATEMENT EXECUTE FUNCTION meddle()",
    );
    assert_eq!(scene.load("items.jsonl --pool-size 1").rows(), books());
    // The notes of the MERGE were undone with it.
    is_merged(&scene, false);
}

#[test]
fn repeated_keys_defaults_and_missing_fields_are_merged_as_one_by_one() {
    let scene = Scene::with(STORED);
    scene.file(
        "items.jsonl",
        "{\"id\":1,\"name\":\"a\"}\n{\"id\":500,\"name\":\"b\"}\n{\"id\":1,\"n\":5}\n{\"id\":500,\"note\":\"x\"}\n\
         {\"id\":501}\n{\"id\":2,\"note\":null}\n{\"id\":3}\n{\"id\":4,\"name\":\"item 4\",\"n\":4}\n",
    );
    let rows = scene.load("items.jsonl --pool-size 1").rows();
    assert_eq!(rows, rows!(read: 8, inserted: 2, updated: 2, unchanged: 2, deduplicated: 2));
    let lines = scene.db.lines("SELECT id, name, n, note FROM items WHERE id < 4 OR id > 499 ORDER BY id");
    assert_eq!(
        lines,
        ["1|a|5|kept", "2|item 2|2|NULL", "3|item 3|3|kept", "500|b|7|x", "501|NULL|7|NULL"]
            .map(String::from)
    );
}

#[test]
fn rows_that_are_not_newer_are_left_and_counted_as_by_two_statements() {
    let load = |more: &str| {
        let scene = Scene::with("CREATE TABLE t (k int PRIMARY KEY, at int, v text)");
        scene.sql("INSERT INTO t SELECT i, 10, 'old' FROM generate_series(1, 30) i");
        scene.sql(more);
        let text = (1..=40).fold(String::new(), |text, k| {
            let (at, v) = match k % 3 {
                0 => (11, "new"),
                1 => (9, "older"),
                _ => (10, "old"),
            };
            text + &format!("{{\"k\":{k},\"at\":{at},\"v\":\"{v}\"}}\n")
        });
        scene.file("t.jsonl", text);
        (scene.load("t.jsonl --newer-by at").rows(), scene.db.digest("t"))
    };
    let at_once = load("");
    assert_eq!(at_once, load("CREATE TABLE child () INHERITS (t)"));
    assert_eq!(at_once.0, rows!(read: 40, inserted: 10, updated: 10, unchanged: 10, skipped: 10));
}

/// A load that waits for a row or a key of another session.
fn blocked(scene: &Scene) -> Running {
    let running = scene.dbload("items.jsonl --pool-size 1").spawn();
    scene.db.until_blocked();
    running
}

#[test]
fn the_latest_version_of_a_row_that_another_program_updates_meanwhile_is_what_is_merged() {
    let scene = scene("");
    let other = scene.db.another();
    // 8 is to change, and what the file has not is the other program's; 12 becomes what it should be.
    other.sql("BEGIN; UPDATE items SET note = 'first', n = 0 WHERE id IN (8, 12)");
    let running = blocked(&scene);
    other.sql(
        "UPDATE items SET note = 'second' WHERE id = 8; UPDATE items SET n = 13, note = 'kept' WHERE id = 12",
    );
    other.sql("COMMIT");
    assert_eq!(running.wait().exits(0).rows(), rows!(read: 600, inserted: 200, updated: 99, unchanged: 301));
    assert_eq!(scene.db.one("SELECT n || note FROM items WHERE id = 8"), "9second");
    scene.sql("UPDATE items SET note = 'kept' WHERE id = 8");
    is_merged(&scene, true);
}

#[test]
fn a_row_that_another_program_deletes_meanwhile_is_inserted() {
    let scene = scene("");
    let other = scene.db.another();
    other.sql("BEGIN; DELETE FROM items WHERE id = 8");
    let running = blocked(&scene);
    other.sql("COMMIT");
    assert_eq!(running.wait().exits(0).rows(), rows!(read: 600, inserted: 201, updated: 99, unchanged: 300));
    scene.sql("UPDATE items SET note = 'kept' WHERE id = 8");
    is_merged(&scene, true);
}

#[test]
fn a_key_that_another_program_inserts_meanwhile_is_updated() {
    for (end, expected) in
        [("COMMIT", rows!(read: 600, inserted: 199, updated: 101, unchanged: 300)), ("ROLLBACK", books())]
    {
        let scene = scene("");
        let other = scene.db.another();
        other.sql("BEGIN; INSERT INTO items VALUES (555, 'other', 0, 'kept')");
        let running = blocked(&scene);
        other.sql(end);
        assert_eq!(running.wait().exits(0).rows(), expected, "{end}");
        assert_eq!(scene.db.one("SELECT name || n FROM items WHERE id = 555"), "item 555555");
        scene.sql("UPDATE items SET note = NULL WHERE id = 555");
        is_merged(&scene, end == "ROLLBACK");
    }
}
