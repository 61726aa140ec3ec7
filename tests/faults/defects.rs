//! The teeth of this suite: with each defect switched on, the tests that should notice it do.
//!
//! Each case runs green without its defect and red with it, by the very checks that the other tests use. The
//! defects of the program are `dbload::internals::fault`'s; those of the fence are the ledger's function in
//! SQL, made worse in a test's database.

use super::{Kind, Load, connection, process, until};
use crate::support::{
    Proxy, inject,
    proxy::{Act, End, Fault, commit},
};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// What a check that fails says; `None`: it passed.
fn verdict(check: impl FnOnce()) -> Option<String> {
    let panic = catch_unwind(AssertUnwindSafe(check)).err()?;
    let text = panic.downcast_ref::<String>().cloned();
    Some(text.or_else(|| panic.downcast_ref::<&str>().map(|s| (*s).to_owned())).unwrap_or_default())
}

/// The check passes on a program without the defect and fails with it.
#[track_caller]
fn bites(name: &str, check: impl Fn(Option<&str>)) {
    if let Some(words) = verdict(|| check(None)) {
        panic!("{name}: red without the defect: {words}");
    }
    let words = verdict(|| check(Some(name)));
    let Some(words) = words else { panic!("{name}: the suite is green with this defect") };
    println!("{name}: red, as it must be: {}", words.lines().next().unwrap_or_default());
}

fn plain(kind: Kind, records: u64, flags: &'static str) -> impl Fn(Option<&str>) {
    move |defect| {
        let load = Load::new(kind, records).with_defect(defect);
        load.check(load.dbload(flags).run());
    }
}

#[test]
fn a_lost_record_is_noticed() {
    // Straight into the table, and by staging. The books of the same batch are asked for again until the
    // patience ends.
    bites("drop-record", plain(Kind::Append, 3_000, "--pool-size 1 --retry-for 2s"));
    bites("drop-record", plain(Kind::Upsert, 3_000, "--pool-size 2 --retry-for 2s"));
}

#[test]
fn a_record_that_is_counted_twice_is_noticed() {
    bites("count-twice", plain(Kind::Upsert, 3_000, "--pool-size 1"));
    bites("count-twice", plain(Kind::Append, 3_000, "--pool-size 8"));
}

#[test]
fn a_checkpoint_that_is_skipped_is_noticed() {
    bites("skip-checkpoint", plain(Kind::Append, 3_000, "--pool-size 1"));
    bites("skip-checkpoint", plain(Kind::Files, 3_000, "--pool-size 2"));
}

#[test]
fn batches_out_of_order_are_noticed() {
    // Keys come again in the next batch.
    bites("out-of-order", plain(Kind::Upsert, 1_500, "--pool-size 1 --batch-rows 400"));
}

#[test]
fn an_unknown_commit_that_is_taken_for_committed_is_noticed() {
    for kind in [Kind::Upsert, Kind::Append] {
        bites("unknown-is-committed", |defect| {
            let load = Load::new(kind, 3_000).with_defect(defect);
            connection::survives(&load, 2, Fault::on(commit, Act::Cut(End::Rst)).every(3), 2);
        });
    }
}

/// The ledger's fence, by text that is in it and text that takes its place.
#[track_caller]
fn worsen(load: &Load, from: &str, to: &str) {
    let db = &load.scene.db;
    let text = db.one("SELECT pg_get_functiondef('_dbload.advance'::regproc)");
    assert!(text.contains(from), "the fence has no {from:?}: {text}");
    db.sql(&text.replacen(from, to, 1));
}

/// The outcome of a batch is unknown, and its old backend is still busy with the checkpoint when it is
/// replayed.
fn replayed_while_the_old_backend_is_busy(fence: &dyn Fn(&Load)) {
    // Without bad records: the rejects' own key would fence too.
    let load = Load::new(Kind::Append, 900);
    load.make_ledger();
    fence(&load);
    // A writer ends what is left of a session that it has lost. Where it may not, the fence is all there is.
    load.scene
        .sql("ALTER FUNCTION pg_catalog.pg_terminate_backend(int, bigint) RENAME TO pg_terminate_no_backend");
    load.inject("BEFORE UPDATE ON _dbload.checkpoint FOR EACH STATEMENT", 2..=2, &inject::sleep(1.5));
    let proxy = Proxy::to(load.scene.db.url(), vec![Fault::on(commit, Act::ForwardThenReset).nth(2)]);
    let outcome = load.through(&proxy.url(), "--pool-size 1 --batch-rows 100").run();
    assert!(proxy.struck() == 1 && load.calls() > 2, "{outcome}");
    let busy =
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state = 'active'";
    until("the old backend has ended", || load.scene.db.one(busy) == "1");
    load.check(outcome);
}

#[test]
fn a_fence_that_does_not_raise_is_noticed() {
    bites("fence that does not raise", |defect| {
        replayed_while_the_old_backend_is_busy(&|load| {
            if defect.is_some() {
                worsen(load, "IF moved <> 1 THEN", "IF false THEN");
            }
        });
    });
}

#[test]
fn a_fence_that_ignores_the_epoch_is_noticed() {
    bites("fence that ignores the epoch", |defect| {
        let load = Load::new(Kind::Append, 9_000);
        load.make_ledger();
        // Before it starts: a transaction under way may have looked the function up already.
        if defect.is_some() {
            worsen(&load, "AND c.epoch = a_epoch", "");
        }
        load.slow(0.2);
        let before = load.batches();
        let owner = load.dbload("--pool-size 1").spawn();
        until("batches are committed", || load.batches() >= before + 2);
        // Somebody takes over, and does nothing yet: what there is now must stay so.
        load.scene.sql("SELECT _dbload.take_over(run, owner) FROM _dbload.run WHERE state = 'running'");
        let (batches, rows) = (load.batches(), load.scene.db.count("t"));
        let late = owner.wait();
        assert_eq!((load.batches(), load.scene.db.count("t")), (batches, rows), "stored after it: {late}");
        late.exits(8).says("taken over");
    });
}

#[test]
fn the_kill_loop_notices_a_checkpoint_that_is_skipped() {
    bites("skip-checkpoint", |defect| {
        let load = Load::new(Kind::Append, 20_000).with_defect(defect);
        process::killed_again_and_again(load, 2, 3, &mut crate::support::Rng::new());
    });
}
