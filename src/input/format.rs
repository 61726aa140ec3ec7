//! The format of a source: as the user has said, else as its name or its beginning shows.

use crate::format::{ColumnFile, Compression, Detected, Dialect, Escape, Format, detect, is_xml_path};
use crate::job::{self, FormatName};

use super::error::SourceError;
use super::spec::SourceSpec;

/// Records stand within those of JSON alone. Rejects are records of before.
pub(super) fn may_unnest(name: &str, format: &Format, reading: &job::Reading) -> Result<(), SourceError> {
    let is_wanted = reading.shaping.unnest_of().is_some();
    if is_wanted && !format.has_nested_records() && !format.has_refused_records() {
        return Err(SourceError::NotNested { name: name.to_owned() });
    }
    Ok(())
}

/// The format: as the user said, else as detected, with the user's dialect; and what is worth saying of that.
pub(super) async fn format_of(
    name: &str,
    reading: &job::Reading,
    detect: impl Future<Output = Result<Detected, SourceError>>,
) -> Result<(Format, Option<String>), SourceError> {
    let (mut format, note) = match chosen(reading) {
        Some(format) => (format, None),
        None => {
            let detected = detect.await?;
            let note = detected.note().map(|note| format!("{name}: {note}"));
            (detected.format, note)
        }
    };
    format.decodable(name)?;
    may_unnest(name, &format, reading)?;
    match &mut format {
        Format::Csv(dialect) => {
            dialect.delimiter = reading.delimiter.unwrap_or(dialect.delimiter);
            dialect.quote = reading.quote.unwrap_or(dialect.quote);
            dialect.escape = reading.escape.map_or(dialect.escape, Escape::Before);
            dialect.comment = reading.comment;
            dialect.header = reading.header;
            dialect.columns.clone_from(&reading.columns);
            dialect.null_as.clone_from(&reading.null_as);
            dialect.skip_lines = reading.skip_lines.unwrap_or(dialect.skip_lines);
            if dialect.escape.byte() == dialect.quote {
                // A quote that escapes quotes is doubled.
                dialect.escape = Escape::None;
            }
            let name = name.to_owned();
            dialect.check().map_err(|source| SourceError::Dialect { name, source })?;
        }
        Format::Fixed(fixed) => {
            fixed.null_as.clone_from(&reading.null_as);
            fixed.skip_lines = reading.skip_lines.unwrap_or_default();
        }
        Format::Json { records } | Format::JsonColumns { records } | Format::Xml { records } => {
            records.clone_from(&reading.records)
        }
        Format::Jsonl | Format::Bulk | Format::Rejects | Format::Columns { .. } => {}
    }
    Ok((format, note))
}

/// Whether the user has said that it is XML.
pub(super) fn is_xml_said(reading: &job::Reading) -> bool {
    matches!(chosen(reading), Some(Format::Xml { .. }))
}

/// The format that the user has said.
fn chosen(reading: &job::Reading) -> Option<Format> {
    if let Some(fixed) = &reading.fixed {
        return Some(Format::Fixed(fixed.clone()));
    }
    Some(match (reading.format, &reading.records) {
        (Some(FormatName::Jsonl), _) => Format::Jsonl,
        (Some(FormatName::JsonColumns), _) => Format::JsonColumns { records: None },
        (Some(FormatName::Bulk), _) => Format::Bulk,
        (Some(FormatName::Xml), _) => Format::Xml { records: None },
        (None, Some(path)) if is_xml_path(path) => Format::Xml { records: None },
        (Some(FormatName::Json), _) | (None, Some(_)) => Format::Json { records: None },
        (Some(FormatName::Csv), _) => Format::Csv(Dialect::delimited_by(b',')),
        (Some(FormatName::Tsv), _) => Format::Csv(Dialect::delimited_by(b'\t')),
        (Some(FormatName::Copy), _) => Format::of_copy(),
        (Some(FormatName::Parquet), _) => Format::Columns { file: ColumnFile::Parquet },
        (Some(FormatName::Arrow), _) => Format::Columns { file: ColumnFile::Arrow },
        (Some(FormatName::Avro), _) => Format::Columns { file: ColumnFile::Avro },
        (None, None) => return None,
    })
}

/// Refuses a source whose name says that this build cannot read it, before anything is loaded.
///
/// # Errors
/// When it does.
pub fn refuse_unreadable(spec: &SourceSpec, reading: &job::Reading) -> Result<(), SourceError> {
    if reading.end_mark.is_some() && !spec.location.is_pipe() {
        return Err(SourceError::NoPipe { name: spec.name.clone() });
    }
    let name = spec.file_name();
    let named = Compression::by_name(name).map(|(compression, _)| compression);
    reading.compression.or(named).unwrap_or(Compression::None).decodable(&spec.name)?;
    match chosen(reading).or_else(|| detect::by_name(name)) {
        Some(format) => Ok(format.decodable(&spec.name)?),
        None => Ok(()),
    }
}
