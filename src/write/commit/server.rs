//! The server, as the writer of a partition sees it: try a batch, read the checkpoint, wait.
//!
//! A trait, because the simulation (`simulation`) is the other implementation: the same committer and
//! protocol against a server in memory, with a clock of its own. This decides nothing; what an answer means
//! is `protocol`'s to say.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::account::Books;
use crate::batch::Batch;
use crate::ledger::LedgerRef;
use crate::pg::sqlstate::{is_missing_object, known_as, may_be_changed_table};
use crate::pg::{DbError, Lease, Session, terminate_tagged_writer};
use crate::record::Position;

use super::protocol::{Mitigation, Proof, StoredCheckpoint};
use crate::write::changed::{TargetState, changed};
use crate::write::context::Context;
use crate::write::outcome::{Committed, Failed, FailedAt, Written};
use crate::write::plan::WritePlan;
use crate::write::reject::Originals;
use crate::write::strategy::Strategy;
use crate::write::transaction;

/// What a writer asks of the world.
pub(in crate::write) trait Store: Send + Sync {
    /// What can tell whether a batch was committed.
    fn proof(&self) -> Proof;

    /// The unique index of the key.
    fn key(&self) -> Option<&str>;

    /// Writes a batch in one transaction, the checkpoint last, and commits it. `more`: whether another one
    /// waits for its turn.
    fn attempt(
        &self,
        batch: &Batch,
        strategy: Strategy,
        more: &(dyn Fn() -> bool + Sync),
    ) -> impl Future<Output = Result<Committed, Failed>> + Send;

    /// The checkpoint of the partition, once nobody holds it; `None`: it is gone.
    fn checkpoint(&self) -> impl Future<Output = Result<Option<StoredCheckpoint>, DbError>> + Send;

    /// What is done about a failure before waiting.
    fn relieve(&self, mitigation: Mitigation);

    /// The time, for patience.
    fn now(&self) -> Instant;

    /// Waits for as long as a backoff asks for.
    fn pause(&self, pause: Duration) -> impl Future<Output = ()> + Send;
}

/// Whether a session is worth a connection of its own.
#[derive(Debug, Clone, Copy)]
enum Urgency {
    Now,
    /// One that somebody else is done with will do.
    WhenThereIsOne,
}

/// PostgreSQL, for one partition.
pub(in crate::write) struct Postgres {
    pub(in crate::write) partition: u32,
    pub(in crate::write) plan: Arc<WritePlan>,
    pub(in crate::write) pool: Lease,
    pub(in crate::write) ledger: Option<LedgerRef>,
    pub(in crate::write) originals: Originals,
    /// Reasons of rejects are told.
    pub(in crate::write) is_recorded: bool,
    /// A session was lost, and may still be in a transaction.
    pub(in crate::write) has_lost: AtomicBool,
    /// A session that has begun the next batch's transaction already.
    pub(in crate::write) ahead: Mutex<Option<Session>>,
}

impl Postgres {
    /// A session; of the one before, if it was lost, nothing is left: while the server waits for the rest of
    /// a COPY it keeps what it has locked for as long as it likes, and the batch would wait for itself.
    async fn session(&self, urgency: Urgency) -> Result<Session, DbError> {
        let session = match urgency {
            Urgency::Now => Session::open(&self.pool).await?,
            Urgency::WhenThereIsOne => Session::open_spare(&self.pool).await?,
        };
        if self.has_lost.swap(false, Ordering::Relaxed)
            && let Some(ledger) = &self.ledger
            && let Err(error) = session.ask(&terminate_tagged_writer(&ledger.run, self.partition)).await
        {
            tracing::debug!(partition = self.partition, ?error, "the lost session was not ended");
            if error.is_lost() {
                self.has_lost.store(true, Ordering::Relaxed);
                return Err(error);
            }
        }
        Ok(session)
    }

    fn lost(&self) {
        self.has_lost.store(true, Ordering::Relaxed);
    }

    /// What a failure means that a changed table gives too, a missing column, say: `Ok` if the table was
    /// changed, but in nothing that matters, and the batch is to be tried again.
    async fn explain(&self, failed: Failed, known: &str, looks: &mut u32) -> Result<(), Failed> {
        let may_be_changed = known_as(&failed.error).is_some_and(may_be_changed_table);
        if failed.error.is_lost() || !failed.at.is_before_ledger() || !may_be_changed {
            return Err(failed);
        }
        self.look_again(looks).await?;
        if self.plan.target.version() == known { Err(failed) } else { Ok(()) }
    }

    /// The table has another version, and nothing of the batch is done: goes on if that means nothing to it.
    /// By a session of its own: the batch's may have lost count of its answers, if the next one was begun
    /// ahead.
    async fn look_again(&self, looks: &mut u32) -> Result<(), Failed> {
        *looks += 1;
        let failed = Failed::at(FailedAt::Table);
        let session = self.session(Urgency::Now).await.map_err(Failed::at(FailedAt::Connect))?;
        match self.plan.look_again(&session, self.ledger.as_ref()).await {
            Ok(TargetState::Same) if *looks < LOOKS_MAX => Ok(()),
            Ok(TargetState::Same) => Err(failed(changed(&self.plan, "again and again"))),
            Ok(TargetState::Differs(change) | TargetState::Lost(change)) => {
                Err(failed(changed(&self.plan, &change)))
            }
            Err(error) => {
                if error.is_lost() {
                    self.lost();
                }
                Err(Failed { at: FailedAt::Begin, error })
            }
        }
    }
}

/// Looks at a table for one batch: who changes it more often than that has not come to rest.
const LOOKS_MAX: u32 = 100;

impl Store for Postgres {
    fn proof(&self) -> Proof {
        match &self.ledger {
            Some(ledger) => Proof::Checkpoint { epoch: ledger.epoch },
            // A keyed batch can be applied twice; an append cannot.
            None if self.plan.repeats_show() => Proof::None,
            None => Proof::NotNeeded,
        }
    }

    fn key(&self) -> Option<&str> {
        self.plan.key_index.map(|index| self.plan.table().unique[index].name.as_str())
    }

    async fn attempt(
        &self,
        batch: &Batch,
        mut strategy: Strategy,
        more: &(dyn Fn() -> bool + Sync),
    ) -> Result<Committed, Failed> {
        let context = Context {
            plan: &self.plan,
            ledger: self.ledger.as_ref(),
            originals: &self.originals,
            is_recorded: self.is_recorded,
            // Where others wait for a connection this one is given back.
            more: &|| more() && !self.pool.is_short(),
        };
        // A partition without rows only moves its checkpoint.
        let urgency = if batch.rows == 0 { Urgency::WhenThereIsOne } else { Urgency::Now };
        let mut looks = 0;
        loop {
            let known = self.plan.target.version();
            let ahead = self.ahead.lock().unwrap_or_else(PoisonError::into_inner).take();
            let session = match ahead {
                Some(session) => session,
                None => self.session(urgency).await.map_err(Failed::at(FailedAt::Connect))?,
            };
            match transaction::write(&context, &session, batch, strategy).await {
                Ok(Written::Committed(committed)) => {
                    if session.is_broken() {
                        self.lost();
                    } else if session.is_ahead() {
                        *self.ahead.lock().unwrap_or_else(PoisonError::into_inner) = Some(session);
                    }
                    return Ok(committed);
                }
                Ok(Written::Not(next)) => {
                    session.roll_back().await;
                    if session.is_broken() {
                        self.lost();
                    }
                    strategy = next;
                }
                Err(failed) => {
                    if failed.error.is_lost() {
                        self.lost();
                    } else {
                        session.roll_back().await;
                    }
                    drop(session);
                    match failed.at {
                        FailedAt::Target => self.look_again(&mut looks).await?,
                        _ => self.explain(failed, &known, &mut looks).await?,
                    }
                }
            }
        }
    }

    async fn checkpoint(&self) -> Result<Option<StoredCheckpoint>, DbError> {
        // Without a ledger nobody asks.
        let Some(ledger) = &self.ledger else { return Ok(None) };
        let session = self.session(Urgency::Now).await?;
        let sql = format!(
            "BEGIN;\nSELECT pg_catalog.set_config('lock_timeout', '{}', true), \
             pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);\n\
             {};\nCOMMIT",
            self.plan.lock_timeout_ms,
            ledger.checkpoint_query(self.partition)
        );
        let outcomes = match session.begin(&sql).await {
            Ok(outcomes) => outcomes,
            Err(error) => {
                if error.is_lost() {
                    self.lost();
                } else {
                    session.roll_back().await;
                }
                // No ledger, no checkpoint.
                return if is_missing_object(&error) { Ok(None) } else { Err(error) };
            }
        };
        session.transaction_ended();
        Ok(outcomes.get(2).and_then(|outcome| outcome.rows.first()).map(|row| read(row)))
    }

    fn relieve(&self, mitigation: Mitigation) {
        match mitigation {
            Mitigation::None => {}
            Mitigation::FreshConnections => self.pool.refresh(),
            Mitigation::FewerConnections => self.pool.shrink(),
        }
    }

    fn now(&self) -> Instant {
        Instant::now()
    }

    async fn pause(&self, pause: Duration) {
        tokio::time::sleep(pause).await;
    }
}

fn read(row: &[Option<String>]) -> StoredCheckpoint {
    let n = |i: usize| row.get(i).and_then(|v| v.as_deref()?.parse::<u64>().ok()).unwrap_or(0);
    let books = Books {
        read: n(4),
        inserted: n(5),
        updated: n(6),
        unchanged: n(7),
        deduplicated: n(8),
        skipped: n(9),
        rejected: n(10),
        deleted: n(11),
    };
    let done = row.get(12).is_some_and(|done| done.as_deref() == Some("t"));
    let source = u32::try_from(n(1)).unwrap_or(u32::MAX);
    let at = Position { source, offset: n(2), record: n(3), line: 0 };
    StoredCheckpoint { epoch: n(0), at, done, books }
}
