//! The words that flags of a fixed choice take.

use clap::ValueEnum;
use dbload::internals::job::FormatName;

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum OnNulArg {
    /// Reject the record, where its column cannot hold it
    Reject,
    /// Leave it out
    Strip,
    /// Put U+FFFD in its place
    Replace,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum SubMicrosecondsArg {
    Reject,
    Truncate,
    Round,
}

impl From<SubMicrosecondsArg> for dbload::internals::format::SubMicroseconds {
    fn from(rule: SubMicrosecondsArg) -> Self {
        match rule {
            SubMicrosecondsArg::Reject => Self::Keep,
            SubMicrosecondsArg::Truncate => Self::Truncate,
            SubMicrosecondsArg::Round => Self::Round,
        }
    }
}

/// Dates of MySQL that are none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ZeroDatesArg {
    Reject,
    Null,
}

impl From<ZeroDatesArg> for dbload::internals::mysql::ZeroDates {
    fn from(rule: ZeroDatesArg) -> Self {
        match rule {
            ZeroDatesArg::Reject => Self::Reject,
            ZeroDatesArg::Null => Self::Null,
        }
    }
}

impl From<OnNulArg> for dbload::internals::format::OnNul {
    fn from(rule: OnNulArg) -> Self {
        match rule {
            OnNulArg::Reject => Self::Reject,
            OnNulArg::Strip => Self::Strip,
            OnNulArg::Replace => Self::Replace,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum FormatArg {
    /// One JSON object a line
    #[value(alias = "ndjson")]
    Jsonl,
    /// A JSON array, or the records at --records
    Json,
    /// JSON by columns: an object, or the one at --records, of lists that are equally long
    JsonColumns,
    /// XML: the elements at --records //NAME, or the children of the root
    Xml,
    /// Elasticsearch's bulk format: an action on a line, its document on the next
    Bulk,
    /// Comma-separated values
    Csv,
    /// Tab-separated values
    Tsv,
    /// The text format of COPY: tabs, backslashes, \N for NULL; with a header, or --columns
    Copy,
    /// Parquet
    Parquet,
    /// Arrow: a file (Feather) or a stream
    #[value(alias = "feather")]
    Arrow,
    /// Avro, as object container files
    Avro,
}

impl From<FormatArg> for FormatName {
    fn from(format: FormatArg) -> Self {
        match format {
            FormatArg::Jsonl => Self::Jsonl,
            FormatArg::Json => Self::Json,
            FormatArg::JsonColumns => Self::JsonColumns,
            FormatArg::Bulk => Self::Bulk,
            FormatArg::Xml => Self::Xml,
            FormatArg::Csv => Self::Csv,
            FormatArg::Tsv => Self::Tsv,
            FormatArg::Copy => Self::Copy,
            FormatArg::Parquet => Self::Parquet,
            FormatArg::Arrow => Self::Arrow,
            FormatArg::Avro => Self::Avro,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum CompressionArg {
    /// Not compressed
    None,
    /// gzip
    Gzip,
    /// Zstandard
    Zstd,
    /// bzip2
    Bzip2,
    /// xz
    Xz,
}

impl From<CompressionArg> for dbload::internals::format::Compression {
    fn from(compression: CompressionArg) -> Self {
        match compression {
            CompressionArg::None => Self::None,
            CompressionArg::Gzip => Self::Gzip,
            CompressionArg::Zstd => Self::Zstd,
            CompressionArg::Bzip2 => Self::Bzip2,
            CompressionArg::Xz => Self::Xz,
        }
    }
}
