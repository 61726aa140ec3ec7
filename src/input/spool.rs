//! What a body from the network is ahead of its reader beyond memory: in a temporary file.
//!
//! A body whose turn has not come is read by a task of its own, as fast as it comes. What does not fit into
//! its share of memory goes to a file without a name, of which nothing is left whatever becomes of this
//! process. From its turn on nothing more is stored: what was is read, and then back-pressure reaches the
//! socket. Where no file can be had, or the space is used up, that is so from the start. Keeps the order of
//! the bytes; an error comes behind them. Dropped, it ends the body.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll, Waker, ready};

use bytes::{Bytes, BytesMut};
use futures::stream::{self, BoxStream, Stream, StreamExt as _};
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tokio_util::task::AbortOnDropHandle;

/// Bytes of a body in the order in which they come.
pub(super) type Chunks = BoxStream<'static, io::Result<Bytes>>;

/// Bytes that are read of a file at once.
const READ_BYTES: u64 = 256 * 1024;

/// When the turn of a source has come: from then on it waits for no other.
#[derive(Clone)]
pub(super) struct SourceTurn {
    pub(super) ordinal: usize,
    /// Ordinals below this one have had their turn, or have it.
    pub(super) behind: watch::Receiver<usize>,
}

impl SourceTurn {
    pub(super) fn is_now(&self) -> bool {
        *self.behind.borrow() > self.ordinal
    }

    /// Returns when it has come.
    pub(super) async fn come(&mut self) {
        // Without a sender nobody reads any more.
        let _ = self.behind.wait_for(|behind| *behind > self.ordinal).await;
    }
}

/// Room for what is ahead of its readers. Clones are the same room.
#[derive(Clone)]
pub(super) struct SpoolSpace {
    folders: Arc<[PathBuf]>,
    left_bytes: Arc<AtomicU64>,
    /// What each body has in memory; as much again is gathered before it is stored.
    kept_bytes: usize,
}

impl SpoolSpace {
    /// So many bytes in files in the first of these folders that takes one.
    pub(super) fn new(folders: Vec<PathBuf>, bytes: u64, kept_bytes: usize) -> Self {
        Self { folders: folders.into(), left_bytes: Arc::new(AtomicU64::new(bytes)), kept_bytes }
    }

    fn take(&self, bytes: u64) -> bool {
        let less = |left: u64| left.checked_sub(bytes);
        self.left_bytes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).is_ok()
    }

    fn give_back(&self, bytes: u64) {
        self.left_bytes.fetch_add(bytes, Ordering::Relaxed);
    }
}

/// The bytes of a body: as they come, or by way of a spool once that was begun. Clones are the same body.
#[derive(Clone)]
pub(super) struct Spoolable(Arc<Mutex<BodyWay>>);

enum BodyWay {
    Straight(Chunks),
    Spooled(Spooled),
}

impl Spoolable {
    pub(super) fn new(chunks: Chunks) -> Self {
        Self(Arc::new(Mutex::new(BodyWay::Straight(chunks))))
    }

    /// From now on it is read as it comes, until its turn.
    pub(super) fn begin(&self, space: &SpoolSpace, turn: SourceTurn) {
        let mut way = lock(&self.0);
        if let BodyWay::Straight(chunks) = &mut *way {
            let chunks = std::mem::replace(chunks, stream::empty().boxed());
            *way = BodyWay::Spooled(Spooled::begin(chunks, space.clone(), turn));
        }
    }
}

impl Stream for Spoolable {
    type Item = io::Result<Bytes>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        match &mut *lock(&self.0) {
            BodyWay::Straight(chunks) => chunks.poll_next_unpin(context),
            BodyWay::Spooled(spooled) => spooled.poll_next(context),
        }
    }
}

/// The reader's end of a spool.
struct Spooled {
    queue: Arc<SpoolQueue>,
    reading: Option<JoinHandle<io::Result<Bytes>>>,
    _filling: AbortOnDropHandle<()>,
}

impl Spooled {
    fn begin(chunks: Chunks, space: SpoolSpace, turn: SourceTurn) -> Self {
        let queue = Arc::new(SpoolQueue {
            space,
            file: OnceLock::new(),
            state: Mutex::default(),
            drained: Notify::new(),
        });
        let filling = AbortOnDropHandle::new(tokio::spawn(fill(chunks, Arc::clone(&queue), turn)));
        Self { queue, reading: None, _filling: filling }
    }

    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        loop {
            if let Some(reading) = &mut self.reading {
                let read = ready!(Pin::new(reading).poll(context));
                self.reading = None;
                return Poll::Ready(Some(read.map_err(io::Error::other).and_then(|read| read)));
            }
            let mut state = self.queue.state();
            match state.pieces.pop_front() {
                Some(SpoolPiece::Kept(bytes)) => {
                    state.kept_bytes -= bytes.len();
                    drop(state);
                    self.queue.drained.notify_one();
                    return Poll::Ready(Some(Ok(bytes)));
                }
                Some(SpoolPiece::Stored { at, bytes }) => {
                    let now = bytes.min(READ_BYTES);
                    if bytes > now {
                        state.pieces.push_front(SpoolPiece::Stored { at: at + now, bytes: bytes - now });
                    }
                    drop(state);
                    let queue = Arc::clone(&self.queue);
                    self.reading = Some(tokio::task::spawn_blocking(move || queue.stored(at, now)));
                }
                Some(SpoolPiece::Failed(error)) => return Poll::Ready(Some(Err(error))),
                Some(SpoolPiece::End) => {
                    state.pieces.push_front(SpoolPiece::End);
                    return Poll::Ready(None);
                }
                None => {
                    state.reader = Some(context.waker().clone());
                    return Poll::Pending;
                }
            }
        }
    }
}

/// What is between a body and its reader.
struct SpoolQueue {
    space: SpoolSpace,
    /// None: it could not be had.
    file: OnceLock<Option<File>>,
    state: Mutex<SpoolState>,
    drained: Notify,
}

#[derive(Default)]
struct SpoolState {
    pieces: VecDeque<SpoolPiece>,
    kept_bytes: usize,
    stored_bytes: u64,
    /// Writing has failed: nothing more is stored.
    is_full: bool,
    reader: Option<Waker>,
}

enum SpoolPiece {
    Kept(Bytes),
    Stored { at: u64, bytes: u64 },
    Failed(io::Error),
    End,
}

impl Drop for SpoolQueue {
    fn drop(&mut self) {
        let stored = self.state().stored_bytes;
        self.space.give_back(stored);
    }
}

impl SpoolQueue {
    fn state(&self) -> MutexGuard<'_, SpoolState> {
        lock(&self.state)
    }

    fn has_room(&self) -> bool {
        self.state().kept_bytes < self.space.kept_bytes
    }

    /// Waits until the reader has taken some of what is in memory.
    async fn room(&self) {
        while !self.has_room() {
            // There is one who waits, so that no notice is lost.
            self.drained.notified().await;
        }
    }

    fn push(&self, piece: SpoolPiece) {
        let mut state = self.state();
        if let SpoolPiece::Kept(bytes) = &piece {
            state.kept_bytes += bytes.len();
        }
        state.pieces.push_back(piece);
        let reader = state.reader.take();
        drop(state);
        if let Some(reader) = reader {
            reader.wake();
        }
    }

    /// Stores these bytes behind the others; false: there is no room for them.
    async fn store(self: &Arc<Self>, bytes: Bytes) -> bool {
        let length = bytes.len() as u64;
        if self.state().is_full || !self.space.take(length) {
            return false;
        }
        let queue = Arc::clone(self);
        let written = tokio::task::spawn_blocking(move || queue.write(&bytes)).await;
        let is_written = matches!(written, Ok(Ok(())));
        if !is_written {
            self.space.give_back(length);
            self.state().is_full = true;
            return false;
        }
        let mut state = self.state();
        let at = state.stored_bytes;
        state.stored_bytes += length;
        if let Some(SpoolPiece::Stored { at: first, bytes }) = state.pieces.back_mut()
            && *first + *bytes == at
        {
            *bytes += length;
            return true;
        }
        drop(state);
        self.push(SpoolPiece::Stored { at, bytes: length });
        true
    }

    fn write(&self, bytes: &[u8]) -> io::Result<()> {
        let folders = &self.space.folders;
        let file =
            self.file.get_or_init(|| folders.iter().find_map(|folder| tempfile::tempfile_in(folder).ok()));
        let at = self.state().stored_bytes;
        file.as_ref().ok_or(io::ErrorKind::Unsupported)?.write_all_at(bytes, at)
    }

    fn stored(&self, at: u64, bytes: u64) -> io::Result<Bytes> {
        let file = self.file.get().and_then(Option::as_ref).ok_or(io::ErrorKind::NotFound)?;
        let mut read = vec![0; usize::try_from(bytes).unwrap_or_default()];
        file.read_exact_at(&mut read, at)?;
        Ok(read.into())
    }
}

/// Reads a body to its end.
async fn fill(mut chunks: Chunks, queue: Arc<SpoolQueue>, turn: SourceTurn) {
    // What is neither handed on nor stored yet.
    let mut tail = BytesMut::new();
    loop {
        let next = tokio::select! {
            next = chunks.next() => next,
            () = queue.room(), if !tail.is_empty() => {
                queue.push(SpoolPiece::Kept(tail.split().freeze()));
                continue;
            }
        };
        match next {
            Some(Ok(chunk)) if tail.is_empty() && queue.has_room() => {
                // A small piece may hold a large buffer.
                queue.push(SpoolPiece::Kept(Bytes::copy_from_slice(&chunk)));
            }
            Some(Ok(chunk)) => tail.extend_from_slice(&chunk),
            ended => {
                if !tail.is_empty() {
                    queue.push(SpoolPiece::Kept(tail.freeze()));
                }
                queue.push(match ended {
                    Some(Err(error)) => SpoolPiece::Failed(error),
                    _ => SpoolPiece::End,
                });
                return;
            }
        }
        if tail.len() >= queue.space.kept_bytes {
            let bytes = tail.split().freeze();
            if turn.is_now() || !queue.store(bytes.clone()).await {
                queue.room().await;
                queue.push(SpoolPiece::Kept(bytes));
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What is inside is whole between any two statements: a panic elsewhere does not spoil it.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::Duration;

    use futures::channel::mpsc;

    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    struct Rig {
        turn: watch::Sender<usize>,
        body: mpsc::UnboundedSender<io::Result<Bytes>>,
        reader: Spoolable,
        space: SpoolSpace,
    }

    fn rig(folder: &Path, bytes: u64, kept_bytes: usize) -> Rig {
        let (turn, behind) = watch::channel(0);
        let (body, chunks) = mpsc::unbounded();
        let reader = Spoolable::new(chunks.boxed());
        let space = SpoolSpace::new(vec![PathBuf::from("/nowhere"), folder.to_owned()], bytes, kept_bytes);
        reader.begin(&space, SourceTurn { ordinal: 0, behind });
        Rig { turn, body, reader, space }
    }

    fn piece(i: usize) -> Bytes {
        let byte = u8::try_from(i % 251).unwrap();
        Bytes::from(vec![byte; 1 + i * 37 % 3_000])
    }

    async fn all(reader: &mut Spoolable) -> io::Result<Vec<u8>> {
        let mut text = Vec::new();
        while let Some(bytes) = tokio::time::timeout(MINUTE, reader.next()).await.expect("it goes on") {
            text.extend_from_slice(&bytes?);
        }
        Ok(text)
    }

    async fn until(done: impl Fn() -> bool) {
        let waited = async {
            while !done() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::time::timeout(MINUTE, waited).await.expect("it comes to that");
    }

    #[tokio::test]
    async fn bytes_come_out_in_their_order_whatever_is_stored_of_them() {
        let folder = tempfile::tempdir().unwrap();
        let expected: Vec<u8> = (0..500).flat_map(piece).collect();
        for (space, turn_after) in [(1 << 30, 500), (1 << 30, 250), (1 << 30, 0), (100_000, 500), (0, 500)] {
            let mut rig = rig(folder.path(), space, 4_096);
            for i in 0..500 {
                if i == turn_after {
                    rig.turn.send_replace(1);
                }
                rig.body.unbounded_send(Ok(piece(i))).unwrap();
                if i % 50 == 0 {
                    tokio::task::yield_now().await;
                }
            }
            drop(rig.body);
            if turn_after == 500 && space > 100_000 {
                let stored = || space - rig.space.left_bytes.load(Ordering::Relaxed);
                until(|| stored() > expected.len() as u64 - 16_384).await;
            }
            rig.turn.send_replace(1);
            assert!(all(&mut rig.reader).await.unwrap() == expected, "{space} {turn_after}");
            assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "a name is left");
            drop(rig.reader);
            until(|| rig.space.left_bytes.load(Ordering::Relaxed) == space).await;
        }
    }

    #[tokio::test]
    async fn an_error_comes_behind_what_came_before_it_and_nothing_behind_it() {
        let folder = tempfile::tempdir().unwrap();
        let mut rig = rig(folder.path(), 1 << 30, 1_024);
        for i in 0..20 {
            rig.body.unbounded_send(Ok(piece(i))).unwrap();
        }
        rig.body.unbounded_send(Err(io::Error::other("broken"))).unwrap();
        let expected: usize = (0..20).map(|i| piece(i).len()).sum();
        let mut read = 0;
        let error = loop {
            match rig.reader.next().await.unwrap() {
                Ok(bytes) => read += bytes.len(),
                Err(error) => break error,
            }
        };
        assert_eq!((read, error.to_string().as_str()), (expected, "broken"));
    }

    #[tokio::test]
    async fn without_room_and_at_its_turn_the_body_waits_for_its_reader() {
        let folder = tempfile::tempdir().unwrap();
        for (space, turn) in [(0, 0), (1 << 30, 1)] {
            let (sender, behind) = watch::channel(turn);
            let pulled = Arc::new(AtomicU64::new(0));
            let counted = Arc::clone(&pulled);
            let chunks = stream::repeat_with(move || {
                counted.fetch_add(1_000, Ordering::Relaxed);
                Ok(Bytes::from_static(&[7; 1_000]))
            });
            let mut reader = Spoolable::new(chunks.boxed());
            let room = SpoolSpace::new(vec![folder.path().to_owned()], space, 4_096);
            reader.begin(&room, SourceTurn { ordinal: 0, behind });
            until(|| pulled.load(Ordering::Relaxed) >= 9_000).await;
            tokio::time::sleep(Duration::from_millis(50)).await;
            let pulled_at_rest = pulled.load(Ordering::Relaxed);
            assert!(pulled_at_rest < 20_000, "{pulled_at_rest} bytes were read of it");
            for _ in 0..100 {
                assert!(reader.next().await.unwrap().is_ok());
            }
            assert!(pulled.load(Ordering::Relaxed) > pulled_at_rest);
            drop(sender);
        }
    }

    #[tokio::test]
    async fn a_reader_that_is_dropped_ends_the_body() {
        let folder = tempfile::tempdir().unwrap();
        let rig = rig(folder.path(), 1 << 30, 1_024);
        rig.body.unbounded_send(Ok(piece(5))).unwrap();
        drop(rig.reader);
        until(|| rig.body.is_closed()).await;
    }
}
