//! A throwaway server: a cluster of its own in the temporary folder, gone with its owner.
//!
//! Gone when the value is dropped, after a panic, when the process ends without dropping it (a static, an
//! exit), and after a `kill -9` of the owner: a small shell watches (`watchdog`). Were that killed too, the
//! next start sweeps (`sweep`). Not for data: fsync is off, so it survives killed processes, not a killed
//! machine. initdb takes 0.35 s; copying a template would take 0.06 s, not worth a cache that can be stale.

use super::{
    LocalError, Postmaster, Result,
    account::Account,
    binaries::Binaries,
    cluster::{Cluster, Durability, tail_of},
    sql,
    sweep::{Nest, TempRoot},
    watchdog::Watchdog,
};
use rustix::process::Signal;
use std::{
    net::TcpListener,
    path::{Path, PathBuf},
    process::Child,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// What a throwaway server can do without; the rest is PostgreSQL's default, so that tests see what users
/// see.
const SETTINGS: [&str; 8] = [
    "listen_addresses = ''",
    "fsync = off",
    "full_page_writes = off",
    "max_connections = 100",
    "shared_buffers = 32MB",
    // In the data folder, so that a killed server leaves nothing in /dev/shm.
    "dynamic_shared_memory_type = mmap",
    "log_line_prefix = '%m [%p] %d '",
    // Whoever asks may do with it as he likes: fixtures go into any database of it.
    "dbload.throwaway = on",
];
/// A start takes 35 ms; recovery after a kill a few seconds; a machine with many tests at once is slower.
const START_PATIENCE: Duration = Duration::from_secs(60);
/// A fast shutdown waits for its checkpoint only.
const STOP_PATIENCE: Duration = Duration::from_secs(30);

/// How a throwaway server is to be.
#[derive(Debug, Clone, Default)]
pub struct Options {
    conf: Vec<String>,
    pub(super) bin_dir: Option<PathBuf>,
    tcp: Option<u16>,
    place: TempRoot,
}

impl Options {
    /// Adds a line of postgresql.conf, such as `wal_level = logical`.
    #[must_use]
    pub fn conf(mut self, line: &str) -> Self {
        self.conf.push(line.to_owned());
        self
    }

    /// Uses the programs in this folder, not the newest that are installed.
    #[must_use]
    pub fn bin_dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.bin_dir = Some(dir.into());
        self
    }

    /// Keeps its folder in memory if there is room (Linux, 4 GiB free in /dev/shm): a fresh database then
    /// takes a quarter of the time on a busy disk. Not for measurements.
    #[must_use]
    pub fn in_memory(mut self) -> Self {
        self.place = TempRoot::Memory;
        self
    }

    /// Listens on 127.0.0.1 as well, without a password; port 0 takes a free one.
    #[must_use]
    pub fn tcp(mut self, port: u16) -> Self {
        self.tcp = Some(port);
        self
    }
}

/// A throwaway server. Shared by reference: a test may kill it from one task while another uses it.
#[derive(Debug)]
pub struct TempServer {
    pub(super) cluster: Cluster,
    log: PathBuf,
    options: Options,
    child: Mutex<Option<Child>>,
    nest: Nest,
    // Dropped last: with the folder gone it finds nothing to do.
    _watchdog: Watchdog,
}

impl TempServer {
    /// Makes and starts one: ready when this returns.
    ///
    /// # Errors
    /// No server is installed, or it cannot be made or started.
    pub fn start(options: Options) -> Result<Self> {
        let server = Self::lay_out(options)?;
        server.cluster.init(Durability::Throwaway)?;
        server.configure(&[])?;
        server.restart()?;
        Ok(server)
    }

    /// Folders, port and watchdog; no cluster yet.
    pub(super) fn lay_out(options: Options) -> Result<Self> {
        let binaries = match &options.bin_dir {
            Some(dir) => Binaries::at(dir)?,
            None => Binaries::find()?,
        };
        let account = Account::current()?;
        let nest = Nest::make(&account, options.place)?;
        let sockets = nest.dir.join("s");
        account.private_dir(&sockets)?;
        // Made here, for the folder above is not the server's.
        let data = nest.dir.join("data");
        account.private_dir(&data)?;
        let port = match options.tcp {
            None => 5432,
            Some(0) => free_port()?,
            Some(port) => port,
        };
        let log = nest.dir.join("server.log");
        let cluster = Cluster { binaries, data, sockets, port, account };
        let watchdog = Watchdog::watch(&nest.dir)?;
        Ok(Self { cluster, log, options, child: Mutex::new(None), nest, _watchdog: watchdog })
    }

    pub(super) fn configure(&self, more: &[String]) -> Result<()> {
        let mut conf: Vec<String> = SETTINGS.iter().map(|&line| line.to_owned()).collect();
        if self.options.tcp.is_some() {
            conf.push("listen_addresses = '127.0.0.1'".to_owned());
        }
        conf.extend_from_slice(&self.options.conf);
        conf.extend_from_slice(more);
        self.cluster.configure(&conf)
    }

    /// The URL of the database `postgres`, through the socket.
    #[must_use]
    pub fn url(&self) -> String {
        self.dsn("postgres")
    }

    /// The URL of a database, through the socket.
    #[must_use]
    pub fn dsn(&self, database: &str) -> String {
        self.cluster.url(database)
    }

    /// The URL of a database over TCP; nothing unless TCP was asked for.
    #[must_use]
    pub fn tcp_dsn(&self, database: &str) -> Option<String> {
        let port = self.cluster.port;
        self.options.tcp.map(|_| format!("postgresql://postgres@127.0.0.1:{port}/{database}"))
    }

    /// The cluster: programs, folders, port.
    #[must_use]
    pub fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// The file that the server logs to.
    #[must_use]
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// The server's folder: whatever a test puts there goes with it.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.nest.dir
    }

    /// Creates a database.
    ///
    /// # Errors
    /// The server refuses, or is not there.
    pub fn create_database(&self, name: &str) -> Result<()> {
        // template0: nobody is ever connected to it. WAL, not files: copying files forces two checkpoints.
        let statement = format!("CREATE DATABASE {} TEMPLATE template0 STRATEGY wal_log", sql::quote(name));
        sql::execute(&self.url(), "create a database", &[statement])
    }

    /// Drops a database, throwing out who is connected.
    ///
    /// # Errors
    /// The server refuses, or is not there.
    pub fn drop_database(&self, name: &str) -> Result<()> {
        let statement = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", sql::quote(name));
        sql::execute(&self.url(), "drop a database", &[statement])
    }

    /// Runs statements, one by one, in a database.
    ///
    /// # Errors
    /// One of them fails: those before it have taken effect.
    pub fn execute(&self, database: &str, statements: &[&str]) -> Result<()> {
        let statements: Vec<String> = statements.iter().map(|&s| s.to_owned()).collect();
        sql::execute(&self.dsn(database), "run a statement", &statements)
    }

    /// Ends it as `pg_ctl stop -m fast` does: sessions are ended, all is written.
    ///
    /// # Errors
    /// It does not end in time.
    pub fn stop_fast(&self) -> Result<()> {
        self.stop(Signal::INT)
    }

    /// Ends it as `pg_ctl stop -m immediate` does: it will recover at the next start.
    ///
    /// # Errors
    /// It does not end in time.
    pub fn stop_immediate(&self) -> Result<()> {
        self.stop(Signal::QUIT)
    }

    /// Kills the server and all its backends at once, as a power cut would.
    pub fn kill9(&self) {
        let mut child = self.child();
        if let Some(mut child) = child.take() {
            let postmaster = self.cluster.postmaster();
            if let Some(postmaster) = &postmaster {
                postmaster.kill_all();
            }
            let _ = child.kill();
            let _ = child.wait();
            if let Some(postmaster) = &postmaster {
                postmaster.free_segment();
            }
        }
    }

    /// Starts it again, ending it fast first if it runs: ready when this returns.
    ///
    /// # Errors
    /// It does not end or does not start.
    pub fn restart(&self) -> Result<()> {
        self.stop_fast()?;
        let mut child = self.child();
        let child = child.insert(self.cluster.spawn(&self.log)?);
        self.cluster.wait_ready(START_PATIENCE, &self.log, || !matches!(child.try_wait(), Ok(None)))?;
        Ok(())
    }

    fn stop(&self, signal: Signal) -> Result<()> {
        let mut slot = self.child();
        let Some(child) = slot.as_mut() else { return Ok(()) };
        if let Some(pid) = rustix::process::Pid::from_raw(i32::try_from(child.id()).unwrap_or(0)) {
            let _ = rustix::process::kill_process(pid, signal);
        }
        if wait(child, STOP_PATIENCE) {
            *slot = None;
            return Ok(());
        }
        let (data, seconds) = (self.cluster.data.clone(), STOP_PATIENCE.as_secs());
        Err(LocalError::NotStopped { data, seconds, log: tail_of(&self.log) })
    }

    fn child(&self) -> MutexGuard<'_, Option<Child>> {
        self.child.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for TempServer {
    fn drop(&mut self) {
        if let Some(postmaster) = Postmaster::read(&self.cluster.data) {
            let mut slot = self.child();
            if let Some(child) = slot.as_mut() {
                postmaster.signal(Signal::QUIT);
                // It may be stopped (SIGSTOP) by a test.
                postmaster.signal(Signal::CONT);
                if wait(child, STOP_PATIENCE) {
                    *slot = None;
                }
            }
        }
        self.kill9();
        let _ = std::fs::remove_dir_all(&self.nest.dir);
    }
}

/// Waits for a process to end; whether it has.
fn wait(child: &mut Child, patience: Duration) -> bool {
    let start = Instant::now();
    while matches!(child.try_wait(), Ok(None)) {
        if start.elapsed() > patience {
            return false;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    true
}

pub(super) fn free_port() -> Result<u16> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).and_then(|l| l.local_addr());
    Ok(listener.map_err(|e| LocalError::file("find a free port on", "127.0.0.1".as_ref(), e))?.port())
}
