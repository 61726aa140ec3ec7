//! From words to a validated [`ConnInfo`]: numbers become numbers, modes become modes, libpq's defaults are
//! put in.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::description::{
    ChannelBinding, ClientCertificate, ConnInfo, Host, Keepalive, Negotiation, Roots, Server, SessionTarget,
    SslMode, Tls,
};
use super::env::{Lookup, home};
use super::error::DsnError;
use super::passfile::{Login, PassFile};
use super::words::Words;
use crate::secret::Secret;

/// The port that PostgreSQL listens on by default.
const DEFAULT_PORT: u16 = 5432;
/// An attempt that takes longer is given up: long enough for TLS and SCRAM over a slow line, short enough to
/// be told.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Silence before the first probe. With the two below: a dead peer is noticed after 15 + 5 * 6 = 45 s, within
/// the minute that a half-open connection may last.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(15);
/// Time between two keepalive probes.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(5);
/// Probes before the connection is given up.
const KEEPALIVE_COUNT: u32 = 6;
/// Unacknowledged data: the same 45 s.
const USER_TIMEOUT: Duration = Duration::from_secs(45);
/// Where a server's socket is, by distribution (Debian and Red Hat, then PostgreSQL's own default).
const SOCKET_DIRS: [&str; 2] = ["/var/run/postgresql", "/tmp"];

pub(super) fn build(words: Words, env: Lookup<'_>) -> Result<ConnInfo, DsnError> {
    let user = match words.get("user") {
        Some(user) => user.to_owned(),
        None => whoami::username().map_err(|_| DsnError::BadValue {
            name: "user",
            expected: "a user name: this process's own could not be found out",
        })?,
    };
    let dbname = words.get("dbname").map_or_else(|| user.clone(), str::to_owned);
    if dbname.contains("://") {
        return Err(DsnError::BadValue { name: "dbname", expected: "a database's name, not a URL" });
    }
    let mut servers = servers(&words)?;
    let mut notes = words.notes.clone();
    passwords(&words, env, &user, &dbname, &mut servers, &mut notes);
    let application_name = words.get("application_name").or_else(|| words.get("fallback_application_name"));
    Ok(ConnInfo {
        tls: tls(&words, env)?,
        channel_binding: one_of(
            &words,
            "channel_binding",
            "disable, prefer or require",
            &[
                ("disable", ChannelBinding::Disable),
                ("prefer", ChannelBinding::Prefer),
                ("require", ChannelBinding::Require),
            ],
        )?
        .unwrap_or(ChannelBinding::Prefer),
        application_name: application_name.unwrap_or("dbload").to_owned(),
        options: words.get("options").map(str::to_owned),
        connect_timeout: connect_timeout(&words)?,
        keepalive: keepalive(&words)?,
        target: session_target(&words, servers.len())?,
        shuffle_hosts: one_of(
            &words,
            "load_balance_hosts",
            "disable or random",
            &[("disable", false), ("random", true)],
        )?
        .unwrap_or(false),
        schema: words.schema,
        behind_pooler: words.behind_pooler,
        servers,
        user,
        dbname,
        notes,
    })
}

/// Pairs up `host`, `hostaddr` and `port`: lists of one length, or one port for all.
fn servers(words: &Words) -> Result<Vec<Server>, DsnError> {
    let list = |word| words.get(word).map(|text| text.split(',').collect::<Vec<_>>());
    let (hosts, addrs) = (list("host"), list("hostaddr"));
    let ports = list("port").unwrap_or_else(|| vec![""]);
    let count = addrs.as_ref().or(hosts.as_ref()).map_or(1, Vec::len);
    if hosts.as_ref().is_some_and(|hosts| hosts.len() != count) {
        return Err(DsnError::BadValue { name: "hostaddr", expected: "as many entries as host has" });
    }
    if ports.len() != 1 && ports.len() != count {
        return Err(DsnError::BadValue { name: "port", expected: "one port, or as many as there are hosts" });
    }
    let entry = |list: &Option<Vec<&str>>, at: usize| {
        list.as_ref().and_then(|list| list.get(at)).map_or("", |text| text.trim()).to_owned()
    };
    let mut servers = Vec::with_capacity(count);
    for at in 0..count {
        let port = port(ports.get(at).or_else(|| ports.first()).map_or("", |port| port.trim()))?;
        let host = host(entry(&hosts, at), &entry(&addrs, at), port)?;
        servers.push(Server { host, port, password: None });
    }
    Ok(servers)
}

fn port(text: &str) -> Result<u16, DsnError> {
    if text.is_empty() {
        return Ok(DEFAULT_PORT);
    }
    match text.parse() {
        Ok(port) if port > 0 => Ok(port),
        Ok(_) | Err(_) => Err(DsnError::BadValue { name: "port", expected: "a number from 1 to 65535" }),
    }
}

fn host(name: String, addr: &str, port: u16) -> Result<Host, DsnError> {
    let addr: Option<IpAddr> = match addr {
        "" => None,
        addr => Some(
            addr.parse()
                .map_err(|_| DsnError::BadValue { name: "hostaddr", expected: "a numeric IP address" })?,
        ),
    };
    if name.starts_with('/') {
        return Ok(Host::Unix(PathBuf::from(name)));
    }
    // `user:password@host` given as a host, say: not a name, and not to be shown as one.
    if name.contains(|c: char| matches!(c, '@' | '/' | '?' | '=') || c.is_whitespace() || c.is_control()) {
        return Err(DsnError::BadValue {
            name: "host",
            expected: "a host name, an address or a socket directory",
        });
    }
    Ok(match (name.is_empty(), addr) {
        (false, addr) => Host::Tcp { name, addr },
        (true, Some(addr)) => Host::Tcp { name: addr.to_string(), addr: Some(addr) },
        (true, None) => default_host(port),
    })
}

/// Without a host: the socket where one is, as libpq does, else this machine.
fn default_host(port: u16) -> Host {
    let socket = format!(".s.PGSQL.{port}");
    let dir = SOCKET_DIRS.into_iter().find(|dir| Path::new(dir).join(&socket).exists());
    dir.map_or_else(|| Host::Tcp { name: "localhost".to_owned(), addr: None }, |dir| Host::Unix(dir.into()))
}

/// The password given, or for each server the one that a password file has.
fn passwords(
    words: &Words,
    env: Lookup<'_>,
    user: &str,
    dbname: &str,
    servers: &mut [Server],
    notes: &mut Vec<String>,
) {
    if let Some(password) = words.get("password") {
        for server in servers {
            server.password = Some(Secret::new(password.to_owned()));
        }
        return;
    }
    let named = words.get("passfile").map(PathBuf::from);
    let Some(path) = named.or_else(|| home(env).map(|home| home.join(".pgpass"))) else { return };
    let (file, note) = PassFile::read(&path);
    notes.extend(note);
    for server in servers {
        let host = match &server.host {
            Host::Tcp { name, .. } => name.clone(),
            // libpq writes the default socket as `localhost` in password files.
            Host::Unix(dir) if SOCKET_DIRS.iter().any(|default| Path::new(default) == dir) => {
                "localhost".to_owned()
            }
            Host::Unix(dir) => dir.to_string_lossy().into_owned(),
        };
        server.password = file.find(Login { host: &host, port: server.port, dbname, user });
    }
}

fn tls(words: &Words, env: Lookup<'_>) -> Result<Tls, DsnError> {
    let named_mode = one_of(
        words,
        "sslmode",
        "disable, allow, prefer, require, verify-ca or verify-full",
        &[
            ("disable", SslMode::Disable),
            ("allow", SslMode::Prefer),
            ("prefer", SslMode::Prefer),
            ("require", SslMode::Require),
            ("verify-ca", SslMode::VerifyCa),
            ("verify-full", SslMode::VerifyFull),
        ],
    )?;
    let system = words.get("sslrootcert") == Some("system");
    if system && named_mode.is_some_and(|mode| mode != SslMode::VerifyFull) {
        return Err(DsnError::BadValue {
            name: "sslmode",
            expected: "verify-full, as sslrootcert=system needs it",
        });
    }
    let personal =
        |name: &str| home(env).map(|home| home.join(".postgresql").join(name)).filter(|path| path.exists());
    let given = |word: &str| words.get(word).map(PathBuf::from);
    let roots = match given("sslrootcert").filter(|_| !system).or_else(|| personal("root.crt")) {
        Some(file) if !system => Roots::File(file),
        Some(_) | None => Roots::System,
    };
    let default_mode = if system { SslMode::VerifyFull } else { SslMode::Prefer };
    let mode = match (named_mode.unwrap_or(default_mode), &roots) {
        // As libpq: who names an authority and requires TLS wants the certificate verified.
        (SslMode::Require, Roots::File(_)) => SslMode::VerifyCa,
        (mode, _) => mode,
    };
    let negotiation = one_of(
        words,
        "sslnegotiation",
        "postgres or direct",
        &[("postgres", Negotiation::Postgres), ("direct", Negotiation::Direct)],
    )?
    .unwrap_or(Negotiation::Postgres);
    if negotiation == Negotiation::Direct && matches!(mode, SslMode::Disable | SslMode::Prefer) {
        return Err(DsnError::BadValue {
            name: "sslnegotiation",
            expected: "sslmode=require or stricter beside direct",
        });
    }
    let cert = given("sslcert").or_else(|| personal("postgresql.crt"));
    let key = given("sslkey").or_else(|| personal("postgresql.key"));
    let identity = match (cert, key) {
        (Some(cert), Some(key)) => Some(ClientCertificate { cert, key }),
        (Some(_), None) => {
            return Err(DsnError::BadValue { name: "sslkey", expected: "a file, beside sslcert" });
        }
        (None, _) => None,
    };
    let send = one_of(words, "sslcertmode", "disable or allow", &[("disable", false), ("allow", true)])?;
    Ok(Tls { mode, roots, identity: identity.filter(|_| send.unwrap_or(true)), negotiation })
}

/// libpq: 0 and less is no limit, 1 is 2.
fn connect_timeout(words: &Words) -> Result<Option<Duration>, DsnError> {
    Ok(match seconds(words, "connect_timeout")? {
        None => Some(CONNECT_TIMEOUT),
        Some(..=0) => None,
        Some(seconds) => Some(Duration::from_secs(seconds.max(2).unsigned_abs())),
    })
}

fn keepalive(words: &Words) -> Result<Keepalive, DsnError> {
    // 0 is the system's default, as in libpq.
    let duration = |word, default| -> Result<Option<Duration>, DsnError> {
        Ok(match seconds(words, word)? {
            None => Some(default),
            Some(..=0) => None,
            Some(seconds) => Some(Duration::from_secs(seconds.unsigned_abs())),
        })
    };
    let count = match seconds(words, "keepalives_count")? {
        None => Some(KEEPALIVE_COUNT),
        Some(..=0) => None,
        Some(count) => u32::try_from(count).ok(),
    };
    let user_timeout = match seconds(words, "tcp_user_timeout")? {
        None => Some(USER_TIMEOUT),
        Some(..=0) => None,
        Some(millis) => Some(Duration::from_millis(millis.unsigned_abs())),
    };
    Ok(Keepalive {
        probes: seconds(words, "keepalives")? != Some(0),
        idle: duration("keepalives_idle", KEEPALIVE_IDLE)?,
        interval: duration("keepalives_interval", KEEPALIVE_INTERVAL)?,
        count,
        user_timeout,
    })
}

/// A whole number; most of them are seconds. Bounded as libpq's are (a C int).
fn seconds(words: &Words, name: &'static str) -> Result<Option<i64>, DsnError> {
    match words.get(name).map(|text| text.trim().parse::<i32>()) {
        None => Ok(None),
        Some(Ok(number)) => Ok(Some(i64::from(number))),
        Some(Err(_)) => Err(DsnError::BadValue { name, expected: "a whole number" }),
    }
}

/// A load writes: with several hosts and nothing said, the one that takes writes is meant.
fn session_target(words: &Words, hosts: usize) -> Result<SessionTarget, DsnError> {
    let default = if hosts > 1 { SessionTarget::ReadWrite } else { SessionTarget::Any };
    let why = "a load writes: use read-write, primary or any";
    match words.get("target_session_attrs") {
        None => Ok(default),
        Some("any") => Ok(SessionTarget::Any),
        Some("read-write" | "primary") => Ok(SessionTarget::ReadWrite),
        Some("read-only" | "standby" | "prefer-standby") => {
            Err(DsnError::Unsupported { name: "target_session_attrs".to_owned(), why })
        }
        Some(_) => {
            Err(DsnError::BadValue { name: "target_session_attrs", expected: "any, read-write or primary" })
        }
    }
}

fn one_of<T: Copy>(
    words: &Words,
    name: &'static str,
    expected: &'static str,
    choices: &[(&str, T)],
) -> Result<Option<T>, DsnError> {
    let Some(text) = words.get(name) else { return Ok(None) };
    match choices.iter().find(|(choice, _)| *choice == text) {
        Some((_, value)) => Ok(Some(*value)),
        None => Err(DsnError::BadValue { name, expected }),
    }
}
