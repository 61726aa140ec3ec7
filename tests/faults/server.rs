//! The server ends sessions, goes away, refuses, and comes back.

use super::{KINDS, Kind, Load, ONCE_A_BATCH, POOLS, cases, cases_of, until};
use crate::support::{
    Database, Proxy, Scene, inject,
    proxy::{Act, Fault, commit},
};
use dbload::internals::local::{Options, TempServer};
use std::time::{Duration, Instant};

/// Loads with a trigger that strikes in these of its calls.
#[track_caller]
fn injected(
    kind: Kind,
    pool: u32,
    flags: &str,
    when: &str,
    calls: std::ops::RangeInclusive<u64>,
    what: &str,
) -> crate::support::dbload::Report {
    let load = Load::new(kind, 6_000);
    let last = *calls.end();
    load.inject(when, calls, what);
    let outcome = load.dbload(&format!("--pool-size {pool} {flags}")).run();
    assert!(load.calls() > last, "it struck in {} of {last} calls: {outcome}", load.calls());
    load.check(outcome)
}

#[test]
fn a_writer_that_is_terminated_replays_its_batch() {
    for (kind, pool) in cases(KINDS.into_iter().zip(POOLS)) {
        let report = injected(kind, pool, "", ONCE_A_BATCH, 2..=4, inject::TERMINATE);
        assert!(report.pool.retries >= 3, "{report:?}");
    }
}

#[test]
fn all_writers_may_be_terminated_again_and_again() {
    for (kind, pool) in cases([(Kind::Upsert, 4), (Kind::Append, 4)]) {
        let load = Load::new(kind, 12_000);
        load.lasts(6.0, pool);
        let running = load.dbload(&format!("--pool-size {pool}")).spawn();
        let mut ended = 0;
        for n in 1..=4 {
            until("batches are committed", || load.batches() >= 3 * n);
            ended += load.scene.db.one(
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
                 WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'",
            ).parse::<u64>().unwrap();
        }
        load.quicken();
        let outcome = running.wait();
        assert!(ended >= 4, "only {ended} were ended: {outcome}");
        load.check(outcome);
    }
}

/// A server of its own, to be killed.
struct Doomed {
    server: TempServer,
    load: Load,
}

impl Doomed {
    fn new(kind: Kind, records: u64) -> Self {
        let server = TempServer::start(Options::default()).unwrap();
        server.create_database("doomed").unwrap();
        let scene =
            Scene { db: Database::connect(&server.dsn("doomed")), folder: crate::support::Folder::new() };
        Self { load: Load::on(scene, kind, records), server }
    }

    fn reconnect(&mut self) {
        self.load.scene.db = Database::connect(&self.server.dsn("doomed"));
    }
}

#[test]
fn a_server_that_is_restarted_or_crashes_is_waited_for() {
    for (kind, pool) in cases([(Kind::Files, 2), (Kind::Append, 2)]) {
        let mut doomed = Doomed::new(kind, 12_000);
        doomed.load.lasts(8.0, pool);
        let running = doomed.load.dbload(&format!("--pool-size {pool}")).spawn();
        let faults: [fn(&Doomed); 4] = [
            |d| d.server.stop_fast().unwrap(),
            |d| d.server.stop_immediate().unwrap(),
            |d| d.server.kill9(),
            // One backend by SIGKILL: the server ends all the others and recovers by itself.
            |d| {
                let sql = "SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'dbload%' AND pid <> pg_backend_pid() LIMIT 1";
                until("a backend is there", || !d.load.scene.db.lines(sql).is_empty());
                let pid = d.load.scene.db.one(sql).parse().unwrap();
                let pid = rustix::process::Pid::from_raw(pid).unwrap();
                rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
                std::thread::sleep(Duration::from_millis(300));
            },
        ];
        for (n, fault) in (1..).zip(faults) {
            until("batches are committed", || doomed.load.batches() >= 3 * n);
            fault(&doomed);
            if n < 4 {
                doomed.server.restart().unwrap();
            } else {
                until("it has recovered", || Database::try_connect(&doomed.server.dsn("doomed")).is_ok());
            }
            doomed.reconnect();
        }
        doomed.load.quicken();
        let outcome = running.wait().says("waiting for the database");
        doomed.load.check(outcome);
    }
}

#[test]
fn a_server_that_is_away_is_waited_for_until_the_deadline_and_then_the_same_command_resumes() {
    let mut doomed = Doomed::new(Kind::Upsert, 9_000);
    doomed.load.lasts(6.0, 2);
    let running = doomed.load.dbload("--pool-size 2 --retry-for 3s").spawn();
    until("batches are committed", || doomed.load.batches() >= 3);
    doomed.server.stop_fast().unwrap();
    let began = Instant::now();
    let outcome = running.wait().says("waiting for the database").says("hint:");
    assert!([5, 7].contains(&outcome.code()), "{outcome}");
    let waited = began.elapsed();
    assert!(
        waited > Duration::from_millis(2_500) && waited < Duration::from_secs(20),
        "{waited:?}: {outcome}"
    );
    assert_eq!(outcome.stderr.matches("waiting for").count(), 1, "once, then quietly: {outcome}");
    // Nobody is there at the start: said at once.
    doomed.load.dbload("").run().exits(5).says("hint:");
    doomed.server.restart().unwrap();
    doomed.reconnect();
    let running = doomed.load.dbload("--pool-size 2").spawn();
    let before = doomed.load.batches();
    until("batches are committed", || doomed.load.batches() >= before + 3);
    // Longer away than anything but the deadline.
    doomed.server.stop_immediate().unwrap();
    std::thread::sleep(Duration::from_secs(5));
    doomed.server.restart().unwrap();
    doomed.reconnect();
    doomed.load.quicken();
    // Commits that it acknowledged and lost are noticed, and their part is loaded again.
    doomed.load.check(running.wait().says("waiting for the database"));
}

/// Sessions that wait for a lock.
const WAITS: &str =
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";

#[test]
fn a_deadlock_with_another_session_is_replayed_and_counted_once() {
    let load = Load::new(Kind::Upsert, 3_000);
    load.scene.sql("INSERT INTO t SELECT i, -1, 'old' FROM generate_series(0, 999) i");
    let other = load.scene.db.another();
    // The batch updates keys in some order; both ends of it are held against it.
    other.sql("SET deadlock_timeout = '10s'; BEGIN; UPDATE t SET note = 'other' WHERE id = 400");
    let running = load.dbload("--pool-size 1").spawn();
    until("the load waits for a row", || load.scene.db.one(WAITS) == "1");
    let victim = other.try_sql("UPDATE t SET note = 'other' WHERE id < 400 OR id > 400").is_err();
    let _ = other.try_sql(if victim { "ROLLBACK" } else { "COMMIT" });
    let outcome = running.wait();
    assert!(!victim, "the load was to be the victim: {outcome}");
    let outcome = outcome.exits(3);
    assert!(outcome.report().pool.retries > 0, "{outcome}");
    assert_eq!(load.scene.db.digest("t"), load.scene.db.digest(&load.expected()), "{outcome}");
    let rows = crate::support::audit(&load.scene.db);
    assert_eq!((rows.read, rows.inserted, rows.rejected), (3_003, 0, 3), "{outcome}");
}

#[test]
fn serialization_failures_deadlocks_and_lock_timeouts_are_replayed() {
    for ((kind, pool), code) in
        cases(KINDS.map(|kind| (kind, 2))).into_iter().zip(["40001", "40P01", "55P03"].into_iter().cycle())
    {
        let report = injected(kind, pool, "", ONCE_A_BATCH, 2..=5, &inject::raise(code));
        assert!(report.pool.retries >= 4, "{code} {report:?}");
        assert_eq!(report.pool.careful, 0, "{code}");
    }
}

#[test]
fn the_careful_path_replays_them_too() {
    // A BEFORE trigger, a row at a time; and a record that the server refuses sends its batch there.
    let load = Load::new(Kind::Upsert, 3_000);
    load.scene.sql("ALTER TABLE t ADD CONSTRAINT no CHECK (v <> 1500 AND v <> 2700)");
    load.inject("BEFORE INSERT OR UPDATE ON t FOR EACH ROW", 600..=603, &inject::raise("40001"));
    let outcome = load.dbload("--pool-size 2").run().exits(3);
    assert!(load.calls() > 603, "{outcome}");
    let rows = crate::support::audit(&load.scene.db);
    assert_eq!(outcome.rows(), rows);
    assert_eq!((rows.read, rows.inserted, rows.rejected), (3_003, 1_000, 5), "{outcome}");
    // Keys 500 and 700 keep what came before.
    let expected = load.expected().replace(
        "FROM generate_series(0, 3000 - 1) i",
        "FROM generate_series(0, 3000 - 1) i WHERE i NOT IN (1500, 2700)",
    );
    assert_eq!(load.scene.db.digest("t"), load.scene.db.digest(&expected), "{outcome}");
}

#[test]
fn faults_inside_the_checkpoint_are_resolved_and_not_repeated_for_ever() {
    for (n, code) in ["40001", "53100", "40003", "08007", "57014"].into_iter().enumerate() {
        let load = Load::new(KINDS[n % 3], 3_000);
        load.make_ledger();
        load.inject("BEFORE UPDATE ON _dbload.checkpoint FOR EACH ROW", 2..=4, &inject::raise(code));
        let outcome = load.dbload("--pool-size 2").run();
        assert!(load.calls() > 4, "{code}: {outcome}");
        load.check(outcome);
        // For good: it gives up at the deadline.
        load.scene.sql("TRUNCATE t; ALTER SEQUENCE inject RESTART WITH 2");
        let outcome = load.dbload("--pool-size 2 --again --retry-for 1s").run();
        // Three strikes pass again; then without end.
        load.check(outcome);
        load.scene.sql(
            "CREATE OR REPLACE FUNCTION inject() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
             PERFORM nextval('public.inject'); RAISE 'for good' USING ERRCODE = '53100'; END $$; TRUNCATE t",
        );
        let before = load.calls();
        let outcome =
            load.dbload("--pool-size 2 --again --retry-for 1s").timeout(Duration::from_secs(20)).run();
        assert!([5, 7].contains(&outcome.code()), "{code}: {outcome}");
        assert!(load.calls() - before < 200, "{code}: tried {} times: {outcome}", load.calls() - before);
    }
}

#[test]
fn a_lock_that_is_held_too_long_is_waited_for() {
    for (kind, pool) in cases([(Kind::Files, 2)]) {
        let load = Load::new(kind, 3_000);
        let other = load.scene.db.another();
        other.sql("BEGIN; LOCK TABLE t IN SHARE MODE");
        let running = load.dbload(&format!("--pool-size {pool} --lock-timeout 200ms")).spawn();
        until("it waits", || load.scene.db.one(WAITS) != "0");
        // Longer than the limit.
        std::thread::sleep(Duration::from_secs(1));
        other.sql("COMMIT");
        let report = load.check(running.wait().says("waiting for the database"));
        assert!(report.pool.retries >= 2);
    }
}

#[test]
fn a_batch_that_takes_too_long_is_halved() {
    for (kind, pool) in cases_of(&KINDS, &[1, 2], [(Kind::Append, 2)]) {
        let load = Load::new(kind, 1_500);
        // 2 ms a row and up to 500 rows a batch, against 300 ms.
        load.inject("AFTER INSERT ON t FOR EACH ROW", 1..=1_000_000, &inject::sleep(0.002));
        let outcome = load.dbload(&format!("--pool-size {pool} --statement-timeout 300ms")).run();
        let report = load.check(outcome);
        let rows = if kind == Kind::Append { 1_500 } else { load.keys() };
        assert!(report.pool.batches > 1_500 / 500 + 2, "{}", report.pool.batches);
        assert!(load.calls() > rows, "no batch was tried twice");
    }
}

#[test]
fn a_server_short_of_memory_gets_smaller_batches() {
    let codes = ["53200", "54001"].into_iter().cycle();
    for ((kind, pool), code) in cases([(Kind::Upsert, 2), (Kind::Append, 1)]).into_iter().zip(codes) {
        let report = injected(kind, pool, "", ONCE_A_BATCH, 2..=4, &inject::raise(code));
        assert!(report.pool.batches > 12 + 2, "{}", report.pool.batches);
    }
}

#[test]
fn the_record_that_goes_beyond_the_servers_limits_is_rejected_alone() {
    let scene = Scene::with("CREATE TABLE t (id bigint PRIMARY KEY, tag text); CREATE INDEX ON t (tag)");
    // Too long for a page of the index (54000), and not to be compressed.
    let long: String = {
        let mut rng = crate::support::Rng::from_seed(1);
        (0..20_000).map(|_| char::from(b'a' + u8::try_from(rng.below(26)).unwrap())).collect()
    };
    let text: String = (0..2_000)
        .map(|id| {
            format!("{{\"id\":{id},\"tag\":\"{}\"}}\n", if id == 777 || id == 778 { &long } else { "short" })
        })
        .collect();
    scene.file("t.jsonl", text);
    let outcome = scene.run("t.jsonl --batch-rows 500 --pool-size 2").exits(3);
    let report = outcome.report();
    assert_eq!(
        (report.rows.read, report.rows.inserted, report.rows.rejected),
        (2_000, 1_998, 2),
        "{outcome}"
    );
    assert_eq!(report.rejects.reasons[0].sqlstate.as_deref(), Some("54000"));
    assert_eq!(scene.db.one("SELECT count(*) FROM t WHERE id NOT IN (777, 778)"), "1998");
    crate::support::audit(&scene.db);
}

#[test]
fn a_full_disk_is_said_and_waited_for() {
    for (kind, pool) in cases([(Kind::Upsert, 2)]) {
        let load = Load::new(kind, 6_000);
        load.inject(ONCE_A_BATCH, 2..=7, &inject::raise("53100"));
        let command = load.dbload(&format!("--pool-size {pool}"));
        let outcome = command.run().says("waiting for the database").says("going on");
        assert!(load.calls() > 7, "{outcome}");
        load.check(outcome);
    }
    // For good: it ends at the deadline and resumes.
    for (kind, pool) in cases([(Kind::Append, 2)]) {
        let load = Load::new(kind, 6_000);
        load.inject(ONCE_A_BATCH, 2..=1_000_000, &inject::raise("53100"));
        let command = load.dbload(&format!("--pool-size {pool} --retry-for 1s"));
        command.run().exits(5).says("disk").says("hint:");
        load.scene.sql("DROP TRIGGER inject ON t");
        assert_eq!(load.check(load.dbload("").run()).attempts, 2);
    }
}

#[test]
fn a_server_with_few_connections_left_gets_a_smaller_pool() {
    for (kind, limit) in KINDS.into_iter().zip([1, 2, 3]) {
        // A partition without rows asks for no connection of its own, and records without a key go by the
        // thousand.
        let load = Load::new(kind, 20_000);
        // Roles belong to the server, which other tests share.
        let role = format!("few_{}", load.scene.db.name());
        load.scene.sql(&format!(
            "CREATE ROLE {role} LOGIN CONNECTION LIMIT {limit}; ALTER TABLE t OWNER TO {role}; \
             GRANT CREATE ON DATABASE {} TO {role}; GRANT ALL ON SCHEMA public TO {role}",
            load.scene.db.name()
        ));
        let proxy = Proxy::to(load.scene.db.url(), vec![Fault::on(commit, Act::Delay(Duration::ZERO))]);
        let outcome = load.through(&proxy.url_as(&role), "--pool-size 8").run();
        assert!(proxy.connections() > limit, "it never asked for more: {outcome}");
        let report = load.check(outcome);
        assert!(report.pool.size < 8, "{}", report.pool.size);
        load.scene
            .sql(&format!("REASSIGN OWNED BY {role} TO postgres; DROP OWNED BY {role}; DROP ROLE {role}"));
    }
}
