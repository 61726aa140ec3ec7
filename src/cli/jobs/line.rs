//! What is said of a load that has ended, and of the file: a line for people, and one of JSON.

use std::collections::BTreeMap;
use std::time::Duration;

use dbload::internals::causes::with_causes;
use dbload::internals::load::Ended;
use dbload::internals::report::Report;
use dbload::internals::schedule::LoadState;
use indicatif::HumanCount;
use serde::Serialize;

use super::turn::TurnEnd;
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

/// Why a load ended as it did, where it is no good end.
fn error(end: &TurnEnd) -> Option<String> {
    end.why.clone().or_else(|| match &end.outcome.as_ref()?.ended {
        Ended::Failed(error) => Some(with_causes(error)),
        Ended::OverBudget => Some("more records were rejected than max_rejects allows".to_owned()),
        Ended::SourceFailed => Some("a source failed".to_owned()),
        Ended::Interrupted => Some("stopped".to_owned()),
        Ended::Complete => None,
    })
}

fn hint(end: &TurnEnd) -> Option<String> {
    match &end.outcome.as_ref()?.ended {
        Ended::Failed(error) => error.hint(),
        _ => None,
    }
}

/// The line of JSON of a load.
pub(super) fn load_json(job: &str, load: &str, end: &TurnEnd, code: u8) -> String {
    terminal::json(&LoadLine {
        version: VERSION,
        job,
        load,
        state: end.state.name(),
        code,
        starts: end.starts,
        elapsed_seconds: end.elapsed.as_secs_f64(),
        error: error(end),
        hint: hint(end),
        report: end.outcome.as_ref().and_then(|outcome| outcome.report.as_ref()),
    })
}

/// The line of JSON of a file.
pub(super) fn job_json(job: &str, ends: &BTreeMap<String, LoadState>, code: u8, elapsed: Duration) -> String {
    terminal::json(&JobLine {
        version: VERSION,
        job,
        code,
        elapsed_seconds: elapsed.as_secs_f64(),
        loads: ends.iter().map(|(name, state)| (name.as_str(), state.name())).collect(),
    })
}

/// The line of a load for people.
pub(super) fn load_words(load: &str, end: &TurnEnd) -> String {
    let mut words = format!("{load}: {}", end.state.name().replace('_', " "));
    if let Some(report) = end.outcome.as_ref().and_then(|outcome| outcome.report.as_ref()) {
        let rows = &report.rows;
        words.push_str(&format!(" into {}: {} read", terminal::line(&report.table), HumanCount(rows.read)));
        let books = [
            ("inserted", rows.inserted),
            ("updated", rows.updated),
            ("unchanged", rows.unchanged),
            ("deduplicated", rows.deduplicated),
            ("skipped", rows.skipped),
            ("rejected", rows.rejected),
        ];
        for (name, count) in books.into_iter().filter(|(_, count)| *count > 0) {
            words.push_str(&format!(", {} {name}", HumanCount(count)));
        }
    }
    if end.starts > 0 {
        words.push_str(&format!(" in {:.2} s", end.elapsed.as_secs_f64()));
    }
    if end.starts > 1 {
        words.push_str(&format!(", {} starts", end.starts));
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
