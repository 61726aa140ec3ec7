//! `dbload show`: all that the ledger knows of a run, of a job file or of the command line.

use std::collections::BTreeMap;
use std::path::Path;

use dbload::internals::account::Books;
use dbload::internals::ledger::{PastAttempt, PastSource, ReasonCount, RunDetails};
use dbload::internals::load::stored_run;
use dbload::{Engine, EngineOptions};
use indicatif::HumanCount;
use serde::Serialize;
use serde_json::Value;

use super::args::ShowArgs;
use super::line::books_words;
use super::morning::{plain, say};
use super::show_file::{show_file, write_pictures};
use crate::cli::picture::{EventRecord, LoadPage};
use crate::cli::progress::Progress;
use crate::cli::stdout::print;
use crate::cli::terminal::{self, error_words};
use crate::cli::{exit, target};

/// Sources that are listed for people.
const SOURCES_SHOWN: usize = 20;

/// A run, as one line of JSON.
#[derive(Serialize)]
struct ShownRun<'a> {
    version: u32,
    run: &'a str,
    load: Option<&'a str>,
    table: &'a str,
    mode: &'a str,
    key: &'a [String],
    partitions: u64,
    guarantee: &'a str,
    state: &'a str,
    started_at: &'a str,
    finished_at: Option<&'a str>,
    rows: &'a Books,
    batches: u64,
    careful: u64,
    settings: &'a BTreeMap<String, Value>,
    /// A thousand of them at most.
    sources: Vec<ShownSource<'a>>,
    sources_all: u64,
    rejects: Vec<ShownReason<'a>>,
    attempts: Vec<ShownAttempt<'a>>,
}

#[derive(Serialize)]
struct ShownSource<'a> {
    name: &'a str,
    state: &'a str,
    read: u64,
    rejected: u64,
}

#[derive(Serialize)]
struct ShownReason<'a> {
    sqlstate: &'a str,
    column: Option<&'a str>,
    constraint: Option<&'a str>,
    count: u64,
    first: String,
}

#[derive(Serialize)]
struct ShownAttempt<'a> {
    attempt: u64,
    began_at: &'a str,
    last_sign_of_life: &'a str,
    ended_at: Option<&'a str>,
    host: Option<&'a str>,
    pid: Option<u64>,
    version: Option<&'a str>,
    code: Option<u64>,
    error: Option<&'a str>,
    read_before: u64,
    seconds: Option<&'a Value>,
}

/// Shows a run; the exit code.
pub(crate) async fn show(args: ShowArgs) -> u8 {
    let progress = Progress::new(&args.output);
    if Path::new(&args.run).is_file() {
        return show_file(&args, &progress);
    }
    let resolved = match target::resolve(args.dsn.as_deref(), &|words| progress.say(words)).await {
        Ok(resolved) => resolved,
        Err(error) => {
            progress.say(&error_words(&error.to_string(), error.hint().as_deref()));
            return error.exit_code();
        }
    };
    let engine = Engine::new(&EngineOptions::default());
    let details = match stored_run(&engine, &resolved.dsn, &args.run).await {
        Ok(Some(details)) => details,
        Ok(None) => {
            let words = format!("there is no run `{}` in this database", args.run);
            progress.say(&error_words(&words, Some("dbload history lists those that there are")));
            return exit::USAGE;
        }
        Err(error) => return say(&progress, &error),
    };
    if let Err((words, hint)) =
        write_pictures(&args, &EventRecord::default(), Some(&LoadPage::of_ledger(&details)))
    {
        progress.say(&error_words(&words, hint));
        return exit::USAGE;
    }
    let text = if args.output.json { terminal::json(&as_json(&details)) } else { as_words(&details) };
    if print(&text) { exit::COMPLETE } else { exit::UNEXPECTED }
}

fn first_place(details: &RunDetails, reason: &ReasonCount) -> String {
    format!("{}:{}", details.source_name(reason.source), reason.line)
}

fn as_json(details: &RunDetails) -> ShownRun<'_> {
    let RunDetails { run, key, partitions, guarantee, batches, careful, settings, .. } = details;
    ShownRun {
        version: 1,
        run: &run.run,
        load: run.load.as_deref(),
        table: &run.table,
        mode: &run.mode,
        key,
        partitions: *partitions,
        guarantee,
        state: &run.state,
        started_at: &run.started_at,
        finished_at: run.finished_at.as_deref(),
        rows: &run.books,
        batches: *batches,
        careful: *careful,
        settings,
        sources: details.sources.iter().map(shown_source).collect(),
        sources_all: details.sources_all,
        rejects: details.rejects.iter().map(|reason| shown_reason(details, reason)).collect(),
        attempts: details.attempts.iter().map(shown_attempt).collect(),
    }
}

fn shown_source(source: &PastSource) -> ShownSource<'_> {
    ShownSource { name: &source.name, state: &source.state, read: source.read, rejected: source.rejected }
}

fn shown_reason<'a>(details: &RunDetails, reason: &'a ReasonCount) -> ShownReason<'a> {
    ShownReason {
        sqlstate: &reason.sqlstate,
        column: reason.column.as_deref(),
        constraint: reason.constraint.as_deref(),
        count: reason.count,
        first: first_place(details, reason),
    }
}

fn shown_attempt(attempt: &PastAttempt) -> ShownAttempt<'_> {
    ShownAttempt {
        attempt: attempt.attempt,
        began_at: &attempt.began_at,
        last_sign_of_life: &attempt.seen_at,
        ended_at: attempt.ended_at.as_deref(),
        host: attempt.host.as_deref(),
        pid: attempt.pid,
        version: attempt.version.as_deref(),
        code: attempt.code,
        error: attempt.error.as_deref(),
        read_before: attempt.read_before,
        seconds: attempt.seconds.as_ref(),
    }
}

fn as_words(details: &RunDetails) -> String {
    let run = &details.run;
    let of_load = run.load.as_ref().map_or_else(String::new, |load| format!("{} ", terminal::line(load)));
    let by = if details.key.is_empty() { String::new() } else { format!(" by {}", details.key.join(", ")) };
    let mut lines = vec![
        format!("run {}: {}", run.run, terminal::line(&run.state)),
        format!(
            "{of_load}into {}, {}{}, {} partitions, {}",
            terminal::line(&plain(&run.table)),
            run.mode,
            terminal::line(&by),
            details.partitions,
            details.guarantee
        ),
        match &run.finished_at {
            Some(finished) => format!("begun {}, ended {finished}", run.started_at),
            None => format!("begun {}", run.started_at),
        },
        books(details),
    ];
    let shown = details.sources.iter().take(SOURCES_SHOWN).map(|source| {
        let rejected = match source.rejected {
            0 => String::new(),
            rejected => format!(", {} rejected", HumanCount(rejected)),
        };
        let name = terminal::line(&source.name);
        format!("  {:<10} {name}: {} read{rejected}", source.state, HumanCount(source.read))
    });
    section(&mut lines, "sources", shown);
    let more = details.sources_all.saturating_sub(details.sources.len().min(SOURCES_SHOWN) as u64);
    if more > 0 {
        lines.push(format!("  and {} more", HumanCount(more)));
    }
    section(&mut lines, "rejects", details.rejects.iter().map(|reason| reject_words(details, reason)));
    section(&mut lines, "attempts", details.attempts.iter().map(attempt_words));
    section(&mut lines, "settings", details.flags().iter().map(|flag| format!("  {}", terminal::line(flag))));
    lines.join("\n") + "\n"
}

fn section(lines: &mut Vec<String>, name: &str, rows: impl Iterator<Item = String>) {
    let mut rows = rows.peekable();
    if rows.peek().is_some() {
        lines.push(name.to_owned());
        lines.extend(rows);
    }
}

fn books(details: &RunDetails) -> String {
    let mut words = format!("{}; {} batches", books_words(&details.run.books), HumanCount(details.batches));
    if details.careful > 0 {
        words.push_str(&format!(", {} of them record by record", HumanCount(details.careful)));
    }
    words
}

fn reject_words(details: &RunDetails, reason: &ReasonCount) -> String {
    let column = reason.column.as_ref().map_or_else(String::new, |column| format!(" column {column:?}"));
    let constraint =
        reason.constraint.as_ref().map_or_else(String::new, |name| format!(" constraint {name:?}"));
    let place = first_place(details, reason);
    format!(
        "  {}{}: {}, first {}  {}",
        reason.sqlstate,
        terminal::line(&(column + &constraint)),
        HumanCount(reason.count),
        terminal::line(&place),
        terminal::line(&reason.reason)
    )
}

fn attempt_words(attempt: &PastAttempt) -> String {
    let mut words = format!("  {}  begun {}", attempt.attempt, attempt.began_at);
    match (&attempt.ended_at, attempt.code) {
        (Some(ended), Some(code)) => words.push_str(&format!(", ended {ended} with exit code {code}")),
        _ => words.push_str(&format!(", no end is known, last sign of life {}", attempt.seen_at)),
    }
    if attempt.read_before > 0 {
        words.push_str(&format!(", from record {} on", HumanCount(attempt.read_before + 1)));
    }
    if let (Some(host), Some(pid)) = (&attempt.host, attempt.pid) {
        words.push_str(&format!("\n     process {pid} on {}", terminal::line(host)));
        let version = attempt.version.as_deref().unwrap_or("of before 0.2");
        words.push_str(&format!(", dbload {}", terminal::line(version)));
    }
    let seconds = attempt.seconds.as_ref().and_then(Value::as_object);
    let spent: Vec<String> = seconds
        .into_iter()
        .flatten()
        .filter_map(|(stage, seconds)| Some((stage, seconds.as_f64().filter(|seconds| *seconds >= 0.005)?)))
        .map(|(stage, seconds)| format!("{} {seconds:.2} s", stage.replace('_', " ")))
        .collect();
    if !spent.is_empty() {
        words.push_str(&format!("\n     {}", terminal::line(&spent.join(", "))));
    }
    if let Some(error) = &attempt.error {
        words.push_str(&format!("\n     {}", terminal::line(error)));
    }
    words
}
