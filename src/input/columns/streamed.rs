//! Arrow's files and streams, and Avro: read from their first byte to their last, from wherever bytes come.

use std::io::{self, Read};

use arrow_array::RecordBatch;
use arrow_ipc::reader::StreamReader;
use arrow_schema::{ArrowError, SchemaRef};
use bytes::{Buf as _, Bytes};
use tokio::sync::mpsc;

#[cfg(feature = "avro")]
use super::avro::AvroContainer;
use super::error::ColumnsError;
use super::messages::IpcMessages;
#[cfg(feature = "avro")]
use super::slices::BLOCK_ROWS_MAX;
use crate::format::ColumnFile;

/// How a file of Arrow begins; a stream lies behind it, and behind that a footer that is not needed.
const ARROW_FILE: &[u8; 8] = b"ARROW1\0\0";
/// How it ends.
const ARROW_FILE_END: &[u8] = b"ARROW1";

/// The bytes of a source, as the pump hands them on.
pub(super) struct Pumped {
    chunks: mpsc::Receiver<Bytes>,
    chunk: Bytes,
    /// The last bytes that were read.
    last: Vec<u8>,
}

impl Pumped {
    pub(super) const fn new(chunks: mpsc::Receiver<Bytes>) -> Self {
        Self { chunks, chunk: Bytes::new(), last: Vec::new() }
    }

    /// Whether the end is this one, once all was read.
    fn ends_with(&self, end: &[u8]) -> bool {
        self.last.ends_with(end)
    }
}

impl Read for Pumped {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        const KEPT: usize = 16;
        while self.chunk.is_empty() {
            match self.chunks.blocking_recv() {
                Some(chunk) => self.chunk = chunk,
                None => return Ok(0),
            }
        }
        let count = out.len().min(self.chunk.len());
        self.chunk.copy_to_slice(&mut out[..count]);
        self.last.extend_from_slice(&out[count.saturating_sub(KEPT)..count]);
        let surplus = self.last.len().saturating_sub(KEPT);
        self.last.drain(..surplus);
        Ok(count)
    }
}

/// Gives the schema, then the batches; false: nobody takes any more.
pub(super) trait Takes {
    fn schema(&mut self, schema: SchemaRef) -> bool;
    fn batch(&mut self, batch: RecordBatch) -> bool;
}

/// Reads all of it. `limit_bytes`: memory that what is decoded at once may take.
pub(super) fn read(
    file: ColumnFile,
    bytes: Pumped,
    limit_bytes: u64,
    takes: &mut dyn Takes,
) -> Result<(), ColumnsError> {
    match file {
        ColumnFile::Avro => avro(bytes, limit_bytes, takes),
        ColumnFile::Arrow | ColumnFile::Parquet | ColumnFile::Sheet => arrow(bytes, limit_bytes, takes),
    }
}

fn failed(error: &ArrowError) -> ColumnsError {
    match error {
        ArrowError::IoError(_, error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            ColumnsError::Incomplete("Arrow")
        }
        error => ColumnsError::decoding(error),
    }
}

fn arrow(mut bytes: Pumped, limit_bytes: u64, takes: &mut dyn Takes) -> Result<(), ColumnsError> {
    let mut head = [0; ARROW_FILE.len()];
    let mut held = 0;
    while held < head.len() {
        match bytes.read(&mut head[held..]).map_err(ColumnsError::Read)? {
            0 => return Err(ColumnsError::Incomplete("Arrow")),
            count => held += count,
        }
    }
    let is_file = head.starts_with(ARROW_FILE_END);
    let before = if is_file { &[][..] } else { &head[..] };
    let mut whole = IpcMessages::new(io::Read::chain(before, bytes), limit_bytes);
    let mut reader = StreamReader::try_new(&mut whole, None).map_err(|error| failed(&error))?;
    if !takes.schema(reader.schema()) {
        return Ok(());
    }
    for batch in reader.by_ref() {
        if !takes.batch(batch.map_err(|error| failed(&error))?) {
            return Ok(());
        }
    }
    let (_, mut rest) = whole.into_inner().into_inner();
    io::copy(&mut rest, &mut io::sink()).map_err(ColumnsError::Read)?;
    if is_file && !rest.ends_with(ARROW_FILE_END) {
        return Err(ColumnsError::Incomplete("an Arrow file"));
    }
    Ok(())
}

/// Segment by segment: most files are one, each of much text is a few batches.
#[cfg(feature = "avro")]
fn avro(bytes: Pumped, limit_bytes: u64, takes: &mut dyn Takes) -> Result<(), ColumnsError> {
    let mut file = AvroContainer::open(bytes, limit_bytes, BLOCK_ROWS_MAX)?;
    let mut is_first = true;
    while is_first || !file.is_over() {
        let mut reader = arrow_avro::reader::ReaderBuilder::new()
            .with_batch_size(file.batch_rows())
            .build(file.segment())
            .map_err(|error| ColumnsError::decoding(&error))?;
        if is_first && !takes.schema(reader.schema()) {
            return Ok(());
        }
        is_first = false;
        for batch in reader.by_ref() {
            if !takes.batch(batch.map_err(|error| ColumnsError::decoding(&error))?) {
                return Ok(());
            }
        }
    }
    Ok(())
}

#[cfg(not(feature = "avro"))]
fn avro(_bytes: Pumped, _limit_bytes: u64, _takes: &mut dyn Takes) -> Result<(), ColumnsError> {
    Err(ColumnsError::Other("Arrow"))
}
