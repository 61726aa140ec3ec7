//! One attempt of a load, as a run of `OpenLineage`.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use dbload::internals::event::{Detail, Event};
use dbload::internals::ledger::LedgerError;
use dbload::internals::load::{Ended, Outcome};
use dbload::internals::prepared::LoadError;
use jiff::Timestamp;
use serde_json::Value;
use uuid::Uuid;

use super::names::{of_load, of_source, of_table};
use super::run_event::{self, EndKind, LineageEnd, RunFacts};
use super::settings::{LineageSettings, NominalTime};
use crate::cli::events::sqlstate_of;
use crate::cli::outbox::Outbox;

/// What a load is called, and what it is about.
#[derive(Debug, Clone)]
pub(crate) enum LineageJob {
    /// One of a job file.
    Named { job: String, load: String, nominal: Option<NominalTime> },
    /// One of the command line, by what that says.
    Single { table: Option<String>, source: Option<String> },
}

/// An attempt that is told of.
pub(crate) struct LineageAttempt {
    outbox: Arc<Outbox>,
    began_at: Timestamp,
    facts: Mutex<RunFacts>,
}

impl LineageAttempt {
    /// Of an attempt that begins now.
    pub(crate) fn new(outbox: Arc<Outbox>, settings: &LineageSettings, load: &LineageJob) -> Self {
        let (job, nominal) = match load {
            LineageJob::Named { job, load, nominal } => (format!("{job}.{load}"), nominal.clone()),
            LineageJob::Single { table, source } => (of_load(table.as_deref(), source.as_deref()), None),
        };
        let facts = RunFacts {
            run_id: Uuid::now_v7(),
            namespace: settings.namespace.clone(),
            job,
            parent: settings.parent.clone(),
            nominal,
            plan: None,
            table: None,
            inputs: Vec::new(),
            has_created: false,
        };
        Self { outbox, began_at: Timestamp::now(), facts: Mutex::new(facts) }
    }

    /// Hears what happens. The attempt is told of when it is known what it will do.
    pub(crate) fn on(&self, event: &Event) {
        let mut facts = self.facts.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            Event::TableCreated { .. } => facts.has_created = true,
            Event::Detail(detail) => {
                if let Detail::Begun(plan) = &**detail {
                    let folder = std::env::current_dir().unwrap_or_default();
                    let of = |name: &String| of_source(name, Path::new(&folder));
                    facts.inputs = plan.sources.iter().filter_map(of).collect();
                    // Many pages of one address are one dataset.
                    facts.inputs.dedup();
                    facts.table = Some(of_table(&plan.database, &plan.table));
                    facts.plan = Some(plan.clone());
                    self.send(&run_event::start(&facts, self.began_at));
                }
            }
            _ => {}
        }
    }

    /// It has ended; none: it did not stop in its time.
    pub(crate) fn end(&self, outcome: Option<&Outcome>) {
        if outcome.is_some_and(is_of_another) {
            return;
        }
        let mut facts = self.facts.lock().unwrap_or_else(PoisonError::into_inner);
        let report = outcome.and_then(|outcome| outcome.report.as_ref());
        if facts.plan.is_none() {
            facts.table = report.map(|report| of_table(&report.database, &report.table));
            self.send(&run_event::start(&facts, self.began_at));
        }
        let before = facts.plan.as_ref().map(|plan| plan.before).unwrap_or_default();
        let kind = kind_of(outcome);
        let end = LineageEnd {
            kind,
            why: outcome.filter(|_| kind == EndKind::Fail).map(why),
            books: report.map(|report| report.rows.since(&before)),
            columns: report.map_or(&[], |report| &report.columns),
        };
        self.send(&run_event::end(&facts, Timestamp::now(), &end));
    }

    fn send(&self, event: &Value) {
        self.outbox.tell(event.to_string().into_bytes());
    }
}

fn kind_of(outcome: Option<&Outcome>) -> EndKind {
    match outcome.map(|outcome| &outcome.ended) {
        Some(Ended::Complete) => EndKind::Complete,
        Some(Ended::SourceFailed | Ended::OverBudget) => EndKind::Fail,
        Some(Ended::Failed(LoadError::Stopped)) | Some(Ended::Interrupted) | None => EndKind::Abort,
        Some(Ended::Failed(_)) => EndKind::Fail,
    }
}

/// Another process is at it, or has done it: that one is the attempt.
fn is_of_another(outcome: &Outcome) -> bool {
    let Ended::Failed(LoadError::Ledger(error)) = &outcome.ended else { return false };
    matches!(error, LedgerError::Running { .. } | LedgerError::CompletedMeanwhile { .. })
}

/// Why it failed: what servers and sources say of it may quote values, and stands in the log.
fn why(outcome: &Outcome) -> String {
    let class = outcome.exit_class();
    let code = match &outcome.ended {
        Ended::Failed(error) => sqlstate_of(error).map(|code| format!(" (SQLSTATE {code})")),
        _ => None,
    };
    format!("exit code {}: {}{}", class.code(), class.meaning(), code.unwrap_or_default())
}
