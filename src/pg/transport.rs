//! The transport to a server: a TCP connection, one with TLS in it, or a Unix socket.
//!
//! [`dial`] does what stands before PostgreSQL's own start-up message: the lookup, the socket with its
//! keepalives, the request for TLS and the handshake. Both drivers use wires dialled here (sqlx by way of a
//! relay), so both reach the same place under the same protection. Never sends a login.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio_postgres::tls::{ChannelBinding, TlsStream};

use super::dsn::{ConnInfo, Host, Keepalive, Negotiation, Server, SslMode};
use super::tls::{Connector, Encrypted};

/// The request for TLS: length 8, code 80877103.
const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f];

/// A connected byte stream to a server.
pub(super) enum Transport {
    Tcp(TcpStream),
    Tls(Box<Encrypted>),
    Unix(UnixStream),
}

/// Whether TLS is tried on this attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TlsUse {
    /// As the settings say.
    AsAsked,
    /// Plaintext: the second attempt under `prefer`.
    Never,
}

/// Why no wire could be had.
#[derive(Debug)]
pub(super) enum DialError {
    /// The host's name has no address.
    Lookup(io::Error),
    /// No connection: refused, unreachable, no such socket.
    Connect(io::Error),
    /// Nobody answered in time.
    Timeout(Duration),
    /// The server does not offer TLS, and it was required.
    TlsNotOffered,
    /// The handshake failed: a certificate that is not trusted, no common version.
    Handshake(io::Error),
    /// The server closed the connection, or answered what no PostgreSQL answers.
    Answer(io::Error),
}

/// Connects to one server: each address of it in turn, within the time limit each.
pub(super) async fn dial(
    dsn: &ConnInfo,
    server: &Server,
    tls: Option<&Connector>,
    tls_use: TlsUse,
) -> Result<Transport, DialError> {
    let limit = dsn.connect_timeout;
    match &server.host {
        Host::Unix(dir) => {
            let path = dir.join(format!(".s.PGSQL.{}", server.port));
            let stream = within(limit, UnixStream::connect(path)).await?.map_err(DialError::Connect)?;
            Ok(Transport::Unix(stream))
        }
        Host::Tcp { name, addr } => {
            let stream =
                tcp(name, addr.map(|ip| SocketAddr::new(ip, server.port)), server.port, limit).await?;
            tune(&stream, &dsn.keepalive).map_err(DialError::Connect)?;
            match tls.filter(|_| tls_use == TlsUse::AsAsked) {
                Some(tls) => within(limit, encrypt(dsn, name, stream, tls)).await?,
                None => Ok(Transport::Tcp(stream)),
            }
        }
    }
}

async fn tcp(
    name: &str,
    addr: Option<SocketAddr>,
    port: u16,
    limit: Option<Duration>,
) -> Result<TcpStream, DialError> {
    let addrs: Vec<SocketAddr> = match addr {
        Some(addr) => vec![addr],
        None => {
            within(limit, tokio::net::lookup_host((name, port))).await?.map_err(DialError::Lookup)?.collect()
        }
    };
    let mut last = DialError::Lookup(io::Error::new(io::ErrorKind::NotFound, "the name has no address"));
    for addr in addrs {
        match within(limit, TcpStream::connect(addr)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => last = DialError::Connect(error),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// A peer that went away without a word must be noticed: probes while silent, a limit while data is on its
/// way.
fn tune(stream: &TcpStream, keepalive: &Keepalive) -> io::Result<()> {
    use rustix::net::sockopt;
    stream.set_nodelay(true)?;
    sockopt::set_socket_keepalive(stream, keepalive.probes)?;
    if keepalive.probes {
        if let Some(idle) = keepalive.idle {
            sockopt::set_tcp_keepidle(stream, idle)?;
        }
        if let Some(interval) = keepalive.interval {
            sockopt::set_tcp_keepintvl(stream, interval)?;
        }
        if let Some(count) = keepalive.count {
            sockopt::set_tcp_keepcnt(stream, count)?;
        }
    }
    #[cfg(target_os = "linux")]
    if let Some(limit) = keepalive.user_timeout {
        sockopt::set_tcp_user_timeout(stream, u32::try_from(limit.as_millis()).unwrap_or(u32::MAX))?;
    }
    Ok(())
}

async fn encrypt(
    dsn: &ConnInfo,
    name: &str,
    mut stream: TcpStream,
    tls: &Connector,
) -> Result<Transport, DialError> {
    if dsn.tls.negotiation == Negotiation::Postgres {
        stream.write_all(&SSL_REQUEST).await.map_err(DialError::Answer)?;
        // Exactly one byte is read: anything an attacker put behind it in plaintext becomes a broken
        // handshake.
        match stream.read_u8().await.map_err(DialError::Answer)? {
            b'S' => {}
            b'N' if dsn.tls.mode == SslMode::Prefer => return Ok(Transport::Tcp(stream)),
            b'N' => return Err(DialError::TlsNotOffered),
            _ => {
                let error = io::Error::new(io::ErrorKind::InvalidData, "not an answer of PostgreSQL");
                return Err(DialError::Answer(error));
            }
        }
    }
    let encrypted = tls.handshake(name, stream).await.map_err(DialError::Handshake)?;
    Ok(Transport::Tls(Box::new(encrypted)))
}

/// Runs a step within the limit of the connection, if there is one.
pub(super) async fn within<F: Future>(limit: Option<Duration>, step: F) -> Result<F::Output, DialError> {
    match limit {
        Some(limit) => tokio::time::timeout(limit, step).await.map_err(|_| DialError::Timeout(limit)),
        None => Ok(step.await),
    }
}

impl Transport {
    pub(super) fn is_encrypted(&self) -> bool {
        matches!(self, Self::Tls(_))
    }

    fn stream(self: Pin<&mut Self>) -> Pin<&mut dyn Duplex> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream),
            Self::Tls(stream) => Pin::new(stream.as_mut()),
            Self::Unix(stream) => Pin::new(stream),
        }
    }
}

trait Duplex: AsyncRead + AsyncWrite + Unpin {}
impl<T: AsyncRead + AsyncWrite + Unpin> Duplex for T {}

impl AsyncRead for Transport {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.stream().poll_read(cx, buf)
    }
}

impl AsyncWrite for Transport {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.stream().poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream().poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream().poll_shutdown(cx)
    }
}

impl TlsStream for Transport {
    fn channel_binding(&self) -> ChannelBinding {
        match self {
            Self::Tls(stream) => stream.channel_binding(),
            Self::Tcp(_) | Self::Unix(_) => ChannelBinding::none(),
        }
    }
}

#[cfg(test)]
mod tests {
    use rustix::net::sockopt;

    use super::*;

    async fn dialled(parameters: &str) -> TcpStream {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let dsn = ConnInfo::parse(&format!("postgres://u@127.0.0.1:{port}/db?sslmode=disable{parameters}"))
            .unwrap();
        match dial(&dsn, &dsn.servers[0], None, TlsUse::AsAsked).await.unwrap() {
            Transport::Tcp(stream) => stream,
            Transport::Tls(_) | Transport::Unix(_) => panic!("not TCP"),
        }
    }

    #[tokio::test]
    async fn a_peer_that_went_away_is_noticed_within_a_minute() {
        let stream = dialled("").await;
        assert!(sockopt::socket_keepalive(&stream).unwrap());
        let idle = sockopt::tcp_keepidle(&stream).unwrap();
        let interval = sockopt::tcp_keepintvl(&stream).unwrap();
        let count = sockopt::tcp_keepcnt(&stream).unwrap();
        assert!(idle + interval * count <= Duration::from_secs(60), "{idle:?} + {interval:?} * {count}");
        let unacknowledged = Duration::from_millis(sockopt::tcp_user_timeout(&stream).unwrap().into());
        assert!(!unacknowledged.is_zero() && unacknowledged <= Duration::from_secs(60), "{unacknowledged:?}");
    }

    #[tokio::test]
    async fn the_connection_string_may_set_other_limits() {
        let stream =
            dialled("&keepalives_idle=7&keepalives_interval=3&keepalives_count=2&tcp_user_timeout=9000")
                .await;
        assert_eq!(sockopt::tcp_keepidle(&stream).unwrap(), Duration::from_secs(7));
        assert_eq!(sockopt::tcp_keepintvl(&stream).unwrap(), Duration::from_secs(3));
        assert_eq!(sockopt::tcp_keepcnt(&stream).unwrap(), 2);
        assert_eq!(sockopt::tcp_user_timeout(&stream).unwrap(), 9000);
        assert!(!sockopt::socket_keepalive(dialled("&keepalives=0").await).unwrap());
    }
}
