//! What the loops waited for: one clock for the read loop, one for the batch loop.
//!
//! Read a few times a block and a batch, never for a record. Only measures; what the figures mean for a
//! person is `report`'s to say. A block carries the times of its reading with it, so that the batch loop can
//! tell what it starved for: bytes that had not come, or a block that was not decoded yet.

use std::future::poll_fn;
use std::pin::pin;
use std::time::{Duration, Instant};

use nix::time::{ClockId, clock_gettime};

/// How a block came to be read.
#[derive(Debug, Clone, Copy)]
pub(super) struct BlockTiming {
    /// When the read loop began to look for it.
    began: Instant,
    /// When it had it.
    ended: Instant,
    /// In between: decompressing, finding records. The rest is waiting for bytes.
    at_work: Duration,
}

impl BlockTiming {
    /// Awaits a block, or whatever `read` comes to.
    pub(super) async fn of<T>(began: Instant, read: impl Future<Output = T>) -> (T, Self) {
        let mut at_work = Duration::ZERO;
        let mut read = pin!(read);
        let read = poll_fn(|context| {
            let polled_at = Instant::now();
            let polled = read.as_mut().poll(context);
            at_work += polled_at.elapsed();
            polled
        });
        let done = read.await;
        (done, Self { began, ended: Instant::now(), at_work })
    }

    /// When it began to be looked for, when it was there, and the work in between.
    pub(super) const fn times(&self) -> ([Instant; 2], Duration) {
        ([self.began, self.ended], self.at_work)
    }

    /// The part of its reading that was waiting for bytes, from 0 to 1.
    fn waiting_share(&self) -> f64 {
        let all = self.ended.saturating_duration_since(self.began);
        let waited = all.saturating_sub(self.at_work);
        if all.is_zero() { 0.0 } else { waited.as_secs_f64() / all.as_secs_f64() }
    }
}

/// CPU time that this thread has had; none where the system does not tell. (By the C library: asked past it,
/// as rustix does, the program aborts under valgrind, and cannot be profiled there.)
pub(super) fn thread_cpu() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map_or(Duration::ZERO, Duration::from)
}

/// What the batch loop waited for, and what its blocks took.
#[derive(Debug, Default)]
pub(super) struct Waits {
    /// For bytes of a source, in seconds.
    pub(super) source: f64,
    /// For a writer that was busy.
    pub(super) writer: Duration,
    /// The read loop's own work.
    pub(super) reading: Duration,
    /// CPU time of the threads that encode.
    pub(super) decoding: Duration,
    /// When it began to wait for the next block, and how long it did already, flushes left out.
    hungry: Option<(Instant, Duration)>,
}

impl Waits {
    /// It has waited for the next block from `since` until now, and goes on waiting for it.
    pub(super) fn still_hungry(&mut self, since: Instant) {
        let (first, before) = self.hungry.unwrap_or((since, Duration::ZERO));
        self.hungry = Some((first, before + since.elapsed()));
    }

    /// It has waited for a block from `since` until now.
    pub(super) fn fed(&mut self, since: Instant, read: &BlockTiming) {
        self.reading += read.at_work;
        let (first, before) = self.hungry.take().unwrap_or((since, Duration::ZERO));
        // Of its waiting, what was before the block had been read.
        let unread = before.min(read.ended.saturating_duration_since(first))
            + read.ended.saturating_duration_since(since);
        self.source += unread.as_secs_f64() * read.waiting_share();
    }

    /// It has waited since then, and there was no block any more.
    pub(super) fn ended(&mut self, since: Instant) {
        let (_, before) = self.hungry.take().unwrap_or((since, Duration::ZERO));
        self.source += (before + since.elapsed()).as_secs_f64();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// Seconds of waiting for the source, where the loop waited until now and the block was read from `began`
    /// to `ended`, times in milliseconds from a moment that is long past.
    fn source(hungry_from: u64, (began, ended, at_work): (u64, u64, u64)) -> f64 {
        let past = Instant::now().checked_sub(ms(10_000)).unwrap();
        let reading = BlockTiming { began: past + ms(began), ended: past + ms(ended), at_work: ms(at_work) };
        let mut waits = Waits::default();
        waits.fed(past + ms(hungry_from), &reading);
        waits.source
    }

    #[test]
    fn waiting_for_a_block_that_is_read_already_is_not_waiting_for_the_source() {
        assert!(source(1_000, (0, 900, 0)).abs() < 1e-9);
    }

    #[test]
    fn waiting_for_bytes_counts_from_when_somebody_starves() {
        assert!((source(1_000, (0, 4_000, 0)) - 3.0).abs() < 1e-9);
        assert!((source(1_000, (1_000, 4_000, 0)) - 3.0).abs() < 1e-9);
    }

    #[test]
    fn what_the_read_loop_does_itself_is_no_waiting() {
        assert!((source(0, (0, 4_000, 3_000)) - 1.0).abs() < 1e-9);
        assert!(source(0, (0, 4_000, 4_000)).abs() < 1e-9);
    }

    #[test]
    fn a_flush_in_between_ends_no_wait() {
        let past = Instant::now().checked_sub(ms(10_000)).unwrap();
        // Starved for 6 s, a flush that took 1 s, and 2 s until the block was there; it was decoded for
        // another second.
        let mut waits = Waits { hungry: Some((past, ms(6_000))), ..Waits::default() };
        let reading = BlockTiming { began: past, ended: past + ms(9_000), at_work: ms(0) };
        waits.fed(past + ms(7_000), &reading);
        assert!((waits.source - 8.0).abs() < 1e-9, "{}", waits.source);
    }

    #[tokio::test]
    async fn a_future_is_at_work_while_it_is_polled() {
        let read = async {
            tokio::time::sleep(ms(60)).await;
            std::thread::sleep(ms(20));
        };
        let ((), reading) = BlockTiming::of(Instant::now(), read).await;
        assert!(reading.at_work >= ms(20), "{reading:?}");
        let share = reading.waiting_share();
        assert!(share > 0.0 && share < 0.8, "{share} of {reading:?}");
    }
}
