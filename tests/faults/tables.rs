//! The table changes meanwhile, hides rows, judges late, or is another one at the resume.

use super::{Kind, Load, until};
use crate::{
    rows,
    support::{Proxy, Scene, audit},
};
use rustix::process::Signal;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Starts a load, changes the table in the middle, and returns how it ended. Where the change came too late
/// to matter (it waits for the load's own locks), once more, slower.
#[track_caller]
fn changed((kind, pool): (Kind, u32), ddl: &str) -> (Load, crate::support::Outcome) {
    for seconds in [2.0, 8.0, 30.0] {
        let load = Load::new(kind, 9_000);
        load.lasts(seconds, pool);
        let running = load.dbload(&format!("--pool-size {pool}")).spawn();
        until("batches are committed", || load.batches() >= 4);
        load.scene.sql(ddl);
        let batches = load.batches();
        load.quicken();
        let outcome = running.wait();
        if batches < 16 {
            return (load, outcome);
        }
    }
    panic!("the table was never changed in time");
}

#[test]
fn changes_of_the_table_that_do_not_matter_are_lived_with() {
    for ddl in [
        "ALTER TABLE t ADD COLUMN extra int",
        "ALTER TABLE t ADD COLUMN extra int NOT NULL DEFAULT 7",
        "CREATE INDEX ON t (v)",
    ] {
        let (load, outcome) = changed((Kind::Upsert, 2), ddl);
        let outcome = outcome.exits(3);
        let rows = audit(&load.scene.db);
        assert_eq!(outcome.rows(), rows, "{ddl}");
        load.check_books(&outcome.report(), &outcome);
        let columns = "(SELECT id, v::bigint, note::text FROM t) x";
        assert_eq!(load.scene.db.digest(columns), load.scene.db.digest(&load.expected()), "{ddl}: {outcome}");
    }
}

#[test]
fn changes_of_the_table_that_matter_end_the_load_and_reject_no_record_for_them() {
    // 8: a table that is gone, or that holds rows of nobody knows whom, needs a decision.
    for (kind, ddl, code) in [
        (Kind::Upsert, "ALTER TABLE t DROP COLUMN note", 5),
        (Kind::Append, "ALTER TABLE t DROP COLUMN note", 5),
        (Kind::Upsert, "ALTER TABLE t RENAME COLUMN v TO w", 5),
        (Kind::Append, "ALTER TABLE t ALTER COLUMN note TYPE bytea USING note::bytea", 8),
        (Kind::Upsert, "ALTER TABLE t ALTER COLUMN v TYPE numeric", 8),
        (Kind::Upsert, "DROP TABLE t", 8),
        (Kind::Append, "ALTER TABLE t RENAME TO u", 8),
    ] {
        let (load, outcome) = changed((kind, 2), ddl);
        assert_eq!(outcome.code(), code, "{ddl}: {outcome}");
        let outcome = outcome.says("was changed while it was loaded");
        assert!(!outcome.stderr.contains("panicked"));
        let rejected =
            load.scene.db.one("SELECT count(*) FROM _dbload.reject WHERE reason NOT ILIKE '%json%'");
        assert_eq!(rejected, "0", "{ddl}: {outcome}");
    }
}

/// A transaction that cannot be begun, its table being locked, or gone once the lock is. (What becomes of the
/// session:
/// `pg_connections::a_session_whose_transaction_could_not_be_begun_keeps_no_answer_for_the_next_one`.)
#[test]
fn a_table_that_is_locked_is_waited_for_and_one_that_is_dropped_meanwhile_ends_the_load() {
    for (dropped, limit) in [(false, "--lock-timeout 100ms"), (true, "")] {
        let scene = Scene::with("CREATE TABLE t (id int PRIMARY KEY, v int)");
        let goes_on = Arc::new(AtomicBool::new(false));
        let feed = Arc::clone(&goes_on);
        let running = scene
            .dbload("- --format jsonl -t t --batch-rows 500 --pool-size 1")
            .line(limit)
            .stdin_stream(move |out| {
                for i in 0..8_000 {
                    while i == 4_000 && !feed.load(Ordering::Relaxed) {
                        std::thread::sleep(Duration::from_millis(5));
                    }
                    writeln!(out, "{{\"id\":{i},\"v\":{i}}}")?;
                }
                Ok(())
            })
            .spawn();
        until("batches are committed", || scene.db.count("t") >= 1_000);
        let other = scene.db.another();
        other.sql("BEGIN; LOCK TABLE t IN ACCESS EXCLUSIVE MODE");
        goes_on.store(true, Ordering::Relaxed);
        scene.db.until_blocked();
        if dropped {
            other.sql("DROP TABLE t; COMMIT");
            let outcome = running.wait().exits(5);
            assert!(!outcome.stderr.contains("knows nothing of run"), "{outcome}");
        } else {
            // More than one limit.
            std::thread::sleep(Duration::from_millis(300));
            other.sql("COMMIT");
            let outcome = running.wait().exits(0);
            assert_eq!(
                (outcome.rows(), audit(&scene.db)),
                (rows!(read: 8_000, inserted: 8_000), outcome.rows())
            );
            let expected = "(SELECT i AS id, i AS v FROM generate_series(0, 7999) i) x";
            assert_eq!(scene.db.digest("t"), scene.db.digest(expected), "{outcome}");
        }
    }
}

#[test]
fn a_dropped_column_that_is_put_back_lets_the_same_command_resume() {
    let (load, outcome) = changed((Kind::Append, 2), "ALTER TABLE t RENAME COLUMN note TO gone");
    outcome.exits(5);
    // As it is now it does not fit.
    load.dbload("").run().exits(6);
    load.scene.sql("DROP TRIGGER slow ON t; ALTER TABLE t RENAME COLUMN gone TO note");
    load.check(load.dbload("").run());
}

#[test]
fn rows_that_a_trigger_swallows_are_in_the_books() {
    for kind in [Kind::Upsert, Kind::Append] {
        let load = Load::new(kind, 3_000);
        load.scene.sql(
            "CREATE FUNCTION swallow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
             IF NEW.id % 10 = 3 THEN RETURN NULL; END IF; RETURN NEW; END $$; \
             CREATE TRIGGER swallow BEFORE INSERT OR UPDATE ON t FOR EACH ROW EXECUTE FUNCTION swallow()",
        );
        let outcome = load.dbload("--pool-size 2").run().exits(3);
        let rows = audit(&load.scene.db);
        assert_eq!(outcome.rows(), rows);
        // A swallowed key's records are batches apart: none is folded into another.
        assert_eq!((rows.read, rows.rejected, rows.skipped), (3_003, 3, 300), "{outcome}");
        let expected = format!("(SELECT * FROM {} WHERE id % 10 <> 3) q", load.expected());
        assert_eq!(load.scene.db.digest("t"), load.scene.db.digest(&expected), "{outcome}");
    }
}

#[test]
fn rows_that_a_policy_hides_or_refuses_are_in_the_books() {
    let scene = Scene::with("CREATE TABLE t (id bigint PRIMARY KEY, v bigint, owner text DEFAULT 'me')");
    let role = format!("rls_{}", scene.db.name());
    scene.sql(&format!(
        "INSERT INTO t SELECT i, -1, CASE WHEN i % 5 = 0 THEN 'other' ELSE 'me' END FROM generate_series(0, 99) i; \
         ALTER TABLE t ENABLE ROW LEVEL SECURITY; \
         CREATE POLICY mine ON t USING (owner = 'me') WITH CHECK (owner = 'me' AND v <> 150); \
         CREATE ROLE {role} LOGIN; GRANT ALL ON t TO {role}; GRANT CREATE ON DATABASE {} TO {role}",
        scene.db.name()
    ));
    scene.file("t.jsonl", (0..200).fold(String::new(), |t, i| t + &format!("{{\"id\":{i},\"v\":{i}}}\n")));
    let proxy = Proxy::to(scene.db.url(), vec![]);
    let outcome = crate::support::Dbload::new(scene.cwd())
        .line("t.jsonl --json --pool-size 2 --batch-rows 30 --dsn")
        .arg(proxy.url_as(&role))
        .run()
        .exits(3);
    // 20 stored rows are hidden: neither updated nor inserted. One new row is refused by the policy.
    assert_eq!(
        outcome.rows(),
        rows!(read: 200, inserted: 99, updated: 80, skipped: 20, rejected: 1),
        "{outcome}"
    );
    assert_eq!(scene.db.one("SELECT count(*) FILTER (WHERE v = -1) || ' ' || count(*) FROM t"), "20 199");
    assert_eq!(outcome.report().rejects.reasons[0].sqlstate.as_deref(), Some("42501"));
    audit(&scene.db);
    scene.sql(&format!("REASSIGN OWNED BY {role} TO postgres; DROP OWNED BY {role}; DROP ROLE {role}"));
}

#[test]
fn deferred_constraints_and_constraint_triggers_are_judged_before_the_checkpoint() {
    for pool in [1, 2, 8] {
        let scene = Scene::with(
            "CREATE TABLE parent (id bigint PRIMARY KEY); INSERT INTO parent SELECT generate_series(0, 9); \
             CREATE TABLE t (id bigint PRIMARY KEY, parent bigint REFERENCES parent DEFERRABLE INITIALLY DEFERRED, \
               tag bigint, UNIQUE (tag) DEFERRABLE INITIALLY DEFERRED); \
             CREATE FUNCTION late() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
               IF NEW.id % 400 = 399 THEN RAISE 'late' USING ERRCODE = 'P0042'; END IF; RETURN NULL; END $$; \
             CREATE CONSTRAINT TRIGGER late AFTER INSERT OR UPDATE ON t DEFERRABLE INITIALLY DEFERRED \
               FOR EACH ROW EXECUTE FUNCTION late()",
        );
        let mut text = String::new();
        for id in 0..2_000_u64 {
            let parent = if id % 500 == 100 { 77 } else { id % 10 };
            // 1990 takes the tag of 10.
            let tag = if id == 1_990 { 10 } else { id };
            text += &format!("{{\"id\":{id},\"parent\":{parent},\"tag\":{tag}}}\n");
        }
        scene.file("t.jsonl", text);
        let outcome = scene.run(&format!("t.jsonl --batch-rows 200 --pool-size {pool}")).exits(3);
        assert_eq!(outcome.rows(), rows!(read: 2_000, inserted: 1_990, rejected: 10), "{outcome}");
        assert_eq!(outcome.rows(), audit(&scene.db));
        let mut reasons: Vec<_> =
            outcome.report().rejects.reasons.iter().map(|r| (r.sqlstate.clone().unwrap(), r.count)).collect();
        reasons.sort();
        let expected = [("23503", 4), ("23505", 1), ("P0042", 5)].map(|(code, n)| (code.to_owned(), n));
        assert_eq!(reasons, expected, "{outcome}");
        assert_eq!(
            scene.db.lines("SELECT id FROM generate_series(0, 1999) id WHERE NOT EXISTS (SELECT FROM t WHERE t.id = id.id) ORDER BY 1"),
            ["100", "399", "600", "799", "1100", "1199", "1599", "1600", "1990", "1999"]
        );
    }
}

#[test]
fn a_deferred_trigger_that_ends_the_session_or_fails_for_a_while_costs_no_record() {
    for (kind, what) in [
        (Kind::Upsert, crate::support::inject::TERMINATE.to_owned()),
        (Kind::Append, crate::support::inject::raise("40001")),
        (Kind::Files, crate::support::inject::raise("40P01")),
    ] {
        let load = Load::new(kind, 3_000);
        load.inject(
            "AFTER INSERT OR UPDATE ON t DEFERRABLE INITIALLY DEFERRED FOR EACH ROW",
            700..=702,
            &what,
        );
        let outcome = load.dbload("--pool-size 2").run();
        assert!(load.calls() > 702, "{outcome}");
        load.check(outcome);
    }
}

#[test]
fn a_target_that_is_no_longer_what_was_written_to_is_refused_with_a_hint() {
    for (kind, ddl) in [
        (Kind::Upsert, "TRUNCATE t"),
        (Kind::Append, "DELETE FROM t"),
        (Kind::Upsert, "ALTER TABLE t RENAME TO old; CREATE TABLE t (LIKE old INCLUDING ALL)"),
        (Kind::Append, "ALTER TABLE t ALTER COLUMN v TYPE text"),
    ] {
        let load = Load::new(kind, 6_000);
        load.lasts(6.0, 2);
        let running = load.dbload("--pool-size 2").spawn();
        until("batches are committed", || load.batches() >= 3);
        running.signal(Signal::KILL);
        running.wait();
        until("its backends end", || {
            load.scene.db.one("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()") == "0"
        });
        load.scene.sql(ddl);
        let before = load.scene.db.digest("t");
        for pool in [1, 4] {
            load.dbload(&format!("--pool-size {pool}")).run().exits(8).says("--restart");
        }
        assert_eq!(load.scene.db.digest("t"), before, "{ddl}: a refusal writes nothing");
        load.scene.sql("DROP TABLE t; DROP FUNCTION slow CASCADE");
        let key = if kind == Kind::Append { "" } else { " PRIMARY KEY" };
        load.scene.sql(&format!("CREATE TABLE t (id bigint{key}, v bigint, note text)"));
        let outcome = load.dbload("--restart").run().exits(3);
        assert_eq!(load.scene.db.digest("t"), load.scene.db.digest(&load.expected()), "{outcome}");
    }
}
