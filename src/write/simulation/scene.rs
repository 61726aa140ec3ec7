//! One load from its first start to its success, through whatever the seed has in store, with the oracle
//! beside it.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use fastrand::Rng;
use tokio::sync::mpsc;

use super::chance::{Faults, MS, SECOND};
use super::client::Client;
use super::database::{Database, Defect, Stored};
use super::load::{END, Fate, Load};
use super::server::{Event, Numbered, Seen, Server};
use crate::account::Books;
use crate::write::commit::committer::Committer;
use crate::write::commit::retry::RetryPolicy;
use crate::write::event::{WriteError, WriterEvent};
use crate::write::predictor::Predictor;

/// A load that takes more steps hangs.
const STEPS_MAX: u64 = 100_000;
/// A standby is looked at this often in a scene.
const REPLICATIONS: usize = 6;

type Running = Pin<Box<dyn Future<Output = Result<(), WriteError>> + Send>>;

/// A process that takes itself for the owner.
struct Process {
    epoch: u64,
    life: u64,
    writers: Vec<Option<Running>>,
    events: mpsc::Receiver<WriterEvent>,
    /// What it found committed, and has heard of since.
    tally: Books,
    in_doubt: Arc<AtomicUsize>,
    completing: bool,
}

/// How a scene went.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Played {
    pub(super) steps: u64,
    pub(super) starts: u64,
    pub(super) seen: Seen,
    /// Seconds of the scene's clock.
    pub(super) seconds: u64,
}

struct Scene {
    world: Arc<Mutex<Server>>,
    rng: Rng,
    start: Instant,
    processes: BTreeMap<usize, Process>,
    lives: u64,
    success: bool,
}

/// Plays the scene of a seed; `Err`: what the oracle says against it.
pub(super) fn play(seed: u64, defect: Defect) -> Result<Played, String> {
    // The pauses of `retry` draw from the thread's own generator.
    fastrand::seed(seed);
    let mut rng = Rng::with_seed(seed);
    let load = Load::draw(&mut rng);
    let faults = Faults::draw(&mut rng);
    let db = Database::new(&load);
    let mut server = Server {
        standby: db.clone(),
        db,
        load,
        faults,
        defect,
        rng: rng.fork(),
        now: 0,
        away: false,
        tries: Numbered::default(),
        reads: Numbered::default(),
        sleepers: Numbered::default(),
        events: std::collections::BinaryHeap::new(),
        order: 0,
        seen: Seen::default(),
    };
    schedule(&mut server, &mut rng);
    let mut scene = Scene {
        world: Arc::new(Mutex::new(server)),
        rng,
        start: Instant::now(),
        processes: BTreeMap::new(),
        lives: 0,
        success: false,
    };
    scene.play()
}

/// Faults that strike at a time.
fn schedule(server: &mut Server, rng: &mut Rng) {
    let horizon = [300 * MS, 3 * SECOND, 60 * SECOND][rng.usize(0..3)];
    let faults = server.faults;
    let mut at_times = |count: usize, event: Event| {
        for _ in 0..count {
            let at = rng.u64(1..horizon);
            server.after(at, event);
        }
    };
    at_times(faults.crashes, Event::Crash);
    at_times(faults.take_overs, Event::Start { over_a_living: true });
    at_times(faults.outages, Event::Outage);
    at_times(faults.changes, Event::Change);
    at_times(faults.failovers, Event::FailOver);
    at_times(if faults.failovers > 0 { REPLICATIONS } else { 0 }, Event::Replicate);
    server.after(0, Event::Start { over_a_living: false });
}

impl Scene {
    fn world(&self) -> MutexGuard<'_, Server> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn play(&mut self) -> Result<Played, String> {
        for step in 0..STEPS_MAX {
            self.poll()?;
            let idle = self.processes.is_empty() && self.world().tries.all.is_empty();
            // A run may be complete without anybody having heard of it: the next start would say so.
            if idle && self.world().db.complete {
                self.check()?;
                self.check_end()?;
                let world = self.world();
                let (seen, seconds) = (world.seen, world.now / SECOND);
                return Ok(Played { steps: step, starts: self.lives, seen, seconds });
            }
            let next = self.world().events.pop();
            let Some(std::cmp::Reverse((now, _, event))) = next else {
                return Err("nothing happens any more, and the load is not complete".to_owned());
            };
            self.world().now = now;
            self.happens(event)?;
        }
        Err("the load does not come to an end".to_owned())
    }

    fn happens(&mut self, event: Event) -> Result<(), String> {
        match event {
            Event::Merged(id) => self.world().merged(id),
            Event::Advance(id) => self.world().advance(id),
            Event::Commit(id) => {
                self.world().commit(id);
                return self.check();
            }
            Event::Break(id) => self.world().break_off(id),
            Event::Read(id) => self.world().read(id),
            Event::Wake(id) => self.world().wake(id),
            Event::Outage => {
                let mut world = self.world();
                world.seen.faults += 1;
                world.stop();
                world.away = true;
                let pause = world.rng.u64(10 * MS..30 * SECOND);
                world.after(pause, Event::Back);
            }
            Event::Back => self.world().away = false,
            Event::Change => self.world().change(),
            Event::Replicate => {
                let mut world = self.world();
                world.standby = world.db.clone();
            }
            Event::FailOver if !self.success => {
                let mut world = self.world();
                world.seen.faults += 1;
                world.stop();
                world.seen.lost_commits |= world.db != world.standby;
                world.db = world.standby.clone();
                world.soon(Event::Start { over_a_living: false });
            }
            Event::FailOver => {}
            Event::Crash => {
                let living: Vec<usize> = self.processes.keys().copied().collect();
                if let Some(victim) = self.rng.choice(living) {
                    self.world().seen.faults += 1;
                    self.end(victim);
                }
            }
            Event::Start { over_a_living } => self.start(over_a_living),
            Event::Complete(process) => return self.complete(process),
        }
        Ok(())
    }

    /// A process is no more. Whoever started it starts it again.
    fn end(&mut self, process: usize) {
        self.processes.remove(&process);
        let mut world = self.world();
        world.forget(process);
        world.soon(Event::Start { over_a_living: false });
    }

    fn start(&mut self, over_a_living: bool) {
        let mut world = self.world();
        let epoch = world.db.epoch;
        let alive = self.processes.values().any(|process| process.epoch == epoch);
        if world.db.complete || (alive && !over_a_living) {
            return;
        }
        if world.away || !world.is_quiet() {
            // The take-over waits for whoever holds a checkpoint.
            return world.after(40 * MS, Event::Start { over_a_living });
        }
        world.seen.faults += u64::from(alive);
        let now = world.now;
        let epoch = world.db.take_over(now);
        let places: Vec<_> = world.db.rows.iter().map(|row| row.at).collect();
        let (rows, version) = (world.db.rows.clone(), world.db.version);
        let load = world.load.clone();
        let retry_policy = RetryPolicy { retry_for: Duration::from_micros(world.faults.retry_policy) };
        drop(world);
        self.lives += 1;
        let id = usize::try_from(self.lives).unwrap_or(usize::MAX);
        let (events_in, events) = mpsc::channel(64);
        let in_doubt = Arc::new(AtomicUsize::new(0));
        let mut tally = Books::default();
        let mut writers = Vec::new();
        for (partition, batches) in load.batches(&places, &mut self.rng).into_iter().enumerate() {
            tally.add(&rows[partition].books);
            if rows[partition].done {
                continue;
            }
            let (batches_in, receiver) = mpsc::channel(batches.len().max(1));
            for batch in batches {
                batches_in.try_send(batch).unwrap_or_else(|_| unreachable!("there is room for all"));
            }
            let world = Arc::clone(&self.world);
            let committer = Committer {
                partition: u32::try_from(partition).unwrap_or(u32::MAX),
                server: Client { world, process: id, partition, epoch, version, start: self.start },
                retry_policy,
                events: events_in.clone(),
                books: rows[partition].books,
                predictor: Predictor::new(false),
                in_doubt: Arc::clone(&in_doubt),
            };
            writers.push(Some(Box::pin(committer.run(receiver)) as Running));
        }
        let process =
            Process { epoch, life: self.lives, writers, events, tally, in_doubt, completing: false };
        self.processes.insert(id, process);
    }

    /// Lets every writer go on as far as it can.
    fn poll(&mut self) -> Result<(), String> {
        let mut context = Context::from_waker(Waker::noop());
        for id in self.processes.keys().copied().collect::<Vec<_>>() {
            let Some(mut process) = self.processes.remove(&id) else { continue };
            let mut failed = None;
            loop {
                for writer in &mut process.writers {
                    let Some(running) = writer else { continue };
                    match running.as_mut().poll(&mut context) {
                        Poll::Pending => {}
                        Poll::Ready(Ok(())) => *writer = None,
                        Poll::Ready(Err(error)) => failed = failed.or(Some(error)),
                    }
                    if failed.is_some() {
                        break;
                    }
                }
                if !self.hear(&mut process)? {
                    break;
                }
            }
            let life = process.life;
            if failed.is_none() && !process.completing && process.writers.iter().all(Option::is_none) {
                process.completing = true;
                self.world().soon(Event::Complete(id));
            }
            let doubts = process.in_doubt.load(Ordering::Relaxed);
            self.processes.insert(id, process);
            if let Some(error) = failed {
                self.judge(&error, life, doubts)?;
                self.end(id);
            }
        }
        Ok(())
    }

    /// Hears what a process tells; whether there was anything.
    fn hear(&self, process: &mut Process) -> Result<bool, String> {
        let mut heard = false;
        while let Ok(event) = process.events.try_recv() {
            heard = true;
            let WriterEvent::Committed { partition, after, committed, .. } = event else { continue };
            process.tally.add(&committed.books);
            let world = self.world();
            let at = world.db.rows[partition as usize].at;
            if !world.seen.lost_commits && at.without_line() < after.without_line() {
                return Err(format!("acknowledged up to {after:?}, and the checkpoint is at {at:?}"));
            }
        }
        Ok(heard)
    }

    /// Whether a writer may end like this.
    fn judge(&self, error: &WriteError, life: u64, doubts: usize) -> Result<(), String> {
        let seen = self.world().seen;
        let fair = match error {
            WriteError::LostCommits => seen.lost_commits,
            WriteError::Fenced => self.lives > life || seen.lost_commits,
            WriteError::Unknown(_) => doubts > 0 && seen.faults > 0,
            WriteError::Database(_) => seen.faults > 0,
            WriteError::Changed(_) => seen.changed > 0,
            WriteError::Forgotten | WriteError::Stopped => false,
        };
        if fair { Ok(()) } else { Err(format!("a writer ends with \"{error}\" ({error:?}) for no reason")) }
    }

    fn complete(&mut self, id: usize) -> Result<(), String> {
        let Some(process) = self.processes.get(&id) else { return Ok(()) };
        let (epoch, tally) = (process.epoch, process.tally);
        let doubts = process.in_doubt.load(Ordering::Relaxed);
        let mut world = self.world();
        let breaks = world.faults.breaks;
        if world.away || world.rng.f64() < breaks {
            world.after(50 * MS, Event::Complete(id));
            return Ok(());
        }
        let complete = world.db.complete(epoch);
        if complete && world.rng.f64() < breaks {
            // The answer is lost; asking again does no harm.
            world.after(50 * MS, Event::Complete(id));
            return Ok(());
        }
        let (seen, owner) = (world.seen, world.db.epoch);
        let stored = world.db.rows.iter().fold(Books::default(), |mut sum, row| {
            sum.add(&row.books);
            sum
        });
        drop(world);
        if !complete {
            if owner == epoch && !seen.lost_commits {
                return Err("every writer is at its end, and the run is not".to_owned());
            }
            self.end(id);
            return Ok(());
        }
        self.success = true;
        self.processes.remove(&id);
        if doubts > 0 {
            return Err("success, and a writer is in doubt".to_owned());
        }
        if tally != stored && !seen.lost_commits {
            return Err(format!("the process counts {tally:?}, the ledger {stored:?}"));
        }
        self.check_end()
    }

    /// What must hold whenever something was committed: the table is what the reference makes of the records
    /// up to the checkpoints.
    fn check(&self) -> Result<(), String> {
        let world = self.world();
        let (db, load) = (&world.db, &world.load);
        if world.seen.stale_commit && !world.seen.lost_commits {
            return Err("a former owner has committed".to_owned());
        }
        if world.seen.wrong_table {
            return Err("rows went into a table that they were not planned for".to_owned());
        }
        let mut table = BTreeMap::new();
        let mut rejects = BTreeSet::new();
        let mut read = vec![0; db.rows.len()];
        for (n, record) in load.records.iter().enumerate() {
            let partition = load.partition_of(n);
            let at = &db.rows[partition].at;
            if at.source < END.source && at.record <= n as u64 {
                continue;
            }
            read[partition] += 1;
            if record.fate == Fate::Good {
                table.insert(load.row_of(n), Stored { value: record.value, times: 1 });
            } else {
                rejects.insert(n);
            }
        }
        if table != db.table {
            return Err(format!("the table is {:?}, and not {table:?} as the checkpoints say", db.table));
        }
        if rejects != db.rejects {
            return Err(format!("rejected are {:?}, and not {rejects:?}", db.rejects));
        }
        for (row, read) in db.rows.iter().zip(read) {
            if row.books.read != read || !row.books.balance() {
                return Err(format!("{read} records are dealt with, and the books say {:?}", row.books));
            }
        }
        Ok(())
    }

    /// What must hold once a process was told of success.
    fn check_end(&self) -> Result<(), String> {
        let world = self.world();
        let table: BTreeMap<u64, u32> =
            world.db.table.iter().map(|(row, stored)| (*row, stored.value)).collect();
        if table != world.load.reference() {
            return Err(format!("success, and the table is {table:?}"));
        }
        if world.db.rejects.len() != world.load.rejects() {
            return Err(format!("success, and rejected are {:?}", world.db.rejects));
        }
        Ok(())
    }
}
