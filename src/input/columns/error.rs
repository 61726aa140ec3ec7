//! What can be wrong with a file of columns.

use std::io;

/// Least memory of a process that is spoken of.
const MIB: u64 = 1 << 20;

/// Parts of the memory of which pages have one: the rest is for records on their way.
pub(super) const PARTS_OF_MEMORY: u64 = 2;

/// Why a file of columns cannot be read (on).
#[derive(Debug, thiserror::Error)]
pub enum ColumnsError {
    /// The end of the file is not there.
    #[error("it is not complete: it does not end as {0} does")]
    Incomplete(&'static str),
    /// It is none.
    #[error("it does not begin as {0} does")]
    Other(&'static str),
    /// It can be read with a key alone.
    #[error("it is encrypted")]
    Encrypted,
    /// An archive or a document of another kind.
    #[error("it is no workbook, but a ZIP archive of other files")]
    NoWorkbook,
    /// No sheet is called so.
    #[error("it has no sheet {name:?}; its sheets are {sheets}")]
    NoSheet {
        /// The name.
        name: String,
        /// Names of those that there are.
        sheets: String,
    },
    /// It is no part of a sheet.
    #[error("{0:?} is no part of a sheet")]
    NoRange(String),
    /// Nothing stands in it.
    #[error("no row of the sheet has a value")]
    NoRows,
    /// What it says of itself does not add up, or its bytes are no values.
    #[error("it is damaged: {0}")]
    Damaged(String),
    /// It has another number of rows than its footer says.
    #[error("its footer says {footer} rows, and {read} were read")]
    Rows {
        /// Rows, as the footer has it.
        footer: u64,
        /// Rows that there are.
        read: u64,
    },
    /// A column that it does not say how to read.
    #[error("it needs {} MiB for what is read at once, of {} MiB that may be", .needed.div_ceil(MIB), .limit.div_ceil(MIB))]
    TooMuchMemory {
        /// Bytes that it needs.
        needed: u64,
        /// Bytes that it may have.
        limit: u64,
    },
    /// The operating system fails.
    #[error("{0}")]
    Read(#[source] io::Error),
}

impl ColumnsError {
    /// An error of a decoder, or what has caused it.
    pub(super) fn decoding(error: &(dyn std::error::Error + 'static)) -> Self {
        let mut cause = Some(error);
        while let Some(error) = cause {
            if let Some(own) = error.downcast_ref::<Self>() {
                return own.again();
            }
            let inner = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
            if let Some(own) = inner.and_then(|inner| inner.downcast_ref::<Self>()) {
                return own.again();
            }
            cause = error.source();
        }
        Self::Damaged(error.to_string().lines().next().unwrap_or_default().to_owned())
    }

    /// The same, of what a decoder has kept.
    fn again(&self) -> Self {
        match self {
            Self::TooMuchMemory { needed, limit } => Self::TooMuchMemory { needed: *needed, limit: *limit },
            Self::Damaged(how) => Self::Damaged(how.clone()),
            Self::Incomplete(of) => Self::Incomplete(of),
            other => Self::Damaged(other.to_string()),
        }
    }

    /// What was read of the file may be wrong too.
    pub(in crate::input) const fn is_about_content(&self) -> bool {
        matches!(self, Self::Damaged(_) | Self::Rows { .. })
    }

    /// What the user can do about it.
    pub(in crate::input) fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Incomplete(_) => "it was cut off, or is still being written: fetch it again".to_owned(),
            Self::Other(_) => "is it of another format? --format says which".to_owned(),
            Self::Encrypted => "write it without encryption first".to_owned(),
            Self::NoWorkbook => {
                "its files are sources, once it is a file: FILE.zip#NAME is one of them, FILE.zip#* all"
                    .to_owned()
            }
            Self::NoSheet { .. } => "--sheet says which".to_owned(),
            Self::NoRange(_) => "--range B2:F100, or B:F for all rows of these columns".to_owned(),
            Self::NoRows => "is it the right --sheet and --range?".to_owned(),
            Self::Damaged(_) | Self::Rows { .. } => "fetch it again, or have it written anew".to_owned(),
            Self::TooMuchMemory { needed, .. } => {
                // What the next page needs is not known yet.
                let mib = needed.saturating_mul(PARTS_OF_MEMORY).saturating_mul(5).div_ceil(4 * MIB);
                format!("--max-memory {mib}MiB or more is enough; or write it with smaller pages")
            }
            Self::Read(_) => return None,
        })
    }
}
