//! The writer of one partition: commits its batches one after the other, whatever happens to the connection.
//!
//! What it is made of, what it tells, and how it ends. A batch is whole in memory before BEGIN. `protocol` decides what to
//! do next, `committer` does it, `server` speaks to PostgreSQL.

use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::sync::{Arc, Mutex};

use tokio::sync::mpsc;

use crate::account::Books;
use crate::batch::Batch;
use crate::pg::{ErrorView, Lease, literal};
use crate::record::Position;

use super::committer::Committer;
use super::outlook::Outlook;
use super::plan::WritePlan;
use super::rejects::Originals;
use super::retry::Patience;
use super::server::Postgres;
use super::transaction::Committed;
use super::verify::Verdict;

/// The setting that a batch's transaction begins with, and that is gone with it.
pub(super) const EPOCH_SETTING: &str = "dbload.epoch";

/// The epoch as this transaction was begun with. In another transaction it is NULL, and the fence raises: a checkpoint
/// cannot move where the rows before it were rolled back behind our back.
const EPOCH_OF_TRANSACTION: &str = "CASE WHEN pg_catalog.current_setting('dbload.epoch', true) OPERATOR(pg_catalog.<>) '' \
     THEN pg_catalog.current_setting('dbload.epoch', true)::pg_catalog.int8 END";

/// The run that batches are committed under.
#[derive(Debug, Clone)]
pub struct LedgerRef {
    /// Its id.
    pub run: String,
    /// The epoch of this owner.
    pub epoch: u64,
}

impl LedgerRef {
    /// The fence: moves the checkpoint, or raises. `inserted` is an expression.
    pub(super) fn advance(&self, batch: &Batch, committed: &Committed, inserted: &str) -> String {
        let books = &committed.books;
        let sources: Vec<String> = committed
            .sources
            .iter()
            .map(|(source, b)| format!("{source},{},{}", b.read, b.rejected))
            .collect();
        let digest = batch
            .digest
            .map_or("NULL".to_owned(), |d| format!("ARRAY['{}','{}','{:016x}']", d.from, d.to, d.hash));
        let page = batch.page.as_deref().map_or("NULL".to_owned(), literal);
        format!(
            "SELECT _dbload.advance({}, {}, {EPOCH_OF_TRANSACTION}, ARRAY[{}], ARRAY[{},{}], {}, \
             ARRAY[{},{},{},{},{},{},{},{}]::bigint[], ARRAY[{}]::bigint[], {digest}, {page})",
            literal(&self.run),
            batch.partition,
            place(&batch.before),
            place(&batch.after),
            batch.after.line,
            batch.done,
            books.read,
            inserted,
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
    /// The server has no checkpoint of this run.
    #[error("the server knows nothing of this run")]
    Forgotten,
    /// The table is not the one that the plan was made for.
    #[error("{}", .0.message)]
    Changed(ErrorView),
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
    pub pool: Lease,
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

impl Writer {
    /// Commits batches until there are no more.
    pub async fn run(self, batches: mpsc::Receiver<Batch>) -> Result<(), WriteError> {
        let server = Postgres {
            partition: self.partition,
            plan: self.plan,
            pool: self.pool,
            ledger: self.ledger,
            originals: self.originals,
            has_lost: AtomicBool::new(false),
            ahead: Mutex::default(),
        };
        let committer = Committer {
            partition: self.partition,
            server,
            patience: self.patience,
            events: self.events,
            books: self.books,
            outlook: self.outlook,
            in_doubt: self.in_doubt,
        };
        committer.run(batches).await
    }
}
