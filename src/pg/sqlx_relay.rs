//! The way of sqlx to the server that the pool uses.
//!
//! sqlx knows less than libpq: it trusts the system's authorities beside an `sslrootcert` file, has no
//! keepalives, no `hostaddr`, no `target_session_attrs`, one host, and reads `PG*` by itself. So it does not
//! dial: it connects to a Unix socket in a directory that only this user may enter; a relay hands its bytes
//! to a wire dialled in `transport`, as for the pool, to the server where tokio-postgres has just logged in.
//! The directory is gone as soon as sqlx has connected; the relay ends with the connection.
//!
//! Never logs a statement, never caches one (a pooler may be in between).

use std::fs::File;
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::FutureExt as _;
use futures::future::BoxFuture;
use sqlx::ConnectOptions;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgSslMode};
use tokio::io::AsyncWriteExt;
use tokio::net::{UnixListener, UnixStream};

use super::connect::open;
use super::counted_transport::{CountedTransport, FAREWELL};
use super::db_error::{DbError, ServerError};
use super::driver_error::{is_lost, of_driver};
use super::dsn::{ChannelBinding, ConnInfo, Server};
use super::error::PgError;
use super::frame_limit::FrameLimited;
use super::lease::{Lease, Lent};
use super::pool::LoggedIn;
use super::sqlstate::{BROKEN_OFF, has_no_connection};
use super::tls::{self, Connector};
use super::transport::{TlsUse, Transport, dial, within};

/// The port in the name of the relay's socket; nothing else listens in that directory.
const RELAY_PORT: u16 = 5432;
/// How long the relay waits for sqlx, which comes at once.
const ACCEPTING: Duration = Duration::from_secs(10);
/// A session that was closed counts against the limit of connections until the server has noticed.
const SLOT_PATIENCE: Duration = Duration::from_secs(5);
const SLOT_PAUSE: Duration = Duration::from_millis(20);

/// Connects sqlx to the server that the pool uses, as the same user, under the same protection. The
/// connection is one of the load's like any other: it waits for its turn, and counts until the server has
/// closed it.
///
/// # Errors
/// As [`connect_pool`](super::connect_pool).
pub async fn connect_sqlx(lease: &Lease) -> Result<PgConnection, PgError> {
    let dsn = lease.dsn();
    let lent = Arc::new(lease.lend().await?);
    // Where the pool has just been. Should that not do any more, the longer way finds another, or says what
    // is wrong.
    if let Some((server, found)) = place_of(lease)
        && let Ok(connection) = log_in(lease, server, lease.pool().tls(), found.tls_use, &lent).await
    {
        return Ok(connection);
    }
    // A connector of its own: a certificate that is pinned here must not be asked of the pool's next server.
    let tls = tls::connector(&dsn.tls)?;
    // The first login chooses the server and says what is wrong in our own words; it is over before the
    // second.
    let place = &lent.place;
    let session = as_soon_as_there_is_a_slot(lease, || open(dsn, tls.as_ref(), place).boxed()).await?;
    let server = &dsn.servers[session.server];
    drop(session.client);
    let _ = within(dsn.connect_timeout, session.driver).await;
    if let (Some(tls), ChannelBinding::Require) = (&tls, dsn.channel_binding) {
        // sqlx cannot bind its login to the channel. The login just made was bound, so its certificate is the
        // server's.
        tls.pin();
    }
    log_in(lease, server, tls.as_ref(), session.tls_use, &lent).await
}

/// As [`connect_sqlx`], in one try and while a session of the pool is in use; `None` where that does not do,
/// whatever the reason. It does not wait for its turn: who holds a session and waits for another could wait
/// for one that does the same.
pub async fn connect_sqlx_beside(lease: &Lease) -> Option<PgConnection> {
    let (server, found) = place_of(lease)?;
    let lent = Arc::new(lease.try_lend().await?);
    connect(lease.dsn(), server, lease.pool().tls(), found.tls_use, &lent).await.ok()
}

/// Where the pool has just logged in, if a login of sqlx can be as safe there.
fn place_of(lease: &Lease) -> Option<(&Server, LoggedIn)> {
    let found = lease.pool().found().filter(|_| lease.dsn().channel_binding != ChannelBinding::Require)?;
    Some((lease.dsn().servers.get(found.server)?, found))
}

async fn log_in(
    lease: &Lease,
    server: &Server,
    tls: Option<&Connector>,
    tls_use: TlsUse,
    lent: &Arc<Lent>,
) -> Result<PgConnection, PgError> {
    let login = || connect(lease.dsn(), server, tls, tls_use, lent).boxed();
    as_soon_as_there_is_a_slot(lease, login).await
}

/// What nobody uses is closed for it, where the server has no other.
async fn as_soon_as_there_is_a_slot<'s, T>(
    lease: &Lease,
    mut login: impl FnMut() -> BoxFuture<'s, Result<T, PgError>>,
) -> Result<T, PgError> {
    let since = Instant::now();
    loop {
        let outcome = login().await;
        let full = outcome.as_ref().is_err_and(|error| error.server().is_some_and(has_no_connection));
        if !full || since.elapsed() >= SLOT_PATIENCE {
            return outcome;
        }
        lease.make_room();
        tokio::time::sleep(SLOT_PAUSE).await;
    }
}

async fn connect(
    dsn: &ConnInfo,
    server: &Server,
    tls: Option<&Connector>,
    tls_use: TlsUse,
    lent: &Arc<Lent>,
) -> Result<PgConnection, PgError> {
    let dialled = dial(dsn, server, tls, tls_use).await;
    let transport = dialled.map_err(|error| PgError::from_dial(dsn, server, error))?;
    let door = Relay::open(transport, Arc::clone(lent))
        .map_err(|source| PgError::Local { doing: "open a socket for sqlx", source })?;
    let path = door.path.clone();
    let connected = within(dsn.connect_timeout, options(dsn, server, &path, RELAY_PORT).connect()).await;
    match connected {
        Ok(connected) => {
            connected.map_err(|error| PgError::statement("open a connection for the ledger", error))
        }
        Err(timeout) => Err(PgError::from_dial(dsn, server, timeout)),
    }
}

/// Everything is said, so that nothing comes from sqlx's own look at `PG*`.
fn options(dsn: &ConnInfo, server: &Server, socket_dir: &Path, port: u16) -> PgConnectOptions {
    let mut options = PgConnectOptions::new_without_pgpass()
        .socket(socket_dir)
        .port(port)
        .ssl_mode(PgSslMode::Disable)
        .username(&dsn.user)
        .password(server.password.as_ref().map_or("", |password| password.reveal()))
        .database(&dsn.dbname)
        .application_name(&dsn.application_name)
        .statement_cache_capacity(0)
        .extra_float_digits(None) // PgBouncer refuses start-up parameters that it does not know
        .disable_statement_logging();
    if let Some(text) = dsn.options.as_deref().filter(|text| options.get_options() != Some(text)) {
        options = options.options(settings(text));
    }
    options
}

/// The `name=value` settings of libpq's `options`: `-c name=value`, `-cname=value`, `--name=value`, or bare
/// (what some hosted servers route by).
fn settings(text: &str) -> Vec<(String, String)> {
    let mut words = vec![String::new()];
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (c, words.last_mut()) {
            ('\\', Some(word)) => word.extend(chars.next()),
            (c, _) if c.is_whitespace() => words.push(String::new()),
            (c, Some(word)) => word.push(c),
            (_, None) => {}
        }
    }
    let setting = |word: &String| {
        let word = word.strip_prefix("--").or_else(|| word.strip_prefix("-c")).unwrap_or(word);
        word.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()))
    };
    words.iter().filter_map(setting).collect()
}

impl From<sqlx::Error> for DbError {
    fn from(error: sqlx::Error) -> Self {
        use sqlx::postgres::{PgDatabaseError, PgSeverity};
        let db = error.as_database_error().and_then(|e| e.try_downcast_ref::<PgDatabaseError>());
        let Some(db) = db else {
            let is_lost = match &error {
                sqlx::Error::Io(io) => is_lost(io),
                sqlx::Error::WorkerCrashed | sqlx::Error::PoolClosed => true,
                _ => false,
            };
            return of_driver(is_lost, Arc::new(error));
        };
        let ended_session = matches!(db.severity(), PgSeverity::Fatal | PgSeverity::Panic);
        Self::from(ServerError {
            sqlstate: db.code().to_owned(),
            ended_session: ended_session || db.code() == BROKEN_OFF,
            message: db.message().to_owned(),
            detail: db.detail().map(str::to_owned),
            constraint: db.constraint().map(str::to_owned),
            schema: db.schema().map(str::to_owned),
            table: db.table().map(str::to_owned),
            column: db.column().map(str::to_owned),
        })
    }
}

/// The directory with the relay's socket; removed on drop. It is kept locked as long, so that a later start
/// can tell whether its owner has gone without removing it (`kill -9`), and removes it then.
struct Relay {
    path: PathBuf,
    _lock: File,
}

/// What the names of such directories begin with; the process follows.
const DOOR: &str = "dbload-door-";

impl Relay {
    /// Listens for one connection and relays it until either side ends, the server's if it does so soon.
    fn open(transport: Transport, lent: Arc<Lent>) -> io::Result<Self> {
        let transport = FrameLimited::new(CountedTransport::new(transport, Arc::clone(&lent.place)));
        let door = private_dir()?;
        let listener = UnixListener::bind(door.path.join(format!(".s.PGSQL.{RELAY_PORT}")))?;
        tokio::spawn(async move {
            let relayed = async {
                // Whoever was to come may have been given up meanwhile.
                let (local, _) = tokio::time::timeout(ACCEPTING, listener.accept()).await??;
                drop(listener);
                relay(local, transport).await
            };
            if let Err(error) = relayed.await {
                tracing::debug!(%error, "the connection of sqlx broke");
            }
            drop(lent);
        });
        Ok(door)
    }
}

async fn relay(
    mut local: UnixStream,
    transport: FrameLimited<CountedTransport<Transport>>,
) -> io::Result<()> {
    let (mut from_wire, mut to_wire) = tokio::io::split(transport);
    let (mut from_local, mut to_local) = local.split();
    let out = async {
        tokio::io::copy(&mut from_local, &mut to_wire).await?;
        to_wire.shutdown().await
    };
    let mut back = std::pin::pin!(tokio::io::copy(&mut from_wire, &mut to_local));
    tokio::select! {
        sent = out => sent?,
        received = &mut back => return received.map(|_| ()),
    }
    // Nothing more goes out: the server closes, and its answer is nobody's any more.
    let _ = tokio::time::timeout(FAREWELL, back).await;
    Ok(())
}

impl Drop for Relay {
    fn drop(&mut self) {
        // What is left behind is an empty directory for this user alone, which the next start removes.
        let _ = std::fs::remove_dir_all(&self.path);
    }
}

/// Removes what processes left that have gone. Best effort.
fn sweep(parent: &Path) {
    for entry in std::fs::read_dir(parent).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let Some(owner) =
            name.to_str().and_then(|name| name.strip_prefix(DOOR)?.split('-').next()?.parse().ok())
        else {
            continue;
        };
        let meta = std::fs::symlink_metadata(entry.path());
        let ours = meta.is_ok_and(|meta| meta.is_dir() && meta.uid() == rustix::process::geteuid().as_raw());
        // One that was made this moment may not be locked yet. (In another container its process is not to be
        // seen, but the lock is.)
        let is_alive = rustix::process::Pid::from_raw(owner)
            .is_none_or(|owner| rustix::process::test_kill_process(owner).is_ok());
        if ours && !is_alive && File::open(entry.path()).is_ok_and(|dir| dir.try_lock().is_ok()) {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

/// A new directory that only this user may enter, with a path short enough for a socket's.
fn private_dir() -> io::Result<Relay> {
    /// Sockets' paths hold 108 bytes on Linux, 104 elsewhere; the socket's name takes 14.
    const DIR_LIMIT_BYTES: usize = 80;
    let mut last = io::Error::new(io::ErrorKind::NotFound, "no directory for temporary files");
    for parent in [std::env::temp_dir(), PathBuf::from("/tmp"), PathBuf::from("/dev/shm")] {
        // The tail of a version 7 UUID is random.
        let random = uuid::Uuid::now_v7().simple().to_string();
        let dir = parent.join(format!("{DOOR}{}-{}", std::process::id(), &random[random.len() - 12..]));
        if dir.as_os_str().len() > DIR_LIMIT_BYTES {
            continue;
        }
        sweep(&parent);
        // Creating fails where the name is taken: nobody can have put it there first.
        let made = std::fs::DirBuilder::new().mode(0o700).create(&dir).and_then(|()| File::open(&dir));
        match made {
            Ok(lock) => {
                lock.try_lock()?;
                return Ok(Relay { path: dir, _lock: lock });
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

#[cfg(test)]
mod tests {
    use super::settings;

    #[test]
    fn settings_are_read_from_every_form_of_options() {
        let read = |text: &str| {
            settings(text).into_iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>()
        };
        assert_eq!(read("-c a=1 -cb=2  --c=3 endpoint=x -d"), ["a=1", "b=2", "c=3", "endpoint=x"]);
        assert_eq!(read(r"-c search_path=a,\ b\\c"), [r"search_path=a, b\c"]);
        assert!(read("").is_empty());
    }
}
