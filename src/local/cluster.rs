//! One cluster: made by initdb, run by postgres, watched through its postmaster.pid.
//!
//! Locale: collation C, so that text sorts by bytes and an upgrade of the C library never spoils an index; character
//! classes of C.UTF-8 where the system has it, so that upper() and citext know letters beyond ASCII. Connections come
//! through a Unix socket in a folder that only the server's user may enter, so the socket needs no password; TCP is off
//! unless asked for. This file never decides where a cluster lies or how long it lives.

use super::{LocalError, Result, account::Account, binaries::Binaries};
use rustix::process::{Pid, Signal};
use std::{
    fs,
    io::Write,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

/// The superuser of every cluster of ours.
pub const SUPERUSER: &str = "postgres";
/// Our settings, included by postgresql.conf; written anew at each start.
const CONF: &str = "dbload.conf";
/// How often a condition is looked at: a start takes about 35 ms, so a finer grain gains nothing.
const POLL: Duration = Duration::from_millis(3);
/// The longest socket path that every system takes: macOS has 104 bytes with the NUL, Linux 108.
pub const SOCKET_PATH_MAX_BYTES: usize = 103;
/// A killed process goes at once, unless the kernel waits for a disk in its name.
const KILL_PATIENCE: Duration = Duration::from_secs(5);
/// Lines of a log that an error shows: enough for the reason, short enough to read.
const LOG_TAIL_LINES: usize = 12;

/// One cluster: which programs, where, as whom.
#[derive(Debug, Clone)]
pub struct Cluster {
    /// The programs that run it.
    pub binaries: Binaries,
    /// Its data folder.
    pub data: PathBuf,
    /// The folder of its socket.
    pub sockets: PathBuf,
    /// Its port; without TCP just a part of the socket's name.
    pub port: u16,
    /// Whom it runs as.
    pub account: Account,
}

/// What postmaster.pid says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Postmaster {
    /// The server's process.
    pub pid: Pid,
    /// Its port.
    pub port: Option<u16>,
    /// The folder of its socket.
    pub sockets: Option<PathBuf>,
    /// Whether it listens on TCP.
    pub tcp: bool,
    /// The System V segment it holds: left behind when it is killed hard.
    pub segment: Option<String>,
    /// Whether it takes connections.
    pub ready: bool,
}

impl Cluster {
    /// Makes the data folder, which must not exist.
    ///
    /// # Errors
    /// initdb cannot be run or fails (a full disk, a folder that it cannot reach).
    pub fn init(&self, sync: Durability) -> Result<()> {
        let output = self.initdb(sync, "C.UTF-8")?;
        // macOS and old C libraries have no C.UTF-8. Any other reason fails again, with the same words.
        let output = if output.status.success() { output } else { self.initdb(sync, "C")? };
        if !output.status.success() {
            return Err(LocalError::Program { program: "initdb", output: tail(&output.stderr) });
        }
        self.append("postgresql.conf", &format!("\ninclude_if_exists = '{CONF}'\n"))
    }

    fn initdb(&self, sync: Durability, ctype: &str) -> Result<Output> {
        let mut command = self.command("initdb");
        command.arg("-D").arg(&self.data);
        command.args(["--username", SUPERUSER, "--auth-local=trust", "--encoding=UTF8", "--no-instructions"]);
        command.args(["--locale=C", "--lc-ctype", ctype]);
        command.args(match sync {
            // Checksums: PostgreSQL 18's default, and pg_upgrade wants them the same on both sides.
            Durability::Durable => ["--auth-host=scram-sha-256", "--data-checksums"].as_slice(),
            Durability::Throwaway => &["--auth-host=trust", "--no-sync"],
        });
        self.run(command)
    }

    /// Writes our settings, one `name = value` a line; later lines win.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn configure(&self, lines: &[String]) -> Result<()> {
        let path = self.data.join(CONF);
        let sockets = conf_string(&self.sockets.to_string_lossy());
        let text = format!(
            "# Written by dbload at each start. Your own settings: ALTER SYSTEM, or postgresql.auto.conf.\n\
             port = {}\nunix_socket_directories = {sockets}\nunix_socket_permissions = 0700\n{}\n",
            self.port,
            lines.join("\n"),
        );
        fs::write(&path, text).map_err(|e| LocalError::file("write the settings", &path, e))?;
        self.account.own(&path)
    }

    /// Adds lines to one of the files in the data folder.
    pub(super) fn append(&self, name: &str, text: &str) -> Result<()> {
        let path = self.data.join(name);
        let file = fs::OpenOptions::new().append(true).open(&path);
        file.and_then(|mut file| file.write_all(text.as_bytes()))
            .map_err(|e| LocalError::file("write the settings", &path, e))
    }

    /// Runs the server as a child of this process, in a process group of its own: Ctrl-C does not reach it.
    ///
    /// # Errors
    /// postgres cannot be run.
    pub fn spawn(&self, log: &Path) -> Result<Child> {
        let mut command = self.command("postgres");
        command.arg("-D").arg(&self.data).process_group(0);
        let file = fs::OpenOptions::new().create(true).append(true).open(log);
        let file = file.map_err(|e| LocalError::file("open the log", log, e))?;
        let twin = file.try_clone().map_err(|e| LocalError::file("open the log", log, e))?;
        command.stdin(Stdio::null()).stdout(file).stderr(twin);
        command
            .spawn()
            .map_err(|source| LocalError::Spawn { program: self.binaries.program("postgres"), source })
    }

    /// One of the programs, as the cluster's user, in a folder that this user may be in, without the caller's PG settings.
    pub(super) fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.binaries.program(program));
        self.account.apply(&mut command);
        command.current_dir("/").env("LC_ALL", "C");
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("PG")) {
            command.env_remove(name);
        }
        command
    }

    pub(super) fn run(&self, mut command: Command) -> Result<Output> {
        self.account.check_reach(&self.binaries.program("postgres"))?;
        let output = command.stdin(Stdio::null()).output();
        output.map_err(|source| LocalError::Spawn { program: command.get_program().into(), source })
    }

    /// What postmaster.pid says; nothing if there is none or it is still being written.
    #[must_use]
    pub fn postmaster(&self) -> Option<Postmaster> {
        Postmaster::read(&self.data)
    }

    /// Waits until connections are taken. `ended` tells whether the server has gone meanwhile.
    ///
    /// # Errors
    /// It ended, or the time is over.
    pub fn wait_ready(
        &self,
        patience: Duration,
        log: &Path,
        mut ended: impl FnMut() -> bool,
    ) -> Result<Postmaster> {
        let start = Instant::now();
        loop {
            // Asked before looking, so that "gone and not ready" is never said of a file read too early.
            let gone = ended();
            match self.postmaster() {
                // A killed server leaves its file behind, which says "ready" too.
                Some(postmaster) if postmaster.ready && !gone && postmaster.is_running(&self.data) => {
                    return Ok(postmaster);
                }
                _ if gone => return Err(LocalError::Ended { data: self.data.clone(), log: tail_of(log) }),
                _ if start.elapsed() > patience => {
                    let seconds = patience.as_secs();
                    return Err(LocalError::NotReady { data: self.data.clone(), seconds, log: tail_of(log) });
                }
                _ => thread::sleep(POLL),
            }
        }
    }

    /// The URL of one of its databases.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        url(&self.sockets, self.port, database)
    }
}

/// The URL of a database behind a socket, in the form that libpq, tokio-postgres, sqlx and psycopg all take.
#[must_use]
pub fn url(sockets: &Path, port: u16, database: &str) -> String {
    let encode = |text: &str| {
        percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
    };
    // Slashes and the like stay: they are legal in a query, and people read this.
    let host = encode(&sockets.to_string_lossy());
    let host = [("%2F", "/"), ("%2D", "-"), ("%2E", "."), ("%5F", "_")]
        .iter()
        .fold(host, |host, (code, plain)| host.replace(code, plain));
    format!("postgresql:///{}?host={host}&port={port}&user={SUPERUSER}", encode(database).replace("%5F", "_"))
}

/// Whether a cluster must survive the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// It holds somebody's data.
    Durable,
    /// It is removed with its owner.
    Throwaway,
}

impl Postmaster {
    /// Reads postmaster.pid in a data folder.
    #[must_use]
    pub fn read(data: &Path) -> Option<Self> {
        let text = fs::read_to_string(data.join("postmaster.pid")).ok()?;
        let mut lines = text.lines();
        // A single-user server writes its pid negative.
        let pid: i32 = lines.next()?.trim().parse().ok()?;
        // Then: data folder, start time, port, socket folder, listen address, shared memory, status.
        let port = lines.nth(2).and_then(|line| line.trim().parse().ok());
        let sockets = lines.next().filter(|line| !line.is_empty()).map(PathBuf::from);
        let tcp = lines.next().is_some_and(|line| !line.trim().is_empty());
        let segment = lines.next().and_then(|line| line.split_whitespace().nth(1)).map(str::to_owned);
        let ready = lines.next().is_some_and(|status| status.trim() == "ready");
        Some(Self { pid: Pid::from_raw(pid.abs())?, port, sockets, tcp, segment, ready })
    }

    /// Whether this process is there, and is a PostgreSQL with this data folder: a pid may have been given to another
    /// process since, above all after the machine was started anew.
    #[must_use]
    pub fn is_running(&self, data: &Path) -> bool {
        let pid = self.pid.as_raw_nonzero();
        let data = data.to_string_lossy();
        match fs::read(format!("/proc/{pid}/cmdline")) {
            Ok(bytes) => {
                let words = String::from_utf8_lossy(&bytes);
                let mut words = words.split('\0');
                words.next().is_some_and(|program| program.contains("postgres"))
                    && words.any(|word| word.trim_end_matches('/') == data)
            }
            // No /proc here (macOS), or no such process.
            Err(_) if Path::new("/proc/self").exists() => false,
            Err(_) => {
                let output = Command::new("ps").args(["-o", "args=", "-p", &pid.to_string()]).output();
                let words =
                    output.map(|o| String::from_utf8_lossy(&o.stdout).into_owned()).unwrap_or_default();
                words.contains("postgres") && words.contains(&*data)
            }
        }
    }

    /// Sends a signal. A process that is gone is no error: it has what the signal asked for.
    pub fn signal(&self, signal: Signal) {
        let _ = rustix::process::kill_process(self.pid, signal);
    }

    /// Waits until the process has gone; whether it has.
    #[must_use]
    pub fn wait_gone(&self, data: &Path, patience: Duration) -> bool {
        let start = Instant::now();
        while self.is_running(data) {
            if start.elapsed() > patience {
                return false;
            }
            thread::sleep(POLL);
        }
        true
    }

    /// Kills the server and all its backends as a power cut would: none gets to say or write anything more. Returns when
    /// they have let go of their shared memory, without which the server would not start again.
    pub fn kill_all(&self) {
        // Stopped first, so that it starts no new backend between the listing and the killing.
        self.signal(Signal::STOP);
        let mut all = children(self.pid);
        all.push(self.pid);
        for &pid in all.iter().rev() {
            let _ = rustix::process::kill_process(pid, Signal::KILL);
        }
        let start = Instant::now();
        while all.iter().any(|&pid| lives(pid)) && start.elapsed() < KILL_PATIENCE {
            thread::sleep(POLL);
        }
    }

    /// Gives back the shared memory that a hard kill leaves. Best effort: it is 56 bytes, and not every system has ipcrm.
    pub fn free_segment(&self) {
        if let Some(id) = &self.segment {
            let _ =
                Command::new("ipcrm").args(["-m", id]).stdout(Stdio::null()).stderr(Stdio::null()).status();
        }
    }
}

/// Whether a process still holds anything: one that only waits to be noticed by its parent does not.
pub(super) fn lives(pid: Pid) -> bool {
    match fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())) {
        Ok(stat) => stat.rsplit_once(')').is_some_and(|(_, rest)| !rest.trim_start().starts_with(['Z', 'X'])),
        Err(_) if Path::new("/proc/self").exists() => false,
        Err(_) => rustix::process::test_kill_process(pid).is_ok(),
    }
}

/// The child processes of one process.
fn children(parent: Pid) -> Vec<Pid> {
    let parent = parent.as_raw_nonzero().to_string();
    let Ok(entries) = fs::read_dir("/proc").map(|entries| entries.flatten().collect::<Vec<_>>()) else {
        let output = Command::new("pgrep").args(["-P", &parent]).output();
        let text = output.map(|o| String::from_utf8_lossy(&o.stdout).into_owned()).unwrap_or_default();
        return text.lines().filter_map(|line| Pid::from_raw(line.trim().parse().ok()?)).collect();
    };
    let is_child = |stat: &str| {
        // `pid (name) state ppid`: the name may hold anything, brackets too.
        stat.rsplit_once(')').is_some_and(|(_, rest)| rest.split_whitespace().nth(1) == Some(&parent))
    };
    entries
        .iter()
        .filter_map(|entry| Pid::from_raw(entry.file_name().to_str()?.parse().ok()?))
        .filter(|pid| {
            fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero()))
                .is_ok_and(|stat| is_child(&stat))
        })
        .collect()
}

/// A value in PostgreSQL's configuration syntax.
fn conf_string(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// The last lines of what a program printed.
pub(super) fn tail(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    lines[lines.len().saturating_sub(LOG_TAIL_LINES)..].join("\n")
}

/// The last lines of a log file.
pub(super) fn tail_of(log: &Path) -> String {
    tail(&fs::read(log).unwrap_or_default())
}
