//! Files of columns: rows by their number, decoded batch by batch on a thread that may wait, handed on in
//! blocks.
//!
//! `parquet` reads at any place of what `ranges` stands for, `pages` sees to it that a page takes no more
//! memory than there is; `streamed` reads Arrow and Avro from the first byte to the last, through what judges
//! their lengths first. Reading ends with a look whether all rows were there, and whether the file is the one
//! that was begun. `sheets` makes rows of the cells of workbooks.

#[cfg(feature = "avro")]
mod avro;
mod body;
mod error;
mod messages;
mod pages;
mod parquet;
mod ranges;
mod rows;
#[cfg_attr(not(feature = "excel"), path = "sheets_absent.rs")]
mod sheets;
mod slices;
mod streamed;
mod whole;

pub(super) use body::BodyRanges;
pub use error::ColumnsError;
pub(super) use ranges::{FileRanges, Ranges};
pub(super) use rows::{ColumnRows, ColumnsOpening};
pub(super) use sheets::SheetChoice;
pub use whole::first_rows;
