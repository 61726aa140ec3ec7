//! The accountant: hears of every commit, owns the counts, judges the budget of rejects, tells the listener.

use std::collections::{HashMap, HashSet};
use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::mpsc;

use crate::account::SourceBooks;
use crate::causes::with_causes;
use crate::event::{Detail, Event, Totals};
use crate::input::{Class, Input, SourceError};
use crate::map::WantedColumn;
use crate::prepared::{LoadError, NamedReject};
use crate::record::Position;
use crate::report::Seconds;
use crate::write::{Direct, Marked, Rejected, Verdict, WriterEvent};

use super::record::Queues;
use super::shared::PipelineContext;

/// How the pipeline ended, if nothing failed outright.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PipelineEnd {
    /// Everything was read and committed, but for sources that were set aside.
    Finished,
    /// Somebody outside asked it to stop; what was in flight is committed.
    Stopped,
    /// More rejects than allowed.
    OverBudget,
}

/// What the pipeline did.
#[derive(Debug)]
pub struct Ran {
    /// Whether it came to its end, was stopped, or failed.
    pub end: PipelineEnd,
    /// Counts, from the run's first start.
    pub tally: Totals,
    /// Books of each source, of this process.
    pub source_books: Vec<(u32, SourceBooks)>,
    /// Where each block of a comparison begins, and its first sequence number.
    pub block_starts: Vec<(Position, u64)>,
    /// What a comparison found.
    pub verdict: Verdict,
    /// Sources that failed for good: ordinal and reason.
    pub failed: HashMap<u32, String>,
    /// Of them, those whose content turned out to be damaged or changed behind what was read of it.
    pub doubtful: HashSet<u32>,
    /// Every source that was read gives the same records when it is read again.
    pub exact: bool,
    /// Fields left out under `--extra ignore`.
    pub ignored_fields: u64,
    /// Values that were narrowed, as is allowed, and the first of them.
    pub narrowed: Option<(u64, FirstNarrowed)>,
    /// What it comes to of the watermark, in this process.
    pub marked: Marked,
    /// It has ended for these fields: columns are to be added for them, and then it goes on.
    pub wanted: Vec<WantedColumn>,
    /// Where the time went.
    pub seconds: Seconds,
}

/// Where the first value is that was narrowed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct FirstNarrowed {
    /// Ordinal of its source.
    pub source: u32,
    /// The line on which its record begins.
    pub line: u64,
    /// Name of its column.
    pub column: String,
}

/// What the accountant hears besides the writers.
pub(super) enum ReaderEvent {
    Failed { source: u32, error: SourceError },
    Started { source: u32 },
    Ended { source: u32, records: u64, elapsed: Duration },
    Opened { class: Class, note: Option<String> },
    Block { start: Position, first_seq: u64 },
    Ignored { fields: u64 },
    Narrowed { values: u64, first: FirstNarrowed },
    Note { text: String },
    Detail(Detail),
}

/// Keeps the counts, judges the budget of rejects, and tells the listener.
pub(super) async fn account(
    shared: &PipelineContext<'_>,
    mut events: mpsc::Receiver<WriterEvent>,
    mut heard: mpsc::Receiver<ReaderEvent>,
    queues: Queues,
) -> Result<Ran, LoadError> {
    let prepared = shared.prepared;
    let mut ran = Ran {
        end: PipelineEnd::Finished,
        tally: Totals { bytes_total: prepared.inputs.iter().map(Input::size).sum(), ..Totals::default() },
        source_books: Vec::new(),
        block_starts: Vec::new(),
        verdict: Verdict::default(),
        failed: HashMap::new(),
        doubtful: HashSet::new(),
        exact: true,
        ignored_fields: 0,
        narrowed: None,
        marked: Marked::default(),
        wanted: Vec::new(),
        seconds: Seconds::default(),
    };
    prepared.checkpoints.iter().for_each(|c| ran.tally.books.add(&c.books));
    let mut tick = tokio::time::interval(Duration::from_millis(100));
    let mut listening = true;
    let mut stopping = false;
    loop {
        let mut is_tick = false;
        let event = tokio::select! {
            event = events.recv() => match event {
                Some(event) => shared.written(event, &mut ran),
                None => break,
            },
            message = heard.recv(), if listening => match message {
                Some(message) => shared.heard(message, &mut ran),
                None => { listening = false; continue }
            },
            _ = tick.tick() => {
                is_tick = true;
                Event::Read
            }
        };
        ran.tally.bytes_read = prepared.inputs.iter().map(|i| i.progress.load(Ordering::Relaxed)).sum();
        ran.tally.http = prepared.access.requests();
        (shared.listener)(&event, &ran.tally);
        if shared.stop.is_cancelled() && !std::mem::replace(&mut stopping, true) {
            shared.tell(Detail::Stopping, &ran.tally);
        }
        if is_tick {
            shared.tell(Detail::Gauges(queues.gauges(&prepared.pool)), &ran.tally);
        }
    }
    if shared.stop.is_cancelled() && !stopping {
        shared.tell(Detail::Stopping, &ran.tally);
    }
    while let Ok(message) = heard.try_recv() {
        let event = shared.heard(message, &mut ran);
        (shared.listener)(&event, &ran.tally);
    }
    let budget = shared.job.max_rejects;
    if budget.is_exceeded(ran.tally.books.rejected, ran.tally.books.read) {
        ran.end = PipelineEnd::OverBudget;
    } else if shared.stop.is_cancelled() {
        ran.end = PipelineEnd::Stopped;
    }
    Ok(ran)
}

impl PipelineContext<'_> {
    fn written(&self, event: WriterEvent, ran: &mut Ran) -> Event {
        match event {
            WriterEvent::Committed { partition, after, committed, carried } => {
                self.committed.send_modify(|places| {
                    if let Some(place) = places.get_mut(partition as usize) {
                        *place = after;
                    }
                });
                let tally = &mut ran.tally;
                tally.books.add(&committed.books);
                for (source, books) in &committed.sources {
                    match ran.source_books.iter_mut().find(|(known, _)| known == source) {
                        Some((_, sum)) => sum.add(books),
                        None => ran.source_books.push((*source, *books)),
                    }
                }
                if let Some(marked) = &committed.marked {
                    ran.marked.add(marked);
                }
                tally.batches += 1;
                tally.direct += u64::from(committed.direct == Direct::Done);
                tally.direct_refused += u64::from(committed.direct == Direct::Refused);
                tally.careful += u64::from(committed.row_by_row);
                let [copying, merging, committing] = committed.seconds;
                ran.seconds.copying += copying;
                ran.seconds.merging += merging;
                ran.seconds.committing += committing;
                if self.job.is_recorded {
                    self.tell_batch(partition, &committed, &carried, tally);
                }
                if !self.keep(&committed.rejects) {
                    self.stop.cancel();
                    self.abort.cancel();
                }
                if self.job.max_rejects.is_exceeded(tally.books.rejected, tally.books.read) {
                    self.stop.cancel();
                }
                let elapsed = Duration::try_from_secs_f64(copying + merging + committing).unwrap_or_default();
                Event::Committed { partition, rows: committed.books, elapsed }
            }
            WriterEvent::Waiting { partition, error, relief } => {
                ran.tally.retries += 1;
                if self.job.is_recorded {
                    let sqlstate = error.sqlstate().map(str::to_owned);
                    let held = Detail::Held { partition: Some(partition), sqlstate, relief };
                    self.tell(held, &ran.tally);
                }
                Event::Waiting { partition: Some(partition), reason: with_causes(&error) }
            }
            WriterEvent::Halved { partition, records } => {
                if self.job.is_recorded {
                    self.tell(Detail::Halved { partition, records }, &ran.tally);
                }
                Event::Read
            }
            WriterEvent::Verified { verdict } => {
                ran.verdict.add(*verdict);
                Event::Read
            }
            WriterEvent::Resumed { partition } => Event::GoesOn { partition: Some(partition) },
        }
    }

    /// Rejects that no ledger keeps. False if nobody else can either.
    fn keep(&self, rejects: &[Rejected]) -> bool {
        let Some(unledgered) = &self.prepared.unledgered else { return true };
        let told = rejects.iter().map(|Rejected { reject, .. }| NamedReject {
            reject,
            source: self.prepared.inputs.get(reject.place.source as usize).map_or("", |input| &input.name),
            type_name: reject.column.as_deref().and_then(|column| self.prepared.type_name(column)),
        });
        let told: Vec<NamedReject<'_>> = told.collect();
        unledgered.lock().unwrap_or_else(PoisonError::into_inner).keep(&told)
    }

    fn heard(&self, message: ReaderEvent, ran: &mut Ran) -> Event {
        let name = |source: u32| self.prepared.source_name(source);
        match message {
            ReaderEvent::Started { source } => Event::SourceStarted { name: name(source) },
            ReaderEvent::Ended { source, records, elapsed } => {
                Event::SourceRead { name: name(source), records, elapsed }
            }
            ReaderEvent::Opened { class, note } => {
                ran.exact &= class.is_exact();
                note.map_or(Event::Read, |text| Event::Note { text })
            }
            ReaderEvent::Block { start, first_seq } => {
                ran.block_starts.push((start, first_seq));
                Event::Read
            }
            ReaderEvent::Failed { source, error } => {
                let reason = with_causes(&error);
                ran.failed.insert(source, reason.clone());
                if error.is_about_content() {
                    ran.doubtful.insert(source);
                }
                Event::SourceFailed { name: name(source), reason, hint: error.hint() }
            }
            ReaderEvent::Note { text } => Event::Note { text },
            ReaderEvent::Detail(detail) => Event::Detail(Box::new(detail)),
            ReaderEvent::Narrowed { values, first } => {
                // Blocks are heard of in any order.
                ran.narrowed = Some(match ran.narrowed.take() {
                    Some((sum, earliest)) => (sum + values, earliest.min(first)),
                    None => (values, first),
                });
                Event::Read
            }
            ReaderEvent::Ignored { fields } => {
                ran.ignored_fields += fields;
                Event::Read
            }
        }
    }
}
