//! What a record holds of a load, ready to be counted and drawn.

use std::collections::BTreeMap;

use dbload::internals::account::Books;
use jiff::Timestamp;
use serde_json::Value;

use crate::cli::events::{BatchLine, BlockLine, EndLine, PlanLine, RejectedLine, SampleLine, What};

/// Sources that are kept by name.
const SOURCES_MAX: usize = 1_000;

/// Marks on the axis of an attempt.
const TICKS_MAX: usize = 500;

/// Reasons of rejects that are kept apart.
const REASONS_MAX: usize = 1_000;

/// A load of a record, with the attempts of one run.
#[derive(Debug, Default)]
pub(crate) struct Loaded {
    /// Its name, in a job file.
    pub(crate) name: Option<String>,
    pub(crate) run: Option<String>,
    pub(crate) attempts: Vec<Attempt>,
}

/// An attempt.
#[derive(Debug)]
pub(crate) struct Attempt {
    pub(super) number: u32,
    pub(super) plan: Option<PlanLine>,
    /// When it was made: until then the attempt was being prepared.
    pub(super) planned: f64,
    pub(super) end: Option<EndLine>,
    /// The last moment that is known of it.
    pub(super) last: f64,
    pub(super) blocks: Vec<BlockLine>,
    pub(super) batches: Vec<BatchLine>,
    pub(super) samples: Vec<(f64, SampleLine)>,
    pub(super) sources: Vec<SourceSeen>,
    pub(super) sources_failed: u64,
    pub(super) reasons: BTreeMap<ReasonKey, Why>,
    pub(super) ticks: Vec<Tick>,
    /// Seconds that a batch waited for the server, of all partitions.
    pub(super) requests: Option<(u64, u64, u64, f64)>,
}

/// A source, as far as it was read.
#[derive(Debug, Clone)]
pub(super) struct SourceSeen {
    pub(super) name: String,
    pub(super) records: u64,
    pub(super) seconds: f64,
    pub(super) state: &'static str,
}

/// SQLSTATE, column, constraint.
pub(super) type ReasonKey = (String, Option<String>, Option<String>);

/// Records that were rejected for one reason.
#[derive(Debug, Clone)]
pub(super) struct Why {
    pub(super) count: u64,
    pub(super) first: String,
}

/// Something that happened at a moment.
#[derive(Debug, Clone)]
pub(super) struct Tick {
    pub(super) at: f64,
    pub(super) words: String,
}

impl Attempt {
    pub(super) const fn new(number: u32) -> Self {
        Self {
            number,
            plan: None,
            planned: 0.0,
            end: None,
            last: 0.0,
            blocks: Vec::new(),
            batches: Vec::new(),
            samples: Vec::new(),
            sources: Vec::new(),
            sources_failed: 0,
            reasons: BTreeMap::new(),
            ticks: Vec::new(),
            requests: None,
        }
    }

    pub(super) fn hear(&mut self, t: f64, what: What) {
        if t.is_finite() {
            self.last = self.last.max(t);
        }
        match what {
            What::Plan(plan) => (self.plan, self.planned) = (Some(*plan), t),
            What::Block(block) => self.blocks.push(block),
            What::Batch(batch) => self.batches.push(*batch),
            What::Sample(sample) => self.samples.push((t, sample)),
            What::Rejected(line) => self.rejected(line),
            What::SourceOpened { name } => self.source(name, "opened"),
            What::SourceSkipped { name } => self.source(name, "skipped"),
            What::SourceEnded { name, records, seconds } => {
                if let Some(source) = self.sources.iter_mut().rev().find(|source| source.name == name) {
                    (source.records, source.seconds, source.state) = (records, seconds, "read");
                }
            }
            What::SourceFailed { name } => {
                self.sources_failed += 1;
                self.tick(t, format!("source failed: {name}"));
                match self.sources.iter_mut().rev().find(|source| source.name == name) {
                    Some(source) => source.state = "failed",
                    None => self.source(name, "failed"),
                }
            }
            What::Requests { sent, retried, failed, waited } => {
                self.requests = Some((sent, retried, failed, waited));
            }
            What::Held { sqlstate, relief, .. } => {
                let why =
                    sqlstate.map_or_else(|| "no connection".to_owned(), |code| format!("SQLSTATE {code}"));
                let relief =
                    relief.map_or_else(String::new, |relief| format!(", {}", relief.replace('_', " ")));
                self.tick(t, format!("waits for the server: {why}{relief}"));
            }
            What::Halved { records, .. } => self.tick(t, format!("a batch of {records} records is halved")),
            What::Stop => self.tick(t, "reading was stopped".to_owned()),
            What::End(end) => self.end = Some(*end),
            What::Resumed { .. } | What::TableCreated | What::GoesOn { .. } => {}
        }
    }

    fn source(&mut self, name: String, state: &'static str) {
        if self.sources.len() < SOURCES_MAX {
            self.sources.push(SourceSeen { name, records: 0, seconds: 0.0, state });
        }
    }

    fn tick(&mut self, at: f64, words: String) {
        if self.ticks.len() < TICKS_MAX {
            self.ticks.push(Tick { at, words });
        }
    }

    fn rejected(&mut self, line: RejectedLine) {
        let first = format!("{}:{}", line.name, line.line);
        let key = (line.sqlstate, line.column, line.constraint);
        let is_full = self.reasons.len() >= REASONS_MAX && !self.reasons.contains_key(&key);
        if !is_full {
            self.reasons.entry(key).or_insert(Why { count: 0, first }).count += line.count;
        }
    }

    /// When it began, by the clock of its machine.
    pub(super) fn began_at(&self) -> Option<Timestamp> {
        let of_plan = self.plan.as_ref().map(|plan| plan.began_at.as_str());
        of_plan.or_else(|| self.end.as_ref().map(|end| end.began_at.as_str()))?.parse().ok()
    }

    /// Its length in seconds, as far as is known.
    pub(super) const fn seconds(&self) -> f64 {
        self.last.max(0.001)
    }

    pub(super) fn report(&self) -> Option<&Value> {
        self.end.as_ref()?.report.as_ref()
    }

    /// What the report says that the time went into.
    pub(super) fn spent(&self, what: &str) -> Option<f64> {
        self.report()?.pointer("/seconds")?.get(what)?.as_f64()
    }

    pub(super) fn partitions(&self) -> u32 {
        let seen = self.batches.iter().map(|batch| batch.partition.saturating_add(1)).max();
        let planned = self.plan.as_ref().map_or(0, |plan| plan.partitions);
        seen.unwrap_or(0).max(planned).min(100_000)
    }
}

impl Loaded {
    /// The attempt that says how it stands.
    pub(super) fn last(&self) -> Option<&Attempt> {
        self.attempts.last()
    }

    /// The report of the last attempt that has one.
    pub(super) fn report(&self) -> Option<&Value> {
        self.attempts.iter().rev().find_map(Attempt::report)
    }

    /// The books of the run: its own, or the sum of its batches.
    pub(super) fn books(&self) -> Books {
        let of_report = self.last().and_then(Attempt::report).and_then(|report| report.get("rows"));
        if let Some(books) = of_report.and_then(|rows| serde_json::from_value(rows.clone()).ok()) {
            return books;
        }
        let mut books = Books::default();
        self.attempts.iter().flat_map(|attempt| &attempt.batches).for_each(|batch| books.add(&batch.rows));
        books
    }

    pub(super) fn plan(&self) -> Option<&PlanLine> {
        self.attempts.iter().rev().find_map(|attempt| attempt.plan.as_ref())
    }

    /// Rejects by reason, the most frequent first.
    pub(super) fn reasons(&self) -> Vec<(ReasonKey, Why)> {
        let mut all: BTreeMap<ReasonKey, Why> = BTreeMap::new();
        for (key, why) in self.attempts.iter().flat_map(|attempt| &attempt.reasons) {
            all.entry(key.clone()).or_insert_with(|| Why { count: 0, ..why.clone() }).count += why.count;
        }
        let mut all: Vec<_> = all.into_iter().collect();
        all.sort_by_key(|(_, why)| std::cmp::Reverse(why.count));
        all
    }
}
