//! Containers made by hand, whole and otherwise, and what comes of them.

use std::time::{Duration, Instant};

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use bytes::Bytes;
use proptest::prelude::*;
use tokio::sync::mpsc;

use crate::format::ColumnFile;
use crate::input::columns::error::ColumnsError;
use crate::input::columns::streamed::{self, Pumped, Takes};

const LIMIT: u64 = 4 << 20;
const SYNC: &[u8; 16] = b"0123456789abcdef";
const LONG: &str = r#"{"type":"record","name":"r","fields":[{"name":"a","type":"long"}]}"#;

fn number(value: i64) -> Vec<u8> {
    let mut left = ((value << 1) ^ (value >> 63)).cast_unsigned();
    let mut out = Vec::new();
    loop {
        let [byte, ..] = left.to_le_bytes();
        left >>= 7;
        if left == 0 {
            out.push(byte & 0x7f);
            return out;
        }
        out.push(byte | 0x80);
    }
}

fn text(text: &[u8]) -> Vec<u8> {
    [number(i64::try_from(text.len()).unwrap()), text.to_vec()].concat()
}

fn header(schema: &str, codec: &str) -> Vec<u8> {
    let entries = [b"avro.schema", schema.as_bytes(), b"avro.codec", codec.as_bytes()].map(text).concat();
    [&b"Obj\x01"[..], &number(2), &entries, &number(0), SYNC].concat()
}

fn block(rows: i64, data: &[u8]) -> Vec<u8> {
    [&number(rows)[..], &text(data), SYNC].concat()
}

#[derive(Default)]
struct Batches(Vec<RecordBatch>);

impl Takes for Batches {
    fn schema(&mut self, _schema: SchemaRef) -> bool {
        true
    }

    fn batch(&mut self, batch: RecordBatch) -> bool {
        self.0.push(batch);
        true
    }
}

/// Batches of a file, which is handed over in pieces.
fn batches(file: &[u8], limit: u64) -> Result<Vec<RecordBatch>, ColumnsError> {
    const PIECE: usize = 1000;
    let (chunks, pumped) = mpsc::channel(file.len() / PIECE + 1);
    for piece in file.chunks(PIECE) {
        chunks.try_send(Bytes::copy_from_slice(piece)).unwrap();
    }
    drop(chunks);
    let mut read = Batches::default();
    streamed::read(ColumnFile::Avro, Pumped::new(pumped), limit, &mut read)?;
    Ok(read.0)
}

fn rows(file: &[u8], limit: u64) -> Result<usize, ColumnsError> {
    Ok(batches(file, limit)?.iter().map(RecordBatch::num_rows).sum())
}

/// Of blocks behind a header; it must be said at once.
fn refused(schema: &str, blocks: &[u8]) -> String {
    let begin = Instant::now();
    let error = rows(&[&header(schema, "null"), blocks].concat(), LIMIT).unwrap_err();
    assert!(begin.elapsed() < Duration::from_secs(30), "{error}");
    error.to_string()
}

#[test]
fn files_of_each_codec_are_the_same_rows() {
    let of = |codec: &str| {
        let file = std::fs::read(format!("tests/data/columns/avro.{codec}.avro")).unwrap();
        batches(&file, LIMIT).unwrap()
    };
    let plain = of("null");
    assert!(plain.iter().map(RecordBatch::num_rows).sum::<usize>() > 0);
    for codec in ["deflate", "snappy", "zstandard", "bzip2", "xz"] {
        assert_eq!(of(codec), plain, "{codec}");
    }
}

#[test]
fn a_block_with_more_or_less_than_its_rows_is_damaged() {
    let two = [number(5), number(-70_000)].concat();
    assert_eq!(rows(&[header(LONG, "null"), block(2, &two), block(0, b"")].concat(), LIMIT).unwrap(), 2);
    assert_eq!(refused(LONG, &block(1, &two)), "it is damaged: a block has 3 bytes behind its last row");
    assert_eq!(refused(LONG, &block(0, &two)), "it is damaged: a block has 4 bytes behind its last row");
    assert_eq!(refused(LONG, &block(3, &two)), "it is damaged: a block ends before its last row");
    assert_eq!(
        refused(LONG, &block(i64::MAX, &two)),
        format!("it is damaged: a block says that it has {} rows, in 4 bytes", i64::MAX)
    );
    let mut other = block(2, &two);
    *other.last_mut().unwrap() ^= 1;
    assert!(refused(LONG, &other).contains("the mark of the file"));
}

#[test]
fn lengths_are_not_believed() {
    let not_complete = "it is not complete: it does not end as Avro does";
    for size in [LIMIT, 100] {
        let size = number(size.cast_signed());
        assert_eq!(refused(LONG, &[&number(1)[..], &size, b"ab"].concat()), not_complete);
    }
    let huge = [&number(1)[..], &number(i64::MAX), b"ab"].concat();
    assert!(refused(LONG, &huge).contains("MiB for what is read at once, of 4 MiB that may be"));
    assert!(refused(LONG, &[number(-1), number(1)].concat()).contains("below 0"));
    assert!(refused(LONG, &[0xff; 20]).contains("too many bytes"));
    for kept in 0..header(LONG, "null").len() {
        let error = rows(&header(LONG, "null")[..kept], LIMIT).unwrap_err();
        assert_eq!(error.to_string(), not_complete, "{kept}");
    }
    let text = r#"{"type":"record","name":"r","fields":[{"name":"a","type":"string"}]}"#;
    assert!(refused(text, &block(1, &number(i64::MAX))).contains("ends before its last row"));
    assert!(refused(text, &block(1, &number(-1))).contains("below 0"));
    assert!(rows(b"id,v\n1,2\n", LIMIT).unwrap_err().to_string().contains("does not begin as Avro does"));
}

#[test]
fn rows_and_items_that_take_no_bytes_take_no_time() {
    let nulls = r#"{"type":"record","name":"r","fields":[{"name":"a","type":"null"}]}"#;
    assert_eq!(
        refused(nulls, &block(i64::MAX, b"")),
        format!("it is damaged: a block has {} rows that take no bytes", i64::MAX)
    );
    let items = r#"{"type":"record","name":"r","fields":[{"name":"a","type":{"type":"array","items":
        {"type":"record","name":"empty","fields":[]}}}]}"#;
    assert!(
        refused(items, &block(1, &[number(1 << 40), number(0)].concat())).contains("of 4 MiB that may be")
    );
    let few = [number(3), number(-2), number(0), number(0)].concat();
    assert_eq!(rows(&[header(items, "null"), block(1, &few)].concat(), LIMIT).unwrap(), 1);
}

#[test]
fn a_bomb_is_not_unpacked() {
    let bomb = zstd::encode_all(&vec![0; 64 << 20][..], 3).unwrap();
    let error = rows(&[header(LONG, "zstandard"), block(64 << 20, &bomb)].concat(), LIMIT).unwrap_err();
    assert!(matches!(error, ColumnsError::TooMuchMemory { .. }), "{error}");
}

/// A record of two of the one before, thirty times: a decoder for each would be a thousand million.
#[test]
fn a_schema_that_grows_with_each_name_is_not_believed() {
    let mut fields =
        r#"{"name":"a","type":{"type":"record","name":"r0","fields":[{"name":"a","type":"int"}]}}"#
            .to_owned();
    for n in 1..30 {
        let before = format!(r#""r{}""#, n - 1);
        fields += &format!(
            r#",{{"name":"f{n}","type":{{"type":"record","name":"r{n}","fields":[
                {{"name":"a","type":{before}}},{{"name":"b","type":{before}}}]}}}}"#
        );
    }
    let schema = format!(r#"{{"type":"record","name":"r","fields":[{fields}]}}"#);
    assert!(refused(&schema, b"").contains("MiB for what is read at once"));
    let mut deep = r#"{"name":"a","type":{"type":"record","name":"r0","fields":[]}}"#.to_owned();
    for n in 1..200 {
        deep += &format!(
            r#",{{"name":"f{n}","type":{{"type":"record","name":"r{n}","fields":[
                {{"name":"a","type":"r{}"}}]}}}}"#,
            n - 1
        );
    }
    let schema = format!(r#"{{"type":"record","name":"r","fields":[{deep}]}}"#);
    assert!(refused(&schema, b"").contains("values within values"));
    let itself = r#"{"type":"record","name":"r","fields":[{"name":"a","type":["null","r"]}]}"#;
    assert!(refused(itself, b"").contains("the type \"r\", which it does not define before"));
}

/// The decoder takes a definition that it cannot read for the name of a type.
#[test]
fn a_name_that_is_a_word_of_avro_is_refused() {
    let schema = r#"{"type":"record","name":"r","fields":[
        {"name":"a","type":{"type":"enum","name":"fixed","symbols":["x"]}},
        {"name":"b","type":{"type":"fixed","name":"f","size":2,"aliases":0}}]}"#;
    assert!(refused(schema, b"").contains("a type that is named fixed"));
}

/// What is null in a row takes room in a batch.
#[test]
fn more_rows_than_memory_holds_are_more_batches() {
    let fields: String = (0..500).map(|n| format!(r#",{{"name":"f{n}","type":"int"}}"#)).collect();
    let schema = format!(
        r#"{{"type":"record","name":"r","fields":[{{"name":"x","type":["null",
            {{"type":"record","name":"w","fields":[{}]}}]}}]}}"#,
        &fields[1..]
    );
    let file = [header(&schema, "null"), block(5_000, &[0; 5_000])].concat();
    let read = batches(&file, 8 << 20).unwrap();
    assert_eq!(read.iter().map(RecordBatch::num_rows).sum::<usize>(), 5_000);
    assert!(read.iter().all(|batch| batch.get_array_memory_size() < 8 << 20));
    let texts = r#"{"type":"record","name":"r","fields":[{"name":"a","type":"bytes"}]}"#;
    let row = text(&[7; 40_000]);
    let file = [header(texts, "null"), block(50, &row.repeat(50)), block(1, &row)].concat();
    let read = batches(&file, LIMIT).unwrap();
    assert_eq!(read.iter().map(RecordBatch::num_rows).collect::<Vec<_>>(), [51]);
    let file = [header(texts, "null"), block(90, &row.repeat(90)).repeat(3), block(1, &row)].concat();
    let read = batches(&file, LIMIT).unwrap();
    assert_eq!(read.iter().map(RecordBatch::num_rows).sum::<usize>(), 271);
    assert!(read.len() > 3, "{}", read.len());
}

const ALL: &str = r#"{"type":"record","name":"r","namespace":"n","fields":[
    {"name":"flag","type":"boolean"},{"name":"i","type":"int"},{"name":"l","type":["null","long"]},
    {"name":"f","type":"float"},{"name":"d","type":["double","null"]},{"name":"t","type":"string"},
    {"name":"x","type":{"type":"fixed","name":"three","size":3}},
    {"name":"e","type":{"type":"enum","name":"word","symbols":["a","b"]}},
    {"name":"again","type":"three"},{"name":"full","type":["null","n.word"]},
    {"name":"list","type":{"type":"array","items":["null","string"]}},
    {"name":"map","type":{"type":"map","values":{"type":"record","name":"in","namespace":"m","fields":[
        {"name":"a","type":{"type":"bytes","logicalType":"decimal","precision":9,"scale":2}}]}}},
    {"name":"one","type":["int","string","m.in"]}]}"#;

/// A row of all types: the same in the writer's eyes and in the decoder's.
fn row(n: i64) -> Vec<u8> {
    let fixed = b"abc".to_vec();
    let list = match n % 3 {
        0 => number(0),
        1 => [number(2), number(0), number(1), text(b"x"), number(0)].concat(),
        _ => [number(-1), number(3), number(1), text(b"y"), number(1), number(0), number(0)].concat(),
    };
    let one = match n % 3 {
        0 => [number(0), number(n % 1000)].concat(),
        1 => [number(1), text(b"text")].concat(),
        _ => [number(2), text(&[1, 2])].concat(),
    };
    let long = if n % 2 == 0 { number(0) } else { [number(1), number(n)].concat() };
    let map = [number(1), text(b"key"), text(&[5]), number(0)].concat();
    let parts = [
        vec![(n % 2 == 0).into()],
        number(n % 1000),
        long,
        vec![0; 4],
        [number(0), vec![0; 8]].concat(),
        text("é".repeat(usize::try_from(n % 50).unwrap()).as_bytes()),
        fixed.clone(),
        number(n % 2),
        fixed,
        [number(1), number(1)].concat(),
        list,
        map,
        one,
    ];
    parts.concat()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Rows of all types are passed over where the decoder passes over them; changed, they are rows or a
    /// reason, and no time.
    #[test]
    fn rows_end_where_the_decoder_ends_them(
        first in 0_i64..1_000_000_000_000,
        count in 1_i64..40,
        changed in prop::option::of((any::<prop::sample::Index>(), any::<u8>())),
    ) {
        let data = (first..first + count).flat_map(row).collect::<Vec<u8>>();
        let mut block = block(count, &data);
        let is_whole = changed.is_none();
        if let Some((at, byte)) = changed {
            let at = at.index(block.len());
            block[at] = byte;
        }
        let begin = Instant::now();
        let read = rows(&[header(ALL, "null"), block].concat(), LIMIT);
        prop_assert!(begin.elapsed() < Duration::from_secs(30));
        if is_whole {
            prop_assert_eq!(read.unwrap(), usize::try_from(count).unwrap());
        }
    }
}
