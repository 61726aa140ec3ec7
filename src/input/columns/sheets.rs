//! Sheets of workbooks (xlsx, xlsb, xls, ods): a header that is looked for, and the rows below it as texts.
//!
//! A number is what is stored, not what is drawn; a date is told by its format, under the workbook's own
//! epoch. The row of a sheet is the place of a record. What stands in a row and cannot be a value (an error
//! such as `#N/A`, something beside the named columns) refuses that row: its text begins with a NUL, which no
//! cell can hold.

use std::collections::HashMap;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::sync::Arc;

use arrow_array::builder::StringBuilder;
use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use calamine::{
    Data, DataRef, Dimensions, ExcelDateTime, Ods, Reader, Sheet as SheetInfo, SheetVisible, Xls, Xlsb, Xlsx,
};
use xxhash_rust::xxh3::xxh3_64;

use super::error::ColumnsError;
use super::ranges::Ranges;
use super::slices::{BLOCK_BYTES, BLOCK_ROWS_MAX};
use crate::format::columns::SHEET;
use crate::format::fix_names::fix_names;

/// Rows that are looked at for the header.
const ROWS_LOOKED_AT: usize = 50;
/// What the texts of a workbook take in memory for each byte of their file, and what all cells do where they
/// are read whole.
const BYTES_OF_TEXTS: u64 = 3;
const BYTES_OF_CELLS: u64 = 6;
/// Bytes at the end of a file that tell it from another.
const TAIL_BYTES: u64 = 64 << 10;
/// Where the texts of a workbook are.
const TEXTS: [&str; 2] = ["xl/sharedStrings.xml", "xl/sharedStrings.bin"];
const OF_ODS: &str = "content.xml";
const MILLIS_A_DAY: f64 = 86_400_000.0;

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

/// Bytes that are read at any place, as a reader.
struct Place {
    ranges: Arc<dyn Ranges>,
    at: u64,
}

type Bytes = BufReader<Place>;

impl Read for Place {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.ranges.size().saturating_sub(self.at)).unwrap_or(usize::MAX);
        let read = self.ranges.read(self.at, out.len().min(left))?;
        out[..read.len()].copy_from_slice(&read);
        self.at += read.len() as u64;
        Ok(read.len())
    }
}

impl Seek for Place {
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
enum Workbook {
    Xlsx(Box<Xlsx<Bytes>>),
    Xlsb(Box<Xlsb<Bytes>>),
    Ods(Box<Ods<Bytes>>),
    Xls(Box<Xls<Bytes>>),
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

fn damaged(error: impl std::fmt::Display) -> ColumnsError {
    ColumnsError::Damaged(error.to_string())
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
    let bytes = || BufReader::with_capacity(64 << 10, Place { ranges: Arc::clone(&ranges), at: 0 });
    let head = ranges.read(0, usize::try_from(size.min(4)).unwrap_or(4)).map_err(ColumnsError::Read)?;
    let (mut workbook, held_bytes) = if head.starts_with(b"PK") {
        of_archive(&bytes, limit_bytes)?
    } else {
        let needed = size.saturating_mul(BYTES_OF_CELLS);
        allowed(needed, limit_bytes)?;
        (Workbook::Xls(Box::new(Xls::new(bytes()).map_err(damaged)?)), needed)
    };
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

fn allowed(needed: u64, limit: u64) -> Result<(), ColumnsError> {
    if needed > limit { Err(ColumnsError::TooMuchMemory { needed, limit }) } else { Ok(()) }
}

/// Opens what lies in a ZIP archive, once it is known what it takes: sizes that an archive claims are looked
/// at by unpacking.
fn of_archive(bytes: &dyn Fn() -> Bytes, limit_bytes: u64) -> Result<(Workbook, u64), ColumnsError> {
    let mut archive = zip::ZipArchive::new(bytes()).map_err(damaged)?;
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

/// `B2:F100`, or `B2:F`.
fn part_of(range: &str) -> Option<Dimensions> {
    let (from, to) = range.split_once(':')?;
    let cell = |text: &str| {
        let text = text.replace('$', "").to_ascii_uppercase();
        let letters = text.bytes().take_while(u8::is_ascii_uppercase).count();
        let column = text[..letters].bytes().try_fold(0_u32, |column, letter| {
            column.checked_mul(26)?.checked_add(u32::from(letter - b'A') + 1)
        })?;
        let row = if text.len() == letters { None } else { Some(text[letters..].parse::<u32>().ok()?) };
        Some((row, column.checked_sub(1)?))
    };
    let ((from_row, from_column), (to_row, to_column)) = (cell(from)?, cell(to)?);
    let start = (from_row.unwrap_or(1).checked_sub(1)?, from_column);
    let end = (to_row.map_or(Some(u32::MAX), |row| row.checked_sub(1))?, to_column);
    (start.0 <= end.0 && start.1 <= end.1).then_some(Dimensions { start, end })
}

type Row = (u32, Vec<(u32, Data)>);

/// What names the columns.
struct Header {
    /// `None`: nothing does but the user.
    row: Option<u32>,
    first_column: u32,
    names: Vec<String>,
    fixed: Vec<String>,
}

/// The first row of texts that is about as wide as the widest: above it are titles.
fn header(rows: &[Row], said: Option<&[String]>) -> Result<Header, ColumnsError> {
    let filled = |row: &Row| row.1.len();
    let widest = rows.iter().map(filled).max().ok_or(ColumnsError::NoRows)?;
    let column = |of: fn(&Row) -> Option<u32>| rows.iter().filter_map(of);
    let first = column(|row| row.1.first().map(|(column, _)| *column)).min().unwrap_or(0);
    if let Some(names) = said {
        return Ok(Header { row: None, first_column: first, names: names.to_vec(), fixed: Vec::new() });
    }
    let is_text = |row: &&Row| row.1.iter().all(|(_, cell)| matches!(cell, Data::String(_)));
    let is_wide = |row: &&Row| filled(row) * 5 >= widest * 4;
    let found = rows.iter().find(|row| is_wide(row) && is_text(row)).or_else(|| rows.iter().find(is_wide));
    let (at, cells) = found.ok_or(ColumnsError::NoRows)?;
    // Below the header alone: a title may be anywhere.
    let below = rows.iter().filter(|(row, _)| row >= at);
    let places = below.flat_map(|(_, cells)| cells.iter().map(|(column, _)| *column));
    let (first, last) = places.fold((u32::MAX, 0), |(first, last), at| (first.min(at), last.max(at)));
    let mut names = vec![String::new(); (last - first) as usize + 1];
    for (column, cell) in cells {
        names[(column - first) as usize] = text_of(cell).unwrap_or_default();
    }
    let fixed = fix_names(&mut names);
    Ok(Header { row: Some(*at), first_column: first, names, fixed })
}

impl Workbook {
    fn sheets(&self) -> Vec<SheetInfo> {
        match self {
            Self::Xlsx(book) => book.sheets_metadata(),
            Self::Xlsb(book) => book.sheets_metadata(),
            Self::Ods(book) => book.sheets_metadata(),
            Self::Xls(book) => book.sheets_metadata(),
        }
        .to_vec()
    }

    /// Gives each cell that is not empty, row by row, until nobody takes any more.
    fn each_cell(
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
    fn first_rows(&mut self, sheet: &str, part: Dimensions) -> Result<Vec<Row>, ColumnsError> {
        let mut rows: Vec<Row> = Vec::new();
        self.each_cell(sheet, &mut |(row, column), cell| {
            if row > part.end.0 {
                return Ok(false);
            }
            if row < part.start.0 || column < part.start.1 || column > part.end.1 {
                return Ok(true);
            }
            if rows.last().is_none_or(|(last, _)| *last != row) {
                if rows.len() == ROWS_LOOKED_AT {
                    return Ok(false);
                }
                rows.push((row, Vec::new()));
            }
            if let Some((_, cells)) = rows.last_mut() {
                cells.push((column, cell));
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
    if is_empty(&value) { Ok(true) } else { each(at, value) }
}

fn whole(
    range: &calamine::Range<Data>,
    each: &mut dyn FnMut((u32, u32), Data) -> Result<bool, ColumnsError>,
) -> Result<(), ColumnsError> {
    let (row, column) = range.start().unwrap_or_default();
    for (r, c, value) in range.used_cells() {
        let at = (row + u32::try_from(r).unwrap_or(u32::MAX), column + u32::try_from(c).unwrap_or(u32::MAX));
        if !is_empty(value) && !each(at, value.clone())? {
            break;
        }
    }
    Ok(())
}

/// What a formula leaves of nothing is nothing.
fn is_empty(value: &Data) -> bool {
    matches!(value, Data::Empty) || matches!(value, Data::String(text) if text.is_empty())
}

impl Sheet {
    /// Gives the rows from this one on, until nobody takes any more.
    pub(super) fn read(
        mut self,
        from: u64,
        tell: &mut dyn FnMut(SheetRows) -> bool,
    ) -> Result<(), ColumnsError> {
        let mut rows = Rows {
            schema: Arc::clone(&self.schema),
            columns: self.schema.fields().iter().map(|_| StringBuilder::new()).collect(),
            values: vec![None; self.schema.fields().len()],
            row: None,
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
                _ => rows.refuse(column),
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
struct Rows<'t> {
    schema: SchemaRef,
    columns: Vec<StringBuilder>,
    /// Of the row that has begun.
    values: Vec<Option<String>>,
    row: Option<u32>,
    count: usize,
    bytes: usize,
    /// The row that would follow those here.
    next: Option<u64>,
    tell: &'t mut dyn FnMut(SheetRows) -> bool,
}

impl Rows<'_> {
    /// Refuses the row: it has a value where no column has a name.
    fn refuse(&mut self, column: u32) {
        if let Some(value) = self.values.last_mut() {
            *value = Some(format!("\0a value in column {}, which has no name", letters(column)));
        }
    }

    fn end_row(&mut self) -> Result<bool, ColumnsError> {
        let Some(row) = self.row.take() else { return Ok(true) };
        let begins_anew = self.next != Some(u64::from(row));
        if begins_anew && (!self.flush()? || !(self.tell)(SheetRows::At(u64::from(row)))) {
            return Ok(false);
        }
        self.next = Some(u64::from(row) + 1);
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

/// What a column is called in a sheet.
fn letters(column: u32) -> String {
    let (mut rest, mut letters) = (column + 1, Vec::new());
    while rest > 0 {
        letters.push(char::from(b'A' + u8::try_from((rest - 1) % 26).unwrap_or(0)));
        rest = (rest - 1) / 26;
    }
    letters.iter().rev().collect()
}

/// The value of a cell, as PostgreSQL reads it; of one that has none, why.
fn text_of(cell: &Data) -> Option<String> {
    Some(match cell {
        Data::Empty => return None,
        Data::Int(number) => number.to_string(),
        Data::Float(number) => number_text(*number),
        Data::String(text) | Data::DurationIso(text) => text.clone(),
        Data::Bool(value) => value.to_string(),
        Data::DateTime(time) => time_text(time),
        Data::DateTimeIso(text) => text.clone(),
        Data::Error(error) => format!("\0{error}"),
    })
}

/// All digits, and no `.0`.
fn number_text(number: f64) -> String {
    /// Beyond these it is shorter with an exponent.
    const PLAIN: std::ops::Range<f64> = 1e-5..1e17;
    if number == 0.0 || PLAIN.contains(&number.abs()) { format!("{number}") } else { format!("{number:e}") }
}

/// A day, a time of day, both, or how long.
fn time_text(time: &ExcelDateTime) -> String {
    let value = time.as_f64();
    if time.is_duration() {
        #[expect(clippy::cast_possible_truncation, reason = "a float beyond an i64 becomes its bound")]
        let millis = (value * MILLIS_A_DAY).round() as i64;
        let (sign, millis) = (if millis < 0 { "-" } else { "" }, millis.unsigned_abs());
        let (hours, minutes) = (millis / 3_600_000, millis / 60_000 % 60);
        return format!("{sign}{hours:02}:{minutes:02}:{}", seconds(millis % 60_000));
    }
    let (year, month, day, hour, minute, second, milli) = time.to_ymd_hms_milli();
    let clock = format!("{hour:02}:{minute:02}:{}", seconds(u64::from(second) * 1_000 + u64::from(milli)));
    if (0.0..1.0).contains(&value) {
        return clock;
    }
    let date = format!("{year:04}-{month:02}-{day:02}");
    if clock == "00:00:00" { date } else { format!("{date} {clock}") }
}

fn seconds(millis: u64) -> String {
    match millis % 1_000 {
        0 => format!("{:02}", millis / 1_000),
        part => format!("{:02}.{part:03}", millis / 1_000),
    }
}

#[cfg(test)]
mod tests {
    use calamine::ExcelDateTimeType;

    use super::*;

    #[test]
    fn numbers_and_times_are_as_they_are_stored() {
        for (number, text) in [
            (1.0, "1"),
            (-0.5, "-0.5"),
            (0.1 + 0.2, "0.30000000000000004"),
            (1e16, "10000000000000000"),
            (1e300, "1e300"),
            (1.5e-7, "1.5e-7"),
            (0.0, "0"),
        ] {
            assert_eq!(number_text(number), text);
        }
        let of = |value, kind, is_1904| time_text(&ExcelDateTime::new(value, kind, is_1904));
        let (at, long) = (ExcelDateTimeType::DateTime, ExcelDateTimeType::TimeDelta);
        assert_eq!(of(45_943.5, at, false), "2025-10-13 12:00:00");
        assert_eq!(of(45_943.0, at, false), "2025-10-13");
        assert_eq!(of(44_481.0, at, true), "2025-10-13");
        assert_eq!(of(0.75, at, false), "18:00:00");
        assert_eq!(of(1.0, at, false), "1900-01-01");
        assert_eq!(of(61.0, at, false), "1900-03-01");
        assert_eq!(of(1.5, long, false), "36:00:00");
        assert_eq!(of(45_943.000_011_574_08, at, false), "2025-10-13 00:00:01");
    }

    #[test]
    fn parts_are_read_as_sheets_name_them() {
        let part = |text| part_of(text).map(|part| (part.start, part.end));
        assert_eq!(part("B2:F100"), Some(((1, 1), (99, 5))));
        assert_eq!(part("$a$1:aa2"), Some(((0, 0), (1, 26))));
        assert_eq!(part("B:C"), Some(((0, 1), (u32::MAX, 2))));
        assert_eq!(part("B2:C"), Some(((1, 1), (u32::MAX, 2))));
        for wrong in ["", "A1", "2:3", "C1:A2", "A0:B2", "A1:B2:C3", "A1:ÄB"] {
            assert_eq!(part(wrong), None, "{wrong}");
        }
        assert_eq!(
            (letters(0), letters(25), letters(26), letters(701)),
            ("A".into(), "Z".into(), "AA".into(), "ZZ".into())
        );
    }
}
