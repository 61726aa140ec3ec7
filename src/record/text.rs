//! Records as text: bytes as they stand in the source, and where each record lies in them.

use std::any::Any;
use std::sync::Arc;

use bytes::Bytes;

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
    /// The record was longer than the limit: the span holds its beginning only; this many bytes it had in
    /// all.
    TooLong {
        /// Length of the record in the source, in bytes.
        record_bytes: u64,
    },
    /// The source ended inside the record (an unclosed quote).
    Truncated,
    /// The record was made of a piece of the source, which had so many bytes.
    Made {
        /// Length of the piece in the source.
        source_bytes: u32,
    },
    /// No record is where it should be in this piece of the source, of which all is here.
    Missing,
    /// A row of another number of values than there are names for them.
    Ragged {
        /// Names that there are.
        expected: u32,
        /// Values of the row.
        found: u32,
    },
}

/// A run of bytes with the spans of its records, in source order.
#[derive(Debug, Clone, Default)]
pub struct Text {
    /// The bytes that `spans` index.
    pub bytes: Bytes,
    /// The records, in order.
    pub spans: Vec<Span>,
}

impl Text {
    /// The bytes of the `i`th record.
    #[must_use]
    pub fn raw(&self, i: usize) -> &[u8] {
        let span = &self.spans[i];
        &self.bytes[span.start as usize..span.end as usize]
    }

    /// Bytes of the decoded stream before the `i`th record. (Not the block's start plus the span's: a block's
    /// bytes may begin behind its resume point.)
    pub(super) fn offset_of(&self, i: usize) -> u64 {
        let span = &self.spans[i];
        let bytes = match span.kind {
            SpanKind::TooLong { record_bytes } => record_bytes,
            SpanKind::Made { source_bytes } => u64::from(source_bytes),
            SpanKind::Whole | SpanKind::Truncated | SpanKind::Missing | SpanKind::Ragged { .. } => {
                u64::from(span.end - span.start)
            }
        };
        span.end_offset - bytes
    }

    /// The `i`th record alone; no byte is copied.
    pub(super) fn alone(&self, i: usize) -> Self {
        let span = self.spans[i];
        Self {
            bytes: self.bytes.slice(span.start as usize..span.end as usize),
            spans: vec![Span { start: 0, end: span.end - span.start, ..span }],
        }
    }

    /// The guard is dropped with the last handle to the bytes.
    pub(super) fn hold(&mut self, guard: Arc<dyn Any + Send + Sync>) {
        let bytes = std::mem::take(&mut self.bytes);
        self.bytes = Bytes::from_owner(HeldBytes { bytes, _guard: guard });
    }
}

struct HeldBytes {
    bytes: Bytes,
    _guard: Arc<dyn Any + Send + Sync>,
}

impl AsRef<[u8]> for HeldBytes {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}
