//! What one wants to know in the morning: `dbload status` and `dbload history`. Read from the ledger; no URL
//! of a file is called and no command of it run.

use dbload::internals::ledger::{LoadStanding, PastRun, RunChoice};
use dbload::internals::load::{stored_runs, stored_standings};
use dbload::internals::pg::TableName;
use dbload::internals::prepared::LoadError;
use dbload::internals::schedule::LoadState;
use dbload::{Engine, EngineOptions};
use indicatif::HumanCount;
use serde::Serialize;
use std::time::Duration;

use super::args::{HistoryArgs, StatusArgs};
use super::open::{ReadyJob, ready};
use super::turn::Turn;
use super::wishes::RunWishes;
use crate::cli::load::load_error_words;
use crate::cli::progress::Progress;
use crate::cli::stdout::print;
use crate::cli::terminal;
use crate::cli::{exit, target};

/// How fresh a load is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Freshness {
    Fresh,
    /// Beyond `warn_after`.
    Late,
    /// Beyond `error_after`.
    Stale,
    /// Its last turn did not come to a good end.
    Failed,
    Never,
}

impl Freshness {
    const fn name(self) -> &'static str {
        match self {
            Self::Fresh => "fresh",
            Self::Late => "late",
            Self::Stale => "stale",
            Self::Failed => "failed",
            Self::Never => "never_loaded",
        }
    }

    const fn code(self) -> u8 {
        match self {
            Self::Fresh => exit::COMPLETE,
            Self::Late => exit::REJECTS,
            Self::Stale | Self::Failed | Self::Never => exit::SOURCE,
        }
    }

    fn of(turn: &Turn, standing: Option<&LoadStanding>) -> Self {
        let state = standing.and_then(|standing| standing.state.as_deref());
        let is_bad = state.is_some_and(|state| !LoadState::of_name(state).is_some_and(LoadState::is_good));
        let Some(ago) = standing.and_then(|standing| standing.complete_ago) else { return Self::Never };
        let is_beyond = |limit: Option<Duration>| limit.is_some_and(|limit| ago > limit.as_secs_f64());
        match () {
            () if is_bad => Self::Failed,
            () if is_beyond(turn.freshness.error_after) => Self::Stale,
            () if is_beyond(turn.freshness.warn_after) => Self::Late,
            () => Self::Fresh,
        }
    }
}

/// A load, as one line of JSON.
#[derive(Serialize)]
struct StatusLine<'a> {
    version: u32,
    job: &'a str,
    load: &'a str,
    freshness: &'static str,
    /// How its last turn ended.
    state: Option<&'a str>,
    complete_seconds_ago: Option<f64>,
    unfinished: bool,
    windows_due: Option<usize>,
}

/// Says how the loads of a file stand; the exit code.
pub(crate) async fn status(args: StatusArgs) -> u8 {
    let progress = Progress::new(&args.output);
    let wishes =
        RunWishes { is_only_looking: true, ..RunWishes::of(&args.budget, &args.choice, &args.output) };
    let ReadyJob { name: job, turns, engine, dsn, .. } = match ready(&args.file, &wishes, &progress).await {
        Ok(ready) => ready,
        Err(code) => return code,
    };
    let standings = match stored_standings(&engine, &dsn, &job).await {
        Ok(standings) => standings,
        Err(error) => return say(&progress, &error),
    };
    let mut worst = Freshness::Fresh;
    let mut out = String::new();
    for turn in &turns {
        let standing = standings.iter().find(|standing| standing.load == turn.name);
        let freshness = Freshness::of(turn, standing);
        worst = worst.max(freshness);
        let windows_due = turn.has_windows.then_some(turn.parts.len() + turn.left);
        out.push_str(&if args.output.json {
            terminal::json(&StatusLine {
                version: 1,
                job: &job,
                load: &turn.name,
                freshness: freshness.name(),
                state: standing.and_then(|standing| standing.state.as_deref()),
                complete_seconds_ago: standing.and_then(|standing| standing.complete_ago),
                unfinished: standing.is_some_and(|standing| standing.is_unfinished),
                windows_due,
            })
        } else {
            status_words(turn, standing, freshness, windows_due)
        });
    }
    if print(&out) { worst.code() } else { exit::UNEXPECTED }
}

fn status_words(
    turn: &Turn,
    standing: Option<&LoadStanding>,
    freshness: Freshness,
    windows_due: Option<usize>,
) -> String {
    let mut words = format!("{}: {}", turn.name, freshness.name().replace('_', " "));
    if let Some(ago) = standing.and_then(|standing| standing.complete_ago) {
        // Of what is long ago nobody wants to know the second.
        let seconds = Duration::try_from_secs_f64(ago).unwrap_or_default().as_secs();
        let shown = if seconds < 3_600 { seconds } else { seconds / 60 * 60 };
        words.push_str(&format!(", complete {} ago", humantime::format_duration(Duration::from_secs(shown))));
    }
    if let Some(state) = standing.and_then(|standing| standing.state.as_deref()) {
        words.push_str(&format!(", last {}", terminal::line(state).replace('_', " ")));
    }
    if standing.is_some_and(|standing| standing.is_unfinished) {
        words.push_str(", a run is unfinished");
    }
    if let Some(due @ 1..) = windows_due {
        words.push_str(&format!(", {due} windows due"));
    }
    words.push('\n');
    words
}

/// A run, as one line of JSON.
#[derive(Serialize)]
struct RunLine<'a> {
    version: u32,
    run: &'a str,
    load: Option<&'a str>,
    table: &'a str,
    mode: &'a str,
    state: &'a str,
    attempts: u64,
    started_at: &'a str,
    finished_at: Option<&'a str>,
    rows: &'a dbload::internals::account::Books,
}

/// Says which runs there were; the exit code.
pub(crate) async fn history(args: HistoryArgs) -> u8 {
    let progress = Progress::new(&args.output);
    let resolved = match target::resolve(args.dsn.as_deref(), &|words| progress.say(words)).await {
        Ok(resolved) => resolved,
        Err(error) => {
            progress.say(&terminal::error_words(&error.to_string(), error.hint().as_deref()));
            return error.exit_code();
        }
    };
    let engine = Engine::new(&EngineOptions::default());
    let choice = args.load.as_deref().map_or(RunChoice::All, RunChoice::OfLoad);
    let runs = match stored_runs(&engine, &resolved.dsn, choice, args.limit).await {
        Ok(runs) => runs,
        Err(error) => return say(&progress, &error),
    };
    let line = |run: &PastRun| match args.output.json {
        true => terminal::json(&RunLine {
            version: 1,
            run: &run.run,
            load: run.load.as_deref(),
            table: &plain(&run.table),
            mode: &run.mode,
            state: &run.state,
            attempts: run.attempts,
            started_at: &run.started_at,
            finished_at: run.finished_at.as_deref(),
            rows: &run.books,
        }),
        false => run_words(run),
    };
    let text: String = runs.iter().map(line).collect();
    if print(&text) { exit::COMPLETE } else { exit::UNEXPECTED }
}

fn run_words(run: &PastRun) -> String {
    let books = &run.books;
    let name = run.load.as_ref().map_or_else(String::new, |load| format!("{} ", terminal::line(load)));
    let counts = [
        ("inserted", books.inserted),
        ("updated", books.updated),
        ("unchanged", books.unchanged),
        ("rejected", books.rejected),
    ];
    let counts = counts.into_iter().filter(|(_, count)| *count > 0);
    let counts: String = counts.map(|(what, count)| format!(", {} {what}", HumanCount(count))).collect();
    let starts = if run.attempts > 1 { format!(", {} starts", run.attempts) } else { String::new() };
    format!(
        "{}  {}  {:<9} {name}into {}: {} read{counts}{starts}\n",
        run.started_at,
        run.run,
        run.state,
        terminal::line(&plain(&run.table)),
        HumanCount(books.read)
    )
}

/// A table as people write it: quoted where it must be.
pub(super) fn plain(table: &str) -> String {
    TableName::parse(table).map_or_else(|_| table.to_owned(), |table| table.plain())
}

pub(super) fn say(progress: &Progress, error: &LoadError) -> u8 {
    progress.say(&load_error_words(error));
    error.kind().exit_class().code()
}
