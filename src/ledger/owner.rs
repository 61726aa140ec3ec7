//! Who runs a load: enough to tell, on the same machine, whether that process is gone, and in the same
//! process, whether that load is.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use crate::process::{Process, started, this_process};

/// A process, as the ledger names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// Name of the host that it runs on.
    pub host: String,
    /// Identifies the machine, whatever it is called.
    pub machine: String,
    /// Identifies the boot: after another one, every earlier process is gone.
    pub boot: String,
    /// Identifies the pid namespace: in another one, the same pid is another process.
    pub namespace: String,
    /// The id of the process on that host.
    pub pid: u32,
    /// When the process started, in clock ticks since boot: pids are used again.
    pub started: u64,
    /// Which load of the process; versions before 0.2 ran one at a time and did not say.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub load: String,
    /// The version of dbload; those before 0.2 did not say.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub version: String,
}

/// Loads of this process that have not ended.
static LIVE: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

fn live() -> MutexGuard<'static, BTreeSet<String>> {
    LIVE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A load of this process, alive until this is dropped.
pub struct LiveLoad(Owner);

impl LiveLoad {
    /// The owner of a load that begins in this process.
    #[must_use]
    pub fn begin() -> Self {
        let load = uuid::Uuid::now_v7().simple().to_string();
        live().insert(load.clone());
        Self(Owner { load, ..Owner::this_process() })
    }

    /// As the ledger names it.
    #[must_use]
    pub const fn owner(&self) -> &Owner {
        &self.0
    }
}

impl Drop for LiveLoad {
    fn drop(&mut self) {
        live().remove(&self.0.load);
    }
}

impl Owner {
    /// This process, and no load of it.
    #[must_use]
    fn this_process() -> Self {
        let Process { host, machine, boot, namespace, pid, started } = this_process();
        let version = env!("CARGO_PKG_VERSION").to_owned();
        Self { host, machine, boot, namespace, pid, started, load: String::new(), version }
    }

    /// A load of this process that has not ended. However long it has been silent, it is not gone: it may be
    /// waiting for its turn.
    #[must_use]
    pub fn is_live_here(&self) -> bool {
        live().contains(&self.load)
    }

    /// The process is provably gone: it ran on this machine, and either the machine was booted since or
    /// nothing with its pid and start time is there; or it is this process, and the load has ended. Not
    /// provable on another machine, or where `/proc` does not tell.
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
        let is_here = self.pid == here.pid && self.started == here.started;
        self.namespace == here.namespace
            && !here.namespace.is_empty()
            && (started(self.pid) != Some(self.started) || (is_here && !self.is_live_here()))
    }
}

impl std::fmt::Display for Owner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "process {} on {}", self.pid, self.host)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_gone_when_its_pid_or_start_differs() {
        let load = LiveLoad::begin();
        let me = load.owner().clone();
        assert!(me.started > 0);
        assert!(!me.is_gone());
        assert!(Owner { started: me.started + 1, ..me.clone() }.is_gone());
        assert!(Owner { pid: u32::MAX - 1, ..me.clone() }.is_gone());
        assert!(!Owner { host: "elsewhere".to_owned(), pid: u32::MAX - 1, ..me }.is_gone());
    }

    #[test]
    fn two_loads_of_a_process_are_two_owners() {
        let (one, other) = (LiveLoad::begin(), LiveLoad::begin());
        assert_ne!(one.owner(), other.owner());
        let stored: Owner = serde_json::from_str(&serde_json::to_string(one.owner()).unwrap()).unwrap();
        assert_eq!(&stored, one.owner());
        assert!(stored.is_live_here() && !stored.is_gone());
        drop(one);
        assert!(!stored.is_live_here() && stored.is_gone(), "an ended load is nobody's");
        assert!(!other.owner().is_gone());
    }

    #[test]
    fn an_owner_that_was_stored_without_a_load_is_read() {
        let stored = r#"{"host":"h","machine":"m","boot":"b","namespace":"n","pid":7,"started":8}"#;
        let owner: Owner = serde_json::from_str(stored).unwrap();
        assert_eq!((owner.pid, owner.load.as_str()), (7, ""));
        assert!(!owner.is_live_here());
        assert_eq!(serde_json::to_string(&owner).unwrap(), stored);
    }
}
