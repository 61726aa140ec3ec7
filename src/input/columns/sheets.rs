//! Sheets of workbooks (xlsx, xlsb, xls, ods): a header that is looked for, and the rows below it as texts.
//!
//! A number is what is stored, not what is drawn; a date is told by its format, under the workbook's own
//! epoch. The row of a sheet is the place of a record. What stands in a row and cannot be a value (an error
//! such as `#N/A`, something beside the named columns) refuses that row: its text begins with a NUL, which no
//! cell can hold.

mod cells;
mod header;
mod names;
mod workbook;

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::builder::StringBuilder;
use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use calamine::{Dimensions, Sheet as SheetInfo, SheetVisible};
use xxhash_rust::xxh3::xxh3_64;

use self::cells::text_of;
use self::header::header;
use self::names::{letters, part_of};
use self::workbook::{Workbook, damaged};
use super::error::ColumnsError;
use super::ranges::Ranges;
use super::slices::{BLOCK_BYTES, BLOCK_ROWS_MAX};
use crate::format::columns::SHEET;

/// Bytes at the end of a file that tell it from another.
const TAIL_BYTES: u64 = 64 << 10;

/// What is read of a workbook.
#[derive(Debug, Clone, Default)]
pub(in crate::input) struct SheetChoice {
    /// Its name; the first one that is to be seen otherwise.
    pub(in crate::input) sheet: Option<String>,
    /// The part of it with the header; all of it otherwise.
    pub(in crate::input) range: Option<String>,
    /// Rows that are passed over before the header is looked for.
    pub(in crate::input) skip_rows: u32,
    /// Names of the columns; no header is looked for then.
    pub(in crate::input) columns: Option<Vec<String>>,
}

/// A sheet that was opened.
pub(super) struct Sheet {
    workbook: Workbook,
    name: String,
    /// The first row of records, and the cells that are read.
    first_row: u32,
    part: Dimensions,
    first_column: u32,
    pub(super) schema: SchemaRef,
    /// What tells the file from another: its size, and a digest of its end.
    pub(super) identity: (u64, u64),
    /// Memory that it takes, from its own figures.
    pub(super) held_bytes: u64,
    pub(super) note: String,
}

/// What a sheet gives.
pub(super) enum SheetRows {
    /// The next rows begin at this one.
    At(u64),
    Rows(RecordBatch),
}

/// Opens a workbook and finds the header.
pub(super) fn open(
    ranges: Arc<dyn Ranges>,
    choice: &SheetChoice,
    limit_bytes: u64,
) -> Result<Sheet, ColumnsError> {
    let size = ranges.size();
    let tail = size.min(TAIL_BYTES);
    let tail = ranges.read(size - tail, usize::try_from(tail).unwrap_or(usize::MAX));
    let identity = (size, xxh3_64(&tail.map_err(ColumnsError::Read)?));
    let (mut workbook, held_bytes) = workbook::open(&ranges, limit_bytes)?;
    let sheets = workbook.sheets();
    let name = chosen(&sheets, choice.sheet.as_deref())?;
    let part = match &choice.range {
        Some(range) => part_of(range).ok_or_else(|| ColumnsError::NoRange(range.clone()))?,
        None => Dimensions { start: (0, 0), end: (u32::MAX, u32::MAX) },
    };
    let part = Dimensions { start: (part.start.0.saturating_add(choice.skip_rows), part.start.1), ..part };
    let looked_at = workbook.first_rows(&name, part)?;
    let header = header(&looked_at, choice.columns.as_deref())?;
    let fields = header.names.iter().map(|name| Field::new(name, DataType::Utf8, true)).collect::<Vec<_>>();
    let schema = Schema::new(fields).with_metadata(HashMap::from([(SHEET.to_owned(), name.clone())]));
    let others: Vec<&str> = sheets.iter().map(|sheet| &*sheet.name).filter(|other| *other != name).collect();
    let mut note = match header.row {
        Some(row) => format!("sheet {name:?}, header in row {}", row + 1),
        None => format!("sheet {name:?}, without a header"),
    };
    if choice.sheet.is_none() && !others.is_empty() {
        note.push_str(&format!(", not read: {}", others.join(", ")));
    }
    for fixed in header.fixed {
        note.push_str(&format!("; {fixed}"));
    }
    let first_row = header.row.map_or(part.start.0, |row| row + 1);
    let (first_column, schema) = (header.first_column, Arc::new(schema));
    Ok(Sheet { workbook, name, first_row, part, first_column, schema, identity, held_bytes, note })
}

/// The sheet of this name, or the first one that is to be seen.
fn chosen(sheets: &[SheetInfo], name: Option<&str>) -> Result<String, ColumnsError> {
    let found = match name {
        Some(name) => sheets.iter().find(|sheet| sheet.name == name),
        None => sheets.iter().find(|sheet| sheet.visible == SheetVisible::Visible).or(sheets.first()),
    };
    let names = || sheets.iter().map(|sheet| sheet.name.clone()).collect::<Vec<_>>().join(", ");
    found
        .map(|sheet| sheet.name.clone())
        .ok_or_else(|| ColumnsError::NoSheet { name: name.unwrap_or_default().to_owned(), sheets: names() })
}

impl Sheet {
    /// Gives the rows from this one on, until nobody takes any more.
    pub(super) fn read(
        mut self,
        from: u64,
        tell: &mut dyn FnMut(SheetRows) -> bool,
    ) -> Result<(), ColumnsError> {
        let mut rows = SheetBatches {
            schema: Arc::clone(&self.schema),
            columns: self.schema.fields().iter().map(|_| StringBuilder::new()).collect(),
            values: vec![None; self.schema.fields().len()],
            row: None,
            unnamed: None,
            count: 0,
            bytes: 0,
            next: None,
            tell,
        };
        let (first, part, first_column) = (self.first_row, self.part, self.first_column);
        let mut is_taken = true;
        self.workbook.each_cell(&self.name, &mut |(row, column), cell| {
            if row > part.end.0 {
                return Ok(false);
            }
            let is_apart = column < part.start.1 || column > part.end.1;
            if is_apart || row < first || u64::from(row) < from {
                return Ok(true);
            }
            if rows.row != Some(row) {
                if rows.row.is_some_and(|last| last > row) {
                    return Err(damaged("its rows are not in order"));
                }
                is_taken = rows.end_row()?;
                rows.row = Some(row);
            }
            match column.checked_sub(first_column).map(|place| place as usize) {
                Some(place) if place < rows.values.len() => rows.values[place] = text_of(&cell),
                _ => rows.unnamed = Some(column),
            }
            Ok(is_taken)
        })?;
        if is_taken {
            let _ = rows.end_row()? && rows.flush()?;
        }
        Ok(())
    }
}

/// Rows on their way.
struct SheetBatches<'t> {
    schema: SchemaRef,
    columns: Vec<StringBuilder>,
    /// Of the row that has begun.
    values: Vec<Option<String>>,
    row: Option<u32>,
    /// It has a value in this column, which has no name.
    unnamed: Option<u32>,
    count: usize,
    bytes: usize,
    /// The row that would follow those here.
    next: Option<u64>,
    tell: &'t mut dyn FnMut(SheetRows) -> bool,
}

impl SheetBatches<'_> {
    fn end_row(&mut self) -> Result<bool, ColumnsError> {
        let Some(row) = self.row.take() else { return Ok(true) };
        let begins_anew = self.next != Some(u64::from(row));
        if begins_anew && (!self.flush()? || !(self.tell)(SheetRows::At(u64::from(row)))) {
            return Ok(false);
        }
        self.next = Some(u64::from(row) + 1);
        if let (Some(column), Some(value)) = (self.unnamed.take(), self.values.last_mut()) {
            *value = Some(format!("\0a value in column {}, which has no name", letters(column)));
        }
        for (column, value) in self.columns.iter_mut().zip(&mut self.values) {
            let value = value.take();
            self.bytes += value.as_ref().map_or(1, String::len);
            column.append_option(value);
        }
        self.count += 1;
        if self.count >= BLOCK_ROWS_MAX || self.bytes >= BLOCK_BYTES {
            return self.flush();
        }
        Ok(true)
    }

    fn flush(&mut self) -> Result<bool, ColumnsError> {
        if self.count == 0 {
            return Ok(true);
        }
        (self.count, self.bytes) = (0, 0);
        let arrays: Vec<ArrayRef> =
            self.columns.iter_mut().map(|column| Arc::new(column.finish()) as ArrayRef).collect();
        let batch = RecordBatch::try_new(Arc::clone(&self.schema), arrays).map_err(damaged)?;
        Ok((self.tell)(SheetRows::Rows(batch)))
    }
}
