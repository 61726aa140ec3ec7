//! The writer of one partition: commits its batches one after the other, whatever happens to the connection.
//!
//! What it is made of, what it tells, and how it ends. A batch is whole in memory before BEGIN. `protocol`
//! decides what to do next, `committer` does it, `server` speaks to PostgreSQL.

use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::sync::{Arc, Mutex};

use tokio::sync::mpsc;

use crate::account::Books;
use crate::batch::Batch;
use crate::ledger::LedgerRef;
use crate::pg::Lease;

use super::committer::Committer;
use super::retry::RetryPolicy;
use super::server::Postgres;
use crate::write::event::{WriteError, WriterEvent};
use crate::write::plan::WritePlan;
use crate::write::predictor::Predictor;
use crate::write::reject::Originals;

/// The writer of one partition.
pub struct Writer {
    /// The number of the partition.
    pub partition: u32,
    /// How batches are written to the target.
    pub plan: Arc<WritePlan>,
    /// The pool that connections are leased from.
    pub pool: Lease,
    /// The run, unless there is no ledger.
    pub ledger: Option<LedgerRef>,
    /// How the originals of rejects are kept.
    pub originals: Originals,
    /// Reasons of rejects are told.
    pub is_recorded: bool,
    /// How long to wait.
    pub retry_policy: RetryPolicy,
    /// The channel that events go to.
    pub events: mpsc::Sender<WriterEvent>,
    /// What the ledger has counted for this partition so far.
    pub books: Books,
    /// What the next batch is expected to meet.
    pub predictor: Predictor,
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
            is_recorded: self.is_recorded,
            has_lost: AtomicBool::new(false),
            ahead: Mutex::default(),
        };
        let committer = Committer {
            partition: self.partition,
            server,
            retry_policy: self.retry_policy,
            events: self.events,
            books: self.books,
            predictor: self.predictor,
            in_doubt: self.in_doubt,
        };
        committer.run(batches).await
    }
}
