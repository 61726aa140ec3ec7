//! Places: what an open connection holds until the server has closed it.
//!
//! Whoever opens one waits for a place. An idle connection has one too, and nobody would give it back: so
//! while somebody waits, none stays idle.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Closes so many idle connections of a pool, if there still is one.
type CloseIdle = Box<dyn Fn(usize) + Send + Sync>;

/// What an open connection holds until the server has closed it.
pub(super) type ConnectionPermit = Arc<OwnedSemaphorePermit>;

/// As many as there may be connections.
pub(super) struct ConnectionPermits {
    free: Arc<Semaphore>,
    /// Who waits for one.
    wanted: AtomicUsize,
    /// Of the pool whose connections have the places. It owns what opens them, and that owns this.
    close_idle: OnceLock<CloseIdle>,
}

impl ConnectionPermits {
    pub(super) fn new(number: usize) -> Arc<Self> {
        Arc::new(Self {
            free: Arc::new(Semaphore::new(number)),
            wanted: AtomicUsize::new(0),
            close_idle: OnceLock::new(),
        })
    }

    /// The pool whose connections have the places; once.
    pub(super) fn are_of(&self, pool: &deadpool_postgres::Pool) {
        let weak = pool.weak();
        // A second one would be another pool's, and changes nothing.
        let _ = self.close_idle.set(Box::new(move |number| {
            if let Some(pool) = weak.upgrade() {
                close_idle(&pool, number);
            }
        }));
    }

    pub(super) fn free(&self) -> usize {
        self.free.available_permits()
    }

    /// A place, as soon as there is one.
    pub(super) async fn take(&self) -> ConnectionPermit {
        let free = Arc::clone(&self.free);
        if let Ok(place) = Arc::clone(&free).try_acquire_owned() {
            return Arc::new(place);
        }
        let _waiting = Waiting::of(&self.wanted);
        self.clear();
        match free.acquire_owned().await {
            Ok(place) => Arc::new(place),
            // Never closed.
            Err(_) => std::future::pending().await,
        }
    }

    /// Closes so many idle connections as somebody waits for. To be called behind each that became idle:
    /// either who begins to wait sees it, or here it is seen that he waits.
    pub(super) fn clear(&self) {
        let wanted = self.wanted.load(Ordering::SeqCst);
        if wanted > 0
            && let Some(close_idle) = self.close_idle.get()
        {
            close_idle(wanted);
        }
    }
}

/// Closes so many idle connections. They are nobody's: whoever asks next gets a new one.
pub(super) fn close_idle(pool: &deadpool_postgres::Pool, number: usize) {
    let mut left = number;
    pool.retain(|_, _| {
        let keeps = left == 0;
        left = left.saturating_sub(1);
        keeps
    });
}

/// Somebody waits until this is dropped.
pub(super) struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    pub(super) fn of(number: &'a AtomicUsize) -> Self {
        number.fetch_add(1, Ordering::SeqCst);
        Self(number)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}
