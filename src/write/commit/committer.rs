//! Commits the batches of one partition: does what the protocol says, and tells the protocol what came of it.
//!
//! A loop without decisions of its own. It owns what outlives a batch: the halves that wait for their turn,
//! the books that the ledger has counted, and whether this writer knows what became of its last batch.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::mpsc;

use crate::account::Books;
use crate::batch::Batch;
use crate::fault::{self, Defect, Point};
use crate::pg::DbError;

use super::protocol::{Happened, Protocol, Step, Stop, Terms};
use super::retry::{Retry, RetryPolicy};
use super::server::Store;
use crate::write::event::{Carried, WriteError, WriterEvent};
use crate::write::outcome::Committed;
use crate::write::predictor::{Direct, Predictor};
use crate::write::strategy::Strategy;

/// What a writer is while it runs.
pub(in crate::write) struct Committer<S> {
    pub(in crate::write) partition: u32,
    pub(in crate::write) server: S,
    pub(in crate::write) retry_policy: RetryPolicy,
    pub(in crate::write) events: mpsc::Sender<WriterEvent>,
    pub(in crate::write) books: Books,
    pub(in crate::write) predictor: Predictor,
    pub(in crate::write) in_doubt: Arc<AtomicUsize>,
}

/// What the tries of a batch have come to so far.
struct BatchTries {
    retry: Retry,
    /// The last failure of a try.
    failure: DbError,
    /// Why the checkpoint could not be read, since it is asked.
    silence: Option<DbError>,
    /// What the batch came to, once that is known.
    committed: Committed,
}

impl BatchTries {
    /// What stands in the way.
    fn obstacle(&self) -> &DbError {
        self.silence.as_ref().unwrap_or(&self.failure)
    }
}

impl<S: Store> Committer<S> {
    /// Commits batches until there are no more.
    pub(in crate::write) async fn run(
        mut self,
        mut batches: mpsc::Receiver<Batch>,
    ) -> Result<(), WriteError> {
        while let Some(batch) = batches.recv().await {
            let mut queue = VecDeque::from([batch]);
            #[cfg(debug_assertions)]
            out_of_order(&mut queue, &mut batches).await;
            while let Some(batch) = queue.pop_front() {
                let began = self.server.now();
                let more = || !batches.is_empty();
                if let Some((committed, retries)) = self.commit(&batch, &mut queue, &more).await? {
                    self.books.add(&committed.books);
                    self.predictor.learn(
                        &committed.books,
                        batch.repeats,
                        committed.direct,
                        committed.row_by_row,
                    );
                    let event = WriterEvent::Committed {
                        partition: self.partition,
                        after: batch.after,
                        committed: Box::new(committed),
                        carried: Carried { began, ended: self.server.now(), bytes: batch.bytes, retries },
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

    /// Commits a batch, after so many further tries; `None`: it was halved, and its halves are in the queue.
    async fn commit(
        &self,
        batch: &Batch,
        queue: &mut VecDeque<Batch>,
        more: &(dyn Fn() -> bool + Sync),
    ) -> Result<Option<(Committed, u32)>, WriteError> {
        let (mut protocol, mut step) = Protocol::new(self.terms(batch));
        let mut tries = BatchTries {
            retry: Retry::new(self.retry_policy),
            failure: DbError::lost(),
            silence: None,
            committed: Committed::default(),
        };
        loop {
            let doubted = protocol.in_doubt();
            step = match step {
                Step::Attempt { path, conflicts } => {
                    let strategy = Strategy {
                        path,
                        conflicts,
                        predictor: self.predictor,
                        direct: Direct::NotTried,
                        at_once: true,
                        remainder: false,
                    };
                    self.attempt(batch, strategy, more, &mut protocol, &mut tries).await
                }
                Step::ReadCheckpoint => self.ask(&mut protocol, &mut tries).await,
                Step::Pause(mitigation) => {
                    self.server.relieve(mitigation);
                    protocol.next(self.wait(&mut tries, mitigation.name()).await?)
                }
                Step::Halve => {
                    let Some((first, second)) = batch.halve() else {
                        return Err(WriteError::Database(tries.failure));
                    };
                    queue.push_front(second);
                    queue.push_front(first);
                    let event = WriterEvent::Halved { partition: self.partition, records: batch.read() };
                    self.tell(event).await?;
                    return Ok(None);
                }
                Step::Done => {
                    if tries.retry.tries() > 0 {
                        self.tell(WriterEvent::Resumed { partition: self.partition }).await?;
                    }
                    return Ok(Some((tries.committed, tries.retry.tries())));
                }
                Step::Stop(stop) => return Err(because(stop, tries)),
            };
            // Only knowing ends the doubt: a writer that gave up without an answer counts to the end.
            match (doubted, protocol.in_doubt()) {
                (false, true) => _ = self.in_doubt.fetch_add(1, Ordering::Relaxed),
                (true, false) => _ = self.in_doubt.fetch_sub(1, Ordering::Relaxed),
                (false, false) | (true, true) => {}
            }
        }
    }

    fn terms(&self, batch: &Batch) -> Terms {
        Terms {
            before: batch.before.without_line(),
            after: batch.after.without_line(),
            done: batch.done,
            records: batch.read(),
            proof: self.server.proof(),
        }
    }

    async fn attempt(
        &self,
        batch: &Batch,
        strategy: Strategy,
        more: &(dyn Fn() -> bool + Sync),
        protocol: &mut Protocol,
        tries: &mut BatchTries,
    ) -> Step {
        match self.server.attempt(batch, strategy, more).await {
            Ok(committed) => {
                tries.committed = committed;
                protocol.next(Happened::Committed)
            }
            Err(failed) => {
                let (path, at, error) = (strategy.path, failed.at, failed.error);
                tracing::debug!(partition = self.partition, ?path, ?at, ?error, "batch failed");
                let step = protocol.next(Happened::Failed { at, error: &error, key: self.server.key() });
                tries.failure = error;
                step
            }
        }
    }

    /// Asks the checkpoint what became of a batch. Waits for an old backend that is still busy with it.
    async fn ask(&self, protocol: &mut Protocol, tries: &mut BatchTries) -> Step {
        fault::point(Point::Resolving);
        if fault::defect(Defect::UnknownIsCommitted) {
            return Step::Done;
        }
        match self.server.checkpoint().await {
            Ok(found) => {
                tries.silence = None;
                // Of use only if the batch turns out to be committed: then these are its books.
                tries.committed.books = found.map(|found| found.books.since(&self.books)).unwrap_or_default();
                protocol.next(Happened::Found(found.as_ref()))
            }
            Err(error) => {
                tries.silence = Some(error);
                protocol.next(Happened::NoAnswer)
            }
        }
    }

    async fn wait(
        &self,
        tries: &mut BatchTries,
        relief: Option<&'static str>,
    ) -> Result<Happened<'static>, WriteError> {
        let Some(pause) = tries.retry.pause_at(self.server.now()) else {
            return Ok(Happened::PatienceEnded);
        };
        let error = tries.obstacle().clone();
        self.tell(WriterEvent::Waiting { partition: self.partition, error, relief }).await?;
        self.server.pause(pause).await;
        Ok(Happened::BackoffElapsed)
    }
}

/// Commits halves out of order, for [`Defect::OutOfOrder`].
#[cfg(debug_assertions)]
async fn out_of_order(queue: &mut VecDeque<Batch>, batches: &mut mpsc::Receiver<Batch>) {
    if fault::defect(Defect::OutOfOrder)
        && let Some(mut next) = batches.recv().await
    {
        queue[0].exchange_content(&mut next);
        queue.push_back(next);
    }
}

fn because(stop: Stop, tries: BatchTries) -> WriteError {
    match stop {
        Stop::Failed => WriteError::Database(tries.failure),
        Stop::Fenced => WriteError::Fenced,
        Stop::Unknown => WriteError::Unknown(tries.silence.unwrap_or(tries.failure)),
        Stop::LostCommits => WriteError::LostCommits,
        Stop::Forgotten => WriteError::Forgotten,
        Stop::Changed => WriteError::Changed(tries.failure),
    }
}
