//! A standby is promoted, in step or lagging; the old primary is gone, or takes no writes.

use super::{Kind, Load, cases, forgotten::is_forgotten, until};
use crate::support::{
    Database, Folder, Scene, audit,
    dbload::Running,
    pair::{Pair, SYNCHRONOUS},
};

/// A load on a pair of servers.
struct Failover {
    pair: Pair,
    load: Load,
}

impl Failover {
    fn new(kind: Kind, pool: u32, conf: &str) -> Self {
        let pair = Pair::with("pair", conf);
        let scene = Scene { db: Database::connect(&pair.primary.dsn("pair")), folder: Folder::new() };
        let load = Load::on(scene, kind, 12_000);
        load.lasts(12.0, pool);
        pair.catch_up();
        Self { pair, load }
    }

    fn start(&self, flags: &str) -> Running {
        self.load.through(&self.pair.url("pair"), flags).spawn()
    }

    /// The standby stops listening, the load goes on, the primary is lost: `more` acknowledged batches are.
    fn lag(&self, more: u64) -> u64 {
        self.pair.standby.stop_fast().unwrap();
        let batches = self.load.batches();
        until("batches are committed that the standby does not hear of", || {
            self.load.batches() >= batches + more
        });
        let acknowledged = self.load.batches();
        self.pair.primary.kill9();
        self.pair.standby.restart().unwrap();
        acknowledged
    }

    /// The standby is the primary now, and a faster one.
    fn promote(&mut self) {
        self.pair.standby.promote().unwrap();
        self.load.scene.db = Database::connect(&self.pair.standby.dsn("pair"));
        self.load.quicken();
    }
}

#[test]
fn a_promoted_standby_is_found_when_the_primary_is_gone() {
    for (kind, pool) in cases([(Kind::Files, 2), (Kind::Append, 8)]) {
        let mut failover = Failover::new(kind, pool, SYNCHRONOUS);
        let running = failover.start(&format!("--pool-size {pool}"));
        until("batches are committed", || failover.load.batches() >= 4);
        failover.pair.primary.kill9();
        failover.promote();
        assert!(failover.load.batches() >= 4, "a synchronous standby lags");
        failover.load.check(running.wait().says("waiting for the database"));
    }
}

#[test]
fn a_promoted_standby_is_found_when_the_old_primary_takes_no_more_writes() {
    for (kind, pool) in cases([(Kind::Upsert, 1), (Kind::Append, 2)]) {
        let mut failover = Failover::new(kind, pool, "wal_level = replica");
        let running = failover.start(&format!("--pool-size {pool}"));
        until("batches are committed", || failover.load.batches() >= 4);
        failover.load.scene.sql("ALTER SYSTEM SET default_transaction_read_only = on");
        failover.load.scene.sql("SELECT pg_reload_conf()");
        // What was begun before its backend heard of it may still commit.
        std::thread::sleep(std::time::Duration::from_millis(500));
        let now = failover.load.scene.db.one("SELECT clock_timestamp()");
        let begun = format!(
            "SELECT count(*) FROM pg_stat_activity WHERE xact_start < '{now}' AND backend_type = 'client backend'"
        );
        until("what was begun before has ended", || failover.load.scene.db.one(&begun) == "0");
        let left = failover.load.batches();
        failover.pair.catch_up();
        failover.promote();
        let outcome = running.wait();
        let old = Database::connect(&failover.pair.primary.dsn("pair"));
        let batches = "SELECT sum(batches) FROM _dbload.checkpoint";
        assert_eq!(old.one(batches), left.to_string(), "the old primary was written to: {outcome}");
        failover.load.check(outcome);
    }
}

#[test]
fn commits_that_a_lagging_standby_has_lost_are_noticed_and_loaded_again() {
    for (kind, pool) in cases([(Kind::Upsert, 1), (Kind::Append, 2), (Kind::Files, 8)]) {
        let mut failover = Failover::new(kind, pool, "wal_level = replica");
        let running = failover.start(&format!("--pool-size {pool}"));
        until("batches are committed", || failover.load.batches() >= 3);
        failover.pair.catch_up();
        let acknowledged = failover.lag(3);
        failover.promote();
        let there = failover.load.batches();
        assert!(there < acknowledged, "nothing was lost: {there} of {acknowledged}");
        let outcome = running.wait();
        assert!(failover.load.check(outcome).attempts > 1);
    }
}

#[test]
fn the_end_of_a_partition_that_a_lagging_standby_has_lost_is_noticed_too() {
    // One partition comes to its end, acknowledged, while the other one's checkpoint is held by a stranger:
    // nothing of that one is lost, and its writer has nothing to notice.
    let mut failover = Failover::new(Kind::Upsert, 2, "wal_level = replica");
    let running = failover.start("--pool-size 2 --batch-rows 2500");
    let load = &failover.load;
    // Three batches each: what waits for the stranger does not stop the other one.
    until("batches are committed", || load.batches() >= 1);
    let held = [0, 1].map(|partition| {
        let stranger = load.scene.db.another();
        stranger
            .sql(&format!("BEGIN; SELECT FROM _dbload.checkpoint WHERE partition = {partition} FOR UPDATE"));
        stranger
    });
    failover.pair.catch_up();
    failover.pair.standby.stop_fast().unwrap();
    held[0].sql("ROLLBACK");
    let done = "SELECT count(*) FROM _dbload.checkpoint WHERE done";
    until("one partition is at its end", || load.scene.db.one(done) == "1");
    failover.pair.primary.kill9();
    failover.pair.standby.restart().unwrap();
    failover.promote();
    assert_eq!(failover.load.scene.db.one(done), "0");
    let outcome = running.wait();
    assert!(failover.load.check(outcome).attempts > 1);
}

#[test]
fn a_run_that_a_lagging_standby_has_never_heard_of_is_not_gone_on_with() {
    for (kind, pool) in cases([(Kind::Upsert, 2), (Kind::Append, 2)]) {
        let mut failover = Failover::new(kind, pool, "wal_level = replica");
        failover.load.make_ledger();
        failover.pair.catch_up();
        failover.pair.standby.stop_fast().unwrap();
        let before = failover.load.batches();
        let running = failover.start(&format!("--pool-size {pool}"));
        until("batches are committed", || failover.load.batches() >= before + 3);
        failover.pair.primary.kill9();
        failover.pair.standby.restart().unwrap();
        failover.promote();
        assert_eq!(failover.load.scene.db.count("t"), 0);
        is_forgotten(kind, running.wait());
        assert_eq!(failover.load.scene.db.count("t"), 0);
        // Now it begins anew.
        let report = failover.load.check(failover.load.through(&failover.pair.url("pair"), "").run());
        assert_eq!(report.attempts, 1);
        audit(&failover.load.scene.db);
    }
}

#[test]
fn a_killed_load_resumes_on_the_promoted_standby() {
    for (kind, pool) in cases([(Kind::Files, 2)]) {
        let mut failover = Failover::new(kind, pool, "wal_level = replica");
        let flags = format!("--pool-size {pool}");
        let running = failover.start(&flags);
        until("batches are committed", || failover.load.batches() >= 3);
        failover.pair.catch_up();
        failover.lag(2);
        running.signal(rustix::process::Signal::KILL);
        running.wait();
        failover.promote();
        failover.load.check(failover.start(&flags).wait().says("resum"));
    }
}
