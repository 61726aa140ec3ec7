//! The spans of one attempt of a load: itself, its sources, and those of its batches that tell something.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use dbload::internals::account::Books;
use dbload::internals::event::{BatchTimes, BatchWay, BegunPlan, Detail, Event, Totals};
use dbload::internals::exit::ExitClass;
use dbload::internals::load::{Ended, Outcome};

use super::histogram::{StatementKind, TableAt};
use super::ids::{SpanId, new_span};
use super::proto::OtelAttribute;
use super::sampling::{BatchSampler, SPANS_MAX};
use super::telemetry::{Telemetry, nanoseconds};
use super::trace_span::{TraceSpan, TraceSpanEvent, TraceSpanKind};
use crate::cli::events::sqlstate_of;

/// Spans of one message.
const TOGETHER: usize = 200;

/// Moments of a load that are noted in its span.
const EVENTS_MAX: usize = 100;

/// An attempt that is told of.
pub(crate) struct SpansOfLoad {
    telemetry: Arc<Telemetry>,
    load: Option<String>,
    id: SpanId,
    began: Instant,
    began_at: u64,
    state: Mutex<AttemptState>,
}

#[derive(Default)]
struct AttemptState {
    plan: Option<BegunPlan>,
    table: Option<TableAt>,
    /// When the pipeline began: moments of batches are counted from there.
    pipeline: Duration,
    /// Sources that are being read, since when.
    open: HashMap<String, Duration>,
    sources: u64,
    batches: BatchSampler,
    ended: Vec<TraceSpan>,
    events: Vec<TraceSpanEvent>,
}

impl SpansOfLoad {
    /// Of an attempt that begins now.
    pub(crate) fn new(telemetry: Arc<Telemetry>, load: Option<&str>) -> Self {
        let began_at = nanoseconds(SystemTime::now());
        let (load, state) = (load.map(str::to_owned), Mutex::default());
        Self { telemetry, load, id: new_span(), began: Instant::now(), began_at, state }
    }

    /// Hears what happens.
    pub(crate) fn on(&self, event: &Event, _totals: &Totals) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.began.elapsed();
        match event {
            Event::SourceStarted { name } => _ = state.open.insert(name.clone(), now),
            Event::SourceRead { name, records, .. } => {
                let records = OtelAttribute::number("dbload.records", *records);
                self.source_ended(&mut state, name, vec![records], None);
            }
            Event::SourceFailed { name, .. } => {
                self.source_ended(&mut state, name, Vec::new(), Some("a source failed".to_owned()));
            }
            Event::Detail(detail) => match &**detail {
                Detail::Begun(plan) => {
                    state.pipeline = now.saturating_sub(plan.ago);
                    state.table = Some(TableAt::of(&plan.database, &plan.table));
                    state.plan = Some(plan.clone());
                }
                Detail::Batch(batch) => self.batch(&mut state, batch),
                Detail::Held { sqlstate, .. } => {
                    let code = sqlstate.iter().map(|code| OtelAttribute::text(STATUS_CODE, code.clone()));
                    self.note(&mut state, "dbload.held", code.collect());
                }
                Detail::Stopping => self.note(&mut state, "dbload.stop", Vec::new()),
                _ => {}
            },
            _ => {}
        }
        if state.ended.len() >= TOGETHER {
            self.telemetry.tell_spans(&std::mem::take(&mut state.ended));
        }
    }

    fn at(&self, since: Duration) -> u64 {
        self.began_at.saturating_add(u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
    }

    fn note(&self, state: &mut AttemptState, name: &'static str, attributes: Vec<OtelAttribute>) {
        if state.events.len() < EVENTS_MAX {
            state.events.push(TraceSpanEvent { at: self.at(self.began.elapsed()), name, attributes });
        }
    }

    fn child(&self, name: String, between: [Duration; 2]) -> TraceSpan {
        TraceSpan {
            trace: self.telemetry.trace,
            id: new_span(),
            parent: Some(self.id),
            state: None,
            name,
            kind: TraceSpanKind::Internal,
            began: self.at(between[0]),
            ended: self.at(between[1]),
            attributes: Vec::new(),
            events: Vec::new(),
            error: None,
        }
    }

    fn source_ended(
        &self,
        state: &mut AttemptState,
        name: &str,
        more: Vec<OtelAttribute>,
        error: Option<String>,
    ) {
        state.sources += 1;
        let now = self.began.elapsed();
        let began = state.open.remove(name).unwrap_or(now);
        if self.telemetry.wants_spans() && state.sources <= SPANS_MAX {
            let mut span = self.child("source".to_owned(), [began, now]);
            span.attributes.push(OtelAttribute::text("dbload.source", name));
            span.attributes.extend(more);
            span.error = error;
            state.ended.push(span);
        }
    }

    fn batch(&self, state: &mut AttemptState, batch: &BatchTimes) {
        let Some(table) = state.table.clone() else { return };
        let named = |name| StatementKind { name, table: table.clone() };
        let is_direct = batch.way == BatchWay::Direct;
        self.telemetry.measure(|measured| {
            measured.took(named("COPY"), batch.copied.as_secs_f64());
            if !is_direct {
                measured.took(named("MERGE"), batch.merged.as_secs_f64());
            }
            measured.took(named("COMMIT"), batch.committed.as_secs_f64());
            measured.committed(&table, &batch.rows);
        });
        let is_kept = state.batches.keeps(batch.ended.saturating_sub(batch.began));
        if !self.telemetry.wants_spans() || !is_kept {
            return;
        }
        let operation = if is_direct { "COPY" } else { "MERGE" };
        let between = [state.pipeline + batch.began, state.pipeline + batch.ended];
        let mut span = self.child(format!("{operation} {}", table.table), between);
        span.kind = TraceSpanKind::Client;
        span.attributes = table.attributes();
        span.attributes.extend([
            OtelAttribute::text("db.operation.name", operation),
            OtelAttribute::number("db.operation.batch.size", batch.rows.read),
            OtelAttribute::number("dbload.partition", u64::from(batch.partition)),
            OtelAttribute::number("dbload.bytes", batch.bytes),
            OtelAttribute::number("dbload.retries", u64::from(batch.retries)),
            OtelAttribute::seconds("dbload.copied", batch.copied.as_secs_f64()),
            OtelAttribute::seconds("dbload.merged", batch.merged.as_secs_f64()),
            OtelAttribute::seconds("dbload.committed", batch.committed.as_secs_f64()),
        ]);
        state.ended.push(span);
    }

    /// It has ended; no outcome: it did not stop in its time.
    pub(crate) fn end(&self, outcome: Option<&Outcome>) {
        if !self.telemetry.wants_spans() {
            return;
        }
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let mut span = self.child("load".to_owned(), [Duration::ZERO, self.began.elapsed()]);
        span.id = self.id;
        span.parent = self.telemetry.parent.as_ref().map(|parent| parent.span);
        span.state = self.telemetry.parent.as_ref().and_then(|parent| parent.state.clone());
        span.events = std::mem::take(&mut state.events);
        span.attributes = self.attributes(&state);
        let class = outcome.map_or(ExitClass::Interrupted, Outcome::exit_class);
        span.attributes.push(OtelAttribute::text("dbload.outcome", class.name()));
        if let Some(report) = outcome.and_then(|outcome| outcome.report.as_ref()) {
            let before = state.plan.as_ref().map(|plan| plan.before).unwrap_or_default();
            span.attributes.extend(counts(&report.rows.since(&before)));
        }
        if !matches!(class, ExitClass::Complete | ExitClass::Rejects) {
            span.attributes.push(OtelAttribute::text("error.type", class.name()));
            if let Some(Ended::Failed(error)) = outcome.map(|outcome| &outcome.ended) {
                let code = sqlstate_of(error).map(|code| OtelAttribute::text(STATUS_CODE, code));
                span.attributes.extend(code);
            }
            span.error = Some(class.meaning().to_owned());
        }
        let mut ended = std::mem::take(&mut state.ended);
        ended.push(span);
        self.telemetry.tell_spans(&ended);
    }

    fn attributes(&self, state: &AttemptState) -> Vec<OtelAttribute> {
        let mut attributes = state.table.as_ref().map_or_else(Vec::new, TableAt::attributes);
        if let Some(plan) = &state.plan {
            attributes.extend(plan.run.as_ref().map(|run| OtelAttribute::text("dbload.run", run.clone())));
            attributes.push(OtelAttribute::number("dbload.attempt", u64::from(plan.attempt)));
            attributes.push(OtelAttribute::text("dbload.mode", plan.mode));
        }
        attributes.extend(self.load.as_ref().map(|load| OtelAttribute::text("dbload.load", load.clone())));
        let left_out = state.batches.left_out() + state.sources.saturating_sub(SPANS_MAX);
        attributes.push(OtelAttribute::number("dbload.spans_left_out", left_out));
        attributes
    }
}

/// What a server has called what went wrong.
const STATUS_CODE: &str = "db.response.status_code";

fn counts(books: &Books) -> [OtelAttribute; 8] {
    [
        OtelAttribute::number("dbload.read", books.read),
        OtelAttribute::number("dbload.inserted", books.inserted),
        OtelAttribute::number("dbload.updated", books.updated),
        OtelAttribute::number("dbload.unchanged", books.unchanged),
        OtelAttribute::number("dbload.deleted", books.deleted),
        OtelAttribute::number("dbload.deduplicated", books.deduplicated),
        OtelAttribute::number("dbload.skipped", books.skipped),
        OtelAttribute::number("dbload.rejected", books.rejected),
    ]
}
