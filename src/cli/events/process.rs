//! What this process takes of the machine.

use std::time::Duration;

use nix::time::{ClockId, clock_gettime};

/// CPU time of all its threads.
pub(crate) fn cpu() -> Duration {
    clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID).map_or(Duration::ZERO, Duration::from)
}

/// Its memory, where the system tells.
pub(super) fn resident_bytes() -> Option<u64> {
    status("VmRSS:")
}

/// The most memory that it ever had.
pub(crate) fn most_resident_bytes() -> Option<u64> {
    status("VmHWM:")
}

fn status(name: &str) -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}
