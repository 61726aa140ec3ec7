//! What happens to the process itself.

use super::{KINDS, Kind, Load, ONCE_A_BATCH, cases, until};
use crate::support::{Rng, inject};
use rustix::process::Signal;
use std::{
    process::{Command, Stdio},
    time::{Duration, Instant},
};

/// Kills a load so often at random moments, lets the last start finish, and checks it.
pub(super) fn killed_again_and_again(load: Load, pool: u32, kills: u32, rng: &mut Rng) {
    // Ten starts get some thirteen batches far, each.
    load.slow(0.03 * f64::from(pool));
    let flags = format!("--pool-size {pool} --batch-rows 200");
    let mut moved = 0;
    for hit in 0..kills {
        let before = load.batches();
        let mut running = load.dbload(&flags).spawn();
        let far = rng.below(5);
        until("batches are committed", || load.batches() >= before + far || !running.is_running());
        std::thread::sleep(Duration::from_millis(rng.below(80)));
        running.signal(Signal::KILL);
        let outcome = running.wait();
        assert!(outcome.was_killed(), "ended after {hit} kills, make the load longer: {outcome}");
        moved += u32::from(load.batches() > before);
    }
    assert!(moved > 0, "no start got far enough to lose anything");
    load.scene.sql("DROP TRIGGER slow ON t");
    load.check(load.dbload(&flags).run().says("resum"));
}

#[test]
fn killed_ten_times_at_random_moments_each_kind_of_load_ends_as_if_nothing_had_happened() {
    let mut rng = Rng::new();
    for (kind, pool) in cases(KINDS.into_iter().zip([1, 8, 2])) {
        killed_again_and_again(Load::new(kind, 60_000), pool, 10, &mut rng);
    }
}

#[test]
fn a_signal_lets_what_is_in_flight_commit_and_the_same_command_resumes() {
    let signals = [(Signal::INT, 130), (Signal::TERM, 143)].into_iter().cycle();
    for ((kind, pool), (signal, code)) in cases(KINDS.map(|kind| (kind, 2))).into_iter().zip(signals) {
        let load = Load::new(kind, 9_000);
        load.lasts(4.0, pool);
        let running = load.dbload(&format!("--pool-size {pool}")).spawn();
        until("batches are committed", || load.batches() > 1);
        let began = Instant::now();
        running.signal(signal);
        let outcome = running.wait().exits(code);
        assert!(began.elapsed() < Duration::from_secs(15), "{outcome}");
        let report = outcome.report();
        assert!(!report.complete && report.rows.read < load.records, "{outcome}");
        let stored =
            if kind == Kind::Append { report.rows.inserted } else { report.rows.inserted.min(load.keys()) };
        assert_eq!(load.scene.db.count("t"), stored, "what it says is what there is: {outcome}");
        load.scene.sql("DROP TRIGGER slow ON t");
        assert_eq!(load.check(load.dbload("").run().says("resum")).attempts, 2);
    }
}

#[test]
fn a_signal_while_a_batch_takes_forever_rolls_it_back_within_five_seconds() {
    for (kind, pool) in cases([(Kind::Upsert, 2)]) {
        asleep_and_stopped(kind, pool);
    }
}

fn asleep_and_stopped(kind: Kind, pool: u32) {
    let load = Load::new(kind, 6_000);
    load.inject(ONCE_A_BATCH, 3..=100, &inject::sleep(30.0));
    let running = load.dbload(&format!("--pool-size {pool}")).spawn();
    until("a batch is asleep", || load.calls() >= 3);
    let began = Instant::now();
    running.signal(Signal::TERM);
    let outcome = running.wait().exits(143);
    assert!(began.elapsed() < Duration::from_secs(15), "{:?}: {outcome}", began.elapsed());
    // Nobody sleeps on in the server with the locks of a load that has ended.
    let asleep =
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'";
    until("its backends end", || load.scene.db.one(asleep) == "0");
    assert!(began.elapsed() < Duration::from_secs(25), "its backends slept on");
    load.scene.sql("DROP TRIGGER inject ON t");
    load.check(load.dbload("").run());
}

#[test]
fn the_second_signal_ends_it_at_once() {
    let load = Load::new(Kind::Append, 3_000);
    load.inject(ONCE_A_BATCH, 2..=100, &inject::sleep(6.0));
    let running = load.dbload("--pool-size 2").spawn();
    until("a batch is asleep", || load.calls() >= 2);
    running.signal(Signal::INT);
    std::thread::sleep(Duration::from_millis(200));
    let began = Instant::now();
    running.signal(Signal::TERM);
    let outcome = running.wait().exits(143);
    // Sooner than what is in flight.
    assert!(began.elapsed() < Duration::from_secs(4), "{outcome}");
    load.scene.sql("DROP TRIGGER inject ON t");
    load.check(load.dbload("").run());
}

#[test]
fn a_closed_stdout_or_stderr_is_no_panic_and_no_false_success() {
    let run = |load: &Load, redirect: &str| {
        let mut command = Command::new("sh");
        let program = env!("CARGO_BIN_EXE_dbload");
        command.args(["-c", &format!("exec \"$@\" {redirect}"), "sh", program, "in", "-t", "t", "--json"]);
        command.args(["-d", load.scene.db.url()]).current_dir(load.scene.cwd()).stdin(Stdio::null());
        let out = command.output().unwrap();
        let err = String::from_utf8_lossy(&out.stderr).into_owned();
        assert!(!err.contains("panicked"), "{redirect}: {err}");
        out.status.code()
    };
    // Without bad lines: the exit code would be 0.
    for (redirect, code) in [(">/dev/full", 1), (">/dev/full 2>&-", 1), ("2>&-", 0), ("2>/dev/full", 0)] {
        let load = Load::new(Kind::Upsert, 900);
        assert_eq!(run(&load, redirect), Some(code), "{redirect}");
        assert_eq!(load.scene.db.digest("t"), load.scene.db.digest(&load.expected()), "{redirect}");
    }
    // A reader that goes away.
    let load = Load::new(Kind::Append, 900);
    let script = format!(
        "{{ \"$0\" in -t t --json -d '{}'; echo $? >code; }} | head -c 0; sleep 0.1",
        load.scene.db.url()
    );
    let status = Command::new("bash")
        .args(["-c", &script, env!("CARGO_BIN_EXE_dbload")])
        .current_dir(load.scene.cwd())
        .status();
    assert!(status.unwrap().success());
    assert_eq!(load.scene.folder.read("code").trim(), "1");
    assert_eq!(load.scene.db.digest("t"), load.scene.db.digest(&load.expected()));
}
