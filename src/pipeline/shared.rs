//! What the stages of the pipeline share, and what goes from reading to decoding.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Instant;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::engine::{Held, Memory, Workers};
use crate::event::Listener;
use crate::job::Job;
use crate::map::WantedColumn;
use crate::prepared::Prepared;
use crate::record::{Block, Digest, Position};

use super::facts::SourceFacts;
use super::waits::BlockTiming;

/// What the stages share.
pub(super) struct PipelineContext<'a> {
    pub(super) job: &'a Job,
    pub(super) prepared: &'a Prepared,
    pub(super) listener: Listener<'a>,
    /// Stops reading; what is in flight is finished.
    pub(super) stop: CancellationToken,
    /// Stops writing too: what is in flight is rolled back.
    pub(super) abort: CancellationToken,
    /// A source was set aside: the run stays open.
    pub(super) failed: Arc<AtomicBool>,
    /// Formats and headers by source, for the originals of rejects.
    pub(super) facts: Arc<RwLock<HashMap<u32, Arc<SourceFacts>>>>,
    /// Writers that do not know what became of their batch.
    pub(super) in_doubt: Arc<AtomicUsize>,
    /// How far each partition has committed: told by the accountant.
    pub(super) committed: watch::Sender<Vec<Position>>,
    /// Fields that columns are to be added for, before the load goes on.
    pub(super) wanted: Mutex<Vec<WantedColumn>>,
    /// What blocks and all that is made of them take.
    pub(super) memory: Arc<Memory>,
    pub(super) workers: Workers,
    pub(super) batch_bytes: usize,
    /// When the pipeline began.
    pub(super) began: Instant,
}

/// A block with what is needed to decode it.
pub(super) struct Read {
    pub(super) block: Block,
    pub(super) digest: Digest,
    pub(super) facts: Arc<SourceFacts>,
    pub(super) held: Arc<Held>,
    pub(super) reading: BlockTiming,
}

impl PipelineContext<'_> {
    /// The place behind all sources.
    pub(super) fn end(&self) -> Position {
        Position::start_of(u32::try_from(self.prepared.inputs.len()).unwrap_or(u32::MAX))
    }

    /// Ends reading for these fields: what is before them is committed, and columns are added.
    pub(super) fn ends_for(&self, wanted: Vec<WantedColumn>) {
        *self.wanted.lock().unwrap_or_else(PoisonError::into_inner) = wanted;
        self.stop.cancel();
    }
}
