//! Rows that are new go straight into the table, where it cannot be told from the reference; whatever the
//! table refuses goes by staging, with the same result and the same books.
//!
//! What the report says of the way taken is believed only where the table's own statistics agree.

use crate::rows;
use crate::support::{Scene, generate};

const ITEMS: &str = "CREATE TABLE items (id int PRIMARY KEY, name text, n int)";

fn items(ids: impl Iterator<Item = u64>) -> String {
    ids.map(|id| format!("{{\"id\":{id},\"name\":\"item {id}\",\"n\":{}}}\n", id * 7)).collect()
}

fn expected(ids: &str) -> String {
    format!("(SELECT id, 'item ' || id AS name, id * 7 AS n FROM {ids} id) y")
}

#[test]
fn into_an_empty_table_all_batches_go_straight() {
    let scene = Scene::with(ITEMS);
    scene.file("items.jsonl", items(1..=5_000));
    let report = scene.load("items.jsonl --batch-rows 500 --pool-size 2").report();
    assert_eq!(report.rows, rows!(read: 5_000, inserted: 5_000));
    assert!(report.pool.batches >= 10 && report.pool.direct >= report.pool.batches - 2, "{:?}", report.pool);
    assert_eq!(scene.db.digest("items"), scene.db.digest(&expected("generate_series(1, 5000)")));
    // Nothing was written that had to be taken back.
    assert_eq!(scene.db.one("SELECT count(*) = max(id) FROM items"), "t");
}

#[test]
fn into_a_table_with_rows_the_first_batches_look_for_stored_keys() {
    let scene = Scene::with(ITEMS);
    scene.sql("INSERT INTO items SELECT i, 'old', 0 FROM generate_series(1, 100) i");
    scene.file("items.jsonl", items(1_001..=6_000));
    let report = scene.load("items.jsonl --batch-rows 500 --pool-size 1").report();
    assert_eq!(report.rows, rows!(read: 5_000, inserted: 5_000));
    assert_eq!((report.pool.batches, report.pool.direct), (11, 9), "{:?}", report.pool);
}

#[test]
fn keys_that_were_met_before_go_by_staging_and_the_others_straight() {
    let scene = Scene::with(ITEMS);
    // Every tenth record of the second half repeats a key of the first.
    let again = (2_001..=4_000).map(|i| if i % 10 == 0 { i - 2_000 } else { i });
    scene.file("items.jsonl", items((1..=2_000).chain(again)));
    let report = scene.load("items.jsonl --batch-rows 200 --pool-size 2").report();
    assert_eq!(report.rows, rows!(read: 4_000, inserted: 3_800, unchanged: 200));
    assert!(report.pool.direct >= report.pool.batches - 2, "{:?}", report.pool);
    assert_eq!(report.pool.direct_refused, 0, "{:?}", report.pool);
    assert_eq!(
        scene.db.digest("items"),
        scene.db.digest(&expected(
            "(SELECT id FROM generate_series(1, 4000) id WHERE id <= 2000 OR id % 10 <> 0)"
        ))
    );
}

#[test]
fn repeats_within_a_batch_are_folded_while_the_others_go_straight() {
    let scene = Scene::with(ITEMS);
    // Of keys that end in 3 the first record lacks what the second has; those that end in 7 come thrice, and
    // are changed.
    let lines: String = (1..=1_000_u64)
        .map(|id| match id % 10 {
            3 => format!("{{\"id\":{id},\"n\":{}}}\n{{\"id\":{id},\"name\":\"item {id}\"}}\n", id * 7),
            7 => format!("{{\"id\":{id},\"name\":\"x\",\"n\":0}}\n{}{}", items(id..=id), items(id..=id)),
            _ => items(id..=id),
        })
        .collect();
    scene.file("items.jsonl", lines);
    let report = scene.load("items.jsonl --pool-size 1").report();
    assert_eq!(report.rows, rows!(read: 1_300, inserted: 1_000, deduplicated: 300));
    assert_eq!(
        (report.pool.direct, report.pool.direct_refused),
        (report.pool.batches, 0),
        "{:?}",
        report.pool
    );
    assert_eq!(scene.db.digest("items"), scene.db.digest(&expected("generate_series(1, 1000)")));
}

#[test]
fn a_repeat_that_the_table_refuses_is_the_reject_and_the_rows_beside_it_are_loaded() {
    let scene = Scene::with(
        "CREATE TABLE items (id int PRIMARY KEY, name varchar(10) NOT NULL, n int CHECK (n < 20000))",
    );
    let bad = [
        "{\"id\":5,\"name\":\"item 5\",\"n\":30000}\n",
        "{\"id\":6,\"name\":\"far too long a name\",\"n\":1}\n",
        "{\"id\":7,\"name\":null}\n",
        "{\"id\":8,\"n\":\"many\"}\n",
    ];
    scene.file("items.jsonl", items(1..=2_000) + &bad.concat());
    let report = scene.run("items.jsonl --batch-rows 500 --pool-size 1").exits(3).report();
    assert_eq!(report.rows, rows!(read: 2_004, inserted: 2_000, rejected: 4));
    assert!(report.pool.direct >= 4, "{:?}", report.pool);
    assert_eq!(scene.db.digest("items"), scene.db.digest(&expected("generate_series(1, 2000)")));
}

#[test]
fn where_another_unique_index_ties_records_repeats_keep_all_of_their_batch_in_order() {
    let scene = Scene::with("CREATE TABLE items (id int PRIMARY KEY, name text UNIQUE, n int)");
    // The repeat takes the name that a later record wants: in the order of records it is the later one that
    // is refused.
    let lines = "{\"id\":1,\"name\":\"a\"}\n{\"id\":1,\"name\":\"b\"}\n{\"id\":2,\"name\":\"b\"}\n{\"id\":3,\"name\":\"c\"}\n";
    scene.file("items.jsonl", lines);
    let report = scene.run("items.jsonl").exits(3).report();
    assert_eq!(report.rows.rejected, 1);
    assert_eq!(scene.db.lines("SELECT id, name FROM items ORDER BY id"), ["1|b", "3|c"]);
}

#[test]
fn a_stored_key_in_a_later_batch_sends_it_by_staging() {
    let scene = Scene::with(ITEMS);
    scene.sql("INSERT INTO items SELECT i * 10, 'item ' || i * 10, i * 70 FROM generate_series(201, 400) i");
    scene.file("items.jsonl", items(1..=4_000));
    let report = scene.load("items.jsonl --batch-rows 200 --pool-size 2").report();
    assert_eq!(report.rows, rows!(read: 4_000, inserted: 3_800, unchanged: 200));
    assert!(report.pool.direct > 0 && report.pool.direct < report.pool.batches, "{:?}", report.pool);
    assert!(report.pool.direct_refused > 0, "{:?}", report.pool);
    assert_eq!(scene.db.digest("items"), scene.db.digest(&expected("generate_series(1, 4000)")));
}

#[test]
fn what_the_table_refuses_is_one_reject_and_the_rest_is_loaded() {
    let scene = Scene::with(
        "CREATE TABLE items (id int PRIMARY KEY, name varchar(10) NOT NULL, n int CHECK (n < 20000), UNIQUE (n))",
    );
    let lines: String = (1..=3_000)
        .map(|id| match id {
            700 => format!("{{\"id\":{id},\"name\":\"far too long a name\",\"n\":{}}}\n", id * 7),
            1_500 => format!("{{\"id\":{id},\"name\":null,\"n\":{}}}\n", id * 7),
            2_000 => format!("{{\"id\":{id},\"name\":\"twin\",\"n\":7}}\n"),
            2_500 => format!("{{\"id\":{id},\"name\":\"x\",\"n\":\"many\"}}\n"),
            _ => format!("{{\"id\":{id},\"name\":\"item {id}\",\"n\":{}}}\n", id * 7),
        })
        .collect();
    scene.file("items.jsonl", lines);
    let report = scene.run("items.jsonl --batch-rows 300").exits(3).report();
    // From 2,858 on n reaches 20,000.
    assert_eq!(report.rows, rows!(read: 3_000, inserted: 2_853, rejected: 147));
    assert!(report.pool.direct > 0, "{:?}", report.pool);
    assert_eq!(
        scene.db.digest("items"),
        scene.db.digest(&expected(
            "(SELECT id FROM generate_series(1, 2857) id WHERE id NOT IN (700, 1500, 2000, 2500))"
        ))
    );
}

#[test]
fn records_that_lack_a_column_take_its_default_by_staging() {
    let scene = Scene::with("CREATE TABLE items (id int PRIMARY KEY, name text DEFAULT 'nobody', n int)");
    scene.file(
        "items.jsonl",
        "{\"id\":1,\"name\":\"a\",\"n\":1}\n{\"id\":2,\"n\":2}\n{\"id\":3,\"name\":null}\n",
    );
    let report = scene.load("items.jsonl --pool-size 1").report();
    assert_eq!(report.pool.direct, 0);
    assert_eq!(
        scene.db.lines("SELECT id, name, n FROM items ORDER BY id"),
        ["1|a|1", "2|nobody|2", "3|NULL|NULL"]
    );
    // A column without a default is NULL either way.
    scene.sql("TRUNCATE items");
    scene.file("more.jsonl", "{\"id\":1,\"name\":\"a\",\"n\":1}\n{\"id\":2,\"name\":\"b\"}\n");
    assert_eq!(scene.load("more.jsonl -t items --pool-size 1").report().pool.direct, 1);
    assert_eq!(scene.db.lines("SELECT id, name, n FROM items ORDER BY id"), ["1|a|1", "2|b|NULL"]);
}

#[test]
fn a_column_that_only_earlier_records_had_is_its_default_in_those_that_lack_it() {
    for mode in ["upsert", "ignore", "append"] {
        let scene = Scene::with(
            "CREATE TABLE items (id int PRIMARY KEY, name text DEFAULT 'nobody', at int DEFAULT 7 NOT NULL, \
             n bigint GENERATED BY DEFAULT AS IDENTITY)",
        );
        // The second file's records are blocks, and batches, of their own: no row of these has the columns of
        // the first.
        scene.file(
            "a.jsonl",
            "{\"id\":1,\"name\":\"a\",\"at\":1,\"n\":100}\n{\"id\":2,\"name\":\"b\",\"at\":2,\"n\":200}\n",
        );
        scene.file("b.jsonl", "{\"id\":3}\n{\"id\":4}\n");
        let words = format!("a.jsonl b.jsonl -t items --mode {mode} --pool-size 1 --batch-rows 2");
        let report = scene.load(&words).report();
        assert_eq!(report.rows, rows!(read: 4, inserted: 4), "{mode}");
        assert!(report.pool.direct > 0, "{mode}: {:?}", report.pool);
        assert_eq!(
            scene.db.lines("SELECT * FROM items ORDER BY id"),
            ["1|a|1|100", "2|b|2|200", "3|nobody|7|1", "4|nobody|7|2"],
            "{mode}"
        );
    }
}

#[test]
fn a_table_that_was_small_when_the_plans_were_made_is_not_read_whole_for_each_row() {
    // All ways of looking keys up: set by set, and record by record.
    for (columns, bad) in [("", 0), (", CHECK (n <> 7)", 1)] {
        let scene =
            Scene::with(&format!("CREATE TABLE items (id int PRIMARY KEY, name text, n int{columns})"));
        // The statistics say: nothing is in it.
        scene.sql("INSERT INTO items VALUES (0); DELETE FROM items");
        scene.sql("VACUUM ANALYZE items");
        scene.file("items.jsonl", items((1..=8_000).chain(1..=8_000)));
        let report = scene.run("items.jsonl --pool-size 1").exits(if bad > 0 { 3 } else { 0 }).report();
        assert_eq!(
            report.rows,
            rows!(read: 16_000, inserted: 8_000 - bad, deduplicated: report.rows.deduplicated, unchanged: report.rows.unchanged, rejected: 2 * bad)
        );
        scene.sql("SELECT pg_stat_force_next_flush()");
        let read: u64 = scene
            .db
            .one("SELECT seq_tup_read FROM pg_stat_all_tables WHERE relname = 'items'")
            .parse()
            .unwrap();
        assert!(read < 100_000, "{read} rows were read one after the other");
    }
}

#[test]
fn an_append_goes_straight_whatever_is_stored() {
    let scene = Scene::with("CREATE TABLE log (at int, what text)");
    scene.sql("INSERT INTO log VALUES (0, 'before')");
    scene.file(
        "log.csv",
        format!("at,what\n{}", (1..=3_000).map(|i| format!("{i},event {i}\n")).collect::<String>()),
    );
    let report = scene.load("log.csv --batch-rows 500 --pool-size 2").report();
    assert_eq!(report.rows, rows!(read: 3_000, inserted: 3_000));
    assert!(report.pool.direct >= 6, "{:?}", report.pool);
    assert_eq!(
        scene.db.digest("log"),
        scene.db.digest("(SELECT i AS at, CASE i WHEN 0 THEN 'before' ELSE 'event ' || i END AS what FROM generate_series(0, 3000) i) y")
    );
}

#[test]
fn rows_that_something_else_has_put_into_the_table_are_not_counted() {
    // A trigger that sees no rows, only that there was a statement: one row more for each.
    let noted = "CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS \
                 $$ BEGIN INSERT INTO items SELECT -1 - count(*) FROM items; RETURN NULL; END $$;
                 CREATE TRIGGER note AFTER INSERT ON items FOR EACH STATEMENT WHEN (pg_trigger_depth() = 0) EXECUTE FUNCTION note()";
    for (table, words) in [
        (ITEMS, "--pool-size 2"),
        (ITEMS, "--pool-size 1 --no-ledger"),
        ("CREATE TABLE items (id int, name text, n int)", "--mode append --pool-size 2"),
    ] {
        let scene = Scene::with(table);
        scene.sql(noted);
        scene.file("items.jsonl", items(1..=2_000));
        let report = scene.load(&format!("items.jsonl --batch-rows 200 {words}")).report();
        assert_eq!(report.rows, rows!(read: 2_000, inserted: 2_000), "{words}");
        assert_eq!(
            scene.db.digest("(SELECT * FROM items WHERE id > 0) y"),
            scene.db.digest(&expected("generate_series(1, 2000)")),
            "{words}"
        );
        assert_eq!(scene.db.one("SELECT count(*) > 0 FROM items WHERE id < 0"), "t");
    }
}

#[test]
fn the_servers_counter_and_the_number_that_was_sent_agree_whenever_it_was_set_back() {
    // The counters are set back once a second at most, and a connection is used again for each batch.
    let scene = Scene::with(ITEMS);
    scene.file("items.jsonl", items(1..=6_000));
    for (n, words) in ["--pool-size 1", "--pool-size 2", "--pool-size 3"].iter().enumerate() {
        let report = scene.load(&format!("items.jsonl --batch-rows 20 {words}")).report();
        let direct = report.pool.direct;
        assert_eq!(report.rows, rows!(read: 6_000, inserted: 6_000), "{words}");
        assert!(direct > 280 && report.pool.direct_refused == 0, "{words}: {:?}", report.pool);
        assert_eq!(scene.db.digest("items"), scene.db.digest(&expected("generate_series(1, 6000)")), "{n}");
        scene.sql("TRUNCATE items");
    }
}

#[test]
fn identity_and_domain_columns_are_filled_as_by_staging() {
    let scene = Scene::with(
        "CREATE DOMAIN positive AS int CHECK (VALUE > 0);
         CREATE TABLE items (id int PRIMARY KEY, own bigint GENERATED ALWAYS AS IDENTITY, p positive, twice int GENERATED ALWAYS AS (id * 2) STORED)",
    );
    scene.file("items.csv", "id,own,p,twice\n1,100,5,0\n2,200,6,0\n3,300,-1,0\n");
    let report = scene.run("items.csv --pool-size 1").exits(3).report();
    assert_eq!(report.rows, rows!(read: 3, inserted: 2, rejected: 1));
    assert_eq!(scene.db.lines("SELECT * FROM items ORDER BY id"), ["1|100|5|2", "2|200|6|4"]);
}

#[test]
fn a_load_of_many_bad_records_wastes_few_batches() {
    let scene = Scene::with(ITEMS);
    let lines: String = (1..=20_000)
        .map(|id| if id % 50 == 0 { format!("{{\"id\":{id},\"n\":\"bad\"}}\n") } else { items(id..=id) })
        .collect();
    scene.file("items.jsonl", lines);
    let report = scene.run("items.jsonl --batch-rows 100 --pool-size 1").exits(3).report();
    assert_eq!(report.rows, rows!(read: 20_000, inserted: 19_600, rejected: 400));
    // A row that was copied and taken back is a dead row.
    scene.sql("ANALYZE items");
    let pages: u64 = scene.db.one("SELECT pg_relation_size('items') / 8192").parse().unwrap();
    scene.sql("CREATE TABLE same AS SELECT * FROM items");
    let least: u64 = scene.db.one("SELECT pg_relation_size('same') / 8192").parse().unwrap();
    assert!(pages <= least + least / 20, "{pages} pages, {least} would do");
}

#[test]
fn the_plan_says_which_way_and_why() {
    let scene = Scene::with(generate::EVENTS_TABLE);
    scene.file("events.jsonl", generate::events(1..=10, 1));
    scene.run("events.jsonl --dry-run").exits(0);
    let plan = scene.plain("events.jsonl --dry-run").run().to_string();
    assert!(plan.contains("straight into the table while all rows of a batch are new"), "{plan}");
    assert!(plan.contains("else set-based, by one MERGE; record by record"), "{plan}");
    scene.sql(
        "CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
         CREATE TRIGGER note AFTER INSERT ON events FOR EACH ROW EXECUTE FUNCTION note()",
    );
    let plan = scene.plain("events.jsonl --dry-run").run().to_string();
    assert!(
        plan.contains(
            "never straight into the table (row triggers of the table see each record); set-based, by an insert"
        ),
        "{plan}"
    );
}
