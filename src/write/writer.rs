//! The writer of one partition: commits its batches one after the other, whatever happens to the connection.
//!
//! A batch is whole in memory before BEGIN. When its outcome is unknown, the checkpoint says what happened; when it did
//! not commit, the same batch is replayed with its boundaries unchanged and the fence decides. What to do about
//! an error is decided by `pg::sqlstate` alone.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::mpsc;

use crate::account::Books;
use crate::batch::Batch;
use crate::pg::{Action, ErrorView, Pool, Session, SingleRecord, Stage, classify, literal};

use crate::record::Position;

use super::merge::Conflicts;
use super::outlook::Outlook;
use super::plan::WritePlan;
use super::rejects::Originals;
use super::retry::{Patience, Retry};
use super::transaction::{self, Committed, Context, Failed, FailedAt, Path, Way};
use super::verify::Verdict;

/// The setting that a batch's transaction begins with, and that is gone with it.
pub(super) const EPOCH_SETTING: &str = "dbload.epoch";

/// The epoch as this transaction was begun with. In another transaction it is NULL, and the fence raises: a checkpoint
/// cannot move where the rows before it were rolled back behind our back.
const EPOCH_OF_TRANSACTION: &str =
    "nullif(pg_catalog.current_setting('dbload.epoch', true), '')::pg_catalog.int8";

/// The run that batches are committed under.
#[derive(Debug, Clone)]
pub struct LedgerRef {
    /// Its id.
    pub run: String,
    /// The epoch of this owner.
    pub epoch: u64,
}

impl LedgerRef {
    /// The fence: moves the checkpoint, or raises.
    pub(super) fn advance(&self, batch: &Batch, committed: &Committed) -> String {
        let books = &committed.books;
        let sources: Vec<String> = committed
            .sources
            .iter()
            .map(|(source, b)| format!("{source},{},{}", b.read, b.rejected))
            .collect();
        let digest = batch
            .digest
            .map_or("NULL".to_owned(), |d| format!("ARRAY['{}','{}','{:016x}']", d.from, d.to, d.hash));
        format!(
            "SELECT _dbload.advance({}, {}, {EPOCH_OF_TRANSACTION}, ARRAY[{}], ARRAY[{},{}], {}, \
             ARRAY[{},{},{},{},{},{},{},{}]::bigint[], ARRAY[{}]::bigint[], {digest})",
            literal(&self.run),
            batch.partition,
            place(&batch.before),
            place(&batch.after),
            batch.after.line,
            batch.done,
            books.read,
            books.inserted,
            books.updated,
            books.unchanged,
            books.deduplicated,
            books.skipped,
            books.rejected,
            u8::from(committed.careful),
            sources.join(","),
        )
    }
}

fn place(at: &Position) -> String {
    format!("{}::bigint,{},{}", at.source, at.offset, at.record)
}

/// What a writer tells.
#[derive(Debug)]
pub enum WriterEvent {
    /// A batch is committed.
    Committed {
        /// Its partition.
        partition: u32,
        /// The checkpoint it moved to.
        after: Position,
        /// What it came to.
        committed: Box<Committed>,
    },
    /// A batch waits for its next try.
    Waiting {
        /// Its partition.
        partition: u32,
        /// What stands in the way.
        error: ErrorView,
    },
    /// The records of a partition were compared with the table.
    Verified {
        /// What was found.
        verdict: Box<Verdict>,
    },
    /// A batch that waited goes on.
    Resumed {
        /// Its partition.
        partition: u32,
    },
}

/// Why a writer stopped.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The database failed for good, or for longer than we wait.
    #[error("write to the database: {}", .0.message)]
    Database(ErrorView),
    /// Another process has taken the run over.
    #[error("this load was taken over by another process")]
    Fenced,
    /// COMMIT was sent, and nobody could be asked what became of it.
    #[error("commit a batch: the server went away, and it is not known whether it committed: {}", .0.message)]
    Unknown(ErrorView),
    /// The ledger stands before a batch that was acknowledged: the server has lost commits.
    #[error("the server has lost commits that it acknowledged")]
    LostCommits,
    /// The pipeline has stopped listening.
    #[error("the load was stopped")]
    Stopped,
}

/// The writer of one partition.
pub struct Writer {
    /// Which.
    pub partition: u32,
    /// How to write.
    pub plan: Arc<WritePlan>,
    /// Connections.
    pub pool: Pool,
    /// The run, unless there is no ledger.
    pub ledger: Option<LedgerRef>,
    /// Originals of rejects.
    pub originals: Originals,
    /// How long to wait.
    pub patience: Patience,
    /// Who listens.
    pub events: mpsc::Sender<WriterEvent>,
    /// What the ledger has counted for this partition so far.
    pub books: Books,
    /// What the next batch is expected to meet.
    pub outlook: Outlook,
    /// Writers, of all partitions, that do not know what became of their batch.
    pub in_doubt: Arc<AtomicUsize>,
}

/// A checkpoint, as read.
#[derive(Default)]
struct Found {
    epoch: u64,
    at: (u64, u64, u64),
    books: Books,
    done: bool,
}

fn place_of(at: &Position) -> (u64, u64, u64) {
    (u64::from(at.source), at.offset, at.record)
}

/// What the checkpoint says about a batch whose outcome is unknown.
enum Resolved {
    Committed(Books),
    NotCommitted,
}

impl Writer {
    /// Commits batches until there are no more.
    pub async fn run(mut self, mut batches: mpsc::Receiver<Batch>) -> Result<(), WriteError> {
        while let Some(batch) = batches.recv().await {
            let mut queue = VecDeque::from([batch]);
            while let Some(batch) = queue.pop_front() {
                if let Some(committed) = self.commit(&batch, &mut queue).await? {
                    self.books.add(&committed.books);
                    self.outlook.learn(&committed.books, committed.direct, committed.careful);
                    let event = WriterEvent::Committed {
                        partition: self.partition,
                        after: batch.after,
                        committed: Box::new(committed),
                    };
                    self.tell(event).await?;
                }
            }
        }
        Ok(())
    }

    async fn tell(&self, event: WriterEvent) -> Result<(), WriteError> {
        self.events.send(event).await.map_err(|_| WriteError::Stopped)
    }

    /// Commits a batch; `None`: it was halved, and its halves are in the queue.
    async fn commit(
        &self,
        batch: &Batch,
        queue: &mut VecDeque<Batch>,
    ) -> Result<Option<Committed>, WriteError> {
        let mut retry = Retry::new(self.patience);
        let mut path = Path::Fast;
        let mut prepared_anew = false;
        let mut conflicts = Conflicts::NotExpected;
        loop {
            let failed = match self.attempt(batch, Way { path, conflicts, outlook: self.outlook }).await {
                Ok(committed) => return self.settled(&retry, committed).await,
                Err(failed) => failed,
            };
            tracing::debug!(partition = self.partition, ?path, at = ?failed.at, error = ?failed.error, "batch failed");
            let action = match classify(self.stage_of(failed.at, conflicts), &failed.error) {
                Action::PrepareAnew if prepared_anew && failed.at == FailedAt::Merge => Action::CarefulPath,
                Action::PrepareAnew if prepared_anew => Action::Fatal,
                action => action,
            };
            match action {
                Action::ReplayWithJitter if failed.error.sqlstate.as_deref() == Some("23505") => {
                    conflicts = Conflicts::LeftAlone;
                }
                Action::CarefulPath if path < path.careful() => path = path.careful(),
                Action::HalveBatch(last) => match batch.halve() {
                    Some((first, second)) => {
                        queue.push_front(second);
                        queue.push_front(first);
                        return Ok(None);
                    }
                    None if last == SingleRecord::Reject && path < path.careful() => path = path.careful(),
                    None => return Err(WriteError::Database(failed.error)),
                },
                Action::ResolveByCheckpoint | Action::Fenced => {
                    match self.resolve(batch, failed.error.clone(), &mut retry).await? {
                        Resolved::Committed(books) => {
                            return self.settled(&retry, Committed { books, ..Committed::default() }).await;
                        }
                        // What fails in the checkpoint's own statement may fail every time: not for ever.
                        Resolved::NotCommitted => self.wait(&mut retry, failed.error).await?,
                    }
                }
                Action::Reconnect
                | Action::ReplayWithJitter
                | Action::FindPrimary
                | Action::PauseForSpace => self.wait(&mut retry, failed.error).await?,
                Action::PrepareAnew => {
                    prepared_anew = true;
                    self.pool.drop_idle();
                    self.wait(&mut retry, failed.error).await?;
                }
                Action::ShrinkPool => {
                    let size = self.pool.max_size();
                    if size > 1 {
                        self.pool.resize(size - 1);
                    }
                    self.wait(&mut retry, failed.error).await?;
                }
                Action::CarefulPath | Action::Fatal => {
                    // A value that COPY refuses in staging is not fatal: it converts one by one.
                    let refused_value = failed.at == FailedAt::Staging
                        && failed.error.sqlstate.as_deref().is_some_and(|code| !code.starts_with("XX"));
                    if refused_value && path < path.converting() {
                        path = path.converting();
                    } else {
                        return Err(WriteError::Database(failed.error));
                    }
                }
            }
        }
    }

    /// A batch is committed: says so if that took more than one try.
    async fn settled(&self, retry: &Retry, committed: Committed) -> Result<Option<Committed>, WriteError> {
        if retry.tries() > 0 {
            self.tell(WriterEvent::Resumed { partition: self.partition }).await?;
        }
        Ok(Some(committed))
    }

    async fn attempt(&self, batch: &Batch, way: Way) -> Result<Committed, Failed> {
        let session = Session::open_within(&self.pool, self.plan.answer_limit())
            .await
            .map_err(|error| Failed { at: FailedAt::Connect, error })?;
        let context = Context { plan: &self.plan, ledger: self.ledger.as_ref(), originals: &self.originals };
        let outcome = transaction::write(&context, &session, batch, way).await;
        if let Err(failed) = &outcome
            && !failed.error.lost
        {
            session.roll_back().await;
        }
        outcome
    }

    async fn wait(&self, retry: &mut Retry, error: ErrorView) -> Result<(), WriteError> {
        let Some(pause) = retry.pause() else { return Err(WriteError::Database(error)) };
        self.tell(WriterEvent::Waiting { partition: self.partition, error }).await?;
        tokio::time::sleep(pause).await;
        Ok(())
    }

    /// Asks the checkpoint what became of a batch. Waits for an old backend that is still busy with it.
    async fn resolve(
        &self,
        batch: &Batch,
        cause: ErrorView,
        retry: &mut Retry,
    ) -> Result<Resolved, WriteError> {
        let Some(ledger) = &self.ledger else {
            // Without a ledger nothing tells. A keyed batch can be applied twice; an append cannot.
            let appends = self.plan.mapping.key.is_empty();
            // An error that the server lived to tell ended the transaction.
            let in_doubt = cause.lost || matches!(cause.sqlstate.as_deref(), Some("08007" | "40003"));
            return if appends && in_doubt {
                Err(WriteError::Unknown(cause))
            } else {
                Ok(Resolved::NotCommitted)
            };
        };
        // Only knowing ends the doubt: a writer that gave up without an answer counts to the end.
        self.in_doubt.fetch_add(1, Ordering::Relaxed);
        let resolved = self.resolve_by(ledger, batch, retry).await;
        if !matches!(resolved, Err(WriteError::Unknown(_))) {
            self.in_doubt.fetch_sub(1, Ordering::Relaxed);
        }
        resolved
    }

    async fn resolve_by(
        &self,
        ledger: &LedgerRef,
        batch: &Batch,
        retry: &mut Retry,
    ) -> Result<Resolved, WriteError> {
        loop {
            let error = match self.checkpoint(ledger).await {
                // An earlier epoch than ours: the take-over itself is among the commits that were lost.
                Ok(found) if found.epoch > 0 && found.epoch < ledger.epoch => {
                    return Err(WriteError::LostCommits);
                }
                Ok(found) if found.epoch != ledger.epoch => return Err(WriteError::Fenced),
                Ok(found) if found.at == place_of(&batch.after) && found.done == batch.done => {
                    return Ok(Resolved::Committed(difference(&found.books, &self.books)));
                }
                Ok(found) if found.at == place_of(&batch.before) && !found.done => {
                    return Ok(Resolved::NotCommitted);
                }
                Ok(_) => return Err(WriteError::LostCommits),
                Err(error) => error,
            };
            let Some(pause) = retry.pause() else { return Err(WriteError::Unknown(error)) };
            self.tell(WriterEvent::Waiting { partition: self.partition, error }).await?;
            tokio::time::sleep(pause).await;
        }
    }

    async fn checkpoint(&self, ledger: &LedgerRef) -> Result<Found, ErrorView> {
        let session = Session::open_within(&self.pool, self.plan.answer_limit()).await?;
        let sql = format!(
            "BEGIN READ WRITE;\nSELECT pg_catalog.set_config('lock_timeout', '{}', true);\n\
             SELECT epoch, source, byte_offset, record, read, inserted, updated, unchanged, deduplicated, skipped, rejected, done \
             FROM _dbload.checkpoint WHERE run = {} AND partition = {} FOR UPDATE;\nCOMMIT",
            self.plan.lock_timeout_ms,
            literal(&ledger.run),
            self.partition
        );
        let outcomes = match session.begin(&sql).await {
            Ok(outcomes) => outcomes,
            Err(error) => {
                if !error.lost {
                    session.roll_back().await;
                }
                return Err(error);
            }
        };
        session.transaction_ended();
        let row = outcomes.get(2).and_then(|outcome| outcome.rows.first());
        let Some(row) = row else {
            // Our run is gone: pruned, or restored from before.
            return Ok(Found::default());
        };
        let n = |i: usize| row.get(i).and_then(|v| v.as_deref()?.parse::<u64>().ok()).unwrap_or(0);
        let books = Books {
            read: n(4),
            inserted: n(5),
            updated: n(6),
            unchanged: n(7),
            deduplicated: n(8),
            skipped: n(9),
            rejected: n(10),
        };
        let done = row.get(11).is_some_and(|done| done.as_deref() == Some("t"));
        Ok(Found { epoch: n(0), at: (n(1), n(2), n(3)), books, done })
    }
}

impl Writer {
    fn stage_of(&self, at: FailedAt, conflicts: Conflicts) -> Stage<'_> {
        let key = self.plan.key_index.map(|index| self.plan.table().unique[index].name.as_str());
        match at {
            FailedAt::Connect => Stage::Connect,
            FailedAt::Begin | FailedAt::Staging => Stage::BeforeCommit,
            FailedAt::Ledger => Stage::Ledger,
            FailedAt::Table => Stage::Elsewhere,
            FailedAt::Merge => {
                Stage::Merge { cheap_key: key.filter(|_| conflicts == Conflicts::NotExpected) }
            }
            FailedAt::Commit => Stage::AfterCommitSent,
        }
    }
}

const fn difference(now: &Books, before: &Books) -> Books {
    Books {
        read: now.read.saturating_sub(before.read),
        inserted: now.inserted.saturating_sub(before.inserted),
        updated: now.updated.saturating_sub(before.updated),
        unchanged: now.unchanged.saturating_sub(before.unchanged),
        deduplicated: now.deduplicated.saturating_sub(before.deduplicated),
        skipped: now.skipped.saturating_sub(before.skipped),
        rejected: now.rejected.saturating_sub(before.rejected),
    }
}
