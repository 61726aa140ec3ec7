//! What the loads of a process share: connections, memory, encode workers, and the speed at which servers are
//! asked.
//!
//! Each load has a [`Share`]: it acts on that alone, so a load that fails, is cancelled, or sheds connections
//! touches no other one. Credentials are never shared: they are the load's own. A load that nobody gives an
//! engine makes one of its own, with its own limits.

mod memory;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Semaphore;
use tokio::task::JoinError;
use tokio_util::task::AbortOnDropHandle;

use crate::http::RateLimiters;
use crate::job::{MAX_MEMORY_BYTES, POOL_SIZE, Resources};
use crate::ledger::{LiveLoad, Owner};
use crate::pg::{ConnInfo, Lease, PgError, Pool};

use memory::Budget;

pub(crate) use memory::{Held, Memory};

/// The part of the memory in which answers wait for their turn: batches have a half of it, and what a block
/// becomes on its way there takes as much again.
const AHEAD_SHARE: u64 = 8;

/// Bounds on what all loads of an engine take together.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct EngineOptions {
    /// The most connections to one database as one user, the ledger's included.
    pub connections: usize,
    /// The memory of all that is under way.
    pub max_memory_bytes: u64,
}

impl Default for EngineOptions {
    fn default() -> Self {
        Self { connections: POOL_SIZE, max_memory_bytes: MAX_MEMORY_BYTES }
    }
}

/// What loads that run at the same time share, so that together they keep to one limit: connections, memory,
/// worker threads, and requests to a server. Clones are the same engine.
///
/// However many loads there are, each makes progress: connections go to whoever has waited longest, and a
/// load can always have something in memory. None touches another: one that fails or is stopped cancels its
/// own statements alone.
#[derive(Clone)]
pub struct Engine(Arc<EngineState>);

struct EngineState {
    connections: usize,
    max_memory_bytes: u64,
    pools: Mutex<Vec<Pool>>,
    budget: Arc<Budget>,
    workers: Arc<Semaphore>,
    speeds: RateLimiters,
    loads: AtomicU64,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine")
            .field("connections", &self.0.connections)
            .field("max_memory_bytes", &self.0.max_memory_bytes)
            .finish_non_exhaustive()
    }
}

impl Engine {
    /// An engine with these bounds. Nothing is opened before a load needs it.
    #[must_use]
    pub fn new(options: &EngineOptions) -> Self {
        Self::with(options.connections.max(1), options.max_memory_bytes, 0)
    }

    /// The engine of a single load.
    pub(crate) fn of(resources: &Resources) -> Self {
        let batches = resources.bytes_of_batch().saturating_mul(3 * resources.pool_size);
        Self::with(resources.pool_size.max(1), resources.max_memory_bytes, batches)
    }

    /// 15/32 of the memory are for what is under way: the rest is for the program itself and the gaps in its
    /// heap. In any case what the batches may have together.
    fn with(connections: usize, max_memory_bytes: u64, batches: usize) -> Self {
        let share = usize::try_from(max_memory_bytes / 32 * 15).unwrap_or(usize::MAX);
        Self(Arc::new(EngineState {
            connections,
            max_memory_bytes,
            pools: Mutex::default(),
            budget: Budget::new(share.max(batches)),
            workers: Arc::new(Semaphore::new(Workers::count())),
            speeds: RateLimiters::default(),
            loads: AtomicU64::new(0),
        }))
    }

    /// Counts a load in, until the share is dropped.
    pub(crate) fn enter(&self) -> Share {
        self.0.loads.fetch_add(1, Ordering::SeqCst);
        Share { engine: self.clone(), load: LiveLoad::begin(), memory: self.0.budget.enter() }
    }
}

/// What one load has of an engine, until it is dropped.
pub struct Share {
    engine: Engine,
    load: LiveLoad,
    memory: Arc<Memory>,
}

impl Drop for Share {
    fn drop(&mut self) {
        self.engine.0.loads.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Share {
    /// Sessions of a database, up to `wanted` at the same time. One is opened at once, so that what is wrong
    /// is said now.
    ///
    /// # Errors
    /// If no server of the connection string lets us in.
    pub async fn lease(&self, dsn: &ConnInfo, wanted: usize) -> Result<Lease, PgError> {
        let lease = self.pool(dsn)?.lease(wanted);
        drop(lease.get().await?);
        Ok(lease)
    }

    fn pool(&self, dsn: &ConnInfo) -> Result<Pool, PgError> {
        let mut pools = self.engine.0.pools.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(pool) = pools.iter().find(|pool| pool.dsn() == dsn) {
            return Ok(pool.clone());
        }
        pools.retain(|pool| !pool.is_unused());
        let pool = Pool::new(dsn, self.engine.0.connections)?;
        pools.push(pool.clone());
        Ok(pool)
    }

    /// How many sessions there may be, of so many that are wanted.
    #[must_use]
    pub fn sessions(&self, wanted: usize) -> usize {
        wanted.clamp(1, self.engine.0.connections)
    }

    /// Who runs this load, as the ledger names it.
    #[must_use]
    pub const fn owner(&self) -> &Owner {
        self.load.owner()
    }

    /// What this load has under way.
    #[must_use]
    pub const fn memory(&self) -> &Arc<Memory> {
        &self.memory
    }

    /// How fast servers may be asked, by all loads together.
    #[must_use]
    pub fn speeds(&self) -> &RateLimiters {
        &self.engine.0.speeds
    }

    /// Worker threads, of all loads together.
    #[must_use]
    pub fn workers(&self) -> Workers {
        Workers(Arc::clone(&self.engine.0.workers))
    }

    /// Bytes of a batch: of what is this load's among those that run now.
    #[must_use]
    pub fn bytes_of_batch(&self, resources: &Resources) -> usize {
        Resources { max_memory_bytes: self.memory_of(resources), ..resources.clone() }.bytes_of_batch()
    }

    /// Bytes of answers that wait for their turn.
    #[must_use]
    pub fn bytes_ahead(&self, resources: &Resources) -> usize {
        usize::try_from(self.memory_of(resources) / AHEAD_SHARE).unwrap_or(usize::MAX)
    }

    fn memory_of(&self, resources: &Resources) -> u64 {
        let loads = self.engine.0.loads.load(Ordering::SeqCst).max(1);
        resources.max_memory_bytes.min(self.engine.0.max_memory_bytes / loads)
    }
}

/// Threads that decode and map.
#[derive(Clone)]
pub struct Workers(Arc<Semaphore>);

impl Workers {
    /// How many there are.
    #[must_use]
    pub fn count() -> usize {
        std::thread::available_parallelism().map_or(2, std::num::NonZero::get)
    }

    /// Runs work on one of them, when one is free. A task of its own: a worker that it is given is at work at
    /// once, also while nobody asks for what comes out; else a load whose writers wait would keep workers
    /// from all others. Dropped before the work has begun, it never begins.
    ///
    /// # Errors
    /// The work has panicked.
    pub async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, JoinError> {
        let workers = Arc::clone(&self.0);
        let running = tokio::spawn(async move {
            // Never closed.
            let worker = workers.acquire_owned().await.ok();
            tokio::task::spawn_blocking(move || {
                // Held by the thread: it may outlive a load that was stopped.
                let _worker = worker;
                work()
            })
            .await
        });
        AbortOnDropHandle::new(running).await.and_then(|done| done)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::task::Poll;
    use std::time::Duration;

    /// Two loads and one worker: the first has asked for it and looks elsewhere when its turn comes.
    #[tokio::test]
    async fn work_that_nobody_waits_for_keeps_no_worker_from_others() {
        let workers = Workers(Arc::new(Semaphore::new(1)));
        let busy = Arc::clone(&workers.0).acquire_owned().await.unwrap();
        let mut forgotten = std::pin::pin!(workers.run(|| 1));
        assert!(matches!(futures::poll!(forgotten.as_mut()), Poll::Pending));
        // Nobody looks at it from here on.
        tokio::task::yield_now().await;
        drop(busy);
        let other = tokio::time::timeout(Duration::from_secs(60), workers.run(|| 2)).await;
        assert_eq!(other.expect("the worker is given back").unwrap(), 2);
        assert_eq!(forgotten.await.unwrap(), 1);
    }
}
