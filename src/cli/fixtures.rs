//! `dbload fixtures DIR`: rows that tests want to find, from files into a database that is for tests.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use dbload::internals::causes::with_causes;
use dbload::internals::pg::{Session, TableName, connect_pool};
use dbload::internals::seed::{
    ExportCondition, ExportMask, ExportOptions, SeedError, SeedOptions, SeedReport, check, export,
    read_folder, refuse_others, seed, write_folder,
};

use super::stdout::print;
use super::terminal::{error_words, line};
use super::{exit, say, target};

/// Load fixtures: rows that tests want to find, from a folder with a file a table
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct FixturesArgs {
    #[command(subcommand)]
    command: Option<FixturesCommand>,
    #[command(flatten)]
    load: FixturesLoadArgs,
}

#[derive(Debug, Subcommand)]
enum FixturesCommand {
    /// Say what is wrong with fixtures, without loading them (exit code 6: something is)
    Check(FolderArgs),
    /// Write rows of a database as fixtures, with what they refer to
    Export(ExportArgs),
}

/// Which fixtures, and into which database.
#[derive(Debug, Args)]
struct FolderArgs {
    /// The folder: users.jsonl, auth.users.csv, users/alice.json
    #[arg(value_name = "DIR", required = true)]
    dir: Option<PathBuf>,
    /// libpq URL or key=value text, env:NAME, file:PATH, or local; else DATABASE_URL, else PG*, else the
    /// local server
    #[arg(short, long, value_name = "DSN", env = "DBLOAD_DSN", hide_env = true, hide_env_values = true)]
    dsn: Option<String>,
}

#[derive(Debug, Args)]
struct ExportArgs {
    #[command(flatten)]
    folder: FolderArgs,
    /// Tables, with commas between them
    #[arg(long, value_name = "TABLES", required = true, value_delimiter = ',', value_parser = table)]
    tables: Vec<TableName>,
    /// Which rows of a table, such as 'users:id < 100'; of the others all
    #[arg(long = "where", value_name = "TABLE:SQL", value_parser = condition)]
    conditions: Vec<ExportCondition>,
    /// Also the rows that they refer to, of whatever table
    #[arg(long)]
    follow_references: bool,
    /// A column whose values do not leave the database; again for more
    #[arg(long = "mask", value_name = "TABLE.COLUMN", value_parser = mask)]
    masks: Vec<ExportMask>,
}

fn table(text: &str) -> Result<TableName, String> {
    TableName::parse(text).map_err(|error| error.to_string())
}

fn condition(text: &str) -> Result<ExportCondition, String> {
    let (name, sql) = text.split_once(':').ok_or("it is TABLE:SQL")?;
    Ok(ExportCondition { table: table(name)?, sql: sql.to_owned() })
}

fn mask(text: &str) -> Result<ExportMask, String> {
    let (name, column) = text.rsplit_once('.').ok_or("it is TABLE.COLUMN")?;
    Ok(ExportMask { table: table(name)?, column: column.to_owned() })
}

#[derive(Debug, Args)]
struct FixturesLoadArgs {
    #[command(flatten)]
    folder: FolderArgs,
    /// What $now is, instead of the moment of the load, such as 2026-01-31T12:00:00Z
    #[arg(long, value_name = "TIME")]
    now: Option<String>,
    /// Remove the rows of these tables that are not in the files
    #[arg(long)]
    clean: bool,
    /// Also into a database whose name has no word `test`
    #[arg(long)]
    yes: bool,
}

impl FolderArgs {
    /// The parser has seen to it that there is one.
    fn dir(&self) -> &Path {
        self.dir.as_deref().unwrap_or(Path::new("."))
    }
}

/// Why a command came to nothing.
enum NotLoaded {
    Target(target::TargetError),
    Seed(SeedError),
}

impl From<SeedError> for NotLoaded {
    fn from(error: SeedError) -> Self {
        Self::Seed(error)
    }
}

/// Loads or checks fixtures, and says what came of it; the exit code.
pub(crate) async fn run_and_say(args: FixturesArgs) -> u8 {
    let done = match args.command {
        Some(FixturesCommand::Check(folder)) => run_check(folder).await,
        Some(FixturesCommand::Export(args)) => run_export(args).await,
        None => run_load(args.load).await,
    };
    match done {
        Ok(words) if print(&words) => exit::COMPLETE,
        Ok(_) => exit::UNEXPECTED,
        Err(NotLoaded::Target(error)) => {
            say(&error_words(&error.to_string(), error.hint().as_deref()));
            error.exit_code()
        }
        Err(NotLoaded::Seed(SeedError::Problems(problems))) => {
            for problem in problems.to_string().lines() {
                say(&error_words(problem, None));
            }
            exit::REFUSED
        }
        Err(NotLoaded::Seed(error)) => {
            say(&error_words(&with_causes(&error), error.hint().as_deref()));
            match error {
                SeedError::File { .. } => exit::SOURCE,
                SeedError::Row { .. } | SeedError::NotForTests(_) => exit::REFUSED,
                _ => exit::DATABASE,
            }
        }
    }
}

async fn run_check(args: FolderArgs) -> Result<String, NotLoaded> {
    let fixtures = read_folder(args.dir())?;
    let (session, _) = open(args.dsn.as_deref()).await?;
    let report = check(&session, &fixtures).await?;
    Ok(words(args.dir(), "fit their tables", &report))
}

async fn run_load(args: FixturesLoadArgs) -> Result<String, NotLoaded> {
    let fixtures = read_folder(args.folder.dir())?;
    let (session, is_local) = open(args.folder.dsn.as_deref()).await?;
    if !args.yes && !is_local {
        refuse_others(&session).await?;
    }
    let options = SeedOptions { now: args.now, clean: args.clean, ..SeedOptions::default() };
    let report = seed(&session, &fixtures, &options).await?;
    Ok(words(args.folder.dir(), "are in their tables", &report))
}

async fn run_export(args: ExportArgs) -> Result<String, NotLoaded> {
    let (session, _) = open(args.folder.dsn.as_deref()).await?;
    let ExportArgs { folder, tables, conditions, follow_references, masks } = args;
    let options = ExportOptions { tables, conditions, follow: follow_references, masks };
    let exported = export(&session, &options).await?;
    write_folder(folder.dir(), &exported)?;
    let rows: usize = exported.iter().map(|table| table.rows).sum();
    let dir = folder.dir().display().to_string();
    let mut out = format!("{}: {rows} rows of {} tables\n", line(&dir), exported.len());
    for table in &exported {
        out.push_str(&format!("  {:>7}  {}\n", table.rows, line(&table.file)));
    }
    Ok(out)
}

async fn open(dsn: Option<&str>) -> Result<(Session, bool), NotLoaded> {
    let resolved = target::resolve(dsn, &say).await.map_err(NotLoaded::Target)?;
    let pool = connect_pool(&resolved.dsn, 1).await.map_err(SeedError::Connect)?;
    let session = Session::open(&pool).await;
    let session =
        session.map_err(|source| SeedError::Server { doing: "open a session".to_owned(), source })?;
    Ok((session, resolved.is_local))
}

fn words(dir: &Path, state: &str, report: &SeedReport) -> String {
    let mut out = String::new();
    for table in &report.tables {
        out.push_str(&format!("  {:>7}  {}\n", table.rows, line(&table.table)));
    }
    let rows: usize = report.tables.iter().map(|table| table.rows).sum();
    let removed = match report.removed {
        0 => String::new(),
        removed => format!("; {removed} others were removed"),
    };
    format!("{}: {rows} rows {state}{removed}\n{out}", line(&dir.display().to_string()))
}
