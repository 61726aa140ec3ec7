//! The batcher: one open batch a partition, flushed by size, on request, and at the end.

use std::collections::HashSet;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;

use bytes::Bytes;

use crate::map::{EncodedBlock, EncodedPiece, KeyRange, PartRows, RecordNote, RowMeta, Slot, WhyNot};
use crate::record::{Block, Digest, Position};

use super::partition_keys::PartitionKeys;
use super::seen_keys::KeySighting;
use super::{Batch, Chunk, ChunkNote, Keys, SourceCount};

/// A partition that has nothing to write still moves its checkpoint after this much input, so that a resume
/// does not read it all again.
const IDLE_ADVANCE_BYTES: u64 = 256 << 20;

/// What a row takes beside its texts: its span, its place in the COPY text, and its hash in a set that is
/// half empty.
const ROW_BYTES: usize = Block::PLACE_BYTES + size_of::<RowMeta>() + 2 * size_of::<u64>();

/// When a batch is full. The first row always fits.
#[derive(Debug, Clone, Copy)]
pub struct BatchLimits {
    /// Rows that fill a batch.
    pub rows: u64,
    /// Bytes of COPY text, of the input that it came from and of what is known of its rows: all are held
    /// until the batch has committed.
    pub bytes: usize,
}

impl BatchLimits {
    /// Those of the first batch of a partition among others: each is smaller, by another share. So writers
    /// begin early, and while one merges another sends.
    const fn of_first(self, partition: usize, partitions: usize) -> Self {
        Self { bytes: self.bytes / (partitions + 1) * (partition + 1), ..self }
    }
}

/// Whether rows have keys whose hashes tell them apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyHashes {
    /// No key: rows are not compared.
    None,
    /// The hash covers at least a part of the key: different hashes, different keys.
    Telling,
    /// Nothing of the key can be hashed.
    Silent,
}

/// The hashes are good hashes already.
#[derive(Default)]
struct IdentityHasher(u64);

impl Hasher for IdentityHasher {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        self.0 = bytes.iter().fold(self.0, |n, &b| n << 8 | u64::from(b));
    }
    fn write_u64(&mut self, n: u64) {
        self.0 = n;
    }
}

type Hashes = HashSet<u64, BuildHasherDefault<IdentityHasher>>;

struct Open {
    batch: Batch,
    /// Of the open batch.
    limits: BatchLimits,
    /// The keys, where hashes tell them apart.
    known: Option<PartitionKeys>,
    /// Hashes of the keys that stand in the batch twice, or were met before.
    repeated: Hashes,
    /// Some of its rows have keys that hashes do not tell apart.
    has_unread_keys: bool,
    /// Records up to here are committed already.
    resume: Position,
    idle_bytes: u64,
}

/// Collects encoded blocks into batches.
pub struct Batcher {
    limits: BatchLimits,
    hashes: KeyHashes,
    open: Vec<Open>,
}

impl Batcher {
    /// A batcher whose partitions begin at these checkpoints.
    #[must_use]
    pub fn new(limits: BatchLimits, hashes: KeyHashes, checkpoints: &[Position]) -> Self {
        let rows_max = usize::try_from(limits.rows).unwrap_or(usize::MAX).min(limits.bytes / ROW_BYTES + 1);
        let open = checkpoints
            .iter()
            .enumerate()
            .map(|(p, &at)| Open {
                batch: Batch::new(u32::try_from(p).unwrap_or(u32::MAX), at),
                limits: limits.of_first(p, checkpoints.len()),
                known: (hashes == KeyHashes::Telling)
                    .then(|| PartitionKeys::among(checkpoints.len(), rows_max)),
                repeated: Hashes::default(),
                has_unread_keys: false,
                resume: at,
                idle_bytes: 0,
            })
            .collect();
        Self { limits, hashes, open }
    }

    /// Takes what is left of a block behind its [earlier pieces](Batcher::push_piece); returns the batches
    /// that are full, each partition's in order.
    pub fn push(&mut self, encoded: EncodedBlock, digest: Digest) -> Vec<Batch> {
        let EncodedBlock { block, columns, earlier, parts, .. } = encoded;
        debug_assert!(earlier.is_empty(), "pieces are taken one by one");
        let mut all = Vec::with_capacity(self.open.len());
        for (open, part) in self.open.iter_mut().zip(parts) {
            let mut full = Vec::new();
            let (part, notes) = Part::new(&block, &columns, part);
            open.take(&part, notes, self.limits, self.hashes, &mut full);
            if block.end >= open.batch.after {
                open.batch.after = block.end;
                open.batch.digest = Some(digest);
                open.batch.page.clone_from(&block.page);
            }
            open.idle_bytes += block.content_bytes() as u64;
            if open.batch.read() == 0 && open.idle_bytes >= IDLE_ADVANCE_BYTES {
                full.push(open.flush());
            }
            all.push(full);
        }
        in_turn(all)
    }

    /// Takes an earlier piece of a block, likewise.
    pub fn push_piece(
        &mut self,
        block: &Arc<Block>,
        columns: &Arc<[Slot]>,
        piece: EncodedPiece,
    ) -> Vec<Batch> {
        let EncodedPiece { parts, records, .. } = piece;
        let end = records.checked_sub(1).map_or(block.start, |last| block.after(last));
        let mut all = Vec::with_capacity(self.open.len());
        for (open, part) in self.open.iter_mut().zip(parts) {
            let mut full = Vec::new();
            let (part, notes) = Part::new(block, columns, part);
            open.take(&part, notes, self.limits, self.hashes, &mut full);
            if end >= open.batch.after {
                open.batch.after = end;
                open.batch.page.clone_from(&block.page);
            }
            all.push(full);
        }
        in_turn(all)
    }

    /// Flushes the batches that have records.
    pub fn flush_records(&mut self) -> Vec<Batch> {
        self.open.iter_mut().filter(|open| open.batch.read() > 0).map(Open::flush).collect()
    }

    /// Flushes whatever has moved since the last checkpoint.
    pub fn flush(&mut self) -> Vec<Batch> {
        self.open.iter_mut().filter(|open| open.batch.after > open.batch.before).map(Open::flush).collect()
    }

    /// The last batch of each partition: it moves to the end, with or without rows; those with rows come
    /// first, so that the others wait for them and not they for the others. Partitions that were at the end
    /// before are left alone.
    pub fn finish(&mut self, end: Position, done: bool) -> Vec<Batch> {
        let mut last: Vec<Batch> = self
            .open
            .iter_mut()
            .filter_map(|open| {
                if open.batch.before >= end && open.batch.read() == 0 && !done {
                    return None;
                }
                if open.batch.after < end {
                    open.batch.after = end;
                    open.batch.page = None;
                }
                open.batch.done = done;
                Some(open.flush())
            })
            .collect();
        last.sort_by_key(|batch| batch.rows == 0);
        last
    }
}

/// The partitions' batches in turn, each partition's in order: none waits for all of another's.
fn in_turn(partitions: Vec<Vec<Batch>>) -> Vec<Batch> {
    let mut numbered: Vec<(usize, Batch)> =
        partitions.into_iter().flat_map(|batches| batches.into_iter().enumerate()).collect();
    numbered.sort_by_key(|(number, _)| *number);
    numbered.into_iter().map(|(_, batch)| batch).collect()
}

impl Open {
    fn flush(&mut self) -> Batch {
        self.flush_within(true)
    }

    /// Flushes the batch, perhaps within a block. `ascend`: the keys of that are in order.
    fn flush_within(&mut self, ascend: bool) -> Batch {
        self.mark_repeats();
        if let Some(known) = &mut self.known {
            known.next_batch(hashes_of(&self.batch), ascend);
        }
        self.repeated.clear();
        self.has_unread_keys = false;
        self.idle_bytes = 0;
        let next = Batch::new(self.batch.partition, self.batch.after);
        std::mem::replace(&mut self.batch, next)
    }

    /// Says which rows have a key that is repeated. Their hashes say it, so that whatever shares a hash
    /// shares the fate.
    fn mark_repeats(&mut self) {
        if self.has_unread_keys && self.batch.rows > 1 {
            self.batch.keys = Keys::MayRepeat;
        } else if self.repeated.is_empty() {
            return;
        }
        let is_repeat = |row: &RowMeta| self.has_unread_keys || self.repeated.contains(&row.hash);
        for chunk in &mut self.batch.chunks {
            let rows = chunk.rows.iter().zip(0..);
            chunk.repeats = rows.filter(|(row, _)| is_repeat(row)).map(|(_, n)| n).collect();
            self.batch.repeats += chunk.repeats.len() as u64;
        }
    }

    /// Takes the rows and notes of one block, in source order, and cuts batches where they are full.
    fn take(
        &mut self,
        source: &Part<'_>,
        notes: Vec<RecordNote>,
        limits: BatchLimits,
        hashes: KeyHashes,
        full: &mut Vec<Batch>,
    ) {
        let block = source.block;
        let rows = &source.rows;
        // Records up to the checkpoint are committed already.
        let is_committed = |i: u32| block.start < self.resume && block.after(i as usize) <= self.resume;
        let mut n = rows.partition_point(|row| is_committed(row.i));
        let notes = notes.into_iter().skip_while(|note| is_committed(note.i));
        let mut notes = notes.collect::<Vec<_>>().into_iter().peekable();
        let mut run = Run { from: n, base: source.start_of(n) };
        let mut records = 0;
        let ascend = match &mut self.known {
            Some(known) if !rows.is_empty() => known.expect(source.keys.as_ref(), hashes_of(&self.batch)),
            _ => true,
        };
        loop {
            let row = rows.get(n).filter(|row| notes.peek().is_none_or(|note| row.i < note.i));
            let i = match (row, notes.next_if(|_| row.is_none())) {
                (Some(row), _) => {
                    self.count_row(source, n, hashes);
                    n += 1;
                    row.i
                }
                (None, Some(note)) => {
                    let i = note.i;
                    self.batch.bytes += note_bytes(block, &note);
                    self.batch.notes.push(ChunkNote { block: Arc::clone(block), note });
                    i
                }
                (None, None) => break,
            };
            records += 1;
            // Rejects alone fill a batch too: their originals are held in memory.
            let size = self.batch.rows + self.batch.notes.len() as u64;
            if size >= self.limits.rows || self.batch.bytes >= self.limits.bytes {
                run = self.close_run(source, &run, n);
                self.count_records(block.source, std::mem::take(&mut records));
                // The batch ends at a record in the midst of this block.
                self.batch.after = block.after(i as usize);
                self.batch.page.clone_from(&block.page);
                full.push(self.flush_within(ascend));
                self.limits = limits;
            }
        }
        self.close_run(source, &run, n);
        self.count_records(block.source, records);
    }

    /// Moves rows `run.from..to` into the batch as one chunk; returns the run behind them.
    fn close_run(&mut self, part: &Part<'_>, run: &Run, to: usize) -> Run {
        let Some(last) = part.rows[run.from..to].last() else { return Run { from: to, base: run.base } };
        let batch = &mut self.batch;
        if batch.chunks.is_empty() {
            batch.present_in_all.clone_from(&part.in_all);
            batch.present_in_any.clone_from(&part.in_any);
            batch.key_range = part.keys;
        } else {
            batch.key_range = batch.key_range.zip(part.keys).map(|(range, keys)| range.with(keys));
            batch.present_in_all.iter_mut().zip(&part.in_all).for_each(|(all, word)| *all &= word);
            batch.present_in_any.iter_mut().zip(&part.in_any).for_each(|(any, word)| *any |= word);
        }
        batch.may_delete |= part.deletes;
        batch.chunks.push(Chunk {
            block: Arc::clone(part.block),
            columns: Arc::clone(part.columns),
            bytes: part.bytes.slice(run.base as usize..last.end as usize),
            base: run.base,
            rows: part.rows[run.from..to].to_vec(),
            repeats: Vec::new(),
        });
        Run { from: to, base: last.end }
    }

    fn count_row(&mut self, part: &Part<'_>, n: usize, hashes: KeyHashes) {
        let row = part.rows[n];
        let meeting = match &mut self.known {
            Some(known) => known.meet(row.hash),
            None if hashes == KeyHashes::Silent && self.batch.rows > 0 => KeySighting::Now,
            None => KeySighting::First,
        };
        self.has_unread_keys |= part.has_unread_keys;
        if meeting == KeySighting::Now {
            self.batch.keys = Keys::MayRepeat;
        }
        if meeting != KeySighting::First {
            self.repeated.insert(row.hash);
        }
        let bytes = (row.end - part.start_of(n)) as usize + part.block.record_bytes(row.i as usize);
        self.batch.bytes += bytes + ROW_BYTES;
        self.batch.rows += 1;
    }

    fn count_records(&mut self, source: u32, read: u64) {
        match self.batch.sources.last_mut() {
            _ if read == 0 => {}
            Some(last) if last.source == source => last.read += read,
            _ => self.batch.sources.push(SourceCount { source, read }),
        }
    }
}

/// Hashes of the keys of the rows in a batch.
fn hashes_of(batch: &Batch) -> impl Iterator<Item = u64> {
    batch.chunks.iter().flat_map(|chunk| &chunk.rows).map(|row| row.hash)
}

/// What a record that is no row holds in memory while its batch is stored: its bytes in the block; of a
/// reject the original that is made of them, and that once more on its way to the ledger.
fn note_bytes(block: &Block, note: &RecordNote) -> usize {
    let record = block.record_bytes(note.i as usize);
    match &note.why {
        WhyNot::LeftOut => record + ROW_BYTES,
        WhyNot::Refused { reason, .. } => 3 * record + reason.len() + ROW_BYTES,
    }
}

/// One partition's share of a block.
struct Part<'a> {
    block: &'a Arc<Block>,
    columns: &'a Arc<[usize]>,
    bytes: Bytes,
    rows: Vec<RowMeta>,
    keys: Option<KeyRange>,
    in_all: Vec<u64>,
    in_any: Vec<u64>,
    has_unread_keys: bool,
    deletes: bool,
}

impl<'a> Part<'a> {
    fn new(block: &'a Arc<Block>, columns: &'a Arc<[usize]>, part: PartRows) -> (Self, Vec<RecordNote>) {
        let PartRows {
            mut bytes,
            rows,
            keys,
            notes,
            present_in_all,
            present_in_any: in_any,
            has_unread_keys,
            deletes,
        } = part;
        // Held until the batch has committed: not the room that it might have needed. Cut off, most of that
        // would be a hole that is a little too small for the next one.
        let bytes = if bytes.len() < bytes.capacity() / 2 {
            Bytes::copy_from_slice(&bytes)
        } else {
            bytes.shrink_to_fit();
            Bytes::from(bytes)
        };
        let in_all = present_in_all.unwrap_or_default();
        (Self { block, columns, bytes, rows, keys, in_all, in_any, has_unread_keys, deletes }, notes)
    }
}

impl Part<'_> {
    /// Where the COPY text of row `n` begins.
    fn start_of(&self, n: usize) -> u32 {
        n.checked_sub(1).map_or(0, |before| self.rows[before].end)
    }
}

/// Rows that are in the open batch's counts but not yet in a chunk.
struct Run {
    from: usize,
    base: u32,
}
