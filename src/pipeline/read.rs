//! Reading: the sources in order, cut into blocks; what fails for good is set aside.

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use tokio::sync::mpsc;

use crate::ledger::{LedgerError, set_aside};
use crate::load::{LoadError, Opened, SourceFacts};
use crate::pg::Session;
use crate::record::Position;
use crate::source::SourceError;
use crate::write::LedgerRef;

use super::account::Heard;
use super::{Read, Shared};

/// Reads the sources in order, from the earliest checkpoint on. One that fails for good is set aside before
/// anything behind it goes on.
pub(super) async fn read(
    shared: &Shared<'_>,
    kept: &mut HashMap<usize, Opened>,
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
                // A resume in mid-source has passed them over already.
                if ordinal == 0 && at == input.begin {
                    opened.skip(shared.job.runs.skip_records);
                }
                let facts = source_facts(shared, &input.name, &opened)?;
                shared
                    .facts
                    .write()
                    .unwrap_or_else(PoisonError::into_inner)
                    .insert(source, Arc::clone(&facts));
                let sent = send_blocks(shared, &mut opened, &facts, &mut seq, (&blocks, &heard)).await;
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
    ledger: &LedgerRef,
    source: u32,
    at: Position,
) -> Result<(), LoadError> {
    let session = Session::open(&shared.prepared.pool)
        .await
        .map_err(|view| LedgerError::Server { doing: "set a source aside", view })?;
    Ok(set_aside(&session, &ledger.run, ledger.epoch, source, (at.offset, at.record, at.line)).await?)
}

fn source_facts(shared: &Shared<'_>, name: &str, opened: &Opened) -> Result<Arc<SourceFacts>, LoadError> {
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
    opened: &mut Opened,
    facts: &Arc<SourceFacts>,
    seq: &mut u64,
    (blocks, heard): (&mpsc::Sender<Read>, &mpsc::Sender<Heard>),
) -> Result<(), SourceError> {
    loop {
        let next = tokio::select! {
            next = opened.next(seq) => next?,
            () = shared.stop.cancelled() => return Ok(()),
        };
        let Some((block, digest)) = next else { return Ok(()) };
        if shared.job.verify {
            let _ = heard.send(Heard::Block { start: block.start, first_seq: block.first_seq }).await;
        }
        let read = Read { block, digest, facts: Arc::clone(facts) };
        tokio::select! {
            sent = blocks.send(read) => if sent.is_err() { return Ok(()) },
            () = shared.stop.cancelled() => return Ok(()),
        }
    }
}
