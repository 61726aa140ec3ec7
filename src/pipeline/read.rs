//! Reading: the sources in order, cut into blocks; what fails for good is set aside.

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::Instant;

use tokio::sync::mpsc;

use crate::input::{Ahead, Begin, Input, OpenSource, SourceError};
use crate::ledger::{Checkpoint, LedgerError, LedgerRef, set_aside};
use crate::pg::Session;
use crate::prepared::{Act, LoadError};
use crate::record::Place;

use super::account::ReaderEvent;
use super::facts::SourceFacts;
use super::shared::{PipelineContext, Read};
use super::waits::BlockTiming;

/// Sources that were begun before the pipeline.
pub(super) struct StartedSources {
    /// Opened for the sample, or failed there.
    pub(super) kept: HashMap<usize, Result<OpenSource, SourceError>>,
    /// Sources that are fetched ahead of their turn.
    pub(super) ahead: Option<Ahead>,
}

/// Where blocks go, and what is heard of them.
struct Out {
    blocks: mpsc::Sender<Read>,
    heard: mpsc::Sender<ReaderEvent>,
}

/// How far reading has come.
struct Course {
    /// The number of the next record in this process.
    seq: u64,
    /// Since when the next block is looked for: opening its source is part of that.
    since: Instant,
}

/// Reads the sources in order, from the earliest checkpoint on. One that fails for good is set aside before
/// anything behind it goes on.
pub(super) async fn read(
    shared: &PipelineContext<'_>,
    begun: &mut StartedSources,
    blocks: mpsc::Sender<Read>,
    heard: mpsc::Sender<ReaderEvent>,
) -> Result<(), LoadError> {
    let out = Out { blocks, heard };
    let heard = &out.heard;
    let checkpoints = &shared.prepared.checkpoints;
    let from = checkpoints.iter().filter(|c| !c.done).map(|c| c.at).min().unwrap_or_else(|| shared.end());
    let tokens = Checkpoint::tokens(checkpoints);
    let mut course = Course { seq: 0, since: Instant::now() };
    for (ordinal, input) in shared.prepared.inputs.iter().enumerate() {
        let source = input.begin.source;
        let Some(begin) = input.begin_from(from, &tokens) else { continue };
        let (since, first) = (Instant::now(), course.seq);
        let _ = heard.send(ReaderEvent::Started { source }).await;
        let opened = tokio::select! {
            opened = begun.open(shared, ordinal, &begin) => opened,
            () = shared.stop.cancelled() => break,
        };
        let outcome = match opened {
            Ok(mut opened) => {
                // A resume in mid-source has passed them over already.
                if ordinal == 0 && begin.at == input.begin {
                    opened.skip(shared.job.runs.skip_records);
                }
                if let Some(end) = input.end() {
                    opened.end_at(end);
                }
                shared.memory.set_apart(opened.decoder_bytes());
                let (class, note) = (opened.class(), opened.take_note());
                let _ = heard.send(ReaderEvent::Opened { class, note }).await;
                let facts = source_facts(shared, &input.name, &opened)?;
                shared
                    .facts
                    .write()
                    .unwrap_or_else(PoisonError::into_inner)
                    .insert(source, Arc::clone(&facts));
                let sent = send_blocks(shared, &mut opened, &facts, &mut course, &out).await;
                match sent {
                    Ok(()) => {
                        if !shared.stop.is_cancelled() {
                            input.ended(&opened);
                        }
                        Ok(())
                    }
                    // Found out behind the resume point: another partition had read further.
                    Err(error) if !begin.pages.is_empty() => {
                        Err((refused_change(shared, error)?, opened.place(&begin)))
                    }
                    Err(error) => Err((error, opened.place(&begin))),
                }
            }
            Err(error) => Err((refused_change(shared, error)?, begin.place())),
        };
        say_notes(shared, heard).await;
        if let Err((error, place)) = outcome {
            give_up(shared, input, SourceFailure { error, place }, heard).await?;
        } else if !shared.stop.is_cancelled() {
            let (records, elapsed) = (course.seq - first, since.elapsed());
            let _ = heard.send(ReaderEvent::Ended { source, records, elapsed }).await;
        }
        if shared.stop.is_cancelled() {
            break;
        }
    }
    Ok(())
}

impl StartedSources {
    /// A source, whoever has opened it.
    async fn open(
        &mut self,
        shared: &PipelineContext<'_>,
        ordinal: usize,
        begin: &Begin,
    ) -> Result<OpenSource, SourceError> {
        if let Some(ahead) = &self.ahead {
            ahead.turn_of(ordinal);
        }
        shared.prepared.access.turn_of(ordinal);
        if let Some(opened) = self.kept.remove(&ordinal) {
            return opened;
        }
        if let Some(ahead) = &mut self.ahead
            && let Some(opened) = ahead.take(ordinal).await
        {
            return opened;
        }
        let prepared = shared.prepared;
        Box::pin(prepared.inputs[ordinal].check_whole(&shared.job.reading, begin)).await?;
        prepared.inputs[ordinal].open(&shared.job.reading, &prepared.access, begin).await
    }
}

/// Says what answers have said beside their records.
async fn say_notes(shared: &PipelineContext<'_>, heard: &mpsc::Sender<ReaderEvent>) {
    for text in shared.prepared.access.take_notes() {
        let _ = heard.send(ReaderEvent::Note { text }).await;
    }
}

/// A source that failed for good, and where.
struct SourceFailure {
    error: SourceError,
    place: Place,
}

/// A source failed for good: its rest becomes the end of the order, at the next start.
async fn give_up(
    shared: &PipelineContext<'_>,
    input: &Input,
    SourceFailure { error, place }: SourceFailure,
    heard: &mpsc::Sender<ReaderEvent>,
) -> Result<(), LoadError> {
    let source = input.begin.source;
    let further = |c: &Checkpoint| !c.done && c.at.source == source && c.at > place.position(source);
    let appends = shared.prepared.plan.appends();
    if appends && shared.prepared.run.is_some() && shared.prepared.checkpoints.iter().any(further) {
        // An earlier start has read further for some of the partitions. A rest that begins here would give
        // them twice what they have; where they stand is the checkpoints' to say, at the next start.
        return Err(error.into());
    }
    if input.moved_to.is_some() {
        // Its rest is an entry already, which begins where it failed before: what is missing now is in
        // neither.
        return Err(error.into());
    }
    shared.failed.store(true, Ordering::Relaxed);
    if let Some(run) = &shared.prepared.run {
        set_source_aside(shared, &run.ledger, source, &place).await?;
    }
    let _ = heard.send(ReaderEvent::Failed { source, error }).await;
    Ok(())
}

/// A body that is another version at its resume point is refused like a file that was replaced: set aside, it
/// would fail at every start.
fn refused_change(shared: &PipelineContext<'_>, error: SourceError) -> Result<SourceError, LoadError> {
    match (error, &shared.prepared.run) {
        (SourceError::BodyChanged { name, source }, Some(run)) => {
            let (run, change) = (run.ledger.run.clone(), source.to_string());
            Err(LedgerError::SourceChanged { run, name, change }.into())
        }
        (error, _) => Ok(error),
    }
}

async fn set_source_aside(
    shared: &PipelineContext<'_>,
    ledger: &LedgerRef,
    source: u32,
    at: &Place,
) -> Result<(), LoadError> {
    let session = Session::open(&shared.prepared.pool)
        .await
        .map_err(|source| LedgerError::Server { doing: "set a source aside", source })?;
    Ok(set_aside(&session, &ledger.run, ledger.epoch, source, at).await?)
}

fn source_facts(
    shared: &PipelineContext<'_>,
    name: &str,
    opened: &OpenSource,
) -> Result<Arc<SourceFacts>, LoadError> {
    let layout = opened.layout();
    let (targets, _) = shared
        .prepared
        .mapping
        .header(&layout.names())
        .map_err(|error| LoadError::Mapping { source_name: name.to_owned(), error })?;
    Ok(Arc::new(SourceFacts { layout: layout.clone(), targets }))
}

async fn send_blocks(
    shared: &PipelineContext<'_>,
    opened: &mut OpenSource,
    facts: &Arc<SourceFacts>,
    course: &mut Course,
    out: &Out,
) -> Result<(), SourceError> {
    let mut last_bytes = 0;
    loop {
        // The next one is mostly as large: what has no room yet is not read either.
        tokio::select! {
            // What opening the source has taken is waiting for it.
            () = shared.memory.room(last_bytes) => if last_bytes > 0 { course.since = Instant::now() },
            () = shared.stop.cancelled() => return Ok(()),
        }
        let (next, reading) = tokio::select! {
            (next, reading) = BlockTiming::of(course.since, opened.next(&mut course.seq)) => (next?, reading),
            () = shared.stop.cancelled() => return Ok(()),
        };
        let Some((mut block, digest)) = next else { return Ok(()) };
        if shared.prepared.act == Act::Verify {
            let _ =
                out.heard.send(ReaderEvent::Block { start: block.start, first_seq: block.first_seq }).await;
        }
        let held = tokio::select! {
            held = shared.memory.hold(&mut block) => held,
            () = shared.stop.cancelled() => return Ok(()),
        };
        last_bytes = held.bytes();
        let read = Read { block, digest, facts: Arc::clone(facts), held, reading };
        tokio::select! {
            sent = out.blocks.send(read) => if sent.is_err() { return Ok(()) },
            () = shared.stop.cancelled() => return Ok(()),
        }
        course.since = Instant::now();
    }
}
