//! The commands of the program.

use clap::error::{ContextKind, ContextValue};
use clap::{Args, Parser, Subcommand};

use super::args::LoadArgs;
use super::fixtures::FixturesArgs;
use super::jobs::{
    CheckJobArgs, HistoryArgs, InitJobArgs, ListJobArgs, PruneArgs, RunJobArgs, ShowArgs, StatusArgs,
    WatermarkArgs,
};
use super::local::LocalArgs;
use super::testing::TestingArgs;

/// First words that are kept for commands; a file or folder of such a name is written `./NAME`.
pub(crate) const RESERVED: [&str; 17] = [
    "load",
    "local",
    "fixtures",
    "testing",
    "run",
    "schema",
    "check",
    "init",
    "list",
    "watermark",
    "history",
    "show",
    "status",
    "prune",
    "undo",
    "ledger",
    "verify",
];

const EXAMPLES: &str = "\
Examples:
  dbload events.jsonl                 into table events of the local PostgreSQL
  dbload orders.csv -d postgres://me@db/shop -k id      upsert by column id
  dbload 'logs/*.jsonl.gz' -t raw.logs   many files, in order
  zcat big.csv.gz | dbload - -t big   from standard input
  dbload 'https://api.example.org/items' --paginate link   page after page
  dbload orders.csv --dry-run         the plan; nothing is written
  dbload orders.csv                   after a crash: goes on where it stopped

Each flag is a variable too: --pool-size is DBLOAD_POOL_SIZE.";

/// What the program says where nothing was said to it.
pub(crate) const SHORT_HELP: &str = "\
Streams records from files and HTTP into PostgreSQL.

Usage: dbload [OPTIONS] SOURCE...

  dbload events.jsonl                              into table events of the local PostgreSQL
  dbload orders.csv -d postgres://me@db/shop -k id   upsert by column id
  dbload orders.csv --dry-run                      the plan; nothing is written

All flags: dbload --help";

/// Where a value that cannot be used is that of a variable: which one.
pub(crate) fn variable_of(error: &clap::Error, command: &clap::Command) -> Option<String> {
    let text = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.as_str()),
        _ => None,
    };
    let (said, value) = (text(ContextKind::InvalidArg)?, text(ContextKind::InvalidValue)?);
    let flag = said.split([' ', '=']).next()?;
    let commands = std::iter::once(command).chain(command.get_subcommands());
    let mut arguments = commands.flat_map(clap::Command::get_arguments);
    let argument = arguments.find(|argument| argument.get_long() == flag.strip_prefix("--"))?;
    let variable = argument.get_env()?.to_str()?;
    let is_given = std::env::args_os().any(|word| word.to_string_lossy().split('=').next() == Some(flag));
    let is_its = !is_given && std::env::var(variable).is_ok_and(|of_variable| of_variable == value);
    (is_its && !error.to_string().contains(variable))
        .then(|| format!("hint: that is the value of the variable {variable}"))
}

fn after_help() -> String {
    format!("{EXAMPLES}\n\n{}", super::exit::table())
}

/// Streams records from files and HTTP into PostgreSQL: parallel upserts, resumable, with books that balance
#[derive(Debug, Parser)]
#[command(
    name = "dbload",
    version,
    after_help = after_help(),
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    disable_help_subcommand = false,
    max_term_width = 110
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    #[command(flatten)]
    pub(crate) load: LoadArgs,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// The local PostgreSQL, used where no other server is named
    Local(LocalArgs),
    /// Load sources into a table (the word `load` can be left out)
    #[command(after_help = after_help())]
    Load(Box<LoadArgs>),
    /// Read the sources once more and compare them with the table, record by record, without writing
    Verify(Box<VerifyArgs>),
    /// Load fixtures: rows that tests want to find, from a folder with a file a table
    Fixtures(FixturesArgs),
    /// Databases for tests
    Testing(TestingArgs),
    /// Run the loads of a job file: many sources into many tables, with one budget
    Run(Box<RunJobArgs>),
    /// Show what each load of a job file would do, without loading: no URL is called, no command run
    Check(Box<CheckJobArgs>),
    /// List the loads of a job file; --json is a manifest for orchestrators
    List(Box<ListJobArgs>),
    /// Write a first job file, with a load for each source
    Init(InitJobArgs),
    /// Say how fresh the loads of a job file are: exit code 3 beyond warn_after, 4 beyond error_after, failed
    /// or never loaded
    Status(Box<StatusArgs>),
    /// List the runs that the ledger knows, the latest first
    History(HistoryArgs),
    /// Show all that the ledger knows of a run: settings, books, sources, rejects by reason, attempts
    Show(ShowArgs),
    /// Delete the history of old runs: rejects, attempts, and sources of loads with a key. What later loads
    /// build on stays: unfinished runs, watermarks, complete windows, files that were appended
    Prune(PruneArgs),
    /// Show or set up to where the loads of a job file have come
    Watermark(WatermarkArgs),
    /// Print the JSON Schema of job files, for editors
    Schema,
    /// SQL that an administrator runs once for a role that may not create the ledger
    Ledger(LedgerArgs),
    /// Print a completion script for a shell
    Completions {
        /// For which shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page
    #[command(hide = true)]
    Man,
}

#[derive(Debug, Args)]
pub(crate) struct LedgerArgs {
    #[command(subcommand)]
    pub(crate) command: LedgerCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum LedgerCommand {
    /// Print the SQL that creates the ledger and grants its use
    Sql {
        /// The role that will load
        #[arg(long, default_value = "PUBLIC")]
        role: String,
    },
}

#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    #[command(flatten)]
    pub(crate) load: LoadArgs,
}
