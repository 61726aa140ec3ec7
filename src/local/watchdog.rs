//! The second owner of a throwaway server: a small shell that cleans up when the first one ends without doing
//! so.
//!
//! It waits on a pipe whose other end only the owner holds, so it learns of every kind of end, `kill -9`
//! included. It sits in a process group of its own and ignores what Ctrl-C and a closed terminal send. Where
//! the owner has cleaned up by itself it finds nothing and ends. It never signals a process that is not a
//! server with this very data folder.

use super::{LocalError, Result};
use std::{
    os::unix::process::CommandExt,
    path::Path,
    process::{Child, Command, Stdio},
};

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

/// Watches over the server in `dir`, until the pipe to it is closed.
#[derive(Debug)]
pub(super) struct Watchdog {
    shell: Child,
}

impl Watchdog {
    pub(super) fn watch(dir: &Path) -> Result<Self> {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", WATCHDOG, "dbload-watchdog"]).arg(dir).current_dir("/").process_group(0);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let shell = command.spawn();
        let shell = shell.map_err(|source| LocalError::Spawn { program: "/bin/sh".into(), source })?;
        Ok(Self { shell })
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        drop(self.shell.stdin.take());
        // So that no zombie stays.
        let _ = self.shell.wait();
    }
}
