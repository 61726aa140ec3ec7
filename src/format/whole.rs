//! The records of a small text that is in memory as a whole.

use bytes::Bytes;

use super::header::{HeaderError, HeaderLimits};
use super::split::{Limits, SplitError, Splitter};
use super::{DecodeError, DecodeLimits, Dialect, Fields, Format, decode_block};
use crate::record::{Block, Text};

/// Why a text has no records that can be told.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum TextError {
    /// Its first line names no columns.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// Where its records are cannot be told.
    #[error(transparent)]
    Split(#[from] SplitError),
}

/// Gets the line that a record begins on, the names of positional fields, and the fields.
pub type EachRecord<'e> = dyn FnMut(u64, &[String], Result<Fields<'_, '_>, DecodeError>) + 'e;

impl Format {
    /// The format that the end of a file's name says; `None`: it says none.
    #[must_use]
    pub fn of_extension(extension: &str) -> Option<Self> {
        match extension {
            "jsonl" | "ndjson" => Some(Self::Jsonl),
            "json" => Some(Self::of_texts()),
            "csv" => Some(Self::Csv(Dialect::delimited_by(b','))),
            "tsv" => Some(Self::Csv(Dialect::delimited_by(b'\t'))),
            _ => None,
        }
    }
}

/// Calls `each` with every record of a text, in order: the line it begins on, the names of positional fields,
/// and its fields or why it has none.
///
/// # Errors
/// When its records cannot be found.
pub fn each_record(format: &Format, text: Bytes, each: &mut EachRecord<'_>) -> Result<(), TextError> {
    let header = format.read_header(0, &text, true, &HeaderLimits::default())?;
    let Some(header) = header else { return Ok(()) };
    let begin = usize::try_from(header.end.offset).unwrap_or(usize::MAX).min(text.len());
    let mut rest = text.slice(begin..);
    let mut splitter = Splitter::new(format, Limits::default(), header.end);
    let mut start = header.end;
    loop {
        let mut spans = Vec::new();
        let done = splitter.split(&rest, true, &mut spans)?;
        if spans.is_empty() {
            return Ok(());
        }
        let block = Block::of_text(start, splitter.position(), Text { bytes: rest.clone(), spans });
        decode_block(format, &header.names, &block, &DecodeLimits::default(), &mut |i, fields| {
            each(block.line_of(i), &header.names, fields);
        });
        start = block.end;
        rest = rest.slice(done.min(rest.len())..);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::Dialect;

    fn records(format: &Format, text: &str) -> Vec<String> {
        let mut seen = Vec::new();
        each_record(format, Bytes::copy_from_slice(text.as_bytes()), &mut |line, names, fields| {
            seen.push(match fields {
                Ok(Fields::Named(members)) => format!("{line} {members:?}"),
                Ok(Fields::Positional(values)) => format!("{line} {names:?} {values:?}"),
                other => format!("{line} {other:?}"),
            });
        })
        .unwrap();
        seen
    }

    #[test]
    fn every_record_comes_with_its_line() {
        assert_eq!(
            records(&Format::Jsonl, "{\"a\":1}\n\n{\"a\":2}"),
            [r#"1 [("a", "1")]"#, r#"3 [("a", "2")]"#]
        );
        assert_eq!(records(&Format::of_texts(), "{\n\"a\":1}\n"), [r#"1 [("a", "1")]"#]);
        let csv = Format::Csv(Dialect::delimited_by(b','));
        assert_eq!(
            records(&csv, "a,b\n1,\"x\ny\"\n2,\n"),
            [r#"2 ["a", "b"] [Some("1"), Some("x\ny")]"#, r#"4 ["a", "b"] [Some("2"), None]"#]
        );
        assert!(records(&csv, "").is_empty());
        let no_names = each_record(&csv, Bytes::from_static(b"a,a\n"), &mut |_, _, _| {});
        assert!(matches!(no_names, Err(TextError::Header(_))), "{no_names:?}");
    }
}
