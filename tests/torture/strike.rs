//! How each fault is struck. Returns how often it did strike: 0 is no pass.

use super::{
    draw::{Fault, Lock, Restart},
    play::Play,
};
use crate::support::proxy::{self, Act, End, Message, commit, committed};
use rustix::process::{Pid, Signal, kill_process};
use std::time::{Duration, Instant};

/// A message that a fault waits for comes within this time, or the fault has missed.
const MESSAGE: Duration = Duration::from_secs(3);

/// Sessions of the load.
const SESSIONS: &str = "FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'dbload%' \
                        AND pid <> pg_backend_pid()";

impl Fault {
    /// It is about two processes, or a load that has begun: the first must be the owner by then.
    pub fn needs_an_owner(self) -> bool {
        matches!(self, Self::TakenOver { .. } | Self::Rival | Self::Ddl(_))
    }
}

impl Play<'_> {
    pub fn strike(&mut self, fault: Fault) -> u64 {
        let alive = self.is_alive();
        match fault {
            Fault::Crash { point, nth } => self.crash(point, nth),
            Fault::Damaged { flags } => self.damage(flags),
            Fault::Anew => self.begin_anew(),
            _ if !alive => 0,
            Fault::Kill => u64::from(self.end_by(Signal::KILL, 137)),
            Fault::Stop(Signal::INT) => u64::from(self.end_by(Signal::INT, 130)),
            Fault::Stop(signal) => u64::from(self.end_by(signal, 143)),
            Fault::AbortedUnknown { times } => {
                let how = self.rng.pick(&[End::Rst, End::Fin]);
                self.by_proxy(times, proxy::Fault::on(commit, Act::Cut(how)).among(1..=times))
            }
            Fault::CommittedUnknown { times } => {
                let how = self.rng.pick(&[End::Rst, End::Fin]);
                self.by_proxy(times, proxy::Fault::on(committed, Act::Cut(how)).among(1..=times))
            }
            Fault::RacedUnknown { times } => {
                self.by_proxy(times, proxy::Fault::on(commit, Act::ForwardThenReset).among(1..=times))
            }
            Fault::Broken { nth } => {
                let any = |m: &Message| m.from == proxy::From::Client;
                self.by_proxy(1, proxy::Fault::on(any, Act::Cut(End::Rst)).nth(nth))
            }
            Fault::Stalled { ms } => {
                let any = |m: &Message| m.kind == b'Q' || m.kind == b'C';
                let nth = 1 + self.rng.below(10);
                self.by_proxy(1, proxy::Fault::on(any, Act::Delay(Duration::from_millis(ms))).nth(nth))
            }
            Fault::Restart { how, away_ms } => self.restart(how, away_ms),
            Fault::BackendKilled => self.kill_backend(),
            Fault::Terminated { all } => self.terminate(all),
            Fault::Locked { what, ms } => self.lock(what, ms),
            Fault::Frozen { ms } => {
                self.signal(Signal::STOP);
                std::thread::sleep(Duration::from_millis(ms));
                self.signal(Signal::CONT);
                u64::from(self.is_alive())
            }
            Fault::TakenOver { frozen, ms } => self.take_over(frozen, ms),
            Fault::Rival => self.rival(),
            Fault::Ddl(ddl) => self.change(ddl),
        }
    }

    fn signal(&self, signal: Signal) {
        if let Some(running) = &self.running {
            running.signal(signal);
        }
    }

    /// Ends the process by a signal; whether that is what ended it.
    pub fn end_by(&mut self, signal: Signal, code: i32) -> bool {
        self.signal(signal);
        let Some(running) = self.running.take() else { return false };
        let outcome = running.wait();
        let struck = outcome.code() == code;
        self.ended(outcome);
        struck
    }

    /// Another start, which kills itself.
    fn crash(&mut self, point: &str, nth: u64) -> u64 {
        if self.is_alive() {
            let killed = self.end_by(Signal::KILL, 137);
            self.tally.count("kill", u64::from(killed));
        }
        if self.done.is_some() {
            return 0;
        }
        let outcome = self.spawn("", Some(format!("{point}:{nth}"))).wait();
        let struck = outcome.was_killed();
        self.ended(outcome);
        u64::from(struck)
    }

    /// Lets the proxy strike, until it has so often, or the load has ended, or the message does not come.
    fn by_proxy(&mut self, times: u64, fault: proxy::Fault) -> u64 {
        let (armed, until) = (self.proxy.arm(fault), Instant::now() + MESSAGE);
        while armed.struck() < times && Instant::now() < until && self.is_alive() {
            std::thread::sleep(Duration::from_millis(1));
        }
        self.proxy.disarm(&armed);
        armed.struck()
    }

    fn restart(&mut self, how: Restart, away_ms: u64) -> u64 {
        let server = &self.arena.server;
        match how {
            Restart::Fast => server.stop_fast().unwrap(),
            Restart::Immediate => server.stop_immediate().unwrap(),
            Restart::Killed => server.kill9(),
        }
        // It may have ended just before; one that ends now was struck.
        let struck = self.done.is_none() && self.running.is_some();
        std::thread::sleep(Duration::from_millis(away_ms));
        server.restart().unwrap();
        self.reconnect();
        if how != Restart::Fast {
            self.crashed();
        }
        u64::from(struck && (self.is_alive() || self.done.is_none()))
    }

    fn kill_backend(&mut self) -> u64 {
        let pids = self.control.lines(&format!("SELECT pid {SESSIONS} LIMIT 1"));
        let Some(pid) = pids.first().and_then(|pid| Pid::from_raw(pid.parse().unwrap())) else { return 0 };
        let killed = kill_process(pid, Signal::KILL).is_ok();
        // The server ends all the others, ours too, and recovers; asked before it is the old one still.
        let until = Instant::now() + Duration::from_secs(60);
        while killed && self.control.try_sql("SELECT 1").is_ok() {
            assert!(Instant::now() < until, "a backend was killed and the server has not noticed");
            std::thread::sleep(Duration::from_millis(2));
        }
        self.reconnect();
        self.crashed();
        u64::from(killed)
    }

    fn terminate(&mut self, all: bool) -> u64 {
        let limit = if all { 100 } else { 1 };
        let sql =
            format!("SELECT count(pg_terminate_backend(pid)) FROM (SELECT pid {SESSIONS} LIMIT {limit}) p");
        self.control.one(&sql).parse::<u64>().unwrap().min(1)
    }

    fn lock(&mut self, what: Lock, ms: u64) -> u64 {
        let stranger = self.stranger();
        let table = &self.load.table;
        let lock = match what {
            Lock::Table => format!("LOCK TABLE {table} IN SHARE MODE"),
            Lock::Checkpoints => "SELECT FROM _dbload.checkpoint FOR UPDATE".to_owned(),
            Lock::Rows => format!("SELECT FROM {table} WHERE id % 3 = 0 FOR UPDATE"),
        };
        // No ledger yet, or the victim of a deadlock: not struck.
        if stranger.try_sql(&format!("SET lock_timeout = '2s'; BEGIN; {lock}")).is_err() {
            return 0;
        }
        let until = Instant::now() + Duration::from_millis(ms);
        let mut struck = 0;
        while Instant::now() < until && self.is_alive() {
            let waits = format!("SELECT count(*) {SESSIONS} AND wait_event_type = 'Lock'");
            struck |= u64::from(self.control.one(&waits) != "0");
            std::thread::sleep(Duration::from_millis(10));
        }
        let _ = stranger.try_sql("ROLLBACK");
        struck
    }

    fn take_over(&mut self, frozen: bool, ms: u64) -> u64 {
        let owner = self.running.take().unwrap();
        if frozen {
            owner.signal(Signal::STOP);
        }
        let heir = self.spawn("--take-over", None);
        if frozen {
            std::thread::sleep(Duration::from_millis(200 + ms));
            owner.signal(Signal::CONT);
        }
        let late = owner.wait();
        self.note(&format!("the owner ended with {}: {}", late.code(), late.stderr));
        match late.code() {
            8 => {
                self.running = Some(heir);
                1
            }
            0 | 3 => {
                // It was at its end by then: a keyed load is loaded once more, an append refused.
                let heir = heir.wait();
                assert!(
                    [0, 3, 5, 7, 8].contains(&heir.code()),
                    "the heir of a load that was complete: {heir}"
                );
                self.ended(late);
                0
            }
            _ => {
                self.ended(late);
                self.running = Some(heir);
                0
            }
        }
    }

    fn rival(&mut self) -> u64 {
        let rival = self.spawn("", None).wait();
        self.note(&format!("the rival ended with {}", rival.code()));
        let alive = self.is_alive();
        match rival.code() {
            8 => 1,
            5 | 7 => 0,
            0 | 3 if !alive => 0,
            code => panic!("two owners, the second ended with {code}: {rival}"),
        }
    }
}
