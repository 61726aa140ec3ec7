//! A throwaway server: a cluster of its own in the temporary folder, gone with its owner.
//!
//! Gone when the value is dropped, after a panic, when the process ends without dropping it (a static, an exit), and after
//! a `kill -9` of the owner: a small shell waits on a pipe that only the owner holds and cleans up when it closes. Were
//! that shell killed too, the next start sweeps (`sweep`). Not for data: fsync is off, so it survives killed processes,
//! not a killed machine. initdb takes 0.35 s; copying a template would take 0.06 s, not worth a cache that can be stale.

use super::{
    LocalError, Result,
    account::Account,
    binaries::Binaries,
    cluster::{Cluster, Durability, Postmaster, tail, tail_of},
    sql,
    sweep::Nest,
};
use rustix::process::Signal;
use std::{
    net::TcpListener,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// What a throwaway server can do without; the rest is PostgreSQL's default, so that tests see what users see.
const SETTINGS: [&str; 7] = [
    "listen_addresses = ''",
    "fsync = off",
    "full_page_writes = off",
    "max_connections = 100",
    "shared_buffers = 32MB",
    // In the data folder, so that a killed server leaves nothing in /dev/shm.
    "dynamic_shared_memory_type = mmap",
    "log_line_prefix = '%m [%p] %d '",
];
/// A start takes 35 ms; recovery after a kill a few seconds; a machine with many tests at once is slower.
const START_PATIENCE: Duration = Duration::from_secs(60);
/// A fast shutdown waits for its checkpoint only.
const STOP_PATIENCE: Duration = Duration::from_secs(30);
/// Waits for the end of the owner, then does what Drop would have done. `$1`: the server's folder.
const WATCHDOG: &str = r#"
trap '' INT TERM HUP QUIT
read -r _
pid=$(head -n 1 "$1/data/postmaster.pid" 2>/dev/null)
ours() { if [ -d /proc/self ]; then tr '\0' ' ' <"/proc/$pid/cmdline"; else ps -o args= -p "$pid"; fi 2>/dev/null | grep -qF "$1/data"; }
if [ -n "$pid" ] && ours "$1"; then
  kill -QUIT "$pid"; kill -CONT "$pid"
  n=0; while [ $n -lt 50 ] && ours "$1"; do sleep 0.1; n=$((n+1)); done
  ours "$1" && kill -KILL "$pid"
fi
rm -rf "$1"
"#;

/// How a throwaway server is to be.
#[derive(Debug, Clone, Default)]
pub struct Options {
    conf: Vec<String>,
    bin_dir: Option<PathBuf>,
    tcp: Option<u16>,
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
    cluster: Cluster,
    log: PathBuf,
    options: Options,
    child: Mutex<Option<Child>>,
    watchdog: Child,
    // Dropped last: it removes the folder.
    nest: Nest,
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

    /// A streaming standby of this server, which is stopped for a moment to copy its data (pg_basebackup is not there
    /// everywhere). `promote` makes it a primary.
    ///
    /// # Errors
    /// The data cannot be copied, or one of the two does not start.
    pub fn standby(&self, options: Options) -> Result<Self> {
        let binaries = options.bin_dir.clone().unwrap_or_else(|| self.cluster.binaries.dir.clone());
        let standby = Self::lay_out(options.bin_dir(binaries))?;
        self.stop_fast()?;
        let (from, to) = (self.cluster.data.join("."), &standby.cluster.data);
        // Keeps owners and modes, which the standard library's copy does not.
        let copied = Command::new("cp").arg("-Rp").arg(from).arg(to).output();
        let copied = copied.map_err(|source| LocalError::Spawn { program: "cp".into(), source })?;
        if !copied.status.success() {
            return Err(LocalError::Program { program: "cp", output: tail(&copied.stderr) });
        }
        let signal = to.join("standby.signal");
        std::fs::write(&signal, "").map_err(|e| LocalError::file("write", &signal, e))?;
        standby.cluster.account.own(&signal)?;
        let (host, port) = (self.cluster.sockets.display(), self.cluster.port);
        standby.configure(&[format!("primary_conninfo = 'host={host} port={port} user=postgres'")])?;
        self.restart()?;
        standby.restart()?;
        Ok(standby)
    }

    /// Makes a standby a primary: ready to be written to when this returns.
    ///
    /// # Errors
    /// It is no standby, or does not take over in time.
    pub fn promote(&self) -> Result<()> {
        self.execute("postgres", &["SELECT pg_promote()"])
    }

    /// Folders, port and watchdog; no cluster yet.
    fn lay_out(options: Options) -> Result<Self> {
        let binaries = match &options.bin_dir {
            Some(dir) => Binaries::at(dir)?,
            None => Binaries::find()?,
        };
        let account = Account::current()?;
        let nest = Nest::make(&account)?;
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
        let watchdog = watchdog(&nest.dir)?;
        Ok(Self { cluster, log, options, child: Mutex::new(None), watchdog, nest })
    }

    fn configure(&self, more: &[String]) -> Result<()> {
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
        // Its pipe closes, it finds nothing to do, and is waited for so that no zombie stays.
        drop(self.watchdog.stdin.take());
        let _ = self.watchdog.wait();
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

fn watchdog(dir: &Path) -> Result<Child> {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", WATCHDOG, "dbload-watchdog"]).arg(dir).current_dir("/").process_group(0);
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().map_err(|source| LocalError::Spawn { program: "/bin/sh".into(), source })
}
