//! Records of delimiter-separated values: a quote opens only at the start of a field, a doubled quote is one
//! quote, and what ends a line ends a record unless quoted (or escaped, where a character escapes). Blank
//! lines and comments are no records.
//!
//! Lines end with `\n` or with `\r`, as the dialect says; before `\n`, up to two `\r` belong to the line end.
//! The other one is data here: a record that has it outside of quotes is the decoder's to refuse, whole.

use super::blank::bom_length;
use super::track::{Ending, Found, Track, count_line_feeds};
use super::{Limits, SplitError, SplitErrorKind};
use crate::format::{Dialect, Escape, LineEnd};
use crate::record::{Position, Span};

/// `\r` before a `\n` that belong to the line end: a file that was converted twice has two.
const RETURNS: usize = 2;

/// Bytes of a record that is being given up which stay in the buffer: those that may belong to its line end,
/// and the one that tells whether a quote opens.
const KEPT_BYTES: usize = RETURNS + 1;

/// The line that ends COPY's text.
const END_OF_COPY: &[u8] = b"\\.";

pub(super) struct Csv {
    pub(super) track: Track,
    delimiter: u8,
    quote: Option<u8>,
    escape: Option<u8>,
    comment: Option<u8>,
    line_end: LineEnd,
    /// COPY's text: a line `\.` is its end, and no record.
    is_copy: bool,
    /// An empty line is a record too.
    empty_is_record: bool,
    /// A line has begun: what ends it is the next line end.
    in_line: bool,
    /// What stands behind the end of COPY's text.
    failed: Option<SplitError>,
    /// The next byte of the next buffer to look at; the byte before it tells whether a quote opens.
    scan: usize,
    /// The last byte behind an escape, in the next buffer.
    escaped: Option<usize>,
    state: CsvState,
    /// The record in progress has line feeds, in a quoted field.
    has_line_feeds: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum CsvState {
    Between,
    Comment,
    /// Behind the end of COPY's text.
    Ended,
    Unquoted,
    Quoted,
}

enum End {
    At(usize),
    Unclosed,
    NotYet,
}

/// Whether a line ends at a place.
enum LineEndHere {
    /// With so many bytes.
    Bytes(usize),
    No,
    /// More bytes must come to tell, if any do.
    Perhaps,
}

impl Csv {
    pub(super) fn new(dialect: &Dialect, limits: Limits, at: Position) -> Self {
        Self {
            track: Track::new(limits, at),
            delimiter: dialect.delimiter,
            quote: dialect.quote,
            escape: dialect.escape.byte(),
            comment: dialect.comment,
            line_end: dialect.line_end,
            is_copy: dialect.escape == Escape::Copy,
            empty_is_record: false,
            // Where records begin there is the end of the header's line, or that of the record before.
            in_line: at.record > 0 || dialect.columns.is_none(),
            failed: None,
            scan: 0,
            escaped: None,
            state: CsvState::Between,
            has_line_feeds: false,
        }
    }

    /// Its records have one field: in COPY's text an empty line is one, of the empty text.
    pub(super) const fn of_one_field(&mut self) {
        self.empty_is_record = self.is_copy;
    }

    pub(super) fn split(&mut self, buf: &[u8], last: bool, out: &mut Vec<Span>) -> Result<usize, SplitError> {
        let before = out.len();
        let done = self.split_lines(buf, last, out);
        match &self.failed {
            Some(failed) if out.len() == before => Err(failed.clone()),
            _ => Ok(done),
        }
    }

    fn split_lines(&mut self, buf: &[u8], last: bool, out: &mut Vec<Span>) -> usize {
        let Some(mut pos) = bom_length(self.track.offset, buf, last) else { return 0 };
        let mut line = self.track.line;
        loop {
            if !self.is_inside() {
                pos = self.pass_between(buf, pos, last, &mut line);
                if !self.is_inside() {
                    break;
                }
            }
            let (end, ending) = match self.find_end(buf, pos, last) {
                End::At(end) => (end, Ending::Proper),
                End::Unclosed => (buf.len(), Ending::Cut),
                End::NotYet => {
                    if self.track.over_limit(buf.len() - pos - returns_before(buf, pos, buf.len())) {
                        let keep = if self.state == CsvState::Unquoted { KEPT_BYTES } else { 0 };
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
        let is_inside = self.is_inside();
        self.scan = if is_inside { self.scan - pos } else { 0 };
        self.escaped = self.escaped.filter(|_| is_inside).and_then(|at| at.checked_sub(pos));
        self.track.consume(pos, line);
        // Behind the end nobody could tell that it was the end; where empty lines count, each resume point is
        // the end of a record, whose line end is still to come.
        let is_known = match self.state {
            CsvState::Comment => false,
            CsvState::Ended => last && self.failed.is_none(),
            CsvState::Between | CsvState::Unquoted | CsvState::Quoted => true,
        };
        if is_known && !self.empty_is_record {
            self.track.resumable_here();
        }
        pos
    }

    const fn is_inside(&self) -> bool {
        matches!(self.state, CsvState::Unquoted | CsvState::Quoted)
    }

    /// Passes over what is blank behind the end of COPY's text; anything else is not of these data.
    fn pass_end(&mut self, buf: &[u8], pos: usize, line: &mut u64) -> usize {
        let blank = buf[pos..].iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        *line += count_line_feeds(&buf[pos..pos + blank]);
        if pos + blank < buf.len() && self.failed.is_none() {
            let offset = self.track.offset + (pos + blank) as u64;
            self.failed = Some(SplitError { kind: SplitErrorKind::BehindEnd, offset, line: *line });
        }
        pos + blank
    }

    /// Passes over what is no record, up to where one begins: then the state says so.
    fn pass_between(&mut self, buf: &[u8], mut pos: usize, last: bool, line: &mut u64) -> usize {
        loop {
            if self.state == CsvState::Ended {
                return self.pass_end(buf, pos, line);
            }
            if self.state == CsvState::Comment {
                let Some(end) = memchr::memchr(self.terminator(), &buf[pos..]) else {
                    if last {
                        self.state = CsvState::Between;
                    }
                    return buf.len();
                };
                pos += end;
                self.state = CsvState::Between;
            }
            match self.line_end_at(buf, pos, last) {
                LineEndHere::Bytes(bytes) if self.in_line || !self.empty_is_record => {
                    pos += bytes;
                    *line += 1;
                    self.in_line = false;
                    continue;
                }
                LineEndHere::Bytes(_) => {
                    self.begin_record(pos);
                    return pos;
                }
                LineEndHere::Perhaps => return pos,
                LineEndHere::No => {}
            }
            if self.comment == Some(buf[pos]) {
                self.state = CsvState::Comment;
                self.in_line = true;
                continue;
            }
            if self.is_copy && END_OF_COPY.starts_with(&buf[pos..buf.len().min(pos + END_OF_COPY.len())]) {
                let behind = pos + END_OF_COPY.len();
                match self.line_end_at(buf, behind.min(buf.len()), last) {
                    LineEndHere::Perhaps if !last => return pos,
                    LineEndHere::Perhaps | LineEndHere::Bytes(_) if behind <= buf.len() => {
                        if !self.empty_is_record {
                            self.track.resumable_at(pos, *line);
                        }
                        pos = behind;
                        self.state = CsvState::Ended;
                        continue;
                    }
                    _ => {}
                }
            }
            self.begin_record(pos);
            return pos;
        }
    }

    const fn begin_record(&mut self, at: usize) {
        self.state = CsvState::Unquoted;
        self.in_line = true;
        // Where a line feed ends no line it may stand anywhere.
        self.has_line_feeds = matches!(self.line_end, LineEnd::Return) || self.escape.is_some();
        self.scan = at;
        self.escaped = None;
    }

    const fn terminator(&self) -> u8 {
        match self.line_end {
            LineEnd::Feed => b'\n',
            LineEnd::Return => b'\r',
        }
    }

    fn line_end_at(&self, buf: &[u8], at: usize, last: bool) -> LineEndHere {
        // As it is mostly.
        match buf.get(at) {
            Some(b'\n') if self.line_end == LineEnd::Feed => return LineEndHere::Bytes(1),
            Some(byte) if *byte != b'\r' => return LineEndHere::No,
            _ => {}
        }
        let returns = buf[at..].iter().take(RETURNS).take_while(|&&byte| byte == b'\r').count();
        let next = buf.get(at + returns);
        match (self.line_end, next) {
            (LineEnd::Feed, Some(b'\n')) => LineEndHere::Bytes(returns + 1),
            // At the very end they are what is left of one.
            (LineEnd::Feed, None) if last && returns > 0 => LineEndHere::Bytes(returns),
            (_, None) if returns == 0 => LineEndHere::Perhaps,
            (LineEnd::Feed, None) => LineEndHere::Perhaps,
            (LineEnd::Feed, Some(_)) => LineEndHere::No,
            (LineEnd::Return, _) => match (returns, buf.get(at + 1)) {
                (0, _) => LineEndHere::No,
                (_, Some(b'\n')) => LineEndHere::Bytes(2),
                (_, None) if !last => LineEndHere::Perhaps,
                _ => LineEndHere::Bytes(1),
            },
        }
    }

    /// The end of a record that is ended by what stands at `at`, or by the end of the source.
    fn end_before(&self, buf: &[u8], start: usize, at: usize) -> End {
        if self.line_end == LineEnd::Return {
            return End::At(at);
        }
        let returns = returns_before(buf, start, at);
        // An escaped one is data.
        let data = self.escaped.map_or(0, |escaped| (escaped + 1).saturating_sub(at - returns));
        End::At(at - returns + data.min(returns))
    }

    /// Finds the end of the record that begins at `start`, going on at `self.scan`.
    fn find_end(&mut self, buf: &[u8], start: usize, last: bool) -> End {
        if let Some(escape) = self.escape {
            return self.find_end_escaped(buf, start, last, escape);
        }
        let terminator = self.terminator();
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
                if !self.closes(buf, at, quote, last) {
                    return End::NotYet;
                }
                continue;
            }
            let rest = &buf[self.scan..];
            let found = match self.quote {
                Some(quote) => memchr::memchr2(terminator, quote, rest),
                None => memchr::memchr(terminator, rest),
            };
            let Some(i) = found else {
                self.scan = buf.len();
                return if last { self.end_before(buf, start, buf.len()) } else { End::NotYet };
            };
            let at = self.scan + i;
            if buf[at] == terminator {
                return self.end_before(buf, start, at);
            }
            if at == start || buf[at - 1] == self.delimiter {
                self.state = CsvState::Quoted;
            }
            self.scan = at + 1;
        }
    }

    /// The same where a character escapes the next one.
    fn find_end_escaped(&mut self, buf: &[u8], start: usize, last: bool, escape: u8) -> End {
        let terminator = self.terminator();
        let quote = self.quote.unwrap_or(escape);
        loop {
            let is_quoted = self.state == CsvState::Quoted;
            let rest = &buf[self.scan..];
            let found = memchr::memchr3(escape, quote, if is_quoted { escape } else { terminator }, rest);
            let Some(i) = found else {
                self.scan = buf.len();
                return match (last, is_quoted) {
                    (false, _) => End::NotYet,
                    (true, true) => End::Unclosed,
                    (true, false) => self.end_before(buf, start, buf.len()),
                };
            };
            let at = self.scan + i;
            if buf[at] == escape {
                if at + 1 == buf.len() && !last {
                    self.scan = at;
                    return End::NotYet;
                }
                self.escaped = Some(at + 1);
                self.scan = (at + 2).min(buf.len());
            } else if buf[at] == terminator && !is_quoted {
                return self.end_before(buf, start, at);
            } else if is_quoted {
                if !self.closes(buf, at, quote, last) {
                    return End::NotYet;
                }
            } else {
                if at == start || buf[at - 1] == self.delimiter && self.escaped != Some(at - 1) {
                    self.state = CsvState::Quoted;
                }
                self.scan = at + 1;
            }
        }
    }

    /// Goes on behind a quote within quotes: it closes them, or is doubled. False: the next byte must tell.
    fn closes(&mut self, buf: &[u8], at: usize, quote: u8, last: bool) -> bool {
        match buf.get(at + 1) {
            Some(&next) if next == quote => self.scan = at + 2,
            None if !last => {
                self.scan = at;
                return false;
            }
            _ => {
                self.state = CsvState::Unquoted;
                self.scan = at + 1;
            }
        }
        true
    }
}

/// The `\r` right before a place that may belong to a line end.
fn returns_before(buf: &[u8], start: usize, at: usize) -> usize {
    buf[start..at].iter().rev().take(RETURNS).take_while(|&&byte| byte == b'\r').count()
}
