//! The target is another one in mid-load, or at the next start: tables and schemas swapped, the key dropped,
//! rules and triggers added, partitions and children that come and go, files that are new, tables that a
//! crash empties.

use super::{Kind, Load, until};
use crate::support::{Database, Folder, Outcome, Scene};
use dbload::internals::local::{Options, TempServer};
use rustix::process::Signal;
use std::fmt::Write;
use std::time::Duration;

pub(super) const RECORDS: u64 = 12_000;

/// A load of numbered rows into `a.t`, slow enough to be met in the middle.
pub(super) struct Slow {
    pub(super) scene: Scene,
    mode: &'static str,
}

/// Statement triggers are not part of the table's shape: all tables that are swapped with it have this one.
const SLOW: &str = "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.05); RETURN NULL; END $$";

const FAST: &str =
    "CREATE OR REPLACE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$";

impl Slow {
    pub(super) fn new(mode: &'static str, table: &str) -> Self {
        Self::on(Scene::new(), mode, table)
    }

    pub(super) fn on(scene: Scene, mode: &'static str, table: &str) -> Self {
        let mut text = String::from("id,v\n");
        for i in 0..RECORDS {
            let _ = writeln!(text, "{i},{}", i * 7);
        }
        scene.file("t.csv", text);
        scene.sql(&format!("CREATE SCHEMA a; {SLOW}; {table}"));
        let slow = Self { scene, mode };
        slow.sql(&trigger("a.t"));
        slow
    }

    pub(super) fn sql(&self, sql: &str) {
        self.scene.sql(sql);
    }

    pub(super) fn command(&self) -> crate::support::Dbload {
        let line = format!("t.csv -t a.t --batch-rows 300 --pool-size 2 --mode {}", self.mode);
        self.scene.dbload(&line)
    }

    pub(super) fn batches(&self) -> u64 {
        match self.scene.db.try_rows("SELECT coalesce(sum(batches), 0) FROM _dbload.checkpoint") {
            Ok((rows, _)) => rows[0][0].as_ref().unwrap().parse().unwrap(),
            Err(_) => 0,
        }
    }

    /// Changes the target once so many batches are committed, and returns how the load ended.
    pub(super) fn changed_after(&self, batches: u64, ddl: &str) -> Outcome {
        let running = self.command().spawn();
        until("batches are committed", || self.batches() >= batches);
        std::thread::sleep(Duration::from_millis(batches * 13 % 50));
        self.sql(ddl);
        self.sql(FAST);
        running.wait()
    }

    /// Killed once so many batches are committed.
    pub(super) fn killed_after(&self, batches: u64) {
        let running = self.command().spawn();
        until("batches are committed", || self.batches() >= batches);
        running.signal(Signal::KILL);
        running.wait();
        self.scene.db.until_alone();
    }

    /// All rows are in the table.
    #[track_caller]
    pub(super) fn is_whole(&self, outcome: &Outcome) {
        let expected = format!(
            "(SELECT i::bigint AS id, i * 7::bigint AS v FROM generate_series(0, {RECORDS} - 1) i) x"
        );
        let found = "(SELECT id, v FROM a.t) x";
        assert_eq!(self.scene.db.digest(found), self.scene.db.digest(&expected), "{outcome}");
    }

    /// All rows are in one table; or the load says that they are not.
    #[track_caller]
    pub(super) fn is_whole_or_said(&self, outcome: &Outcome, what: &str) {
        assert!(!outcome.stderr.contains("panicked"), "{outcome}");
        match outcome.code() {
            0 => self.is_whole(outcome),
            code => assert!(matches!(code, 5 | 8), "{what}: {outcome}"),
        }
    }
}

pub(super) fn trigger(table: &str) -> String {
    format!(
        "CREATE TRIGGER slow AFTER INSERT OR UPDATE ON {table} FOR EACH STATEMENT EXECUTE FUNCTION slow()"
    )
}

pub(super) const KEYED: &str = "CREATE TABLE a.t (id bigint PRIMARY KEY, v bigint)";
pub(super) const PARTITIONED: &str = "CREATE TABLE a.t (id bigint PRIMARY KEY, v bigint) PARTITION BY RANGE (id); \
     CREATE TABLE a.t1 PARTITION OF a.t FOR VALUES FROM (0) TO (4000); \
     CREATE TABLE a.t2 PARTITION OF a.t FOR VALUES FROM (4000) TO (8000); \
     CREATE TABLE a.t3 PARTITION OF a.t FOR VALUES FROM (8000) TO (12000)";

#[test]
fn tables_and_schemas_swapped_by_name_never_share_a_load() {
    let swaps = [
        "CREATE TABLE a.n (LIKE a.t INCLUDING ALL); BEGIN; ALTER TABLE a.t RENAME TO old; ALTER TABLE a.n RENAME TO t; COMMIT",
        "CREATE SCHEMA b; CREATE TABLE b.t (LIKE a.t INCLUDING ALL); \
         BEGIN; ALTER SCHEMA a RENAME TO c; ALTER SCHEMA b RENAME TO a; COMMIT",
        "CREATE SCHEMA b; CREATE TABLE b.t (LIKE a.t INCLUDING ALL); \
         BEGIN; ALTER TABLE a.t SET SCHEMA public; ALTER TABLE b.t SET SCHEMA a; COMMIT",
    ];
    for (n, swap) in swaps.iter().enumerate() {
        for mode in ["upsert", "append"] {
            let slow = Slow::new(mode, KEYED);
            let outcome = slow.changed_after(4 + 3 * n as u64, swap);
            assert_eq!(outcome.code(), 8, "{swap}: {outcome}");
            assert_eq!(slow.scene.db.count("a.t"), 0, "{swap}: {outcome}");
            assert_eq!(slow.command().run().code(), 8, "{swap}: no better at the next start");
        }
    }
}

#[test]
fn a_schema_that_is_swapped_and_back_within_a_batch_is_noticed() {
    let slow = Slow::new("append", KEYED);
    slow.sql("CREATE SCHEMA b; CREATE TABLE b.t (LIKE a.t INCLUDING ALL)");
    slow.sql(&trigger("b.t"));
    let running = slow.command().spawn();
    until("batches are committed", || slow.batches() >= 4);
    for _ in 0..10 {
        slow.sql("BEGIN; ALTER SCHEMA a RENAME TO c; ALTER SCHEMA b RENAME TO a; COMMIT");
        std::thread::sleep(Duration::from_millis(30));
        slow.sql("BEGIN; ALTER SCHEMA a RENAME TO b; ALTER SCHEMA c RENAME TO a; COMMIT");
        std::thread::sleep(Duration::from_millis(30));
    }
    let outcome = running.wait();
    slow.is_whole_or_said(&outcome, "swapped and back");
    assert_eq!(slow.scene.db.count("b.t"), 0, "{outcome}");
}

#[test]
fn what_is_added_or_dropped_in_mid_load_is_met_by_a_new_plan_or_ends_the_load() {
    for (mode, ddl) in [
        ("upsert", "ALTER TABLE a.t DROP CONSTRAINT t_pkey"),
        ("upsert", "CREATE RULE r AS ON INSERT TO a.t DO ALSO NOTHING"),
        ("append", "CREATE RULE r AS ON INSERT TO a.t DO INSTEAD NOTHING"),
        ("upsert", "ALTER TABLE a.t DROP COLUMN v"),
    ] {
        let slow = Slow::new(mode, KEYED);
        let outcome = slow.changed_after(5, ddl);
        assert_eq!(outcome.code(), 5, "{ddl}: {outcome}");
        assert!(!outcome.stderr.contains("panicked"), "{outcome}");
    }
    for (mode, ddl) in [
        ("append", "CREATE UNIQUE INDEX ON a.t (v)"),
        ("upsert", "CREATE UNIQUE INDEX ON a.t (v, id)"),
        ("upsert", "ALTER TABLE a.t ADD CHECK (v >= 0)"),
        (
            "append",
            "CREATE TABLE a.p (v bigint PRIMARY KEY); INSERT INTO a.p SELECT i * 7 FROM generate_series(0, 11999) i; \
                    ALTER TABLE a.t ADD FOREIGN KEY (v) REFERENCES a.p",
        ),
        (
            "upsert",
            "CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$; \
                    CREATE TRIGGER b BEFORE INSERT OR UPDATE ON a.t FOR EACH ROW EXECUTE FUNCTION nothing()",
        ),
        ("append", "ALTER TABLE a.t ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON a.t USING (true)"),
        ("append", "CREATE TABLE a.child () INHERITS (a.t)"),
    ] {
        let slow = Slow::new(mode, KEYED);
        let outcome = slow.changed_after(5, ddl);
        slow.is_whole_or_said(&outcome, ddl);
    }
}

/// Whatever error the server gives first (42703, 42P01, 42804, 3F000 ..), it is the table that was changed:
/// one message, what has changed, and a hint that is true.
#[test]
fn a_column_or_table_that_is_gone_in_mid_load_is_called_a_changed_table() {
    let to_date = "ALTER TABLE a.t ALTER COLUMN v TYPE date USING NULL";
    let to_bigint = "ALTER TABLE a.t ALTER COLUMN v TYPE bigint USING NULL";
    let as_view = "ALTER TABLE a.t RENAME TO u; CREATE VIEW a.t AS SELECT id, v FROM a.u";
    let add = "ALTER TABLE a.t ADD COLUMN v bigint";
    for (ddl, back, code, change) in [
        ("ALTER TABLE a.t DROP COLUMN v", add, 5, "column \"v\" is gone"),
        ("ALTER TABLE a.t RENAME v TO w", "ALTER TABLE a.t RENAME w TO v", 5, "column \"v\" is gone"),
        ("ALTER TABLE a.t RENAME id TO w", "ALTER TABLE a.t RENAME w TO id", 5, "column \"id\" is gone"),
        (to_date, to_bigint, 8, "truncated or rewritten"),
        ("ALTER TABLE a.t RENAME TO u", "ALTER TABLE a.u RENAME TO t", 8, "it is gone"),
        ("ALTER SCHEMA a RENAME TO b", "ALTER SCHEMA b RENAME TO a", 8, "it is gone"),
        (as_view, "DROP VIEW a.t; ALTER TABLE a.u RENAME TO t", 5, "is a view"),
    ] {
        for (mode, flags) in [("upsert", ""), ("append", ""), ("upsert", "--no-ledger")] {
            let slow = Slow::new(mode, KEYED);
            let running = slow.command().line(flags).spawn();
            until("rows are committed", || slow.scene.db.count("a.t") >= 1_500);
            slow.sql(ddl);
            let outcome = running.wait();
            // Without a ledger there is nothing to go on with, and nothing that refuses.
            let ends_with = if flags.is_empty() { code } else { 5 };
            assert_eq!(outcome.code(), ends_with, "{ddl}: {outcome}");
            let outcome = outcome.says("was changed while it was loaded").says("hint: ");
            if flags.is_empty() || ddl != to_date {
                assert!(outcome.stderr.contains(change), "{ddl}: {outcome}");
            }
            assert_eq!(
                outcome.stderr.contains("the same command"),
                ddl != to_date || ends_with == 5,
                "{outcome}"
            );
            slow.sql(back);
            let again = slow.command().line(flags).run();
            if ddl == to_date && flags.is_empty() {
                // All that was loaded is NULL now.
                assert_eq!(again.code(), 8, "{again}");
            } else if ddl.contains("DROP COLUMN") && flags.is_empty() {
                // What was loaded into it went with it, and the one that is put back is another.
                again.exits(8).says("was dropped, and is another one now");
            } else {
                slow.is_whole(&again.exits(0));
            }
        }
    }
}

#[test]
fn what_means_nothing_to_a_load_does_not_end_one_from_a_pipe_either() {
    for ddl in [
        "GRANT SELECT ON a.t TO PUBLIC",
        "CREATE INDEX ON a.t (v)",
        "REINDEX TABLE a.t",
        "ALTER TABLE a.t ADD COLUMN extra int",
        "ANALYZE a.t",
        "VACUUM FULL a.t",
    ] {
        let slow = Slow::new("upsert", KEYED);
        let text = std::fs::read(slow.scene.cwd().join("t.csv")).unwrap();
        let running = slow
            .scene
            .dbload("- --format csv -t a.t --batch-rows 300 --pool-size 2 --mode upsert")
            .stdin(text)
            .spawn();
        until("batches are committed", || slow.batches() >= 4);
        // REINDEX waits for the index with the table locked: either side may be the one that is told of a
        // deadlock.
        until("it is changed", || slow.scene.db.try_rows(ddl).is_ok());
        let outcome = running.wait().exits(0);
        slow.is_whole(&outcome);
    }
}

#[test]
fn a_table_that_is_rewritten_is_not_called_truncated() {
    for (mode, ddl) in [("append", "VACUUM FULL a.t"), ("upsert", "CLUSTER a.t USING t_pkey")] {
        let slow = Slow::new(mode, KEYED);
        let outcome = slow.changed_after(5, ddl).exits(0);
        slow.is_whole(&outcome);
        let slow = Slow::new(mode, KEYED);
        slow.killed_after(5);
        slow.sql(ddl);
        let outcome = slow.command().run().exits(0);
        slow.is_whole(&outcome);
    }
    // A run of before the files of all tables were stored.
    for (ddl, code) in [("ANALYZE a.t", 0), ("VACUUM FULL a.t", 0), ("TRUNCATE a.t", 8)] {
        let slow = Slow::new("append", KEYED);
        slow.killed_after(5);
        slow.sql("UPDATE _dbload.run SET target_files = NULL");
        slow.sql(ddl);
        let outcome = slow.command().run().exits(code);
        if code == 0 {
            slow.is_whole(&outcome);
        }
    }
    let slow = Slow::new("append", PARTITIONED);
    slow.killed_after(5);
    slow.sql("VACUUM FULL a.t1");
    let outcome = slow.command().run();
    slow.is_whole_or_said(&outcome, "a partition is rewritten");
}

/// Their rows are of subtransactions, which the ledger's counts are not.
#[test]
fn rows_that_were_written_one_by_one_bear_witness_too() {
    const BY_ROW: &str = "CREATE TABLE a.t (id bigint PRIMARY KEY, v bigint, parent bigint REFERENCES a.t)";
    // Called for each row.
    const LESS_SLOW: &str = "CREATE OR REPLACE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS \
                             $$ BEGIN PERFORM pg_sleep(0.0002); RETURN NULL; END $$";
    let emptied = "TRUNCATE a.t; INSERT INTO a.t SELECT -i, i FROM generate_series(1, 100) i";
    // A run of before has no witness.
    let unseen = "DELETE FROM _dbload.witness; VACUUM FULL a.t";
    for mode in ["upsert", "append"] {
        for (ddl, code) in
            [("VACUUM FULL a.t", 0), ("CLUSTER a.t USING t_pkey", 0), (emptied, 8), (unseen, 8)]
        {
            for killed in [false, true] {
                let slow = Slow::new(mode, BY_ROW);
                slow.sql(LESS_SLOW);
                let outcome = if killed || ddl == unseen {
                    slow.killed_after(5);
                    ddl.split("; ").for_each(|ddl| slow.sql(ddl));
                    slow.sql(FAST);
                    slow.command().run()
                } else {
                    slow.changed_after(5, ddl)
                };
                assert_eq!(outcome.code(), code, "{mode} {ddl} {killed}: {outcome}");
                if code == 0 {
                    slow.is_whole(&outcome);
                    // The last ones of a start may have no rows.
                    let all = "SELECT sum(careful) >= sum(batches) - 3 FROM _dbload.checkpoint";
                    assert_eq!(slow.scene.db.one(all), "t", "{outcome}");
                }
            }
        }
    }
}

#[test]
fn a_truncate_is_noticed_in_mid_load_and_at_the_next_start_of_a_partition_too() {
    for (table, ddl) in [
        (KEYED, "TRUNCATE a.t"),
        (KEYED, "TRUNCATE a.t; INSERT INTO a.t SELECT -i, i FROM generate_series(1, 100) i"),
        (PARTITIONED, "TRUNCATE a.t1"),
        (PARTITIONED, "ALTER TABLE a.t DETACH PARTITION a.t1"),
        (PARTITIONED, "DROP TABLE a.t1"),
    ] {
        let slow = Slow::new("append", table);
        let outcome = slow.changed_after(5, ddl);
        assert_eq!(outcome.code(), 8, "{ddl}: {outcome}");
        let slow = Slow::new("append", table);
        slow.killed_after(5);
        slow.sql(ddl);
        let before = slow.scene.db.count("a.t");
        for _ in 0..2 {
            assert_eq!(slow.command().run().code(), 8, "{ddl}");
        }
        assert_eq!(slow.scene.db.count("a.t"), before, "a refusal writes nothing");
    }
}

#[test]
fn a_partition_that_is_attached_in_mid_load_is_loaded_into() {
    for mode in ["append", "upsert"] {
        let slow = Slow::new(mode, PARTITIONED);
        let outcome = slow.changed_after(
            5,
            "CREATE TABLE a.t4 (id bigint PRIMARY KEY, v bigint); ALTER TABLE a.t ATTACH PARTITION a.t4 FOR VALUES FROM (12000) TO (13000)",
        );
        slow.is_whole(&outcome.exits(0));
    }
}

/// A server of its own, whose crash empties what is unlogged.
#[test]
fn an_unlogged_target_is_never_exactly_once_and_a_crash_that_empties_it_ends_the_load() {
    let unlogged_part = PARTITIONED.replace("CREATE TABLE a.t2", "CREATE UNLOGGED TABLE a.t2");
    for (mode, table) in [
        ("append", "CREATE UNLOGGED TABLE a.t (id bigint PRIMARY KEY, v bigint)"),
        ("upsert", &unlogged_part),
    ] {
        for flags in ["", "--no-ledger"] {
            if mode == "append" && !flags.is_empty() {
                continue;
            }
            let server = TempServer::start(Options::default()).unwrap();
            server.create_database("doomed").unwrap();
            let scene = Scene { db: Database::connect(&server.dsn("doomed")), folder: Folder::new() };
            let mut slow = Slow::on(scene, mode, table);
            let running = slow.command().line(flags).line("--retry-for 60s").spawn();
            until("rows are committed", || slow.scene.db.count("a.t") >= 5_000);
            let background = slow
                .scene
                .db
                .one("SELECT pid FROM pg_stat_activity WHERE backend_type = 'background writer'");
            let pid = rustix::process::Pid::from_raw(background.parse().unwrap()).unwrap();
            rustix::process::kill_process(pid, Signal::KILL).unwrap();
            let outcome = running.wait();
            let expected = if flags.is_empty() { 8 } else { 5 };
            assert_eq!(outcome.code(), expected, "{mode} {flags}: {outcome}");
            assert!(outcome.stderr.contains("unlogged"), "{outcome}");
            until("it has recovered", || Database::try_connect(&server.dsn("doomed")).is_ok());
            slow.scene.db = Database::connect(&server.dsn("doomed"));
            if flags.is_empty() {
                assert_eq!(slow.command().run().code(), 8);
            }
            slow.sql("DROP TABLE a.t CASCADE; DROP SCHEMA IF EXISTS _dbload CASCADE");
            slow.sql(table);
            let outcome = slow.command().run().exits(0);
            slow.is_whole(&outcome);
            let report = outcome.report();
            let expected = if mode == "append" { "at-least-once" } else { "effectively-once" };
            assert_eq!(report.guarantee, expected, "{outcome}");
        }
    }
}

#[test]
fn a_failure_that_comes_again_at_the_same_place_says_so() {
    let load = Load::new(Kind::Append, 3_000);
    load.scene.sql(
        "CREATE FUNCTION busy() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
         IF NEW.v = 2500 THEN RAISE 'not now' USING ERRCODE = '55000'; END IF; RETURN NEW; END $$; \
         CREATE TRIGGER busy BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION busy()",
    );
    let first = load.dbload("--pool-size 1").run().exits(5);
    assert!(!first.stderr.contains("for the same reason"), "{first}");
    for _ in 0..2 {
        load.dbload("--pool-size 1").run().exits(5).says("for the same reason").says("55000");
    }
    assert_eq!(load.scene.db.one("SELECT failure->>'sqlstate' FROM _dbload.run"), "55000");
    load.scene.sql("DROP TRIGGER busy ON t");
    load.check(load.dbload("--pool-size 1").run());
}

#[test]
fn a_table_that_staging_cannot_mirror_is_refused_before_the_first_row() {
    for (columns, code) in [(1_595, 6), (1_500, 0)] {
        let list: Vec<String> = (0..columns).map(|n| format!("c{n} int")).collect();
        let scene = Scene::with(&format!("CREATE TABLE w ({}, PRIMARY KEY (c0))", list.join(", ")));
        scene.file("w.csv", "c0,c1\n1,2\n3,4\n");
        let outcome = scene.run("w.csv -t w").exits(code);
        assert_eq!(outcome.stderr.contains("staging table"), code == 6, "{outcome}");
    }
}
