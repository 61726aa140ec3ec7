//! `dbload testing database`: a database for a test, for programs in any language. It lives as long as stdin
//! is open; each line there asks for another one in its place.

use std::path::PathBuf;
use std::process::Stdio;

use clap::{Args, Subcommand};
use dbload::testing::{DatabaseSetup, TestDatabase, TestingError, database};
use tokio::io::{AsyncBufReadExt as _, BufReader};

use super::stdout::print;
use super::terminal::error_words;
use super::{exit, say};

/// The line that leaves a database to be looked at.
const KEEP: &str = "keep";

/// Databases for tests
#[derive(Debug, Args)]
pub(crate) struct TestingArgs {
    #[command(subcommand)]
    command: TestingCommand,
}

#[derive(Debug, Subcommand)]
enum TestingCommand {
    /// Print the URL of a database of its own, dropped when stdin ends; each line on stdin asks for another
    /// one in its place, and the line `keep` leaves the one before
    Database(DatabaseArgs),
}

#[derive(Debug, Args)]
struct DatabaseArgs {
    /// A file of SQL, such as pg_dump --schema-only writes; again for more
    #[arg(long, value_name = "FILE")]
    schema: Vec<PathBuf>,
    /// A folder of migrations of sqlx, refinery or diesel
    #[arg(long, value_name = "DIR")]
    migrations_in: Option<PathBuf>,
    /// Any other migrations, such as 'v7=alembic upgrade head': DATABASE_URL is set for the command, which
    /// runs once for each name
    #[arg(long, value_name = "NAME=COMMAND", value_parser = migration)]
    migrate: Option<Migration>,
    /// A folder of fixtures; again for more
    #[arg(long, value_name = "DIR")]
    fixtures: Vec<PathBuf>,
    /// A schema in place of a database
    #[arg(long)]
    by_schema: bool,
    /// Databases that are kept ready for the lines that come
    #[arg(long, value_name = "N")]
    ahead: Option<usize>,
}

#[derive(Debug, Clone)]
struct Migration {
    name: String,
    command: String,
}

fn migration(text: &str) -> Result<Migration, String> {
    let (name, command) = text.split_once('=').ok_or("it is NAME=COMMAND")?;
    if name.is_empty() || command.trim().is_empty() {
        return Err("it is NAME=COMMAND".to_owned());
    }
    Ok(Migration { name: name.to_owned(), command: command.to_owned() })
}

/// Gives databases until stdin ends, and says what went wrong; the exit code.
pub(crate) async fn run_and_say(args: TestingArgs) -> u8 {
    let TestingCommand::Database(args) = args.command;
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    let mut signals = match super::local::Signals::listen() {
        Ok(signals) => signals,
        Err(error) => {
            say(&error_words(&format!("listen to signals: {error}"), None));
            return exit::UNEXPECTED;
        }
    };
    loop {
        let database = match setup(&args).await {
            Ok(database) => database,
            Err(error) => return failed(&error),
        };
        if !print(&format!("{}\n", database.url())) {
            gone(database).await;
            return exit::UNEXPECTED;
        }
        let line = tokio::select! {
            line = lines.next_line() => line.ok().flatten(),
            code = signals.next() => {
                gone(database).await;
                return code;
            }
        };
        match line.as_deref().map(str::trim) {
            Some(KEEP) => database.keep(),
            Some(_) => gone(database).await,
            None => {
                gone(database).await;
                return exit::COMPLETE;
            }
        }
    }
}

fn setup(args: &DatabaseArgs) -> DatabaseSetup {
    let mut setup = args.schema.iter().fold(database(), |setup, path| setup.schema(path));
    if let Some(dir) = &args.migrations_in {
        setup = setup.migrations_in(dir);
    }
    if let Some(Migration { name, command }) = args.migrate.clone() {
        setup = setup.migrations(&name, move |url| run_command(command, url));
    }
    setup = args.fixtures.iter().fold(setup, |setup, dir| setup.fixtures(dir));
    if args.by_schema {
        setup = setup.by_schema();
    }
    match args.ahead {
        Some(clones) => setup.ahead(clones),
        None => setup,
    }
}

/// What it prints goes to stderr: stdout is for URLs.
async fn run_command(command: String, url: String) -> Result<(), String> {
    let mut shell = tokio::process::Command::new("sh");
    shell.args(["-c", &command]).env("DATABASE_URL", &url).stdin(Stdio::null()).stdout(std::io::stderr());
    let status = shell.status().await.map_err(|error| format!("run {command}: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("{command}: {status}")) }
}

/// A drop waits for the server.
async fn gone(database: TestDatabase) {
    let _ = tokio::task::spawn_blocking(move || drop(database)).await;
}

fn failed(error: &TestingError) -> u8 {
    for line in error.to_string().lines() {
        say(&error_words(line, None));
    }
    if let Some(hint) = error.hint() {
        say(&format!("hint: {hint}"));
    }
    if error.is_refusal() { exit::REFUSED } else { exit::DATABASE }
}
