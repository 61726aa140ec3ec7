//! Staging tables that another load has left in a session.

use crate::support::bouncer::Bouncer;
use crate::support::{Dbload, Scene};

/// A pooler that keeps sessions and resets nothing hands one with the staging table of another load to this
/// one.
#[test]
fn the_staging_table_of_another_load_is_not_used() {
    let Some(bouncer) = Bouncer::keeping_sessions() else { return };
    let scene = Scene::with(
        "CREATE TABLE a (id int PRIMARY KEY, v numeric(10,1)); CREATE TABLE b (id int PRIMARY KEY, v numeric(10,6)); \
         CREATE TABLE c (id int PRIMARY KEY, w text, x text)",
    );
    let url = bouncer.url(&scene.db.name());
    let load =
        |line: &str| Dbload::new(scene.cwd()).line(line).arg("--json").arg("--dsn").arg(&url).run().exits(0);
    for (mode, pooler) in [("upsert", "none"), ("upsert", "transaction"), ("upsert", "auto")] {
        scene.sql("TRUNCATE a, b, c; INSERT INTO a VALUES (1, 0); INSERT INTO b VALUES (1, 0); INSERT INTO c VALUES (1)");
        scene.file("a.csv", "id,v\n1,1.5\n2,2.5\n");
        scene.file("b.csv", "id,v\n1,1.123456\n2,2.123456\n2,3.123456\n");
        scene.file("c.csv", "id,w,x\n1,a,b\n2,c,d\n");
        for table in ["a", "b", "c", "a"] {
            load(&format!("{table}.csv --table {table} --mode {mode} --pool-size 1 --pooler {pooler}"));
        }
        assert_eq!(scene.db.lines("SELECT * FROM b ORDER BY id"), ["1|1.123456", "2|3.123456"], "{pooler}");
        assert_eq!(scene.db.lines("SELECT * FROM c ORDER BY id"), ["1|a|b", "2|c|d"], "{pooler}");
    }
}

/// Not a load's: whatever has such a name goes.
#[test]
fn a_table_of_that_name_which_a_session_has_already_is_made_anew() {
    let Some(bouncer) = Bouncer::keeping_sessions() else { return };
    let scene =
        Scene::with("CREATE TABLE t (id int PRIMARY KEY, v int CHECK (v > 0)); INSERT INTO t VALUES (1, 1)");
    let url = bouncer.url(&scene.db.name());
    let before = crate::support::Database::connect(&url);
    before.sql(
        "CREATE TEMPORARY TABLE dbload_stage (id int); CREATE TEMPORARY TABLE dbload_refused (x int); \
         CREATE TEMPORARY TABLE dbload_text (x int); CREATE TEMPORARY TABLE dbload_aside (x int)",
    );
    drop(before);
    scene.file("t.csv", "id,v\n1,2\n2,two\n3,-3\n4,4\n");
    for pooler in ["none", "transaction"] {
        let line = format!("t.csv --table t --pool-size 1 --pooler {pooler}");
        let outcome =
            Dbload::new(scene.cwd()).line(&line).arg("--json").arg("--dsn").arg(&url).run().exits(3);
        assert_eq!(outcome.rows().rejected, 2, "{outcome}");
        assert_eq!(scene.db.lines("SELECT * FROM t ORDER BY id"), ["1|2", "4|4"]);
    }
}
