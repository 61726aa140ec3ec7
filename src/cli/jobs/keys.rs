//! What a job file may say, key by key: vocabulary, and nothing that acts.
//!
//! Each table of the file is a command that only the file speaks: a key is an argument of it in snake_case, a
//! key of an inline table one with a dot. What is a flag of a load is a key of one, unless it stands in
//! [`NOT_OF_A_LOAD`]; its type, its values, its default and its help are those of the flag.

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::{OsStr, Resettable};
use clap::{Args, Command, ValueEnum};
use dbload::internals::http::Webhook;
use dbload::internals::schedule::{Lag, MarkOrder};
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::window::{self, WindowRule, WindowStep};
use crate::cli::args::LoadArgs;
use crate::cli::parse;

/// Flags that are no keys of a load, and what to do in their place.
pub(super) const NOT_OF_A_LOAD: [(&str, &str); 19] = [
    ("dsn", "it stands in [target]"),
    ("pool_size", "it stands in [target], and is that of all loads together"),
    ("max_memory", "it stands in [target], and is that of all loads together"),
    ("dry_run", "dbload check FILE shows the plans"),
    ("load_id", "the name of the job and that of the load are its identity"),
    ("no_ledger", "a job file needs the ledger"),
    ("restart", ONCE),
    ("again", ONCE),
    ("take_over", ONCE),
    ("accept_changed", ONCE),
    ("skip_records", "it is about one start of one load, and a job file is about many"),
    ("wait", "say it as if_running = \"wait=5m\""),
    ("json", OUTPUT),
    ("quiet", OUTPUT),
    ("verbose", OUTPUT),
    ("log_format", OUTPUT),
    ("progress", OUTPUT),
    ("no_progress", OUTPUT),
    ("events", "it stands in [metrics], and is that of all loads together"),
];

const ONCE: &str = "it means one start: dbload run FILE --load NAME, with the flag";
const OUTPUT: &str = "it is a flag of dbload run";

/// Keys whose values may be or end in `env:NAME`, as their flags have it; of others a value is that as a
/// whole.
pub(super) const READ_BY_THE_FLAG: [&str; 9] =
    ["body", "client_id", "client_secret", "dsn", "header", "mask_key", "proxy", "secret_param", "user"];

/// Keys that say where records come from: a resume must find them as they were.
pub(super) const OF_SOURCES: [&str; 4] = ["source", "urls", "each", "body"];

/// `[load.NAME]`, and `[defaults]` for all of them.
#[derive(Debug, Args)]
pub(super) struct LoadKeys {
    #[command(flatten)]
    pub(super) load: LoadArgs,
    #[command(flatten)]
    pub(super) turn: TurnKeys,
}

/// Keys of a load that are no flags.
#[derive(Debug, Args)]
pub(super) struct TurnKeys {
    /// Loads of this file that must come to a good end first: complete, rejected within max_rejects, or
    /// nothing new. After any other end this one is skipped
    #[arg(long, value_name = "LOAD")]
    pub(super) after: Vec<String>,
    /// The asset of Dagster that it materialises, such as shop/orders; by default SCHEMA/TABLE, TABLE, or the
    /// load's name
    #[arg(long, value_name = "KEY")]
    pub(super) asset: Option<String>,
    /// Words to choose loads by: dbload run --tag nightly
    #[arg(long, value_name = "TAG")]
    pub(super) tags: Vec<String>,
    /// Longest time of this load, with its retries; it is then stopped so that the next start goes on
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
    pub(super) timeout: Option<Duration>,
    /// Further starts of the whole load in this run, each going on where the last one stopped; only where a
    /// source or the database failed
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(super) retries: u32,
    /// What rejects within max_rejects come to: exit code 3, or a warning and exit code 0
    #[arg(long, value_enum, default_value = "fail")]
    pub(super) on_rejects: OnRejects,
    /// What to do if another process is at this load: fail (exit code 8), skip (exit code 0), or
    /// wait=DURATION
    #[arg(long, value_name = "WHAT", value_parser = if_running)]
    pub(super) if_running: Option<IfRunning>,
    /// Fewest records that the sources must give: else the load has failed (exit code 4), and the next start
    /// reads them anew
    #[arg(long = "expect.min-records", value_name = "N", default_value_t = 0)]
    pub(super) min_records: u64,
    /// The field of the records that says how new they are: an integer, an instant or a date, with a column
    /// of its own name. The greatest one that was loaded is kept, and {watermark} in source, header and body
    /// stands for it
    #[arg(long = "watermark.field", value_name = "FIELD")]
    pub(super) watermark_field: Option<String>,
    /// Ask again from so much before it, for what came late: a number, or a time such as 5m
    #[arg(long = "watermark.lag", value_name = "N|DURATION", value_parser = lag, requires = "watermark_field")]
    pub(super) watermark_lag: Option<Lag>,
    /// What {watermark} stands for as long as nothing is kept, and with --full
    #[arg(long = "watermark.initial", value_name = "N|INSTANT", value_parser = initial, requires = "watermark_field")]
    pub(super) watermark_initial: Option<String>,
    /// status warns (exit code 3) when it was last complete longer ago
    #[arg(long = "freshness.warn-after", value_name = "DURATION", value_parser = humantime::parse_duration)]
    pub(super) warn_after: Option<Duration>,
    /// status fails (exit code 4) when it was last complete longer ago
    #[arg(long = "freshness.error-after", value_name = "DURATION", value_parser = humantime::parse_duration)]
    pub(super) error_after: Option<Duration>,
    /// Load window by window, each a run of its own: a step by the calendar (1d, 1w, 1mo, 1y), or of elapsed
    /// time (24h, 15m). {window.start} and {window.end} in source, header and body are its ends;
    /// {window.start:%Y%m%d} says the form, which may be unix or unix_ms too
    #[arg(long = "window.every", value_name = "STEP", value_parser = window::step)]
    pub(super) window_every: Option<WindowStep>,
    /// The time zone of the windows, by its IANA name
    #[arg(long = "window.timezone", value_name = "ZONE", default_value = "UTC", value_parser = window::zone)]
    pub(super) window_timezone: TimeZone,
    /// Where the first window begins: those that were missed since are caught up. Without it the last whole
    /// one is loaded
    #[arg(long = "window.begin", value_name = "DATE", value_parser = window::moment, requires = "window_every")]
    pub(super) window_begin: Option<DateTime>,
    /// A window is loaded when it has ended so long ago
    #[arg(long = "window.delay", value_name = "DURATION", default_value = "0s", value_parser = humantime::parse_duration)]
    pub(super) window_delay: Duration,
    /// Load so many of the windows before a new one again, for what came late
    #[arg(long = "window.lookback", value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u32).range(..=1000))]
    pub(super) window_lookback: u32,
}

impl TurnKeys {
    /// The windows of the load, if it has any.
    pub(super) fn windows(&self) -> Option<WindowRule> {
        Some(WindowRule {
            every: self.window_every?,
            zone: self.window_timezone.clone(),
            begin: self.window_begin,
            delay: self.window_delay,
            lookback: self.window_lookback,
        })
    }
}

/// `100`, `5m`.
fn lag(text: &str) -> Result<Lag, String> {
    if let Ok(number) = text.parse() {
        return Ok(Lag::Integer(number));
    }
    humantime::parse_duration(text)
        .map(Lag::Time)
        .map_err(|_| "must be a number, or a time such as 5m".to_owned())
}

/// An integer, an instant or a date.
fn initial(text: &str) -> Result<String, String> {
    let is_one = MarkOrder::guess(text).is_some();
    is_one.then(|| text.to_owned()).ok_or_else(|| "must be an integer, an instant or a date".to_owned())
}

/// `[target]`: the database, and what all loads may take of it and of this machine.
#[derive(Debug, Default, Args)]
pub(super) struct TargetKeys {
    /// libpq URL or key=value text, env:NAME, file:PATH, or local; else DATABASE_URL, else PG*, else the
    /// local server
    #[arg(long, value_name = "DSN", hide_env_values = true)]
    pub(super) dsn: Option<String>,
    /// Schema of tables that are named without one
    #[arg(long, value_name = "NAME")]
    pub(super) schema: Option<String>,
    /// Connections of all loads together, the ledger's included (by default 4, over a Unix socket at most one
    /// a core of this machine)
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub(super) pool_size: Option<u16>,
    /// Memory of all loads together
    #[arg(long, value_name = "SIZE", default_value = "64MiB", value_parser = parse::bytes)]
    pub(super) max_memory: u64,
}

/// `[on_failure]`, `[on_success]`: who is told when the loads of a file have ended.
#[derive(Debug, Clone, Default, Args)]
pub(super) struct HookKeys {
    /// A command and its arguments, run in the folder of the file: it gets the report as JSON on its standard
    /// input, and no variable DBLOAD_*
    #[arg(long, value_name = "WORD")]
    pub(super) command: Vec<String>,
    /// A URL that gets the report as JSON by POST; mostly env:NAME, since it is a secret
    #[arg(long, value_name = "URL", value_parser = Webhook::parse)]
    pub(super) webhook: Option<Webhook>,
    /// Longest time that each of them may take
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = humantime::parse_duration)]
    pub(super) timeout: Duration,
}

/// `[metrics]`: what monitoring reads.
#[derive(Debug, Clone, Default, Args)]
pub(super) struct MetricsKeys {
    /// A file in Prometheus' text format, written anew at the end of each run; its name has to end in .prom
    #[arg(long, value_name = "FILE", value_parser = metrics_file)]
    pub(super) metrics_file: Option<PathBuf>,
    /// A file that what happens is appended to, as one line of JSON an event: dbload show FILE draws it
    #[arg(long, value_name = "FILE")]
    pub(super) events: Option<PathBuf>,
}

/// Node exporter's textfile collector reads no other names.
pub(super) fn metrics_file(text: &str) -> Result<PathBuf, String> {
    let is_one = text.ends_with(".prom") && text.len() > ".prom".len();
    is_one.then(|| PathBuf::from(text)).ok_or_else(|| "must be a file whose name ends in .prom".to_owned())
}

/// What rejects within the budget come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum OnRejects {
    /// Exit code 3
    Fail,
    /// A warning, and exit code 0
    Warn,
}

/// What to do about a load that another process is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum IfRunning {
    /// Exit code 8.
    Fail,
    /// Nothing, and all is well.
    Skip,
    /// Wait so long for it to end.
    Wait(Duration),
}

/// `fail`, `skip`, `wait=5m`.
pub(super) fn if_running(text: &str) -> Result<IfRunning, String> {
    match text {
        "fail" => Ok(IfRunning::Fail),
        "skip" => Ok(IfRunning::Skip),
        _ => match text.strip_prefix("wait=").map(humantime::parse_duration) {
            Some(Ok(wait)) => Ok(IfRunning::Wait(wait)),
            Some(Err(error)) => Err(format!("wait={error}")),
            None => Err("must be fail, skip, or wait=DURATION such as wait=5m".to_owned()),
        },
    }
}

/// The command that a table of the file speaks. No variable of the environment says anything in it.
pub(super) fn speech<T: Args>() -> Command {
    let command = Command::new("job").no_binary_name(true).disable_help_flag(true).disable_version_flag(true);
    T::augment_args(command).mut_args(|arg| arg.env(Resettable::<OsStr>::Reset))
}
