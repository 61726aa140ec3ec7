//! Records that the caller hands over: a bounded pipe of JSON lines from the caller to the pipeline, and back
//! the wish that what was handed over so far be committed.
//!
//! Like any pipe it is read once. Unlike one of the system it tells an end from a failure: a caller who
//! fails, or goes away, has not come to the end of his records.

use std::error::Error as StdError;
use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::{Buf as _, BytesMut};
use tokio::io::{AsyncRead, ReadBuf};
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, Sleep, sleep_until};

/// What waits for the pipeline at most, beside one record: as much as it takes at once. Then the caller
/// waits.
const CAPACITY_BYTES: usize = 256 * 1024;
/// A block of so many bytes is worth what it costs to hand on; fewer wait for more.
const WORTH_BYTES: usize = 64 * 1024;
/// But not for longer than this.
const PATIENCE: Duration = Duration::from_millis(20);

/// Both ends of the pipe; clones are the same pipe.
#[derive(Clone)]
pub struct Feed(Arc<FeedState>);

struct FeedState {
    state: Mutex<FeedProgress>,
    /// There is room again, or nobody reads any more.
    room: Notify,
    /// So many records are to be committed.
    wanted: watch::Sender<u64>,
}

#[derive(Default)]
struct FeedProgress {
    bytes: BytesMut,
    records: u64,
    /// What is there is to be handed on at once.
    urgent: bool,
    reader: Option<Waker>,
    is_opened: bool,
    /// Nobody reads any more.
    is_closed: bool,
    end: Option<FeedEnd>,
}

enum FeedEnd {
    Finished,
    Failed(Arc<dyn StdError + Send + Sync>),
    Gone,
}

/// Nobody reads any more: the load has ended, and says why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Closed;

impl Default for Feed {
    fn default() -> Self {
        Self(Arc::new(FeedState {
            state: Mutex::default(),
            room: Notify::new(),
            wanted: watch::Sender::new(0),
        }))
    }
}

impl fmt::Debug for Feed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Feed")
    }
}

impl Feed {
    fn state(&self) -> MutexGuard<'_, FeedProgress> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands over a record: a line with its line end. Waits for room.
    ///
    /// # Errors
    /// When nobody reads any more.
    pub async fn push(&self, line: &[u8]) -> Result<(), Closed> {
        loop {
            let room = self.0.room.notified();
            {
                let mut state = self.state();
                if state.is_closed {
                    return Err(Closed);
                }
                // A record that is larger than all of the room is let in alone.
                if state.bytes.len() + line.len() <= CAPACITY_BYTES || state.bytes.is_empty() {
                    let was_empty = state.bytes.is_empty();
                    state.bytes.extend_from_slice(line);
                    state.records += 1;
                    // In between there is nothing for the reader to do: its clock runs.
                    if was_empty || state.bytes.len() >= WORTH_BYTES {
                        state.wake();
                    }
                    return Ok(());
                }
            }
            room.await;
        }
    }

    /// Asks that all that was handed over be committed; how many records that are.
    #[must_use]
    pub fn want_all(&self) -> u64 {
        let mut state = self.state();
        state.urgent = true;
        state.wake();
        let records = state.records;
        drop(state);
        self.0.wanted.send_replace(records);
        records
    }

    /// So many records are to be committed: as asked for last.
    #[must_use]
    pub fn wanted(&self) -> watch::Receiver<u64> {
        self.0.wanted.subscribe()
    }

    /// The caller has no more records.
    pub fn finish(&self) {
        self.end(FeedEnd::Finished);
    }

    /// There would have been more, but for this.
    pub fn fail(&self, error: Arc<dyn StdError + Send + Sync>) {
        self.end(FeedEnd::Failed(error));
    }

    /// The caller has gone away.
    pub fn leave(&self) {
        self.end(FeedEnd::Gone);
    }

    fn end(&self, end: FeedEnd) {
        let mut state = self.state();
        if state.end.is_none() {
            state.end = Some(end);
        }
        state.wake();
    }

    /// Nobody reads any more: who waits for room learns it.
    pub fn close(&self) {
        let mut state = self.state();
        state.is_closed = true;
        state.bytes = BytesMut::new();
        drop(state);
        self.0.room.notify_waiters();
    }

    /// The end that is read from; there is one.
    ///
    /// # Errors
    /// When it was opened before.
    pub fn open(&self) -> io::Result<Reader> {
        let mut state = self.state();
        if std::mem::replace(&mut state.is_opened, true) {
            return Err(io::Error::new(io::ErrorKind::Unsupported, "records of a caller are read once"));
        }
        drop(state);
        Ok(Reader { feed: self.clone(), clock: None })
    }
}

impl FeedProgress {
    fn wake(&mut self) {
        if let Some(reader) = self.reader.take() {
            reader.wake();
        }
    }
}

/// The end that the pipeline reads.
pub struct Reader {
    feed: Feed,
    /// Runs while there is something, but less than is worth handing on.
    clock: Option<Pin<Box<Sleep>>>,
}

impl AsyncRead for Reader {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let Self { feed, clock } = &mut *self;
        let mut state = feed.state();
        if state.bytes.is_empty() {
            return match &state.end {
                Some(FeedEnd::Finished) => Poll::Ready(Ok(())),
                Some(FeedEnd::Failed(error)) => {
                    Poll::Ready(Err(io::Error::other(CallerError(Arc::clone(error)))))
                }
                Some(FeedEnd::Gone) => {
                    let words = "the caller has gone away without saying that it was all";
                    Poll::Ready(Err(io::Error::new(io::ErrorKind::BrokenPipe, words)))
                }
                None => {
                    // Asked for, it is handed on: there is nothing to hand on.
                    state.urgent = false;
                    state.reader = Some(context.waker().clone());
                    Poll::Pending
                }
            };
        }
        if state.bytes.len() < WORTH_BYTES && !state.urgent && state.end.is_none() {
            let clock = clock.get_or_insert_with(|| Box::pin(sleep_until(Instant::now() + PATIENCE)));
            if clock.as_mut().poll(context).is_pending() {
                state.reader = Some(context.waker().clone());
                return Poll::Pending;
            }
        }
        let bytes = buf.remaining().min(state.bytes.len());
        buf.put_slice(&state.bytes[..bytes]);
        state.bytes.advance(bytes);
        if state.bytes.is_empty() {
            state.urgent = false;
            *clock = None;
        }
        drop(state);
        feed.0.room.notify_waiters();
        Poll::Ready(Ok(()))
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.feed.close();
    }
}

/// The caller's own error, as the cause of one of reading.
#[derive(Debug)]
struct CallerError(Arc<dyn StdError + Send + Sync>);

impl fmt::Display for CallerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl StdError for CallerError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncReadExt as _;

    fn block_on<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
    }

    async fn rest(reader: &mut Reader) -> (String, io::Result<usize>) {
        let mut bytes = Vec::new();
        let read = reader.read_to_end(&mut bytes).await;
        (String::from_utf8(bytes).unwrap(), read)
    }

    #[test]
    fn what_is_handed_over_comes_out_in_its_order_and_an_end_is_told_from_a_failure() {
        type FeedEnd = fn(&Feed);
        let cases: [(FeedEnd, Option<&str>); 3] = [
            (Feed::finish, None),
            (|feed| feed.fail(Arc::new(io::Error::other("queue is gone"))), Some("queue is gone")),
            (Feed::leave, Some("gone away")),
        ];
        for (end, expected) in cases {
            block_on(async {
                let feed = Feed::default();
                let mut reader = feed.open().unwrap();
                feed.push(b"{\"a\":1}\n").await.unwrap();
                feed.push(b"{}\n").await.unwrap();
                end(&feed);
                let (text, read) = rest(&mut reader).await;
                assert_eq!(text, "{\"a\":1}\n{}\n");
                match (read, expected) {
                    (Ok(_), None) => {}
                    (Err(error), Some(words)) => assert!(error.to_string().contains(words), "{error}"),
                    other => panic!("{other:?}"),
                }
            });
        }
    }

    #[test]
    fn the_caller_waits_for_room_and_hears_when_nobody_reads_any_more() {
        block_on(async {
            let feed = Feed::default();
            let mut reader = feed.open().unwrap();
            let line = [b'x'; CAPACITY_BYTES / 2];
            feed.push(&line).await.unwrap();
            feed.push(&line).await.unwrap();
            let limit = Duration::from_millis(50);
            assert!(tokio::time::timeout(limit, feed.push(b"y\n")).await.is_err(), "there is no room");
            let mut half = vec![0; CAPACITY_BYTES / 2];
            reader.read_exact(&mut half).await.unwrap();
            feed.push(b"y\n").await.unwrap();
            // A record larger than all of the room waits until it is alone, and is let in.
            let waiting = tokio::spawn({
                let feed = feed.clone();
                async move { feed.push(&[b'z'; 2 * CAPACITY_BYTES]).await }
            });
            let mut two = vec![0; CAPACITY_BYTES / 2 + 2];
            reader.read_exact(&mut two).await.unwrap();
            assert_eq!(waiting.await.unwrap(), Ok(()));
            drop(reader);
            assert_eq!(feed.push(b"y\n").await, Err(Closed));
        });
    }

    #[test]
    fn little_is_handed_on_after_a_while_and_at_once_when_it_is_wanted() {
        block_on(async {
            let feed = Feed::default();
            let mut reader = feed.open().unwrap();
            let mut bytes = [0; 64];
            feed.push(b"1\n").await.unwrap();
            assert_eq!(reader.read(&mut bytes).await.unwrap(), 2);
            let wanted = feed.wanted();
            feed.push(b"2\n").await.unwrap();
            assert_eq!(feed.want_all(), 2);
            assert_eq!(*wanted.borrow(), 2);
            let at_once = std::pin::pin!(reader.read(&mut bytes));
            assert!(futures::poll!(at_once).is_ready());
        });
    }

    #[test]
    fn it_is_read_once() {
        let feed = Feed::default();
        drop(feed.open().unwrap());
        assert!(feed.open().is_err());
    }
}
