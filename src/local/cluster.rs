//! One cluster: made by initdb, run by postgres, watched through its postmaster.pid.
//!
//! Locale: collation C, so that text sorts by bytes and an upgrade of the C library never spoils an index;
//! character classes of C.UTF-8 where the system has it, so that upper() and citext know letters beyond
//! ASCII. Connections come through a Unix socket in a folder that only the server's user may enter, so the
//! socket needs no password; TCP is off unless asked for. This file never decides where a cluster lies or how
//! long it lives.

use super::{
    LocalError, Postmaster, Result,
    account::{Account, NO_LINK, Write},
    binaries::Binaries,
    postmaster::POLL,
};
use std::{
    fs,
    os::unix::{fs::OpenOptionsExt, process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

/// The superuser of every cluster of ours.
pub const SUPERUSER: &str = "postgres";
/// Our settings, included by postgresql.conf; written anew at each start.
const CONF: &str = "dbload.conf";
/// The longest socket path that every system takes: macOS has 104 bytes with the NUL, Linux 108.
pub const SOCKET_PATH_MAX_BYTES: usize = 103;
/// Lines of a log that an error shows: enough for the reason, short enough to read.
const LOG_TAIL_LINES: usize = 12;

/// One cluster: which programs, where, as whom.
#[derive(Debug, Clone)]
pub struct Cluster {
    /// The programs that run it.
    pub binaries: Binaries,
    /// The data folder of the cluster.
    pub data: PathBuf,
    /// The folder of its socket.
    pub sockets: PathBuf,
    /// Its port; without TCP just a part of the socket's name.
    pub port: u16,
    /// Whom it runs as.
    pub account: Account,
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
        self.account.write(&path, &text, Write::New)
    }

    /// Adds lines to one of the files in the data folder.
    pub(super) fn append(&self, name: &str, text: &str) -> Result<()> {
        self.account.write(&self.data.join(name), text, Write::Append)
    }

    /// Runs the server as a child of this process, in a process group of its own: Ctrl-C does not reach it.
    ///
    /// # Errors
    /// postgres cannot be run.
    pub fn spawn(&self, log: &Path) -> Result<Child> {
        let mut command = self.command("postgres");
        command.arg("-D").arg(&self.data).process_group(0);
        let file = fs::OpenOptions::new().create(true).append(true).custom_flags(NO_LINK).open(log);
        let file = file.map_err(|e| LocalError::file("open the log", log, e))?;
        let twin = file.try_clone().map_err(|e| LocalError::file("open the log", log, e))?;
        command.stdin(Stdio::null()).stdout(file).stderr(twin);
        command
            .spawn()
            .map_err(|source| LocalError::Spawn { program: self.binaries.program("postgres"), source })
    }

    /// One of the programs, as the cluster's user, in a folder that this user may be in, without the caller's
    /// PG settings.
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
