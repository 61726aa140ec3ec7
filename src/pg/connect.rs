//! Opening sessions: the servers of a connection string in turn, until one lets us in.
//!
//! As libpq: the next server is tried where nobody answers, where one is starting up, and where one does not
//! take writes though that was asked for; a server that refuses the login ends the search. The time limit
//! covers the whole attempt, the login too. Notices are dropped: a trigger's may quote records.

use std::convert::Infallible;
use std::future::{Ready, poll_fn, ready};

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::JoinHandle;
use tokio_postgres::config::{SslMode as DriverSslMode, SslNegotiation};
use tokio_postgres::tls::{TlsConnect, TlsStream};
use tokio_postgres::{AsyncMessage, CancelToken, Client, Config, Connection, SimpleQueryMessage};

use super::counted_transport::CountedTransport;
use super::dsn::{ChannelBinding, ConnInfo, Server, SessionTarget, SslMode};
use super::error::PgError;
use super::frame_limit::FrameLimited;
use super::places::ConnectionPermit;
use super::sqlstate::{is_denied_by_host, is_starting_up};
use super::tls::Connector;
use super::transport::{TlsUse, Transport, dial, within};

/// A session, the task that drives it, and which of the servers it is on.
pub(super) struct DialledSession {
    pub(super) client: Client,
    pub(super) driver: JoinHandle<()>,
    pub(super) server: usize,
    pub(super) tls_use: TlsUse,
}

/// A client with the task that drives it.
type Driven = (Client, JoinHandle<()>);

/// Opens a session on the first server that will do. It takes the place until the server has closed it.
pub(super) async fn open(
    dsn: &ConnInfo,
    tls: Option<&Connector>,
    place: &ConnectionPermit,
) -> Result<DialledSession, PgError> {
    let mut last = None;
    for at in order(dsn) {
        match open_on(dsn, &dsn.servers[at], tls, place).await {
            Ok(((client, driver), tls_use)) => {
                return Ok(DialledSession { client, driver, server: at, tls_use });
            }
            // A server that answered and takes no writes says more than another one's silence.
            Err(error) if tries_next(&error) => {
                last = last.filter(|last| matches!(last, PgError::ReadOnly { .. })).or(Some(error));
            }
            Err(error) => return Err(error),
        }
    }
    Err(last.unwrap_or_else(|| PgError::ReadOnly { place: dsn.describe() }))
}

/// The servers' order: as given, or from a random one on (which spreads many connections well enough).
fn order(dsn: &ConnInfo) -> impl Iterator<Item = usize> + use<> {
    use std::hash::{BuildHasher, RandomState};
    let count = dsn.servers.len();
    let random = usize::try_from(RandomState::new().hash_one(0_u8) >> 32).unwrap_or(0);
    let first = if dsn.shuffle_hosts { random % count.max(1) } else { 0 };
    (0..count).map(move |at| (first + at) % count)
}

fn tries_next(error: &PgError) -> bool {
    match error {
        PgError::Unreachable { .. } | PgError::ReadOnly { .. } => true,
        PgError::Refused { source, .. } => is_starting_up(source),
        _ => false,
    }
}

/// One server. Under `prefer` a failed handshake, or a login denied over TLS, is tried again without, as
/// libpq does.
async fn open_on(
    dsn: &ConnInfo,
    server: &Server,
    tls: Option<&Connector>,
    place: &ConnectionPermit,
) -> Result<(Driven, TlsUse), PgError> {
    let (encrypted, error) = match attempt(dsn, server, tls, TlsUse::AsAsked, place).await {
        Ok(driven) => return Ok((driven, TlsUse::AsAsked)),
        Err(failed) => failed,
    };
    let denied = matches!(&error, PgError::Login { .. }) && error.server().is_some_and(is_denied_by_host);
    let handshake = matches!(&error, PgError::Tls { .. });
    if dsn.tls.mode == SslMode::Prefer && (handshake || (encrypted && denied)) {
        let second = attempt(dsn, server, tls, TlsUse::Never, place).await;
        return second.map(|driven| (driven, TlsUse::Never)).map_err(|(_, error)| error);
    }
    Err(error)
}

/// One attempt; an error says whether the wire was encrypted.
async fn attempt(
    dsn: &ConnInfo,
    server: &Server,
    tls: Option<&Connector>,
    tls_use: TlsUse,
    place: &ConnectionPermit,
) -> Result<Driven, (bool, PgError)> {
    let dialled = dial(dsn, server, tls, tls_use).await;
    let transport = dialled.map_err(|error| (false, PgError::from_dial(dsn, server, error)))?;
    let encrypted = transport.is_encrypted();
    let login = async {
        let config = startup_config(dsn, server);
        let (client, connection) = config
            .connect_raw(
                FrameLimited::new(CountedTransport::new(transport, ConnectionPermit::clone(place))),
                Dialled,
            )
            .await
            .map_err(|error| PgError::from_startup(dsn, server, error))?;
        let driver = tokio::spawn(drive(connection));
        if dsn.target == SessionTarget::ReadWrite && is_read_only(dsn, server, &client).await? {
            driver.abort();
            return Err(PgError::ReadOnly { place: dsn.describe() });
        }
        Ok((client, driver))
    };
    match within(dsn.connect_timeout, login).await {
        Ok(session) => session.map_err(|error| (encrypted, error)),
        Err(timeout) => Err((encrypted, PgError::from_dial(dsn, server, timeout))),
    }
}

async fn is_read_only(dsn: &ConnInfo, server: &Server, client: &Client) -> Result<bool, PgError> {
    let answer = client.simple_query("SHOW transaction_read_only").await;
    let messages = answer.map_err(|error| PgError::from_startup(dsn, server, error))?;
    Ok(messages.iter().any(|message| match message {
        SimpleQueryMessage::Row(row) => row.get(0) == Some("on"),
        _ => false,
    }))
}

/// What the driver is told. The wire is dialled already, so it is told that TLS stands (`Require` and
/// `Direct`: it sends no request of its own) and handed the wire by [`Dialled`], plaintext or not.
fn startup_config(dsn: &ConnInfo, server: &Server) -> Config {
    use tokio_postgres::config::ChannelBinding as Binding;
    let mut config = Config::new();
    config
        .user(&dsn.user)
        .dbname(&dsn.dbname)
        .application_name(&dsn.application_name)
        .ssl_mode(DriverSslMode::Require)
        .ssl_negotiation(SslNegotiation::Direct)
        .channel_binding(match dsn.channel_binding {
            ChannelBinding::Disable => Binding::Disable,
            ChannelBinding::Prefer => Binding::Prefer,
            ChannelBinding::Require => Binding::Require,
        });
    if let Some(password) = &server.password {
        config.password(password.reveal());
    }
    if let Some(options) = &dsn.options {
        config.options(options);
    }
    config
}

/// Hands the driver a wire that is dialled already.
pub(super) struct Dialled;

impl<W: TlsStream + Unpin> TlsConnect<W> for Dialled {
    type Stream = W;
    type Error = Infallible;
    type Future = Ready<Result<W, Infallible>>;

    fn connect(self, transport: W) -> Self::Future {
        ready(Ok(transport))
    }
}

/// Drives a session to its end.
async fn drive(
    mut connection: Connection<
        FrameLimited<CountedTransport<Transport>>,
        FrameLimited<CountedTransport<Transport>>,
    >,
) {
    loop {
        match poll_fn(|cx| connection.poll_message(cx)).await {
            Some(Ok(AsyncMessage::Notice(notice))) => {
                tracing::debug!(sqlstate = notice.code().code(), "the server sent a notice");
            }
            Some(Ok(_)) => {}
            // Whoever waits for an answer gets the error too.
            Some(Err(error)) => return tracing::debug!(%error, "the connection broke"),
            None => return,
        }
    }
}

/// Sends a request to cancel to one server. It is best effort by nature: the server does not answer it.
pub(super) async fn cancel(dsn: &ConnInfo, server: &Server, tls: Option<&Connector>, session: &CancelToken) {
    match dial(dsn, server, tls, TlsUse::AsAsked).await {
        Ok(transport) => {
            if let Err(error) = session.cancel_query_raw(transport, Dialled).await {
                tracing::debug!(%error, "a request to cancel broke");
            }
        }
        Err(error) => tracing::debug!(?error, "a request to cancel found no server"),
    }
}

/// Carries an error of ours through the driver's error type, which nobody else can construct: it becomes the
/// cause of a failed TLS handshake. [`carried`] takes it out again.
pub(super) async fn carry(error: PgError) -> tokio_postgres::Error {
    struct Fails(PgError);
    impl<S: AsyncRead + AsyncWrite> TlsConnect<S> for Fails {
        type Stream = Transport;
        type Error = PgError;
        type Future = Ready<Result<Transport, PgError>>;

        fn connect(self, _: S) -> Self::Future {
            ready(Err(self.0))
        }
    }
    let mut config = Config::new();
    config.ssl_mode(DriverSslMode::Require).ssl_negotiation(SslNegotiation::Direct);
    match config.connect_raw(tokio::io::empty(), Fails(error)).await {
        Err(error) => error,
        Ok(_) => unreachable!("the handshake of `Fails` fails"),
    }
}

/// The error that [`carry`] put in.
pub(super) fn carried(error: tokio_postgres::Error) -> Result<PgError, ()> {
    error.into_source().and_then(|cause| cause.downcast::<PgError>().ok()).map(|error| *error).ok_or(())
}
