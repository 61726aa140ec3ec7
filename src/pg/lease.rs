//! A lease: what one load has of a pool.
//!
//! It knows its own sessions, and acts on no others: only they are cancelled, only its own number shrinks,
//! and a connection that was cancelled is closed, never given back, so that a request to cancel that comes
//! late meets nobody else's work. A session is taken for a batch and given back behind it, so a load with
//! more partitions than sessions makes progress, and so does every other load: whoever waits gets the next
//! session that is given back.

use std::collections::HashMap;
use std::ops::Deref;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio_postgres::CancelToken;

use super::dsn::ConnInfo;
use super::error::PgError;
use super::places::{ConnectionPermit, Waiting};
use super::pool::{Pool, WAIT_LIMIT};

/// Opens a pool of at most `size` connections for one load; one is opened at once, so that what is wrong is
/// said now.
///
/// # Errors
/// If no server of the connection string lets us in.
pub async fn connect_pool(dsn: &ConnInfo, size: usize) -> Result<Lease, PgError> {
    let lease = Pool::new(dsn, size)?.lease(size);
    drop(lease.get().await?);
    Ok(lease)
}

impl Pool {
    /// A load's share: up to `wanted` sessions at the same time, as many as there are at least one. Which of
    /// them are free shows when they are asked for: nobody keeps what he does not use.
    #[must_use]
    pub fn lease(&self, wanted: usize) -> Lease {
        Lease::new(self.clone(), self.lease_begun(wanted))
    }
}

/// What one load has of a pool. Clones are the same lease.
#[derive(Clone)]
pub struct Lease {
    own: Arc<Own>,
    answer_limit: Option<Duration>,
}

struct Own {
    pool: Pool,
    /// As many as this load may use at the same time.
    slots: Arc<Semaphore>,
    size: AtomicUsize,
    /// Slots that end with their next use.
    owed: AtomicUsize,
    waiting: AtomicUsize,
    /// Older connections are not used any more.
    fresh_since: Mutex<Option<Instant>>,
    next: AtomicU64,
    busy: Mutex<HashMap<u64, Busy>>,
    /// Sessions that were given back so far.
    returned: AtomicU64,
    /// One of them has ended.
    ended: Notify,
    /// The pool's slots that are this load's until it ends.
    reserved: Mutex<Vec<OwnedSemaphorePermit>>,
}

/// A session in use.
struct Busy {
    token: CancelToken,
    /// It was cancelled: its connection is not given back.
    is_doomed: bool,
}

impl Own {
    fn busy(&self) -> MutexGuard<'_, HashMap<u64, Busy>> {
        self.busy.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn reserved(&self) -> MutexGuard<'_, Vec<OwnedSemaphorePermit>> {
        self.reserved.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        self.pool.lease_ended();
    }
}

/// The right to use a connection.
struct LeasePermit {
    own: Arc<Own>,
    of_load: Option<OwnedSemaphorePermit>,
    of_pool: Option<OwnedSemaphorePermit>,
    /// The slot of the pool is reserved: it comes back to the load.
    is_reserved: bool,
}

impl Drop for LeasePermit {
    fn drop(&mut self) {
        if let Some(slot) = self.of_pool.take() {
            if self.is_reserved {
                self.own.reserved().push(slot);
            } else {
                drop(slot);
            }
        }
        if let Some(slot) = self.of_load.take() {
            let owes = |owed: usize| owed.checked_sub(1);
            if self.own.owed.fetch_update(Ordering::SeqCst, Ordering::SeqCst, owes).is_ok() {
                slot.forget();
            }
        }
        self.own.returned.fetch_add(1, Ordering::SeqCst);
        self.own.ended.notify_one();
    }
}

/// A connection in use; given back on drop.
pub struct PooledClient {
    inner: Option<deadpool_postgres::Client>,
    id: u64,
    slot: LeasePermit,
}

impl PooledClient {
    /// Gives the connection up, in place of returning it: after any error that says the session is lost. Its
    /// end may not have been noticed yet, and the next one to ask would be handed a dead connection.
    pub fn discard(mut self) {
        self.close();
    }

    fn close(&mut self) {
        if let Some(inner) = self.inner.take() {
            drop(deadpool_postgres::Client::take(inner));
        }
    }
}

impl Deref for PooledClient {
    type Target = deadpool_postgres::Client;

    fn deref(&self) -> &Self::Target {
        match &self.inner {
            Some(inner) => inner,
            None => unreachable!("it is taken when the client is given up, by value"),
        }
    }
}

impl Drop for PooledClient {
    fn drop(&mut self) {
        // Taken off the list before it is given back: what is cancelled is either on it, and closed here, or
        // is not cancelled.
        let busy = self.slot.own.busy().remove(&self.id);
        let is_surplus = self.slot.own.owed.load(Ordering::SeqCst) > 0;
        if is_surplus || busy.is_some_and(|busy| busy.is_doomed) {
            self.close();
        }
        // Back in the pool before its slot is free.
        drop(self.inner.take());
        self.slot.own.pool.returned();
    }
}

/// The slot and the place of a connection that is not the pool's.
pub(super) struct Lent {
    pub(super) place: ConnectionPermit,
    _slot: LeasePermit,
}

impl Lease {
    pub(super) fn new(pool: Pool, size: usize) -> Self {
        let own = Arc::new(Own {
            pool,
            slots: Arc::new(Semaphore::new(size)),
            size: AtomicUsize::new(size),
            owed: AtomicUsize::new(0),
            waiting: AtomicUsize::new(0),
            fresh_since: Mutex::default(),
            next: AtomicU64::new(0),
            busy: Mutex::default(),
            returned: AtomicU64::new(0),
            ended: Notify::new(),
            reserved: Mutex::default(),
        });
        Self { own, answer_limit: None }
    }

    /// What the server does not answer within the limit counts as a lost connection, on every session that
    /// says nothing else.
    #[must_use]
    pub fn answering_within(self, limit: Option<Duration>) -> Self {
        Self { answer_limit: limit, ..self }
    }

    /// What the server does not answer within the limit counts as lost.
    #[must_use]
    pub const fn answer_limit(&self) -> Option<Duration> {
        self.answer_limit
    }

    /// A connection, newly opened if need be.
    ///
    /// # Errors
    /// If none can be opened, or all of this load stayed in use. It waits for other loads as long as they
    /// take.
    pub async fn get(&self) -> Result<PooledClient, PgError> {
        let slot = self.slot().await?;
        loop {
            let inner = self.own.pool.connection().await?;
            let opened = deadpool_postgres::Client::metrics(&inner).created;
            let fresh_since = *self.own.fresh_since.lock().unwrap_or_else(PoisonError::into_inner);
            if fresh_since.is_some_and(|since| opened < since) {
                drop(deadpool_postgres::Client::take(inner));
                continue;
            }
            let id = self.own.next.fetch_add(1, Ordering::Relaxed);
            let busy = Busy { token: inner.cancel_token(), is_doomed: false };
            self.own.busy().insert(id, busy);
            return Ok(PooledClient { inner: Some(inner), id, slot });
        }
    }

    async fn slot(&self) -> Result<LeasePermit, PgError> {
        let own = Arc::clone(&self.own);
        let of_load = self.slot_of_load().await?;
        let mut slot = LeasePermit { own, of_load: Some(of_load), of_pool: None, is_reserved: false };
        let reserved = self.own.reserved().pop();
        slot.is_reserved = reserved.is_some();
        slot.of_pool = match reserved {
            Some(reserved) => Some(reserved),
            None => Some(self.own.pool.slots(1).await),
        };
        Ok(slot)
    }

    /// More writers than sessions wait for each other. Where none is given back, something hangs.
    async fn slot_of_load(&self) -> Result<OwnedSemaphorePermit, PgError> {
        let _waiting = Waiting::of(&self.own.waiting);
        let mut acquired = std::pin::pin!(Arc::clone(&self.own.slots).acquire_owned());
        loop {
            let returned = self.own.returned.load(Ordering::SeqCst);
            let busy = PgError::PoolBusy { place: self.place(), waited: WAIT_LIMIT };
            match tokio::time::timeout(WAIT_LIMIT, acquired.as_mut()).await {
                Ok(Ok(slot)) => return Ok(slot),
                // Never closed.
                Ok(Err(_)) => return Err(busy),
                Err(_)
                    if self.own.returned.load(Ordering::SeqCst) == returned && !self.waits_for_others() =>
                {
                    return Err(busy);
                }
                Err(_) => {}
            }
        }
    }

    /// Whoever has a slot of this load waits for other loads to give one of the pool's back.
    fn waits_for_others(&self) -> bool {
        self.own.pool.is_waited_for()
    }

    /// Takes so many sessions out of the pool for good, all at once: for what holds its sessions while it
    /// waits for others of its own. Two that took them one by one could each wait for the other's.
    pub async fn reserve(&self, number: usize) {
        let mut slots = self.own.pool.slots(number.min(self.max_size())).await;
        let mut reserved = self.own.reserved();
        while let Some(slot) = slots.split(1) {
            reserved.push(slot);
        }
    }

    /// The slot and the place of a connection that is not the pool's own.
    pub(super) async fn lend(&self) -> Result<Lent, PgError> {
        let slot = self.slot().await?;
        Ok(Lent { place: self.own.pool.place_outside().await, _slot: slot })
    }

    /// As `lend`, if that needs no waiting.
    pub(super) async fn try_lend(&self) -> Option<Lent> {
        let of_load = Arc::clone(&self.own.slots).try_acquire_owned().ok()?;
        let of_pool = self.own.pool.try_slot()?;
        let own = Arc::clone(&self.own);
        let slot = LeasePermit { own, of_load: Some(of_load), of_pool: Some(of_pool), is_reserved: false };
        Some(Lent { place: self.own.pool.place_outside().await, _slot: slot })
    }

    /// The most sessions this load may use at the same time.
    #[must_use]
    pub fn max_size(&self) -> usize {
        self.own.size.load(Ordering::SeqCst)
    }

    /// A session can be had without waiting for another user of it.
    #[must_use]
    pub fn has_idle(&self) -> bool {
        self.own.slots.available_permits() > 0
            && (self.own.pool.free_slots() > 0 || !self.own.reserved().is_empty())
    }

    /// A session of this load is in use.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        !self.own.busy().is_empty()
    }

    /// Connections of the pool that are open, and those that this load uses.
    #[must_use]
    pub fn open_and_used(&self) -> (usize, usize) {
        (self.own.pool.open(), self.own.busy().len())
    }

    /// Somebody waits for a session, of this load or another.
    #[must_use]
    pub fn is_short(&self) -> bool {
        self.own.waiting.load(Ordering::SeqCst) > 0 || self.own.pool.is_waited_for()
    }

    /// Waits until a connection is idle, or this load has none in use: whoever then asks for one opens no
    /// further one beside those in use.
    pub(super) async fn spare(&self) {
        while self.own.pool.idle() == 0 && self.is_busy() {
            self.own.ended.notified().await;
        }
    }

    /// One session less from now on, but never none; one in use until it is given back.
    pub fn shrink(&self) {
        let less = |size: usize| size.checked_sub(1).filter(|size| *size > 0);
        if self.own.size.fetch_update(Ordering::SeqCst, Ordering::SeqCst, less).is_ok() {
            if self.own.slots.forget_permits(1) == 0 {
                self.own.owed.fetch_add(1, Ordering::SeqCst);
            } else {
                self.own.pool.close_idle(1);
            }
        }
    }

    /// From now on this load uses no connection that is open already.
    pub fn refresh(&self) {
        *self.own.fresh_since.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    /// Closes what nobody uses, for a server that has no room left.
    pub fn make_room(&self) {
        self.own.pool.close_idle(usize::MAX);
    }

    /// Gives up what the sessions in use are doing: their connections are not given back. What it takes to
    /// cancel it.
    #[must_use]
    pub fn give_up(&self) -> Vec<CancelToken> {
        let mut busy = self.own.busy();
        let doomed = busy.values_mut().map(|busy| {
            busy.is_doomed = true;
            busy.token.clone()
        });
        doomed.collect()
    }

    /// Asks the server to cancel what a session is doing.
    pub async fn cancel(&self, session: &CancelToken) {
        self.own.pool.cancel(session).await;
    }

    pub(super) fn pool(&self) -> &Pool {
        &self.own.pool
    }

    /// The database, as `host:port/dbname` for people.
    #[must_use]
    pub fn place(&self) -> String {
        self.dsn().describe()
    }

    /// What it connects to.
    #[must_use]
    pub fn dsn(&self) -> &ConnInfo {
        self.own.pool.dsn()
    }
}
