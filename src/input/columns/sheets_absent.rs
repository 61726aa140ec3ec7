//! Sheets of workbooks, in a build without the feature `excel`: a source that is one is refused before it is
//! opened.

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;

use super::error::ColumnsError;
use super::ranges::Ranges;

/// What is read of a workbook.
#[derive(Debug, Clone, Default)]
#[expect(dead_code, reason = "none is")]
pub(in crate::input) struct SheetChoice {
    pub(in crate::input) sheet: Option<String>,
    pub(in crate::input) range: Option<String>,
    pub(in crate::input) skip_rows: u32,
    pub(in crate::input) columns: Option<Vec<String>>,
}

/// A sheet that was opened: there is none.
pub(super) struct Sheet {
    pub(super) schema: SchemaRef,
    pub(super) identity: (u64, u64),
    pub(super) held_bytes: u64,
    pub(super) note: String,
}

/// What a sheet gives.
#[expect(dead_code, reason = "none gives any")]
pub(super) enum SheetRows {
    At(u64),
    Rows(RecordBatch),
}

pub(super) fn open(
    _ranges: Arc<dyn Ranges>,
    _choice: &SheetChoice,
    _limit_bytes: u64,
) -> Result<Sheet, ColumnsError> {
    Err(ColumnsError::NoWorkbook)
}

impl Sheet {
    #[expect(clippy::needless_pass_by_value, reason = "as the one that it stands in for")]
    pub(super) fn read(
        self,
        _from: u64,
        _tell: &mut dyn FnMut(SheetRows) -> bool,
    ) -> Result<(), ColumnsError> {
        Err(ColumnsError::NoWorkbook)
    }
}
