//! The description of a connection: validated, redacted when it is shown, and not tried yet.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::secret::Secret;

use super::url;

/// Where a load goes.
#[derive(Debug, Clone)]
pub enum ConnectTarget {
    /// A server that the user named.
    Server(Box<ConnInfo>),
    /// dbload's own local server: asked for (`local`), or nothing else was said.
    Local,
}

/// A validated description of a connection. Nothing in it has been tried yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnInfo {
    /// The servers to try, in order; never empty.
    pub servers: Vec<Server>,
    /// The role to log in as.
    pub user: String,
    /// Name of the database.
    pub dbname: String,
    /// Schema for a table named without one (Prisma's `?schema=`).
    pub schema: Option<String>,
    /// How the connection is protected.
    pub tls: Tls,
    /// Whether authentication is bound to the TLS channel.
    pub channel_binding: ChannelBinding,
    /// What the server shows in `pg_stat_activity`.
    pub application_name: String,
    /// Server settings, as command-line options (`-c name=value`).
    pub options: Option<String>,
    /// How long one attempt may take; `None` is no limit.
    pub connect_timeout: Option<Duration>,
    /// How a dead connection is noticed.
    pub keepalive: Keepalive,
    /// What kind of server will do.
    pub target: SessionTarget,
    /// Try the servers in random order.
    pub shuffle_hosts: bool,
    /// The connection string says that a pooler in transaction mode is in between (`pgbouncer=true`).
    pub behind_pooler: bool,
    /// What the user should know: settings without effect here, a password file that was not used.
    pub notes: Vec<String>,
}

/// One server of a connection string.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// Its name or socket.
    pub host: Host,
    /// Its port (also part of a socket's name).
    pub port: u16,
    /// The password for it: the connection string's, or a password file's.
    pub password: Option<Secret>,
}

/// How a server is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Host {
    /// TCP; `addr` (libpq's `hostaddr`) spares the lookup, `name` is what a certificate is checked against.
    Tcp {
        /// Host name or address.
        name: String,
        /// Where to connect without asking the resolver.
        addr: Option<IpAddr>,
    },
    /// The directory of a Unix socket.
    Unix(PathBuf),
}

/// How the connection is protected. Unix sockets never use TLS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tls {
    /// How much is asked for.
    pub mode: SslMode,
    /// Which authorities are trusted, where the certificate is verified.
    pub roots: Roots,
    /// Client certificate and key.
    pub identity: Option<ClientCertificate>,
    /// Whether the handshake starts at once or after PostgreSQL's request.
    pub negotiation: Negotiation,
}

/// libpq's `sslmode`. `allow` is read as `Prefer`: it never protects less.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SslMode {
    /// Plaintext alone: TLS is never tried.
    Disable,
    /// TLS where the server has it, unverified.
    Prefer,
    /// TLS or nothing, unverified. (With `sslrootcert`, libpq and dbload verify: that is `VerifyCa`.)
    Require,
    /// The certificate must come from a trusted authority.
    VerifyCa,
    /// And be made out to the host.
    VerifyFull,
}

/// The authorities that a server's certificate may come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Roots {
    /// Those of the operating system.
    System,
    /// Those of a PEM file, and no others.
    File(PathBuf),
}

/// A client certificate and its private key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientCertificate {
    /// PEM file with the certificate chain.
    pub cert: PathBuf,
    /// PEM file with the private key.
    pub key: PathBuf,
}

/// What libpq's `sslnegotiation` can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Negotiation {
    /// Ask first, then the handshake.
    Postgres,
    /// The handshake at once (PostgreSQL 17 and later).
    Direct,
}

/// What libpq's `channel_binding` can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChannelBinding {
    /// Channel binding is never used.
    Disable,
    /// Used where it is offered.
    Prefer,
    /// A login without it is refused.
    Require,
}

/// How a peer that went away without a word is noticed. Within a minute, by default.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keepalive {
    /// Whether probes are sent at all.
    pub probes: bool,
    /// Silence before the first probe.
    pub idle: Option<Duration>,
    /// Time between two keepalive probes.
    pub interval: Option<Duration>,
    /// Unanswered probes before the connection is given up.
    pub count: Option<u32>,
    /// How long sent data may go unacknowledged.
    pub user_timeout: Option<Duration>,
}

/// libpq's `target_session_attrs`, as far as a program that writes can use it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionTarget {
    /// Any server that lets us in.
    Any,
    /// One that takes writes.
    ReadWrite,
}

impl ConnInfo {
    /// `host:port/dbname`, all servers of it: for reports and messages.
    #[must_use]
    pub fn describe(&self) -> String {
        let servers: Vec<String> = self.servers.iter().map(ToString::to_string).collect();
        let text = format!("{}/{}", servers.join(","), self.dbname);
        // A control character in a name does not steer the reader's terminal.
        text.chars().map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }).collect()
    }
}

/// The connection string as a URL, redacted.
impl fmt::Display for ConnInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let password = if self.servers.iter().any(|s| s.password.is_some()) { ":***" } else { "" };
        let servers: Vec<String> = self
            .servers
            .iter()
            .map(|s| match &s.host {
                Host::Tcp { name, .. } => {
                    let name = url::encode(name).replace("%3A", ":");
                    let name = if name.contains(':') { format!("[{name}]") } else { name };
                    format!("{name}:{}", s.port)
                }
                Host::Unix(dir) => format!("{}:{}", url::encode(&dir.to_string_lossy()), s.port),
            })
            .collect();
        let (user, dbname) = (url::encode(&self.user), url::encode(&self.dbname));
        write!(f, "postgresql://{user}{password}@{}/{dbname}?sslmode={}", servers.join(","), self.tls.mode)
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Host::Tcp { name, .. } if name.contains(':') => write!(f, "[{name}]:{}", self.port),
            Host::Tcp { name, .. } => write!(f, "{name}:{}", self.port),
            Host::Unix(dir) => write!(f, "{}:{}", dir.display(), self.port),
        }
    }
}

impl fmt::Display for SslMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Disable => "disable",
            Self::Prefer => "prefer",
            Self::Require => "require",
            Self::VerifyCa => "verify-ca",
            Self::VerifyFull => "verify-full",
        })
    }
}
