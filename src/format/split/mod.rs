//! Finds records in the bytes of a stream: one forward scan, bounded memory, quote- and bracket-aware.
//!
//! Same records for every way of cutting the same bytes. A span begins at the first byte of its record and
//! ends before the terminator; what lies between spans (blank lines, commas, brackets) is no record. A
//! resume point is the end of a record. Never judges what is inside a record: that is `decode`'s.

mod csv;
mod json;
mod lines;
mod path;
#[cfg(test)]
mod tests;
mod track;

pub use track::HEAD_BYTES;

use super::Format;
use crate::record::{Position, Span};

/// Longest record, in bytes: far above any sane row, far below what hurts; a row of PostgreSQL ends at 1 GB
/// and a COPY line near it, but a batch must hold several.
pub const RECORD_BYTES: usize = 8 * 1024 * 1024;

/// A buffer is looked at in parts of at most this many bytes, so that offsets in it fit in 32 bits.
const MAX_BUFFER_BYTES: usize = 1 << 31;

const BOM: &[u8] = b"\xef\xbb\xbf";

/// What a splitter holds its records to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Longest record in bytes, without its terminator.
    pub record_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { record_bytes: RECORD_BYTES }
    }
}

/// Why no more records can be found in a source, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{kind} (line {line}, byte {offset})")]
pub struct SplitError {
    /// What is wrong with the text.
    pub kind: SplitErrorKind,
    /// Bytes of the decoded stream before the place.
    pub offset: u64,
    /// Line (1-based) of the place.
    pub line: u64,
}

/// What a [`SplitError`] is about.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SplitErrorKind {
    /// The source ends although a bracket is still open.
    #[error("the JSON text ends before its last bracket is closed")]
    UnexpectedEnd,
    /// The source ends inside a record.
    #[error("the JSON text ends inside the record that begins here: a bracket or a quote is never closed")]
    CutOff,
    /// A byte that cannot stand where it stands.
    #[error("found {} where {expected} must stand", show_byte(*.found))]
    Unexpected {
        /// The byte that was found instead.
        found: u8,
        /// What could have stood there.
        expected: &'static str,
    },
    /// `--records` names a member that is not there.
    #[error("found no member {missing:?} on the way to the records at {path:?}")]
    PathNotFound {
        /// The path as the user gave it.
        path: String,
        /// The member that is missing.
        missing: String,
        /// Members of the top-level object, as far as they were seen.
        seen: Vec<String>,
    },
    /// `--records` leads to, or through, something else.
    #[error("expected {expected} at {at}, found {found}")]
    PathNotRecords {
        /// Where on the path.
        at: String,
        /// What must stand there.
        expected: &'static str,
        /// What stands there instead of it.
        found: &'static str,
    },
    /// A member name on the way to the records is longer than a record may be.
    #[error("found a member name longer than a record may be on the way to the records")]
    NameTooLong,
}

impl SplitError {
    /// What the user can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match &self.kind {
            SplitErrorKind::UnexpectedEnd | SplitErrorKind::CutOff => {
                Some("the source seems to be cut off; fetch it again, then run the same command".into())
            }
            SplitErrorKind::Unexpected { .. } => {
                Some("if this is not JSON text, say what it is with --format".into())
            }
            SplitErrorKind::PathNotFound { seen, .. } if seen.is_empty() => None,
            SplitErrorKind::PathNotFound { seen, .. } => {
                let names: Vec<String> = seen.iter().map(|name| name.escape_debug().to_string()).collect();
                let is_refusal =
                    names.iter().any(|name| matches!(name.as_str(), "error" | "errors" | "message"));
                let look = if is_refusal { "; it seems to be an error: look at it" } else { "" };
                Some(format!("the document has these members: {}{look}", names.join(", ")))
            }
            SplitErrorKind::PathNotRecords { .. } | SplitErrorKind::NameTooLong => Some(
                "--records takes the path to an array of objects, such as data.items or /data/items".into(),
            ),
        }
    }
}

fn show_byte(byte: u8) -> String {
    if byte.is_ascii_graphic() { format!("`{}`", byte as char) } else { format!("byte 0x{byte:02x}") }
}

/// Finds the records of one source. Made for a place in it; fed the bytes from there on.
pub struct Splitter(SplitterKind);

enum SplitterKind {
    Lines(lines::Lines),
    Csv(csv::Csv),
    Json(Box<json::Json>),
}

impl Splitter {
    /// A splitter for the bytes behind `at`: the start of a source or the end of a record (`Block::after`).
    /// A CSV header is not its business: with one, `at` is at least `Header::end`.
    #[must_use]
    pub fn new(format: &Format, limits: Limits, at: Position) -> Self {
        let limits = Limits { record_bytes: limits.record_bytes.min(MAX_BUFFER_BYTES / 2) };
        Self(match format {
            Format::Jsonl | Format::Rejects => SplitterKind::Lines(lines::Lines::new(limits, at)),
            Format::Csv(dialect) => SplitterKind::Csv(csv::Csv::new(dialect, limits, at)),
            Format::Json { records } => {
                SplitterKind::Json(Box::new(json::Json::new(records.as_deref(), limits, at)))
            }
        })
    }

    /// Finds the whole records in `buf`, the next bytes of the stream. Returns how many bytes are done with;
    /// the caller offers the rest again with more behind. `last`: no more bytes follow.
    ///
    /// Spans are relative to `buf` and lie in the part that is done with. `Ok(0)` without a span asks for
    /// more bytes. Behind the end the caller goes on until it gets no span: an error that comes behind good
    /// records is kept for the call after them.
    ///
    /// # Errors
    /// When no more records can be found: a JSON document that is none, or has no array where it must be.
    pub fn split(&mut self, buf: &[u8], last: bool, out: &mut Vec<Span>) -> Result<usize, SplitError> {
        let part = &buf[..buf.len().min(MAX_BUFFER_BYTES)];
        let last = last && part.len() == buf.len();
        match &mut self.0 {
            SplitterKind::Lines(lines) => Ok(lines.split(part, last, out)),
            SplitterKind::Csv(csv) => Ok(csv.split(part, last, out)),
            SplitterKind::Json(json) => json.split(part, last, out),
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
            SplitterKind::Csv(csv) => csv.track.take_head(),
            SplitterKind::Json(json) => json.track.take_head(),
        }
    }

    fn track(&self) -> &track::Track {
        match &self.0 {
            SplitterKind::Lines(lines) => &lines.track,
            SplitterKind::Csv(csv) => &csv.track,
            SplitterKind::Json(json) => &json.track,
        }
    }
}

/// Bytes of a byte order mark at the start of a stream, or `None` if more bytes must come to tell.
fn bom_length(offset: u64, buf: &[u8], last: bool) -> Option<usize> {
    if offset > 0 || !buf.starts_with(&BOM[..BOM.len().min(buf.len())]) {
        return Some(0);
    }
    if buf.len() >= BOM.len() {
        return Some(BOM.len());
    }
    if last { Some(0) } else { None }
}

/// White space of JSON.
const fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}
