//! The pool: all connections that a load ever has.
//!
//! A deadpool-postgres pool whose connections are opened by `connect`, so that its errors say what the caller
//! can do. A connection that broke is noticed when it is handed out (`Fast`: no query for it) and replaced.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use deadpool_postgres::{
    Connect, Manager, ManagerConfig, PoolError, RecyclingMethod, Runtime, StatementCache,
};
use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_postgres::CancelToken;

use super::connect::{cancel, carried, carry, open};
use super::dsn::Dsn;
use super::error::PgError;
use super::tls::{self, Connector};
use super::wire::TlsUse;

/// A connection of the pool; returned to it on drop.
pub use deadpool_postgres::Client;

/// How long a caller waits for a connection in use. Writers hold one each and there are as many as
/// connections, so waiting at all is a defect: better an error than a hang.
const WAIT_LIMIT: Duration = Duration::from_secs(60);

/// Connections to one database, as one user.
#[derive(Clone)]
pub struct Pool {
    inner: deadpool_postgres::Pool,
    dsn: Arc<Dsn>,
    tls: Option<Connector>,
    busy: Arc<Busy>,
    found: Arc<Mutex<Option<Found>>>,
    answer_limit: Option<Duration>,
    made: Arc<Mutex<Made>>,
}

/// What was made on which connection. A connection is known by its cache of statements, which is one
/// allocation for as long as we hold on to it, even weakly.
type Made = Vec<(Weak<StatementCache>, u64)>;

/// Where a login succeeded, and how.
#[derive(Debug, Clone, Copy)]
pub(super) struct Found {
    pub(super) server: usize,
    pub(super) tls_use: TlsUse,
}

/// Sessions in use, with what it takes to cancel what they do.
#[derive(Default)]
struct Busy {
    next: AtomicU64,
    tokens: Mutex<HashMap<u64, CancelToken>>,
    /// One of them has ended.
    ended: Notify,
}

impl Busy {
    fn tokens(&self) -> MutexGuard<'_, HashMap<u64, CancelToken>> {
        self.tokens.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A session is in use until this is dropped.
pub(super) struct InUse {
    busy: Arc<Busy>,
    id: u64,
}

impl Drop for InUse {
    fn drop(&mut self) {
        self.busy.tokens().remove(&self.id);
        self.busy.ended.notify_one();
    }
}

/// Opens a pool of at most `size` connections; one is opened at once, so that what is wrong is said now.
///
/// # Errors
/// If no server of the connection string lets us in.
pub async fn connect_pool(dsn: &Dsn, size: usize) -> Result<Pool, PgError> {
    let dsn = Arc::new(dsn.clone());
    let tls = tls::connector(&dsn.tls)?;
    let found = Arc::default();
    let opener = Opener { dsn: Arc::clone(&dsn), tls: tls.clone(), found: Arc::clone(&found) };
    let recycling = ManagerConfig { recycling_method: RecyclingMethod::Fast };
    // The driver's own configuration stays empty: the opener knows better, and deadpool would print it.
    let manager = Manager::from_connect(tokio_postgres::Config::new(), opener, recycling);
    let inner = deadpool_postgres::Pool::builder(manager)
        .max_size(size.max(1))
        .runtime(Runtime::Tokio1)
        .wait_timeout(Some(WAIT_LIMIT))
        .build()
        .map_err(|error| PgError::Local { doing: "build the pool", source: std::io::Error::other(error) })?;
    let pool =
        Pool { inner, dsn, tls, busy: Arc::default(), found, answer_limit: None, made: Arc::default() };
    drop(pool.get().await?);
    Ok(pool)
}

impl Pool {
    /// What the server does not answer within the limit counts as a lost connection, on every session that says
    /// nothing else.
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
    /// If none can be opened, or all stayed in use.
    pub async fn get(&self) -> Result<Client, PgError> {
        match self.inner.get().await {
            Ok(client) => Ok(client),
            Err(PoolError::Backend(error)) => Err(carried(error)
                .unwrap_or_else(|()| PgError::PoolBusy { place: self.place(), waited: WAIT_LIMIT })),
            Err(_) => Err(PgError::PoolBusy { place: self.place(), waited: WAIT_LIMIT }),
        }
    }

    /// The most connections there may be.
    #[must_use]
    pub fn max_size(&self) -> usize {
        self.inner.status().max_size
    }

    /// A connection can be had without waiting for another user of it.
    #[must_use]
    pub fn has_idle(&self) -> bool {
        let status = self.inner.status();
        status.available > 0 || status.size < status.max_size
    }

    /// Somebody waits for a connection.
    #[must_use]
    pub fn is_short(&self) -> bool {
        self.inner.status().waiting > 0
    }

    /// Waits until a connection is idle, or none is open: whoever then asks for one opens no further one beside
    /// those in use.
    pub(super) async fn spare(&self) {
        while self.inner.status().available == 0 && !self.busy.tokens().is_empty() {
            self.busy.ended.notified().await;
        }
    }

    /// Allows fewer (or more) connections; those in use stay until they are returned. Never below one.
    pub fn resize(&self, size: usize) {
        self.inner.resize(size.max(1));
    }

    /// Asks the server to cancel what a session is doing. It is asked of every server of the connection string:
    /// the session is on one of them, and to the others its key means nothing.
    pub async fn cancel(&self, session: &CancelToken) {
        for server in &self.dsn.servers {
            cancel(&self.dsn, server, self.tls.as_ref(), session).await;
        }
    }

    /// Where the last login succeeded.
    pub(super) fn found(&self) -> Option<Found> {
        *self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) const fn tls(&self) -> Option<&Connector> {
        self.tls.as_ref()
    }

    /// Whether this was [noted](Self::note_made) as the last thing made on a connection.
    pub(super) fn has_made(&self, client: &Client, what: u64) -> bool {
        let made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        made.iter().any(|(of, made)| {
            *made == what && std::ptr::eq(of.as_ptr(), Arc::as_ptr(&client.statement_cache))
        })
    }

    /// Notes that a connection has what its user wanted made on it.
    pub(super) fn note_made(&self, client: &Client, what: u64) {
        let cache = &client.statement_cache;
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        made.retain(|(of, _)| of.strong_count() > 0 && !std::ptr::eq(of.as_ptr(), Arc::as_ptr(cache)));
        made.push((Arc::downgrade(cache), what));
    }

    /// Notes that a connection is in use.
    pub(super) fn in_use(&self, client: &Client) -> InUse {
        let id = self.busy.next.fetch_add(1, Ordering::Relaxed);
        self.busy.tokens().insert(id, client.cancel_token());
        InUse { busy: Arc::clone(&self.busy), id }
    }

    /// What it takes to cancel whatever the sessions in use are doing at the moment.
    #[must_use]
    pub fn busy(&self) -> Vec<CancelToken> {
        self.busy.tokens().values().cloned().collect()
    }

    /// Gives a connection up, in place of returning it: after any error that says the session is lost. Its end
    /// may not have been noticed yet, and the next one to ask would be handed a dead connection.
    pub fn discard(client: Client) {
        drop(Client::take(client));
    }

    /// Closes the idle connections: whoever asks next gets a new one.
    pub fn drop_idle(&self) {
        self.inner.retain(|_, _| false);
    }

    /// `host:port/dbname`.
    #[must_use]
    pub fn place(&self) -> String {
        self.dsn.describe()
    }

    /// What it connects to.
    #[must_use]
    pub fn dsn(&self) -> &Dsn {
        &self.dsn
    }
}

/// Opens connections for deadpool.
struct Opener {
    dsn: Arc<Dsn>,
    tls: Option<Connector>,
    found: Arc<Mutex<Option<Found>>>,
}

impl Connect for Opener {
    fn connect(
        &self,
        _: &tokio_postgres::Config,
    ) -> BoxFuture<'_, Result<(tokio_postgres::Client, JoinHandle<()>), tokio_postgres::Error>> {
        async move {
            match open(&self.dsn, self.tls.as_ref()).await {
                Ok(session) => {
                    let found = Found { server: session.server, tls_use: session.tls_use };
                    *self.found.lock().unwrap_or_else(PoisonError::into_inner) = Some(found);
                    Ok((session.client, session.driver))
                }
                Err(error) => Err(carry(error).await),
            }
        }
        .boxed()
    }
}
