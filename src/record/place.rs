//! Places in a source: what a resume goes on from.

use std::sync::Arc;

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

/// What a resume needs beside a position: the request of a page (without secrets), the version of a body, a digest; or, of
/// a source that has several offsets at once, all of them. JSON text, written and read by the source alone; travels with the
/// block into the checkpoint, and is committed with it.
pub type PageToken = Arc<str>;

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
