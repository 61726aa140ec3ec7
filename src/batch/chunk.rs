//! What a batch is made of.

use std::sync::Arc;

use bytes::Bytes;

use crate::map::{KeyRange, RecordNote, RowMeta, Slot};
use crate::record::{Block, Digest, PageToken, Position};

/// Consecutive rows of one block that belong to one partition.
#[derive(Debug, Clone)]
pub struct Chunk {
    /// Where the rows came from; keeps their originals alive until the batch has committed.
    pub block: Arc<Block>,
    /// Columns of the rows.
    pub columns: Arc<[Slot]>,
    /// COPY text of the rows.
    pub bytes: Bytes,
    /// Offset of `bytes` in the whole of its block's part, from which `RowMeta::end` counts.
    pub base: u32,
    /// The rows, in the order of their records.
    pub rows: Vec<RowMeta>,
    /// Which of the rows are [repeats](Batch::repeats), in order.
    pub repeats: Vec<u32>,
}

impl Chunk {
    /// Rows `from..to` as a chunk of their own.
    fn part(&self, from: usize, to: usize) -> Self {
        let offset = |n: usize| n.checked_sub(1).map_or(self.base, |before| self.rows[before].end);
        let (base, end) = (offset(from), offset(to));
        let within = |&n: &u32| (n as usize).checked_sub(from).filter(|_| (n as usize) < to);
        Self {
            block: Arc::clone(&self.block),
            columns: Arc::clone(&self.columns),
            bytes: self.bytes.slice((base - self.base) as usize..(end - self.base) as usize),
            base,
            rows: self.rows[from..to].to_vec(),
            repeats: self.repeats.iter().filter_map(within).filter_map(|n| u32::try_from(n).ok()).collect(),
        }
    }

    /// The repeats as a chunk of their own.
    fn of_repeats(&self) -> Self {
        let (mut bytes, mut rows) = (Vec::new(), Vec::with_capacity(self.repeats.len()));
        for &n in &self.repeats {
            bytes.extend_from_slice(self.row(n as usize));
            // Less than the whole, whose end is such a number.
            let end = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
            rows.push(RowMeta { end, ..self.rows[n as usize] });
        }
        Self {
            block: Arc::clone(&self.block),
            columns: Arc::clone(&self.columns),
            bytes: bytes.into(),
            base: 0,
            repeats: (0..self.repeats.len()).filter_map(|n| u32::try_from(n).ok()).collect(),
            rows,
        }
    }

    /// COPY text of one row, its newline included.
    #[must_use]
    pub fn row(&self, n: usize) -> &[u8] {
        let from = n.checked_sub(1).map_or(self.base, |before| self.rows[before].end);
        &self.bytes[(from - self.base) as usize..(self.rows[n].end - self.base) as usize]
    }
}

/// A record that the server is not sent.
#[derive(Debug, Clone)]
pub struct ChunkNote {
    /// Where it came from.
    pub block: Arc<Block>,
    /// Why it is not, and where it is.
    pub note: RecordNote,
}

/// Whether a key may stand twice in a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keys {
    /// No two rows have the same key: their hashes differ.
    Distinct,
    /// Two rows may have the same key.
    MayRepeat,
}

/// Records of one source in a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SourceCount {
    /// Ordinal of the source.
    pub source: u32,
    /// Records, rows and others alike.
    pub read: u64,
}

/// The unit of work of a writer: one transaction.
#[derive(Debug, Clone)]
pub struct Batch {
    /// The partition that it belongs to.
    pub partition: u32,
    /// The checkpoint it begins at.
    pub before: Position,
    /// The checkpoint it moves to.
    pub after: Position,
    /// It is the last one of its partition.
    pub done: bool,
    /// Rows, in source order.
    pub chunks: Vec<Chunk>,
    /// Records that are no rows: rejects of decoder and mapping, and what a condition leaves out. In source
    /// order.
    pub notes: Vec<ChunkNote>,
    /// Records by source; their sum is what the batch has read.
    pub sources: Vec<SourceCount>,
    /// The number of rows in `chunks`.
    pub rows: u64,
    /// Bytes that the batch holds: COPY text, the input that it came from, what is known of its rows.
    pub bytes: usize,
    /// Whether a key may stand twice.
    pub keys: Keys,
    /// Where the keys lie, if they are numbers: none outside of it.
    pub key_range: Option<KeyRange>,
    /// Rows whose key another row of the batch has, or one of an earlier batch, as far as that is remembered.
    /// No other row has a key of theirs.
    pub repeats: u64,
    /// Some of its rows may delete: then their turn is not that of the others.
    pub may_delete: bool,
    /// Presence words common to all rows (empty without rows).
    pub present_in_all: Vec<u64>,
    /// Presence words of any row.
    pub present_in_any: Vec<u64>,
    /// Digest of the source's bytes up to the last block of this batch.
    pub digest: Option<Digest>,
    /// How `after` is found again in a source from the network.
    pub page: Option<PageToken>,
}

impl Batch {
    /// An empty batch that begins at a checkpoint.
    #[must_use]
    pub fn new(partition: u32, before: Position) -> Self {
        Self {
            partition,
            before,
            after: before,
            done: false,
            chunks: Vec::new(),
            notes: Vec::new(),
            sources: Vec::new(),
            rows: 0,
            bytes: 0,
            keys: Keys::Distinct,
            key_range: None,
            repeats: 0,
            may_delete: false,
            present_in_all: Vec::new(),
            present_in_any: Vec::new(),
            digest: None,
            page: None,
        }
    }

    /// Records that the batch accounts for.
    #[must_use]
    pub fn read(&self) -> u64 {
        self.sources.iter().map(|s| s.read).sum()
    }

    /// Whether a slot's value is present in every row.
    #[must_use]
    pub fn always_present(&self, slot: Slot) -> bool {
        bit(&self.present_in_all, slot)
    }

    /// Whether a slot's value is present in any row.
    #[must_use]
    pub fn ever_present(&self, slot: Slot) -> bool {
        bit(&self.present_in_any, slot)
    }

    /// The row with this sequence number: its block and index there.
    #[must_use]
    pub fn find(&self, seq: u64) -> Option<(&Arc<Block>, usize)> {
        let at = self.chunks.partition_point(|chunk| {
            chunk.rows.last().is_some_and(|row| chunk.block.first_seq + u64::from(row.i) < seq)
        });
        let chunk = self.chunks.get(at)?;
        let i = u32::try_from(seq.checked_sub(chunk.block.first_seq)?).ok()?;
        chunk.rows.binary_search_by_key(&i, |row| row.i).ok()?;
        Some((&chunk.block, i as usize))
    }
}

impl Batch {
    /// The repeats alone, to be written within the same transaction as the others: it stands for no records
    /// by itself.
    #[must_use]
    pub fn of_repeats(&self) -> Self {
        let mut repeats = Self::new(self.partition, self.before);
        repeats.after = self.after;
        repeats.keys = self.keys;
        repeats.key_range = self.key_range;
        repeats.may_delete = self.may_delete;
        repeats.present_in_all.clone_from(&self.present_in_all);
        repeats.present_in_any.clone_from(&self.present_in_any);
        self.chunks.iter().for_each(|chunk| repeats.add(chunk.of_repeats()));
        repeats
    }

    /// Two batches that together are this one, the first with the earlier half of its records. `None` for a
    /// batch of at most one record.
    #[must_use]
    pub fn halve(&self) -> Option<(Self, Self)> {
        let total = self.read();
        if total < 2 {
            return None;
        }
        let mut places: Vec<(Position, u32)> = self.places();
        places.sort_unstable();
        let middle = places[places.len() / 2 - 1].0;
        let (mut first, mut second) =
            (Self::new(self.partition, self.before), Self::new(self.partition, middle));
        first.after = middle;
        second.after = self.after;
        second.done = self.done;
        second.digest = self.digest;
        first.page = self.page_of(middle);
        second.page.clone_from(&self.page);
        for half in [&mut first, &mut second] {
            half.keys = self.keys;
            half.key_range = self.key_range;
            half.may_delete = self.may_delete;
            half.present_in_all.clone_from(&self.present_in_all);
            half.present_in_any.clone_from(&self.present_in_any);
        }
        for &(at, source) in &places {
            let half = if at <= middle { &mut first } else { &mut second };
            match half.sources.last_mut() {
                Some(last) if last.source == source => last.read += 1,
                _ => half.sources.push(SourceCount { source, read: 1 }),
            }
        }
        for note in &self.notes {
            let at = note.block.after(note.note.i as usize);
            if at <= middle { &mut first } else { &mut second }.notes.push(note.clone());
        }
        for chunk in &self.chunks {
            let cut = chunk.rows.partition_point(|row| chunk.block.after(row.i as usize) <= middle);
            first.add(chunk.part(0, cut));
            second.add(chunk.part(cut, chunk.rows.len()));
        }
        Some((first, second))
    }

    /// The page in which a record ends.
    fn page_of(&self, after: Position) -> Option<PageToken> {
        let blocks = self.chunks.iter().map(|c| &c.block).chain(self.notes.iter().map(|n| &n.block));
        let mut blocks = blocks.filter(|block| block.start < after && after <= block.end);
        blocks.next().and_then(|block| block.page.clone())
    }

    /// The content of two batches of one partition changes places; the checkpoints stay in order. For
    /// [`crate::fault::Defect::OutOfOrder`] alone.
    #[cfg(debug_assertions)]
    pub fn exchange_content(&mut self, other: &mut Self) {
        std::mem::swap(self, other);
        std::mem::swap(&mut self.before, &mut other.before);
        std::mem::swap(&mut self.after, &mut other.after);
        std::mem::swap(&mut self.done, &mut other.done);
        std::mem::swap(&mut self.digest, &mut other.digest);
    }

    /// Rejects of decoder and mapping.
    pub fn rejects(&self) -> impl Iterator<Item = &ChunkNote> {
        self.notes.iter().filter(|note| note.note.is_reject())
    }

    /// How many records a condition leaves out.
    #[must_use]
    pub fn left_out(&self) -> u64 {
        (self.notes.len() - self.rejects().count()) as u64
    }

    /// Resume points behind all records, with their sources.
    fn places(&self) -> Vec<(Position, u32)> {
        let rows = self
            .chunks
            .iter()
            .flat_map(|c| c.rows.iter().map(|row| (c.block.after(row.i as usize), c.block.source)));
        let notes = self.notes.iter().map(|n| (n.block.after(n.note.i as usize), n.block.source));
        rows.chain(notes).collect()
    }

    fn add(&mut self, chunk: Chunk) {
        if !chunk.rows.is_empty() {
            self.rows += chunk.rows.len() as u64;
            self.bytes += chunk.bytes.len();
            self.repeats += chunk.repeats.len() as u64;
            self.chunks.push(chunk);
        }
    }
}

fn bit(words: &[u64], slot: Slot) -> bool {
    use crate::map::PRESENCE_WORD_BITS;
    words.get(slot / PRESENCE_WORD_BITS).is_some_and(|word| word >> (slot % PRESENCE_WORD_BITS) & 1 == 1)
}
