//! A streaming standby of a throwaway server, for tests of failover.
//!
//! Made by copying the primary's folder while it is stopped, since pg_basebackup does not come with every
//! server. The primary is never changed beyond that restart.

use super::{LocalError, Options, Result, TempServer, account::Write, cluster::tail};
use std::process::Command;

impl TempServer {
    /// A streaming standby of this server, which is stopped for a moment to copy its data (pg_basebackup is
    /// not there everywhere). `promote` makes it a primary.
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
        standby.cluster.account.write(&signal, "", Write::New)?;
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
}
