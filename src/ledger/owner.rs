//! Who runs a load: enough to tell, on the same machine, whether that process is gone.

use serde::{Deserialize, Serialize};

/// A process, as the ledger names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// Host name.
    pub host: String,
    /// Identifies the machine, whatever it is called.
    pub machine: String,
    /// Identifies the boot: after another one, every earlier process is gone.
    pub boot: String,
    /// Identifies the pid namespace: in another one, the same pid is another process.
    pub namespace: String,
    /// Process id.
    pub pid: u32,
    /// When the process started, in clock ticks since boot: pids are used again.
    pub started: u64,
}

impl Owner {
    /// This process.
    #[must_use]
    pub fn this_process() -> Self {
        let read =
            |path: &str| std::fs::read_to_string(path).map(|text| text.trim().to_owned()).unwrap_or_default();
        let pid = std::process::id();
        Self {
            host: rustix::system::uname().nodename().to_string_lossy().into_owned(),
            machine: read("/etc/machine-id"),
            boot: read("/proc/sys/kernel/random/boot_id"),
            namespace: namespace(),
            pid,
            started: started(pid).unwrap_or(0),
        }
    }

    /// The process is provably gone: it ran on this machine, and either the machine was booted since or nothing
    /// with its pid and start time is there. Not provable on another machine, or where `/proc` does not tell.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        let here = Self::this_process();
        if here.boot.is_empty()
            || self.boot.is_empty()
            || self.host != here.host
            || self.machine != here.machine
        {
            return false;
        }
        if self.boot != here.boot {
            // Containers may share a name; without a machine id, another boot id may be another machine.
            return !here.machine.is_empty();
        }
        self.namespace == here.namespace
            && !here.namespace.is_empty()
            && started(self.pid) != Some(self.started)
    }
}

impl std::fmt::Display for Owner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "process {} on {}", self.pid, self.host)
    }
}

fn namespace() -> String {
    std::fs::read_link("/proc/self/ns/pid")
        .map(|link| link.to_string_lossy().into_owned())
        .unwrap_or_default()
}

/// Field 22 of `/proc/PID/stat`; a zombie is no process that could still commit.
fn started(pid: u32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field is the name in parentheses, and may hold anything.
    let mut fields = stat.get(stat.rfind(')')? + 2..)?.split(' ');
    let state = fields.next()?;
    if matches!(state, "Z" | "X") {
        return None;
    }
    fields.nth(18)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_gone_when_its_pid_or_start_differs() {
        let me = Owner::this_process();
        assert!(me.started > 0);
        assert!(!me.is_gone());
        assert!(Owner { started: me.started + 1, ..me.clone() }.is_gone());
        assert!(Owner { pid: u32::MAX - 1, ..me.clone() }.is_gone());
        assert!(!Owner { host: "elsewhere".to_owned(), pid: u32::MAX - 1, ..me }.is_gone());
    }
}
