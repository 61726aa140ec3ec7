//! The pool: all connections that the loads of a process have to one database as one user, the ledger's
//! included.
//!
//! A deadpool-postgres pool whose connections are opened by `connect`, so that its errors say what the caller
//! can do. A connection that broke is noticed when it is handed out (`Fast`: no query for it) and replaced.
//!
//! Two counts keep the limit. A *slot* is held by whoever uses a connection, also by sqlx, which opens its
//! own; they are given out in the order in which they were asked for. A *place* is held by an open connection
//! until the server has closed it (`places`), so that the server never counts more of them than we do. A load
//! speaks to a pool through its [`Lease`](super::Lease) alone.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use deadpool_postgres::{
    Connect, Manager, ManagerConfig, PoolError, RecyclingMethod, Runtime, StatementCache,
};
use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinHandle;
use tokio_postgres::CancelToken;

use crate::feature;

use super::connect::{cancel, carried, carry, open};
use super::dsn::{ConnInfo, Host, SslMode};
use super::error::PgError;
use super::places::{ConnectionPermit, ConnectionPermits, Waiting, close_idle};
use super::tls::{self, Connector};
use super::transport::TlsUse;

/// How long a caller waits for a connection while none comes back: better an error than a hang.
pub(super) const WAIT_LIMIT: Duration = Duration::from_secs(60);

/// Connections to one database, as one user.
#[derive(Clone)]
pub struct Pool(Arc<PoolState>);

struct PoolState {
    inner: deadpool_postgres::Pool,
    dsn: Arc<ConnInfo>,
    tls: Option<Connector>,
    found: Arc<Mutex<Option<LoggedIn>>>,
    size: usize,
    slots: Arc<Semaphore>,
    places: Arc<ConnectionPermits>,
    /// Who waits for a slot.
    waiting: AtomicUsize,
    leases: AtomicUsize,
    made: Mutex<Made>,
}

/// What was made on which connection. A connection is known by its cache of statements, which is one
/// allocation for as long as we hold on to it, even weakly.
type Made = Vec<(Weak<StatementCache>, u64)>;

/// Where a login succeeded, and how.
#[derive(Debug, Clone, Copy)]
pub(super) struct LoggedIn {
    pub(super) server: usize,
    pub(super) tls_use: TlsUse,
}

impl Pool {
    /// A pool of at most `size` connections; none is open yet.
    ///
    /// # Errors
    /// If what protects the connections cannot be read.
    pub fn new(dsn: &ConnInfo, size: usize) -> Result<Self, PgError> {
        let size = size.max(1);
        let dsn = Arc::new(dsn.clone());
        // Sockets are plain whatever is asked for.
        let is_remote = dsn.servers.iter().any(|server| matches!(server.host, Host::Tcp { .. }));
        if is_remote && !matches!(dsn.tls.mode, SslMode::Disable | SslMode::Prefer) {
            feature::TLS.needed_for(|| format!("sslmode={}", dsn.tls.mode))?;
        }
        let tls = tls::connector(&dsn.tls)?;
        let found = Arc::default();
        let places = ConnectionPermits::new(size);
        let opener = Opener {
            dsn: Arc::clone(&dsn),
            tls: tls.clone(),
            found: Arc::clone(&found),
            places: Arc::clone(&places),
        };
        let recycling = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        // The driver's own configuration stays empty: the opener knows better, and deadpool would print it.
        let manager = Manager::from_connect(tokio_postgres::Config::new(), opener, recycling);
        let inner = deadpool_postgres::Pool::builder(manager)
            .max_size(size)
            .runtime(Runtime::Tokio1)
            .wait_timeout(Some(WAIT_LIMIT))
            .build()
            .map_err(|error| PgError::Local {
                doing: "build the pool",
                source: std::io::Error::other(error),
            })?;
        places.are_of(&inner);
        Ok(Self(Arc::new(PoolState {
            inner,
            dsn,
            tls,
            found,
            size,
            slots: Arc::new(Semaphore::new(size)),
            places,
            waiting: AtomicUsize::new(0),
            leases: AtomicUsize::new(0),
            made: Mutex::default(),
        })))
    }

    /// A lease has begun: so many sessions of `wanted` it may use, at least one.
    pub(super) fn lease_begun(&self, wanted: usize) -> usize {
        self.0.leases.fetch_add(1, Ordering::SeqCst);
        wanted.clamp(1, self.0.size)
    }

    /// A lease has ended. What nobody uses is not kept open.
    pub(super) fn lease_ended(&self) {
        if self.0.leases.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.close_idle(usize::MAX);
        }
    }

    /// What it connects to.
    #[must_use]
    pub fn dsn(&self) -> &ConnInfo {
        &self.0.dsn
    }

    /// No load uses it, and nothing of it is open.
    #[must_use]
    pub fn is_unused(&self) -> bool {
        self.0.leases.load(Ordering::SeqCst) == 0 && self.0.places.free() == self.0.size
    }

    /// The right to use so many connections, in the order in which it was asked for.
    pub(super) async fn slots(&self, number: usize) -> OwnedSemaphorePermit {
        let _waiting = Waiting::of(&self.0.waiting);
        let number = u32::try_from(number.min(self.0.size)).unwrap_or(u32::MAX);
        match Arc::clone(&self.0.slots).acquire_many_owned(number).await {
            Ok(slots) => slots,
            // Never closed.
            Err(_) => std::future::pending().await,
        }
    }

    /// The right to use one, if nobody waits for it.
    pub(super) fn try_slot(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.0.slots).try_acquire_owned().ok()
    }

    pub(super) fn free_slots(&self) -> usize {
        self.0.slots.available_permits()
    }

    pub(super) fn is_waited_for(&self) -> bool {
        self.0.waiting.load(Ordering::SeqCst) > 0
    }

    /// A connection, for whoever holds a slot.
    pub(super) async fn connection(&self) -> Result<deadpool_postgres::Client, PgError> {
        let busy = || PgError::PoolBusy { place: self.0.dsn.describe(), waited: WAIT_LIMIT };
        match self.0.inner.get().await {
            Ok(client) => Ok(client),
            Err(PoolError::Backend(error)) => Err(carried(error).unwrap_or_else(|()| busy())),
            Err(_) => Err(busy()),
        }
    }

    /// Connections that nobody uses.
    pub(super) fn idle(&self) -> usize {
        self.0.inner.status().available
    }

    /// Connections that are open.
    pub(super) fn open(&self) -> usize {
        self.0.inner.status().size
    }

    /// Closes so many idle connections.
    pub(super) fn close_idle(&self, number: usize) {
        close_idle(&self.0.inner, number);
    }

    /// A connection has become idle.
    pub(super) fn returned(&self) {
        self.0.places.clear();
    }

    /// Whether this was [noted](Self::note_made) as the last thing made on a connection.
    pub(super) fn has_made(&self, client: &deadpool_postgres::Client, what: u64) -> bool {
        let made = self.0.made.lock().unwrap_or_else(PoisonError::into_inner);
        made.iter().any(|(of, made)| {
            *made == what && std::ptr::eq(of.as_ptr(), Arc::as_ptr(&client.statement_cache))
        })
    }

    /// Notes that a connection has what its user wanted made on it.
    pub(super) fn note_made(&self, client: &deadpool_postgres::Client, what: u64) {
        let cache = &client.statement_cache;
        let mut made = self.0.made.lock().unwrap_or_else(PoisonError::into_inner);
        made.retain(|(of, _)| of.strong_count() > 0 && !std::ptr::eq(of.as_ptr(), Arc::as_ptr(cache)));
        made.push((Arc::downgrade(cache), what));
    }

    /// A place for a connection beside deadpool's, for whoever holds a slot.
    pub(super) async fn place_outside(&self) -> ConnectionPermit {
        self.0.places.take().await
    }

    /// Asks the server to cancel what a session is doing. It is asked of every server of the connection
    /// string: the session is on one of them, and to the others its key means nothing.
    pub(super) async fn cancel(&self, session: &CancelToken) {
        for server in &self.0.dsn.servers {
            cancel(&self.0.dsn, server, self.0.tls.as_ref(), session).await;
        }
    }

    /// Where the last login succeeded.
    pub(super) fn found(&self) -> Option<LoggedIn> {
        *self.0.found.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn tls(&self) -> Option<&Connector> {
        self.0.tls.as_ref()
    }
}

/// Opens connections for deadpool.
struct Opener {
    dsn: Arc<ConnInfo>,
    tls: Option<Connector>,
    found: Arc<Mutex<Option<LoggedIn>>>,
    places: Arc<ConnectionPermits>,
}

impl Connect for Opener {
    fn connect(
        &self,
        _: &tokio_postgres::Config,
    ) -> BoxFuture<'_, Result<(tokio_postgres::Client, JoinHandle<()>), tokio_postgres::Error>> {
        async move {
            let place = self.places.take().await;
            match open(&self.dsn, self.tls.as_ref(), &place).await {
                Ok(session) => {
                    let found = LoggedIn { server: session.server, tls_use: session.tls_use };
                    *self.found.lock().unwrap_or_else(PoisonError::into_inner) = Some(found);
                    Ok((session.client, session.driver))
                }
                Err(error) => Err(carry(error).await),
            }
        }
        .boxed()
    }
}
