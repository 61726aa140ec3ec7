//! A server as a process: what its postmaster.pid says, whether it runs, its end.
//!
//! A pid alone is never trusted: the file outlives a killed server, and its pid may belong to another process
//! by then. Only `kill_all` reaches for processes that the file does not name: the server's children. Starts
//! nothing.

use rustix::process::{Pid, Signal};
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

/// How often a condition is looked at: a start takes about 35 ms, so a finer grain gains nothing.
pub(super) const POLL: Duration = Duration::from_millis(3);
/// A killed process goes at once, unless the kernel waits for a disk in its name.
const KILL_PATIENCE: Duration = Duration::from_secs(5);

/// The running server, as postmaster.pid describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Postmaster {
    /// The process id of the server.
    pub pid: Pid,
    /// The TCP port that it listens on.
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

    /// Whether this process is there, and is a PostgreSQL with this data folder: a pid may have been given to
    /// another process since, above all after the machine was started anew.
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

    /// Kills the server and all its backends as a power cut would: none gets to say or write anything more.
    /// Returns when they have let go of their shared memory, without which the server would not start again.
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

    /// Gives back the shared memory that a hard kill leaves. Best effort: it is 56 bytes, and not every
    /// system has ipcrm.
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
