//! Two at once.

use super::{KINDS, Kind, Load, POOLS, cases, cases_of, until};
use crate::support::{
    Outcome, Proxy, Scene, audit,
    proxy::{Act, Fault, Message, commit, committed, copy_data},
};
use rustix::process::{Pid, Signal, kill_process};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

#[test]
fn of_eight_starts_at_once_one_loads_and_the_others_name_it() {
    for (kind, pool) in cases(KINDS.map(|kind| (kind, 2))) {
        let load = Load::new(kind, 3_000);
        // Nobody gets to the end before all have looked.
        let stranger = load.scene.db.another();
        stranger.sql("BEGIN; LOCK TABLE t IN SHARE MODE");
        let mut starts: Vec<_> =
            (0..8).map(|_| load.dbload(&format!("--pool-size {pool}")).spawn()).collect();
        let pids: Vec<String> = starts.iter().map(|s| format!("process {} ", s.pid())).collect();
        until("one is left", || {
            starts.iter_mut().map(|start| u32::from(start.is_running())).sum::<u32>() <= 1
        });
        stranger.sql("ROLLBACK");
        let outcomes: Vec<Outcome> = starts.into_iter().map(|s| s.wait()).collect();
        let (winners, losers): (Vec<_>, Vec<_>) = (0..8).partition(|&i| outcomes[i].code() == 3);
        assert_eq!(winners.len(), 1, "{outcomes:?}");
        for i in losers {
            outcomes[i].clone().exits(8).says(&pids[winners[0]]).says("hint:");
        }
        load.check(outcomes[winners[0]].clone());
    }
}

#[test]
fn eight_starts_at_once_may_find_no_table_at_all() {
    let scene = Scene::new();
    let text: String = (0..3_000).map(|i| format!("{{\"id\":{i},\"v\":{i}}}\n")).collect();
    scene.file("fresh.jsonl", text);
    let starts: Vec<_> =
        (0..8).map(|_| scene.dbload("fresh.jsonl --key id --batch-rows 100 --pool-size 2").spawn()).collect();
    let outcomes: Vec<Outcome> = starts.into_iter().map(|s| s.wait()).collect();
    // Who comes after the winner has ended loads it all again, and finds it unchanged.
    let loaded = outcomes.iter().filter(|o| o.code() == 0).count();
    let inserted: u64 = outcomes.iter().filter(|o| o.code() == 0).map(|o| o.rows().inserted).sum();
    assert!(loaded >= 1, "{outcomes:?}");
    for outcome in outcomes.iter().filter(|o| o.code() != 0) {
        outcome.clone().exits(8).says("process ");
    }
    assert_eq!(
        (inserted, scene.db.one("SELECT count(*) || ' ' || sum(v) FROM fresh")),
        (3_000, "3000 4498500".to_owned())
    );
    audit(&scene.db);
}

#[test]
fn eight_starts_of_a_short_append_append_it_once() {
    for _ in 0..3 {
        let load = Load::new(Kind::Append, 60);
        let starts: Vec<_> = (0..8).map(|_| load.dbload("--pool-size 1").spawn()).collect();
        let outcomes: Vec<Outcome> = starts.into_iter().map(|s| s.wait()).collect();
        let winners: Vec<_> = outcomes.iter().filter(|o| o.code() != 8).collect();
        assert_eq!(winners.len(), 1, "{outcomes:?}");
        load.check(winners[0].clone());
    }
}

#[test]
fn the_same_load_started_twice_has_one_owner_and_the_second_may_wait() {
    for pool in cases_of(&[Kind::Append], &POOLS, [(Kind::Append, 2)]).into_iter().map(|(_, pool)| pool) {
        let load = Load::new(Kind::Append, 6_000);
        load.lasts(12.0, pool);
        let owner = load.dbload(&format!("--pool-size {pool}")).spawn();
        until("batches are committed", || load.batches() >= 2);
        load.dbload("").run().exits(8).says(&format!("process {}", owner.pid()));
        let waiter = load.dbload("--wait 40s").spawn();
        load.quicken();
        load.check(owner.wait());
        // It finds everything appended.
        waiter.wait().exits(8).says("--again");
    }
}

type Moment = fn(&Message) -> bool;

/// Starts a load, stops it at a message, lets another take it over, and lets the first go on.
fn stopped_at((kind, pool): (Kind, u32), moment: Moment, nth: u64) {
    let load = Load::new(kind, 6_000);
    let pid = Arc::new(AtomicU32::new(0));
    let stop = {
        let pid = Arc::clone(&pid);
        move || stop_for_sure(&pid)
    };
    let proxy = Proxy::to(load.scene.db.url(), vec![Fault::on(moment, Act::Do(Box::new(stop))).nth(nth)]);
    let owner = load.through(&proxy.url(), &format!("--pool-size {pool}")).spawn();
    pid.store(owner.pid(), Ordering::Relaxed);
    until("the owner is stopped", || proxy.struck() == 1);
    // Still alive as far as anybody can tell.
    load.dbload("").run().exits(8).says(&format!("process {}", owner.pid())).says("--take-over");
    let heir = load.dbload(&format!("--pool-size {pool} --take-over")).spawn();
    // The heir's start is what fences; from then on the owner may do what it likes.
    until("it is taken over", || load.scene.db.one("SELECT epoch > 1 FROM _dbload.run") == "t");
    owner.signal(Signal::CONT);
    let late = owner.wait();
    let outcome = heir.wait();
    late.exits(8).says("taken over");
    assert_eq!(load.check(outcome).attempts, 2);
}

#[test]
fn an_owner_that_was_stopped_and_taken_over_is_fenced_wherever_it_was() {
    let begin = |m: &Message| m.kind == b'Q' && m.query.starts_with("BEGIN ISOLATION");
    let merged =
        |m: &Message| m.kind == b'C' && m.body.starts_with(b"UPDATE") && m.query.contains("dbload_stage");
    let moments: [(Kind, Moment, u64); 5] = [
        (Kind::Upsert, copy_data, 3),
        (Kind::Append, commit, 3),
        (Kind::Files, committed, 3),
        (Kind::Append, begin, 4),
        (Kind::Upsert, merged, 2),
    ];
    for (i, (kind, moment, nth)) in moments.into_iter().enumerate() {
        // An append never updates.
        let kinds = if i == 4 { &KINDS[..2] } else { &KINDS[..] };
        for case in cases_of(kinds, &POOLS, [(kind, 2)]) {
            stopped_at(case, moment, nth);
        }
    }
}

#[test]
fn a_process_that_is_stopped_while_it_makes_the_ledger_or_records_the_run_holds_nobody_up_for_long() {
    let recording = |m: &Message| m.kind == b'C' && m.query.contains("INSERT INTO _dbload.run");
    let migrating = |m: &Message| m.kind == b'C' && m.body.starts_with(b"UPDATE");
    std::thread::scope(|scope| {
        scope.spawn(|| stopped_at_the_start(recording));
        scope.spawn(|| stopped_at_the_start(migrating));
    });
}

fn stopped_at_the_start(moment: fn(&Message) -> bool) {
    let load = Load::new(Kind::Append, 3_000);
    let pid = Arc::new(AtomicU32::new(0));
    let stop = {
        let pid = Arc::clone(&pid);
        move || stop_for_sure(&pid)
    };
    let proxy = Proxy::to(load.scene.db.url(), vec![Fault::on(moment, Act::Do(Box::new(stop))).nth(1)]);
    let first = load.through(&proxy.url(), "--pool-size 2").spawn();
    pid.store(first.pid(), Ordering::Relaxed);
    until("the first is stopped", || proxy.struck() == 1);
    let second = load.dbload("--pool-size 2").run();
    assert!(second.elapsed < Duration::from_secs(50), "{second}");
    load.check(second);
    first.signal(Signal::CONT);
    // Its session was ended; or it lived to see that the run is there.
    let code = first.wait().code();
    assert!([5, 8].contains(&code), "{code}");
    audit(&load.scene.db);
}

#[test]
fn an_owner_that_stays_stopped_holds_no_lock_for_longer_than_a_minute() {
    let load = Load::new(Kind::Upsert, 3_000);
    let pid = Arc::new(AtomicU32::new(0));
    let inserted = |m: &Message| m.kind == b'C' && m.body.starts_with(b"COPY ");
    let stop = {
        let pid = Arc::clone(&pid);
        move || stop_for_sure(&pid)
    };
    let proxy = Proxy::to(load.scene.db.url(), vec![Fault::on(inserted, Act::Do(Box::new(stop))).nth(2)]);
    let owner = load.through(&proxy.url(), "--pool-size 1").spawn();
    pid.store(owner.pid(), Ordering::Relaxed);
    until("the owner is stopped", || proxy.struck() == 1);
    // Its transaction has rows of the table; somebody else wants it, who knows nothing of loads.
    let began = Instant::now();
    load.scene.sql("BEGIN; LOCK TABLE t IN SHARE MODE; COMMIT");
    let waited = began.elapsed();
    assert!(waited > Duration::from_secs(1) && waited < Duration::from_secs(60), "{waited:?}");
    owner.signal(Signal::CONT);
    load.check(owner.wait());
    audit(&load.scene.db);
}

#[test]
fn an_owner_that_stands_still_in_the_midst_of_a_copy_is_put_out_by_its_heir() {
    for words in ["--take-over", "--take-over --restart"] {
        let load = Load::new(Kind::Upsert, 3_000);
        // Rows are in the table, and the server waits for more: no limit of its own applies.
        let proxy = Proxy::to(load.scene.db.url(), vec![Fault::on(copy_data, Act::Stall).nth(2)]);
        let owner = load.through(&proxy.url(), "--pool-size 1 --statement-timeout 5s").spawn();
        until("the owner stands still", || proxy.struck() == 1);
        owner.signal(Signal::STOP);
        let heir = load.dbload(&format!("--pool-size 1 {words}")).run();
        assert!(heir.elapsed < Duration::from_secs(20), "{heir}");
        let is_new = words.contains("restart");
        if is_new {
            // The ledger keeps the run that was given up, and the records are in the table already.
            heir.exits(3);
        } else {
            load.check(heir);
        }
        owner.signal(Signal::CONT);
        owner.wait().exits(8).says("taken over");
        if !is_new {
            audit(&load.scene.db);
        }
    }
}

/// Stops a process, and waits until all of it has stopped: under load a thread may run on for a while.
fn stop_for_sure(pid: &AtomicU32) {
    until("the process is known", || pid.load(Ordering::Relaxed) != 0);
    let pid = pid.load(Ordering::Relaxed);
    kill_process(Pid::from_raw(i32::try_from(pid).unwrap()).unwrap(), Signal::STOP).unwrap();
    let is_stopped = |task: std::io::Result<std::fs::DirEntry>| {
        let stat =
            task.and_then(|task| std::fs::read_to_string(task.path().join("stat"))).unwrap_or_default();
        stat.rsplit_once(") ").is_some_and(|(_, state)| state.starts_with('T'))
    };
    until("all threads have stopped", || {
        std::fs::read_dir(format!("/proc/{pid}/task")).unwrap().all(is_stopped)
    });
}

#[test]
fn two_loads_with_overlapping_keys_are_some_interleaving_of_both() {
    let scene = Scene::with("CREATE TABLE t (id bigint PRIMARY KEY, v bigint, a bigint, b bigint)");
    let keys = 1_000_u64;
    // Opposite orders; every key three times each; each has a column of its own.
    let text = |up: bool| -> String {
        (0..3 * keys)
            .map(|i| {
                let id = if up { i % keys } else { keys - 1 - i % keys };
                let (name, v) = if up { ("a", i) } else { ("b", 1_000_000 + i) };
                format!("{{\"id\":{id},\"v\":{v},\"{name}\":{v}}}\n")
            })
            .collect()
    };
    scene.file("up.jsonl", text(true));
    scene.file("down.jsonl", text(false));
    let start = |file: &str| scene.dbload(&format!("{file} -t t --batch-rows 250 --pool-size 4")).spawn();
    let (up, down) = (start("up.jsonl"), start("down.jsonl"));
    let outcomes = [up.wait().exits(0), down.wait().exits(0)];
    let mut inserted = 0;
    for outcome in &outcomes {
        let report = outcome.report();
        assert_eq!(
            (report.rows.read, report.rows.rejected, report.rows.skipped),
            (3 * keys, 0, 0),
            "{outcome}"
        );
        assert!(report.pool.retries < 200, "a storm: {outcome}");
        inserted += report.rows.inserted;
    }
    assert_eq!(inserted, keys, "{outcomes:?}");
    // Each column is as its own load left it, and v is one of the two.
    let wrong = scene.db.lines(&format!(
        "SELECT t.* FROM generate_series(0, {keys} - 1) k LEFT JOIN t ON id = k \
         WHERE (a = k + 2 * {keys} AND b = 1000000 + 3 * {keys} - 1 - k AND v IN (a, b)) IS NOT TRUE"
    ));
    assert!(wrong.is_empty(), "{wrong:?}");
    audit(&scene.db);
}

#[test]
fn an_epoch_is_never_given_away_again_where_the_server_has_lost_a_take_over() {
    let scene = Scene::with("CREATE TABLE t (id int PRIMARY KEY)");
    scene.file("t.jsonl", "{\"id\":1}\n");
    scene.load("t.jsonl -t t");
    let stands_at = |epoch: u64| {
        scene.sql(&format!("UPDATE _dbload.run SET state = 'running', epoch = {epoch}"));
        scene.sql(&format!("UPDATE _dbload.checkpoint SET epoch = {epoch}"));
    };
    let take_over = || {
        let epoch = scene.db.one("SELECT _dbload.take_over(run, '{}') FROM _dbload.run");
        assert_eq!(scene.db.one("SELECT DISTINCT epoch FROM _dbload.checkpoint"), epoch);
        epoch.parse::<u64>().unwrap()
    };
    stands_at(1);
    let first = take_over();
    // A standby that has not heard of it is promoted.
    stands_at(1);
    let second = take_over();
    assert!(1 < first && first < second, "{first} and {second}");
    // A clock that is behind takes nothing back.
    stands_at(1 << 52);
    assert_eq!(take_over(), (1 << 52) + 1);
}
