//! What kinds of records there are, and what each says about itself: nobody else asks which one it is.

use std::borrow::Cow;

use super::Dialect;
use super::fixed::FixedWidth;
use crate::feature::{self, Missing};

/// What kind of records a source holds, and how they are written.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case", tag = "format")]
pub enum Format {
    /// One JSON object a line (NDJSON).
    Jsonl,
    /// JSON text: the elements of a top-level array, or of the array at `records`; or top-level objects.
    Json {
        /// Path to the array of records (`data.items` or `/data/items`), if not the top level.
        records: Option<String>,
    },
    /// Delimiter-separated values in a dialect.
    Csv(Dialect),
    /// JSON text that is, or has at `records`, an object of columns: of each a list of values.
    JsonColumns {
        /// Path to the object, if it is not the top level.
        records: Option<String>,
    },
    /// Elements of an XML text: those at `records`, or the children of the root.
    Xml {
        /// Path to them (`//item`).
        records: Option<String>,
    },
    /// Elasticsearch's bulk format: an action on a line, its document on the next.
    Bulk,
    /// Lines whose fields lie at fixed places.
    Fixed(FixedWidth),
    /// Rows of columns, of which no text stands in the source.
    Columns {
        /// How they are stored.
        file: ColumnFile,
    },
    /// A reject file that dbload wrote: JSONL whose `record` (or `raw`, or `raw_base64`) is the record.
    Rejects,
}

/// How columns are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ColumnFile {
    /// Parquet: read from its end.
    Parquet,
    /// A file or a stream of Arrow.
    Arrow,
    /// An object container file of Avro.
    Avro,
    /// A sheet of a workbook: xlsx, xlsb, xls or ods.
    Sheet,
}

impl ColumnFile {
    /// What it is called.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Parquet => "Parquet",
            Self::Arrow => "Arrow",
            Self::Avro => "Avro",
            Self::Sheet => "a workbook",
        }
    }
}

impl Format {
    /// Its fields are named before its records: by the first of them, or by the user.
    #[must_use]
    pub const fn has_header(&self) -> bool {
        match self {
            Self::Csv(_) | Self::Fixed(_) => true,
            Self::Jsonl
            | Self::Json { .. }
            | Self::JsonColumns { .. }
            | Self::Xml { .. }
            | Self::Bulk
            | Self::Rejects
            | Self::Columns { .. } => false,
        }
    }

    /// Its records are parts of one text: what stands around them may say something of them.
    #[must_use]
    pub const fn is_document(&self) -> bool {
        match self {
            Self::Json { .. } | Self::JsonColumns { .. } | Self::Xml { .. } => true,
            Self::Jsonl
            | Self::Bulk
            | Self::Csv(_)
            | Self::Fixed(_)
            | Self::Rejects
            | Self::Columns { .. } => false,
        }
    }

    /// Its records were refused by an earlier load.
    #[must_use]
    pub const fn has_refused_records(&self) -> bool {
        match self {
            Self::Rejects => true,
            Self::Jsonl
            | Self::Json { .. }
            | Self::JsonColumns { .. }
            | Self::Xml { .. }
            | Self::Bulk
            | Self::Csv(_)
            | Self::Fixed(_)
            | Self::Columns { .. } => false,
        }
    }

    /// Its records are JSON as they stand there, in which others may stand.
    #[must_use]
    pub const fn has_nested_records(&self) -> bool {
        match self {
            Self::Json { .. } | Self::Jsonl | Self::JsonColumns { .. } => true,
            Self::Bulk
            | Self::Csv(_)
            | Self::Fixed(_)
            | Self::Xml { .. }
            | Self::Rejects
            | Self::Columns { .. } => false,
        }
    }

    /// Its records are JSON objects: an answer that is one of them may be an error as a whole.
    #[must_use]
    pub const fn is_json(&self) -> bool {
        match self {
            Self::Json { .. } | Self::Jsonl | Self::JsonColumns { .. } | Self::Bulk => true,
            Self::Csv(_) | Self::Fixed(_) | Self::Xml { .. } | Self::Rejects | Self::Columns { .. } => false,
        }
    }

    /// Records behind a place can be found only with what stands before it: which brackets are open there. A
    /// text that is broken there would be read on as something else than it was the first time. Finding
    /// records again costs little beside loading them.
    #[must_use]
    pub const fn resumes_from_start(&self) -> bool {
        self.is_document()
    }

    /// It is read as columns, of this kind of file.
    #[must_use]
    pub const fn columns(&self) -> Option<ColumnFile> {
        match self {
            Self::Columns { file } => Some(*file),
            Self::Jsonl
            | Self::Json { .. }
            | Self::JsonColumns { .. }
            | Self::Xml { .. }
            | Self::Bulk
            | Self::Csv(_)
            | Self::Fixed(_)
            | Self::Rejects => None,
        }
    }

    /// JSON texts one behind the other, of any number of lines each.
    #[must_use]
    pub const fn of_texts() -> Self {
        Self::Json { records: None }
    }

    /// The text format of COPY, as a server writes it.
    #[must_use]
    pub fn of_copy() -> Self {
        Self::Csv(Dialect::copy_text())
    }

    /// Refuses what this build cannot decode. `name`: of the source.
    ///
    /// # Errors
    /// When the feature is missing.
    pub fn decodable(&self, name: &str) -> Result<(), Missing> {
        match self {
            Self::Csv(_) => feature::CSV.needed_for(|| format!("{name}, which is delimiter-separated,")),
            Self::Columns { file: ColumnFile::Avro } => {
                feature::AVRO.needed_for(|| format!("{name}, which is Avro,"))
            }
            Self::Columns { file: ColumnFile::Sheet } => {
                feature::EXCEL.needed_for(|| format!("{name}, which is a workbook,"))
            }
            Self::Xml { .. } => feature::XML.needed_for(|| format!("{name}, which is XML,")),
            Self::Columns { file } => {
                feature::PARQUET.needed_for(|| format!("{name}, which is {},", file.name()))
            }
            Self::Jsonl
            | Self::Json { .. }
            | Self::JsonColumns { .. }
            | Self::Bulk
            | Self::Fixed(_)
            | Self::Rejects => Ok(()),
        }
    }

    /// The text itself shows where it ends: one that was cut off cannot be taken for a whole one.
    #[must_use]
    pub const fn shows_its_end(&self) -> bool {
        self.is_document()
    }

    /// Values are pieces of their record's text: what must be escaped in one stands in the other too.
    #[must_use]
    pub const fn has_values_from_text(&self) -> bool {
        match self {
            Self::Csv(_)
            | Self::Fixed(_)
            | Self::Jsonl
            | Self::Json { .. }
            | Self::JsonColumns { .. }
            | Self::Bulk
            | Self::Columns { .. } => true,
            Self::Xml { .. } | Self::Rejects => false,
        }
    }

    /// What its values are written as. A reject may say otherwise of itself, see [`Self::kept_in`].
    #[must_use]
    pub const fn values(&self) -> Values {
        match self {
            Self::Csv(_) | Self::Fixed(_) | Self::Columns { .. } => Values::Text,
            Self::Xml { .. }
            | Self::Jsonl
            | Self::Json { .. }
            | Self::JsonColumns { .. }
            | Self::Bulk
            | Self::Rejects => Values::Json,
        }
    }

    /// The format of a text of one line that is a document as well; `None`: it is none.
    #[must_use]
    pub const fn as_document(&self) -> Option<Self> {
        match self {
            Self::Jsonl => Some(Self::Json { records: None }),
            Self::Json { .. }
            | Self::JsonColumns { .. }
            | Self::Xml { .. }
            | Self::Bulk
            | Self::Csv(_)
            | Self::Fixed(_)
            | Self::Rejects
            | Self::Columns { .. } => None,
        }
    }
}

/// The fields of one record, as decoded.
#[derive(Debug)]
pub enum Fields<'r, 'b> {
    /// Names and raw JSON text of the values (`"a\n"`, `1.50`, `null`, `{..}`), in the order of the record.
    Named(&'r [(Cow<'b, str>, &'b str)]),
    /// Values in the order of the header; `None` is NULL.
    Positional(&'r [Option<&'r str>]),
    /// Names and values that do not stand in the record as they are: of a reject whose source was delimited
    /// text (what was text there is text again), or of a record that was shaped.
    Mended(&'r [(Cow<'b, str>, MendedValue<'b>)]),
}

/// A value that does not stand in its record as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MendedValue<'b> {
    /// The text stands for NULL.
    Null,
    /// Text, as in a field of the source.
    Text(Cow<'b, str>),
    /// Any other JSON value: what a field of the source was mended into, or shaped to.
    Json(Cow<'b, str>),
}

/// What the values of a record were written as, and what a string in its reject stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Values {
    /// JSON: a string is a JSON string.
    #[default]
    Json,
    /// Text of delimited fields.
    Text,
}
