//! The connection breaks, around COMMIT above all.

use super::{KINDS, Kind, Load, POOLS, cases, cases_of, until};
use crate::rows;
use crate::support::{
    Proxy, Scene, audit,
    proxy::{Act, End, Fault, From, Message, answer, commit, committed, copy_data, query},
};
use rustix::process::Signal;
use std::time::{Duration, Instant};

/// Loads through a proxy with this fault; the fault must strike so often at least.
#[track_caller]
pub(super) fn survives(load: &Load, pool: u32, fault: Fault, strikes: u64) -> u64 {
    let proxy = Proxy::to(load.scene.db.url(), vec![fault]);
    let outcome = load.through(&proxy.url(), &format!("--pool-size {pool}")).run();
    assert!(proxy.struck() >= strikes, "the fault struck {} times: {outcome}", proxy.struck());
    // Resolved where it arose: the load did not begin anew from its checkpoints.
    assert_eq!(load.check(outcome).attempts, 1);
    proxy.struck()
}

#[test]
fn the_proxy_alone_changes_nothing() {
    let load = Load::new(Kind::Upsert, 3_000);
    let proxy = Proxy::to(load.scene.db.url(), vec![]);
    load.check(load.through(&proxy.url(), "--pool-size 2").run());
    assert!(proxy.connections() > 2 && proxy.struck() == 0);
}

#[test]
fn a_connection_that_is_reset_before_commit_is_forwarded_is_replayed_once() {
    // Each kind with each size of the pool, with or without the matrix.
    for kind in KINDS {
        survives(&Load::new(kind, 6_000), 1, Fault::on(commit, Act::Cut(End::Rst)).nth(1), 1);
        survives(&Load::new(kind, 6_000), 2, Fault::on(commit, Act::Cut(End::Fin)).every(3), 3);
        survives(&Load::new(kind, 6_000), 8, Fault::on(commit, Act::Cut(End::Rst)).every(2), 6);
    }
}

#[test]
fn a_commit_whose_answer_is_swallowed_is_counted_once() {
    // Each kind with each size of the pool, with or without the matrix.
    for kind in KINDS {
        survives(&Load::new(kind, 6_000), 1, Fault::on(committed, Act::Cut(End::Rst)).nth(1), 1);
        survives(&Load::new(kind, 6_000), 2, Fault::on(committed, Act::Cut(End::Fin)).every(3), 3);
        survives(&Load::new(kind, 6_000), 8, Fault::on(committed, Act::Cut(End::Rst)).every(2), 6);
    }
}

#[test]
fn the_very_last_commits_may_be_unknown_too() {
    // The batch that moves a partition to its end, the one that completes the run, and the sums behind it.
    let last = |m: &Message| m.query.contains(", true, ARRAY[") && committed(m);
    for (kind, pool) in cases([(Kind::Upsert, 2), (Kind::Append, 2)]) {
        let load = || Load::new(kind, 3_000);
        survives(&load(), pool, Fault::on(last, Act::Cut(End::Rst)).every(1), 1.max(u64::from(pool)));
        let completed = answer("SELECT _dbload.complete(", "COMMIT");
        survives(&load(), pool, Fault::on(completed, Act::Cut(End::Rst)).nth(1), 1);
        let complete = query("SELECT _dbload.complete(");
        survives(&load(), pool, Fault::on(complete, Act::Cut(End::Rst)).nth(1), 1);
        let sums = query("FROM _dbload.checkpoint WHERE run");
        survives(&load(), pool, Fault::on(sums, Act::Cut(End::Fin)).nth(1), 1);
    }
}

#[test]
fn a_connection_may_break_at_any_message_of_a_batch() {
    let moments: [fn(&Message) -> bool; 6] = [
        |m| query("BEGIN ISOLATION LEVEL")(m),
        copy_data,
        |m| m.kind == b'G' && m.from == From::Server,
        |m| m.kind == b'C' && m.body.starts_with(b"COPY"),
        |m| query("INSERT INTO")(m) && !m.query.contains("_dbload."),
        |m| m.kind == b'Z' && m.query.contains("SELECT _dbload.advance("),
    ];
    for (i, moment) in moments.into_iter().enumerate() {
        let how = if i % 2 == 0 { End::Rst } else { End::Fin };
        let sample = (KINDS[i % KINDS.len()], 2);
        // Rows that are new need no INSERT but where batches are many and small.
        for (kind, pool) in if i == 4 { vec![sample] } else { cases([sample]) } {
            survives(&Load::new(kind, 3_000), pool, Fault::on(moment, Act::Cut(how)).among(3..=5), 3);
        }
    }
}

/// The old backend is still busy with the checkpoint when the client asks what became of the batch.
fn busy_backend((kind, pool): (Kind, u32), trigger: &str) {
    let load = Load::new(kind, 3_000);
    load.make_ledger();
    load.inject(
        &format!("BEFORE UPDATE ON _dbload.checkpoint FOR EACH {trigger}"),
        2..=2,
        "PERFORM pg_sleep(3)",
    );
    survives(&load, pool, Fault::on(commit, Act::ForwardThenReset).nth(2), 1);
    assert!(load.calls() >= 2, "the old backend was never busy");
    // Whether it was waited for (it holds keys or the checkpoint) or is fenced: nothing comes of it behind
    // the load's back.
    let before = (load.scene.db.digest("t"), audit(&load.scene.db));
    let busy =
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state = 'active'";
    until("the old backend has ended", || load.scene.db.one(busy) == "1");
    assert_eq!((load.scene.db.digest("t"), audit(&load.scene.db)), before);
}

#[test]
fn an_old_backend_that_is_still_busy_with_an_upsert_is_fenced_or_waited_for() {
    cases_of(&KINDS[..2], &POOLS, [(Kind::Upsert, 2)])
        .into_iter()
        .for_each(|case| busy_backend(case, "STATEMENT"));
}

#[test]
fn an_old_backend_that_is_still_busy_with_an_append_is_fenced_or_waited_for() {
    cases_of(&KINDS[2..], &POOLS, [(Kind::Append, 2)])
        .into_iter()
        .for_each(|case| busy_backend(case, "STATEMENT"));
}

#[test]
fn an_old_backend_that_holds_the_checkpoint_is_waited_for() {
    cases([(Kind::Append, 2)]).into_iter().for_each(|case| busy_backend(case, "ROW"));
}

#[test]
fn when_the_server_stays_away_after_an_unknown_commit_it_ends_with_7_and_resumes() {
    let moments: [fn(&Message) -> bool; 2] = [committed, commit];
    // Of several writers one alone may be cut off: then the others decide how it ends.
    for (kind, moment) in cases_of(&KINDS, &[1], [(Kind::Upsert, 1), (Kind::Append, 1)])
        .into_iter()
        .flat_map(|(kind, _)| moments.map(|moment| (kind, moment)))
    {
        let load = Load::new(kind, 6_000);
        let proxy =
            Proxy::to(load.scene.db.url(), vec![Fault::on(moment, Act::Cut(End::Rst)).nth(3).then_away()]);
        let command = || load.through(&proxy.url(), "--pool-size 1 --retry-for 1s");
        let outcome = command().run().exits(7).says("not known").says("hint:");
        assert_eq!(proxy.struck(), 1, "{outcome}");
        assert!(outcome.elapsed < Duration::from_secs(30), "{outcome}");
        proxy.come_back();
        let report = load.check(command().run().says("resum"));
        assert_eq!(report.attempts, 2);
    }
}

#[test]
fn with_many_writers_one_unknown_commit_makes_it_7() {
    let load = Load::new(Kind::Upsert, 9_000);
    load.lasts(1.0, 4);
    // The others lose their connections too, and give up at about the same time.
    let proxy = Proxy::to(
        load.scene.db.url(),
        vec![
            Fault::on(committed, Act::Cut(End::Rst)).nth(5).then_away(),
            Fault::on(|m| m.from == From::Client, Act::Cut(End::Rst)).once_away(),
        ],
    );
    let outcome = load.through(&proxy.url(), "--pool-size 4 --retry-for 1s").run().exits(7);
    assert!(proxy.struck() > 1, "{outcome}");
    proxy.come_back();
    load.check(load.through(&proxy.url(), "").run());
}

#[test]
fn when_the_server_stays_away_before_commit_it_ends_with_5_and_resumes() {
    let load = Load::new(Kind::Files, 6_000);
    // Its BEGIN may have gone out along with the COMMIT before; rows are sent once that is answered.
    let rows = Fault::on(copy_data, Act::Cut(End::Rst)).nth(3).then_away();
    let proxy = Proxy::to(load.scene.db.url(), vec![rows]);
    let command = || load.through(&proxy.url(), "--pool-size 1 --retry-for 1s");
    let outcome = command().run().exits(5).says("hint:");
    assert_eq!(proxy.struck(), 1, "{outcome}");
    proxy.come_back();
    assert_eq!(load.check(command().run()).attempts, 2);
}

/// The server goes away at this message, for good as far as the program can tell.
fn away_at(load: &Load, text: &'static str) -> Proxy {
    let faults = vec![
        Fault::on(query(text), Act::Cut(End::Rst)).nth(1).then_away(),
        Fault::on(|m| m.from == From::Client, Act::Cut(End::Rst)).once_away(),
    ];
    Proxy::to(load.scene.db.url(), faults)
}

const COMPLETE: &str = "SELECT _dbload.complete(";
const SUMS: &str = "SELECT sum(read), sum(inserted)";

#[test]
fn a_server_that_is_away_when_all_is_done_is_waited_for_with_words() {
    for (text, doing) in [(COMPLETE, "complete the run"), (SUMS, "sum up the run")] {
        for (kind, pool) in cases([(Kind::Upsert, 1), (Kind::Append, 2)]) {
            let load = Load::new(kind, 3_000);
            let proxy = away_at(&load, text);
            let running = load.through(&proxy.url(), &format!("--pool-size {pool}")).spawn();
            until("the server is away", || proxy.struck() > 0);
            let there = proxy.connections();
            until("it was tried again, more than once", || proxy.connections() > there + 2);
            proxy.come_back();
            let outcome = running.wait().says("going on");
            let said: Vec<_> = outcome.stderr.lines().filter(|line| line.contains("waiting for")).collect();
            assert_eq!(said.len(), 1, "once, then quietly: {outcome}");
            assert!(said[0].starts_with(&format!("waiting for the database: {doing}: ")), "{outcome}");
            assert_eq!(load.check(outcome).attempts, 1);
        }
    }
}

#[test]
fn ctrl_c_while_the_run_cannot_be_completed_or_summed_up_ends_soon_with_130() {
    for (text, kind) in [(COMPLETE, Kind::Append), (SUMS, Kind::Upsert)] {
        let load = Load::new(kind, 3_000);
        let proxy = away_at(&load, text);
        let running = load.through(&proxy.url(), "--pool-size 2").spawn();
        until("the server is away", || proxy.struck() > 0);
        std::thread::sleep(Duration::from_millis(300));
        let began = Instant::now();
        running.signal(Signal::INT);
        let outcome = running.wait().exits(130);
        assert!(began.elapsed() < Duration::from_secs(20), "{outcome}");
        proxy.come_back();
        // Complete or not: the table is what it must be once the same command has run again.
        let outcome = load.through(&proxy.url(), "").run();
        assert_eq!(load.scene.db.digest("t"), load.scene.db.digest(&load.expected()), "{outcome}");
        assert_eq!(audit(&load.scene.db), outcome.exits(3).rows());
    }
}

#[test]
fn a_server_that_stays_away_when_the_run_is_to_be_completed_is_given_up_at_the_deadline() {
    let load = Load::new(Kind::Append, 3_000);
    let proxy = away_at(&load, COMPLETE);
    let command = || load.through(&proxy.url(), "--pool-size 2 --retry-for 1s");
    let outcome = command().run().exits(5).says("waiting for").says("complete the run");
    assert!(outcome.elapsed < Duration::from_secs(30), "{outcome}");
    proxy.come_back();
    assert_eq!(load.check(command().run().says("resum")).attempts, 2);
}

#[test]
fn ctrl_c_while_the_server_is_away_ends_soon_with_130() {
    let load = Load::new(Kind::Upsert, 6_000);
    let faults = vec![
        Fault::on(committed, Act::Cut(End::Rst)).nth(3).then_away(),
        Fault::on(|m| m.from == From::Client, Act::Cut(End::Rst)).once_away(),
    ];
    let proxy = Proxy::to(load.scene.db.url(), faults);
    let running = load.through(&proxy.url(), "--pool-size 2").spawn();
    until("the server is away", || proxy.struck() > 0);
    std::thread::sleep(Duration::from_millis(300));
    let began = Instant::now();
    running.signal(Signal::INT);
    let outcome = running.wait().exits(130);
    assert!(began.elapsed() < Duration::from_secs(20), "{outcome}");
    proxy.come_back();
    load.check(load.through(&proxy.url(), "").run());
}

#[test]
fn a_connection_that_falls_silent_is_noticed() {
    // A transaction that is open when the connection falls silent keeps its locks until the server's own
    // limit ends it, 30 s later; an append waits for none.
    let moments: [fn(&Message) -> bool; 3] = [committed, copy_data, commit];
    std::thread::scope(|scope| {
        for (kind, moment) in KINDS.into_iter().zip(moments) {
            scope.spawn(move || {
                let load = Load::new(kind, 3_000);
                let proxy = Proxy::to(load.scene.db.url(), vec![Fault::on(moment, Act::Stall).nth(3)]);
                let outcome = load.through(&proxy.url(), "--pool-size 2 --statement-timeout 1s").run();
                assert_eq!(proxy.struck(), 1, "{outcome}");
                load.check(outcome);
            });
        }
    });
}

#[test]
fn a_session_that_fell_silent_in_mid_copy_does_not_stand_in_its_own_way() {
    // Its batch is merged, and its rejects are on their way: until the server is told to end it, its keys are
    // locked, and none of the server's limits applies.
    fn reject(message: &Message) -> bool {
        // A row of the ledger begins with the run's id.
        let id = message.body.split(|&byte| byte == b'\t').next().unwrap_or_default();
        copy_data(message) && id.len() == 12 && id.iter().all(u8::is_ascii_hexdigit)
    }
    for pool in POOLS {
        let load = Load::new(Kind::Upsert, 3_000);
        let proxy = Proxy::to(load.scene.db.url(), vec![Fault::on(reject, Act::Stall).nth(1)]);
        let words = format!("--pool-size {pool} --statement-timeout 1s --retry-for 30s");
        let outcome = load.through(&proxy.url(), &words).run();
        assert_eq!(proxy.struck(), 1, "{outcome}");
        assert_eq!(load.check(outcome).attempts, 1);
    }
}

#[test]
fn a_server_that_falls_silent_before_the_first_row_ends_the_load() {
    // The ledger is asked by another driver than the rows are written with.
    let load = Load::new(Kind::Upsert, 300);
    let proxy = Proxy::to(load.scene.db.url(), vec![Fault::on(query("r.heartbeat"), Act::Stall).nth(1)]);
    let outcome = load.through(&proxy.url(), "--statement-timeout 1s").run();
    assert_eq!((proxy.struck(), outcome.code()), (1, 5), "{outcome}");
    outcome.says("no answer within 6 s");
    load.check(load.through(&proxy.url(), "").run());
}

#[test]
fn a_byte_at_a_time_is_only_slower() {
    let load = Load::new(Kind::Upsert, 1_200);
    let fault = Fault::on(|m| m.from == From::Client, Act::Dribble);
    assert!(survives(&load, 2, fault, 1) > 10);
    let fault = Fault::on(|m| m.from == From::Server, Act::Dribble);
    survives(&Load::new(Kind::Append, 1_200), 2, fault, 1);
}

#[test]
fn latency_is_only_slower() {
    for (kind, pool) in cases([(Kind::Files, 2)]) {
        let fault = Fault::on(|m| m.from == From::Server, Act::Delay(Duration::from_millis(500))).every(60);
        survives(&Load::new(kind, 3_000), pool, fault, 2);
    }
}

#[test]
fn a_transaction_that_was_aborted_behind_our_back_is_never_a_success() {
    let behind = ["SELECT 1/0", "ROLLBACK", "ROLLBACK"].into_iter().cycle();
    for ((kind, pool), sql) in cases(KINDS.map(|kind| (kind, 2))).into_iter().zip(behind) {
        survives(&Load::new(kind, 3_000), pool, Fault::on(commit, Act::After(sql)).every(3), 1);
    }
    // Without a ledger nothing but the transaction itself tells.
    let scene = Scene::with("CREATE TABLE t (id bigint PRIMARY KEY)");
    scene.file("t.jsonl", (0..1_000).fold(String::new(), |t, id| t + &format!("{{\"id\":{id}}}\n")));
    let end = |m: &Message| m.from == From::Client && m.kind == b'Q' && m.query.ends_with("COMMIT");
    let proxy = Proxy::to(scene.db.url(), vec![Fault::on(end, Act::After("SELECT 1/0")).nth(1)]);
    let outcome = crate::support::Dbload::new(scene.cwd())
        .line("t.jsonl --json --no-ledger --pool-size 1 --batch-rows 500 --dsn")
        .arg(proxy.url())
        .run()
        .exits(0);
    assert_eq!(proxy.struck(), 1);
    assert_eq!((outcome.rows(), scene.db.count("t")), (rows!(read: 1_000, inserted: 1_000), 1_000));
}

#[test]
fn every_second_commit_is_unknown_and_the_books_are_exact() {
    for (kind, pool) in cases([(Kind::Files, 4)]) {
        let load = Load::new(kind, 12_000);
        let proxy = Proxy::to(
            load.scene.db.url(),
            vec![
                Fault::on(committed, Act::Cut(End::Rst)).every(3),
                Fault::on(commit, Act::Cut(End::Rst)).every(4),
            ],
        );
        let outcome = load.through(&proxy.url(), &format!("--pool-size {pool} --batch-rows 100")).run();
        assert!(proxy.struck() > 50, "{}: {outcome}", proxy.struck());
        load.check(outcome);
        audit(&load.scene.db);
    }
}
