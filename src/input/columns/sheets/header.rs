//! The header of a sheet, which is looked for below titles.

use calamine::Data;

use super::cells::text_of;
use crate::format::fix_names::fix_names;
use crate::input::columns::error::ColumnsError;

/// The cells of a row that are not empty.
pub(super) struct SheetRow {
    pub(super) row: u32,
    pub(super) cells: Vec<(u32, Data)>,
}

/// What names the columns.
pub(super) struct SheetHeader {
    /// `None`: nothing does but the user.
    pub(super) row: Option<u32>,
    pub(super) first_column: u32,
    pub(super) names: Vec<String>,
    pub(super) fixed: Vec<String>,
}

/// The first row of texts that is about as wide as the widest: above it are titles.
pub(super) fn header(rows: &[SheetRow], said: Option<&[String]>) -> Result<SheetHeader, ColumnsError> {
    let filled = |row: &SheetRow| row.cells.len();
    let widest = rows.iter().map(filled).max().ok_or(ColumnsError::NoRows)?;
    let column = |of: fn(&SheetRow) -> Option<u32>| rows.iter().filter_map(of);
    let first = column(|row| row.cells.first().map(|(column, _)| *column)).min().unwrap_or(0);
    if let Some(names) = said {
        return Ok(SheetHeader { row: None, first_column: first, names: names.to_vec(), fixed: Vec::new() });
    }
    let is_text = |row: &&SheetRow| row.cells.iter().all(|(_, cell)| matches!(cell, Data::String(_)));
    let is_wide = |row: &&SheetRow| filled(row) * 5 >= widest * 4;
    let found = rows.iter().find(|row| is_wide(row) && is_text(row)).or_else(|| rows.iter().find(is_wide));
    let SheetRow { row: at, cells } = found.ok_or(ColumnsError::NoRows)?;
    // Below the header alone: a title may be anywhere.
    let below = rows.iter().filter(|row| row.row >= *at);
    let places = below.flat_map(|row| row.cells.iter().map(|(column, _)| *column));
    let (first, last) = places.fold((u32::MAX, 0), |(first, last), at| (first.min(at), last.max(at)));
    let mut names = vec![String::new(); (last - first) as usize + 1];
    for (column, cell) in cells {
        // One that failed names nothing.
        names[(column - first) as usize] =
            text_of(cell).filter(|name| !name.starts_with('\0')).unwrap_or_default();
    }
    let fixed = fix_names(&mut names);
    Ok(SheetHeader { row: Some(*at), first_column: first, names, fixed })
}
