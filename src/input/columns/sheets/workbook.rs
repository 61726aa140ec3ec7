//! Workbooks of each kind: their sheets, and the cells of those.

use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::sync::Arc;

use calamine::{Data, DataRef, Dimensions, Ods, Reader, Sheet as SheetInfo, Xls, Xlsb, Xlsx};

use super::header::SheetRow;
use crate::input::columns::error::ColumnsError;
use crate::input::columns::ranges::Ranges;

/// Rows that are looked at for the header.
const ROWS_LOOKED_AT: usize = 50;
/// What the texts of a workbook take in memory for each byte of their file, and what all cells do where they
/// are read whole.
const BYTES_OF_TEXTS: u64 = 3;
const BYTES_OF_CELLS: u64 = 6;
/// Where the texts of a workbook are.
const TEXTS: [&str; 2] = ["xl/sharedStrings.xml", "xl/sharedStrings.bin"];
/// Columns of a sheet, at most.
const COLUMNS_MAX: u32 = 16_384;
const OF_ODS: &str = "content.xml";

/// Bytes that are read at any place, as a reader.
pub(super) struct RangesReader {
    pub(super) ranges: Arc<dyn Ranges>,
    pub(super) at: u64,
}

pub(super) type Bytes = BufReader<RangesReader>;

impl Read for RangesReader {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.ranges.size().saturating_sub(self.at)).unwrap_or(usize::MAX);
        let read = self.ranges.read(self.at, out.len().min(left))?;
        out[..read.len()].copy_from_slice(&read);
        self.at += read.len() as u64;
        Ok(read.len())
    }
}

impl Seek for RangesReader {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(by) => self.ranges.size().checked_add_signed(by),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
        };
        self.at = at.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}

/// A workbook by its kind: the first two are read cell by cell, the others whole.
pub(super) enum Workbook {
    Xlsx(Box<Xlsx<Bytes>>),
    Xlsb(Box<Xlsb<Bytes>>),
    Ods(Box<Ods<Bytes>>),
    Xls(Box<Xls<Bytes>>),
}

/// Opens a workbook, once it is known what it takes in memory: so many bytes.
pub(super) fn open(ranges: &Arc<dyn Ranges>, limit_bytes: u64) -> Result<(Workbook, u64), ColumnsError> {
    let size = ranges.size();
    let bytes = || BufReader::with_capacity(64 << 10, RangesReader { ranges: Arc::clone(ranges), at: 0 });
    let head = ranges.read(0, usize::try_from(size.min(4)).unwrap_or(4)).map_err(ColumnsError::Read)?;
    if head.starts_with(b"PK") {
        return of_archive(&bytes, limit_bytes);
    }
    let needed = size.saturating_mul(BYTES_OF_CELLS);
    allowed(needed, limit_bytes)?;
    Ok((Workbook::Xls(Box::new(Xls::new(bytes()).map_err(of_older_office)?)), needed))
}

fn allowed(needed: u64, limit: u64) -> Result<(), ColumnsError> {
    if needed > limit { Err(ColumnsError::TooMuchMemory { needed, limit }) } else { Ok(()) }
}

/// Opens what lies in a ZIP archive, once it is known what it takes: sizes that an archive claims are looked
/// at by unpacking.
fn of_archive(bytes: &dyn Fn() -> Bytes, limit_bytes: u64) -> Result<(Workbook, u64), ColumnsError> {
    let mut archive = zip::ZipArchive::new(bytes()).map_err(of_zip)?;
    let names: Vec<String> = archive.file_names().filter_map(|name| Some(name.ok()?.into_owned())).collect();
    let has = |name: &str| names.iter().any(|known| known.eq_ignore_ascii_case(name));
    let is_ods = has(OF_ODS) && has("mimetype");
    let mut needed = 0_u64;
    for name in &names {
        let is_texts = TEXTS.iter().any(|texts| name.eq_ignore_ascii_case(texts));
        let factor = match is_ods && name.eq_ignore_ascii_case(OF_ODS) {
            true => BYTES_OF_CELLS,
            false if is_texts => BYTES_OF_TEXTS,
            false => continue,
        };
        let most = limit_bytes / factor;
        let file = archive.by_name(name).map_err(|error| match error {
            zip::result::ZipError::UnsupportedArchive(zip::result::ZipError::PASSWORD_REQUIRED) => {
                ColumnsError::Encrypted
            }
            error => damaged(error),
        })?;
        let unpacked = io::copy(&mut file.take(most + 1), &mut io::sink()).map_err(ColumnsError::Read)?;
        needed = needed.saturating_add(unpacked.saturating_mul(factor));
        allowed(needed, limit_bytes)?;
    }
    let workbook = if is_ods {
        Workbook::Ods(Box::new(Ods::new(bytes()).map_err(damaged)?))
    } else if has("xl/workbook.bin") {
        Workbook::Xlsb(Box::new(Xlsb::new(bytes()).map_err(damaged)?))
    } else if has("xl/workbook.xml") {
        Workbook::Xlsx(Box::new(Xlsx::new(bytes()).map_err(damaged)?))
    } else {
        return Err(ColumnsError::NoWorkbook);
    };
    Ok((workbook, needed))
}

impl Workbook {
    pub(super) fn sheets(&self) -> Vec<SheetInfo> {
        match self {
            Self::Xlsx(book) => book.sheets_metadata(),
            Self::Xlsb(book) => book.sheets_metadata(),
            Self::Ods(book) => book.sheets_metadata(),
            Self::Xls(book) => book.sheets_metadata(),
        }
        .to_vec()
    }

    /// Gives each cell that is not empty, row by row, until nobody takes any more.
    pub(super) fn each_cell(
        &mut self,
        sheet: &str,
        each: &mut dyn FnMut((u32, u32), Data) -> Result<bool, ColumnsError>,
    ) -> Result<(), ColumnsError> {
        match self {
            Self::Xlsx(book) => {
                let mut cells = book.worksheet_cells_reader(sheet).map_err(damaged)?;
                while let Some(cell) = cells.next_cell().map_err(damaged)? {
                    if !given(cell.get_position(), cell.get_value(), each)? {
                        break;
                    }
                }
            }
            Self::Xlsb(book) => {
                let mut cells = book.worksheet_cells_reader(sheet).map_err(damaged)?;
                while let Some(cell) = cells.next_cell().map_err(damaged)? {
                    if !given(cell.get_position(), cell.get_value(), each)? {
                        break;
                    }
                }
            }
            Self::Ods(book) => whole(&book.worksheet_range(sheet).map_err(damaged)?, each)?,
            Self::Xls(book) => whole(&book.worksheet_range(sheet).map_err(damaged)?, each)?,
        }
        Ok(())
    }

    /// The first rows that are not empty.
    pub(super) fn first_rows(
        &mut self,
        sheet: &str,
        part: Dimensions,
    ) -> Result<Vec<SheetRow>, ColumnsError> {
        let mut rows: Vec<SheetRow> = Vec::new();
        self.each_cell(sheet, &mut |(row, column), cell| {
            if row > part.end.0 {
                return Ok(false);
            }
            if row < part.start.0 || column < part.start.1 || column > part.end.1 {
                return Ok(true);
            }
            if rows.last().is_none_or(|last| last.row != row) {
                if rows.len() == ROWS_LOOKED_AT {
                    return Ok(false);
                }
                rows.push(SheetRow { row, cells: Vec::new() });
            }
            if let Some(last) = rows.last_mut() {
                last.cells.push((column, cell));
            }
            Ok(true)
        })?;
        Ok(rows)
    }
}

fn given(
    at: (u32, u32),
    value: &DataRef<'_>,
    each: &mut dyn FnMut((u32, u32), Data) -> Result<bool, ColumnsError>,
) -> Result<bool, ColumnsError> {
    let value = match value {
        DataRef::SharedString(text) => Data::String((*text).to_owned()),
        other => other.clone().into(),
    };
    if is_empty(&value) { Ok(true) } else { each(within(at)?, value) }
}

fn whole(
    range: &calamine::Range<Data>,
    each: &mut dyn FnMut((u32, u32), Data) -> Result<bool, ColumnsError>,
) -> Result<(), ColumnsError> {
    let (row, column) = range.start().unwrap_or_default();
    for (r, c, value) in range.used_cells() {
        let at = (row + u32::try_from(r).unwrap_or(u32::MAX), column + u32::try_from(c).unwrap_or(u32::MAX));
        if !is_empty(value) && !each(within(at)?, value.clone())? {
            break;
        }
    }
    Ok(())
}

/// Refuses a place that no sheet has, before room is made for its columns.
fn within(at: (u32, u32)) -> Result<(u32, u32), ColumnsError> {
    match at.1 < COLUMNS_MAX {
        true => Ok(at),
        false => Err(damaged("a cell lies beyond the last column that a sheet can have")),
    }
}

/// What a formula leaves of nothing is nothing.
fn is_empty(value: &Data) -> bool {
    matches!(value, Data::Empty) || matches!(value, Data::String(text) if text.is_empty())
}

fn of_older_office(error: calamine::XlsError) -> ColumnsError {
    damaged(format!("a document of an older Office (.xls, .doc) that is read as no workbook: {error}"))
}

fn of_zip(error: zip::result::ZipError) -> ColumnsError {
    damaged(format!("a ZIP archive that cannot be read: {error}"))
}

pub(super) fn damaged(error: impl std::fmt::Display) -> ColumnsError {
    ColumnsError::Damaged(error.to_string())
}
