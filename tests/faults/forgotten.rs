//! The server knows nothing of the run any more: deleted here, lost by a failover in `failover`. One way to
//! end, wherever it shows.

use super::{Kind, Load, cases, until};
use crate::support::{
    Database, Outcome, Proxy,
    proxy::{Act, End, Fault, From, Message, commit, committed, query},
};
use std::time::Duration;

/// How such a load ends: at once, by the ledger's code, without a report, and it says what to do.
#[track_caller]
pub(super) fn is_forgotten(kind: Kind, outcome: Outcome) {
    let outcome = outcome.exits(8).says("knows nothing of run").says("the same command begins a new run");
    assert_eq!(outcome.stderr.contains("look first"), kind == Kind::Append, "{outcome}");
    assert!(outcome.stdout.is_empty(), "{outcome}");
}

/// The table is what it must be once the same command was run again; what was there before may be there
/// still.
fn run_again(load: &Load) {
    let outcome = load.dbload("").run().exits(3);
    assert_eq!(load.scene.db.digest("t"), load.scene.db.digest(&load.expected()), "{outcome}");
    assert!(outcome.report().complete && outcome.report().attempts == 1, "{outcome}");
}

/// Deletes behind the load's back; the client's message waits for it. Nothing may hold a lock that is in its
/// way.
fn delete(url: &str, sql: &'static str) -> Act {
    let url = url.to_owned();
    Act::Do(Box::new(move || {
        let url = url.clone();
        // A runtime of its own, on a thread of its own: this is the proxy's.
        std::thread::spawn(move || Database::connect(&url).sql(sql)).join().unwrap();
    }))
}

const RUN: &str = "DELETE FROM _dbload.run";
const LEDGER: &str = "DROP SCHEMA _dbload CASCADE";

#[test]
fn a_run_that_is_deleted_under_its_load_ends_it_in_one_way_wherever_that_shows() {
    type Moment = fn(&Message) -> bool;
    let rejects: Moment = |m| {
        m.from == From::Client && m.kind == b'P' && String::from_utf8_lossy(m.body).contains("_dbload.reject")
    };
    let begin: Moment = |m| query("BEGIN ISOLATION LEVEL")(m);
    let complete: Moment = |m| query("SELECT _dbload.complete(")(m);
    let sums: Moment = |m| query("FROM _dbload.checkpoint WHERE run")(m);
    for (moment, nth, sql) in [
        (rejects, 1, RUN),
        (rejects, 1, LEDGER),
        (commit, 1, RUN),
        (begin, 4, LEDGER),
        (complete, 1, RUN),
        (complete, 1, LEDGER),
        (sums, 1, RUN),
        (sums, 1, LEDGER),
    ] {
        let kind = if nth == 4 { Kind::Append } else { Kind::Upsert };
        let load = Load::new(kind, 3_000);
        let url = load.scene.db.url();
        let proxy = Proxy::to(url, vec![Fault::on(moment, delete(url, sql)).nth(nth)]);
        let outcome = load.through(&proxy.url(), "--pool-size 1").run();
        assert_eq!(proxy.struck(), 1, "{sql}: {outcome}");
        assert!(outcome.elapsed < Duration::from_secs(30), "{outcome}");
        is_forgotten(kind, outcome);
        if kind == Kind::Upsert {
            run_again(&load);
        }
    }
}

#[test]
fn a_run_that_is_gone_when_an_unknown_commit_is_asked_for_is_not_called_unknown() {
    for (moment, how) in [(committed as fn(&Message) -> bool, End::Rst), (commit, End::Fin)] {
        let load = Load::new(Kind::Upsert, 3_000);
        let url = load.scene.db.url();
        let asked = delete(url, RUN);
        let faults = vec![
            Fault::on(moment, Act::Cut(how)).nth(2),
            Fault::on(|m| query("AND partition = 0 FOR UPDATE")(m), asked).nth(1),
        ];
        let proxy = Proxy::to(url, faults);
        let outcome = load.through(&proxy.url(), "--pool-size 1").run();
        assert_eq!(proxy.struck(), 2, "{outcome}");
        is_forgotten(Kind::Upsert, outcome);
        run_again(&load);
    }
}

#[test]
fn many_writers_whose_run_is_deleted_end_in_the_same_way() {
    for (kind, pool) in cases([(Kind::Append, 2), (Kind::Upsert, 8)]) {
        let load = Load::new(kind, 9_000);
        load.lasts(8.0, pool);
        let running = load.dbload(&format!("--pool-size {pool}")).spawn();
        until("batches are committed", || load.batches() >= 3);
        // Deleting may deadlock with the writers, and lose.
        until("the run is deleted", || load.scene.db.try_sql(RUN).is_ok());
        load.quicken();
        is_forgotten(kind, running.wait());
    }
}

#[test]
fn a_source_that_fails_when_the_run_is_gone_changes_nothing_about_it() {
    let load = Load::new(Kind::Upsert, 3_000);
    // No gzip file for long.
    load.scene.file("in/9.jsonl.gz", b"\x1f\x8b\x08\0\0\0\0\0\0\x03\xff\xff\xff\xff".as_slice());
    let url = load.scene.db.url();
    let proxy = Proxy::to(url, vec![Fault::on(|m| query("SET set_aside")(m), delete(url, RUN)).nth(1)]);
    let outcome = load.through(&proxy.url(), "--pool-size 1").run();
    assert_eq!(proxy.struck(), 1, "{outcome}");
    is_forgotten(Kind::Upsert, outcome);
}
