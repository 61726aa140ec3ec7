//! The header of delimiter-separated values: the first record of a source names the columns.
//!
//! It is read from the start of the source, also by a resume: the splitter begins behind it.

use super::fix_names::fix_names;
use super::nul::clean_bytes;
use super::shorten::shorten;
use super::split::{Limits, Splitter};
use super::{DecodeLimits, Dialect, Format, HeaderRule, OnNul, decode};
use crate::record::{Position, SpanKind};

/// Longest header in bytes: a table has at most 1,600 columns with names of at most 63 bytes.
const HEADER_BYTES: usize = 1024 * 1024;

/// What a header is held to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeaderLimits {
    /// Longest header in bytes.
    pub bytes: usize,
    /// Most names in it: as many as a record may have fields.
    pub fields: usize,
    /// What becomes of NUL in a name.
    pub on_nul: OnNul,
}

impl Default for HeaderLimits {
    fn default() -> Self {
        let DecodeLimits { fields, on_nul, .. } = DecodeLimits::default();
        Self { bytes: HEADER_BYTES, fields, on_nul }
    }
}

/// The names of the columns, and where the records begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// One name a column, in order. Empty if the source is empty.
    pub names: Vec<String>,
    /// What was done about names under [`HeaderRule::Fix`], in words.
    pub fixed: Vec<String>,
    /// The end of the header (before its line end): where the splitter begins.
    pub end: Position,
}

/// Why the first record cannot name the columns.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    /// A column without a name.
    #[error("column {column} of the header has no name")]
    Empty {
        /// Its number, from 1.
        column: usize,
    },
    /// The same name twice.
    #[error("columns {first} and {second} of the header are both named {name:?}")]
    Duplicate {
        /// The name, shortened for people.
        name: String,
        /// Number of the first column with it, from 1.
        first: usize,
        /// Number of the second.
        second: usize,
    },
    /// The header does not end.
    #[error("the header (line {line}) is longer than {limit} bytes")]
    TooLong {
        /// Line on which it begins.
        line: u64,
        /// The limit that was passed.
        limit: usize,
    },
    /// More names than a record may have fields.
    #[error("the header has more than {limit} columns")]
    TooManyFields {
        /// The limit that was passed.
        limit: usize,
    },
    /// A quote that does not end.
    #[error("the header (line {line}) has a quote that is never closed")]
    Unclosed {
        /// Line on which it begins.
        line: u64,
    },
    /// The header is not text in the expected encoding.
    #[error("the header (line {line}) is unreadable: {reason}")]
    Undecodable {
        /// Line on which it begins.
        line: u64,
        /// What is wrong with the text.
        reason: decode::DecodeErrorKind,
    },
}

impl HeaderError {
    /// What the user can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Empty { .. } | Self::Duplicate { .. } => {
                "--header fix numbers such names; or pass over the header, or over a title above it, with --skip-lines N, and \
                 name the columns with --columns (--extra ignore leaves out those that the table has not)"
                    .into()
            }
            Self::TooLong { .. } => {
                "is this the right --format, delimiter and quote? (--max-header-bytes allows more)".into()
            }
            Self::TooManyFields { .. } => {
                "is this the right --format and delimiter? (--max-fields allows more)".into()
            }
            Self::Undecodable { reason: decode::DecodeErrorKind::Nul, .. } => {
                "--on-nul strip or replace, if the rest of it is good".into()
            }
            Self::Undecodable { reason: decode::DecodeErrorKind::InvalidUtf8, .. } => {
                "if it is text in another encoding, say which: --encoding NAME".into()
            }
            Self::Unclosed { .. } | Self::Undecodable { .. } => {
                "is this the right --format, delimiter and quote?".into()
            }
        })
    }
}

/// Reads the header from the first bytes of a stream. `None`: more bytes must come. `last`: none will.
/// With `Dialect::columns` nothing is read; those are the names.
///
/// # Errors
/// When the first record cannot name the columns.
pub fn read_header(
    dialect: &Dialect,
    source: u32,
    bytes: &[u8],
    last: bool,
    limits: &HeaderLimits,
) -> Result<Option<Header>, HeaderError> {
    let limit = limits.bytes;
    let Some(skipped) = after_lines(bytes, last, dialect.skip_lines) else {
        return if bytes.len() > limit { Err(HeaderError::TooLong { line: 1, limit }) } else { Ok(None) };
    };
    let start = Position {
        offset: skipped as u64,
        line: 1 + u64::from(dialect.skip_lines),
        ..Position::start_of(source)
    };
    let bytes = &bytes[skipped..];
    if let Some(names) = &dialect.columns {
        check_names(names)?;
        return Ok(Some(Header { names: names.clone(), fixed: Vec::new(), end: start }));
    }
    let mut spans = Vec::new();
    let mut splitter = Splitter::new(&Format::Csv(dialect.clone()), Limits { record_bytes: limit }, start);
    let Ok(consumed) = splitter.split(bytes, last, &mut spans) else { return Ok(None) };
    let Some(span) = spans.first() else {
        if last {
            return Ok(Some(Header { names: Vec::new(), fixed: Vec::new(), end: splitter.position() }));
        }
        // Past the limit, a splitter gives up on the record and consumes it.
        return if consumed > limit {
            Err(HeaderError::TooLong { line: start.line, limit })
        } else {
            Ok(None)
        };
    };
    let line = span.line;
    match span.kind {
        SpanKind::TooLong { .. } => return Err(HeaderError::TooLong { line, limit }),
        SpanKind::Truncated => return Err(HeaderError::Unclosed { line }),
        SpanKind::Whole | SpanKind::Made { .. } | SpanKind::Missing | SpanKind::Ragged { .. } => {}
    }
    let raw = &bytes[span.start as usize..span.end as usize];
    let raw = clean_bytes(raw, limits.on_nul);
    if decode::field_count(dialect, &raw) > limits.fields {
        return Err(HeaderError::TooManyFields { limit: limits.fields });
    }
    let mut names = decode::header_names(dialect, &raw)
        .map_err(|error| HeaderError::Undecodable { line, reason: error.kind })?;
    if dialect.trailing_delimiter && names.len() > 1 {
        // It may end the other lines alone.
        names.pop_if(|last| last.is_empty());
    }
    let fixed = match dialect.header {
        HeaderRule::Strict => check_names(&names).map(|()| Vec::new())?,
        HeaderRule::Fix => fix_names(&mut names),
    };
    // The header is no record: counting begins behind it.
    let end = Position { source, offset: span.end_offset, record: 0, line: span.end_line };
    Ok(Some(Header { names, fixed, end }))
}

impl Format {
    /// The names of the fields, and where the records begin. A format without a header begins with them, and
    /// has no names.
    ///
    /// # Errors
    /// As [`read_header`].
    pub fn read_header(
        &self,
        source: u32,
        bytes: &[u8],
        last: bool,
        limits: &HeaderLimits,
    ) -> Result<Option<Header>, HeaderError> {
        match self {
            Self::Csv(dialect) => read_header(dialect, source, bytes, last, limits),
            Self::Fixed(fixed) => read_header(&fixed.lines(), source, bytes, last, limits),
            Self::Jsonl
            | Self::Json { .. }
            | Self::JsonColumns { .. }
            | Self::Xml { .. }
            | Self::Bulk
            | Self::Rejects
            | Self::Columns { .. } => {
                Ok(Some(Header { names: Vec::new(), fixed: Vec::new(), end: Position::start_of(source) }))
            }
        }
    }
}

/// Where the line behind so many begins: all the bytes if there are fewer lines. `None`: more bytes must come
/// to tell.
#[must_use]
pub fn after_lines(bytes: &[u8], last: bool, lines: u32) -> Option<usize> {
    let mut at = 0;
    for _ in 0..lines {
        at = match memchr::memchr2(b'\n', b'\r', &bytes[at..]).map(|end| at + end) {
            Some(end) if bytes[end] == b'\n' => end + 1,
            Some(end) => match bytes.get(end + 1) {
                Some(b'\n') => end + 2,
                Some(_) => end + 1,
                None if last => end + 1,
                None => return None,
            },
            None if last => bytes.len(),
            None => return None,
        };
    }
    Some(at)
}

fn check_names(names: &[String]) -> Result<(), HeaderError> {
    let mut seen = std::collections::HashMap::with_capacity(names.len());
    for (i, name) in names.iter().enumerate() {
        if name.is_empty() {
            return Err(HeaderError::Empty { column: i + 1 });
        }
        if let Some(first) = seen.insert(name.as_str(), i + 1) {
            return Err(HeaderError::Duplicate { name: shorten(name), first, second: i + 1 });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::LineEnd;

    #[test]
    fn lines_before_the_header_are_passed_over_with_any_line_end() {
        let read = |text: &str, skip_lines, columns: Option<&str>| {
            let columns = columns.map(|name| vec![name.to_owned()]);
            let line_end = if text.contains('\n') { LineEnd::Feed } else { LineEnd::Return };
            let dialect = Dialect { skip_lines, columns, line_end, ..Dialect::delimited_by(b',') };
            let limits = HeaderLimits::default();
            let whole = read_header(&dialect, 0, text.as_bytes(), true, &limits).unwrap();
            // However few of the bytes are there, it says the same or asks for more.
            for cut in 0..text.len() {
                let early = read_header(&dialect, 0, &text.as_bytes()[..cut], false, &limits).unwrap();
                assert!(early.is_none() || early == whole, "{text:?} cut at {cut}");
            }
            let Header { names, end, .. } = whole.unwrap();
            (names.join("|"), end.offset, end.line)
        };
        assert_eq!(read("title\na,b\n1,2\n", 1, None), ("a|b".to_owned(), 9, 2));
        assert_eq!(read("\u{feff}title\r\n\r\na,b\r\n1,2", 2, None), ("a|b".to_owned(), 15, 3));
        assert_eq!(read("title\rof 2\ra,b\r1,2", 2, None), ("a|b".to_owned(), 14, 3));
        assert_eq!(read("bad,bad\n1\n", 1, Some("a")), ("a".to_owned(), 8, 2));
        assert_eq!(read("only\n", 3, None), (String::new(), 5, 4));
    }
}
