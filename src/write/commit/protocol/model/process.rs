//! Processes: one writer a partition, each running the real protocol.

use super::World;
use super::scope::{Defect, Scope};
use super::server::{Backend, Database, Span, Stage};
use crate::account::Books;
use crate::pg::{DbError, ServerError};
use crate::record::Position;
use crate::write::commit::protocol::{Happened, Proof, Protocol, Step, Stop, StoredCheckpoint, Terms};
use crate::write::outcome::FailedAt;

/// A process that runs the load, or might.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Process {
    /// Not started, or ended: it may be started again.
    Down,
    /// In `take_over`, with the run's row locked, and so many checkpoints.
    TakingOver {
        /// Checkpoints in order.
        locked: usize,
    },
    /// An owner, as far as it knows.
    Running(Running),
    /// It ended well.
    Succeeded,
}

/// An owner at work.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Running {
    pub(super) life: u8,
    pub(super) epoch: u8,
    pub(super) writers: Vec<Writer>,
}

/// The writer of a partition.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Writer {
    /// What it believes to be committed.
    pub(super) at: u8,
    /// What it has counted.
    pub(super) books: u8,
    /// Halves that wait.
    pub(super) halves: Vec<Span>,
    /// The batch in hand.
    pub(super) active: Option<Active>,
}

/// A batch in hand.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Active {
    pub(super) span: Span,
    pub(super) protocol: Protocol,
    pub(super) step: Step,
    /// COMMIT was sent, and no answer is there yet.
    pub(super) in_flight: bool,
}

/// What a client hears about its COMMIT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    Committed,
    Fenced,
    /// The server aborted the transaction, and lives.
    Aborted,
    /// The server ended the transaction and the session: it took too long.
    TooLong,
    Lost,
}

impl Process {
    /// A process that has read the checkpoints as they are.
    pub(super) fn started(life: u8, epoch: u8, db: &Database) -> Self {
        let writer = |row: &super::server::Row| Writer {
            at: row.at,
            books: row.read,
            halves: Vec::new(),
            active: None,
        };
        Self::Running(Running { life, epoch, writers: db.rows.iter().map(writer).collect() })
    }

    pub(super) fn running(&self) -> Option<&Running> {
        if let Self::Running(running) = self { Some(running) } else { None }
    }

    fn running_mut(&mut self) -> Option<&mut Running> {
        if let Self::Running(running) = self { Some(running) } else { None }
    }
}

fn place(at: u8) -> Position {
    Position { source: 0, offset: u64::from(at), record: u64::from(at), line: 0 }
}

fn error(code: &str) -> DbError {
    ServerError { sqlstate: code.to_owned(), ..ServerError::default() }.into()
}

/// A statement was cancelled.
fn is_cancelled(happened: Happened<'_>) -> bool {
    matches!(happened, Happened::Failed { error, .. } if error.sqlstate() == Some("57014"))
}

impl Active {
    pub(super) fn new(scope: &Scope, epoch: u8, span: Span) -> Self {
        let terms = Terms {
            before: place(span.from),
            after: place(span.to),
            done: span.to == scope.end(),
            records: u64::from(span.to.min(scope.records) - span.from.min(scope.records)),
            proof: Proof::Checkpoint { epoch: u64::from(epoch) },
        };
        let (protocol, step) = Protocol::new(terms);
        Self { span, protocol, step, in_flight: false }
    }
}

impl World {
    pub(super) fn writer(&mut self, process: usize, partition: usize) -> Option<&mut Writer> {
        self.processes[process].running_mut()?.writers.get_mut(partition)
    }

    pub(super) fn active(&self, process: usize, partition: usize) -> Option<&Active> {
        self.processes[process].running()?.writers[partition].active.as_ref()
    }

    /// Tells a writer what happened, and does what needs nobody else.
    pub(super) fn happened(
        &mut self,
        scope: &Scope,
        (process, partition): (usize, usize),
        happened: Happened<'_>,
    ) {
        let Some(writer) = self.writer(process, partition) else { return };
        let Some(active) = &mut writer.active else { return };
        active.in_flight = false;
        active.step = active.protocol.next(happened);
        let span = active.span;
        if scope.defect == Defect::HalvedInDoubt
            && matches!(active.step, Step::Pause(_))
            && is_cancelled(happened)
        {
            active.step = Step::Halve;
        }
        match active.step {
            Step::Attempt { .. } | Step::ReadCheckpoint | Step::Pause(_) => {}
            Step::Halve => {
                let middle = span.from + 1;
                writer.halves.push(Span { from: middle, ..span });
                writer.halves.push(Span { to: middle, ..span });
                writer.active = None;
            }
            Step::Done => {
                writer.at = span.to;
                writer.books += match happened {
                    // What the committer does: the checkpoint's books, less what was counted.
                    Happened::Found(Some(found)) => {
                        u8::try_from(found.books.read).unwrap_or(u8::MAX).saturating_sub(writer.books)
                    }
                    _ => span.to.min(scope.records) - span.from.min(scope.records),
                };
                writer.active = None;
            }
            Step::Stop(stop) => {
                self.seen.told_of_lost_commits |= stop == Stop::LostCommits;
                self.end(process);
            }
        }
    }

    /// A process is no more; what it has sent is still there.
    pub(super) fn end(&mut self, process: usize) {
        self.processes[process] = Process::Down;
        for backend in self.backends.iter_mut().filter(|backend| backend.client == Some(process)) {
            backend.client = None;
        }
    }

    /// Sends a try of a batch: a new one up to `to`, or the one in hand.
    pub(super) fn send(&mut self, scope: &Scope, (process, partition): (usize, usize), to: Option<u8>) {
        let Some((life, epoch)) = self.processes[process].running().map(|r| (r.life, r.epoch)) else {
            return;
        };
        let Some(writer) = self.writer(process, partition) else { return };
        if let Some(to) = to {
            // With other boundaries, as a defect may have it: what was tried is forgotten.
            writer.active = Some(Active::new(scope, epoch, Span { from: writer.at, to }));
        } else if writer.active.is_none() {
            writer.active = writer.halves.pop().map(|half| Active::new(scope, epoch, half));
        }
        if matches!(writer.active, Some(Active { step: Step::Pause(_), .. })) {
            self.happened(scope, (process, partition), Happened::BackoffElapsed);
        }
        let Some(Active { span, step: Step::Attempt { .. }, .. }) = self.active(process, partition) else {
            return;
        };
        let (span, client) = (*span, Some(process));
        self.backends.push(Backend { partition, life, epoch, span, stage: Stage::Sent, client });
        if let Some(Writer { active: Some(active), .. }) = self.writer(process, partition) {
            active.in_flight = true;
        }
    }

    /// The answer to a COMMIT, if somebody waits for it.
    pub(super) fn tell(&mut self, scope: &Scope, backend: &Backend, told: Told) {
        let Some(process) = backend.client else { return };
        let to = (process, backend.partition);
        let at = FailedAt::Commit;
        match told {
            Told::Committed => self.happened(scope, to, Happened::Committed),
            Told::Lost if scope.defect == Defect::UnknownIsCommitted => {
                self.happened(scope, to, Happened::Committed);
            }
            Told::Lost => {
                self.happened(scope, to, Happened::Failed { at, error: &DbError::lost(), key: None });
            }
            Told::Fenced => {
                self.happened(scope, to, Happened::Failed { at, error: &error("DL001"), key: None });
            }
            Told::TooLong => {
                let (sqlstate, ended_session) = ("25P04".to_owned(), true);
                let error = ServerError { sqlstate, ended_session, ..ServerError::default() }.into();
                self.happened(scope, to, Happened::Failed { at, error: &error, key: None });
            }
            Told::Aborted => {
                self.happened(scope, to, Happened::Failed { at, error: &error("40001"), key: None });
            }
        }
    }

    /// A try fails before its COMMIT is sent: nothing of it is left at the server.
    pub(super) fn fail_early(&mut self, scope: &Scope, to: (usize, usize), code: Option<&str>) {
        let error = code.map_or_else(DbError::lost, error);
        let at = if code == Some("DL003") { FailedAt::Table } else { FailedAt::Merge };
        self.happened(scope, to, Happened::Failed { at, error: &error, key: None });
    }

    /// The checkpoint is read.
    pub(super) fn ask(&mut self, scope: &Scope, (process, partition): (usize, usize)) {
        if let Some(Active { step: Step::Pause(_), .. }) = self.active(process, partition) {
            self.happened(scope, (process, partition), Happened::BackoffElapsed);
        }
        let row = &self.db.rows[partition];
        let books = Books { read: u64::from(row.read), ..Books::default() };
        let found =
            StoredCheckpoint { epoch: u64::from(row.epoch), at: place(row.at), done: row.done, books };
        self.happened(scope, (process, partition), Happened::Found(Some(&found)));
    }
}
