//! What the server has committed: the table, and the ledger with the functions of `migrations/`.

use std::collections::{BTreeMap, BTreeSet};

use super::chance::Micros;
use super::load::{END, Fate, Kind, Load};
use crate::account::Books;
use crate::record::Position;

/// A switchable defect of the server or of the connection: the simulation must find what it breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Defect {
    None,
    /// The fence moves no row and says nothing.
    SilentFence,
    /// The fence looks at the place alone.
    EpochIgnored,
    /// A batch commits without its checkpoint.
    CheckpointSkipped,
    /// The ledger counts each batch twice.
    CountedTwice,
    /// A lost answer to COMMIT counts as a commit.
    UnknownIsCommitted,
    /// A record is forgotten now and then.
    RecordDropped,
    /// Nobody asks whether the table is what it was.
    TargetUnchecked,
}

/// A checkpoint's row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) epoch: u64,
    pub(super) at: Position,
    pub(super) done: bool,
    pub(super) books: Books,
}

/// A row of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stored {
    pub(super) value: u32,
    /// How often it was inserted. More than once is once too often.
    pub(super) times: u32,
}

/// Everything that is committed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Database {
    pub(super) epoch: u64,
    pub(super) complete: bool,
    /// The version of the table.
    pub(super) version: u64,
    pub(super) rows: Vec<Row>,
    pub(super) table: BTreeMap<u64, Stored>,
    pub(super) rejects: BTreeSet<usize>,
}

/// What a transaction is about to do.
#[derive(Clone, Debug)]
pub(super) struct Work {
    pub(super) partition: usize,
    pub(super) epoch: u64,
    /// The version of the table that it was planned for.
    pub(super) version: u64,
    pub(super) before: Position,
    pub(super) after: Position,
    pub(super) done: bool,
    /// Records that are to be stored.
    pub(super) good: Vec<usize>,
    /// Records that are refused.
    pub(super) bad: Vec<usize>,
}

impl Work {
    pub(super) fn records(&self) -> usize {
        self.good.len() + self.bad.len()
    }
}

impl Database {
    pub(super) fn new(load: &Load) -> Self {
        let row = Row { epoch: 0, at: Position::start_of(0), done: false, books: Books::default() };
        Self {
            epoch: 0,
            complete: false,
            version: 0,
            rows: vec![row; load.partitions],
            table: BTreeMap::new(),
            rejects: BTreeSet::new(),
        }
    }

    /// The fence: whether the checkpoint is where this work begins, and this owner's.
    pub(super) fn admits(&self, work: &Work, defect: Defect) -> bool {
        let row = &self.rows[work.partition];
        let owner = row.epoch == work.epoch || defect == Defect::EpochIgnored;
        owner && !row.done && row.at.without_line() == work.before.without_line()
    }

    /// What the work comes to, in the table as it is.
    pub(super) fn books(&self, load: &Load, work: &Work) -> Books {
        let mut books =
            Books { read: work.records() as u64, rejected: work.bad.len() as u64, ..Books::default() };
        let mut seen = BTreeSet::new();
        for &n in work.good.iter().rev() {
            let row = load.row_of(n);
            let fate = match self.table.get(&row) {
                _ if !seen.insert(row) => &mut books.deduplicated,
                None => &mut books.inserted,
                Some(_) if load.kind == Kind::Append => &mut books.inserted,
                Some(stored) if stored.value == load.records[n].value => &mut books.unchanged,
                Some(_) => &mut books.updated,
            };
            *fate += 1;
        }
        books
    }

    /// Applies it; the checkpoint moves if the fence let it.
    pub(super) fn commit(&mut self, load: &Load, work: &Work, books: &Books, defect: Defect) {
        let moves = self.admits(work, defect) && defect != Defect::CheckpointSkipped;
        for &n in &work.good {
            debug_assert_eq!(load.records[n].fate, Fate::Good);
            if defect == Defect::RecordDropped && n % 7 == 6 {
                continue;
            }
            let value = load.records[n].value;
            let stored = self.table.entry(load.row_of(n)).or_insert(Stored { value, times: 0 });
            stored.value = value;
            stored.times += u32::from(load.kind == Kind::Append || stored.times == 0);
        }
        self.rejects.extend(&work.bad);
        if moves {
            let row = &mut self.rows[work.partition];
            row.at = work.after;
            row.done = work.done;
            row.books.add(books);
            if defect == Defect::CountedTwice {
                row.books.add(books);
            }
        }
    }

    /// Every checkpoint gets an epoch that nobody ever had: the time.
    pub(super) fn take_over(&mut self, now: Micros) -> u64 {
        self.epoch = now.max(self.epoch + 1);
        self.rows.iter_mut().for_each(|row| row.epoch = self.epoch);
        self.epoch
    }

    /// Completes the run, if it is at its end under this owner. Once more is no harm.
    pub(super) fn complete(&mut self, epoch: u64) -> bool {
        let at_end = |row: &Row| row.epoch == epoch && row.done && row.at.source == END.source;
        let ours = self.epoch == epoch && self.rows.iter().all(at_end);
        self.complete |= ours;
        ours
    }
}
