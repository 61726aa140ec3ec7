//! Records that are lines (JSONL, reject files): from the first byte that is not white space to before the
//! line feed. A line of white space is no record. A last line needs no line feed.

use super::Limits;
use super::blank::{bom_length, is_blank};
use super::track::{Ending, Found, Track};
use crate::record::{Position, Span};

pub(super) struct Lines {
    pub(super) track: Track,
    /// Bytes at the front of the next buffer that are known to hold no line feed.
    scanned: usize,
    /// The next buffer begins in a record.
    inside: bool,
}

impl Lines {
    pub(super) fn new(limits: Limits, at: Position) -> Self {
        Self { track: Track::new(limits, at), scanned: 0, inside: false }
    }

    pub(super) fn split(&mut self, buf: &[u8], last: bool, out: &mut Vec<Span>) -> usize {
        let Some(mut pos) = bom_length(self.track.offset, buf, last) else { return 0 };
        let mut line = self.track.line;
        let mut scan = self.scanned.max(pos);
        loop {
            if !self.inside {
                while pos < buf.len() && is_blank(buf[pos]) {
                    line += u64::from(buf[pos] == b'\n');
                    pos += 1;
                }
                if pos == buf.len() {
                    break;
                }
                self.inside = true;
                scan = pos;
            }
            let found = memchr::memchr(b'\n', &buf[scan..]).map(|i| scan + i);
            let Some(end) = found.or(last.then_some(buf.len())) else {
                scan = buf.len();
                if self.track.over_limit(buf.len() - pos) {
                    self.track.give_up(&buf[pos..], line);
                    pos = buf.len();
                }
                break;
            };
            let record = Found { start: pos, end, line, line_feeds: 0, ending: Ending::Proper };
            self.track.emit(buf, &record, out);
            self.inside = false;
            line += u64::from(found.is_some());
            pos = end + usize::from(found.is_some());
        }
        self.scanned = if self.inside { scan - pos } else { 0 };
        self.track.consume(pos, line);
        self.track.resumable_here();
        pos
    }
}
