//! Parquet: the footer first, then row group after row group, page by page. Row groups that were dealt with
//! are not read.

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::{DataType, Schema, SchemaRef};
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder,
};
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader, RowGroupMetaData};
use xxhash_rust::xxh3::xxh3_64;

use super::error::ColumnsError;
use super::pages::ChunkPages;
use super::ranges::Ranges;
use super::slices::{BLOCK_BYTES, BLOCK_ROWS_MAX};

const MAGIC: &[u8] = b"PAR1";
const ENCRYPTED: &[u8] = b"PARE";
/// The length of the footer, and the magic behind it.
const TAIL_BYTES: usize = 8;
/// What a page takes as most writers make it: of one the footer says nothing.
const PAGE_BYTES: u64 = 1 << 20;

/// A file that was opened.
pub(super) struct Parquet {
    ranges: Arc<dyn Ranges>,
    metadata: ArrowReaderMetadata,
    limit_bytes: u64,
    /// Rows, as the footer says it.
    pub(super) rows: u64,
    /// What tells it from another: its size, and a digest of its footer.
    pub(super) identity: (u64, u64),
    /// Memory that reading it takes, from its own figures.
    pub(super) page_bytes: u64,
}

/// Reads the footer.
pub(super) fn open(ranges: Arc<dyn Ranges>, limit_bytes: u64) -> Result<Parquet, ColumnsError> {
    let footer = footer(ranges.as_ref())?;
    let identity = (ranges.size(), xxh3_64(&footer));
    let metadata = ParquetMetaDataReader::decode_metadata(&footer);
    let metadata = Arc::new(metadata.map_err(|error| ColumnsError::decoding(&error))?);
    let options = ArrowReaderOptions::new();
    let metadata = ArrowReaderMetadata::try_new(metadata, options.clone())
        .map_err(|error| ColumnsError::decoding(&error))?;
    let metadata = with_views(&metadata, options).unwrap_or(metadata);
    let rows = checked_rows(metadata.metadata())?;
    ranges.expect(metadata.metadata().file_metadata().schema_descr().num_columns());
    let page_bytes = metadata.metadata().row_groups().iter().map(page_bytes).max().unwrap_or(0);
    if page_bytes > limit_bytes {
        return Err(ColumnsError::TooMuchMemory { needed: page_bytes, limit: limit_bytes });
    }
    Ok(Parquet { ranges, metadata, limit_bytes, rows, identity, page_bytes })
}

fn footer(ranges: &dyn Ranges) -> Result<bytes::Bytes, ColumnsError> {
    let read = |from, bytes| ranges.read(from, bytes).map_err(ColumnsError::Read);
    let size = ranges.size();
    let head = read(0, MAGIC.len().min(usize::try_from(size).unwrap_or(usize::MAX)))?;
    if !MAGIC.starts_with(&head) && head != ENCRYPTED {
        return Err(ColumnsError::Other("Parquet"));
    }
    if size < (MAGIC.len() + TAIL_BYTES) as u64 {
        return Err(ColumnsError::Incomplete("Parquet"));
    }
    let tail = read(size - TAIL_BYTES as u64, TAIL_BYTES)?;
    let (length, magic) = tail.split_at(4);
    if head == ENCRYPTED || magic == ENCRYPTED {
        return Err(ColumnsError::Encrypted);
    }
    if magic != MAGIC {
        return Err(ColumnsError::Incomplete("Parquet"));
    }
    let length = u64::from(u32::from_le_bytes(length.try_into().unwrap_or_default()));
    let Some(from) = (size - TAIL_BYTES as u64).checked_sub(length).filter(|from| *from >= 4) else {
        return Err(ColumnsError::Damaged("its footer is longer than the file".to_owned()));
    };
    read(from, usize::try_from(length).unwrap_or(usize::MAX))
}

/// Text as views into pages: a long text in a dictionary is not copied for each of its rows.
fn with_views(metadata: &ArrowReaderMetadata, options: ArrowReaderOptions) -> Option<ArrowReaderMetadata> {
    let fields = metadata.schema().fields().iter().map(|field| {
        let viewed = match field.data_type() {
            DataType::Utf8 | DataType::LargeUtf8 => DataType::Utf8View,
            DataType::Dictionary(_, value) if **value == DataType::Utf8 => DataType::Utf8View,
            DataType::Binary | DataType::LargeBinary => DataType::BinaryView,
            _ => return Arc::clone(field),
        };
        Arc::new(field.as_ref().clone().with_data_type(viewed))
    });
    let schema = Schema::new_with_metadata(fields.collect::<Vec<_>>(), metadata.schema().metadata().clone());
    let options = options.with_schema(Arc::new(schema));
    ArrowReaderMetadata::try_new(Arc::clone(metadata.metadata()), options).ok()
}

/// The number of rows, if the footer agrees with itself.
fn checked_rows(metadata: &ParquetMetaData) -> Result<u64, ColumnsError> {
    let damaged = |what: &str| ColumnsError::Damaged(what.to_owned());
    let below = |_| damaged("its footer has a number of rows below 0");
    let rows = u64::try_from(metadata.file_metadata().num_rows()).map_err(below)?;
    let mut sum = 0_u64;
    for group in metadata.row_groups() {
        let rows = u64::try_from(group.num_rows()).map_err(below)?;
        sum = sum.checked_add(rows).ok_or_else(|| damaged("its footer has more rows than can be counted"))?;
    }
    if sum != rows {
        return Err(ColumnsError::Damaged(format!(
            "its footer says {rows} rows, and its row groups have {sum}"
        )));
    }
    Ok(rows)
}

/// What a row group takes while it is read: of each column a page, and a dictionary where it has one.
fn page_bytes(group: &RowGroupMetaData) -> u64 {
    let of_chunk = |chunk: &parquet::file::metadata::ColumnChunkMetaData| {
        let all = u64::try_from(chunk.uncompressed_size()).unwrap_or(0);
        let page = all.min(PAGE_BYTES);
        if chunk.dictionary_page_offset().is_some() { all.min(2 * page) } else { page }
    };
    group.columns().iter().map(of_chunk).sum()
}

impl Parquet {
    pub(super) fn schema(&self) -> SchemaRef {
        Arc::clone(self.metadata.schema())
    }

    /// What it is, in a line.
    pub(super) fn words(&self) -> String {
        let metadata = self.metadata.metadata();
        let groups = metadata.row_groups();
        let mut codecs: Vec<String> = Vec::new();
        for chunk in groups.iter().flat_map(RowGroupMetaData::columns) {
            let codec = format!("{}", chunk.compression()).to_lowercase();
            let codec = codec.split('(').next().unwrap_or_default().to_owned();
            if !codecs.contains(&codec) {
                codecs.push(codec);
            }
        }
        format!(
            "Parquet, {} rows in {} row groups, {} columns, {}; reading it takes about {} MiB",
            self.rows,
            groups.len(),
            self.schema().fields().len(),
            codecs.join(" and "),
            self.page_bytes.div_ceil(1 << 20)
        )
    }

    /// Reads it from this row on, until nobody takes what it gives. The number of rows that there were.
    pub(super) fn read(
        self,
        from_row: u64,
        give: &mut dyn FnMut(RecordBatch) -> bool,
    ) -> Result<(), ColumnsError> {
        let mut first = 0;
        for (n, group) in self.metadata.metadata().row_groups().iter().enumerate() {
            let rows = u64::try_from(group.num_rows()).unwrap_or(0);
            let passed = from_row.saturating_sub(first).min(rows);
            first += rows;
            if passed == rows {
                continue;
            }
            if !self.read_group(n, group, passed, rows, give)? {
                return Ok(());
            }
        }
        Ok(())
    }

    /// False: nobody takes any more.
    fn read_group(
        &self,
        n: usize,
        group: &RowGroupMetaData,
        passed: u64,
        rows: u64,
        give: &mut dyn FnMut(RecordBatch) -> bool,
    ) -> Result<bool, ColumnsError> {
        let chunks = group.columns().iter().map(chunk_start);
        let pages = ChunkPages::new(Arc::clone(&self.ranges), chunks, self.limit_bytes);
        let bytes = u64::try_from(group.total_byte_size()).unwrap_or(0);
        let average = bytes.checked_div(rows).unwrap_or(0).max(1);
        let at_once = (BLOCK_BYTES as u64 / average).clamp(1, BLOCK_ROWS_MAX as u64);
        let refused = pages.refusal();
        let reader = ParquetRecordBatchReaderBuilder::new_with_metadata(pages, self.metadata.clone())
            .with_row_groups(vec![n])
            .with_offset(usize::try_from(passed).unwrap_or(usize::MAX))
            .with_batch_size(usize::try_from(at_once).unwrap_or(1))
            .build()
            .map_err(|error| refused().unwrap_or_else(|| ColumnsError::decoding(&error)))?;
        let mut read = passed;
        for batch in reader {
            let batch = batch.map_err(|error| refused().unwrap_or_else(|| ColumnsError::decoding(&error)))?;
            read += batch.num_rows() as u64;
            if !give(batch) {
                return Ok(false);
            }
        }
        match read == rows {
            true => Ok(true),
            false => Err(ColumnsError::Damaged(format!(
                "row group {} has {read} rows, and its footer says {rows}",
                n + 1
            ))),
        }
    }
}

fn chunk_start(chunk: &parquet::file::metadata::ColumnChunkMetaData) -> u64 {
    let data = chunk.data_page_offset();
    let first = chunk.dictionary_page_offset().filter(|at| *at > 0).map_or(data, |at| at.min(data));
    u64::try_from(first).unwrap_or(0)
}
