//! A proxy that understands the PostgreSQL protocol: it sees messages, and does something to the nth that a
//! fault is for.
//!
//! TCP in front (so that RST exists), the server's socket behind. One task a connection owns both ends; a
//! proxy that is dropped drops them. A fault counts how often it struck: a test whose fault never struck has
//! shown nothing.

use rustix::net::sockopt;
use std::{
    collections::VecDeque,
    io,
    path::PathBuf,
    sync::{
        Arc, RwLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream, UnixStream},
    runtime::Runtime,
};

use tokio_postgres::config::Host;

/// Answered by `N` each: no TLS, no GSSAPI.
const ENCRYPTION_REQUESTS: [u32; 2] = [80_877_103, 80_877_104];
const CANCEL_REQUEST: u32 = 80_877_102;

/// Who sent a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum From {
    Client,
    Server,
}

/// A message as a fault sees it.
#[derive(Debug)]
pub struct Message<'a> {
    pub from: From,
    /// Its type byte.
    pub kind: u8,
    /// Its body.
    pub body: &'a [u8],
    /// The last Query of the client on this connection; of the server's messages, the one that is answered.
    pub query: &'a str,
}

/// How a connection to the client ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    Fin,
    Rst,
}

/// What happens to a message.
pub enum Act {
    /// It is swallowed, and both connections end: the client's like this.
    Cut(End),
    /// It is forwarded, and the client's connection is reset at once; the server works on.
    ForwardThenReset,
    /// It is swallowed, and nothing moves on this connection any more; it stays open.
    Stall,
    /// It and all behind it go a byte at a time.
    Dribble,
    /// It is swallowed, and all else goes on.
    Swallow,
    /// These bytes come in its place.
    Instead(Vec<u8>),
    /// It comes later.
    Delay(Duration),
    /// This runs in the server first, behind the client's back.
    After(&'static str),
    /// This is done first.
    Do(Box<dyn Fn() + Send + Sync>),
}

type Matches = Box<dyn Fn(&Message) -> bool + Send + Sync>;

/// Something to be done to some of the messages.
pub struct Fault {
    matches: Matches,
    strikes: Box<dyn Fn(u64) -> bool + Send + Sync>,
    act: Act,
    then_away: bool,
    once_away: bool,
    seen: AtomicU64,
    struck: AtomicU64,
}

impl Fault {
    pub fn on(matches: impl Fn(&Message) -> bool + Send + Sync + 'static, act: Act) -> Self {
        let (matches, strikes) = (Box::new(matches), Box::new(|_| true));
        let (seen, struck) = (AtomicU64::new(0), AtomicU64::new(0));
        Self { matches, strikes, act, then_away: false, once_away: false, seen, struck }
    }

    /// Only the nth of them, from 1.
    pub fn nth(mut self, n: u64) -> Self {
        self.strikes = Box::new(move |count| count == n);
        self
    }

    /// Only those in this range.
    pub fn among(mut self, range: std::ops::RangeInclusive<u64>) -> Self {
        self.strikes = Box::new(move |count| range.contains(&count));
        self
    }

    /// Every nth of them.
    pub fn every(mut self, n: u64) -> Self {
        self.strikes = Box::new(move |count| count % n == 0);
        self
    }

    /// From then on the server stays away.
    pub fn then_away(mut self) -> Self {
        self.then_away = true;
        self
    }

    /// How often it struck.
    pub fn struck(&self) -> u64 {
        self.struck.load(Ordering::Relaxed)
    }

    /// Only on connections that were open when the server went away.
    pub fn once_away(mut self) -> Self {
        self.once_away = true;
        self
    }
}

/// The message that ends a batch: the checkpoint and COMMIT in one Query.
pub fn commit(message: &Message) -> bool {
    message.kind == b'Q' && message.from == From::Client && message.query.contains("SELECT _dbload.advance(")
}

/// The server's word that a batch is committed.
pub fn committed(message: &Message) -> bool {
    message.kind == b'C' && message.body == b"COMMIT\0" && message.query.contains("SELECT _dbload.advance(")
}

/// The client's Query contains this text.
pub fn query(text: &'static str) -> impl Fn(&Message) -> bool + Send + Sync {
    move |message| message.kind == b'Q' && message.from == From::Client && message.query.contains(text)
}

/// The server's answer to the client's Query that contains this text, so far as it is this command tag.
pub fn answer(text: &'static str, tag: &'static str) -> impl Fn(&Message) -> bool + Send + Sync {
    move |message| {
        message.kind == b'C' && message.body.starts_with(tag.as_bytes()) && message.query.contains(text)
    }
}

/// Data of a COPY.
pub fn copy_data(message: &Message) -> bool {
    message.kind == b'd' && message.from == From::Client
}

pub struct Proxy {
    shared: Arc<Shared>,
    port: u16,
    database: String,
    // Its tasks end with it.
    _runtime: Runtime,
}

/// Where the server is.
enum Upstream {
    Socket(PathBuf),
    Port(u16),
}

struct Shared {
    upstream: Upstream,
    faults: RwLock<Vec<Arc<Fault>>>,
    away: AtomicBool,
    connections: AtomicU64,
    commits: AtomicU64,
}

impl Proxy {
    /// A proxy to the database of this URL, which goes through a socket.
    pub fn to(url: &str, faults: Vec<Fault>) -> Self {
        let config: tokio_postgres::Config = url.parse().unwrap();
        let upstream = match (&config.get_hosts()[0], config.get_ports().first().unwrap_or(&5432)) {
            (Host::Unix(dir), port) => Upstream::Socket(dir.join(format!(".s.PGSQL.{port}"))),
            (Host::Tcp(_), port) => Upstream::Port(*port),
        };
        Self::new(upstream, config.get_dbname().unwrap().to_owned(), faults)
    }

    /// A proxy to whatever listens on this port of the machine.
    pub fn to_port(port: u16, database: String, faults: Vec<Fault>) -> Self {
        Self::new(Upstream::Port(port), database, faults)
    }

    fn new(upstream: Upstream, database: String, faults: Vec<Fault>) -> Self {
        let (away, connections, commits) = (AtomicBool::new(false), AtomicU64::new(0), AtomicU64::new(0));
        let faults = RwLock::new(faults.into_iter().map(Arc::new).collect());
        let shared = Arc::new(Shared { upstream, faults, away, connections, commits });
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = runtime.block_on(TcpListener::bind(("127.0.0.1", 0))).unwrap();
        let port = listener.local_addr().unwrap().port();
        runtime.spawn(accept(listener, Arc::clone(&shared)));
        Self { shared, port, database, _runtime: runtime }
    }

    pub fn url(&self) -> String {
        self.url_as("postgres")
    }

    pub fn url_as(&self, user: &str) -> String {
        format!("postgres://{user}@127.0.0.1:{}/{}", self.port, self.database)
    }

    /// How often faults struck.
    pub fn struck(&self) -> u64 {
        self.shared.faults.read().unwrap().iter().map(|fault| fault.struck()).sum()
    }

    /// A fault from now on, before those that are there; it counts from here.
    pub fn arm(&self, fault: Fault) -> Arc<Fault> {
        let fault = Arc::new(fault);
        self.shared.faults.write().unwrap().insert(0, Arc::clone(&fault));
        fault
    }

    /// It strikes no more.
    pub fn disarm(&self, fault: &Arc<Fault>) {
        self.shared.faults.write().unwrap().retain(|other| !Arc::ptr_eq(other, fault));
    }

    /// Batches that the server said are committed.
    pub fn commits(&self) -> u64 {
        self.shared.commits.load(Ordering::Relaxed)
    }

    pub fn connections(&self) -> u64 {
        self.shared.connections.load(Ordering::Relaxed)
    }

    /// The server is back.
    pub fn come_back(&self) {
        self.shared.away.store(false, Ordering::Relaxed);
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    while let Ok((client, _)) = listener.accept().await {
        shared.connections.fetch_add(1, Ordering::Relaxed);
        if shared.away.load(Ordering::Relaxed) {
            end(client, End::Rst);
            continue;
        }
        let shared = Arc::clone(&shared);
        // An error is the end of a connection.
        tokio::spawn(async move {
            let _ = serve(client, &shared).await;
        });
    }
}

fn end(client: TcpStream, how: End) {
    if how == End::Rst {
        let _ = sockopt::set_socket_linger(&client, Some(Duration::ZERO));
    }
    drop(client);
}

/// Frames of one side.
struct Frames {
    buffer: VecDeque<u8>,
    more: Vec<u8>,
}

impl Frames {
    fn new() -> Self {
        Self { buffer: VecDeque::new(), more: vec![0; 16 << 10] }
    }

    /// The next message, whole: type, length, body. May be dropped while it waits.
    async fn next(&mut self, stream: &mut (impl AsyncRead + Unpin), typed: bool) -> io::Result<Vec<u8>> {
        let head = usize::from(typed);
        loop {
            let bytes = self.buffer.make_contiguous();
            if let Some(length) = bytes.get(head..head + 4) {
                let length = head + u32::from_be_bytes(length.try_into().unwrap()) as usize;
                if bytes.len() >= length {
                    return Ok(self.buffer.drain(..length).collect());
                }
            }
            let n = stream.read(&mut self.more).await?;
            if n == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            self.buffer.extend(&self.more[..n]);
        }
    }
}

async fn serve(client: TcpStream, shared: &Shared) -> io::Result<()> {
    client.set_nodelay(true)?;
    match &shared.upstream {
        Upstream::Socket(path) => relay(client, UnixStream::connect(path).await?, shared).await,
        Upstream::Port(port) => relay(client, TcpStream::connect(("127.0.0.1", *port)).await?, shared).await,
    }
}

async fn relay(
    mut client: TcpStream,
    mut server: impl AsyncRead + AsyncWrite + Unpin,
    shared: &Shared,
) -> io::Result<()> {
    let (mut from_client, mut from_server) = (Frames::new(), Frames::new());
    loop {
        let startup = from_client.next(&mut client, false).await?;
        let code = u32::from_be_bytes(startup[4..8].try_into().unwrap());
        if ENCRYPTION_REQUESTS.contains(&code) {
            client.write_all(b"N").await?;
            continue;
        }
        server.write_all(&startup).await?;
        if code == CANCEL_REQUEST {
            return Ok(());
        }
        break;
    }
    let mut asked = Asked::default();
    let mut dribbles = false;
    loop {
        let (from, bytes) = tokio::select! {
            bytes = from_client.next(&mut client, true) => (From::Client, bytes),
            bytes = from_server.next(&mut server, true) => (From::Server, bytes),
        };
        let Ok(bytes) = bytes else {
            // What the server still has to say (why it ended the session) is on its way already.
            client.shutdown().await?;
            return Ok(());
        };
        let query = asked.note(from, &bytes);
        let message = Message { from, kind: bytes[0], body: &bytes[5..], query: &query };
        let fault = shared.strike(&message);
        match fault.as_ref().map(|fault| &fault.act) {
            None => {}
            Some(Act::Cut(how)) => {
                end(client, *how);
                return Ok(());
            }
            Some(Act::ForwardThenReset) => {
                server.write_all(&bytes).await?;
                end(client, End::Rst);
                // The server works on, and finds out when it has answered.
                while from_server.next(&mut server, true).await?[0] != b'Z' {}
                return Ok(());
            }
            Some(Act::Stall) => std::future::pending().await,
            Some(Act::Swallow) => continue,
            Some(Act::Instead(others)) => {
                match from {
                    From::Client => server.write_all(others).await?,
                    From::Server => client.write_all(others).await?,
                }
                continue;
            }
            Some(Act::Dribble) => dribbles = true,
            Some(Act::Delay(by)) => tokio::time::sleep(*by).await,
            Some(Act::After(sql)) => {
                let mut simple = vec![b'Q'];
                simple.extend(u32::try_from(sql.len() + 5).unwrap().to_be_bytes());
                simple.extend(sql.as_bytes());
                simple.push(0);
                server.write_all(&simple).await?;
                while from_server.next(&mut server, true).await?[0] != b'Z' {}
            }
            Some(Act::Do(act)) => act(),
        }
        let pieces = if dribbles { 1 } else { bytes.len() };
        for piece in bytes.chunks(pieces) {
            match from {
                From::Client => server.write_all(piece).await?,
                From::Server => client.write_all(piece).await?,
            }
            if dribbles {
                tokio::task::yield_now().await;
            }
        }
    }
}

/// What the client has asked and the server has not answered yet: it does not wait for one answer before it
/// asks again.
#[derive(Default)]
struct Asked {
    last: String,
    /// By the Query before it, and itself if it is one.
    open: VecDeque<String>,
}

impl Asked {
    /// Notes a message; the Query that it belongs to.
    fn note(&mut self, from: From, bytes: &[u8]) -> String {
        match (from, bytes[0]) {
            (From::Client, kind @ (b'Q' | b'S')) => {
                if kind == b'Q' {
                    self.last = String::from_utf8_lossy(&bytes[5..bytes.len() - 1]).into_owned();
                }
                self.open.push_back(self.last.clone());
            }
            (From::Server, kind) => {
                let query = self.open.front().unwrap_or(&self.last).clone();
                // A Sync that finds the server in a COPY is not answered; another one follows its end.
                if matches!(kind, b'Z' | b'G') {
                    self.open.pop_front();
                }
                return query;
            }
            (From::Client, _) => {}
        }
        self.last.clone()
    }
}

impl Shared {
    fn strike(&self, message: &Message) -> Option<Arc<Fault>> {
        if committed(message) {
            self.commits.fetch_add(1, Ordering::Relaxed);
        }
        let mut struck = None;
        for fault in self.faults.read().unwrap().iter().filter(|fault| (fault.matches)(message)) {
            if fault.once_away && !self.away.load(Ordering::Relaxed) {
                continue;
            }
            let count = fault.seen.fetch_add(1, Ordering::Relaxed) + 1;
            if struck.is_none() && (fault.strikes)(count) {
                fault.struck.fetch_add(1, Ordering::Relaxed);
                if fault.then_away {
                    self.away.store(true, Ordering::Relaxed);
                }
                struck = Some(Arc::clone(fault));
            }
        }
        struck
    }
}
