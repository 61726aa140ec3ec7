//! The server and the connections to it, as events on a clock: what happens to a transaction, and what its
//! client hears.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use fastrand::Rng;

use super::chance::{Faults, MS, Micros, SECOND};
use super::client::{KEY, Slot};
use super::database::{Database, Defect, Work};
use super::load::{Fate, Load};
use crate::account::Books;
use crate::pg::{DbError, ServerError};
use crate::write::commit::protocol::StoredCheckpoint;
use crate::write::outcome::{Committed, Failed, FailedAt};
use crate::write::strategy::WritePath;

/// Longest wait for a lock.
const LOCK_TIMEOUT: Micros = 10 * SECOND;
/// How often a waiter looks whether a lock is free.
const LOCK_LOOK: Micros = 40 * MS;

/// Something that happens at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Event {
    /// The merge of a try is done, or fails.
    Merged(u64),
    /// The fence of a try is run.
    Advance(u64),
    /// A try commits.
    Commit(u64),
    /// The connection of a try breaks.
    Break(u64),
    /// A checkpoint is read.
    Read(u64),
    /// A pause is over.
    Wake(u64),
    /// The server goes away.
    Outage,
    /// The server is back.
    Back,
    /// The table is changed, once nobody holds it.
    Change,
    /// The standby catches up.
    Replicate,
    /// The standby is promoted.
    FailOver,
    /// A process is killed.
    Crash,
    /// A process starts, if that one runs that owns the run, or only if none runs.
    Start { over_a_living: bool },
    /// A process whose writers are at their end completes the run.
    Complete(usize),
}

/// Things that are waited for, by number.
pub(super) struct Numbered<T> {
    next: u64,
    pub(super) all: BTreeMap<u64, T>,
}

impl<T> Default for Numbered<T> {
    fn default() -> Self {
        Self { next: 0, all: BTreeMap::new() }
    }
}

impl<T> Numbered<T> {
    pub(super) fn insert(&mut self, one: T) -> u64 {
        self.next += 1;
        self.all.insert(self.next, one);
        self.next
    }
}

/// How far a try is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reached {
    Begun,
    /// `advance; COMMIT` is on its way.
    Sent,
    /// The checkpoint is locked.
    Advanced,
}

/// A try of a batch: its transaction, and its client if there still is one.
pub(super) struct Try {
    process: usize,
    work: Work,
    path: WritePath,
    books: Books,
    reached: Reached,
    waited: Micros,
    client: Option<Slot<Result<Committed, Failed>>>,
}

impl Try {
    pub(super) fn new(
        process: usize,
        work: Work,
        path: WritePath,
        client: Slot<Result<Committed, Failed>>,
    ) -> Self {
        let books = Books::default();
        Self { process, work, path, books, reached: Reached::Begun, waited: 0, client: Some(client) }
    }

    fn answer(&mut self, answer: Result<Committed, Failed>) {
        if let Some(slot) = self.client.take() {
            *slot.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(answer);
        }
    }

    fn lost(&mut self) {
        let at = if self.reached == Reached::Begun { FailedAt::Merge } else { FailedAt::Commit };
        self.answer(Err(Failed { at, error: DbError::lost() }));
    }
}

/// A read of a checkpoint.
pub(super) struct Pending {
    pub(super) process: usize,
    pub(super) partition: usize,
    pub(super) waited: Micros,
    pub(super) slot: Slot<Result<Option<StoredCheckpoint>, DbError>>,
}

/// What was seen happening.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Seen {
    /// Faults that struck.
    pub(super) faults: u64,
    /// Batches whose outcome was unknown to a client that lived.
    pub(super) unknown: u64,
    /// Of those, committed.
    pub(super) unknown_committed: u64,
    /// Tries that the fence refused.
    pub(super) fenced: u64,
    /// The server has lost commits.
    pub(super) lost_commits: bool,
    /// A former owner committed.
    pub(super) stale_commit: bool,
    /// Batches that were refused because the table had changed.
    pub(super) changed: u64,
    /// Rows were committed to another table than they were planned for.
    pub(super) wrong_table: bool,
}

/// The server.
pub(super) struct Server {
    pub(super) load: Load,
    pub(super) faults: Faults,
    pub(super) defect: Defect,
    pub(super) rng: Rng,
    pub(super) now: Micros,
    pub(super) db: Database,
    pub(super) standby: Database,
    pub(super) away: bool,
    pub(super) tries: Numbered<Try>,
    pub(super) reads: Numbered<Pending>,
    pub(super) sleepers: Numbered<Slot<()>>,
    pub(super) events: BinaryHeap<Reverse<(Micros, u64, Event)>>,
    pub(super) order: u64,
    pub(super) seen: Seen,
}

fn said(sqlstate: &str) -> ServerError {
    ServerError { sqlstate: sqlstate.to_owned(), constraint: Some(KEY.to_owned()), ..ServerError::default() }
}

fn code(sqlstate: &str) -> DbError {
    said(sqlstate).into()
}

impl Server {
    pub(super) fn after(&mut self, pause: Micros, event: Event) {
        // Events of one moment happen in the order in which they were thought of.
        self.order += 1;
        self.events.push(Reverse((self.now + pause, self.order, event)));
    }

    pub(super) fn soon(&mut self, event: Event) {
        let pause = self.faults.duration(&mut self.rng);
        self.after(pause, event);
    }

    fn chance(&mut self, rate: f64) -> bool {
        let strikes = self.rng.f64() < rate;
        self.seen.faults += u64::from(strikes);
        strikes
    }

    /// A client begins a try.
    pub(super) fn begin(&mut self, one: Try) {
        let id = self.tries.insert(one);
        self.soon(Event::Merged(id));
        if self.chance(self.faults.breaks) {
            let at = self.faults.duration(&mut self.rng) * 2;
            self.after(at, Event::Break(id));
        }
    }

    /// A client reads a checkpoint.
    pub(super) fn ask(&mut self, read: Pending) {
        let id = self.reads.insert(read);
        self.soon(Event::Read(id));
    }

    fn fail(&mut self, id: u64, at: FailedAt, error: DbError) {
        if let Some(mut one) = self.tries.all.remove(&id) {
            one.answer(Err(Failed { at, error }));
        }
    }

    /// The end of the merge: the client sends `advance; COMMIT`, or hears what went wrong.
    pub(super) fn merged(&mut self, id: u64) {
        if self.away {
            return self.fail(id, FailedAt::Connect, DbError::lost());
        }
        let Some(one) = self.tries.all.get(&id) else { return };
        let (records, path) = (one.work.records(), one.path);
        let fates: Vec<Fate> = one.work.good.iter().map(|n| self.load.records[*n].fate).collect();
        if self.chance(self.faults.errors) {
            let (at, error) = self.passing_error(records);
            return self.fail(id, at, error);
        }
        if fates.contains(&Fate::TooLarge) && (records > 1 || path < WritePath::RowByRow) {
            return self.fail(id, FailedAt::Staging, code("54000"));
        }
        if fates.contains(&Fate::Violates) && path < WritePath::RowByRow {
            return self.fail(id, FailedAt::Merge, code("23514"));
        }
        let Some(one) = self.tries.all.get_mut(&id) else { return };
        let good = |n: &usize| self.load.records[*n].fate == Fate::Good;
        let (good, bad): (Vec<usize>, Vec<usize>) = one.work.good.iter().partition(|n| good(n));
        one.work.good = good;
        one.work.bad.extend(bad);
        one.reached = Reached::Sent;
        self.soon(Event::Advance(id));
    }

    /// One of the errors that pass, or that another path is the answer to.
    fn passing_error(&mut self, records: usize) -> (FailedAt, DbError) {
        const ERRORS: [(FailedAt, &str); 13] = [
            (FailedAt::Connect, "53300"),
            (FailedAt::Connect, "57P03"),
            (FailedAt::Begin, "25006"),
            (FailedAt::Begin, "08006"),
            (FailedAt::Staging, "53100"),
            (FailedAt::Staging, "22P02"),
            (FailedAt::Merge, "40P01"),
            (FailedAt::Merge, "40001"),
            (FailedAt::Merge, "55P03"),
            (FailedAt::Merge, "23505"),
            (FailedAt::Merge, "26000"),
            (FailedAt::Merge, "57P01"),
            (FailedAt::Merge, "57014"),
        ];
        let (at, sqlstate) = ERRORS[self.rng.usize(0..ERRORS.len())];
        // What would end the load for good is no fault to be survived.
        let sqlstate = match sqlstate {
            "57014" if records < 2 => "40001",
            "22P02" | "23505" | "26000" if self.rng.bool() => "40P01",
            other => other,
        };
        let ended_session = sqlstate == "57P01" || sqlstate == "08006";
        (at, ServerError { ended_session, ..said(sqlstate) }.into())
    }

    fn is_locked(&self, partition: usize, but: u64) -> bool {
        let holds = |(id, one): (&u64, &Try)| {
            *id != but && one.work.partition == partition && one.reached == Reached::Advanced
        };
        self.tries.all.iter().any(holds)
    }

    /// Nobody is between fence and COMMIT.
    pub(super) fn is_quiet(&self) -> bool {
        !self.tries.all.values().any(|one| one.reached == Reached::Advanced)
    }

    /// The fence.
    pub(super) fn advance(&mut self, id: u64) {
        let Some(one) = self.tries.all.get(&id) else { return };
        if self.is_locked(one.work.partition, id) {
            let Some(one) = self.tries.all.get_mut(&id) else { return };
            one.waited += LOCK_LOOK;
            return if one.waited > LOCK_TIMEOUT {
                self.fail(id, FailedAt::Commit, code("55P03"));
            } else {
                self.after(LOCK_LOOK, Event::Advance(id));
            };
        }
        if one.work.bad.iter().any(|n| self.db.rejects.contains(n)) {
            return self.fail(id, FailedAt::Ledger, code("23505"));
        }
        // Asked behind the batch's own statements, directly before the fence.
        if one.work.version != self.db.version && self.defect != Defect::TargetUnchecked {
            self.seen.changed += 1;
            let changed = DbError::TableChanged { table: "t".to_owned(), change: String::new() };
            return self.fail(id, FailedAt::Table, changed);
        }
        let passes = self.db.admits(&one.work, self.defect)
            || matches!(self.defect, Defect::SilentFence | Defect::CheckpointSkipped);
        // The setting that the transaction was begun with is gone with it, and the fence raises.
        let rolled_back = self.chance(self.faults.rolled_back);
        if !passes || rolled_back {
            self.seen.fenced += u64::from(!passes);
            return self.fail(id, FailedAt::Commit, code("DL001"));
        }
        let Some(one) = self.tries.all.get_mut(&id) else { return };
        one.books = self.db.books(&self.load, &one.work);
        one.reached = Reached::Advanced;
        self.soon(Event::Commit(id));
    }

    /// The table is another one from now on: whoever has it planned must plan again. Batches between the
    /// question and COMMIT hold it.
    pub(super) fn change(&mut self) {
        if self.db.complete {
            return;
        }
        if !self.is_quiet() {
            return self.after(LOCK_LOOK, Event::Change);
        }
        self.seen.faults += 1;
        // One that no other state of the database has, that of a standby included.
        self.order += 1;
        self.db.version = self.order;
    }

    /// COMMIT, and its answer, if it arrives.
    pub(super) fn commit(&mut self, id: u64) {
        let Some(mut one) = self.tries.all.remove(&id) else { return };
        self.seen.stale_commit |= one.work.epoch != self.db.epoch;
        self.seen.wrong_table |= one.work.version != self.db.version;
        self.db.commit(&self.load, &one.work, &one.books, self.defect);
        if one.client.is_some() && self.chance(self.faults.swallowed) {
            self.seen.unknown += 1;
            self.seen.unknown_committed += 1;
            return one.lost();
        }
        one.answer(Ok(Committed { books: one.books, ..Committed::default() }));
    }

    /// A connection breaks. What was sent may be carried out nevertheless.
    pub(super) fn break_off(&mut self, id: u64) {
        let Some(one) = self.tries.all.get_mut(&id) else { return };
        if one.client.is_none() {
            return;
        }
        one.lost();
        if one.reached == Reached::Begun {
            self.tries.all.remove(&id);
        } else {
            self.seen.unknown += 1;
        }
    }

    /// A checkpoint is read FOR UPDATE.
    pub(super) fn read(&mut self, id: u64) {
        let Some(mut read) = self.reads.all.remove(&id) else { return };
        let broken = self.chance(self.faults.breaks / 2.0);
        let answer = if self.away || broken {
            Err(DbError::lost())
        } else if self.is_locked(read.partition, 0) {
            read.waited += LOCK_LOOK;
            if read.waited <= LOCK_TIMEOUT {
                self.reads.all.insert(id, read);
                return self.after(LOCK_LOOK, Event::Read(id));
            }
            Err(code("55P03"))
        } else {
            let row = &self.db.rows[read.partition];
            let (at, done, books) = (row.at.without_line(), row.done, row.books);
            Ok(Some(StoredCheckpoint { epoch: row.epoch, at, done, books }))
        };
        *read.slot.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(answer);
    }

    pub(super) fn wake(&mut self, id: u64) {
        if let Some(slot) = self.sleepers.all.remove(&id) {
            *slot.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(());
        }
    }

    /// Every transaction ends; some of those between fence and COMMIT have just made it.
    pub(super) fn stop(&mut self) {
        for (_, mut one) in std::mem::take(&mut self.tries.all) {
            let knows = one.client.is_none() || one.reached == Reached::Begun;
            self.seen.unknown += u64::from(!knows);
            if one.reached == Reached::Advanced && self.rng.bool() {
                self.seen.stale_commit |= one.work.epoch != self.db.epoch;
                self.db.commit(&self.load, &one.work, &one.books, self.defect);
                self.seen.unknown_committed += u64::from(!knows);
            }
            one.lost();
        }
    }

    /// Nobody hears of what this process has asked for any more; what was sent goes on.
    pub(super) fn forget(&mut self, process: usize) {
        for one in self.tries.all.values_mut().filter(|one| one.process == process) {
            one.client = None;
        }
        self.tries.all.retain(|_, one| one.process != process || one.reached != Reached::Begun);
        self.reads.all.retain(|_, read| read.process != process);
    }
}
