//! This process, and others of this machine: what the system says of them, where it says anything (`/proc`).

use std::fs::{read_link, read_to_string};

/// What tells a process from every other one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Process {
    /// Name of the host that it runs on.
    pub(crate) host: String,
    /// Identifies the machine, whatever it is called.
    pub(crate) machine: String,
    /// Identifies the boot: after another one, every earlier process is gone.
    pub(crate) boot: String,
    /// Identifies the pid namespace: in another one, the same pid is another process.
    pub(crate) namespace: String,
    /// The id of the process on that host.
    pub(crate) pid: u32,
    /// When the process started, in clock ticks since boot: pids are used again.
    pub(crate) started: u64,
}

/// This process and the host that it is on.
#[must_use]
pub(crate) fn this_process() -> Process {
    let read = |path: &str| read_to_string(path).map(|text| text.trim().to_owned()).unwrap_or_default();
    let pid = std::process::id();
    Process {
        host: rustix::system::uname().nodename().to_string_lossy().into_owned(),
        machine: read("/etc/machine-id"),
        boot: read("/proc/sys/kernel/random/boot_id"),
        namespace: namespace(),
        pid,
        started: started(pid).unwrap_or(0),
    }
}

fn namespace() -> String {
    read_link("/proc/self/ns/pid").map(|link| link.to_string_lossy().into_owned()).unwrap_or_default()
}

/// When a process of this namespace started. Field 22 of `/proc/PID/stat`; a zombie is no process that could
/// still commit.
#[must_use]
pub(crate) fn started(pid: u32) -> Option<u64> {
    let stat = read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field is the name in parentheses, and may hold anything.
    let mut fields = stat.get(stat.rfind(')')? + 2..)?.split(' ');
    let state = fields.next()?;
    if matches!(state, "Z" | "X") {
        return None;
    }
    fields.nth(18)?.parse().ok()
}
