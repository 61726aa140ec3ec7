//! Records and their places: what travels from the sources to the writers.
//!
//! A [`Block`] is a run of bytes of one source together with the spans of the records in it. It is
//! cut by a splitter (`format`), decoded by a worker, and kept (its bytes are shared, not copied)
//! until the last batch with one of its records has committed, so that a reject can show the original.
//!
//! Pure vocabulary: no I/O, no clock, no async.

use std::sync::Arc;

use bytes::Bytes;

/// A resume point: everything before it has been dealt with, nothing behind it has.
///
/// `offset` counts bytes of the *decoded* stream (after decompression), `record` the records found
/// before it in this source, `line` the line (1-based) on which the offset lies. Positions are
/// totally ordered: by source, in the order given, then by offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Position {
    /// Ordinal of the source in the run's stored list, 0-based.
    pub source: u32,
    /// Bytes of the decoded stream before this point.
    pub offset: u64,
    /// Records of this source before this point.
    pub record: u64,
    /// Line (1-based) on which `offset` lies.
    pub line: u64,
}

impl Position {
    /// The very beginning of a source.
    #[must_use]
    pub const fn start_of(source: u32) -> Self {
        Self { source, offset: 0, record: 0, line: 1 }
    }
}

/// Where one record lies in its block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// First byte of the record, relative to the block.
    pub start: u32,
    /// One past the last byte of the record (its terminator is not part of it), relative to the block.
    pub end: u32,
    /// Line (1-based, in the source) on which the record begins.
    pub line: u64,
    /// Line (1-based, in the source) on which the record ends.
    pub end_line: u64,
    /// Bytes of the decoded stream before the end of the record: the resume point behind it.
    pub end_offset: u64,
    /// Whether the bytes are the whole record.
    pub kind: SpanKind,
}

/// Whether a span holds a whole record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpanKind {
    /// All bytes of the record are there.
    Whole,
    /// The record was longer than the limit: the span holds its beginning only; this many bytes it had in all.
    TooLong {
        /// Length of the record in the source, in bytes.
        record_bytes: u64,
    },
    /// The source ended inside the record (an unclosed quote).
    Truncated,
}

/// What a resume needs beside a position in a source from the network: the request of a page (without secrets) or the
/// version of a body, and a digest. JSON text, written and read by the wiring; travels with the block into the checkpoint.
pub type PageToken = Arc<str>;

/// A run of bytes of one source with the spans of its records, in source order.
#[derive(Debug, Clone)]
pub struct Block {
    /// Ordinal of the source.
    pub source: u32,
    /// The bytes that `spans` index.
    pub bytes: Bytes,
    /// Resume point before the first record.
    pub start: Position,
    /// The records, in order.
    pub spans: Vec<Span>,
    /// The resume point at the end of this block (behind trailing blank lines too).
    pub end: Position,
    /// Running number of the first record in this process, over all sources: unique and ascending.
    pub first_seq: u64,
    /// How a resume finds its places again, where a position alone does not tell: of a source from the network.
    pub page: Option<PageToken>,
}

impl Block {
    /// What the block takes in memory: with very short records the spans weigh more than the bytes.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        self.bytes.len() + self.spans.capacity() * size_of::<Span>()
    }

    /// The bytes of the `i`th record.
    #[must_use]
    pub fn raw(&self, i: usize) -> &[u8] {
        let span = &self.spans[i];
        &self.bytes[span.start as usize..span.end as usize]
    }

    /// Bytes of the decoded stream before the `i`th record. (Not `start.offset` plus the span's: a block's
    /// bytes may begin behind its resume point.)
    #[must_use]
    pub fn offset_of(&self, i: usize) -> u64 {
        let span = &self.spans[i];
        let bytes = match span.kind {
            SpanKind::TooLong { record_bytes } => record_bytes,
            SpanKind::Whole | SpanKind::Truncated => u64::from(span.end - span.start),
        };
        span.end_offset - bytes
    }

    /// The resume point behind the `i`th record.
    #[must_use]
    pub fn after(&self, i: usize) -> Position {
        let span = &self.spans[i];
        Position {
            source: self.source,
            offset: span.end_offset,
            record: self.start.record + i as u64 + 1,
            line: span.end_line,
        }
    }
}

/// Digest of a part of the decoded stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Digest {
    /// Bytes of the stream before the part.
    pub from: u64,
    /// Bytes of the stream before its end.
    pub to: u64,
    /// xxh3-64 of the part.
    pub hash: u64,
}
