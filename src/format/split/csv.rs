//! Records of delimiter-separated values, by the rules of csv-core, which decodes them: a quote opens only
//! at the start of a field, a doubled quote is one quote, `\n`, `\r\n` and a lone `\r` end a record unless
//! quoted, and blank lines are none.

use super::Limits;
use super::blank::bom_length;
use super::track::{Ending, Found, Track, count_line_feeds};
use crate::format::Dialect;
use crate::record::{Position, Span};

pub(super) struct Csv {
    pub(super) track: Track,
    delimiter: u8,
    quote: Option<u8>,
    /// The next byte of the next buffer to look at; the byte before it tells whether a quote opens.
    scan: usize,
    state: CsvState,
    /// The record in progress has line feeds, in a quoted field.
    has_line_feeds: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum CsvState {
    Between,
    Unquoted,
    Quoted,
}

enum End {
    At(usize),
    Unclosed,
    NotYet,
}

impl Csv {
    pub(super) fn new(dialect: &Dialect, limits: Limits, at: Position) -> Self {
        Self {
            track: Track::new(limits, at),
            delimiter: dialect.delimiter,
            quote: dialect.quote,
            scan: 0,
            state: CsvState::Between,
            has_line_feeds: false,
        }
    }

    pub(super) fn split(&mut self, buf: &[u8], last: bool, out: &mut Vec<Span>) -> usize {
        let Some(mut pos) = bom_length(self.track.offset, buf, last) else { return 0 };
        let mut line = self.track.line;
        loop {
            if self.state == CsvState::Between {
                pos = skip_terminators(buf, pos, last, &mut line);
                if pos == buf.len() || is_terminator(buf[pos]) {
                    break;
                }
                self.state = CsvState::Unquoted;
                self.has_line_feeds = false;
                self.scan = pos;
            }
            let (end, ending) = match self.find_end(buf, pos, last) {
                End::At(end) => (end, Ending::Proper),
                End::Unclosed => (buf.len(), Ending::Cut),
                End::NotYet => {
                    if self.track.over_limit(buf.len() - pos) {
                        let keep = usize::from(self.state == CsvState::Unquoted);
                        let to = self.scan.saturating_sub(keep).max(pos);
                        self.track.give_up(&buf[pos..to], line);
                        line += count_line_feeds(&buf[pos..to]);
                        pos = to;
                    }
                    break;
                }
            };
            let line_feeds = if self.has_line_feeds { count_line_feeds(&buf[pos..end]) } else { 0 };
            let found = Found { start: pos, end, line, line_feeds, ending };
            line = self.track.emit(buf, &found, out);
            self.state = CsvState::Between;
            pos = end;
        }
        self.scan = if self.state == CsvState::Between { 0 } else { self.scan - pos };
        self.track.consume(pos, line);
        self.track.resumable_here();
        pos
    }

    /// Finds the end of the record that begins at `start`, going on at `self.scan`.
    fn find_end(&mut self, buf: &[u8], start: usize, last: bool) -> End {
        loop {
            if self.state == CsvState::Quoted
                && let Some(quote) = self.quote
            {
                let rest = &buf[self.scan..];
                // They are counted once there is one: most fields have none.
                let found = if self.has_line_feeds {
                    memchr::memchr(quote, rest)
                } else {
                    memchr::memchr2(quote, b'\n', rest)
                };
                let Some(i) = found else {
                    self.scan = buf.len();
                    return if last { End::Unclosed } else { End::NotYet };
                };
                let at = self.scan + i;
                if buf[at] != quote {
                    self.has_line_feeds = true;
                    self.scan = at + 1;
                    continue;
                }
                match buf.get(at + 1) {
                    Some(&next) if next == quote => self.scan = at + 2,
                    None if !last => {
                        // A doubled quote or the end of the field: the next byte tells.
                        self.scan = at;
                        return End::NotYet;
                    }
                    _ => {
                        self.state = CsvState::Unquoted;
                        self.scan = at + 1;
                    }
                }
                continue;
            }
            let rest = &buf[self.scan..];
            let found = match self.quote {
                Some(quote) => memchr::memchr3(b'\n', b'\r', quote, rest),
                None => memchr::memchr2(b'\n', b'\r', rest),
            };
            let Some(i) = found else {
                self.scan = buf.len();
                return if last { End::At(buf.len()) } else { End::NotYet };
            };
            let at = self.scan + i;
            if is_terminator(buf[at]) {
                return End::At(at);
            }
            if at == start || buf[at - 1] == self.delimiter {
                self.state = CsvState::Quoted;
            }
            self.scan = at + 1;
        }
    }
}

const fn is_terminator(byte: u8) -> bool {
    matches!(byte, b'\n' | b'\r')
}

/// Skips line ends, counting them. A `\r` at the very end waits for the byte behind it: `\r\n` is one.
fn skip_terminators(buf: &[u8], mut pos: usize, last: bool, line: &mut u64) -> usize {
    while pos < buf.len() && is_terminator(buf[pos]) {
        match (buf[pos], buf.get(pos + 1)) {
            (b'\r', None) if !last => break,
            (b'\r', Some(b'\n')) => pos += 2,
            _ => pos += 1,
        }
        *line += 1;
    }
    pos
}
