//! Writes files of Parquet and Avro for tests, whole and otherwise.

use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader, ParquetMetaDataWriter};
use parquet::file::properties::WriterProperties;

/// Rows with an id from 0 on and a text made of it.
pub fn rows(count: i64) -> RecordBatch {
    let ids: ArrayRef = Arc::new(Int64Array::from_iter_values(0..count));
    let texts: ArrayRef = Arc::new(StringArray::from_iter_values((0..count).map(text)));
    RecordBatch::try_from_iter([("id", ids), ("v", texts)]).unwrap()
}

/// What stands beside an id: not to be compressed away.
pub fn text(id: i64) -> String {
    let mixed = id.wrapping_mul(0x9e37_79b9_7f4a_7c15_u64.cast_signed());
    format!("{id} {mixed:016x} {:016x}", mixed.wrapping_mul(mixed | 1))
}

/// A file with so many rows a row group, in pages of 16 KiB without dictionaries.
pub fn parquet(batch: &RecordBatch, group: usize, compression: Compression) -> Vec<u8> {
    let properties = WriterProperties::builder()
        .set_max_row_group_row_count(Some(group))
        .set_data_page_size_limit(16 << 10)
        .set_write_batch_size(256)
        .set_dictionary_enabled(false)
        .set_compression(compression);
    write(batch, properties.build())
}

pub fn write(batch: &RecordBatch, properties: WriterProperties) -> Vec<u8> {
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties)).unwrap();
    writer.write(batch).unwrap();
    writer.into_inner().unwrap()
}

pub fn footer(file: &[u8]) -> ParquetMetaData {
    let file = bytes::Bytes::copy_from_slice(file);
    ParquetMetaDataReader::new().parse_and_finish(&file).unwrap()
}

/// The same pages under another footer.
pub fn with_footer(file: &[u8], metadata: &ParquetMetaData) -> Vec<u8> {
    let length = u32::from_le_bytes(file[file.len() - 8..file.len() - 4].try_into().unwrap());
    let mut out = file[..file.len() - 8 - length as usize].to_vec();
    let mut footer = Vec::new();
    ParquetMetaDataWriter::new(&mut footer, metadata).finish().unwrap();
    out.extend_from_slice(&footer);
    out
}

/// A file of Avro of one column `id`, with so many rows said to be in the bytes of each block.
pub fn avro(codec: &str, blocks: &[(i64, &[u8])]) -> Vec<u8> {
    const SCHEMA: &str = r#"{"type":"record","name":"r","fields":[{"name":"id","type":"long"}]}"#;
    const SYNC: &[u8] = b"between blocks..";
    let text = |bytes: &[u8]| [avro_number(i64::try_from(bytes.len()).unwrap()), bytes.to_vec()].concat();
    let entries = ["avro.schema", SCHEMA, "avro.codec", codec].map(|entry| text(entry.as_bytes())).concat();
    let mut file = [b"Obj\x01", &avro_number(2)[..], &entries, &avro_number(0), SYNC].concat();
    for (rows, data) in blocks {
        file.extend([&avro_number(*rows)[..], &text(data), SYNC].concat());
    }
    file
}

pub fn avro_number(number: i64) -> Vec<u8> {
    let mut left = ((number << 1) ^ (number >> 63)).cast_unsigned();
    let mut bytes = Vec::new();
    while left >= 0x80 {
        bytes.push(left.to_le_bytes()[0] | 0x80);
        left >>= 7;
    }
    bytes.push(left.to_le_bytes()[0]);
    bytes
}
