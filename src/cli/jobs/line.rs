//! What is said of a load that has ended, and of the file: a line for people, and one of JSON.

use std::collections::BTreeMap;
use std::time::Duration;

use dbload::internals::account::Books;
use dbload::internals::causes::with_causes;
use dbload::internals::exit::ExitClass;
use dbload::internals::load::Ended;
use dbload::internals::report::Report;
use dbload::internals::schedule::LoadState;
use indicatif::HumanCount;
use serde::Serialize;

use super::turn::{PartEnd, Turn, TurnEnd};
use crate::cli::load::ending_words;
use crate::cli::pipes::Pipes;
use crate::cli::terminal;

/// Version of the JSON form.
const VERSION: u32 = 1;

/// A load, as one line of JSON.
#[derive(Serialize)]
struct LoadLine<'a> {
    version: u32,
    job: &'a str,
    load: &'a str,
    state: &'static str,
    code: u8,
    starts: u32,
    elapsed_seconds: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
    /// Of a load without windows.
    #[serde(skip_serializing_if = "Option::is_none")]
    report: Option<&'a Report>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    windows: Vec<WindowLine<'a>>,
    /// Windows that are due and were not loaded.
    #[serde(skip_serializing_if = "Option::is_none")]
    windows_left: Option<usize>,
}

/// A window of it.
#[derive(Serialize)]
struct WindowLine<'a> {
    window: &'a str,
    state: &'static str,
    code: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    report: Option<&'a Report>,
}

/// All loads of the file: its last line of JSON.
#[derive(Serialize)]
struct JobLine<'a> {
    version: u32,
    job: &'a str,
    code: u8,
    elapsed_seconds: f64,
    loads: BTreeMap<&'a str, &'static str>,
}

/// All that a run of a file came to, as hooks get it.
#[derive(Serialize)]
struct JobDocument<'a> {
    #[serde(flatten)]
    line: JobLine<'a>,
    /// In one sentence, where chats look for it.
    text: String,
    /// Why not one load was begun.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
    /// The lines of the loads, in the order in which they ended.
    ended: &'a [serde_json::Value],
}

/// Why a run ended as it did, where it is no good end.
fn error(end: &PartEnd) -> Option<String> {
    end.why.clone().or_else(|| match &end.outcome.as_ref()?.ended {
        Ended::Failed(error) => Some(with_causes(error)),
        Ended::OverBudget => Some("more records were rejected than max_rejects allows".to_owned()),
        Ended::SourceFailed => Some("a source failed".to_owned()),
        Ended::Interrupted => Some("stopped".to_owned()),
        Ended::Complete => None,
    })
}

fn hint(end: &PartEnd) -> Option<String> {
    match &end.outcome.as_ref()?.ended {
        Ended::Failed(error) => error.hint(),
        _ => None,
    }
}

fn report(end: &PartEnd) -> Option<&Report> {
    end.outcome.as_ref()?.report.as_ref()
}

/// The line of JSON of a load.
pub(super) fn load_json(job: &str, load: &str, end: &TurnEnd) -> String {
    let bad = || end.parts.iter().find(|part| !part.state.is_good());
    let windows = end.parts.iter().filter_map(|part| {
        Some(WindowLine {
            window: part.window.as_deref()?,
            state: part.state.name(),
            code: part.class.code(),
            error: error(part),
            report: report(part),
        })
    });
    let windows: Vec<WindowLine<'_>> = windows.collect();
    terminal::json(&LoadLine {
        version: VERSION,
        job,
        load,
        state: end.state.name(),
        code: end.class.code(),
        starts: end.parts.iter().map(|part| part.starts).sum(),
        elapsed_seconds: end.elapsed.as_secs_f64(),
        error: end.why.clone().or_else(|| error(bad()?)),
        hint: bad().and_then(hint),
        report: end.parts.last().filter(|part| part.window.is_none()).and_then(report),
        windows_left: (!windows.is_empty() || end.left > 0).then_some(end.left),
        windows,
    })
}

/// Tells Dagster what became of a load.
pub(super) fn tell(pipes: &Pipes, turn: &Turn, end: &TurnEnd) {
    if !end.state.is_good() {
        let bad = end.parts.iter().find(|part| !part.state.is_good());
        let why = end.why.clone().or_else(|| {
            let bad = bad?;
            let ended = || bad.outcome.as_ref().map(|outcome| ending_words(&outcome.ended, outcome));
            bad.why.clone().or_else(ended)
        });
        let why = why.unwrap_or_else(|| end.state.name().replace('_', " "));
        let name = if end.class == ExitClass::Complete { end.state.name() } else { end.class.name() };
        pipes.failed(name, format!("{}: {why}", turn.name));
    } else if let Some(asset) = &turn.asset {
        pipes.materialised(asset, &end.parts.iter().filter_map(report).collect::<Vec<_>>());
    }
}

fn job_line<'a>(
    job: &'a str,
    ends: &'a BTreeMap<String, LoadState>,
    code: u8,
    elapsed: Duration,
) -> JobLine<'a> {
    JobLine {
        version: VERSION,
        job,
        code,
        elapsed_seconds: elapsed.as_secs_f64(),
        loads: ends.iter().map(|(name, state)| (name.as_str(), state.name())).collect(),
    }
}

/// The line of JSON of a file.
pub(super) fn job_json(job: &str, ends: &BTreeMap<String, LoadState>, code: u8, elapsed: Duration) -> String {
    terminal::json(&job_line(job, ends, code, elapsed))
}

/// What a run of a file came to: what hooks are told of.
pub(super) struct JobEnd<'a> {
    pub(super) job: &'a str,
    pub(super) ends: &'a BTreeMap<String, LoadState>,
    /// The lines of the loads.
    pub(super) lines: &'a [serde_json::Value],
    /// Why not one of them was begun.
    pub(super) error: Option<&'a str>,
    pub(super) code: u8,
    pub(super) elapsed: Duration,
}

/// All of it in one JSON text.
pub(super) fn document(end: &JobEnd<'_>) -> String {
    let JobEnd { job, ends, lines, error, code, elapsed } = *end;
    let mut text = job_words(job, ends, elapsed).trim_end().to_owned();
    if let Some(error) = error {
        text = format!("{job}: not begun: {error}");
    }
    let bad = ends.iter().filter(|(_, state)| !state.is_good() && **state != LoadState::RunningElsewhere);
    let bad: Vec<String> =
        bad.map(|(name, state)| format!("{name} {}", state.name().replace('_', " "))).collect();
    if !bad.is_empty() {
        text.push_str(&format!(" ({})", bad.join(", ")));
    }
    terminal::json(&JobDocument { line: job_line(job, ends, code, elapsed), text, error, ended: lines })
}

/// How many records came to what.
pub(super) struct Fate {
    pub(super) name: &'static str,
    pub(super) count: u64,
}

/// The books by their names, what was read first.
pub(super) fn fates(books: &Books) -> [Fate; 8] {
    let Books { read, inserted, updated, unchanged, deleted, deduplicated, skipped, rejected, .. } = *books;
    let fate = |name: &'static str, count: u64| Fate { name, count };
    [
        fate("read", read),
        fate("inserted", inserted),
        fate("updated", updated),
        fate("unchanged", unchanged),
        fate("deleted", deleted),
        fate("deduplicated", deduplicated),
        fate("skipped", skipped),
        fate("rejected", rejected),
    ]
}

/// The books in words: what was read, and whatever there is of the others.
pub(super) fn books_words(books: &Books) -> String {
    let words = fates(books).into_iter().filter(|fate| fate.count > 0 || fate.name == "read");
    words.map(|fate| format!("{} {}", HumanCount(fate.count), fate.name)).collect::<Vec<_>>().join(", ")
}

/// The books of all its runs; none where there is no report.
pub(super) fn books(end: &TurnEnd) -> Option<Books> {
    let mut reports = end.parts.iter().filter_map(report).peekable();
    reports.peek()?;
    let mut sum = Books::default();
    reports.for_each(|report| sum.add(&report.rows));
    Some(sum)
}

/// The line of a load for people.
pub(super) fn load_words(load: &str, end: &TurnEnd) -> String {
    let mut words = format!("{load}: {}", end.state.name().replace('_', " "));
    if let (Some(first), Some(books)) = (end.parts.iter().find_map(report), books(end)) {
        words.push_str(&format!(" into {}: {}", terminal::line(&first.table), books_words(&books)));
    }
    let starts: u32 = end.parts.iter().map(|part| part.starts).sum();
    if starts > 0 {
        words.push_str(&format!(" in {:.2} s", end.elapsed.as_secs_f64()));
    }
    let windows: Vec<&str> = end.parts.iter().filter_map(|part| part.window.as_deref()).collect();
    match windows.as_slice() {
        [] if starts > 1 => words.push_str(&format!(", {starts} starts")),
        [] => {}
        [one] => words.push_str(&format!(", window {one}")),
        [first, .., last] => words.push_str(&format!(", {} windows from {first} to {last}", windows.len())),
    }
    if end.left > 0 {
        words.push_str(&format!(", {} due and not loaded", end.left));
    }
    if let Some(why) = &end.why {
        words.push_str(&format!(" ({})", terminal::line(why)));
    }
    words.push('\n');
    words
}

/// The line of a file for people.
pub(super) fn job_words(job: &str, ends: &BTreeMap<String, LoadState>, elapsed: Duration) -> String {
    let count = |state: LoadState| ends.values().filter(|other| **other == state).count();
    let counts = LoadState::ALL.into_iter().map(|state| (state, count(state))).filter(|(_, n)| *n > 0);
    let counts: Vec<_> = counts.map(|(state, n)| format!("{n} {}", state.name().replace('_', " "))).collect();
    let loads = if ends.len() == 1 { "load" } else { "loads" };
    format!("{job}: {} {loads} in {:.2} s: {}\n", ends.len(), elapsed.as_secs_f64(), counts.join(", "))
}
