//! The way to the records in a JSON document: a walker that follows a path byte by byte, skipping everything
//! beside it. Depth is a counter, so nesting costs nothing.

use std::borrow::Cow;

use super::SplitErrorKind;
use super::blank::is_blank;
use crate::format::records_path::{PieceOf, RecordsPath};
use crate::format::shorten::shorten;

/// Members of the document that an error names, at most: enough to see what was meant.
const NAMES_SHOWN: usize = 20;

/// Brackets and strings of a value that is being passed over.
#[derive(Default)]
pub(super) struct Nesting {
    pub(super) open: u64,
    pub(super) in_string: bool,
}

impl Nesting {
    /// Goes on from `*scan`; returns the index behind the bracket that closes the last open one.
    pub(super) fn find_close(&mut self, buf: &[u8], scan: &mut usize) -> Option<usize> {
        let mut at = *scan;
        while at < buf.len() {
            if self.in_string {
                match find_quote(buf, at) {
                    Ok(quote) => at = quote + 1,
                    Err(resume) => {
                        *scan = resume;
                        return None;
                    }
                }
                self.in_string = false;
                continue;
            }
            match buf[at] {
                b'"' => self.in_string = true,
                b'{' | b'[' => self.open += 1,
                b'}' | b']' => {
                    self.open = self.open.saturating_sub(1);
                    if self.open == 0 {
                        *scan = at + 1;
                        return Some(at + 1);
                    }
                }
                _ => {}
            }
            at += 1;
        }
        *scan = at;
        None
    }
}

/// The index of the quote that ends the string in which `from` lies, or where to go on with more bytes.
pub(super) fn find_quote(buf: &[u8], from: usize) -> Result<usize, usize> {
    let mut at = from;
    loop {
        match memchr::memchr2(b'"', b'\\', &buf[at..]) {
            None => return Err(buf.len()),
            Some(i) if buf[at + i] == b'"' => return Ok(at + i),
            // The escaped byte is passed over with its backslash.
            Some(i) if at + i + 1 < buf.len() => at += i + 2,
            Some(i) => return Err(at + i),
        }
    }
}

/// The end of the number, literal or string that is being passed over: before the first byte that cannot
/// belong to it.
pub(super) fn find_scalar_end(buf: &[u8], scan: &mut usize, in_string: &mut bool) -> Option<usize> {
    while *scan < buf.len() {
        if *in_string {
            match find_quote(buf, *scan) {
                Ok(quote) => *scan = quote + 1,
                Err(resume) => {
                    *scan = resume;
                    return None;
                }
            }
            *in_string = false;
            continue;
        }
        match buf[*scan] {
            b'"' => *in_string = true,
            b',' | b'[' | b']' | b'{' | b'}' | b':' => return Some(*scan),
            byte if is_blank(byte) => return Some(*scan),
            _ => {}
        }
        *scan += 1;
    }
    None
}

/// Behind the records.
#[derive(Default)]
pub(super) struct Tail {
    nesting: Nesting,
    /// Brackets around the records that are open still. What is opened behind them is beside the path.
    home: u64,
    /// Behind a comma.
    name_is_next: bool,
    /// A text as a step of the path has just been read; a colon makes it a name.
    is_on_path: bool,
}

/// What the walker came to.
pub(super) enum PathStep {
    /// The value at the path begins at this index: an array or an object.
    Arrived(usize),
    /// All bytes before this index are done with; more must come.
    More(usize),
}

/// Follows the path through one document after the other.
pub(super) struct Walker {
    path: String,
    names: Vec<String>,
    /// The records are members of an object.
    of_members: bool,
    matched: usize,
    /// In an array: the number of the element that is next.
    element: Option<usize>,
    expect: Expect,
    seen: Vec<String>,
    /// Longest member name, in bytes with its quotes.
    limit: usize,
    /// Index in the next buffer from which an unfinished name or skipped value goes on.
    skipping: Nesting,
}

enum Expect {
    Value,
    Name {
        may_close: bool,
    },
    Colon {
        on_path: bool,
    },
    Element {
        may_close: bool,
    },
    /// Behind the colon of a member beside the path.
    Beside,
    Skipped,
    SkippedScalar,
    Comma,
}

impl Walker {
    pub(super) fn new(text: &str, path: RecordsPath, limit: usize) -> Self {
        Self {
            path: text.to_owned(),
            of_members: matches!(path.each, PieceOf::Member(_)),
            names: path.steps,
            matched: 0,
            element: None,
            expect: Expect::Value,
            seen: Vec::new(),
            limit,
            skipping: Nesting::default(),
        }
    }

    pub(super) fn depth(&self) -> usize {
        self.names.len()
    }

    /// Whether the records are members of an object.
    pub(super) const fn of_members(&self) -> bool {
        self.of_members
    }

    /// The way on behind the records, until the brackets around them are closed.
    pub(super) fn tail(&self) -> Tail {
        let open = self.depth() as u64;
        Tail {
            nesting: Nesting { open, in_string: false },
            home: open,
            name_is_next: false,
            is_on_path: false,
        }
    }

    /// Goes on from `*scan` as [`Nesting::find_close`], and looks for members on the way that were there
    /// before: their records would be passed over.
    pub(super) fn find_end(
        &self,
        tail: &mut Tail,
        buf: &[u8],
        scan: &mut usize,
    ) -> Result<Option<usize>, (usize, SplitErrorKind)> {
        let mut at = *scan;
        while at < buf.len() {
            let above = usize::try_from(tail.nesting.open).ok().and_then(|depth| depth.checked_sub(1));
            let step = above.filter(|_| tail.nesting.open == tail.home).and_then(|i| self.names.get(i));
            match (buf[at], step) {
                _ if tail.nesting.in_string => match find_quote(buf, at) {
                    Ok(quote) => {
                        (at, tail.nesting.in_string) = (quote + 1, false);
                        continue;
                    }
                    Err(resume) => {
                        *scan = resume;
                        return Ok(None);
                    }
                },
                (b'"', Some(step)) if tail.name_is_next => {
                    let Ok(quote) = find_quote(buf, at + 1) else {
                        *scan = at;
                        return Ok(None);
                    };
                    if quote + 1 - at > self.limit {
                        return Err((at, SplitErrorKind::NameTooLong));
                    }
                    (tail.name_is_next, tail.is_on_path) = (false, name_in(&buf[at..=quote]) == *step);
                    at = quote + 1;
                    continue;
                }
                (b'"', _) => tail.nesting.in_string = true,
                (b':', Some(step)) if tail.is_on_path => {
                    return Err((
                        at,
                        SplitErrorKind::PathTwice { path: self.path.clone(), name: shorten(step) },
                    ));
                }
                (byte @ (b'{' | b'[' | b'}' | b']' | b','), _) => {
                    match byte {
                        b'{' | b'[' => tail.nesting.open += 1,
                        b'}' | b']' => tail.nesting.open = tail.nesting.open.saturating_sub(1),
                        _ => {}
                    }
                    tail.home = tail.home.min(tail.nesting.open);
                    (tail.name_is_next, tail.is_on_path) = (byte == b',', false);
                    if tail.nesting.open == 0 {
                        *scan = at + 1;
                        return Ok(Some(at + 1));
                    }
                }
                _ => {}
            }
            at += 1;
        }
        *scan = at;
        Ok(None)
    }

    /// Back to the start, for a further document behind the one that was read.
    pub(super) fn restart(&mut self) {
        self.matched = 0;
        self.element = None;
        self.expect = Expect::Value;
        self.seen.clear();
    }

    /// Whether a source may end here: between two documents.
    pub(super) fn between_documents(&self) -> bool {
        self.matched == 0 && matches!(self.expect, Expect::Value)
    }

    /// Walks on from `pos`. On an error the index is its place.
    pub(super) fn walk(&mut self, buf: &[u8], mut pos: usize) -> Result<PathStep, (usize, SplitErrorKind)> {
        loop {
            match self.expect {
                Expect::Skipped => match self.skipping.find_close(buf, &mut pos) {
                    Some(_) => self.expect = Expect::Comma,
                    None => return Ok(PathStep::More(pos)),
                },
                Expect::SkippedScalar => match find_scalar_end(buf, &mut pos, &mut self.skipping.in_string) {
                    Some(_) => self.expect = Expect::Comma,
                    None => return Ok(PathStep::More(pos)),
                },
                Expect::Value
                | Expect::Name { .. }
                | Expect::Colon { .. }
                | Expect::Element { .. }
                | Expect::Beside
                | Expect::Comma => {
                    while pos < buf.len() && is_blank(buf[pos]) {
                        pos += 1;
                    }
                    let Some(&byte) = buf.get(pos) else { return Ok(PathStep::More(pos)) };
                    if matches!(self.expect, Expect::Value) && self.matched == self.names.len() {
                        return self.arrive(byte, pos);
                    }
                    match self.step(buf, pos, byte).map_err(|kind| (pos, kind))? {
                        Some(next) => pos = next,
                        None => return Ok(PathStep::More(pos)),
                    }
                }
            }
        }
    }

    fn arrive(&self, byte: u8, pos: usize) -> Result<PathStep, (usize, SplitErrorKind)> {
        let expected = if self.of_members { "an object of records" } else { "an array of records" };
        match byte {
            b'{' => Ok(PathStep::Arrived(pos)),
            b'[' if !self.of_members => Ok(PathStep::Arrived(pos)),
            _ => Err((pos, self.not_records(expected)(byte))),
        }
    }

    /// The next step as the number of an element.
    fn index(&self) -> Option<usize> {
        self.names.get(self.matched)?.parse().ok()
    }

    /// One token. Returns the index behind it, or `None` if it is not whole yet.
    fn step(&mut self, buf: &[u8], pos: usize, byte: u8) -> Result<Option<usize>, SplitErrorKind> {
        match (&self.expect, byte) {
            (Expect::Value, b'{') => self.expect = Expect::Name { may_close: true },
            (Expect::Value, b'[') if self.index().is_some() => {
                (self.element, self.expect) = (Some(0), Expect::Element { may_close: true });
            }
            (Expect::Value, _) => return Err(self.not_records("an object")(byte)),
            (Expect::Name { .. }, b'"') => {
                let Ok(quote) = find_quote(buf, pos + 1) else { return Ok(None) };
                if quote + 1 - pos > self.limit {
                    return Err(SplitErrorKind::NameTooLong);
                }
                let on_path = self.meet(&buf[pos..=quote]);
                self.expect = Expect::Colon { on_path };
                return Ok(Some(quote + 1));
            }
            (Expect::Name { may_close: true }, b'}') | (Expect::Element { may_close: true }, b']') => {
                return Err(self.not_found());
            }
            (Expect::Comma, b'}') if self.element.is_none() => return Err(self.not_found()),
            (Expect::Comma, b']') if self.element.is_some() => return Err(self.not_found()),
            (Expect::Element { .. }, found @ (b',' | b':' | b']' | b'}')) => {
                return Err(SplitErrorKind::Unexpected { found, expected: "a value" });
            }
            (Expect::Element { .. }, _) if self.element == self.index() => {
                self.matched += 1;
                (self.element, self.expect) = (None, Expect::Value);
                return Ok(Some(pos));
            }
            (Expect::Name { .. }, found) => {
                return Err(SplitErrorKind::Unexpected { found, expected: "a member name" });
            }
            (Expect::Colon { on_path: true }, b':') => {
                self.matched += 1;
                // Of the object that lacks a member those are shown that it has.
                self.seen.clear();
                self.expect = Expect::Value;
            }
            (Expect::Colon { on_path: false }, b':') => self.expect = Expect::Beside,
            (Expect::Beside | Expect::Element { .. }, byte) => {
                self.skipping = Nesting::default();
                self.expect =
                    if matches!(byte, b'{' | b'[') { Expect::Skipped } else { Expect::SkippedScalar };
                return Ok(Some(pos));
            }
            (Expect::Colon { .. }, found) => {
                return Err(SplitErrorKind::Unexpected { found, expected: "`:`" });
            }
            (Expect::Comma, b',') => match &mut self.element {
                Some(at) => {
                    *at += 1;
                    self.expect = Expect::Element { may_close: false };
                }
                None => self.expect = Expect::Name { may_close: false },
            },
            (Expect::Comma | Expect::Skipped | Expect::SkippedScalar, found) => {
                let expected = if self.element.is_some() { "`,` or `]`" } else { "`,` or `}`" };
                return Err(SplitErrorKind::Unexpected { found, expected });
            }
        }
        Ok(Some(pos + 1))
    }

    /// Notes a member name (with its quotes). Whether it is the next one on the path.
    fn meet(&mut self, quoted: &[u8]) -> bool {
        let name = name_in(quoted);
        let on_path = self.names[self.matched] == name;
        if self.seen.len() < NAMES_SHOWN {
            self.seen.push(shorten(&name));
        }
        on_path
    }

    fn not_found(&self) -> SplitErrorKind {
        SplitErrorKind::PathNotFound {
            path: self.path.clone(),
            at: self.names[..self.matched].join("/"),
            missing: self.names[self.matched].clone(),
            seen: self.seen.clone(),
        }
    }

    fn not_records(&self, expected: &'static str) -> impl Fn(u8) -> SplitErrorKind {
        let at = if self.matched == 0 {
            "the top level".to_owned()
        } else {
            format!("/{}", self.names[..self.matched].join("/"))
        };
        move |byte| SplitErrorKind::PathNotRecords { at: at.clone(), expected, found: name_of(byte) }
    }
}

/// A member name, of its text with the quotes.
fn name_in(quoted: &[u8]) -> Cow<'_, str> {
    serde_json::from_slice::<String>(quoted)
        .map_or_else(|_| String::from_utf8_lossy(&quoted[1..quoted.len() - 1]), Cow::Owned)
}

fn name_of(first_byte: u8) -> &'static str {
    match first_byte {
        b'"' => "a string",
        b'[' => "an array",
        b'{' => "an object",
        b't' | b'f' => "a boolean",
        b'n' => "null",
        b'-' | b'0'..=b'9' => "a number",
        _ => "no JSON value",
    }
}
