//! The program as a process: arguments in, exit code, stdout and stderr out; killed when it hangs.

use super::Database;
use rustix::process::{Pid, Signal, kill_process};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
    io::{Read, Write},
    os::unix::process::ExitStatusExt,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::Arc,
    thread::JoinHandle,
    time::{Duration, Instant},
};

/// No command of this suite needs as long, even on a machine with ten times more to do than it can: a hang,
/// then.
const TIMEOUT: Duration = Duration::from_secs(240);

/// The program: cargo's, or the one that `DBLOAD_TEST_PROGRAM` names (a release build, a build of another
/// day).
pub fn program() -> PathBuf {
    std::env::var_os("DBLOAD_TEST_PROGRAM").map_or_else(|| env!("CARGO_BIN_EXE_dbload").into(), PathBuf::from)
}

/// A command line to be run.
#[derive(Debug, Clone)]
pub struct Dbload {
    args: Vec<OsString>,
    env: Vec<(String, OsString)>,
    cwd: PathBuf,
    stdin: Option<Stdin>,
    timeout: Duration,
}

/// What stdin gets.
#[derive(Clone)]
enum Stdin {
    Bytes(Vec<u8>),
    /// Written as it is read: more than anybody wants to hold.
    Stream(Arc<Feed>),
}

type Feed = dyn Fn(&mut dyn Write) -> std::io::Result<()> + Send + Sync;

impl std::fmt::Debug for Stdin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Bytes(bytes) => write!(f, "{} bytes", bytes.len()),
            Self::Stream(_) => write!(f, "a stream"),
        }
    }
}

impl Dbload {
    pub fn new(cwd: &Path) -> Self {
        Self { args: vec![], env: vec![], cwd: cwd.to_owned(), stdin: None, timeout: TIMEOUT }
    }

    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.args.push(arg.as_ref().to_owned());
        self
    }

    /// Arguments as one would type them; no quoting.
    pub fn line(mut self, line: &str) -> Self {
        self.args.extend(line.split_whitespace().map(OsString::from));
        self
    }

    pub fn args<S: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = S>) -> Self {
        self.args.extend(args.into_iter().map(|a| a.as_ref().to_owned()));
        self
    }

    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.env.push((name.to_owned(), value.as_ref().to_owned()));
        self
    }

    pub fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.stdin = Some(Stdin::Bytes(bytes.into()));
        self
    }

    /// Stdin from a generator.
    pub fn stdin_stream(
        mut self,
        feed: impl Fn(&mut dyn Write) -> std::io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        self.stdin = Some(Stdin::Stream(Arc::new(feed)));
        self
    }

    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Runs it to its end.
    pub fn run(self) -> Outcome {
        self.spawn().wait()
    }

    /// Starts it.
    pub fn spawn(self) -> Running {
        let mut command = Command::new(program());
        command.args(&self.args).current_dir(&self.cwd);
        // The environment of whoever runs the tests must not leak in.
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy();
            if text.starts_with("PG") || text.starts_with("DBLOAD_") || text == "DATABASE_URL" {
                command.env_remove(&name);
            }
        }
        for name in ["NO_COLOR", "CLICOLOR_FORCE", "RUST_LOG", "TERM", "LANG", "LC_ALL"] {
            command.env_remove(name);
        }
        command.env("HOME", &self.cwd).env("XDG_DATA_HOME", self.cwd.join(".share"));
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        command.stdin(if self.stdin.is_some() { Stdio::piped() } else { Stdio::null() });
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let words: Vec<_> = self.args.iter().map(|a| a.to_string_lossy().into_owned()).collect();
        let mut child = command.spawn().expect("the binary starts");
        if let Some(stdin) = self.stdin {
            let mut pipe = child.stdin.take().unwrap();
            // The program may end before it has read all.
            std::thread::spawn(move || match stdin {
                Stdin::Bytes(bytes) => pipe.write_all(&bytes),
                Stdin::Stream(feed) => feed(&mut pipe),
            });
        }
        let stdout = collect(child.stdout.take().unwrap());
        let stderr = collect(child.stderr.take().unwrap());
        let words = format!("dbload {}", words.join(" "));
        Running {
            child,
            stdout: Some(stdout),
            stderr: Some(stderr),
            words,
            started: Instant::now(),
            timeout: self.timeout,
        }
    }
}

/// What the server of this command line is doing: who waits for whom, and since when.
fn sessions_of(words: &str) -> Vec<String> {
    let dsn = words.split(' ').skip_while(|word| *word != "--dsn").nth(1).unwrap_or_default();
    let Ok(db) = Database::try_connect(dsn) else { return vec!["none answers".to_owned()] };
    db.lines(
        "SELECT pid, application_name, state, wait_event_type, wait_event, pg_blocking_pids(pid), now() - xact_start, \
         now() - state_change, left(query, 200) FROM pg_stat_activity WHERE datname = current_database()",
    )
}

fn collect(mut pipe: impl Read + Send + 'static) -> JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut bytes = vec![];
        let _ = pipe.read_to_end(&mut bytes);
        bytes
    })
}

/// A process under way; killed when dropped.
#[derive(Debug)]
pub struct Running {
    child: Child,
    stdout: Option<JoinHandle<Vec<u8>>>,
    stderr: Option<JoinHandle<Vec<u8>>>,
    words: String,
    started: Instant,
    timeout: Duration,
}

impl Running {
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        let _ = kill_process(pid, signal);
    }

    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Waits for its end; with the most memory that it ever had, in bytes.
    pub fn wait_with_peak(mut self) -> (Outcome, u64) {
        let mut peak = 0;
        while self.is_running() && self.started.elapsed() < self.timeout {
            let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap_or_default();
            let most = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or("0 kB");
            peak = peak.max(most.trim().trim_end_matches(" kB").parse::<u64>().unwrap_or(0) * 1024);
            std::thread::sleep(Duration::from_millis(5));
        }
        (self.wait(), peak)
    }

    /// Kills it after a while, unless it has ended by then; what there is of its output either way.
    pub fn kill9_after(mut self, delay: Duration) -> Outcome {
        let deadline = self.started + delay;
        while self.is_running() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(1));
        }
        self.signal(Signal::KILL);
        self.wait()
    }

    /// Waits for its end; a hang is a failed test.
    pub fn wait(mut self) -> Outcome {
        let mut pause = Duration::from_micros(500);
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            if self.started.elapsed() > self.timeout {
                let sessions = sessions_of(&self.words);
                self.signal(Signal::KILL);
                let outcome = self.outcome(ExitStatus::from_raw(9));
                panic!("no end after {:?}: {outcome}\nsessions: {sessions:#?}", self.timeout);
            }
            std::thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_millis(10));
        };
        self.outcome(status)
    }

    fn outcome(&mut self, status: ExitStatus) -> Outcome {
        let _ = self.child.wait();
        let text = |t: Option<JoinHandle<Vec<u8>>>| {
            String::from_utf8_lossy(&t.unwrap().join().unwrap()).into_owned()
        };
        let (stdout, stderr) = (text(self.stdout.take()), text(self.stderr.take()));
        Outcome { status, stdout, stderr, words: self.words.clone(), elapsed: self.started.elapsed() }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// How a process ended.
#[derive(Debug, Clone)]
pub struct Outcome {
    pub status: ExitStatus,
    pub stdout: String,
    pub stderr: String,
    pub words: String,
    pub elapsed: Duration,
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { status, stdout, stderr, words, elapsed } = self;
        write!(f, "{words}\n  {status} after {elapsed:?}\n--- stdout\n{stdout}\n--- stderr\n{stderr}\n---")
    }
}

impl Outcome {
    /// The exit code; 128 and the signal's number for a process that was killed.
    pub fn code(&self) -> i32 {
        self.status.code().unwrap_or_else(|| 128 + self.status.signal().unwrap_or(0))
    }

    /// Whether it was killed from outside (by SIGKILL), so that nothing is known.
    pub fn was_killed(&self) -> bool {
        self.status.signal() == Some(9)
    }

    /// Fails the test, with everything there is to see, unless it ended with this code.
    #[track_caller]
    pub fn exits(self, code: i32) -> Self {
        assert_eq!(self.code(), code, "expected exit {code}, but: {self}");
        assert!(!self.stderr.contains("panicked at"), "it panicked: {self}");
        self
    }

    /// Fails the test unless stderr has this text (whatever its case).
    #[track_caller]
    pub fn says(self, text: &str) -> Self {
        assert!(self.stderr.to_lowercase().contains(&text.to_lowercase()), "stderr lacks {text:?}: {self}");
        self
    }

    /// The report: all of stdout, one JSON value, with books that balance.
    #[track_caller]
    pub fn report(&self) -> Report {
        let report: Report = serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("stdout is not a report ({error}): {self}"));
        let rows = report.rows;
        assert_eq!(rows.read, rows.accounted(), "the books do not balance: {self}");
        assert_eq!(report.version, 1);
        assert_eq!(
            rows.read,
            report.sources.iter().map(|s| s.read).sum::<u64>(),
            "sources against rows: {self}"
        );
        assert_eq!(
            rows.rejected,
            report.sources.iter().map(|s| s.rejected).sum::<u64>(),
            "rejects a source: {self}"
        );
        assert_eq!(
            rows.rejected,
            report.rejects.reasons.iter().map(|r| r.count).sum::<u64>(),
            "reasons: {self}"
        );
        report
    }

    /// The rows of the report.
    #[track_caller]
    pub fn rows(&self) -> Rows {
        self.report().rows
    }
}

/// What `--json` prints (docs/report.md). Fields may be added, so unknown ones are fine.
#[derive(Debug, Clone, Deserialize)]
pub struct Report {
    pub version: u32,
    pub run: String,
    pub table: String,
    pub database: String,
    pub mode: String,
    pub guarantee: String,
    pub complete: bool,
    pub attempts: u64,
    pub rows: Rows,
    pub removed: Option<u64>,
    pub sources: Vec<Source>,
    pub rejects: Rejects,
    pub pool: Pool,
    pub elapsed_seconds: f64,
    pub rows_per_second: f64,
}

/// The books.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
pub struct Rows {
    pub read: u64,
    pub inserted: u64,
    pub updated: u64,
    pub unchanged: u64,
    #[serde(default)]
    pub deleted: u64,
    pub deduplicated: u64,
    pub skipped: u64,
    pub rejected: u64,
}

impl Rows {
    pub fn accounted(&self) -> u64 {
        self.inserted
            + self.updated
            + self.unchanged
            + self.deleted
            + self.deduplicated
            + self.skipped
            + self.rejected
    }

    /// What depends on where batches end only in sum.
    pub fn stored_before(&self) -> u64 {
        self.updated + self.unchanged + self.deduplicated
    }
}

/// Books from what is not zero: `rows!(read: 3, inserted: 3)`.
#[macro_export]
macro_rules! rows {
    ($($book:ident : $count:expr),* $(,)?) => {
        $crate::support::Rows { $($book: $count,)* ..Default::default() }
    };
}

#[derive(Debug, Clone, Deserialize)]
pub struct Source {
    pub name: String,
    pub bytes: u64,
    pub read: u64,
    pub rejected: u64,
    pub retries: u64,
    pub state: String,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Rejects {
    pub file: Option<PathBuf>,
    pub reasons: Vec<Reason>,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Reason {
    pub sqlstate: Option<String>,
    pub column: Option<String>,
    pub count: u64,
    pub first: String,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Pool {
    pub size: u64,
    pub batches: u64,
    pub careful: u64,
    pub direct: u64,
    pub direct_refused: u64,
    pub retries: u64,
}

/// A line of the reject file.
#[derive(Debug, Clone, Deserialize)]
pub struct Reject {
    pub dbload_reject: u32,
    pub source: String,
    pub line: u64,
    pub offset: u64,
    pub column: Option<String>,
    pub sqlstate: Option<String>,
    pub constraint: Option<String>,
    pub reason: String,
    /// Values as they were written: numbers may be longer than any that Rust has.
    pub record: Option<BTreeMap<String, Box<RawValue>>>,
    pub raw: Option<serde_json::Value>,
    pub raw_base64: Option<String>,
}

impl Report {
    /// What the reject file holds (nothing if there is none), in its order.
    #[track_caller]
    pub fn rejected(&self, cwd: &Path) -> Vec<Reject> {
        let Some(file) = &self.rejects.file else { return vec![] };
        let path = cwd.join(file);
        let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let rejects: Vec<Reject> = text
            .lines()
            .map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("reject file: {e}: {line}")))
            .collect();
        for reject in &rejects {
            assert_eq!(reject.dbload_reject, 1);
            assert!(!reject.reason.is_empty());
            let kept = reject.record.is_some() || reject.raw.is_some() || reject.raw_base64.is_some();
            let said = reject.reason.contains("only the place is kept");
            assert!(kept != said, "neither record nor raw: {reject:?}");
        }
        rejects
    }
}
