//! Prefetch with back-pressure: sources from the network, fetched before their turn: requests are in flight
//! side by side, records come out in order.
//!
//! Sources are begun in their order, so many at once. What a source has before its turn waits here, in
//! bounded memory; when that is full, its task stops reading. A body goes on coming then, into a spool
//! (`spool`), so that slow ones come side by side; beyond that, and of pages, back-pressure reaches the
//! socket. The source whose turn it is never waits for what others hold: it has places of its own. Dropped,
//! everything that is under way is given up.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot, watch};
use tokio::task::{AbortHandle, JoinSet};

use super::access::Access;
use super::begin::Begin;
use super::blocks::BLOCK_BYTES;
use super::entry::Input;
use super::error::SourceError;
use super::fetched::Fetched;
use super::folders::folders;
use super::opened::{BlockSource, OpenSource};
use super::source::Reach;
use super::spool::{SourceTurn, SpoolSpace};
use crate::job;

/// Bytes that the source whose turn it is may be ahead of its reader: enough that neither waits for the
/// other's hiccup. It takes none of what waits for a later turn: a single large body would fill all of it,
/// and be no faster.
const TURN_BYTES: usize = 1 << 20;

/// What a block costs beside its bytes, so that very small ones count too.
const BLOCK_OVERHEAD_BYTES: usize = 1024;

/// The part of the memory that the bodies have which are spooled, all together, and bounds on what one has.
const SPOOL_SHARE: usize = 4;
const SPOOL_MIN_BYTES: usize = 8 * 1024;
const SPOOL_MAX_BYTES: usize = 128 * 1024;

/// Sources that are being fetched.
pub struct Ahead {
    opened: HashMap<usize, oneshot::Receiver<Result<Fetched, SourceError>>>,
    /// Ordinals below this one have had their turn, or have it.
    turn: watch::Sender<usize>,
    driver: AbortHandle,
}

impl Drop for Ahead {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// What all fetches share.
struct PrefetchState {
    access: Access,
    reading: job::Reading,
    memory: Arc<Semaphore>,
    memory_bytes: usize,
    of_turn: Arc<Semaphore>,
    turn: watch::Receiver<usize>,
    space: SpoolSpace,
    /// Sources below this one are looked into before anyone's turn: their first block never waits.
    sampled: usize,
}

/// How much is fetched ahead.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Sources that are fetched at once.
    pub sources: usize,
    /// Bytes of records that wait for their turn.
    pub memory_bytes: usize,
    /// Bytes of bodies that wait in temporary files, beyond that.
    pub spool_bytes: u64,
    /// Sources that are looked into for the sample.
    pub sampled: usize,
}

impl Ahead {
    /// Begins to fetch those of the sources that are asked for, in this order.
    pub fn start<'a>(
        access: Access,
        reading: job::Reading,
        sources: impl Iterator<Item = (&'a Input, Begin)>,
        bounds: Bounds,
    ) -> Self {
        let (turn, turns) = watch::channel(0);
        let memory_bytes = bounds.memory_bytes.min(Semaphore::MAX_PERMITS);
        let of_body = memory_bytes / SPOOL_SHARE / bounds.sources.max(1);
        let of_body = of_body.clamp(SPOOL_MIN_BYTES, SPOOL_MAX_BYTES);
        let shared = Arc::new(PrefetchState {
            access,
            reading,
            memory: Arc::new(Semaphore::new(memory_bytes)),
            memory_bytes,
            of_turn: Arc::new(Semaphore::new(TURN_BYTES)),
            turn: turns,
            space: SpoolSpace::new(folders(), bounds.spool_bytes, of_body),
            sampled: bounds.sampled,
        });
        let mut opened = HashMap::new();
        let mut waiting = Vec::new();
        for (input, begin) in sources.filter(|(input, _)| input.reach() == Reach::Asked) {
            let (tell, told) = oneshot::channel();
            let ordinal = input.begin.source as usize;
            opened.insert(ordinal, told);
            waiting.push(PendingFetch { ordinal, input: input.clone(), begin, tell });
        }
        let driver = tokio::spawn(async move {
            let at_once = Arc::new(Semaphore::new(bounds.sources.max(1)));
            let mut fetches = JoinSet::new();
            for waiting in waiting {
                let Ok(slot) = Arc::clone(&at_once).acquire_owned().await else { break };
                let shared = Arc::clone(&shared);
                fetches.spawn(async move {
                    fetch(&shared, waiting).await;
                    drop(slot);
                });
                while fetches.try_join_next().is_some() {}
            }
            while fetches.join_next().await.is_some() {}
        });
        Self { opened, turn, driver: driver.abort_handle() }
    }

    /// From now on it is the turn of this source: it waits for no other.
    pub(crate) fn turn_of(&self, ordinal: usize) {
        self.turn.send_replace(ordinal + 1);
    }

    /// A source as soon as it is open; `None`: it is not among these, or was taken before.
    pub(crate) async fn take(&mut self, ordinal: usize) -> Option<Result<OpenSource, SourceError>> {
        let opened = self.opened.remove(&ordinal)?.await;
        // A fetch that died without a word is one that was given up.
        Some(opened.ok()?.map(|fetched| {
            let (layout, at) = (fetched.layout.clone(), fetched.at);
            OpenSource::new(BlockSource::Ahead(fetched), layout, at)
        }))
    }
}

/// A source that is to be fetched, and who waits for it.
struct PendingFetch {
    ordinal: usize,
    input: Input,
    begin: Begin,
    tell: oneshot::Sender<Result<Fetched, SourceError>>,
}

async fn fetch(shared: &PrefetchState, waiting: PendingFetch) {
    let PendingFetch { ordinal, input, begin, tell } = waiting;
    let mut opened = match input.open(&shared.reading, &shared.access, &begin).await {
        Ok(opened) => opened,
        Err(error) => {
            // Who does not ask any more needs no answer.
            let _ = tell.send(Err(error));
            return;
        }
    };
    let (blocks, receiver) = mpsc::unbounded_channel();
    let fetched = Fetched {
        class: opened.class(),
        note: opened.take_note(),
        layout: opened.layout().clone(),
        types: opened.types().to_vec(),
        at: begin.at,
        blocks: receiver,
    };
    if tell.send(Ok(fetched)).is_err() {
        return;
    }
    let turn = SourceTurn { ordinal, behind: shared.turn.clone() };
    let is_spooled = !turn.is_now() && opened.spool(&shared.space, turn.clone());
    let mut first = ordinal < shared.sampled;
    loop {
        // A body waits for room before it is read: there may be many, and each would hold a block meanwhile.
        let mut places = match is_spooled && !first {
            true => shared.place(&turn, BLOCK_BYTES + BLOCK_OVERHEAD_BYTES).await.into_iter().collect(),
            false => Vec::new(),
        };
        let item = match opened.next(&mut 0).await {
            Ok(Some(item)) => Ok(item),
            Ok(None) => return,
            Err(error) => Err(error),
        };
        if let Ok((block, _)) = &item
            && !first
        {
            shared.settle(&turn, &mut places, block.memory_bytes() + BLOCK_OVERHEAD_BYTES).await;
        }
        first = false;
        let failed = item.is_err();
        if blocks.send((item, places)).is_err() || failed {
            return;
        }
    }
}

impl PrefetchState {
    /// Waits for memory, or for the source's turn and its own.
    async fn place(&self, turn: &SourceTurn, bytes: usize) -> Option<OwnedSemaphorePermit> {
        // One that is larger than all there is takes all there is.
        let permits = |limit: usize| u32::try_from(bytes.min(limit)).unwrap_or(u32::MAX);
        let of_turn = async {
            turn.clone().come().await;
            Arc::clone(&self.of_turn).acquire_many_owned(permits(TURN_BYTES)).await.ok()
        };
        let early = async {
            if turn.is_now() {
                return std::future::pending().await;
            }
            Arc::clone(&self.memory).acquire_many_owned(permits(self.memory_bytes)).await.ok()
        };
        tokio::select! {
            biased;
            permit = early => permit,
            permit = of_turn => permit,
        }
    }

    /// Gives back what a block does not need of its places, or waits for more.
    async fn settle(&self, turn: &SourceTurn, places: &mut Vec<OwnedSemaphorePermit>, bytes: usize) {
        let held = places.iter().map(OwnedSemaphorePermit::num_permits).sum::<usize>();
        if bytes > held {
            // Nobody waits for what he holds himself.
            places.clear();
            places.extend(self.place(turn, bytes).await);
        } else if let Some(place) = places.first_mut() {
            drop(place.split(held - bytes));
        }
    }
}
