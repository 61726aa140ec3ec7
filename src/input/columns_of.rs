//! Which rows of columns a source is: read from its start to its end, or at any place.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use super::columns::{BodyRanges, ColumnRows, ColumnsOpening, FileRanges, Ranges, SheetChoice};
use super::error::SourceError;
use super::source::Class;
use super::spec::{Location, SourceSpec};
use super::stream::Stream;
use crate::format::{ColumnFile, Compression};
use crate::job;

/// Parts of the memory of which a file has one that is held as a whole.
const PARTS_OF_MEMORY: u64 = 4;
/// Bytes of it that are read at once.
const READ_BYTES: usize = 256 * 1024;

/// What of a workbook is meant.
pub(super) fn sheet_of(reading: &job::Reading, spec: &SourceSpec) -> SheetChoice {
    SheetChoice {
        sheet: spec.part.clone().or_else(|| reading.sheet.clone()),
        range: reading.range.clone(),
        skip_rows: reading.skip_lines.unwrap_or_default(),
        columns: reading.columns.clone(),
    }
}

/// The rows of a file of columns that was opened as a stream of bytes.
pub(super) async fn rows_of(
    opening: ColumnsOpening,
    file: ColumnFile,
    choice: SheetChoice,
    mut stream: Stream,
) -> Result<ColumnRows, SourceError> {
    if !matches!(file, ColumnFile::Parquet | ColumnFile::Sheet) {
        return ColumnRows::of_stream(opening, file, stream).await;
    }
    let spec = &opening.spec;
    let refused = |what| Err(ColumnRows::refuse_piped(spec, what));
    let (ranges, class, print): (Arc<dyn Ranges>, _, _) = match &spec.location {
        _ if stream.compression() != Compression::None => return refused("what is compressed"),
        Location::File(path) => {
            let open = |source| SourceError::Open { name: spec.name.clone(), source };
            let print = stream.fingerprint().cloned();
            let size = print.as_ref().map_or(0, |print| print.size);
            let ranges = FileRanges::open(path, size, Arc::clone(&opening.progress)).map_err(open)?;
            (Arc::new(ranges), Class::Fixed, print)
        }
        Location::Http(_) | Location::Object(_) => {
            match BodyRanges::of(&stream, Arc::clone(&opening.progress)) {
                Some(ranges) => (Arc::new(ranges), stream.class(), None),
                None => return refused("a body whose server gives no parts of it"),
            }
        }
        Location::Member(_) => {
            let held = whole(&mut stream, opening.memory_bytes / PARTS_OF_MEMORY).await?;
            let Some(held) = held else {
                return refused("a member of an archive that is too long for the memory");
            };
            (Arc::new(held), Class::Fixed, None)
        }
        Location::Pipe(_) | Location::Stdin | Location::Table(_) | Location::Caller => {
            return refused("a pipe");
        }
    };
    drop(stream);
    match file {
        ColumnFile::Sheet => ColumnRows::of_sheet(opening, choice, ranges, class, print).await,
        _ => ColumnRows::of_parquet(opening, ranges, class, print).await,
    }
}

/// All that is left of a stream, if that is no more than this.
async fn whole(stream: &mut Stream, most: u64) -> Result<Option<Bytes>, SourceError> {
    let mut all = BytesMut::new();
    loop {
        if stream.buffer.is_empty() {
            if stream.at_end() {
                return Ok(Some(all.freeze()));
            }
            stream.fill(READ_BYTES).await?;
        }
        let part = stream.take(stream.buffer.len());
        if (all.len() + part.len()) as u64 > most {
            return Ok(None);
        }
        all.extend_from_slice(&part);
    }
}
