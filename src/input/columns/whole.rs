//! A file that is in memory, decoded as far as it goes: for tests that change its bytes.

use bytes::Bytes;
use tokio::sync::mpsc;

use super::error::ColumnsError;
use super::ranges::{Ranges, within};
use super::slices::text_bytes;
use super::{parquet, streamed};
use crate::format::{ColumnFile, columns};
use crate::record::{Block, Columns};

use std::io;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;

impl Ranges for Bytes {
    fn size(&self) -> u64 {
        self.len() as u64
    }

    fn read(&self, from: u64, bytes: usize) -> io::Result<Bytes> {
        within(Self::len(self) as u64, from, bytes)?;
        let from = usize::try_from(from).map_err(io::Error::other)?;
        Ok(self.slice(from..from + bytes))
    }
}

/// The first rows of a file, this many or a batch more.
///
/// # Errors
/// When it is damaged, or needs more memory than it may have.
pub fn first_rows(
    file: ColumnFile,
    bytes: Bytes,
    memory_bytes: u64,
    rows: u64,
) -> Result<Vec<Block>, ColumnsError> {
    let mut read = First { blocks: Vec::new(), row: 0, rows };
    if file == ColumnFile::Parquet {
        parquet::open(Arc::new(bytes), memory_bytes)?.read(0, &mut |batch| read.take(batch))?;
    } else {
        let (chunks, pumped) = mpsc::channel(1);
        let _ = chunks.try_send(bytes);
        drop(chunks);
        streamed::read(file, streamed::Pumped::new(pumped), memory_bytes, &mut read)?;
    }
    Ok(read.blocks)
}

struct First {
    blocks: Vec<Block>,
    row: u64,
    rows: u64,
}

impl First {
    fn take(&mut self, batch: RecordBatch) -> bool {
        let (rows, bytes, is_verbatim) = (batch.num_rows(), text_bytes(&batch), columns::is_verbatim(&batch));
        let columns = Columns::new(Arc::new(batch), rows, self.row, bytes, is_verbatim);
        self.row += rows as u64;
        self.blocks.push(Block::of_columns(0, columns));
        self.row < self.rows
    }
}

impl streamed::Takes for First {
    fn schema(&mut self, _schema: SchemaRef) -> bool {
        true
    }

    fn batch(&mut self, batch: RecordBatch) -> bool {
        self.take(batch)
    }
}
