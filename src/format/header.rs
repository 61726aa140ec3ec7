//! The header of delimiter-separated values: the first record of a source names the columns.
//!
//! It is read from the start of the source, also by a resume: the splitter begins behind it.

use super::nul::clean_bytes;
use super::split::{Limits, Splitter};
use super::{DecodeLimits, Dialect, Format, OnNul, decode, shorten};
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
        /// The name, shortened.
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
        /// The limit.
        limit: usize,
    },
    /// More names than a record may have fields.
    #[error("the header has more than {limit} columns")]
    TooManyFields {
        /// The limit.
        limit: usize,
    },
    /// A quote that does not end.
    #[error("the header (line {line}) has a quote that is never closed")]
    Unclosed {
        /// Line on which it begins.
        line: u64,
    },
    /// Not text.
    #[error("the header (line {line}) is unreadable: {reason}")]
    Undecodable {
        /// Line on which it begins.
        line: u64,
        /// What is wrong.
        reason: decode::DecodeErrorKind,
    },
}

impl HeaderError {
    /// What the user can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Empty { .. } | Self::Duplicate { .. } => {
                "name the columns with --columns, or mend the header".into()
            }
            Self::TooLong { .. } => {
                "is this the right --format, delimiter and quote? (--max-header-bytes allows more)".into()
            }
            Self::TooManyFields { .. } => {
                "is this the right --format and delimiter? (--max-fields allows more)".into()
            }
            Self::Unclosed { .. } => "is this the right --format, delimiter and quote?".into(),
            Self::Undecodable { reason: decode::DecodeErrorKind::Nul, .. } => {
                "--on-nul strip or replace, if the rest of it is good".into()
            }
            Self::Undecodable { .. } => {
                "if it is text in another encoding, say which: --encoding NAME".into()
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
    let start = Position::start_of(source);
    if let Some(names) = &dialect.columns {
        check_names(names)?;
        return Ok(Some(Header { names: names.clone(), end: start }));
    }
    let mut spans = Vec::new();
    let limit = limits.bytes;
    let mut splitter = Splitter::new(&Format::Csv(dialect.clone()), Limits { record_bytes: limit }, start);
    let Ok(consumed) = splitter.split(bytes, last, &mut spans) else { return Ok(None) };
    let Some(span) = spans.first() else {
        if last {
            return Ok(Some(Header { names: Vec::new(), end: splitter.position() }));
        }
        // Past the limit, a splitter gives up on the record and consumes it.
        return if consumed > limit { Err(HeaderError::TooLong { line: 1, limit }) } else { Ok(None) };
    };
    let line = span.line;
    match span.kind {
        SpanKind::TooLong { .. } => return Err(HeaderError::TooLong { line, limit }),
        SpanKind::Truncated => return Err(HeaderError::Unclosed { line }),
        SpanKind::Whole => {}
    }
    let raw = &bytes[span.start as usize..span.end as usize];
    let raw = clean_bytes(raw, limits.on_nul);
    if decode::field_count(dialect, &raw) > limits.fields {
        return Err(HeaderError::TooManyFields { limit: limits.fields });
    }
    let names = decode::header_names(dialect, &raw)
        .map_err(|error| HeaderError::Undecodable { line, reason: error.kind })?;
    check_names(&names)?;
    // The header is no record: counting begins behind it.
    let end = Position { source, offset: span.end_offset, record: 0, line: span.end_line };
    Ok(Some(Header { names, end }))
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
