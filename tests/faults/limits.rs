//! Limits that others have set for our transactions.

use crate::support::{Scene, audit};

/// `transaction_timeout`, of PostgreSQL 17 and later.
fn has_it(scene: &Scene) -> bool {
    scene.db.one("SELECT current_setting('server_version_num')::int >= 170000") == "t"
}

/// A row takes 4 ms, record 1500 as long as is said. The ledger is there before the limit is.
fn scene(record_1500: &str) -> Scene {
    let scene = Scene::with(&format!(
        "CREATE TABLE other (id int PRIMARY KEY); CREATE TABLE t (id int PRIMARY KEY, v int); \
         CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
           PERFORM pg_sleep(CASE NEW.id WHEN 1500 THEN {record_1500} ELSE 0.004 END); RETURN NULL; END $$; \
         CREATE TRIGGER slow AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION slow()"
    ));
    scene.file("other.csv", "id\n1\n");
    scene.load("other.csv -t other");
    let text = (0..2_000).fold("id,v\n".to_owned(), |text, i| text + &format!("{i},{}\n", i * 7));
    scene.file("t.csv", text);
    if has_it(&scene) {
        scene.sql(&format!("ALTER DATABASE {} SET transaction_timeout = '1s'", scene.db.name()));
    }
    scene
}

const WHOLE: &str = "(SELECT i AS id, i * 7 AS v FROM generate_series(0, 1999) i) x";

/// A batch takes 4 s: it is halved until its parts are done in time.
#[test]
fn a_transaction_timeout_that_a_batch_exceeds_halves_it() {
    for flags in ["--mode append --pool-size 1", "--mode upsert --pool-size 2"] {
        let scene = scene("0.004");
        let outcome = scene.run(&format!("t.csv -t t --batch-rows 1000 {flags}")).exits(0);
        assert_eq!(scene.db.digest("t"), scene.db.digest(WHOLE), "{outcome}");
        assert_eq!(audit(&scene.db), outcome.rows(), "{outcome}");
        assert_eq!(outcome.rows().inserted, 2_000, "{outcome}");
        assert!(!has_it(&scene) || outcome.report().pool.batches > 4, "it was halved: {outcome}");
    }
}

/// One record alone takes too long: that is said, what to do too, and the load goes on once it is done.
#[test]
fn a_transaction_timeout_that_one_record_exceeds_ends_the_load_with_a_hint_that_is_true() {
    let scene = scene("3");
    if !has_it(&scene) {
        return;
    }
    let line = "t.csv -t t --batch-rows 250 --mode append --pool-size 1";
    scene.run(line).exits(5).says("transaction_timeout").says("raise it");
    scene.run(line).exits(5).says("for the same reason").says("25P04");
    scene.sql(&format!("ALTER DATABASE {} SET transaction_timeout = '1min'", scene.db.name()));
    let outcome = scene.run(line).exits(0);
    assert_eq!(scene.db.digest("t"), scene.db.digest(WHOLE), "{outcome}");
    assert_eq!(audit(&scene.db), outcome.rows(), "{outcome}");
}
