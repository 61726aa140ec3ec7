//! What a writer of the simulation sees of the world: requests that are answered when the clock gets there.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use super::chance::Micros;
use super::database::{Defect, Work};
use super::load::records_of;
use super::server::{Event, Pending, Server as World, Try};
use crate::batch::Batch;
use crate::pg::DbError;
use crate::write::commit::protocol::{Mitigation, Proof, StoredCheckpoint};
use crate::write::commit::server::Store;
use crate::write::outcome::{Committed, Failed, FailedAt};
use crate::write::strategy::Strategy;

/// The name of the key's index.
pub(super) const KEY: &str = "t_pkey";

/// Where an answer will be.
pub(super) type Slot<T> = Arc<Mutex<Option<T>>>;

/// Waits for an answer.
struct Answer<T>(Slot<T>);

impl<T> Future for Answer<T> {
    type Output = T;

    // Nobody is woken: the scene polls whoever it has answered.
    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<T> {
        let answer = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        answer.map_or(Poll::Pending, Poll::Ready)
    }
}

/// A writer's connection to the simulated world.
pub(super) struct Client {
    pub(super) world: Arc<Mutex<World>>,
    pub(super) process: usize,
    pub(super) partition: usize,
    pub(super) epoch: u64,
    pub(super) version: u64,
    pub(super) start: Instant,
}

impl Client {
    fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store for Client {
    fn proof(&self) -> Proof {
        Proof::Checkpoint { epoch: self.epoch }
    }

    fn key(&self) -> Option<&str> {
        Some(KEY)
    }

    async fn attempt(
        &self,
        batch: &Batch,
        strategy: Strategy,
        _: &(dyn Fn() -> bool + Sync),
    ) -> Result<Committed, Failed> {
        let slot = Slot::default();
        {
            let mut world = self.world();
            let (rows, refused) = records_of(batch);
            let work = Work {
                partition: self.partition,
                epoch: self.epoch,
                version: self.version,
                before: batch.before,
                after: batch.after,
                done: batch.done,
                good: rows,
                bad: refused,
            };
            world.begin(Try::new(self.process, work, strategy.path, Arc::clone(&slot)));
        }
        let outcome = Answer(slot).await;
        let unknown =
            outcome.as_ref().is_err_and(|failed| failed.at == FailedAt::Commit && failed.error.is_lost());
        if unknown && self.world().defect == Defect::UnknownIsCommitted {
            return Ok(Committed::default());
        }
        outcome
    }

    async fn checkpoint(&self) -> Result<Option<StoredCheckpoint>, DbError> {
        let slot = Slot::default();
        self.world().ask(Pending {
            process: self.process,
            partition: self.partition,
            waited: 0,
            slot: Arc::clone(&slot),
        });
        Answer(slot).await
    }

    fn relieve(&self, _: Mitigation) {}

    fn now(&self) -> Instant {
        self.start + Duration::from_micros(self.world().now)
    }

    async fn pause(&self, pause: Duration) {
        let slot = Slot::default();
        {
            let mut world = self.world();
            let pause = Micros::try_from(pause.as_micros()).unwrap_or(Micros::MAX);
            let id = world.sleepers.insert(Arc::clone(&slot));
            world.after(pause, Event::Wake(id));
        }
        Answer(slot).await;
    }
}
