//! Why a record could not be decoded.

use crate::reject_codes;

/// Why a record could not be decoded, and where in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{kind}{}", place_words(*.offset, *.column))]
pub struct DecodeError {
    /// What is wrong with the text.
    pub kind: DecodeErrorKind,
    /// Bytes of the record before the place.
    pub offset: usize,
    /// Lines of the record before the place: 0 on its first line.
    pub line: usize,
    /// Bytes of that line before the place, and one; 0: the record has no bytes.
    pub column: usize,
}

fn place_words(offset: usize, column: usize) -> String {
    if column == 0 { String::new() } else { format!(" (byte {} of the record)", offset + 1) }
}

/// What a [`DecodeError`] is about. Names are shortened; values never appear.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeErrorKind {
    /// Longer than the limit: it was not read.
    #[error("the record is too long: {record_bytes} bytes (--max-record-bytes allows more)")]
    TooLong {
        /// Length of the record, in bytes.
        record_bytes: u64,
    },
    /// The source ended inside it.
    #[error(
        "the quote that opens here is never closed, so that the rest of the source is in this record ({lines} lines); \
         --quote none if quotes are plain characters"
    )]
    Truncated {
        /// Lines that it spans.
        lines: usize,
    },
    /// Bytes that are no UTF-8, or were none in the source's encoding.
    #[error("invalid UTF-8, or no character of the source's encoding (--encoding NAME says which it is)")]
    InvalidUtf8,
    /// A NUL byte, which PostgreSQL's text cannot hold.
    #[error("a NUL byte, which text cannot hold (--on-nul strip or replace takes it)")]
    Nul,
    /// The record is no JSON value.
    #[error("malformed JSON: {0}")]
    Json(String),
    /// The record is no element that can be read.
    #[error("malformed XML: {0}")]
    Xml(String),
    /// A record of the bulk format that is no document to be stored.
    #[error("{0}")]
    Action(String),
    /// JSON, but no object.
    #[error("expected a JSON object, found {0}")]
    NotAnObject(&'static str),
    /// The same member twice.
    #[error("the member {0:?} occurs twice")]
    DuplicateName(String),
    /// A cell of a sheet that has no value.
    #[error("the cell of column {name:?} is no value: {what}")]
    Cell {
        /// Name of the column.
        name: String,
        /// What stands in it.
        what: String,
    },
    /// More fields than the limit.
    #[error("more than {0} fields (--max-fields allows more)")]
    TooManyFields(usize),
    /// Nested deeper than the limit.
    #[error("the member {name:?} is nested deeper than {limit} levels (--max-depth allows more)")]
    TooDeep {
        /// Name of the member that the error is about.
        name: String,
        /// The limit that was passed.
        limit: usize,
    },
    /// Another number of fields than the header has.
    #[error("expected {expected} fields as in the header, found {found}")]
    Ragged {
        /// Names in the header.
        expected: usize,
        /// Fields in the record.
        found: usize,
    },
    /// The way of `--records` or `--unnest` does not lead to a record in this piece.
    #[error("no record is where --records or --unnest says that it is in this one")]
    Missing,
    /// Fields without the delimiter that ends each line, or with text behind it.
    #[error(
        "expected {expected} fields and a delimiter at the end, as in the first lines; found {found} fields"
    )]
    NoTrailingDelimiter {
        /// Names in the header.
        expected: usize,
        /// Fields in the record, with the one behind the last delimiter.
        found: usize,
    },
    /// A quoted field that goes on behind its quote.
    #[error(
        "text behind the closing quote of a field{} (--escape '\\' if a backslash stands before quotes that are data, \
         --quote none if quotes are plain characters)", lines_words(*.lines)
    )]
    TextBehindQuote {
        /// Lines of the record.
        lines: usize,
    },
    /// A field begins with a quote, and none did where that was judged.
    #[error(
        "a field begins with a quote, and none in the first 64 KiB of this source does (--quote '\"' if fields are quoted, \
         --quote none if quotes are plain characters)"
    )]
    QuotesUnseen,
    /// A line end that ends no line here.
    #[error("a lone {0} in a field without quotes, where lines do not end so")]
    StrayLineEnd(&'static str),
    /// The record ends with the character that escapes the next one.
    #[error("the record ends with an escape character, and nothing behind it")]
    DanglingEscape,
    /// The decoder does not see one record where the splitter did.
    #[error("the text is no single CSV record")]
    NotOneRecord,
    /// A reject that holds only raw text.
    #[error("raw text: mend it into `record`")]
    RawReject,
    /// A reject without its record.
    #[error(
        "this line does not hold the record, which was too long to be kept: load its source with a larger --max-record-bytes, \
         or put it into `record`"
    )]
    EmptyReject,
}

/// What a quote that closes far below its own line takes with it.
fn lines_words(lines: usize) -> String {
    if lines == 1 { String::new() } else { format!(", so that {lines} lines are in this record") }
}

impl DecodeErrorKind {
    /// The class PostgreSQL would give it.
    #[must_use]
    pub fn sqlstate(&self) -> &'static str {
        match self {
            Self::InvalidUtf8 | Self::Nul => reject_codes::NOT_TEXT,
            Self::TooLong { .. } | Self::TooManyFields(_) | Self::TooDeep { .. } => {
                reject_codes::BEYOND_LIMITS
            }
            Self::Json(_) | Self::NotAnObject(_) => reject_codes::NO_JSON,
            Self::Xml(_) => reject_codes::NO_RECORD,
            Self::DuplicateName(_) => reject_codes::DUPLICATE_MEMBER,
            Self::Truncated { .. }
            | Self::Ragged { .. }
            | Self::Cell { .. }
            | Self::Action(_)
            | Self::Missing
            | Self::NoTrailingDelimiter { .. }
            | Self::TextBehindQuote { .. }
            | Self::QuotesUnseen
            | Self::StrayLineEnd(_)
            | Self::DanglingEscape
            | Self::NotOneRecord
            | Self::RawReject
            | Self::EmptyReject => reject_codes::NO_RECORD,
        }
    }

    /// What the user can do where no record can be read.
    #[must_use]
    pub fn hint_of_all(&self) -> &'static str {
        match self {
            Self::Ragged { .. } | Self::NoTrailingDelimiter { .. } => {
                "is it another --delimiter? --skip-lines N passes over lines above the header, --columns A,B names the fields \
                 where there is none"
            }
            Self::NotAnObject("an array") => {
                "--format json reads the objects in arrays, and --columns A,B names the values of rows"
            }
            Self::Json(_) => {
                "--format json reads objects that span lines or stand in one; else it is to be mended: JSON has names and texts \
                 in double quotes, no NaN and no comments"
            }
            Self::NotAnObject(_)
            | Self::DuplicateName(_)
            | Self::Xml(_)
            | Self::Action(_)
            | Self::Missing => "say what it is with --format, and where its records are with --records",
            Self::Cell { .. } => "is this the right --sheet and --range? A formula that fails has no value",
            Self::InvalidUtf8 => "say its encoding: --encoding NAME",
            Self::Nul => "--on-nul strip or replace, if the rest of it is good",
            Self::TooLong { .. } | Self::TooManyFields(_) | Self::TooDeep { .. } => {
                "is this the right --format and --delimiter? The limit is a flag too"
            }
            Self::Truncated { .. }
            | Self::TextBehindQuote { .. }
            | Self::QuotesUnseen
            | Self::StrayLineEnd(_)
            | Self::DanglingEscape
            | Self::NotOneRecord => "is this the right --format, --delimiter, --quote and --escape?",
            Self::RawReject | Self::EmptyReject => "mend the records in the reject file first",
        }
    }

    /// The error at `offset` of the record `raw`.
    pub(super) fn at(self, raw: &[u8], offset: usize) -> DecodeError {
        let before = &raw[..offset.min(raw.len())];
        let line_start = memchr::memrchr(b'\n', before).map_or(0, |i| i + 1);
        DecodeError {
            kind: self,
            offset,
            line: memchr::memchr_iter(b'\n', before).count(),
            column: before.len() - line_start + 1,
        }
    }
}
