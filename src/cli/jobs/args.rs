//! What can be said to `dbload run`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};
use jiff::Timestamp;
use jiff::civil::DateTime;

use super::keys::{IfRunning, if_running, metrics_file};
use super::window::{WindowStep, instant, moment, step};
use crate::cli::args::{OnceArgs, OutputArgs};
use crate::cli::parse;

/// Which loads of which file, and what to do about earlier starts.
#[derive(Debug, Args)]
pub(crate) struct RunJobArgs {
    /// The job file; its folder is where its paths begin
    #[arg(value_name = "FILE", default_value = "dbload.toml")]
    pub(super) file: PathBuf,
    #[command(flatten)]
    pub(super) budget: BudgetArgs,
    #[command(flatten)]
    pub(super) choice: ChoiceArgs,
    /// What to do about a load that another process is at, in place of the file's: fail, skip, wait=DURATION
    #[arg(long, value_name = "WHAT", value_parser = if_running, help_heading = "Runs")]
    pub(super) if_running: Option<IfRunning>,
    /// The same as --if-running wait=DURATION
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration, conflicts_with = "if_running",
          help_heading = "Runs")]
    pub(super) wait: Option<Duration>,
    /// The exit code if all that was chosen is left to other processes by `skip` (Airflow: 99)
    #[arg(long, value_name = "CODE", default_value_t = 0, help_heading = "Runs")]
    pub(super) skip_exit_code: u8,
    /// Only loads that did not come to a good end the last time
    #[arg(long, help_heading = "Which loads")]
    pub(super) failed: bool,
    /// Windows that are caught up at once, the oldest first; how many are left is said
    #[arg(long, value_name = "N", default_value_t = 7, value_parser = clap::value_parser!(u16).range(1..), help_heading = "Windows")]
    pub(super) catch_up: u16,
    /// The time that it is taken to be: a night again
    #[arg(long, value_name = "INSTANT", value_parser = instant, help_heading = "Windows")]
    pub(super) now: Option<Timestamp>,
    /// Load the windows from here on, complete ones too; a date, or a date and a time, in the zone of each
    /// load. Watermarks do not move
    #[arg(long, value_name = "DATE", value_parser = moment, requires = "to", help_heading = "Windows")]
    pub(super) from: Option<DateTime>,
    /// Up to here
    #[arg(long, value_name = "DATE", value_parser = moment, requires = "from", help_heading = "Windows")]
    pub(super) to: Option<DateTime>,
    /// In steps of this length in place of the file's, counted from --from
    #[arg(long, value_name = "STEP", value_parser = step, requires = "from", help_heading = "Windows")]
    pub(super) step: Option<WindowStep>,
    /// Load windows although newer ones are loaded, over whose rows old values may return
    #[arg(long, help_heading = "Windows")]
    pub(super) yes: bool,
    /// Load all from the beginning, whatever the watermark says, as a run of its own; the unfinished one is
    /// given up
    #[arg(long, help_heading = "Runs")]
    pub(super) full: bool,
    #[command(flatten)]
    pub(super) once: OnceArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
    /// Append what happens to this file, as one line of JSON an event (docs/events.md), in place of the
    /// file's: dbload show FILE draws it
    #[arg(long, value_name = "FILE", env = "DBLOAD_EVENTS", help_heading = "Output")]
    pub(super) events: Option<PathBuf>,
    /// Write metrics in Prometheus' text format to this file, in place of the file's; its name has to end in
    /// .prom
    #[arg(long, value_name = "FILE", value_parser = metrics_file, help_heading = "Output")]
    pub(super) metrics_file: Option<PathBuf>,
}

/// Which loads of the file; all without a word.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Which loads")]
pub(super) struct ChoiceArgs {
    /// These alone
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    pub(super) load: Vec<String>,
    /// All but these
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    pub(super) except: Vec<String>,
    /// Those with one of these tags
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    pub(super) tag: Vec<String>,
}

/// The database, and what all loads may take, in place of what the file says.
#[derive(Debug, Default, Args)]
pub(super) struct BudgetArgs {
    /// The database, in place of the file's
    #[arg(short, long, value_name = "DSN", env = "DBLOAD_DSN", hide_env_values = true)]
    pub(super) dsn: Option<String>,
    /// Connections of all loads together, in place of the file's
    #[arg(long, value_name = "N", env = "DBLOAD_POOL_SIZE", value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub(super) pool_size: Option<u16>,
    /// Memory of all loads together, in place of the file's
    #[arg(long, value_name = "SIZE", env = "DBLOAD_MAX_MEMORY", value_parser = parse::bytes)]
    pub(super) max_memory: Option<u64>,
}

/// A file and its loads, which are to be planned.
#[derive(Debug, Args)]
pub(crate) struct CheckJobArgs {
    /// The job file
    #[arg(value_name = "FILE", default_value = "dbload.toml")]
    pub(super) file: PathBuf,
    /// Only the file: the database is not asked
    #[arg(long)]
    pub(super) offline: bool,
    #[command(flatten)]
    pub(super) budget: BudgetArgs,
    #[command(flatten)]
    pub(super) choice: ChoiceArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// A file and its loads, which are to be listed.
#[derive(Debug, Args)]
pub(crate) struct ListJobArgs {
    /// The job file
    #[arg(value_name = "FILE", default_value = "dbload.toml")]
    pub(super) file: PathBuf,
    #[command(flatten)]
    pub(super) choice: ChoiceArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// A file and its loads, of which is said how they stand.
#[derive(Debug, Args)]
pub(crate) struct StatusArgs {
    /// The job file
    #[arg(value_name = "FILE", default_value = "dbload.toml")]
    pub(super) file: PathBuf,
    #[command(flatten)]
    pub(super) budget: BudgetArgs,
    #[command(flatten)]
    pub(super) choice: ChoiceArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// Runs of before.
#[derive(Debug, Args)]
pub(crate) struct HistoryArgs {
    /// The database, as for a load
    #[arg(short, long, value_name = "DSN", env = "DBLOAD_DSN", hide_env_values = true)]
    pub(super) dsn: Option<String>,
    /// Only runs of this load of a job file
    #[arg(long, value_name = "NAME")]
    pub(super) load: Option<String>,
    /// So many, the latest first
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub(super) limit: u32,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// A run of before, or the events of some.
#[derive(Debug, Args)]
pub(crate) struct ShowArgs {
    /// The run, as history and reports name it; or a file of --events, of which the last run is shown
    #[arg(value_name = "RUN|FILE")]
    pub(super) run: String,
    /// Write a page with the picture of it, which opens anywhere
    #[arg(long, value_name = "OUT")]
    pub(super) html: Option<PathBuf>,
    /// Write the events as a trace in Chrome's form, for Perfetto
    #[arg(long, value_name = "OUT")]
    pub(super) trace: Option<PathBuf>,
    /// Of a file of events, this run instead of the last one
    #[arg(long = "run", value_name = "RUN")]
    pub(super) only_run: Option<String>,
    /// Of a file of events, this load of a job file alone
    #[arg(long = "load", value_name = "NAME")]
    pub(super) only_load: Option<String>,
    /// The database, as for a load
    #[arg(short, long, value_name = "DSN", env = "DBLOAD_DSN", hide_env_values = true)]
    pub(super) dsn: Option<String>,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// What is kept of the history.
#[derive(Debug, Args)]
pub(crate) struct PruneArgs {
    /// Keep the history of runs that ended no longer ago than this
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
    pub(super) keep: Duration,
    /// The database, as for a load
    #[arg(short, long, value_name = "DSN", env = "DBLOAD_DSN", hide_env_values = true)]
    pub(super) dsn: Option<String>,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// Sources that a first file is made for.
#[derive(Debug, Args)]
pub(crate) struct InitJobArgs {
    /// Files, 'globs', folders or URLs: each becomes a load
    #[arg(value_name = "SOURCE", required = true)]
    pub(super) sources: Vec<String>,
    /// The file to write; one that is there is left alone
    #[arg(long, value_name = "FILE", default_value = "dbload.toml")]
    pub(super) file: PathBuf,
}

/// What is to be done with watermarks.
#[derive(Debug, Args)]
pub(crate) struct WatermarkArgs {
    #[command(subcommand)]
    pub(super) command: WatermarkCommand,
}

#[derive(Debug, Subcommand)]
pub(super) enum WatermarkCommand {
    /// Show up to where each load of a job file has come
    Show {
        /// The job file
        #[arg(value_name = "FILE", default_value = "dbload.toml")]
        file: PathBuf,
        #[command(flatten)]
        budget: BudgetArgs,
        #[command(flatten)]
        output: OutputArgs,
    },
    /// Set the watermark of a load, backwards too: the next run asks from there
    Set {
        /// The load
        load: String,
        /// An integer, an instant or a date, as the source writes it
        value: String,
        /// The job file
        #[arg(value_name = "FILE", default_value = "dbload.toml")]
        file: PathBuf,
        #[command(flatten)]
        budget: BudgetArgs,
        #[command(flatten)]
        output: OutputArgs,
    },
}

impl WatermarkArgs {
    /// How it is said.
    pub(crate) const fn output(&self) -> &OutputArgs {
        match &self.command {
            WatermarkCommand::Show { output, .. } | WatermarkCommand::Set { output, .. } => output,
        }
    }
}
