//! Who is told how a run of a file has ended: one command and one webhook. Best effort: they have their time,
//! and whatever becomes of them, the run has ended as it has.

use std::os::fd::AsFd as _;
use std::process::Stdio;
use std::time::{Duration, Instant};

use dbload::internals::http::ProxyVariables;
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::AsyncWriteExt as _;
use tokio::process::{Child, Command};
use tokio_util::sync::CancellationToken;

use super::keys::HookKeys;
use crate::cli::progress::Progress;

/// After a stop all is over within this time, loads and hooks.
const STOP_GRACE: Duration = Duration::from_secs(4);

/// When all were stopped, if they were.
pub(super) struct StoppedAt(tokio::task::JoinHandle<Instant>);

impl StoppedAt {
    /// Notes the moment of a stop.
    pub(super) fn watch(stop: &CancellationToken) -> Self {
        let stop = stop.clone();
        Self(tokio::spawn(async move {
            stop.cancelled().await;
            Instant::now()
        }))
    }

    /// Comes when the time after a stop is over; without one never.
    async fn grace_over(self) {
        match self.0.await {
            Ok(at) => tokio::time::sleep_until((at + STOP_GRACE).into()).await,
            Err(_) => std::future::pending().await,
        }
    }
}

/// Tells them. `name`: the table of the file; `report`: what they get.
pub(super) async fn call(name: &str, hook: &HookKeys, report: &str, stopped: StoppedAt, progress: &Progress) {
    if hook.command.is_empty() && hook.webhook.is_none() {
        return;
    }
    let command = async {
        if let Err(why) = run_command(&hook.command, report, hook.timeout).await {
            progress.say(&format!("{name}: the command {why}"));
        }
    };
    let webhook = async {
        let Some(webhook) = &hook.webhook else { return };
        let proxies = ProxyVariables::read(|name| std::env::var(name).ok());
        if let Err(why) = webhook.post(report.to_owned(), &proxies, hook.timeout).await {
            progress.say(&format!("{name}: the webhook was not told: {why}"));
        }
    };
    tokio::select! {
        ((), ()) = async { tokio::join!(command, webhook) } => {}
        () = stopped.grace_over() => progress.say(&format!("{name}: cut short, since all were stopped")),
    }
}

/// A command in a process group of its own, which ends with it.
struct Group(Child);

impl Drop for Group {
    fn drop(&mut self) {
        let pid = self.0.id().and_then(|pid| Pid::from_raw(i32::try_from(pid).ok()?));
        if let Some(pid) = pid {
            let _ = kill_process_group(pid, Signal::KILL);
        }
    }
}

async fn run_command(words: &[String], report: &str, limit: Duration) -> Result<(), String> {
    let Some((program, args)) = words.split_first() else { return Ok(()) };
    let mut command = Command::new(program);
    command.args(args).stdin(Stdio::piped()).kill_on_drop(true).process_group(0);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("DBLOAD_") {
            command.env_remove(name);
        }
    }
    // Stdout is for data, and this is none.
    let said = std::io::stderr().as_fd().try_clone_to_owned();
    command.stdout(said.map_or_else(|_| Stdio::null(), Stdio::from));
    let child = command.spawn().map_err(|error| format!("cannot be run: {error}"))?;
    let mut group = Group(child);
    let run = async {
        if let Some(mut stdin) = group.0.stdin.take() {
            // It need not read what it gets.
            let _ = stdin.write_all(report.as_bytes()).await;
        }
        group.0.wait().await
    };
    match tokio::time::timeout(limit, run).await {
        Err(_) => Err(format!("was ended after {}", humantime::format_duration(limit))),
        Ok(Err(error)) => Err(format!("cannot be waited for: {error}")),
        Ok(Ok(status)) if status.success() => Ok(()),
        Ok(Ok(status)) => Err(format!("ended with {status}")),
    }
}
