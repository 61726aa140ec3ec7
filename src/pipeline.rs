//! The data path, in one place:
//!
//! source -> decompress -> split into records -> decode -> map -> partition -> batch -> write (one transaction, checkpoint
//! last) -> account -> report
//!
//! Four loops that run side by side, joined by bounded queues: *read* cuts sources into blocks, in order; *encode* decodes
//! and maps blocks on worker threads, in order again when they come back; *batch* hands each partition its batches;
//! *write* commits them, one writer a partition. *account* hears of every commit and owns the counts. When one of them
//! fails, the others are dropped, and the server rolls back what was in flight.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use futures::{Stream, StreamExt as _};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::account::SourceBooks;
use crate::batch::{Batch, Batcher, KeyHashes, Limits};
use crate::event::{Event, Listener, Tally};
use crate::job::Job;
use crate::ledger::{LedgerError, set_aside};
use crate::load::{LoadError, Prepared, SourceFacts};
use crate::map::{EncodedBlock, encode_block, original};
use crate::pg::Session;
use crate::record::{Block, Digest, Position};
use crate::report::Seconds;
use crate::source::SourceError;
use crate::write::{Originals, Patience, StoredReject, WriteError, Writer, WriterEvent};

/// Blocks between reading and encoding, and encoded ahead of batching: enough that no stage waits for another's
/// hiccup.
const BLOCKS_AHEAD: usize = 2;
/// Batches that wait for a writer: one, so that it goes on at once.
const BATCHES_AHEAD: usize = 1;
/// A slow source still gets its records committed, and its checkpoint moved, this often.
const FLUSH_EVERY: Duration = Duration::from_secs(5);
/// After a stop, batches in flight have this long to commit; then they are rolled back.
const STOP_GRACE: Duration = Duration::from_secs(4);

/// How the pipeline ended, if nothing failed outright.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Everything was read and committed, but for sources that were set aside.
    Finished,
    /// Stopped from outside.
    Stopped,
    /// More rejects than allowed.
    OverBudget,
}

/// What the pipeline did.
#[derive(Debug)]
pub struct Ran {
    /// How it ended.
    pub end: End,
    /// Counts, from the run's first start.
    pub tally: Tally,
    /// Rejects of this process: all without a ledger, the first few with one.
    pub rejects: Vec<StoredReject>,
    /// Books of each source, of this process.
    pub source_books: Vec<(u32, SourceBooks)>,
    /// Sources that failed for good: ordinal and reason.
    pub failed: HashMap<u32, String>,
    /// Fields left out under `--extra ignore`.
    pub ignored_fields: u64,
    /// Where the writers' time went.
    pub seconds: Seconds,
}

/// What the stages share.
struct Shared<'a> {
    job: &'a Job,
    prepared: &'a Prepared,
    listener: Listener<'a>,
    /// Stops reading; what is in flight is finished.
    stop: CancellationToken,
    /// A source was set aside: the run stays open.
    failed: Arc<AtomicBool>,
    /// Formats and headers by source, for the originals of rejects.
    facts: Arc<RwLock<HashMap<u32, Arc<SourceFacts>>>>,
}

/// A block with what is needed to decode it.
struct Read {
    block: Block,
    digest: Digest,
    facts: Arc<SourceFacts>,
}

/// What the accountant hears besides the writers.
enum Heard {
    Failed { source: u32, error: SourceError },
    Started { source: u32 },
    Ignored { fields: u64 },
}

/// Runs the pipeline to its end.
pub async fn run(
    job: &Job,
    prepared: &mut Prepared,
    listener: Listener<'_>,
    stop: &CancellationToken,
) -> Result<Ran, LoadError> {
    let mut kept = std::mem::take(&mut prepared.kept);
    let shared = Shared { job, prepared, listener, stop: stop.child_token(), failed: Arc::default(), facts: Arc::default() };
    let (blocks_in, blocks) = mpsc::channel(BLOCKS_AHEAD);
    let (heard_in, heard) = mpsc::channel(64);
    let (events_in, events) = mpsc::channel(64);
    let mut batches_in = Vec::new();
    let mut writers = JoinSet::new();
    for (partition, checkpoint) in prepared.checkpoints.iter().enumerate() {
        let (batch_in, batches) = mpsc::channel(BATCHES_AHEAD);
        batches_in.push(batch_in);
        if !checkpoint.done {
            writers.spawn(shared.writer(partition, events_in.clone()).run(batches));
        }
    }
    drop(events_in);
    let encoded = encode(&shared, blocks, heard_in.clone());
    let ((), (), (), ran) = tokio::try_join!(
        read(&shared, &mut kept, blocks_in, heard_in),
        batch(&shared, encoded, batches_in),
        write(&shared, writers),
        account(&shared, events, heard),
    )?;
    Ok(ran)
}

impl Shared<'_> {
    fn writer(&self, partition: usize, events: mpsc::Sender<WriterEvent>) -> Writer {
        let facts = Arc::clone(&self.facts);
        let originals: Originals = Arc::new(move |block, i| {
            let facts = facts.read().unwrap_or_else(PoisonError::into_inner).get(&block.source).cloned();
            match facts {
                Some(facts) => original(&facts.format, &facts.header, block, i),
                None => crate::map::Original::Raw(String::new()),
            }
        });
        Writer {
            partition: u32::try_from(partition).unwrap_or(u32::MAX),
            plan: Arc::clone(&self.prepared.write),
            pool: self.prepared.pool.clone(),
            ledger: self.prepared.run.as_ref().map(|run| run.ledger.clone()),
            originals,
            patience: Patience { retry_for: self.job.resources.retry_for },
            events,
            books: self.prepared.checkpoints[partition].books,
        }
    }

    /// The place behind all sources.
    fn end(&self) -> Position {
        Position::start_of(u32::try_from(self.prepared.inputs.len()).unwrap_or(u32::MAX))
    }
}

/// Reads the sources in order, from the earliest checkpoint on. One that fails for good is set aside before
/// anything behind it goes on.
async fn read(
    shared: &Shared<'_>,
    kept: &mut HashMap<usize, crate::load::Opened>,
    blocks: mpsc::Sender<Read>,
    heard: mpsc::Sender<Heard>,
) -> Result<(), LoadError> {
    let inputs = &shared.prepared.inputs;
    let checkpoints = &shared.prepared.checkpoints;
    let from = checkpoints.iter().filter(|c| !c.done).map(|c| c.at).min().unwrap_or_else(|| shared.end());
    let mut seq = 0;
    for (ordinal, input) in inputs.iter().enumerate() {
        let source = u32::try_from(ordinal).unwrap_or(u32::MAX);
        if source < from.source {
            continue;
        }
        let at = if source == from.source { from.max(input.begin) } else { input.begin };
        let _ = heard.send(Heard::Started { source }).await;
        let opened = match kept.remove(&ordinal) {
            Some(opened) => Ok(opened),
            None => input.open(&shared.job.reading, at).await,
        };
        let outcome = match opened {
            Ok(mut opened) => {
                if ordinal == 0 {
                    opened.skip(shared.job.runs.skip_records);
                }
                let facts = source_facts(shared, &input.name, &opened)?;
                shared.facts.write().unwrap_or_else(PoisonError::into_inner).insert(source, Arc::clone(&facts));
                let sent = send_blocks(shared, &mut opened, &facts, &mut seq, &blocks).await;
                sent.map_err(|error| (error, opened.position()))
            }
            Err(error) => Err((error, at)),
        };
        if let Err((error, position)) = outcome {
            shared.failed.store(true, Ordering::Relaxed);
            if let Some(run) = &shared.prepared.run {
                set_source_aside(shared, &run.ledger, source, position).await?;
            }
            let _ = heard.send(Heard::Failed { source, error }).await;
        }
        if shared.stop.is_cancelled() {
            break;
        }
    }
    Ok(())
}

async fn set_source_aside(
    shared: &Shared<'_>,
    ledger: &crate::write::LedgerRef,
    source: u32,
    at: Position,
) -> Result<(), LoadError> {
    let session = Session::open(&shared.prepared.pool)
        .await
        .map_err(|view| LedgerError::Server { doing: "set a source aside", view })?;
    Ok(set_aside(&session, &ledger.run, ledger.epoch, source, (at.offset, at.record, at.line)).await?)
}

fn source_facts(
    shared: &Shared<'_>,
    name: &str,
    opened: &crate::load::Opened,
) -> Result<Arc<SourceFacts>, LoadError> {
    let (format, header) = opened.format();
    let (targets, _) = shared
        .prepared
        .mapping
        .header(header)
        .map_err(|error| LoadError::Mapping { source_name: name.to_owned(), error })?;
    Ok(Arc::new(SourceFacts { format: format.clone(), header: header.to_vec(), targets }))
}

async fn send_blocks(
    shared: &Shared<'_>,
    opened: &mut crate::load::Opened,
    facts: &Arc<SourceFacts>,
    seq: &mut u64,
    blocks: &mpsc::Sender<Read>,
) -> Result<(), SourceError> {
    loop {
        let next = tokio::select! {
            next = opened.next(seq) => next?,
            () = shared.stop.cancelled() => return Ok(()),
        };
        let Some((block, digest)) = next else { return Ok(()) };
        let read = Read { block, digest, facts: Arc::clone(facts) };
        tokio::select! {
            sent = blocks.send(read) => if sent.is_err() { return Ok(()) },
            () = shared.stop.cancelled() => return Ok(()),
        }
    }
}

type Encoded = (EncodedBlock, Digest);

/// Decodes and maps blocks on worker threads; they come out in the order in which they went in.
fn encode(
    shared: &Shared<'_>,
    blocks: mpsc::Receiver<Read>,
    heard: mpsc::Sender<Heard>,
) -> impl Stream<Item = Result<Encoded, LoadError>> + use<> {
    let mapping = Arc::clone(&shared.prepared.mapping);
    let workers = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    let blocks = futures::stream::unfold(blocks, |mut blocks| async { Some((blocks.recv().await?, blocks)) });
    blocks
        .map(move |read| {
            let mapping = Arc::clone(&mapping);
            let heard = heard.clone();
            async move {
                let encoded = tokio::task::spawn_blocking(move || {
                    let Read { block, digest, facts } = read;
                    let SourceFacts { format, header, targets } = &*facts;
                    (encode_block(&mapping, format, header, targets, Arc::new(block)), digest)
                })
                .await
                .map_err(|error| LoadError::Worker(error.to_string()))?;
                if encoded.0.ignored_fields > 0 {
                    let _ = heard.send(Heard::Ignored { fields: encoded.0.ignored_fields }).await;
                }
                Ok(encoded)
            }
        })
        .buffered(workers)
}

/// Hands each partition its batches: full ones at once, others every few seconds, the last ones at the end.
async fn batch(
    shared: &Shared<'_>,
    encoded: impl Stream<Item = Result<Encoded, LoadError>>,
    writers: Vec<mpsc::Sender<Batch>>,
) -> Result<(), LoadError> {
    let prepared = shared.prepared;
    let hashes = match (prepared.mapping.key.is_empty(), prepared.mapping.hashed.is_empty()) {
        (true, _) => KeyHashes::None,
        (false, true) => KeyHashes::Silent,
        (false, false) => KeyHashes::Telling,
    };
    let limits =
        Limits { rows: shared.job.resources.batch_rows.max(1), bytes: shared.job.resources.bytes_of_batch() };
    let places: Vec<Position> = prepared.checkpoints.iter().map(|c| c.at).collect();
    let mut batcher = Batcher::new(limits, hashes, &places);
    let mut encoded = std::pin::pin!(encoded);
    let mut flush = tokio::time::interval(FLUSH_EVERY);
    flush.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    flush.tick().await;
    loop {
        let batches = tokio::select! {
            next = encoded.next() => match next {
                Some(next) => {
                    let (block, digest) = next?;
                    batcher.push(block, digest)
                }
                None => break,
            },
            _ = flush.tick() => batcher.flush(),
        };
        hand_out(batches, &writers).await;
    }
    if !shared.stop.is_cancelled() {
        // A source that was set aside keeps the run open: its rest comes last, at the next start.
        let done = !prepared.inputs.iter().any(|input| input.set_aside.is_some() && input.moved_to.is_none())
            && !shared.failed.load(Ordering::Relaxed);
        let last = batcher.finish(shared.end(), done);
        let last = last.into_iter().filter(|b| !prepared.checkpoints[b.partition as usize].done).collect();
        hand_out(last, &writers).await;
    }
    Ok(())
}

async fn hand_out(batches: Vec<Batch>, writers: &[mpsc::Sender<Batch>]) {
    for batch in batches {
        if let Some(writer) = writers.get(batch.partition as usize)
            && writer.send(batch).await.is_err()
        {
            // The writer has failed: its error ends the load, not ours.
            std::future::pending::<()>().await;
        }
    }
}

/// Waits for the writers. After a stop they may finish what is in flight, for a while.
async fn write(shared: &Shared<'_>, mut writers: JoinSet<Result<(), WriteError>>) -> Result<(), LoadError> {
    let all = async {
        while let Some(joined) = writers.join_next().await {
            joined.map_err(|error| LoadError::Worker(error.to_string()))??;
        }
        Ok(())
    };
    let grace = async {
        shared.stop.cancelled().await;
        tokio::time::sleep(STOP_GRACE).await;
    };
    tokio::select! {
        done = all => done,
        () = grace => Ok(()),
    }
}

/// Rejects that are kept as examples when the ledger has them all.
const EXAMPLES: usize = 100;

/// Keeps the counts, judges the budget of rejects, and tells the listener.
async fn account(
    shared: &Shared<'_>,
    mut events: mpsc::Receiver<WriterEvent>,
    mut heard: mpsc::Receiver<Heard>,
) -> Result<Ran, LoadError> {
    let prepared = shared.prepared;
    let mut ran = Ran {
        end: End::Finished,
        tally: Tally { bytes_total: prepared.inputs.iter().map(crate::load::Input::size).sum(), ..Tally::default() },
        rejects: Vec::new(),
        source_books: Vec::new(),
        failed: HashMap::new(),
        ignored_fields: 0,
        seconds: Seconds::default(),
    };
    prepared.checkpoints.iter().for_each(|c| ran.tally.books.add(&c.books));
    let mut tick = tokio::time::interval(Duration::from_millis(100));
    let mut listening = true;
    loop {
        let event = tokio::select! {
            event = events.recv() => match event {
                Some(event) => shared.written(event, &mut ran),
                None => break,
            },
            message = heard.recv(), if listening => match message {
                Some(message) => shared.heard(message, &mut ran),
                None => { listening = false; continue }
            },
            _ = tick.tick() => Event::Read,
        };
        ran.tally.bytes_read = prepared.inputs.iter().map(|i| i.progress.load(Ordering::Relaxed)).sum();
        (shared.listener)(&event, &ran.tally);
    }
    while let Ok(message) = heard.try_recv() {
        let event = shared.heard(message, &mut ran);
        (shared.listener)(&event, &ran.tally);
    }
    let budget = shared.job.max_rejects;
    if budget.is_exceeded(ran.tally.books.rejected, ran.tally.books.read, true) {
        ran.end = End::OverBudget;
    } else if shared.stop.is_cancelled() {
        ran.end = End::Stopped;
    }
    Ok(ran)
}

impl Shared<'_> {
    fn written(&self, event: WriterEvent, ran: &mut Ran) -> Event {
        match event {
            WriterEvent::Committed { committed, .. } => {
                let tally = &mut ran.tally;
                tally.books.add(&committed.books);
                for (source, books) in &committed.sources {
                    match ran.source_books.iter_mut().find(|(known, _)| known == source) {
                        Some((_, sum)) => sum.add(books),
                        None => ran.source_books.push((*source, *books)),
                    }
                }
                tally.batches += 1;
                tally.careful += u64::from(committed.careful);
                let [copying, merging, committing] = committed.seconds;
                ran.seconds.copying += copying;
                ran.seconds.merging += merging;
                ran.seconds.committing += committing;
                let room = EXAMPLES.saturating_sub(ran.rejects.len());
                let keep = if self.prepared.run.is_some() { room } else { usize::MAX };
                ran.rejects.extend(committed.rejects.into_iter().take(keep));
                if self.job.max_rejects.is_exceeded(tally.books.rejected, tally.books.read, false) {
                    self.stop.cancel();
                }
                Event::Committed
            }
            WriterEvent::Waiting { error, .. } => {
                ran.tally.retries += 1;
                Event::Waiting { reason: error.message }
            }
            WriterEvent::Resumed { .. } => Event::GoesOn,
        }
    }

    fn heard(&self, message: Heard, ran: &mut Ran) -> Event {
        let name = |source: u32| {
            let input = usize::try_from(source).ok().and_then(|ordinal| self.prepared.inputs.get(ordinal));
            input.map_or_else(String::new, |input| input.name.clone())
        };
        match message {
            Heard::Started { source } => Event::SourceStarted { name: name(source) },
            Heard::Failed { source, error } => {
                ran.failed.insert(source, error.to_string());
                Event::SourceFailed { name: name(source), reason: error.to_string(), hint: error.hint() }
            }
            Heard::Ignored { fields } => {
                ran.ignored_fields += fields;
                Event::Read
            }
        }
    }
}
