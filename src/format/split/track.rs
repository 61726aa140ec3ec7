//! The book-keeping that all splitters share: where the buffer lies in the stream, how many records were
//! found, and the record that is being given up because it is longer than the limit.
//!
//! Never looks for records itself.

use super::Limits;
use crate::record::{Position, Span, SpanKind};

/// How much of a record that is too long is kept, in bytes: what a reject may show of it.
pub const HEAD_BYTES: usize = 64 * 1024;

/// How a record ended.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// With its terminator, or where the format lets a source end.
    Proper,
    /// The source ended inside it.
    Cut,
}

/// One record as a splitter found it, relative to the buffer.
pub(super) struct Found {
    pub(super) start: usize,
    pub(super) end: usize,
    /// Line on which it begins (the line of the given-up part, if any, wins).
    pub(super) line: u64,
    /// Line feeds inside it, in the buffer.
    pub(super) line_feeds: u64,
    pub(super) ending: Ending,
}

/// A record longer than the limit, of which bytes were consumed before its end was seen.
struct GivenUp {
    bytes: u64,
    line: u64,
    line_feeds: u64,
    head: Vec<u8>,
}

pub(super) struct Track {
    limit: u64,
    source: u32,
    /// Bytes of the stream before the buffer.
    pub(super) offset: u64,
    /// Line on which the buffer begins.
    pub(super) line: u64,
    records: u64,
    resume: Position,
    given_up: Option<GivenUp>,
    head: Option<Vec<u8>>,
}

impl Track {
    pub(super) fn new(limits: Limits, at: Position) -> Self {
        Self {
            limit: limits.record_bytes as u64,
            source: at.source,
            offset: at.offset,
            line: at.line,
            records: at.record,
            resume: at,
            given_up: None,
            head: None,
        }
    }

    pub(super) fn position(&self) -> Position {
        self.resume
    }

    pub(super) fn take_head(&mut self) -> Option<Vec<u8>> {
        self.head.take()
    }

    /// Whether a record of which the buffer holds `held` bytes has to be given up.
    pub(super) fn over_limit(&self, held: usize) -> bool {
        self.given_up.is_some() || held as u64 > self.limit
    }

    /// The record that is being given up: its bytes so far, and the line on which it begins.
    pub(super) fn given_up(&self) -> Option<(u64, u64)> {
        self.given_up.as_ref().map(|given| (given.bytes, given.line))
    }

    /// The buffer's next `part` belongs to a record that is too long: it will be consumed without it.
    pub(super) fn give_up(&mut self, part: &[u8], line: u64) {
        let given =
            self.given_up.get_or_insert_with(|| GivenUp { bytes: 0, line, line_feeds: 0, head: Vec::new() });
        given.bytes += part.len() as u64;
        given.line_feeds += count_line_feeds(part);
        top_up(&mut given.head, part);
    }

    /// Puts a record out. Returns the line on which it ends.
    pub(super) fn emit(&mut self, buf: &[u8], found: &Found, out: &mut Vec<Span>) -> u64 {
        let part = &buf[found.start..found.end];
        let given = self.given_up.take();
        let before = given.as_ref().map_or(0, |given| given.bytes);
        let record_bytes = before + part.len() as u64;
        let line = given.as_ref().map_or(found.line, |given| given.line);
        let end_line = line + given.as_ref().map_or(0, |given| given.line_feeds) + found.line_feeds;

        let (mut start, mut end) = (found.start, found.end);
        let kind = if record_bytes > self.limit {
            if let Some(mut given) = given {
                top_up(&mut given.head, part);
                self.head = Some(given.head);
                start = end;
            } else {
                end = end.min(start + HEAD_BYTES);
            }
            SpanKind::TooLong { record_bytes }
        } else if found.ending == Ending::Cut {
            SpanKind::Truncated
        } else {
            SpanKind::Whole
        };
        self.records += 1;
        let end_offset = self.offset + found.end as u64;
        self.resume =
            Position { source: self.source, offset: end_offset, record: self.records, line: end_line };
        out.push(Span { start: narrow(start), end: narrow(end), line, end_line, end_offset, kind });
        end_line
    }

    /// The first `bytes` of the buffer are done with; `line` is the line behind them.
    pub(super) fn consume(&mut self, bytes: usize, line: u64) {
        self.offset += bytes as u64;
        self.line = line;
    }

    /// A source can be resumed at this place of the buffer, which is between records.
    pub(super) fn resumable_at(&mut self, bytes: usize, line: u64) {
        let offset = self.offset + bytes as u64;
        self.resume = Position { source: self.source, offset, record: self.records, line };
    }

    /// A source can be resumed here, behind all that was consumed.
    pub(super) fn resumable_here(&mut self) {
        if self.given_up.is_none() {
            self.resume =
                Position { source: self.source, offset: self.offset, record: self.records, line: self.line };
        }
    }
}

pub(super) fn count_line_feeds(bytes: &[u8]) -> u64 {
    memchr::memchr_iter(b'\n', bytes).count() as u64
}

fn top_up(head: &mut Vec<u8>, part: &[u8]) {
    let room = HEAD_BYTES.saturating_sub(head.len());
    head.extend_from_slice(&part[..room.min(part.len())]);
}

/// Offsets in a buffer fit: `Splitter::split` never looks at more than `MAX_BUFFER_BYTES` at once.
fn narrow(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}
