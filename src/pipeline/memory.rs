//! The memory of what is under way, in bytes: whatever records are like, and wherever they wait.
//!
//! Queues and batches are bounded by number or by what they were handed; a block lives until the last batch with a record
//! of it has committed, which no queue can see. So each block is counted from the time that it is read until nobody holds
//! its bytes any more, and reading waits while there is too much. What waits in open batches would wait for ever then:
//! reading asks for it to be written.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use bytes::Bytes;
use tokio::sync::Notify;

use crate::job::Resources;
use crate::record::{Block, Span};

/// A record of more bytes is counted as often as it may be held beside its block and its COPY text: decoded, as the original
/// of a reject, as a message to the server. Of shorter ones a batch holds as many as it has room for, all that included.
const LONG_RECORD_BYTES: u32 = 256 * 1024;
const COPIES_OF_LONG: usize = 2;

/// What may be under way, and what is.
pub(super) struct Memory {
    limit_bytes: usize,
    /// Of them, what the decoder of the open source holds.
    apart_bytes: AtomicUsize,
    used_bytes: AtomicUsize,
    /// Reading waits.
    is_wanted: AtomicBool,
    wanted: Notify,
    released: Notify,
}

impl Memory {
    /// 15/32 of the process's memory: the rest is for the program itself and the gaps in its heap. In any case what the batches may have together.
    pub(super) fn new(resources: &Resources) -> Arc<Self> {
        let share = usize::try_from(resources.max_memory_bytes / 32 * 15).unwrap_or(usize::MAX);
        let batches = resources.bytes_of_batch().saturating_mul(3 * resources.pool_size);
        Arc::new(Self {
            limit_bytes: share.max(batches),
            apart_bytes: AtomicUsize::new(0),
            used_bytes: AtomicUsize::new(0),
            is_wanted: AtomicBool::new(false),
            wanted: Notify::new(),
            released: Notify::new(),
        })
    }

    /// So much is the decoder's from now on, of the open source. Half of it all is left to the records in any case: a batch is
    /// to fill, whatever a file was compressed with.
    pub(super) fn set_apart(&self, bytes: u64) {
        let bytes = usize::try_from(bytes).unwrap_or(usize::MAX).min(self.limit_bytes / 2);
        self.apart_bytes.store(bytes, Ordering::SeqCst);
    }

    /// Waits until there is room for a block, or nothing else is under way; counts it as long as anybody holds its bytes.
    pub(super) async fn hold(self: &Arc<Self>, block: &mut Block) -> Arc<Held> {
        let long = |span: &Span| span.end - span.start >= LONG_RECORD_BYTES;
        let lengths =
            block.spans.iter().filter(|span| long(span)).map(|span| (span.end - span.start) as usize);
        let bytes = block.memory_bytes() + COPIES_OF_LONG * lengths.sum::<usize>();
        self.room(bytes).await;
        self.used_bytes.fetch_add(bytes, Ordering::SeqCst);
        let held = Arc::new(Held { memory: Arc::clone(self), bytes: AtomicUsize::new(bytes) });
        let content = std::mem::take(&mut block.bytes);
        block.bytes = Bytes::from_owner(Content { bytes: content, _held: Arc::clone(&held) });
        held
    }

    /// Waits until there is room for so many bytes, or nothing is under way.
    pub(super) async fn room(&self, bytes: usize) {
        while !self.has_room(bytes) {
            self.is_wanted.store(true, Ordering::SeqCst);
            self.wanted.notify_one();
            self.released.notified().await;
        }
        self.is_wanted.store(false, Ordering::SeqCst);
    }

    fn has_room(&self, bytes: usize) -> bool {
        let used = self.used_bytes.load(Ordering::SeqCst);
        used == 0 || used + bytes + self.apart_bytes.load(Ordering::SeqCst) <= self.limit_bytes
    }

    /// Whether reading waits for what is under way.
    pub(super) fn is_wanted(&self) -> bool {
        self.is_wanted.load(Ordering::SeqCst)
    }

    /// Returns when reading begins to wait.
    pub(super) async fn wanted(&self) {
        self.wanted.notified().await;
    }
}

/// A block's share of the memory, given back when it is dropped.
pub(super) struct Held {
    memory: Arc<Memory>,
    bytes: AtomicUsize,
}

impl Held {
    /// What it has by now.
    pub(super) fn bytes(&self) -> usize {
        self.bytes.load(Ordering::SeqCst)
    }

    /// More was made of the block than was known.
    pub(super) fn grow(&self, bytes: usize) {
        self.bytes.fetch_add(bytes, Ordering::SeqCst);
        self.memory.used_bytes.fetch_add(bytes, Ordering::SeqCst);
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.memory.used_bytes.fetch_sub(self.bytes(), Ordering::SeqCst);
        // One waits: there is one reader. Where none does, the next one looks once more than needed.
        self.memory.released.notify_one();
    }
}

/// The bytes of a block; dropped with the last handle to them.
struct Content {
    bytes: Bytes,
    _held: Arc<Held>,
}

impl AsRef<[u8]> for Content {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Position;

    fn block(bytes: usize) -> Block {
        Block {
            source: 0,
            bytes: Bytes::from(vec![b'x'; bytes]),
            start: Position::start_of(0),
            spans: Vec::new(),
            end: Position::start_of(0),
            first_seq: 0,
            page: None,
        }
    }

    #[tokio::test]
    async fn what_is_held_is_counted_until_the_last_handle_is_gone() {
        let resources = Resources { max_memory_bytes: 8 << 20, pool_size: 1, ..Resources::default() };
        let memory = Memory::new(&resources);
        let (mut first, mut second) = (block(4 << 20), block(2 << 20));
        let held = memory.hold(&mut first).await;
        held.grow(1 << 20);
        drop(held);
        let mut waiting = Box::pin(memory.hold(&mut second));
        assert!(futures::poll!(waiting.as_mut()).is_pending());
        assert!(memory.is_wanted());
        let slice = first.bytes.slice(10..20);
        drop(first);
        assert!(futures::poll!(waiting.as_mut()).is_pending(), "a slice holds the whole");
        drop(slice);
        assert!(futures::poll!(waiting.as_mut()).is_ready());
        assert!(!memory.is_wanted());
    }

    #[tokio::test]
    async fn a_block_larger_than_all_of_it_goes_alone() {
        let memory =
            Memory::new(&Resources { max_memory_bytes: 1 << 20, pool_size: 1, ..Resources::default() });
        let mut large = block(64 << 20);
        let held = memory.hold(&mut large).await;
        let mut next = block(1);
        let mut waiting = Box::pin(memory.hold(&mut next));
        assert!(futures::poll!(waiting.as_mut()).is_pending());
        drop((held, large));
        assert!(futures::poll!(waiting.as_mut()).is_ready());
    }
}
