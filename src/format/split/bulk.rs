//! Records of Elasticsearch's bulk format: a line that is an action, and, unless that deletes, a line that is
//! its document. Both together are one record.

use super::Limits;
use super::blank::{bom_length, is_blank};
use super::track::{Ending, Found, Track, count_line_feeds};
use crate::format::bulk::has_document;
use crate::record::{Position, Span};

pub(super) struct Bulk {
    pub(super) track: Track,
    /// Bytes at the front of the next buffer that are known to hold no line feed that matters.
    scanned: usize,
    /// Where the line that is read begins in the next buffer.
    line_from: usize,
    part: BulkPart,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum BulkPart {
    Between,
    Action,
    Document,
}

impl Bulk {
    pub(super) fn new(limits: Limits, at: Position) -> Self {
        Self { track: Track::new(limits, at), scanned: 0, line_from: 0, part: BulkPart::Between }
    }

    pub(super) fn split(&mut self, buf: &[u8], last: bool, out: &mut Vec<Span>) -> usize {
        let Some(mut pos) = bom_length(self.track.offset, buf, last) else { return 0 };
        let mut line = self.track.line;
        let mut scan = self.scanned.max(pos);
        let mut from = self.line_from;
        loop {
            if self.part == BulkPart::Between {
                while pos < buf.len() && is_blank(buf[pos]) {
                    line += u64::from(buf[pos] == b'\n');
                    pos += 1;
                }
                if pos == buf.len() {
                    break;
                }
                (self.part, scan, from) = (BulkPart::Action, pos, pos);
            }
            let found = memchr::memchr(b'\n', &buf[scan..]).map(|i| scan + i);
            let Some(end) = found.or(last.then_some(buf.len())) else {
                scan = buf.len();
                if self.track.over_limit(buf.len() - pos) {
                    self.track.give_up(&buf[pos..], line);
                    (pos, from) = (buf.len(), buf.len());
                }
                break;
            };
            let is_whole = self.track.given_up().is_none();
            let goes_on = match self.part {
                BulkPart::Action => is_whole && has_document(&buf[pos..end]),
                // A blank line is none.
                BulkPart::Document => is_whole && buf[from..end].trim_ascii().is_empty(),
                BulkPart::Between => false,
            };
            if goes_on && found.is_some() {
                (self.part, scan, from) = (BulkPart::Document, end + 1, end + 1);
                continue;
            }
            // Blank lines at the end are no part of it.
            let record = if is_whole { pos + buf[pos..end].trim_ascii_end().len() } else { end };
            let line_feeds = count_line_feeds(&buf[pos..record]);
            let ending = Ending::Proper;
            let at = self.track.emit(buf, &Found { start: pos, end: record, line, line_feeds, ending }, out);
            self.part = BulkPart::Between;
            line = at;
            pos = record;
            if last && pos == buf.len() {
                break;
            }
        }
        (self.scanned, self.line_from) = match self.part {
            BulkPart::Between => (0, 0),
            BulkPart::Action | BulkPart::Document => (scan - pos, from - pos),
        };
        self.track.consume(pos, line);
        if self.part == BulkPart::Between {
            self.track.resumable_here();
        }
        pos
    }
}
