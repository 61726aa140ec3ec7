//! The data path, in one place:
//!
//! source -> decompress -> split into records -> decode -> map -> partition -> batch -> write (one
//! transaction, checkpoint last) -> account -> report
//!
//! Four loops that run side by side, joined by bounded queues: *read* cuts sources into blocks, in order;
//! *encode* decodes and maps blocks on worker threads, in order again when they come back; *batch* hands each
//! partition its batches; *write* commits them, one writer a partition. *account* hears of every commit and
//! owns the counts. When one of them fails, the others are dropped, and the server rolls back what was in
//! flight.

mod account;
mod ask;
mod commits;
mod facts;
mod read;
mod record;
mod shared;
mod turns;
mod waits;

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use futures::stream::FuturesUnordered;
use futures::{Stream, StreamExt as _};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::batch::{Batch, BatchLimits, Batcher, KeyHashes};
use crate::engine::{Share, Workers};
use crate::event::{BlockTimes, Detail, Listener};
use crate::format::Values;
use crate::job::Job;
use crate::ledger::heartbeat;
use crate::map::{EncodedBlock, NarrowedValues, encode_block, masked_original};
use crate::pg::Session;
use crate::prepared::{Act, LoadError, Prepared};
use crate::record::{Digest, Position};
use crate::reject::{Kept, Original};
use crate::write::{Originals, Predictor, RetryPolicy, Verifier, WriteError, Writer, WriterEvent};

use account::{FirstNarrowed, ReaderEvent, account};
use commits::Commits;
use facts::SourceFacts;
use read::{StartedSources, read};
use record::Queues;
use shared::{PipelineContext, Read};
use turns::Turns;
use waits::{BlockTiming, Waits, thread_cpu};

pub use account::{PipelineEnd, Ran};

/// Blocks between reading and encoding, and encoded ahead of batching: enough that no stage waits for
/// another's hiccup.
const BLOCKS_AHEAD: usize = 2;
/// Batches that wait for a writer: one, so that it goes on at once.
const BATCHES_AHEAD: usize = 1;
/// Events that wait for the accountant: its listener may be drawing.
const EVENTS_AHEAD: usize = 64;
/// A slow source still gets its records committed, and its checkpoint moved, this often.
const FLUSH_EVERY: Duration = Duration::from_secs(5);
/// An owner without a sign of life for 30 seconds may be taken over.
const HEARTBEAT_EVERY: Duration = Duration::from_secs(8);
/// After a stop, batches in flight have this long to commit; then they are rolled back.
const STOP_GRACE: Duration = Duration::from_secs(3);
/// Asking the server to cancel what was in flight may take this long.
const CANCEL_LIMIT: Duration = Duration::from_millis(500);

/// Runs the pipeline to its end.
pub async fn run(
    share: &Share,
    job: &Job,
    prepared: &mut Prepared,
    listener: Listener<'_>,
    stop: &CancellationToken,
) -> Result<Ran, LoadError> {
    let began = Instant::now();
    let mut begun = StartedSources { kept: std::mem::take(&mut prepared.kept), ahead: prepared.ahead.take() };
    let shared = PipelineContext {
        job,
        prepared,
        listener,
        stop: stop.child_token(),
        abort: CancellationToken::new(),
        failed: Arc::default(),
        facts: Arc::default(),
        in_doubt: Arc::default(),
        committed: watch::Sender::new(prepared.checkpoints.iter().map(|c| c.at).collect()),
        wanted: std::sync::Mutex::default(),
        memory: Arc::clone(share.memory()),
        workers: share.workers(),
        batch_bytes: share.bytes_of_batch(&job.resources),
        began,
    };
    let (blocks_in, blocks) = mpsc::channel(BLOCKS_AHEAD);
    let (heard_in, heard) = mpsc::channel(64);
    // Where nobody else keeps rejects, hardly a batch may commit before those of the last one are kept.
    let (events_in, events) = mpsc::channel(if prepared.run.is_some() { EVENTS_AHEAD } else { 1 });
    let mut batches_in = Vec::new();
    let mut writers = JoinSet::new();
    if prepared.act == Act::Verify {
        // Each keeps its session to the end.
        prepared.pool.reserve(prepared.checkpoints.len()).await;
    }
    for (partition, checkpoint) in prepared.checkpoints.iter().enumerate() {
        let (batch_in, batches) = mpsc::channel(BATCHES_AHEAD);
        batches_in.push(batch_in);
        if !checkpoint.done {
            match prepared.act {
                Act::Load => writers.spawn(shared.writer(partition, events_in.clone()).run(batches)),
                Act::Verify => writers.spawn(shared.verifier(events_in.clone()).run(batches)),
                // Nobody runs a plan; whoever did would have nothing that writes.
                Act::Plan => continue,
            };
        }
    }
    drop(events_in);
    let limited_before = prepared.access.limited_for();
    let encoded = encode(&shared, blocks, heard_in.clone());
    let told = job.is_recorded.then(|| TellsBlocks { began, heard: heard_in.clone() });
    let queues = Queues::of(&blocks_in, &batches_in);
    shared.tell_plan();
    let stages = async {
        tokio::try_join!(
            read(&shared, &mut begun, blocks_in, heard_in),
            batch(&shared, encoded, batches_in, told),
            write(&shared, writers),
            account(&shared, events, heard, queues),
        )
    };
    tokio::select! {
        done = stages => done.map(|((), (waits, handed_out), (), mut ran)| {
            // With all batches handed out there is nothing left to wait for but the writers.
            ran.seconds.waiting_for_writer = (waits.writer + handed_out.elapsed()).as_secs_f64();
            ran.seconds.waiting_for_source = waits.source;
            let limited = prepared.access.limited_for().saturating_sub(limited_before);
            ran.seconds.waiting_for_limit = limited.as_secs_f64().min(waits.source);
            ran.seconds.reading = waits.reading.as_secs_f64();
            ran.seconds.decoding = waits.decoding.as_secs_f64();
            ran.seconds.pipeline = began.elapsed().as_secs_f64();
            if ran.end == PipelineEnd::Stopped && !stop.is_cancelled() {
                ran.wanted = std::mem::take(&mut *shared.wanted.lock().unwrap_or_else(PoisonError::into_inner));
            }
            ran
        }),
        () = beat(&shared) => Err(LoadError::Worker("the heartbeat ended".to_owned())),
    }
}

impl PipelineContext<'_> {
    fn writer(&self, partition: usize, events: mpsc::Sender<WriterEvent>) -> Writer {
        let facts = Arc::clone(&self.facts);
        let mapping = Arc::clone(&self.prepared.mapping);
        let originals: Originals = Arc::new(move |block, i| {
            let facts = facts.read().unwrap_or_else(PoisonError::into_inner).get(&block.source).cloned();
            match facts {
                Some(facts) => masked_original(&mapping, &facts.layout, block, i),
                None => Original { kept: Kept::Raw(String::new()), values: Values::default() },
            }
        });
        Writer {
            partition: u32::try_from(partition).unwrap_or(u32::MAX),
            plan: Arc::clone(&self.prepared.write),
            pool: self.prepared.pool.clone(),
            ledger: self.prepared.run.as_ref().map(|run| run.ledger.clone()),
            originals,
            is_recorded: self.job.is_recorded,
            retry_policy: RetryPolicy { retry_for: self.job.resources.retry_for },
            events,
            books: self.prepared.checkpoints[partition].books,
            predictor: Predictor::new(self.prepared.plan.nothing_stored()),
            in_doubt: Arc::clone(&self.in_doubt),
        }
    }

    fn verifier(&self, events: mpsc::Sender<WriterEvent>) -> Verifier {
        Verifier { plan: Arc::clone(&self.prepared.write), pool: self.prepared.pool.clone(), events }
    }
}

/// Every commit is a sign of life; while a slow source gives nothing to commit, this is. Never waits for a
/// session while this load has one: then commits are on their way.
async fn beat(shared: &PipelineContext<'_>) {
    loop {
        tokio::time::sleep(HEARTBEAT_EVERY).await;
        let Some(run) = &shared.prepared.run else { continue };
        let pool = &shared.prepared.pool;
        if pool.is_busy() && !pool.has_idle() {
            continue;
        }
        if let Ok(session) = Session::open(pool).await {
            // Another owner's epoch is not touched; who lost it learns so at its next commit.
            let _ = heartbeat(&session, &run.ledger.run, run.ledger.epoch).await;
        }
    }
}

/// A block that is on its way to the batches.
struct Encoded {
    block: EncodedBlock,
    digest: Digest,
    reading: BlockTiming,
    cpu: Duration,
    /// When it began to be decoded, and when that was done.
    decoded: [Instant; 2],
}

/// Tells of blocks, on their way to the batches.
struct TellsBlocks {
    began: Instant,
    heard: mpsc::Sender<ReaderEvent>,
}

impl TellsBlocks {
    async fn block(&self, encoded: &Encoded) {
        let at = |instant: Instant| instant.saturating_duration_since(self.began);
        let block = &encoded.block.block;
        let (read, reading) = encoded.reading.times();
        let told = BlockTimes {
            source: block.start.source,
            records: block.len() as u64,
            bytes: block.bytes().len() as u64,
            read: read.map(at),
            reading,
            decoded: encoded.decoded.map(at),
            decoding: encoded.cpu,
        };
        let _ = self.heard.send(ReaderEvent::Detail(Detail::Block(told))).await;
    }
}

/// Decodes and maps blocks on worker threads, and before they are mapped asks the server what expressions
/// say of them; they come out in the order in which they went in.
fn encode(
    shared: &PipelineContext<'_>,
    blocks: mpsc::Receiver<Read>,
    heard: mpsc::Sender<ReaderEvent>,
) -> impl Stream<Item = Result<Encoded, LoadError>> + use<> {
    let mapping = Arc::clone(&shared.prepared.mapping);
    let workers = shared.workers.clone();
    let asks = shared.asks();
    let blocks = futures::stream::unfold(blocks, |mut blocks| async { Some((blocks.recv().await?, blocks)) });
    blocks
        .map(move |read| {
            let mapping = Arc::clone(&mapping);
            let heard = heard.clone();
            let workers = workers.clone();
            let asks = asks.clone();
            async move {
                let Read { block, digest, facts, held, reading } = read;
                let block = Arc::new(block);
                let answers = match &asks {
                    Some(asks) => asks.answers(&block, &facts, &held).await?,
                    None => Vec::new(),
                };
                let work = move || {
                    let (since, began) = (Instant::now(), thread_cpu());
                    let SourceFacts { layout, targets } = &*facts;
                    let block = encode_block(&mapping, layout, targets, block, &answers);
                    held.grow(block.memory_bytes());
                    let cpu = thread_cpu().saturating_sub(began);
                    Encoded { block, digest, reading, cpu, decoded: [since, Instant::now()] }
                };
                let encoded =
                    workers.run(work).await.map_err(|error| LoadError::Worker(error.to_string()))?;
                let fields = encoded.block.ignored_fields;
                let narrowed = encoded.block.narrowed.as_ref();
                if let Some(NarrowedValues { values, i, column }) = narrowed {
                    let (block, column) = (&encoded.block.block, column.clone());
                    let first = FirstNarrowed { source: block.start.source, line: block.line_of(*i), column };
                    let _ = heard.send(ReaderEvent::Narrowed { values: *values, first }).await;
                }
                if fields > 0 {
                    let _ = heard.send(ReaderEvent::Ignored { fields }).await;
                }
                Ok(encoded)
            }
        })
        .buffered(Workers::count())
}

/// Hands each partition its batches: full ones at once, others every few seconds, the last ones at the end.
/// Returns what it waited for, and when all were handed out.
async fn batch(
    shared: &PipelineContext<'_>,
    encoded: impl Stream<Item = Result<Encoded, LoadError>>,
    writers: Vec<mpsc::Sender<Batch>>,
    told: Option<TellsBlocks>,
) -> Result<(Waits, Instant), LoadError> {
    let prepared = shared.prepared;
    let hashes = match (prepared.mapping.key.is_empty(), prepared.mapping.hashed.is_empty()) {
        (true, _) => KeyHashes::None,
        (false, true) => KeyHashes::Silent,
        (false, false) => KeyHashes::Telling,
    };
    let limits = BatchLimits { rows: shared.job.resources.batch_rows.max(1), bytes: shared.batch_bytes };
    let places: Vec<Position> = prepared.checkpoints.iter().map(|c| c.at).collect();
    let mut batcher = Batcher::new(limits, hashes, &places);
    let mut encoded = std::pin::pin!(encoded);
    let mut flush = tokio::time::interval(FLUSH_EVERY);
    flush.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    flush.tick().await;
    let mut waits = Waits::default();
    let mut commits = Commits::of(shared.job);
    let mut handing = Handing { shared, writers: &writers, turns: Turns::of(shared) };
    loop {
        let since = Instant::now();
        let mut batches = tokio::select! {
            next = encoded.next() => match next {
                Some(next) => {
                    let mut next = next?;
                    if !next.block.wanted.is_empty() {
                        shared.ends_for(std::mem::take(&mut next.block.wanted));
                        handing.hand_out(batcher.flush(), &mut waits).await;
                        break;
                    }
                    if let Some(told) = &told {
                        told.block(&next).await;
                    }
                    let Encoded { mut block, digest, reading, cpu, .. } = next;
                    waits.fed(since, &reading);
                    waits.decoding += cpu;
                    commits.batched(block.block.len());
                    if !handing.earlier_pieces(&mut block, &mut batcher, &mut waits).await {
                        break;
                    }
                    let mut batches = batcher.push(block, digest);
                    if shared.memory.is_wanted() {
                        batches.extend(batcher.flush());
                    }
                    batches
                }
                None => break waits.ended(since),
            },
            () = shared.memory.wanted() => {
                waits.still_hungry(since);
                batcher.flush()
            }
            _ = flush.tick() => {
                waits.still_hungry(since);
                batcher.flush()
            }
            () = commits.asked() => {
                waits.still_hungry(since);
                Vec::new()
            }
        };
        if commits.is_due() {
            batches.extend(batcher.flush());
        }
        handing.hand_out(batches, &mut waits).await;
    }
    if !shared.stop.is_cancelled() {
        // A source that was set aside keeps the run open: its rest comes last, at the next start.
        let done = !prepared.inputs.iter().any(|input| input.set_aside.is_some() && input.moved_to.is_none())
            && !shared.failed.load(Ordering::Relaxed);
        let last = batcher.finish(shared.end(), done);
        let last = last.into_iter().filter(|b| !prepared.checkpoints[b.partition as usize].done).collect();
        handing.hand_out(last, &mut waits).await;
    }
    Ok((waits, Instant::now()))
}

/// Hands batches to the writers.
struct Handing<'a> {
    shared: &'a PipelineContext<'a>,
    writers: &'a [mpsc::Sender<Batch>],
    turns: Turns,
}

impl Handing<'_> {
    async fn hand_out(&mut self, batches: Vec<Batch>, waits: &mut Waits) {
        for batch in batches {
            let Some(writer) = self.writers.get(batch.partition as usize) else { continue };
            let since = Instant::now();
            self.turns.note(batch.partition, batch.after);
            if writer.send(batch).await.is_err() {
                // The writer has failed, and its error ends the load; or it was given up after a stop, which
                // ends it too.
                return self.shared.stop.cancelled().await;
            }
            waits.writer += since.elapsed();
        }
    }

    /// Hands out the pieces of a block before its last one, and makes way for that. False: the load was
    /// stopped meanwhile.
    async fn earlier_pieces(
        &mut self,
        block: &mut EncodedBlock,
        batcher: &mut Batcher,
        waits: &mut Waits,
    ) -> bool {
        for piece in std::mem::take(&mut block.earlier) {
            if !self.make_way(piece.is_unread, batcher, waits).await {
                return false;
            }
            let batches = batcher.push_piece(&block.block, &block.columns, piece);
            self.hand_out(batches, waits).await;
        }
        self.make_way(block.is_unread, batcher, waits).await
    }

    /// Where it is the turn of the others, all of them are committed first.
    async fn make_way(&mut self, is_unread: bool, batcher: &mut Batcher, waits: &mut Waits) -> bool {
        if !self.turns.is_over_for(is_unread) {
            return true;
        }
        self.hand_out(batcher.flush_records(), waits).await;
        self.turns.turn(self.shared, waits).await
    }
}

/// Waits for the writers. After a stop they may finish what is in flight, for a while. None is left behind:
/// what the others are doing when one fails is cancelled.
async fn write(
    shared: &PipelineContext<'_>,
    mut writers: JoinSet<Result<(), WriteError>>,
) -> Result<(), LoadError> {
    let all = async {
        while let Some(joined) = writers.join_next().await {
            joined.map_err(|error| LoadError::Worker(error.to_string()))?.map_err(|error| match error {
                // The gravest wins: another writer does not know what became of its batch.
                WriteError::Database(error) if shared.in_doubt.load(Ordering::Relaxed) > 0 => {
                    WriteError::Unknown(error)
                }
                error => error,
            })?;
        }
        Ok(())
    };
    let grace = async {
        shared.stop.cancelled().await;
        tokio::time::sleep(STOP_GRACE).await;
    };
    let done = tokio::select! {
        done = all => done,
        () = grace => Ok(()),
        () = shared.abort.cancelled() => Ok(()),
    };
    let pool = &shared.prepared.pool;
    let busy = pool.give_up();
    writers.shutdown().await;
    let mut cancelled = FuturesUnordered::new();
    for session in &busy {
        cancelled.push(pool.cancel(session));
    }
    let cancelled = async { while cancelled.next().await.is_some() {} };
    // Best effort: a server that cannot be asked ends what was begun at its own limits.
    let _ = tokio::time::timeout(CANCEL_LIMIT, cancelled).await;
    done
}
