//! One seed: loads under way, faults struck at them, everything checked.

use super::{anew::Anew, arena::Arena, draw::Fault, load::Load, tally::Tally};
use crate::support::{
    Database, Folder, Outcome, Proxy, Rng,
    dbload::Running,
    proxy::{self, Act},
};
use std::{
    fmt::Write,
    panic::{AssertUnwindSafe, catch_unwind},
    time::{Duration, Instant},
};

/// Faults that must strike in a seed.
const STRIKES: u64 = 5;
/// Faults that are drawn for that.
const DRAWS: u64 = 60;
/// Starts that a load may need: its faults, and a few that found the server away.
const STARTS: u64 = 60;
/// A batch comes within this time, or the load has ended: else the fault is struck anyway.
const PROGRESS: Duration = Duration::from_secs(5);

pub struct Play<'a> {
    pub arena: &'a Arena,
    database: String,
    pub control: Database,
    pub folder: Folder,
    pub proxy: Proxy,
    pub rng: Rng,
    pub load: Load,
    pub running: Option<Running>,
    /// The load under way has ended well.
    pub done: Option<Outcome>,
    /// The load under way is to begin anew, or has.
    pub anew: Option<Anew>,
    /// Its table was changed meanwhile.
    pub is_changed: bool,
    /// The server has last recovered from a crash at this time of its own.
    crashed_at: Option<String>,
    starts: u64,
    rounds: u64,
    pub tally: Tally,
    log: String,
}

/// Plays a seed; a failure is told and counted, not raised.
pub fn seed(arena: &mut Arena, seed: u64) -> Tally {
    let database = format!("seed_{seed}");
    let mut play = None;
    let played = catch_unwind(AssertUnwindSafe(|| {
        arena.server.create_database(&database).unwrap();
        play.insert(Play::new(arena, &database, seed)).run();
    }));
    let (mut tally, log) = play.take().map(|play| (play.tally, play.log)).unwrap_or_default();
    tally.seeds = 1;
    if let Err(panic) = played {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|s| (*s).to_owned())).unwrap_or_default();
        tally.hangs += u64::from(text.starts_with("no end"));
        let reason = text.lines().next().unwrap_or_default();
        tally.failed.push(format!("seed {seed} ({reason})"));
        println!("--- FAILED; again with: SEED={seed} make torture\n{log}{text}\n---");
        // Whatever is broken must not break the next seed.
        *arena = Arena::new();
    } else {
        arena.server.drop_database(&database).unwrap();
    }
    tally
}

impl<'a> Play<'a> {
    fn new(arena: &'a Arena, database: &str, seed: u64) -> Self {
        let mut rng = Rng::from_seed(seed);
        let load = Load::draw(&mut rng, 0);
        let proxy = Proxy::to(&arena.server.dsn(database), vec![]);
        Self {
            arena,
            database: database.to_owned(),
            control: arena.connect(database),
            folder: Folder::new(),
            proxy,
            rng,
            load,
            running: None,
            done: None,
            anew: None,
            is_changed: false,
            crashed_at: None,
            starts: 0,
            rounds: 0,
            tally: Tally::default(),
            log: String::new(),
        }
    }

    fn run(&mut self) {
        self.begin();
        let mut draws = 0;
        while self.tally.struck() < STRIKES {
            draws += 1;
            assert!(draws <= DRAWS, "of {DRAWS} faults only {} struck", self.tally.struck());
            let fault = Fault::draw(&mut self.rng, &self.load);
            let far = self.rng.below(4);
            self.go_on(far.max(u64::from(fault.needs_an_owner())));
            std::thread::sleep(Duration::from_millis(self.rng.below(30)));
            let struck = if self.done.is_some() { 0 } else { self.strike(fault) };
            self.note(&format!("{fault:?} struck {struck} times"));
            self.tally.count(fault.name(), struck);
            if self.done.is_some() {
                self.check();
                self.rounds += 1;
                self.load = Load::draw(&mut self.rng, self.rounds);
                self.begin();
            }
        }
        while self.done.is_none() {
            self.go_on(u64::MAX);
        }
        self.check();
    }

    /// Another load begins.
    fn begin(&mut self) {
        self.note(&format!("{:?}", self.load));
        self.load.lay_out(&self.control, &self.folder);
        let url = self.arena.server.dsn(&self.database);
        let slow = Act::Delay(Duration::from_millis(self.load.slow_ms));
        self.proxy = Proxy::to(&url, vec![proxy::Fault::on(proxy::commit, slow)]);
        self.starts = 0;
        (self.anew, self.is_changed, self.crashed_at) = (None, false, None);
    }

    pub fn note(&mut self, words: &str) {
        let _ = writeln!(self.log, "{words}");
    }

    pub fn reconnect(&mut self) {
        self.control = self.arena.connect(&self.database);
    }

    /// The server has crashed, and is back.
    pub fn crashed(&mut self) {
        self.crashed_at = Some(self.control.one("SELECT clock_timestamp()"));
    }

    /// Another connection for somebody else.
    pub fn stranger(&self) -> Database {
        self.arena.connect(&self.database)
    }

    /// Starts the program.
    pub fn spawn(&mut self, flags: &str, crash_at: Option<String>) -> Running {
        self.starts += 1;
        self.tally.starts += 1;
        assert!(self.starts < STARTS, "no end of starts: {}", self.log);
        // Nobody works on it now but the one who is started.
        let is_alone = self.running.is_none() && !flags.contains("--take-over");
        let anew = if is_alone && self.is_to_begin_anew() { self.prepare_anew() } else { "" };
        let command =
            self.load.dbload(&self.folder, &self.proxy.url_as(self.load.role())).line(flags).line(anew);
        match crash_at {
            Some(at) => command.env("DBLOAD_CRASH_AT", at).spawn(),
            None => command.spawn(),
        }
    }

    /// Whether the program runs; one that has ended is looked at.
    pub fn is_alive(&mut self) -> bool {
        let Some(running) = &mut self.running else { return false };
        if running.is_running() {
            return true;
        }
        let outcome = self.running.take().unwrap().wait();
        self.ended(outcome);
        false
    }

    /// Takes note of how a start ended.
    pub fn ended(&mut self, outcome: Outcome) {
        self.note(&format!("ended with {} after {:?}", outcome.code(), outcome.elapsed));
        assert!(!outcome.stderr.contains("panicked"), "it panicked: {outcome}");
        match outcome.code() {
            0 | 3 => self.done = Some(outcome),
            8 if self.load.unlogged && self.crashed_at.is_some() && outcome.stderr.contains("emptied") => {
                self.note(&outcome.stderr);
                self.tally.count("emptied", 1);
                self.must_begin_anew(false);
            }
            8 if self.is_to_begin_anew() && outcome.stderr.contains("--restart") => {
                self.note(&outcome.stderr)
            }
            // What was done to it was undone, which is another change.
            8 if self.is_changed && outcome.stderr.contains("was changed while it was loaded") => {
                self.note(&outcome.stderr);
            }
            // It was killed when all was done and nobody told; the ledger is looked at instead of a report.
            8 if !self.load.keyed && outcome.stderr.contains("--again") => self.done = Some(outcome),
            // Killed; stopped; the server was away for the start, or nobody knows: the same command goes on.
            137 | 130 | 143 | 5 | 7 => self.note(&outcome.stderr),
            code => panic!("ended with {code}: {outcome}"),
        }
    }

    /// Sees to it that the load is under way, and lets it get so many batches further, or to its end.
    fn go_on(&mut self, batches: u64) {
        if self.done.is_none() && !self.is_alive() && self.done.is_none() {
            self.running = Some(self.spawn("", None));
        }
        let (from, began) = (self.proxy.commits(), Instant::now());
        while self.proxy.commits() - from < batches && self.is_alive() {
            if batches < u64::MAX && began.elapsed() > PROGRESS {
                return;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    fn check(&mut self) {
        let outcome = self.done.take().unwrap();
        self.tally.loads += 1;
        self.tally.records += self.load.records;
        if let Some(crashed_at) = &self.crashed_at
            && self.load.is_emptied_since(&self.control, crashed_at)
        {
            self.note("complete, and then emptied by a crash");
            return;
        }
        let wrong = self.load.check(&self.control, &outcome, self.anew.as_ref());
        self.tally.wrong(&wrong);
        assert!(wrong.words.is_empty(), "wrong: {}\n{outcome}", wrong.words.join("; "));
        self.load_back(&outcome);
    }
}
