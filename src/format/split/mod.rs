//! Finds records in the bytes of a stream: one forward scan, bounded memory, quote- and bracket-aware.
//!
//! Same records for every way of cutting the same bytes. A span begins at the first byte of its record and
//! ends before the terminator; what lies between spans (blank lines, commas, brackets) is no record. A
//! resume point is the end of a record. Never judges what is inside a record: that is `decode`'s.

mod blank;
mod bulk;
mod csv;
mod error;
mod json;
mod limits;
mod lines;
mod path;
#[cfg(test)]
mod tests;
mod track;
mod xml;

pub use error::{SplitError, SplitErrorKind};
pub use limits::{Limits, RECORD_BYTES};
pub use track::HEAD_BYTES;

use super::Format;
use crate::record::{Position, Span};

/// A buffer is looked at in parts of at most this many bytes, so that offsets in it fit in 32 bits.
const MAX_BUFFER_BYTES: usize = 1 << 31;

/// Finds the records of one source. Made for a place in it; fed the bytes from there on.
pub struct Splitter(SplitterKind);

enum SplitterKind {
    Lines(lines::Lines),
    Bulk(bulk::Bulk),
    Csv(csv::Csv),
    Json(Box<json::Json>),
    Xml(Box<xml::Xml>),
}

impl Splitter {
    /// A splitter for the bytes behind `at`: the start of a source or the end of a record (`Block::after`).
    /// A CSV header is not its business: with one, `at` is at least `Header::end`.
    #[must_use]
    pub fn new(format: &Format, limits: Limits, at: Position) -> Self {
        let limits = Limits { record_bytes: limits.record_bytes.min(MAX_BUFFER_BYTES / 2) };
        Self(match format {
            // Columns are never split.
            Format::Jsonl | Format::Rejects | Format::Columns { .. } => {
                SplitterKind::Lines(lines::Lines::new(limits, at))
            }
            Format::Csv(dialect) => SplitterKind::Csv(csv::Csv::new(dialect, limits, at)),
            Format::Fixed(fixed) => SplitterKind::Csv(csv::Csv::new(&fixed.lines(), limits, at)),
            Format::Xml { records } => {
                SplitterKind::Xml(Box::new(xml::Xml::new(records.as_deref(), limits, at)))
            }
            Format::Bulk => SplitterKind::Bulk(bulk::Bulk::new(limits, at)),
            Format::Json { records } | Format::JsonColumns { records } => {
                SplitterKind::Json(Box::new(json::Json::new(records.as_deref(), limits, at)))
            }
        })
    }

    /// The same where each record has one field: an empty line of COPY's text is one then, the empty text.
    #[must_use]
    pub fn of_one_field(mut self, is_one: bool) -> Self {
        if let SplitterKind::Csv(csv) = &mut self.0
            && is_one
        {
            csv.of_one_field();
        }
        self
    }

    /// Finds the whole records in `buf`, the next bytes of the stream. Returns how many bytes are done with;
    /// the caller offers the rest again with more behind. `last`: no more bytes follow.
    ///
    /// Spans are relative to `buf` and lie in the part that is done with. `Ok(0)` without a span asks for
    /// more bytes. Behind the end the caller goes on until it gets no span: an error that comes behind good
    /// records is kept for the call after them.
    ///
    /// # Errors
    /// When no more records can be found: a JSON document that is none, or has no array where it must be;
    /// text behind the end of COPY's.
    pub fn split(&mut self, buf: &[u8], last: bool, out: &mut Vec<Span>) -> Result<usize, SplitError> {
        let part = &buf[..buf.len().min(MAX_BUFFER_BYTES)];
        let last = last && part.len() == buf.len();
        match &mut self.0 {
            SplitterKind::Lines(lines) => Ok(lines.split(part, last, out)),
            SplitterKind::Bulk(bulk) => Ok(bulk.split(part, last, out)),
            SplitterKind::Csv(csv) => csv.split(part, last, out),
            SplitterKind::Json(json) => json.split(part, last, out),
            SplitterKind::Xml(xml) => xml.split(part, last, out),
        }
    }

    /// The resume point behind the records found so far (and behind blank lines, where that is safe).
    #[must_use]
    pub fn position(&self) -> Position {
        self.track().position()
    }

    /// The first bytes ([`HEAD_BYTES`] at most) of the record that the last call reported as too long with an
    /// empty span, because they had left the buffer before.
    pub fn take_head(&mut self) -> Option<Vec<u8>> {
        match &mut self.0 {
            SplitterKind::Lines(lines) => lines.track.take_head(),
            SplitterKind::Bulk(bulk) => bulk.track.take_head(),
            SplitterKind::Csv(csv) => csv.track.take_head(),
            SplitterKind::Json(json) => json.track.take_head(),
            SplitterKind::Xml(xml) => xml.track.take_head(),
        }
    }

    fn track(&self) -> &track::Track {
        match &self.0 {
            SplitterKind::Lines(lines) => &lines.track,
            SplitterKind::Bulk(bulk) => &bulk.track,
            SplitterKind::Csv(csv) => &csv.track,
            SplitterKind::Json(json) => &json.track,
            SplitterKind::Xml(xml) => &xml.track,
        }
    }
}
