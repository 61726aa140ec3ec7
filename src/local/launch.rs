//! Starting the default local server so that it outlives us, and ending it. The caller holds the lock.
//!
//! A shell starts it and ends at once, in a process group of its own, so neither Ctrl-C nor the end of dbload
//! reaches it.

use super::{
    LocalError, Postmaster, Result,
    account::Write,
    cluster::{Cluster, tail, tail_of},
    home::{Home, VERSION_FILE},
    postmaster::lives,
};
use rustix::process::{Pid, Signal};
use std::{
    fs,
    os::unix::process::CommandExt,
    process::Command,
    thread,
    time::{Duration, Instant},
};

/// Recovery after a crash replays up to max_wal_size (1 GB): about a minute on a slow disk.
const START_PATIENCE: Duration = Duration::from_secs(120);
/// A fast shutdown writes a checkpoint.
const STOP_PATIENCE: Duration = Duration::from_secs(120);
/// After a kill of the server alone, backends notice it and let go of the shared memory within this time.
const ORPHANS_PATIENCE: Duration = Duration::from_secs(10);
/// The log of a server left running for years; one older log is kept.
const LOG_MAX_BYTES: u64 = 4 << 20;

/// Starts it and waits until it is ready.
pub(super) fn launch(home: &Home, cluster: &Cluster) -> Result<()> {
    let stale = cluster.postmaster();
    if let Some(postmaster) = &stale {
        if postmaster.is_running(&home.data) {
            // Started by hand, or still recovering: it is ours to wait for.
            return cluster
                .wait_ready(START_PATIENCE, &home.log, || !postmaster.is_running(&home.data))
                .map(|_| ());
        }
        // PostgreSQL sees through a pid that is gone, but not through one that another process has been given
        // since.
        if rustix::process::test_kill_process(postmaster.pid).is_ok() {
            let path = home.data.join("postmaster.pid");
            fs::remove_file(&path).map_err(|e| LocalError::file("remove the stale", &path, e))?;
        }
    }
    let start = Instant::now();
    loop {
        rotate(home);
        let pid = detach(home, cluster)?;
        match cluster.wait_ready(START_PATIENCE, &home.log, || !lives(pid)) {
            Ok(_) => break,
            // Backends of a killed server may still hold its shared memory.
            Err(LocalError::Ended { .. }) if stale.is_some() && start.elapsed() < ORPHANS_PATIENCE => {
                thread::sleep(Duration::from_millis(200));
            }
            Err(e) => return Err(e),
        }
    }
    let path = home.dir.join(VERSION_FILE);
    cluster.account.write(&path, &cluster.binaries.version.to_string(), Write::New)
}

/// Runs postgres as nobody's child; its pid.
fn detach(home: &Home, cluster: &Cluster) -> Result<Pid> {
    let mut command: Command = cluster.command("/bin/sh");
    command.args(["-c", r#"log=$1; shift; "$@" </dev/null >>"$log" 2>&1 & echo $!"#, "sh"]).arg(&home.log);
    command.arg(cluster.binaries.program("postgres")).arg("-D").arg(&home.data).process_group(0);
    let output = cluster.run(command)?;
    let pid = String::from_utf8_lossy(&output.stdout).trim().parse().ok().and_then(Pid::from_raw);
    pid.ok_or_else(|| LocalError::Program { program: "postgres", output: tail(&output.stderr) })
}

fn rotate(home: &Home) {
    if fs::metadata(&home.log).is_ok_and(|meta| meta.len() > LOG_MAX_BYTES) {
        let _ = fs::rename(&home.log, home.dir.join("server.log.1"));
    }
}

/// Ends the server; whether it was running. The lock is held.
pub(super) fn end(home: &Home) -> Result<bool> {
    let Some(postmaster) = Postmaster::read(&home.data).filter(|p| p.is_running(&home.data)) else {
        return Ok(false);
    };
    postmaster.signal(Signal::INT);
    if postmaster.wait_gone(&home.data, STOP_PATIENCE) {
        return Ok(true);
    }
    let (data, seconds) = (home.data.clone(), STOP_PATIENCE.as_secs());
    Err(LocalError::NotStopped { data, seconds, log: tail_of(&home.log) })
}
