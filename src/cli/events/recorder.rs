//! Keeps the record of one attempt: turns what it hears into lines.

use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use dbload::internals::event::{
    BatchTimes, BatchWay, BegunPlan, BlockTimes, Detail, Event, Gauges, RejectedFor, Requests, Totals,
};
use dbload::internals::load::{Ended, Outcome};
use dbload::internals::pg::DbError;
use dbload::internals::report::Report;
use jiff::Timestamp;
use serde_json::Value;

use super::file::EventsFile;
use super::line::{
    BatchLine, BlockLine, EndLine, EventLine, PlanLine, RejectedLine, SampleLine, VERSION, WayName, What,
    seconds,
};
use super::process;

/// What happens before there is a plan waits for the name of its run; there is not more of it than a person
/// would read.
const EARLY_MAX: usize = 1_000;

/// How often it is said how things stand: at first ten times a second, then ever more rarely, so that a day
/// comes to some thousand lines.
const SAMPLE_FIRST: Duration = Duration::from_millis(100);
const SAMPLE_LAST: Duration = Duration::from_secs(10);
const SAMPLES: u32 = 200;

/// Sources that stand in the report of the end.
const SOURCES_MAX: usize = 1_000;

/// Keeps the record of an attempt.
pub(crate) struct Recorder {
    file: Arc<EventsFile>,
    load: Option<String>,
    began: Instant,
    began_at: Timestamp,
    /// What the process had taken before.
    cpu_before: Duration,
    state: Mutex<RecorderState>,
}

#[derive(Default)]
struct RecorderState {
    run: Option<String>,
    attempt: u32,
    /// When the pipeline began: moments of events are counted from there.
    pipeline: Duration,
    /// Lines that wait for the name of the run.
    early: Vec<What>,
    has_plan: bool,
    next_sample: Duration,
    requests: Requests,
}

impl Recorder {
    /// Of an attempt that begins now. `load`: its name, in a job file.
    pub(crate) fn new(file: Arc<EventsFile>, load: Option<String>) -> Self {
        let (began, began_at, cpu_before) = (Instant::now(), Timestamp::now(), process::cpu());
        let state = Mutex::new(RecorderState { attempt: 1, ..RecorderState::default() });
        Self { file, load, began, began_at, cpu_before, state }
    }

    /// Writes what an event is to the record, if it is anything.
    pub(crate) fn on(&self, event: &Event, totals: &Totals) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let what = match event {
            Event::Detail(detail) => return self.detail(&mut state, detail, totals),
            Event::Resumed { run, records } => {
                state.run = Some(run.clone());
                What::Resumed { records: *records }
            }
            Event::TableCreated { .. } => What::TableCreated,
            Event::SourceSkipped { name } => What::SourceSkipped { name: name.clone() },
            Event::SourceStarted { name } => What::SourceOpened { name: name.clone() },
            Event::SourceRead { name, records, elapsed } => {
                What::SourceEnded { name: name.clone(), records: *records, seconds: seconds(*elapsed) }
            }
            Event::SourceFailed { name, .. } => What::SourceFailed { name: name.clone() },
            Event::Waiting { partition: None, .. } => {
                What::Held { partition: None, sqlstate: None, relief: None }
            }
            Event::GoesOn { partition } => What::GoesOn { partition: *partition },
            // What a batch came to is told in detail; notes are words, and may quote anything.
            _ => return,
        };
        self.tell(&mut state, what);
    }

    fn detail(&self, state: &mut RecorderState, detail: &Detail, totals: &Totals) {
        let clock = EventClock { pipeline: state.pipeline, now: self.began.elapsed() };
        let what = match detail {
            Detail::Begun(begun) => return self.begun(state, begun),
            Detail::Block(block) => What::Block(block_line(clock, block)),
            Detail::Batch(batch) => What::Batch(Box::new(batch_line(clock, batch))),
            Detail::Rejected(why) => What::Rejected(rejected_line(why)),
            Detail::Held { partition, sqlstate, relief } => What::Held {
                partition: *partition,
                sqlstate: sqlstate.clone(),
                relief: relief.map(str::to_owned),
            },
            Detail::Halved { partition, records } => {
                What::Halved { partition: *partition, records: *records }
            }
            Detail::Stopping => What::Stop,
            Detail::Gauges(gauges) => return self.sample(state, gauges, totals),
        };
        self.tell(state, what);
    }

    fn begun(&self, state: &mut RecorderState, begun: &BegunPlan) {
        state.pipeline = self.began.elapsed().saturating_sub(begun.ago);
        state.run.clone_from(&begun.run);
        state.attempt = begun.attempt;
        state.has_plan = true;
        let plan = PlanLine {
            began_at: self.began_at.to_string(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            database: begun.database.clone(),
            server: begun.server.clone(),
            table: begun.table.clone(),
            mode: begun.mode.to_owned(),
            key: begun.key.clone(),
            partitions: begun.partitions,
            one_partition: begun.one_partition.map(str::to_owned),
            guarantee: begun.guarantee.to_owned(),
            connections: begun.connections as u64,
            batch_rows: begun.batch_rows,
            batch_bytes: begun.batch_bytes as u64,
            records_before: begun.before.read,
            sources: begun.sources.clone(),
            sources_all: begun.sources_all as u64,
            bytes: begun.bytes,
            cores: std::thread::available_parallelism().map_or(1, |cores| cores.get() as u64),
        };
        self.write(state, What::Plan(Box::new(plan)));
        for early in std::mem::take(&mut state.early) {
            self.write(state, early);
        }
    }

    fn sample(&self, state: &mut RecorderState, gauges: &Gauges, totals: &Totals) {
        let now = self.began.elapsed();
        if now < state.next_sample {
            return;
        }
        state.next_sample = now + (now / SAMPLES).clamp(SAMPLE_FIRST, SAMPLE_LAST);
        if let Some(http) = &totals.http
            && (http.retried, http.failed) != (state.requests.retried, state.requests.failed)
        {
            state.requests = *http;
            let Requests { sent, retried, failed, waited, .. } = *http;
            self.tell(state, What::Requests { sent, retried, failed, waited: seconds(waited) });
        }
        let sample = SampleLine {
            read: totals.books.read,
            rejected: totals.books.rejected,
            bytes: totals.bytes_read,
            resident_bytes: process::resident_bytes(),
            cpu: self.cpu(),
            connections: gauges.connections as u64,
            busy: gauges.busy as u64,
            blocks_waiting: gauges.blocks_waiting as u64,
            batches_waiting: gauges.batches_waiting as u64,
            requests: totals.http.map(|http| http.sent),
            in_flight: totals.http.map(|http| http.in_flight),
        };
        self.tell(state, What::Sample(sample));
    }

    /// CPU time since the attempt began, of the whole process.
    fn cpu(&self) -> f64 {
        seconds(process::cpu().saturating_sub(self.cpu_before))
    }

    /// The attempt has ended.
    pub(crate) fn end(&self, outcome: &Outcome, code: u8) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        for early in std::mem::take(&mut state.early) {
            self.write(&state, early);
        }
        let end = EndLine {
            began_at: self.began_at.to_string(),
            outcome: outcome.exit_class().name().to_owned(),
            code,
            sqlstate: match &outcome.ended {
                Ended::Failed(error) => sqlstate_of(error),
                _ => None,
            },
            cpu: self.cpu(),
            report: outcome.report.as_ref().and_then(report_of),
        };
        self.write(&state, What::End(Box::new(end)));
    }

    fn tell(&self, state: &mut RecorderState, what: What) {
        if state.has_plan {
            self.write(state, what);
        } else if state.early.len() < EARLY_MAX {
            state.early.push(what);
        }
    }

    fn write(&self, state: &RecorderState, what: What) {
        let line = EventLine {
            v: VERSION,
            t: seconds(self.began.elapsed()),
            run: state.run.clone(),
            attempt: state.attempt,
            pid: std::process::id(),
            load: self.load.clone(),
            what,
        };
        let Ok(mut bytes) = serde_json::to_vec(&line) else { return };
        bytes.push(b'\n');
        self.file.append(&bytes);
    }
}

/// Moments of a pipeline as those of an attempt. Between its clock and ours lie microseconds: nothing is
/// later than the line that tells it.
#[derive(Clone, Copy)]
struct EventClock {
    pipeline: Duration,
    now: Duration,
}

impl EventClock {
    fn at(self, time: Duration) -> f64 {
        seconds((self.pipeline + time).min(self.now))
    }
}

fn block_line(clock: EventClock, block: &BlockTimes) -> BlockLine {
    let at = |time: Duration| clock.at(time);
    BlockLine {
        source: block.source,
        records: block.records,
        bytes: block.bytes,
        read: block.read.map(at),
        reading: seconds(block.reading),
        decoded: block.decoded.map(at),
        decoding: seconds(block.decoding),
    }
}

fn batch_line(clock: EventClock, batch: &BatchTimes) -> BatchLine {
    BatchLine {
        partition: batch.partition,
        began: clock.at(batch.began),
        ended: clock.at(batch.ended),
        copied: seconds(batch.copied),
        merged: seconds(batch.merged),
        committed: seconds(batch.committed),
        bytes: batch.bytes,
        way: match batch.way {
            BatchWay::Direct => WayName::Direct,
            BatchWay::Merged => WayName::Merged,
            BatchWay::Careful => WayName::Careful,
        },
        refused: batch.refused,
        retries: batch.retries,
        rows: batch.rows,
    }
}

fn rejected_line(why: &RejectedFor) -> RejectedLine {
    RejectedLine {
        sqlstate: why.sqlstate.clone(),
        column: why.column.clone(),
        constraint: why.constraint.clone(),
        count: why.count,
        source: why.source,
        name: why.name.clone(),
        line: why.line,
    }
}

/// What the server called it, wherever in the causes that is.
pub(crate) fn sqlstate_of(error: &(dyn Error + 'static)) -> Option<String> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(database) = error.downcast_ref::<DbError>() {
            return database.sqlstate().map(str::to_owned);
        }
        cause = error.source();
    }
    None
}

/// The report, but for what servers have said.
fn report_of(report: &Report) -> Option<Value> {
    let mut shown = serde_json::to_value(report).ok()?;
    if let Some(sources) = shown.get_mut("sources").and_then(Value::as_array_mut) {
        sources.truncate(SOURCES_MAX);
        for source in sources.iter_mut().filter_map(Value::as_object_mut) {
            source.remove("error");
        }
    }
    Some(shown)
}
