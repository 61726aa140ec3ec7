//! Records in JSON text: the elements of a top-level array, or of the array at a path, or the members of an
//! object there (each with its name), or objects one after another. Found by brackets and strings alone,
//! without recursion; whether a record is proper JSON is for `decode` to say.
//!
//! A resume point is the end of a record, never behind the comma or bracket after it, so the next byte tells
//! where the splitter is: `,` and `]` are inside an array. One doubt remains with a path: a single object
//! there is a record too, and what follows its comma is a member name, not an element. The colon tells.

use super::blank::{bom_length, is_blank};
use super::path::{Nesting, PathStep, Tail, Walker, find_quote, find_scalar_end};
use super::track::{Ending, Found, Track, count_line_feeds};
use super::{Limits, SplitError, SplitErrorKind};
use crate::format::records_path::{PieceOf, RecordsPath};
use crate::record::{Position, Span};

pub(super) struct Json {
    pub(super) track: Track,
    limit: usize,
    walker: Option<Walker>,
    state: State,
    nesting: Nesting,
    tail: Tail,
    /// The next byte of the next buffer to look at, while in a record.
    scan: usize,
    /// An error found behind good records of the same call: for the next one.
    failed: Option<SplitError>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// On the way to the records.
    Walk,
    /// Between two values of the top level.
    Top,
    /// Behind a record, in whatever holds it.
    Resumed,
    /// In the array: behind its bracket, behind an element, behind a comma.
    First,
    Behind,
    Next,
    /// The same in an object whose members are the records.
    FirstMember,
    BehindMember,
    NextMember,
    Record(Container),
    Scalar(Container),
    /// Behind the records, until the document's brackets are closed.
    Tail,
}

/// What holds a record.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Container {
    Array,
    Top,
    Path,
    Members,
}

/// The place in the buffer: everything before `pos` is done with, lines are counted up to `counted`.
struct Cursor {
    pos: usize,
    counted: usize,
    line: u64,
}

impl Cursor {
    fn line_at(&mut self, buf: &[u8], at: usize) -> u64 {
        if at > self.counted {
            self.line += count_line_feeds(&buf[self.counted..at]);
            self.counted = at;
        }
        self.line
    }
}

#[derive(PartialEq, Eq)]
enum Flow {
    Go,
    More,
}

impl Json {
    pub(super) fn new(records: Option<&str>, limits: Limits, at: Position) -> Self {
        let walker = records.and_then(|text| {
            let path = RecordsPath::of(text);
            let is_way = !path.steps.is_empty() || matches!(path.each, PieceOf::Member(_));
            is_way.then(|| Walker::new(text, path, limits.record_bytes))
        });
        let state = match (&walker, at.offset) {
            (Some(_), 0) => State::Walk,
            (None, 0) => State::Top,
            _ => State::Resumed,
        };
        Self {
            track: Track::new(limits, at),
            limit: limits.record_bytes,
            walker,
            state,
            nesting: Nesting::default(),
            tail: Tail::default(),
            scan: 0,
            failed: None,
        }
    }

    pub(super) fn split(&mut self, buf: &[u8], last: bool, out: &mut Vec<Span>) -> Result<usize, SplitError> {
        if let Some(failed) = &self.failed {
            return Err(failed.clone());
        }
        let Some(pos) = bom_length(self.track.offset, buf, last) else { return Ok(0) };
        let mut cursor = Cursor { pos, counted: 0, line: self.track.line };
        let before = out.len();
        let result = self.run(buf, last, &mut cursor, out);
        let pos = cursor.pos;
        if let Err((at, kind)) = result {
            let mut failed =
                SplitError { kind, offset: self.track.offset + at as u64, line: cursor.line_at(buf, at) };
            if failed.kind == SplitErrorKind::CutOff
                && let Some((bytes, line)) = self.track.given_up()
            {
                // It begins before the buffer.
                (failed.offset, failed.line) = (failed.offset - bytes, line);
            }
            self.failed = Some(failed.clone());
            if out.len() == before {
                return Err(failed);
            }
        }
        // Up to here and no further: an error's place may lie behind `pos`.
        let line = self.track.line + count_line_feeds(&buf[..pos]);
        if self.in_record() {
            self.scan -= pos;
        }
        self.track.consume(pos, line);
        Ok(pos)
    }

    fn in_record(&self) -> bool {
        matches!(self.state, State::Record(_) | State::Scalar(_))
    }

    fn run(
        &mut self,
        buf: &[u8],
        last: bool,
        cursor: &mut Cursor,
        out: &mut Vec<Span>,
    ) -> Result<(), (usize, SplitErrorKind)> {
        while self.step(buf, last, cursor, out)? == Flow::Go {}
        // Bytes may be left: a backslash that ends a string waits for what it escapes.
        if last && !self.may_end() {
            return Err((buf.len(), SplitErrorKind::UnexpectedEnd));
        }
        Ok(())
    }

    /// Whether a source may end where the splitter is.
    fn may_end(&self) -> bool {
        match self.state {
            State::Top => true,
            // At the end of a record, with nothing behind: only a stream of objects ends so.
            State::Resumed => self.walker.is_none(),
            State::Walk => self.walker.as_ref().is_some_and(Walker::between_documents),
            _ => false,
        }
    }

    fn step(
        &mut self,
        buf: &[u8],
        last: bool,
        cursor: &mut Cursor,
        out: &mut Vec<Span>,
    ) -> Result<Flow, (usize, SplitErrorKind)> {
        match self.state {
            State::Walk => return self.walk(buf, last, cursor),
            State::Record(_) | State::Scalar(_) => return self.record(buf, last, cursor, out),
            State::Tail => {
                let Some(walker) = &mut self.walker else { return Ok(Flow::More) };
                if walker.find_end(&mut self.tail, buf, &mut cursor.pos)?.is_none() {
                    if buf.len() - cursor.pos > self.limit {
                        return Err((cursor.pos, SplitErrorKind::NameTooLong));
                    }
                    return Ok(Flow::More);
                }
                walker.restart();
                self.state = State::Walk;
                return Ok(Flow::Go);
            }
            _ => {}
        }
        while cursor.pos < buf.len() && is_blank(buf[cursor.pos]) {
            cursor.pos += 1;
        }
        let at = cursor.pos;
        let Some(&byte) = buf.get(at) else { return Ok(Flow::More) };
        let unexpected = |expected| Err((at, SplitErrorKind::Unexpected { found: byte, expected }));
        match (self.state, byte) {
            (State::Resumed, _) => return Ok(self.find_home(&buf[at..], last)),
            (State::Top, b'{') => self.begin(at, State::Record(Container::Top)),
            (State::Top, b'[') => (self.state, cursor.pos) = (State::First, at + 1),
            (State::Top, _) => return unexpected("an object or an array of records"),
            (State::First | State::Behind, b']') => {
                cursor.pos = at + 1;
                self.leave_array();
            }
            (State::FirstMember | State::BehindMember, b'}') => {
                cursor.pos = at + 1;
                self.leave_array();
            }
            (State::BehindMember, b',') => (self.state, cursor.pos) = (State::NextMember, at + 1),
            (State::BehindMember, _) => return unexpected("`,` or `}`"),
            (State::FirstMember | State::NextMember, b'"') => {
                cursor.pos = at;
                return self.member(buf, at);
            }
            (State::FirstMember | State::NextMember, _) => return unexpected("a member name"),
            (State::Behind, b',') => (self.state, cursor.pos) = (State::Next, at + 1),
            (State::Behind, _) => return unexpected("`,` or `]`"),
            (_, b'{' | b'[') => self.begin(at, State::Record(Container::Array)),
            (_, b',' | b':' | b']' | b'}') => return unexpected("a record"),
            (_, _) => self.begin(at, State::Scalar(Container::Array)),
        }
        Ok(Flow::Go)
    }

    fn begin(&mut self, at: usize, state: State) {
        self.state = state;
        self.nesting = Nesting::default();
        self.scan = at;
    }

    /// A member that is a record begins at its name; its end is sought from its value on.
    fn member(&mut self, buf: &[u8], at: usize) -> Result<Flow, (usize, SplitErrorKind)> {
        let token = |from: usize| (from..buf.len()).find(|&i| !is_blank(buf[i]));
        let value = find_quote(buf, at + 1).ok().and_then(|quote| {
            let colon = token(quote + 1)?;
            Some((colon, token(colon + 1)?))
        });
        // However the bytes are cut: as far as the name is known to go.
        let known = value.map_or(buf.len(), |(_, value)| value);
        if known - at > self.limit {
            return Err((at, SplitErrorKind::NameTooLong));
        }
        let Some((colon, value)) = value else { return Ok(Flow::More) };
        let unexpected =
            |at: usize, expected| Err((at, SplitErrorKind::Unexpected { found: buf[at], expected }));
        if buf[colon] != b':' {
            return unexpected(colon, "`:`");
        }
        match buf[value] {
            b'{' | b'[' => self.begin(value, State::Record(Container::Members)),
            b',' | b':' | b']' | b'}' => return unexpected(value, "a record"),
            _ => self.begin(value, State::Scalar(Container::Members)),
        }
        Ok(Flow::Go)
    }

    /// Behind the bracket that ends the array of records.
    fn leave_array(&mut self) {
        match &mut self.walker {
            None => self.state = State::Top,
            Some(walker) if walker.depth() == 0 => {
                walker.restart();
                self.state = State::Walk;
            }
            Some(walker) => {
                self.tail = walker.tail();
                self.state = State::Tail;
            }
        }
    }

    fn walk(&mut self, buf: &[u8], last: bool, cursor: &mut Cursor) -> Result<Flow, (usize, SplitErrorKind)> {
        let Some(walker) = &mut self.walker else { return Ok(Flow::More) };
        match walker.walk(buf, cursor.pos)? {
            PathStep::More(pos) => {
                cursor.pos = pos;
                if buf.len() - pos > self.limit {
                    return Err((pos, SplitErrorKind::NameTooLong));
                }
                if last && pos < buf.len() {
                    return Err((buf.len(), SplitErrorKind::UnexpectedEnd));
                }
                Ok(Flow::More)
            }
            PathStep::Arrived(at) if buf[at] == b'[' => {
                (self.state, cursor.pos) = (State::First, at + 1);
                Ok(Flow::Go)
            }
            PathStep::Arrived(at) if walker.of_members() => {
                (self.state, cursor.pos) = (State::FirstMember, at + 1);
                Ok(Flow::Go)
            }
            PathStep::Arrived(at) => {
                cursor.pos = at;
                self.begin(at, State::Record(Container::Path));
                Ok(Flow::Go)
            }
        }
    }

    /// Goes on in the record that begins at `cursor.pos` (or of which a part was given up).
    fn record(
        &mut self,
        buf: &[u8],
        last: bool,
        cursor: &mut Cursor,
        out: &mut Vec<Span>,
    ) -> Result<Flow, (usize, SplitErrorKind)> {
        let start = cursor.pos;
        let end = match self.state {
            State::Scalar(_) => find_scalar_end(buf, &mut self.scan, &mut self.nesting.in_string),
            _ => self.nesting.find_close(buf, &mut self.scan),
        };
        let line = cursor.line_at(buf, start);
        let end = match end {
            Some(end) => end,
            // A document that was cut off is not whole, and neither is this record: the source fails here, so
            // that its rest is read where the file is mended or fetched again.
            None if last => return Err((start, SplitErrorKind::CutOff)),
            None => {
                if self.track.over_limit(buf.len() - start) {
                    self.track.give_up(&buf[start..self.scan], line);
                    cursor.pos = self.scan;
                }
                return Ok(Flow::More);
            }
        };
        let line_feeds = count_line_feeds(&buf[start..end]);
        self.track.emit(buf, &Found { start, end, line, line_feeds, ending: Ending::Proper }, out);
        cursor.line = line + line_feeds;
        cursor.counted = end;
        cursor.pos = end;
        match self.state {
            State::Record(Container::Top) => self.state = State::Top,
            State::Record(Container::Path) => self.leave_array(),
            State::Record(Container::Members) | State::Scalar(Container::Members) => {
                self.state = State::BehindMember;
            }
            _ => self.state = State::Behind,
        }
        Ok(Flow::Go)
    }

    /// Behind a record at which the source was resumed: what holds it? `rest` begins with the next token.
    fn find_home(&mut self, rest: &[u8], last: bool) -> Flow {
        let Some(walker) = &self.walker else {
            self.state = if matches!(rest[0], b',' | b']') { State::Behind } else { State::Top };
            return Flow::Go;
        };
        if walker.of_members() {
            self.state = State::BehindMember;
            return Flow::Go;
        }
        let single = match rest[0] {
            b'}' => Some(true),
            b',' => is_name_behind_comma(rest, last || rest.len() > self.limit),
            _ => Some(false),
        };
        match single {
            None => return Flow::More,
            Some(false) => self.state = State::Behind,
            Some(true) => {
                self.tail = walker.tail();
                self.state = State::Tail;
            }
        }
        Flow::Go
    }
}

/// Whether the token behind the comma is a member name: a string with a colon behind it. `None`: not told
/// yet.
fn is_name_behind_comma(rest: &[u8], must_tell: bool) -> Option<bool> {
    let undecided = if must_tell { Some(false) } else { None };
    let skip_blank = |from: usize| (from..rest.len()).find(|&i| !is_blank(rest[i]));
    let Some(token) = skip_blank(1) else { return undecided };
    if rest[token] != b'"' {
        return Some(false);
    }
    let Ok(quote) = find_quote(rest, token + 1) else { return undecided };
    let Some(behind) = skip_blank(quote + 1) else { return undecided };
    Some(rest[behind] == b':')
}
