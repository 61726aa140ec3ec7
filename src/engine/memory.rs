//! Back-pressure: the memory of what is under way, in bytes: whatever records are like, and wherever they
//! wait.
//!
//! Queues and batches are bounded by number or by what they were handed; a block lives until the last batch
//! with a record of it has committed, which no queue can see. So each block is counted from the time that it
//! is read until nobody holds its bytes any more, and reading waits while there is too much. What waits in
//! open batches would wait for ever then: reading asks for it to be written.
//!
//! The loads of an engine have one budget. Two things keep them from waiting for each other for ever: a load
//! that holds nothing never waits, and one that waits has its own open batches written, which needs no
//! memory, so that in the end it holds nothing. While somebody waits, who holds more than his fair share gets
//! no more, and writes what he has gathered.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tokio::sync::Notify;

use crate::record::Block;

/// A record of more bytes is counted as often as it may be held beside its block and its COPY text: decoded,
/// as the original of a reject, as a message to the server. Of shorter ones a batch holds as many as it has
/// room for, all that included.
const LONG_RECORD_BYTES: usize = 256 * 1024;
const COPIES_OF_LONG: usize = 2;

/// What the loads of an engine may have under way together, and what is.
pub(super) struct Budget {
    limit_bytes: usize,
    state: Mutex<BudgetState>,
    released: Notify,
}

#[derive(Default)]
struct BudgetState {
    used_bytes: usize,
    loads: Vec<Weak<Memory>>,
    next: u64,
    /// Loads whose reading waits.
    waiting: Vec<u64>,
}

impl Budget {
    pub(super) fn new(limit_bytes: usize) -> Arc<Self> {
        Arc::new(Self { limit_bytes, state: Mutex::default(), released: Notify::new() })
    }

    /// A load's part in it.
    pub(super) fn enter(self: &Arc<Self>) -> Arc<Memory> {
        let mut state = self.state();
        state.next += 1;
        let memory = Arc::new(Memory {
            id: state.next,
            budget: Arc::clone(self),
            own_bytes: AtomicUsize::new(0),
            apart_bytes: AtomicUsize::new(0),
            wanted: Notify::new(),
        });
        state.loads.retain(|load| load.strong_count() > 0);
        state.loads.push(Arc::downgrade(&memory));
        memory
    }

    fn state(&self) -> MutexGuard<'_, BudgetState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What decoders hold. Half of it all is left to the records in any case: a batch is to fill, whatever
    /// files were compressed with.
    fn apart(&self, state: &BudgetState) -> usize {
        let loads = state.loads.iter().filter_map(Weak::upgrade);
        let apart = loads.map(|load| load.apart_bytes.load(Ordering::SeqCst));
        apart.fold(0, usize::saturating_add).min(self.limit_bytes / 2)
    }

    fn fair_share(&self, state: &BudgetState) -> usize {
        self.limit_bytes / state.loads.iter().filter(|load| load.strong_count() > 0).count().max(1)
    }
}

/// What one load may have under way, and what it has.
pub struct Memory {
    id: u64,
    budget: Arc<Budget>,
    /// Changed under the budget's lock.
    own_bytes: AtomicUsize,
    /// What the decoder of the open source holds.
    apart_bytes: AtomicUsize,
    wanted: Notify,
}

/// Reading waits until this is dropped.
struct MemoryWait<'a>(&'a Memory);

impl Drop for MemoryWait<'_> {
    fn drop(&mut self) {
        self.0.budget.state().waiting.retain(|load| *load != self.0.id);
    }
}

impl Memory {
    /// So much is the decoder's from now on, of the open source.
    pub fn set_apart(&self, bytes: u64) {
        self.apart_bytes.store(usize::try_from(bytes).unwrap_or(usize::MAX), Ordering::SeqCst);
    }

    /// Waits until there is room for a block, or nothing else of this load is under way; counts it as long as
    /// anybody holds its bytes.
    pub async fn hold(self: &Arc<Self>, block: &mut Block) -> Arc<Held> {
        let lengths = (0..block.len()).map(|i| block.record_bytes(i));
        let long = lengths.filter(|bytes| *bytes >= LONG_RECORD_BYTES);
        let bytes = block.memory_bytes() + COPIES_OF_LONG * long.sum::<usize>();
        self.wait(bytes, bytes).await;
        let held = Arc::new(Held { memory: Arc::clone(self), bytes: AtomicUsize::new(bytes) });
        block.hold(Arc::<Held>::clone(&held));
        held
    }

    /// Waits until there is room for so many bytes, or nothing of this load is under way.
    pub async fn room(&self, bytes: usize) {
        self.wait(bytes, 0).await;
    }

    /// Waits until there is room, and takes so much of it.
    async fn wait(&self, bytes: usize, taken: usize) {
        if self.takes(bytes, taken) {
            return;
        }
        self.budget.state().waiting.push(self.id);
        let _waiting = MemoryWait(self);
        loop {
            let mut released = std::pin::pin!(self.budget.released.notified());
            // What is released from here on is heard.
            released.as_mut().enable();
            if self.takes(bytes, taken) {
                return;
            }
            self.ask();
            released.await;
        }
    }

    fn takes(&self, bytes: usize, taken: usize) -> bool {
        let mut state = self.budget.state();
        let own = self.own_bytes.load(Ordering::SeqCst);
        let others_wait = state.waiting.iter().any(|load| *load != self.id);
        let has_room = own == 0
            || (state.used_bytes + bytes + self.budget.apart(&state) <= self.budget.limit_bytes
                && (!others_wait || own + bytes <= self.budget.fair_share(&state)));
        if has_room {
            state.used_bytes += taken;
            self.own_bytes.fetch_add(taken, Ordering::SeqCst);
        }
        has_room
    }

    /// Asks for what waits in open batches to be written: this load's, and that of those who have more than
    /// their share.
    fn ask(&self) {
        let state = self.budget.state();
        let share = self.budget.fair_share(&state);
        for load in state.loads.iter().filter_map(Weak::upgrade) {
            if load.id == self.id || load.own_bytes.load(Ordering::SeqCst) > share {
                load.wanted.notify_one();
            }
        }
    }

    /// Whether reading waits for what this load has under way.
    pub fn is_wanted(&self) -> bool {
        let state = self.budget.state();
        let own = self.own_bytes.load(Ordering::SeqCst);
        state.waiting.contains(&self.id)
            || (!state.waiting.is_empty() && own > self.budget.fair_share(&state))
    }

    /// Returns when reading begins to wait for it.
    pub async fn wanted(&self) {
        self.wanted.notified().await;
    }

    fn change(&self, change: impl Fn(usize) -> usize) {
        let mut state = self.budget.state();
        state.used_bytes = change(state.used_bytes);
        self.own_bytes.store(change(self.own_bytes.load(Ordering::SeqCst)), Ordering::SeqCst);
    }
}

/// A block's share of the memory, given back when it is dropped.
pub struct Held {
    memory: Arc<Memory>,
    bytes: AtomicUsize,
}

impl Held {
    /// What it has by now.
    pub fn bytes(&self) -> usize {
        self.bytes.load(Ordering::SeqCst)
    }

    /// More was made of the block than was known.
    pub fn grow(&self, bytes: usize) {
        self.bytes.fetch_add(bytes, Ordering::SeqCst);
        self.memory.change(|used| used + bytes);
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let bytes = self.bytes();
        self.memory.change(|used| used.saturating_sub(bytes));
        self.memory.budget.released.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    use crate::record::{Position, Text};

    fn block(bytes: usize) -> Block {
        let text = Text { bytes: Bytes::from(vec![b'x'; bytes]), spans: Vec::new() };
        Block::of_text(Position::start_of(0), Position::start_of(0), text)
    }

    #[tokio::test]
    async fn what_is_held_is_counted_until_the_last_handle_is_gone() {
        let memory = Budget::new(15 << 18).enter();
        let (mut first, mut second) = (block(4 << 20), block(2 << 20));
        let held = memory.hold(&mut first).await;
        held.grow(1 << 20);
        drop(held);
        let mut waiting = Box::pin(memory.hold(&mut second));
        assert!(futures::poll!(waiting.as_mut()).is_pending());
        assert!(memory.is_wanted());
        let slice = first.bytes().slice(10..20);
        drop(first);
        assert!(futures::poll!(waiting.as_mut()).is_pending(), "a slice holds the whole");
        drop(slice);
        assert!(futures::poll!(waiting.as_mut()).is_ready());
        assert!(!memory.is_wanted());
    }

    #[tokio::test]
    async fn a_block_larger_than_all_of_it_goes_alone() {
        let memory = Budget::new(1 << 19).enter();
        let mut large = block(64 << 20);
        let held = memory.hold(&mut large).await;
        let mut next = block(1);
        let mut waiting = Box::pin(memory.hold(&mut next));
        assert!(futures::poll!(waiting.as_mut()).is_pending());
        drop((held, large));
        assert!(futures::poll!(waiting.as_mut()).is_ready());
    }

    #[tokio::test]
    async fn two_loads_that_hold_half_each_do_not_wait_for_each_other() {
        let budget = Budget::new(8 << 20);
        let loads = [budget.enter(), budget.enter()];
        let mut blocks = [block(4 << 20), block(4 << 20)];
        for (load, block) in loads.iter().zip(&mut blocks) {
            drop(load.hold(block).await);
        }
        let mut next = [block(1 << 20), block(1 << 20)];
        let [first, second] = &mut next;
        let mut first = Box::pin(loads[0].hold(first));
        let mut second = Box::pin(loads[1].hold(second));
        assert!(futures::poll!(first.as_mut()).is_pending());
        assert!(futures::poll!(second.as_mut()).is_pending());
        // Each is asked for its own.
        assert!(loads.iter().all(|load| load.is_wanted()));
        assert!(futures::poll!(Box::pin(loads[0].wanted())).is_ready());
        assert!(futures::poll!(Box::pin(loads[1].wanted())).is_ready());
        let [ours, theirs] = blocks;
        drop(ours);
        assert!(futures::poll!(first.as_mut()).is_ready(), "whoever has nothing under way goes on");
        drop(theirs);
        assert!(futures::poll!(second.as_mut()).is_ready());
    }

    #[tokio::test]
    async fn whoever_has_more_than_a_fair_share_makes_room_for_others() {
        let budget = Budget::new(8 << 20);
        let (rich, poor, idle) = (budget.enter(), budget.enter(), budget.enter());
        let (mut much, mut little) = (block(7 << 20), block(1 << 19));
        drop(rich.hold(&mut much).await);
        drop(poor.hold(&mut little).await);
        assert!(!rich.is_wanted());
        let mut next = block(1 << 20);
        let mut waiting = Box::pin(poor.hold(&mut next));
        assert!(futures::poll!(waiting.as_mut()).is_pending());
        assert!(rich.is_wanted() && poor.is_wanted() && !idle.is_wanted());
        // While others wait it gets no more, though there were room.
        drop(much);
        let mut much = block(2 << 20);
        drop(rich.hold(&mut much).await);
        let mut more = block(1 << 20);
        assert!(futures::poll!(Box::pin(rich.hold(&mut more))).is_pending());
        assert!(futures::poll!(waiting.as_mut()).is_ready());
        assert!(!rich.is_wanted());
        // A load with nothing under way never waits.
        let mut first = block(64 << 20);
        assert!(futures::poll!(Box::pin(idle.hold(&mut first))).is_ready());
    }
}
