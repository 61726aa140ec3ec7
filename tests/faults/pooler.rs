//! The real PgBouncer in transaction mode.

use super::{KINDS, Kind, Load, ONCE_A_BATCH, POOLS, cases, until};
use crate::rows;
use crate::support::{
    Dbload, Proxy,
    bouncer::Bouncer,
    inject,
    proxy::{Act, End, Fault, commit, committed},
};
use rustix::process::Signal;
use std::time::Duration;

const TRANSACTION: &str = "--pooler transaction";

#[test]
fn behind_pgbouncer_in_transaction_mode_each_kind_of_load_is_right() {
    let Some(bouncer) = Bouncer::start() else { return };
    for (kind, pool) in cases(KINDS.into_iter().zip(POOLS)) {
        let load = Load::new(kind, 6_000);
        let url = bouncer.url(&load.scene.db.name());
        load.check(load.through(&url, &format!("--pool-size {pool} {TRANSACTION}")).run());
        // No staging table stays behind, in whichever backend.
        let left = "SELECT count(*) FROM pg_class WHERE relname LIKE 'dbload_%'";
        assert_eq!(load.scene.db.one(left), "0");
        // Once more, with conversion errors and a careful path.
        if kind == Kind::Upsert {
            load.scene.sql("ALTER TABLE t ADD CONSTRAINT no CHECK (id <> 1500) NOT VALID");
            load.scene.file(
                "more.jsonl",
                "{\"id\":1500,\"v\":1}\n{\"id\":1501,\"v\":\"x\"}\n{\"id\":1502,\"v\":5,\"note\":null}\n",
            );
            let outcome = Dbload::new(load.scene.cwd())
                .line("more.jsonl -t t --json --pool-size 2 --pooler transaction --dsn")
                .arg(&url)
                .run()
                .exits(3);
            assert_eq!(outcome.rows(), rows!(read: 3, updated: 1, rejected: 2), "{outcome}");
        }
    }
}

#[test]
fn behind_pgbouncer_a_killed_load_resumes_and_injected_faults_are_replayed() {
    let Some(bouncer) = Bouncer::start() else { return };
    for (kind, pool) in cases(KINDS.map(|kind| (kind, 4))) {
        let load = Load::new(kind, 6_000);
        let url = bouncer.url(&load.scene.db.name());
        let command = || load.through(&url, &format!("--pool-size {pool} {TRANSACTION}"));
        load.inject(ONCE_A_BATCH, 3..=5, inject::TERMINATE);
        load.lasts(6.0, pool);
        let running = command().spawn();
        until("batches are committed", || load.batches() >= 2 && load.calls() >= 6);
        running.signal(Signal::KILL);
        running.wait();
        load.quicken();
        load.check(command().run().says("resum"));
    }
}

#[test]
fn behind_pgbouncer_unknown_commits_are_counted_once() {
    let Some(bouncer) = Bouncer::start() else { return };
    for (kind, pool) in cases(KINDS.into_iter().zip(POOLS)) {
        let load = Load::new(kind, 6_000);
        let faults = vec![
            Fault::on(committed, Act::Cut(End::Rst)).every(3),
            Fault::on(commit, Act::Cut(End::Fin)).every(4),
        ];
        let proxy = Proxy::to_port(bouncer.port, load.scene.db.name(), faults);
        let outcome = load.through(&proxy.url(), &format!("--pool-size {pool} {TRANSACTION}")).run();
        assert!(proxy.struck() >= 5, "{}: {outcome}", proxy.struck());
        load.check(outcome);
    }
}

#[test]
fn pgbouncer_itself_may_be_restarted_meanwhile() {
    let Some(bouncer) = Bouncer::start() else { return };
    // Long enough that both writers are in a batch when their sessions end.
    let load = Load::new(Kind::Append, 24_000);
    load.lasts(8.0, 2);
    let running =
        load.through(&bouncer.url(&load.scene.db.name()), &format!("--pool-size 2 {TRANSACTION}")).spawn();
    until("batches are committed", || load.batches() >= 3);
    // Paused: nobody answers. Then it goes on.
    bouncer.signal(Signal::STOP);
    std::thread::sleep(Duration::from_millis(700));
    bouncer.signal(Signal::CONT);
    let batches = load.batches();
    until("it goes on", || load.batches() > batches);
    load.scene.sql(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()",
    );
    load.quicken();
    load.check(running.wait().says("waiting for the database"));
}

/// Staging tables that live in some session.
const STAGING: &str = "SELECT count(*) FROM pg_class WHERE relname LIKE 'dbload_%'";

#[test]
fn pgbouncer_is_found_out_and_a_server_without_one_is_not_taken_for_it() {
    let Some(bouncer) = Bouncer::start() else { return };
    for (kind, pool) in KINDS.into_iter().zip([8, 2, 1]) {
        let load = Load::new(kind, 6_000);
        // So that batches are staged.
        load.slow(0.001);
        let url = bouncer.url(&load.scene.db.name());
        load.check(load.through(&url, &format!("--pool-size {pool}")).run());
        // The pooler's sessions live on: a table made for a session would be there.
        assert_eq!(load.scene.db.one(STAGING), "0");
    }
    let load = Load::new(Kind::Upsert, 6_000);
    load.slow(0.1);
    let running = load.dbload("--pool-size 2").spawn();
    until("a staging table stays between batches", || {
        load.batches() > 2 && load.scene.db.one(STAGING) != "0"
    });
    load.check(running.wait());
}

#[test]
fn temporary_tables_behind_pgbouncer_leave_little_in_the_catalog() {
    let Some(bouncer) = Bouncer::start() else { return };
    let load = Load::new(Kind::Upsert, 30_000);
    load.slow(0.0);
    // Nobody cleans up meanwhile: this is all there is.
    let catalogs = "SELECT sum(pg_total_relation_size(c.oid)) FROM pg_class c WHERE c.relname IN \
                    ('pg_class', 'pg_attribute', 'pg_type', 'pg_depend', 'pg_index', 'pg_constraint', 'pg_attrdef')";
    let before: u64 = load.scene.db.one(catalogs).parse().unwrap();
    let url = bouncer.url(&load.scene.db.name());
    let report = load.check(load.through(&url, "--pool-size 2 --batch-rows 100").run());
    let after: u64 = load.scene.db.one(catalogs).parse().unwrap();
    let per_batch = (after - before) / report.pool.batches;
    println!(
        "{} batches: {} KiB of catalog, {per_batch} bytes a batch",
        report.pool.batches,
        (after - before) >> 10
    );
    assert!(report.pool.batches >= 300 && per_batch < 8 << 10, "{per_batch} bytes a batch");
}
