//! What is said of a load besides the picture of it, whether its record or the ledger is asked.

use dbload::internals::account::Books;
use dbload::internals::ledger::RunDetails;
use serde_json::Value;

use super::advice::{BoundVerdict, Shares, bound_words, shares, verdict};
use super::escape::{count, time};
use super::figures::{Attempt, Loaded};

/// So much of a hundred records rejected is worth a word at the top.
const REJECTS_SAID: f64 = 1.0;

/// What is said of a load.
#[derive(Debug, Default)]
pub(crate) struct LoadPage {
    pub(super) title: String,
    /// Run, table, mode.
    pub(super) subtitle: String,
    pub(super) verdict: BoundVerdict,
    pub(super) shares: Option<Shares>,
    pub(super) books: Books,
    pub(super) rejects: Vec<RejectRow>,
    /// The command that loads the rejects again.
    pub(super) replay: Option<String>,
    pub(super) sources: Vec<[String; 4]>,
    pub(super) sources_all: u64,
    pub(super) attempts: Vec<[String; 4]>,
    pub(super) facts: Vec<(String, String)>,
}

/// Rejects of a reason.
#[derive(Debug)]
pub(super) struct RejectRow {
    pub(super) sqlstate: String,
    pub(super) what: String,
    pub(super) count: u64,
    pub(super) first: String,
}

impl LoadPage {
    /// Of a load of a record.
    pub(super) fn of_record(load: &Loaded) -> Self {
        let plan = load.plan();
        let report = load.report();
        let last = load.last();
        let text = |name: &str| report.and_then(|report| report.get(name)?.as_str());
        let table = plan.map(|plan| plan.table.as_str()).or_else(|| text("table")).unwrap_or("?").to_owned();
        let run = load.run.as_deref().map_or_else(|| "no run".to_owned(), |run| format!("run {run}"));
        let key = plan.filter(|plan| !plan.key.is_empty());
        let key = key.map_or_else(String::new, |plan| format!(" by {}", plan.key.join(", ")));
        let mode = plan.map_or("", |plan| plan.mode.as_str());
        let file = report.and_then(|report| report.pointer("/rejects/file")?.as_str());
        let replay = file.map(|file| format!("dbload {} --table {}", word(file), word(&table)));
        let rejects = last.and_then(rejects_of_report).unwrap_or_else(|| rejects_of_events(load));
        Self {
            title: load.name.as_ref().map_or_else(|| table.clone(), |name| format!("{name} into {table}")),
            subtitle: format!("{run}, {mode}{key}"),
            verdict: with_rejects(verdict(load), load.books(), &rejects),
            shares: last.and_then(|attempt| shares(|what| attempt.spent(what))),
            books: load.books(),
            rejects,
            replay,
            sources: sources(load),
            sources_all: plan.map_or(0, |plan| plan.sources_all),
            attempts: load.attempts.iter().map(attempt_row).collect(),
            facts: facts(load),
        }
    }

    /// Of a run that the ledger knows.
    pub(crate) fn of_ledger(details: &RunDetails) -> Self {
        let run = &details.run;
        let seconds = details.attempts.iter().rev().find_map(|attempt| attempt.seconds.as_ref());
        let spent = |what: &str| seconds?.get(what)?.as_f64();
        let shares = shares(spent);
        let mut verdict =
            BoundVerdict { sentence: format!("The run is {}.", run.state), ..BoundVerdict::default() };
        if let Some(shares) = shares {
            verdict.sentence = format!("{} {}", verdict.sentence, bound_words(shares, spent));
        }
        verdict.advice.push(
            "The ledger keeps sums and no batches: with --events FILE the next load shows what each connection did."
                .to_owned(),
        );
        let key =
            if details.key.is_empty() { String::new() } else { format!(" by {}", details.key.join(", ")) };
        let attempts = details.attempts.iter().map(|attempt| {
            let code =
                attempt.code.map_or_else(|| "no end is known".to_owned(), |code| format!("exit code {code}"));
            [
                attempt.attempt.to_string(),
                attempt.began_at.clone(),
                attempt.ended_at.clone().unwrap_or_default(),
                code,
            ]
        });
        Self {
            title: run
                .load
                .as_ref()
                .map_or_else(|| run.table.clone(), |load| format!("{load} into {}", run.table)),
            subtitle: format!("run {}, {}{key}", run.run, run.mode),
            verdict,
            shares,
            books: run.books,
            rejects: details
                .rejects
                .iter()
                .map(|reason| RejectRow {
                    sqlstate: reason.sqlstate.clone(),
                    what: what_words(reason.column.as_deref(), reason.constraint.as_deref()),
                    count: reason.count,
                    first: format!("{}:{}", details.source_name(reason.source), reason.line),
                })
                .collect(),
            replay: None,
            sources: details
                .sources
                .iter()
                .map(|source| [source.name.clone(), count(source.read), String::new(), source.state.clone()])
                .collect(),
            sources_all: details.sources_all,
            attempts: attempts.collect(),
            facts: [
                ("guarantee".to_owned(), details.guarantee.clone()),
                ("partitions".to_owned(), details.partitions.to_string()),
                ("batches".to_owned(), details.batches.to_string()),
            ]
            .into_iter()
            .chain(details.flags().into_iter().map(|flag| ("setting".to_owned(), flag)))
            .collect(),
        }
    }
}

/// Where many records were rejected, that is the first thing to be said.
fn with_rejects(mut verdict: BoundVerdict, books: Books, rejects: &[RejectRow]) -> BoundVerdict {
    let share = books.rejected as f64 / books.read.max(1) as f64 * 100.0;
    if share < REJECTS_SAID {
        return verdict;
    }
    let most = rejects.iter().max_by_key(|row| row.count);
    let most = most.map_or_else(String::new, |row| {
        let what = if row.what.is_empty() { String::new() } else { format!(" ({})", row.what) };
        format!(", {} of them for SQLSTATE {}{what}", count(row.count), row.sqlstate)
    });
    let words = format!("{} of the records ({share:.0}%) were rejected{most}.", count(books.rejected));
    verdict.advice.insert(0, words);
    verdict
}

/// The rejects of the run, as its report has them: what a killed process committed last is among them.
fn rejects_of_report(attempt: &Attempt) -> Option<Vec<RejectRow>> {
    let reasons = attempt.report()?.pointer("/rejects/reasons")?.as_array()?;
    let row = |reason: &Value| {
        let text = |name: &str| reason.get(name).and_then(Value::as_str);
        Some(RejectRow {
            sqlstate: text("sqlstate")?.to_owned(),
            what: what_words(text("column"), text("constraint")),
            count: reason.get("count")?.as_u64()?,
            first: text("first")?.to_owned(),
        })
    };
    reasons.iter().map(row).collect()
}

fn rejects_of_events(load: &Loaded) -> Vec<RejectRow> {
    let row =
        |((sqlstate, column, constraint), why): (super::figures::ReasonKey, super::figures::Why)| RejectRow {
            sqlstate,
            what: what_words(column.as_deref(), constraint.as_deref()),
            count: why.count,
            first: why.first,
        };
    load.reasons().into_iter().map(row).collect()
}

fn what_words(column: Option<&str>, constraint: Option<&str>) -> String {
    match (column, constraint) {
        (Some(column), Some(constraint)) => format!("column {column}, constraint {constraint}"),
        (Some(column), None) => format!("column {column}"),
        (None, Some(constraint)) => format!("constraint {constraint}"),
        (None, None) => String::new(),
    }
}

/// A word of a shell.
fn word(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '/');
    if !text.is_empty() && !text.starts_with('-') && text.chars().all(is_plain) {
        return text.to_owned();
    }
    let place = if text.starts_with('-') { "./" } else { "" };
    format!("'{place}{}'", text.replace('\'', "'\\''"))
}

fn sources(load: &Loaded) -> Vec<[String; 4]> {
    let seen = load.attempts.iter().flat_map(|attempt| &attempt.sources);
    let row = |source: &super::figures::SourceSeen| {
        let took = if source.seconds > 0.0 { time(source.seconds) } else { String::new() };
        [source.name.clone(), count(source.records), took, source.state.to_owned()]
    };
    let mut rows: Vec<[String; 4]> = Vec::new();
    let mut places = std::collections::HashMap::new();
    for source in seen {
        let place = *places.entry(source.name.as_str()).or_insert(rows.len());
        match rows.get_mut(place) {
            Some(known) => *known = row(source),
            None => rows.push(row(source)),
        }
    }
    rows
}

fn attempt_row(attempt: &Attempt) -> [String; 4] {
    let began = attempt.began_at().map_or_else(String::new, |at| at.strftime("%F %T UTC").to_string());
    let how = attempt.end.as_ref().map_or_else(
        || "no end: killed, or still running".to_owned(),
        |end| format!("exit code {} ({})", end.code, end.outcome),
    );
    [attempt.number.to_string(), began, time(attempt.seconds()), how]
}

fn facts(load: &Loaded) -> Vec<(String, String)> {
    let mut facts = Vec::new();
    let mut fact = |name: &str, value: String| facts.push((name.to_owned(), value));
    if let Some(plan) = load.plan() {
        fact("database", plan.database.clone());
        fact("server", format!("PostgreSQL {}", plan.server));
        fact("dbload", plan.version.clone());
        fact("guarantee", plan.guarantee.clone());
        fact("connections", plan.connections.to_string());
        fact(
            "partitions",
            plan.one_partition
                .as_ref()
                .map_or_else(|| plan.partitions.to_string(), |why| format!("1: {why}")),
        );
        fact(
            "batch",
            format!("{} rows, {} at most", plan.batch_rows, super::escape::bytes(plan.batch_bytes)),
        );
        fact("cores here", plan.cores.to_string());
    }
    let Some(attempt) = load.last() else { return facts };
    let number =
        |pointer: &str| attempt.report().and_then(|report| report.pointer(pointer).and_then(Value::as_u64));
    for (name, pointer) in [
        ("batches", "/pool/batches"),
        ("straight into the table", "/pool/direct"),
        ("tried so and refused", "/pool/direct_refused"),
        ("record by record", "/pool/careful"),
        ("retries", "/pool/retries"),
        ("requests", "/http/requests"),
        ("requests tried again", "/http/retried"),
        ("requests given up", "/http/failed"),
        ("records a second", "/rows_per_second"),
    ] {
        if let Some(n) = number(pointer) {
            fact(name, count(n));
        }
    }
    let peak = attempt.samples.iter().filter_map(|(_, sample)| sample.resident_bytes).max();
    if let Some(peak) = peak {
        fact("most memory", super::escape::bytes(peak));
    }
    let open = attempt.samples.iter().map(|(_, sample)| sample.connections).max();
    if let Some(open) = open {
        fact("most connections", open.to_string());
    }
    let in_flight = attempt.samples.iter().filter_map(|(_, sample)| sample.in_flight).max();
    if let Some(in_flight) = in_flight {
        fact("most requests at once", in_flight.to_string());
    }
    let average = |of: fn(&crate::cli::events::SampleLine) -> u64| {
        let sum: u64 = attempt.samples.iter().map(|(_, sample)| of(sample)).sum();
        sum as f64 / attempt.samples.len().max(1) as f64
    };
    if !attempt.samples.is_empty() {
        fact(
            "queues, on average",
            format!(
                "{:.1} blocks for decoding, {:.1} batches for writers",
                average(|sample| sample.blocks_waiting),
                average(|sample| sample.batches_waiting)
            ),
        );
    }
    if let Some(end) = &attempt.end {
        fact("CPU time", time(end.cpu));
    }
    facts
}
