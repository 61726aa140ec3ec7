//! Finds the fields in records. Every span of a block yields fields or an error, in order.
//!
//! Strict: what is no proper JSON object, or has not as many values as the header has names, is an error of
//! that record alone. Never changes a value, never shows one in an error. Pure.

#[cfg_attr(not(feature = "csv"), path = "csv_absent.rs")]
mod csv;
mod flat;
mod object;
mod rejects;
#[cfg(test)]
mod tests;
mod words;

use std::borrow::Cow;

use super::nul::clean_json;
use super::{Fields, Format, OnNul, shorten};
use crate::record::{Block, Content, SpanKind, Text};
use crate::reject_codes;

pub(super) use csv::{field_count, header_names};
pub(super) use rejects::is_reject;
pub use rejects::{KeptReject, RejectOriginal};

/// Deepest nesting of a value: PostgreSQL's own JSON parser gives up at a few thousand levels (its stack),
/// and no sane record comes near.
const DEPTH: usize = 1_000;

/// Most fields in a record: PostgreSQL has at most 1,600 columns; the rest is room for ignored ones.
const FIELDS: usize = 10_000;

/// What decoding holds a record to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DecodeLimits {
    /// Brackets open at once in a value.
    pub depth: usize,
    /// Fields in a record.
    pub fields: usize,
    /// What becomes of NUL and lone surrogates.
    pub on_nul: OnNul,
}

impl Default for DecodeLimits {
    fn default() -> Self {
        Self { depth: DEPTH, fields: FIELDS, on_nul: OnNul::Reject }
    }
}

/// Why a record could not be decoded, and where in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{kind} (byte {} of the record)", self.offset + 1)]
pub struct DecodeError {
    /// What is wrong with the text.
    pub kind: DecodeErrorKind,
    /// Bytes of the record before the place.
    pub offset: usize,
    /// Lines of the record before the place: 0 on its first line.
    pub line: usize,
    /// Bytes of that line before the place, and one.
    pub column: usize,
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
    /// JSON, but no object.
    #[error("expected a JSON object, found {0}")]
    NotAnObject(&'static str),
    /// The same member twice.
    #[error("the member {0:?} occurs twice")]
    DuplicateName(String),
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
    /// The CSV parser does not see one record where the splitter did.
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
            Self::DuplicateName(_) => reject_codes::DUPLICATE_MEMBER,
            Self::Truncated { .. }
            | Self::Ragged { .. }
            | Self::NotOneRecord
            | Self::RawReject
            | Self::EmptyReject => reject_codes::NO_RECORD,
        }
    }

    /// The error at `offset` of the record `raw`.
    fn at(self, raw: &[u8], offset: usize) -> DecodeError {
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

/// Receives the fields of the `i`th record of a block.
pub type Each<'e> = dyn FnMut(usize, Result<Fields<'_, '_>, DecodeError>) + 'e;

/// Decodes each record of the block in order: `each` is called exactly once a span. `header` names the
/// columns of delimiter-separated values; the other formats name their own.
pub fn decode_block(
    format: &Format,
    header: &[String],
    block: &Block,
    limits: &DecodeLimits,
    each: &mut Each<'_>,
) {
    let Content::Text(records) = &block.content;
    match format {
        Format::Csv(dialect) => csv::decode(dialect, header.len(), records, limits, each),
        Format::Jsonl | Format::Json { .. } => {
            let text = BlockText::new(records);
            let mut members = Vec::new();
            for i in 0..records.spans.len() {
                match whole(records, i).map(|raw| clean_json(raw, limits.on_nul)) {
                    Err(error) => each(i, Err(error)),
                    Ok(Cow::Borrowed(_)) => {
                        let read = text.of(i).and_then(|text| object::members(text, limits, &mut members));
                        each(i, read.map(|()| Fields::Named(&members)));
                    }
                    Ok(Cow::Owned(raw)) => {
                        let mut members = Vec::new();
                        let read = text_of(&raw).and_then(|text| object::members(text, limits, &mut members));
                        each(i, read.map(|()| Fields::Named(&members)));
                    }
                }
            }
        }
        Format::Rejects => {
            for i in 0..records.spans.len() {
                let raw = whole(records, i).map(|raw| clean_json(raw, limits.on_nul));
                match raw.as_deref().map_err(Clone::clone).and_then(text_of) {
                    Ok(text) => rejects::decode(text, limits, &mut |fields| each(i, fields)),
                    Err(error) => each(i, Err(error)),
                }
            }
        }
    }
}

/// The bytes of a record, if they are the whole of it.
fn whole(records: &Text, i: usize) -> Result<&[u8], DecodeError> {
    let raw = records.raw(i);
    match records.spans[i].kind {
        SpanKind::Whole => Ok(raw),
        SpanKind::TooLong { record_bytes } => Err(DecodeErrorKind::TooLong { record_bytes }.at(raw, 0)),
        SpanKind::Truncated => {
            let lines = memchr::memchr_iter(b'\n', raw).count() + 1;
            Err(DecodeErrorKind::Truncated { lines }.at(raw, 0))
        }
    }
}

/// Where a byte is next, or the end. Fields and strings are short, mostly: a look at some words beats setting
/// up a search.
fn find(byte: u8, raw: &[u8], from: usize) -> usize {
    const NEAR: usize = 3;
    let mut at = from;
    for _ in 0..NEAR {
        let Some(word) = raw.get(at..).and_then(<[u8]>::first_chunk) else { break };
        if let Some(i) = first_in(u64::from_le_bytes(*word), byte) {
            return at + i;
        }
        at += size_of::<u64>();
    }
    at + memchr::memchr(byte, &raw[at..]).unwrap_or(raw.len() - at)
}

/// The first byte of a little-endian word that is this one.
fn first_in(word: u64, byte: u8) -> Option<usize> {
    const ONES: u64 = u64::MAX / 0xff;
    // Where it stands there is nothing, from which one cannot be taken without a loan; only bytes above may
    // be wrong then.
    let rest = word ^ (ONES * u64::from(byte));
    let loans = rest.wrapping_sub(ONES) & !rest & (ONES << 7);
    (loans != 0).then(|| loans.trailing_zeros() as usize / 8)
}

/// A block's records as text. Mostly all of it is text, and then no record is looked at by itself.
struct BlockText<'b> {
    records: &'b Text,
    text: Option<&'b str>,
}

impl<'b> BlockText<'b> {
    fn new(records: &'b Text) -> Self {
        Self { records, text: std::str::from_utf8(&records.bytes).ok() }
    }

    fn of(&self, i: usize) -> Result<&'b str, DecodeError> {
        let span = &self.records.spans[i];
        match self.text.and_then(|text| text.get(span.start as usize..span.end as usize)) {
            Some(text) => Ok(text),
            None => text_of(self.records.raw(i)),
        }
    }
}

fn text_of(raw: &[u8]) -> Result<&str, DecodeError> {
    std::str::from_utf8(raw).map_err(|error| DecodeErrorKind::InvalidUtf8.at(raw, error.valid_up_to()))
}
