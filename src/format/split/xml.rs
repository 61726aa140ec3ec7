//! Records that are elements of an XML text, found by their tags alone, in the memory of one of them. Whether
//! a record is well-formed is for `decode` to say. What a document type would declare is refused: entities
//! are how a few bytes become gigabytes, and how files get into a text.

use super::Limits;
use super::blank::bom_length;
use super::track::{Ending, Found, Track, count_line_feeds};
use super::{SplitError, SplitErrorKind};
use crate::format::xml::XmlPath;
use crate::record::{Position, Span};

/// Elements that are open at once, outside of records.
const DEPTH_MAX: usize = 1000;
/// Names of elements that an error shows.
const NAMES_SHOWN: usize = 10;
/// Bytes that tell what begins with `<!`.
const MARK_BYTES: usize = b"<![CDATA[".len();

pub(super) struct Xml {
    pub(super) track: Track,
    limit: usize,
    path: XmlPath,
    records: Option<String>,
    /// Names of the elements that are open around the records.
    open: Vec<String>,
    /// Elements that are open in the record; 0: none is read.
    within: usize,
    /// The root has ended.
    is_over: bool,
    has_records: bool,
    /// Names of elements that are none, where no record was found.
    seen: Vec<String>,
    /// The next byte of the next buffer to look at, while in a record.
    scan: usize,
    failed: Option<SplitError>,
}

enum XmlToken {
    Open {
        name: (usize, usize),
        is_empty: bool,
    },
    Close {
        name: (usize, usize),
    },
    /// A comment, an instruction, a document type without content.
    Beside,
    /// Text that is marked as such.
    Text,
    Declares,
}

type XmlFailed = (usize, SplitErrorKind);

impl Xml {
    pub(super) fn new(records: Option<&str>, limits: Limits, at: Position) -> Self {
        Self {
            track: Track::new(limits, at),
            limit: limits.record_bytes,
            path: XmlPath::of(records),
            records: records.map(str::to_owned),
            open: Vec::new(),
            within: 0,
            is_over: false,
            has_records: false,
            seen: Vec::new(),
            scan: 0,
            failed: None,
        }
    }

    pub(super) fn split(&mut self, buf: &[u8], last: bool, out: &mut Vec<Span>) -> Result<usize, SplitError> {
        if let Some(failed) = &self.failed {
            return Err(failed.clone());
        }
        let Some(mut pos) = bom_length(self.track.offset, buf, last) else { return Ok(0) };
        let before = out.len();
        if let Err((at, kind)) = self.run(buf, last, &mut pos, out) {
            let line = self.track.line + count_line_feeds(&buf[..at.min(buf.len())]);
            let mut failed = SplitError { kind, offset: self.track.offset + at as u64, line };
            if failed.kind == SplitErrorKind::XmlCutOff
                && let Some((bytes, line)) = self.track.given_up()
            {
                (failed.offset, failed.line) = (failed.offset - bytes, line);
            }
            self.failed = Some(failed.clone());
            if out.len() == before {
                return Err(failed);
            }
        }
        if self.within > 0 {
            self.scan -= pos;
        }
        let line = self.track.line + count_line_feeds(&buf[..pos]);
        self.track.consume(pos, line);
        Ok(pos)
    }

    fn run(&mut self, buf: &[u8], last: bool, pos: &mut usize, out: &mut Vec<Span>) -> Result<(), XmlFailed> {
        let (mut counted, mut line) = (0, self.track.line);
        if self.within == 0 {
            self.scan = *pos;
        }
        loop {
            self.scan = self.scan.max(*pos);
            let found = memchr::memchr(b'<', &buf[self.scan..]).map(|at| self.scan + at);
            let text = &buf[self.scan..found.unwrap_or(buf.len())];
            if self.within == 0 {
                if let Some(at) = self.stray(text) {
                    return Err((
                        self.scan + at,
                        SplitErrorKind::XmlUnexpected("text around the root element"),
                    ));
                }
                *pos = found.unwrap_or(buf.len());
            }
            self.scan = found.unwrap_or(buf.len());
            let token = found.and_then(|at| token(buf, at).map(|(token, end)| (token, at, end)));
            let Some((token, at, end)) = token else {
                return self.wait(buf, last, pos, line + count_line_feeds(&buf[counted..*pos]));
            };
            self.scan = end;
            if self.within == 0 {
                line += count_line_feeds(&buf[counted..at]);
                counted = at;
                self.around(buf, &token, at, end)?;
                if self.within == 0 && !self.is_record_of(&token) {
                    *pos = end;
                    continue;
                }
                self.has_records = true;
            } else {
                match token {
                    XmlToken::Open { is_empty: false, .. } => self.within += 1,
                    XmlToken::Close { .. } => self.within -= 1,
                    XmlToken::Declares => return Err((at, SplitErrorKind::XmlDeclares)),
                    XmlToken::Open { .. } | XmlToken::Beside | XmlToken::Text => {}
                }
            }
            if self.within == 0 {
                self.close();
                let line_feeds = count_line_feeds(&buf[*pos..end]);
                let found = Found { start: *pos, end, line, line_feeds, ending: Ending::Proper };
                self.track.emit(buf, &found, out);
                line += line_feeds;
                (*pos, counted) = (end, end);
            }
        }
    }

    /// The record that has just begun is whole: it is one empty tag, and its name is still open.
    fn is_record_of(&self, token: &XmlToken) -> bool {
        matches!(token, XmlToken::Open { is_empty: true, .. }) && self.path.leads_to(&self.open)
    }

    /// A tag outside of records.
    fn around(&mut self, buf: &[u8], token: &XmlToken, at: usize, end: usize) -> Result<(), XmlFailed> {
        let unexpected = |what| Err((at, SplitErrorKind::XmlUnexpected(what)));
        let text = |(from, to): (usize, usize)| String::from_utf8_lossy(&buf[from..to]).into_owned();
        // An empty element that was no record is closed by what follows it.
        match token {
            XmlToken::Declares => Err((at, SplitErrorKind::XmlDeclares)),
            XmlToken::Text if self.open.is_empty() => unexpected("text around the root element"),
            XmlToken::Text | XmlToken::Beside => Ok(()),
            XmlToken::Open { .. } if self.is_over => unexpected("a second root element"),
            XmlToken::Open { name, is_empty } => {
                if end - at > self.limit || self.open.len() == DEPTH_MAX {
                    return Err((at, SplitErrorKind::XmlTooDeep));
                }
                self.open.push(text(*name));
                if self.path.leads_to(&self.open) {
                    self.within = usize::from(!is_empty);
                    return Ok(());
                }
                self.see();
                if *is_empty {
                    self.close();
                }
                Ok(())
            }
            XmlToken::Close { name } => match self.open.last() {
                Some(open) if *open == text(*name) => {
                    self.close();
                    Ok(())
                }
                _ => unexpected("the end of an element that is not open"),
            },
        }
    }

    fn close(&mut self) {
        self.open.pop();
        self.is_over = self.open.is_empty();
    }

    /// Remembers what there is instead of records.
    fn see(&mut self) {
        let name = self.open.join("/");
        if !self.has_records && self.seen.len() < NAMES_SHOWN && !self.seen.contains(&name) {
            self.seen.push(name);
        }
    }

    /// Text where none may be.
    fn stray(&self, text: &[u8]) -> Option<usize> {
        if !self.open.is_empty() {
            return None;
        }
        text.iter().position(|byte| !matches!(byte, b' ' | b'\t' | b'\r' | b'\n'))
    }

    /// What the buffer has is not enough.
    fn wait(&mut self, buf: &[u8], last: bool, pos: &mut usize, line: u64) -> Result<(), XmlFailed> {
        let held = buf.len() - *pos;
        if last && self.within > 0 {
            return Err((*pos, SplitErrorKind::XmlCutOff));
        }
        if last && (held > 0 || !self.is_over) {
            return Err((buf.len(), SplitErrorKind::XmlEnd));
        }
        if last && !self.has_records && self.seen.len() > 1 {
            let path = self.records.clone().unwrap_or_else(|| "/*/*".to_owned());
            return Err((buf.len(), SplitErrorKind::XmlNoRecords { path, seen: self.seen.clone() }));
        }
        if self.within == 0 {
            if held > self.limit {
                return Err((*pos, SplitErrorKind::XmlTooDeep));
            }
        } else if self.track.over_limit(held) {
            if self.scan == *pos && held > self.limit {
                // One tag, or one text that is marked as such: nothing of it can be given up.
                return Err((*pos, SplitErrorKind::XmlTooDeep));
            }
            self.track.give_up(&buf[*pos..self.scan], line);
            *pos = self.scan;
        }
        Ok(())
    }
}

/// The tag, or what else begins here, and where that ends; `None`: more bytes must come.
fn token(buf: &[u8], at: usize) -> Option<(XmlToken, usize)> {
    let rest = &buf[at..];
    let behind = |from: usize, mark: &[u8]| {
        memchr::memmem::find(rest.get(from..)?, mark).map(|found| at + from + found + mark.len())
    };
    match rest.get(1)? {
        b'?' => Some((XmlToken::Beside, behind(2, b"?>")?)),
        b'!' if rest.starts_with(b"<!--") => Some((XmlToken::Beside, behind(4, b"-->")?)),
        b'!' if rest.starts_with(b"<![CDATA[") => Some((XmlToken::Text, behind(MARK_BYTES, b"]]>")?)),
        b'!' if rest.len() < MARK_BYTES => None,
        b'!' => {
            let end = tag_end(rest, b'[')?;
            let token = if rest[end - 1] == b'[' { XmlToken::Declares } else { XmlToken::Beside };
            Some((token, at + end))
        }
        b'/' => {
            let end = memchr::memchr(b'>', rest)?;
            let name = name_in(rest, 2, end);
            Some((XmlToken::Close { name: (at + name.0, at + name.1) }, at + end + 1))
        }
        _ => {
            let end = tag_end(rest, b'>')?;
            let is_empty = end > 2 && rest[end - 2] == b'/';
            let name = name_in(rest, 1, end - 1 - usize::from(is_empty));
            Some((XmlToken::Open { name: (at + name.0, at + name.1), is_empty }, at + end))
        }
    }
}

/// Behind the byte that ends a tag outside of quotes: `>`, or another one.
fn tag_end(rest: &[u8], other: u8) -> Option<usize> {
    let mut quote = None;
    for (i, byte) in rest.iter().enumerate() {
        match (quote, byte) {
            (Some(open), byte) if open == *byte => quote = None,
            (Some(_), _) => {}
            (None, b'"' | b'\'') => quote = Some(*byte),
            (None, byte) if *byte == b'>' || *byte == other => return Some(i + 1),
            (None, _) => {}
        }
    }
    None
}

fn name_in(rest: &[u8], from: usize, to: usize) -> (usize, usize) {
    let name = &rest[from.min(to)..to];
    let length = name.iter().position(|byte| byte.is_ascii_whitespace()).unwrap_or(name.len());
    (from.min(to), from.min(to) + length)
}
