//! `dbload local`: the local PostgreSQL from the command line.
//!
//! stdout is data (a URL, a status); what is done, and how to undo it, goes to stderr. Whatever takes time
//! runs on a blocking thread. Never decides where a server lives: that is `dbload::internals::local`.

use clap::{Args, Subcommand};
use dbload::internals::causes::with_causes;
use dbload::internals::local::{
    LocalError, LocalServer, Options, TEST_SERVER, TempServer,
    server::{self, Listen, Status},
};
use futures::FutureExt;
use std::{
    ffi::OsString,
    io::Write,
    os::unix::process::{CommandExt, ExitStatusExt},
    process::ExitStatus,
    time::Duration,
};
use tokio::signal::unix::{SignalKind, signal};

/// The exit code of a command that could not be run, as shells have it.
const NOT_RUN: u8 = 127;
/// `status` of a server that does not run, as `pg_ctl status` has it.
const NOT_RUNNING: u8 = 3;

/// A PostgreSQL of your own: dbload starts it where no other server is named.
#[derive(Debug, Args)]
pub(crate) struct LocalArgs {
    #[command(subcommand)]
    command: LocalCommand,
}

#[derive(Debug, Subcommand)]
enum LocalCommand {
    /// Start it; the first time, make it
    Start {
        /// Listen on 127.0.0.1 too, with a password; without PORT on a free one
        #[arg(long, value_name = "PORT", num_args = 0..=1, default_missing_value = "0")]
        tcp: Option<u16>,
    },
    /// Stop it; its data stays
    Stop,
    /// Say whether it runs, and where (exit code 3: it does not)
    Status,
    /// Print its URL, starting it where needed
    Url,
    /// Open psql on it, starting it where needed
    Psql {
        /// For psql, such as `-c 'table events'`
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARGS")]
        args: Vec<OsString>,
    },
    /// Remove it with all data in it
    Reset {
        /// Yes, all data in it
        #[arg(long)]
        yes: bool,
    },
    /// Run a command with a throwaway server: DATABASE_URL, PG* and DBLOAD_TEST_SERVER are set, all is gone
    /// afterwards
    Run {
        /// Listen on 127.0.0.1 too, without a password, and put that into DATABASE_URL
        #[arg(long, value_name = "PORT", num_args = 0..=1, default_missing_value = "0", require_equals = true)]
        tcp: Option<u16>,
        /// A line of postgresql.conf, such as `wal_level=logical`; again for more
        #[arg(long, value_name = "NAME=VALUE")]
        conf: Vec<String>,
        /// The command
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true, value_name = "COMMAND")]
        command: Vec<OsString>,
    },
}

/// Does what was asked, and says what went wrong; the exit code.
pub(crate) async fn run_and_say(args: LocalArgs) -> u8 {
    match run(args).await {
        Ok(code) => code,
        Err(error) => {
            say(&super::terminal::error_words(&with_causes(&error), error.hint().as_deref()));
            super::exit::DATABASE
        }
    }
}

/// Does what was asked; the exit code.
///
/// # Errors
/// The server cannot be made, started, reached or removed.
async fn run(args: LocalArgs) -> Result<u8, LocalError> {
    match args.command {
        LocalCommand::Start { tcp } => {
            let listen = tcp.map_or(Listen::Socket, Listen::Loopback);
            let server = blocking(move || server::start(listen)).await?;
            say(&started_words(&server));
        }
        LocalCommand::Stop => match blocking(server::stop).await? {
            true => say("local PostgreSQL stopped; its data stays (start it again: dbload local start)"),
            false => say("local PostgreSQL was not running"),
        },
        LocalCommand::Status => return Ok(status(&blocking(server::status).await?)),
        LocalCommand::Url => {
            let server = blocking(server::ensure_running).await?;
            if server.started_now {
                say(&started_words(&server));
            }
            print(&server.url);
        }
        LocalCommand::Psql { args } => return psql(args).await,
        LocalCommand::Reset { yes: false } => {
            say(
                "error: this removes the local PostgreSQL with all data in it\nhint: dbload local reset --yes",
            );
            return Ok(super::exit::USAGE);
        }
        LocalCommand::Reset { yes: true } => match blocking(server::reset).await? {
            Some(data) => say(&format!("local PostgreSQL removed: {}", data.display())),
            None => say("there is no local PostgreSQL"),
        },
        LocalCommand::Run { tcp, conf, command } => return run_command(tcp, conf, command).await,
    }
    Ok(0)
}

/// Which server, where, how to stop it.
#[must_use]
pub(crate) fn started_words(server: &LocalServer) -> String {
    if !server.started_now && server.tcp.is_none() {
        return format!(
            "using the local PostgreSQL {}: {} (stop it: dbload local stop)",
            server.version, server.url
        );
    }
    let done = match (server.created_now, server.started_now) {
        (true, _) => "made, started and left running",
        (false, true) => "started and left running",
        (false, false) => "runs",
    };
    let mut words = format!(
        "local PostgreSQL {} {done}: {}\n  data {}\n  stop it: dbload local stop",
        server.version,
        server.url,
        server.data_dir.display(),
    );
    if let Some(tcp) = &server.tcp {
        words += &format!("\n  over TCP {} with the password in {}", tcp.url, tcp.passfile.display());
    }
    words
}

fn status(status: &Status) -> u8 {
    match status {
        Status::Running(server) => {
            print(&format!("running\nversion  {}\npid      {}", server.version, server.pid));
            print(&format!("url      {}\ndata     {}", server.url, server.data_dir.display()));
            print(&format!("log      {}", server.log.display()));
            if let Some(tcp) = &server.tcp {
                print(&format!("tcp      {}\npassfile {}", tcp.url, tcp.passfile.display()));
            }
            0
        }
        Status::Stopped(home, major) => {
            print(&format!("stopped\nversion  {major}\ndata     {}", home.data.display()));
            NOT_RUNNING
        }
        Status::Absent(home) => {
            print(&format!("not made yet\ndata     {}", home.data.display()));
            NOT_RUNNING
        }
    }
}

/// psql takes the place of this process, so that Ctrl-C and the terminal are its own.
async fn psql(args: Vec<OsString>) -> Result<u8, LocalError> {
    let (server, psql) = blocking(|| {
        let psql = server::psql()?;
        Ok((server::ensure_running()?, psql))
    })
    .await?;
    if server.started_now {
        say(&started_words(&server));
    }
    let mut command = std::process::Command::new(&psql);
    let source = command.arg("-d").arg(&server.url).args(args).exec();
    Err(LocalError::Spawn { program: psql, source })
}

/// Tests run side by side, each with a pool.
const TESTS_AT_ONCE: &str = "max_connections = 200";
/// How much later a signal may be heard of than the end of a program that it reached too.
const SIGNAL_LAG: Duration = Duration::from_millis(100);

async fn run_command(tcp: Option<u16>, conf: Vec<String>, words: Vec<OsString>) -> Result<u8, LocalError> {
    // Heard from here on: one that comes while the server starts must not leave it behind.
    let mut signals =
        Signals::listen().map_err(|source| LocalError::Spawn { program: "signals".into(), source })?;
    let started = blocking(move || {
        let options = Options::default().conf(TESTS_AT_ONCE);
        let options = conf.iter().fold(options, |options, line| options.conf(line));
        TempServer::start(tcp.map_or(options.clone(), |port| options.tcp(port)))
    })
    .await;
    if started.is_err() {
        // Ctrl-C reaches the programs that make the server too, and their end may be heard of before the
        // signal.
        tokio::time::sleep(SIGNAL_LAG).await;
    }
    if let Some(code) = signals.came() {
        gone(started).await?;
        return Ok(code);
    }
    let server = started?;
    let url = server.tcp_dsn("postgres").unwrap_or_else(|| server.url());
    say(&format!("throwaway PostgreSQL {}: {url}", server.cluster().binaries.version));
    let (program, args) =
        words.split_first().map_or((OsString::new(), [].as_slice()), |(p, a)| (p.clone(), a));
    let mut command = tokio::process::Command::new(&program);
    command.args(args).env("DATABASE_URL", &url).env("PGUSER", "postgres").env("PGDATABASE", "postgres");
    command.env(TEST_SERVER, &url);
    command.env("PGPORT", server.cluster().port.to_string());
    if tcp.is_some() {
        command.env("PGHOST", "127.0.0.1");
    } else {
        command.env("PGHOST", &server.cluster().sockets);
    }
    for other in ["PGSERVICE", "PGHOSTADDR", "PGPASSWORD", "PGSSLMODE", "PGOPTIONS", "PGTARGETSESSIONATTRS"] {
        command.env_remove(other);
    }
    let code = match command.spawn() {
        Ok(child) => signals.wait_for(child).await,
        Err(e) => {
            say(&format!("error: run {}: {e}", program.to_string_lossy()));
            NOT_RUN
        }
    };
    gone(server).await?;
    Ok(code)
}

/// The signals that would end this process before it has cleaned up.
pub(super) struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
    hangup: tokio::signal::unix::Signal,
}

impl Signals {
    pub(super) fn listen() -> std::io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// The exit code for one that has come already.
    fn came(&mut self) -> Option<u8> {
        let came = |signal: &mut tokio::signal::unix::Signal| signal.recv().now_or_never().is_some();
        let all = [(&mut self.interrupt, 2), (&mut self.terminate, 15), (&mut self.hangup, 1)];
        all.into_iter().find_map(|(signal, number)| came(signal).then_some(128 + number))
    }

    /// Waits for one; its exit code.
    pub(super) async fn next(&mut self) -> u8 {
        tokio::select! {
            _ = self.interrupt.recv() => 130,
            _ = self.terminate.recv() => 143,
            _ = self.hangup.recv() => 129,
        }
    }

    /// Waits for the command. Ctrl-C has reached it already, from the terminal; what came to us alone is
    /// passed on.
    async fn wait_for(&mut self, mut child: tokio::process::Child) -> u8 {
        let pid = child.id().and_then(|id| rustix::process::Pid::from_raw(i32::try_from(id).ok()?));
        let pass = |what| pid.map(|pid| rustix::process::kill_process(pid, what));
        loop {
            tokio::select! {
                ended = child.wait() => return ended.map_or(NOT_RUN, code),
                _ = self.interrupt.recv() => {}
                _ = self.terminate.recv() => { pass(rustix::process::Signal::TERM); }
                _ = self.hangup.recv() => { pass(rustix::process::Signal::HUP); }
            }
        }
    }
}

/// As a shell gives it on: 128 and the signal where there is no code.
fn code(status: ExitStatus) -> u8 {
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal));
    code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1)
}

async fn blocking<T, F>(work: F) -> Result<T, LocalError>
where
    T: Send + 'static,
    F: FnOnce() -> Result<T, LocalError> + Send + 'static,
{
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(panic) => std::panic::resume_unwind(panic.into_panic()),
    }
}

/// Dropping a server waits for its end, so it is done where waiting is allowed.
async fn gone<T: Send + 'static>(server: T) -> Result<(), LocalError> {
    blocking(move || {
        drop(server);
        Ok(())
    })
    .await
}

/// To stderr, for people; one that is closed is no reason to fail.
fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// To stdout, as data.
fn print(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}
