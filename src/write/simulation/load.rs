//! The records of a load, their batches as the real batcher cuts them, and what the reference makes of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use fastrand::Rng;

use crate::batch::{Batch, BatchLimits, Batcher, KeyHashes};
use crate::map::{EncodedBlock, PartRows, RecordNote, RowMeta, WhyNot};
use crate::record::{Block, Digest, Position, Span, SpanKind, Text};

/// What becomes of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Good,
    /// The decoder refuses it.
    Undecodable,
    /// A constraint refuses it.
    Violates,
    /// It is beyond a limit of the server.
    TooLarge,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Record {
    pub(super) key: u32,
    pub(super) value: u32,
    pub(super) fate: Fate,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Upsert,
    Append,
}

#[derive(Clone, Debug)]
pub(super) struct Load {
    pub(super) kind: Kind,
    pub(super) partitions: usize,
    pub(super) records: Vec<Record>,
}

/// The place behind all sources.
pub(super) const END: Position = Position::start_of(1);

impl Load {
    pub(super) fn draw(rng: &mut Rng) -> Self {
        let kind = if rng.bool() { Kind::Upsert } else { Kind::Append };
        let keys = rng.u32(1..30);
        let bad = if rng.bool() { rng.f64() * 0.2 } else { 0.0 };
        let record = |rng: &mut Rng| Record {
            key: rng.u32(0..keys),
            value: rng.u32(0..3),
            fate: match rng.f64() < bad {
                true => [Fate::Undecodable, Fate::Violates, Fate::TooLarge][rng.usize(0..3)],
                false => Fate::Good,
            },
        };
        let count = rng.usize(0..60);
        Self { kind, partitions: rng.usize(1..5), records: (0..count).map(|_| record(rng)).collect() }
    }

    /// Rows of the table as they must be in the end: by key, or by record.
    pub(super) fn reference(&self) -> BTreeMap<u64, u32> {
        let good = self.records.iter().enumerate().filter(|(_, record)| record.fate == Fate::Good);
        good.map(|(n, record)| (self.row_of(n), record.value)).collect()
    }

    /// What identifies the row of a record.
    pub(super) fn row_of(&self, n: usize) -> u64 {
        match self.kind {
            Kind::Upsert => u64::from(self.records[n].key),
            Kind::Append => n as u64,
        }
    }

    pub(super) fn rejects(&self) -> usize {
        self.records.iter().filter(|record| record.fate != Fate::Good).count()
    }

    /// The batches of each partition from its checkpoint on; cut anew in every process.
    pub(super) fn batches(&self, places: &[Position], rng: &mut Rng) -> Vec<Vec<Batch>> {
        let hashes = match self.kind {
            Kind::Upsert => KeyHashes::Telling,
            Kind::Append => KeyHashes::None,
        };
        let limits = BatchLimits { rows: rng.u64(1..12), bytes: 1 << 20 };
        let mut batcher = Batcher::new(limits, hashes, places);
        let mut batches = Vec::new();
        let mut first = 0;
        while first < self.records.len() {
            let count = rng.usize(1..20).min(self.records.len() - first);
            let digest = Digest { from: 0, to: ((first + count) * 10) as u64, hash: 0 };
            batches.extend(batcher.push(self.block(first, count), digest));
            if rng.u8(0..8) == 0 {
                batches.extend(batcher.flush());
            }
            first += count;
        }
        batches.extend(batcher.finish(END, true));
        let mut of_partition = vec![Vec::new(); self.partitions];
        for batch in batches {
            of_partition[batch.partition as usize].push(batch);
        }
        of_partition
    }

    pub(super) fn partition_of(&self, n: usize) -> usize {
        match self.kind {
            Kind::Upsert => self.records[n].key as usize % self.partitions,
            Kind::Append => n / 3 % self.partitions,
        }
    }

    fn block(&self, first: usize, count: usize) -> EncodedBlock {
        let place = |record: usize| Position {
            source: 0,
            offset: record as u64 * 10,
            record: record as u64,
            line: record as u64 + 1,
        };
        let span = |i: usize| Span {
            start: small(i * 10),
            end: small(i * 10 + 9),
            line: (first + i + 1) as u64,
            end_line: (first + i + 1) as u64,
            end_offset: ((first + i + 1) * 10) as u64,
            kind: SpanKind::Whole,
        };
        let bytes = Bytes::from(vec![b'x'; count * 10]);
        let text = Text { bytes, spans: (0..count).map(span).collect() };
        let whole = Block::of_text(place(first), place(first + count), text);
        let block = Block { first_seq: first as u64, ..whole };
        let mut parts: Vec<PartRows> = (0..self.partitions).map(|_| PartRows::default()).collect();
        for i in 0..count {
            let (n, part) = (first + i, &mut parts[self.partition_of(first + i)]);
            if self.records[n].fate == Fate::Undecodable {
                let (column, sqlstate, reason) = (None, "22032".into(), String::new());
                let why = WhyNot::Refused { column, sqlstate, reason };
                part.notes.push(RecordNote { i: small(i), why });
            } else {
                part.bytes.extend_from_slice(format!("{n}\n").as_bytes());
                let hash = u64::from(self.records[n].key);
                part.rows.push(RowMeta { i: small(i), end: small(part.bytes.len()), hash });
                part.present_in_all = Some(vec![1]);
                part.present_in_any = vec![1];
            }
        }
        EncodedBlock {
            block: Arc::new(block),
            columns: Arc::from([0]),
            earlier: Vec::new(),
            parts,
            is_unread: false,
            ignored_fields: 0,
            narrowed: None,
            wanted: Vec::new(),
        }
    }
}

fn small(n: usize) -> u32 {
    u32::try_from(n).expect("a small load")
}

/// The records of a batch, in source order: rows as their COPY text says, and what the decoder refused.
pub(super) fn records_of(batch: &Batch) -> (Vec<usize>, Vec<usize>) {
    let text = batch.chunks.iter().flat_map(|chunk| std::str::from_utf8(&chunk.bytes).unwrap_or("").lines());
    let rows = text.map(|line| line.parse().expect("a number of a record")).collect();
    let refused = batch
        .notes
        .iter()
        .map(|reject| usize::try_from(reject.block.first_seq).unwrap_or(usize::MAX) + reject.note.i as usize);
    (rows, refused.collect())
}
