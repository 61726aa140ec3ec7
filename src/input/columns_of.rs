//! Which rows of columns a source is: read from its start to its end, or at any place.

use std::sync::Arc;

use tokio::io::AsyncWriteExt as _;

use super::columns::{BodyRanges, ColumnRows, ColumnsOpening, FileRanges, Ranges, SheetChoice};
use super::error::SourceError;
use super::folders::folders;
use super::member::{DiskCopy, MemberError};
use super::spec::{Location, SourceSpec};
use super::stream::{RawProgress, Stream};
use crate::format::{ColumnFile, Compression};
use crate::job;

/// Bytes of a stream that are copied at once.
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

/// The rows of a file of columns that was opened as a stream of bytes. What is read from its end, and lies
/// where it cannot be read at any place, is read of a copy.
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
    let is_plain = stream.compression() == Compression::None;
    let print = stream.fingerprint().filter(|_| spec.location.file().is_some()).cloned();
    let class = stream.class();
    let ranges: Arc<dyn Ranges> = match &spec.location {
        Location::File(path) if is_plain => {
            let open = |source| SourceError::Open { name: spec.name.clone(), source };
            let size = print.as_ref().map_or(0, |print| print.size);
            Arc::new(FileRanges::open(path, size, Arc::clone(&opening.progress)).map_err(open)?)
        }
        Location::Http(_) | Location::Object(_) if is_plain => {
            match BodyRanges::of(&stream, Arc::clone(&opening.progress)) {
                Some(ranges) => Arc::new(ranges),
                None => Arc::new(copied(&mut stream, spec).await?),
            }
        }
        Location::File(_)
        | Location::Member(_)
        | Location::Http(_)
        | Location::Object(_)
        | Location::Table(_)
        | Location::Pipe(_)
        | Location::Stdin
        | Location::Caller => Arc::new(copied(&mut stream, spec).await?),
    };
    drop(stream);
    match file {
        ColumnFile::Sheet => ColumnRows::of_sheet(opening, choice, ranges, class, print).await,
        _ => ColumnRows::of_parquet(opening, ranges, class, print).await,
    }
}

/// All that is left of a stream, in a file without a name.
async fn copied(stream: &mut Stream, spec: &SourceSpec) -> Result<FileRanges, SourceError> {
    let failed = |source| SourceError::Archive { name: spec.name.clone(), source: MemberError::Copy(source) };
    let (copy, writer) = DiskCopy::new(&folders()).map_err(failed)?;
    let mut writer = tokio::fs::File::from_std(writer);
    let mut size = 0;
    while !(stream.buffer.is_empty() && stream.at_end()) {
        let part = stream.take(stream.buffer.len());
        size += part.len() as u64;
        writer.write_all(&part).await.map_err(failed)?;
        if !stream.at_end() {
            stream.fill(READ_BYTES).await?;
        }
    }
    writer.flush().await.map_err(failed)?;
    FileRanges::open(copy.path(), size, RawProgress::default()).map_err(failed)
}
