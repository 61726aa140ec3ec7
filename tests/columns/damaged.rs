//! Files that are not whole, do not add up, or were made to do harm: a failed source, and no wrong row.

use std::fs;
use std::io::Read as _;
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, StringArray};
use parquet::basic::Compression;
use parquet::file::metadata::{FileMetaData, ParquetMetaData};
use parquet::file::properties::WriterProperties;

use super::written;
use crate::rows;
use crate::support::Scene;

fn scene() -> Scene {
    Scene::with("CREATE TABLE t (id bigint, v text)")
}

/// Requirement B1.
#[test]
fn a_file_without_its_end_is_not_complete_and_the_plan_says_what_its_footer_says() {
    let scene = scene();
    let file = written::parquet(&written::rows(5_000), 2_000, Compression::SNAPPY);
    scene.file("a.parquet", &file);
    let plan = scene.plain("a.parquet -t t --dry-run").run().exits(0);
    for said in ["5000 rows", "3 row groups", "2 columns", "snappy", "MiB"] {
        assert!(plan.stdout.contains(said), "{said}: {plan}");
    }
    for kept in [0, 3, 4, 11, 12, file.len() / 2, file.len() - 1] {
        scene.file("a.parquet", &file[..kept]);
        let outcome = scene.run("a.parquet -t t --restart");
        assert!([4, 0].contains(&outcome.code()), "{kept}: {outcome}");
        assert!(kept == 0 || outcome.code() == 4, "{kept}: {outcome}");
        assert_eq!(scene.db.count("t"), 0, "{kept}");
    }
    scene.file("b.parquet", &file[..file.len() - 1]);
    scene
        .run("b.parquet -t t --again")
        .exits(4)
        .says("b.parquet")
        .says("not complete")
        .says("still being written");
    scene.file("c.parquet", "id,v\n1,2\n");
    scene.run("c.parquet -t t").exits(4).says("does not begin as Parquet does").says("--format says which");
}

fn with_rows(metadata: &ParquetMetaData, rows: i64) -> ParquetMetaData {
    let file = metadata.file_metadata();
    let file = FileMetaData::new(
        file.version(),
        rows,
        None,
        file.key_value_metadata().cloned(),
        file.schema_descr_ptr(),
        None,
    );
    ParquetMetaData::new(file, metadata.row_groups().to_vec())
}

/// Requirement B2.
#[test]
fn a_footer_that_does_not_add_up_is_a_failed_source() {
    let scene = scene();
    let file = written::parquet(&written::rows(5_000), 2_000, Compression::SNAPPY);
    let metadata = written::footer(&file);
    scene.file("a.parquet", written::with_footer(&file, &with_rows(&metadata, 5_000)));
    assert_eq!(scene.load("a.parquet -t t").rows(), rows!(read: 5000, inserted: 5000));
    // 5,000 rows as Thrift has them, behind the kind of the field.
    let at = file.windows(3).rposition(|bytes| bytes == [0x16, 0x90, 0x4e]).unwrap();
    let mut other = file.clone();
    other[at + 1] = 0x92;
    scene.file("b.parquet", &other);
    scene
        .run("b.parquet -t t --again")
        .exits(4)
        .says("its footer says 5001 rows, and its row groups have 5000");
    // Agreed with itself, and not with its pages.
    let mut groups = metadata.row_groups().to_vec();
    groups[1] = groups[1].clone().into_builder().set_num_rows(2_001).build().unwrap();
    let agreed = with_rows(&metadata, 5_001).into_builder().set_row_groups(groups).build();
    scene.file("c.parquet", written::with_footer(&file, &agreed));
    scene
        .run("c.parquet -t t --again")
        .exits(4)
        .says("damaged")
        .says("fetch it again, or have it written anew");
}

/// Requirement B3.
#[test]
fn the_checksum_of_a_page_is_compared() {
    let scene = scene();
    let kept = fs::read("tests/data/columns/flat.none.parquet").unwrap();
    let column = written::footer(&kept).row_group(0).column(0).clone();
    // A value of the first page, which nothing but its checksum protects.
    let start = column.dictionary_page_offset().unwrap_or(column.data_page_offset());
    let at = usize::try_from(start + column.compressed_size()).unwrap() - 1;
    let mut damaged = kept;
    damaged[at] ^= 1;
    scene.file("a.parquet", &damaged);
    scene.run("a.parquet -t of_flat").exits(4).says("checksum");
}

/// Requirement B4.
#[test]
fn an_encrypted_file_is_refused_by_name() {
    let scene = scene();
    let mut file = written::parquet(&written::rows(5), 10, Compression::SNAPPY);
    let end = file.len();
    file[end - 4..].copy_from_slice(b"PARE");
    file[..4].copy_from_slice(b"PARE");
    scene.file("a.parquet", &file);
    scene.run("a.parquet -t t").exits(4).says("encrypted").says("write it without encryption first");
}

#[test]
fn a_header_that_claims_much_gets_nothing() {
    let scene = scene();
    let file = written::parquet(&written::rows(2_000), 2_000, Compression::SNAPPY);
    let metadata = written::footer(&file);
    // A data page of 2 GiB, of which 100 bytes are stored.
    let hostile = [
        0x15, 0, 0x15, 0xfe, 0xff, 0xff, 0xff, 0x0f, 0x15, 200, 1, 0x2c, 0x15, 0x80, 0x20, 0x15, 0, 0x15, 6,
        0x15, 6, 0, 0,
    ];
    let mut pages = file.clone();
    let length = u32::from_le_bytes(file[file.len() - 8..file.len() - 4].try_into().unwrap()) as usize;
    let at = file.len() - 8 - length;
    let tail = pages.split_off(at);
    pages.extend_from_slice(&hostile);
    pages.extend_from_slice(&[0xff; 200]);
    pages.extend_from_slice(&tail);
    let group = metadata.row_group(0).clone();
    let mut columns = group.columns().to_vec();
    columns[0] = columns[0]
        .clone()
        .into_builder()
        .set_data_page_offset(i64::try_from(at).unwrap())
        .set_total_compressed_size(200)
        .build()
        .unwrap();
    let group = group.into_builder().set_column_metadata(columns).build().unwrap();
    let metadata = with_rows(&metadata, 2_000).into_builder().set_row_groups(vec![group]).build();
    scene.file("a.parquet", written::with_footer(&pages, &metadata));
    let (outcome, peak) = scene.dbload("a.parquet -t t").spawn().wait_with_peak();
    let outcome = outcome.exits(4).says("it needs 2049 MiB for what is read at once").says("--max-memory");
    assert!(peak < 256 << 20, "{peak} bytes: {outcome}");
    assert_eq!(scene.db.count("t"), 0);
}

#[test]
fn memory_is_reckoned_before_the_first_row_and_the_flag_that_helps_helps() {
    let scene = Scene::new();
    let names: Vec<String> = (0..60).map(|n| format!("c{n}")).collect();
    let text: ArrayRef = Arc::new(StringArray::from_iter_values((0..20_000).map(written::text)));
    let batch = RecordBatch::try_from_iter(names.iter().map(|name| (name, Arc::clone(&text)))).unwrap();
    let properties = WriterProperties::builder().set_dictionary_enabled(false);
    scene.file("a.parquet", written::write(&batch, properties.build()));
    let refused =
        scene.run("a.parquet -t t").exits(4).says("of 32 MiB that may be").says("or more is enough");
    let hint = format!("{refused}");
    let allowed = hint.split("--max-memory ").nth(1).and_then(|rest| rest.split_whitespace().next()).unwrap();
    assert_eq!(
        scene.load(&format!("a.parquet -t t --max-memory {allowed}")).rows(),
        rows!(read: 20000, inserted: 20000)
    );
}

/// A file that is cut anywhere never passes for a whole one.
#[test]
fn arrow_and_avro_that_are_cut_anywhere_are_not_complete() {
    for name in ["flat.zstd.arrows", "nested.arrow", "avro.null.avro"] {
        let scene = Scene::new();
        let file = fs::read(format!("tests/data/columns/{name}")).unwrap();
        scene.load(&format!(
            "{} -t whole",
            std::path::absolute(format!("tests/data/columns/{name}")).unwrap().display()
        ));
        for part in 1..12 {
            let cut = file.len() * part / 12;
            scene.file(&format!("cut.{part}"), &file[..cut]);
            let outcome = scene.run(&format!("cut.{part} -t whole"));
            assert_eq!(outcome.code(), 4, "{name} cut at {cut} of {}: {outcome}", file.len());
        }
    }
}

/// The decoder spun on such a block, and took the other for one without rows.
#[test]
fn a_block_of_avro_with_more_or_less_than_its_rows_is_a_failed_source() {
    let scene = Scene::with("CREATE TABLE t (id bigint)");
    let ids = |ids: std::ops::Range<i64>| ids.flat_map(written::avro_number).collect::<Vec<_>>();
    let (first, second) = (ids(0..60), ids(60..100));
    scene.file("whole.avro", written::avro("null", &[(60, &first), (0, b""), (40, &second)]));
    assert_eq!(scene.load("whole.avro -t t").rows(), rows!(read: 100, inserted: 100));
    for (rows, said) in [
        (39, "a block has 2 bytes behind its last row"),
        (0, "a block has 76 bytes behind its last row"),
        (41, "a block ends before its last row"),
        (i64::MAX, "a block says that it has 9223372036854775807 rows, in 76 bytes"),
    ] {
        scene.file("a.avro", written::avro("null", &[(60, &first), (rows, &second)]));
        let outcome = scene.run("a.avro -t t --again").exits(4);
        outcome.says("a.avro").says("damaged").says(said).says("fetch it again, or have it written anew");
    }
}

#[test]
fn a_block_of_avro_that_unpacks_to_too_much_is_not_unpacked() {
    let scene = Scene::with("CREATE TABLE t (id bigint)");
    let bomb = zstd::encode_all(std::io::repeat(0).take(1 << 30), 1).unwrap();
    scene.file("a.avro", written::avro("zstandard", &[(1 << 30, &bomb)]));
    let (outcome, peak) = scene.dbload("a.avro -t t").spawn().wait_with_peak();
    let outcome = outcome.exits(4).says("MiB for what is read at once, of 32 MiB").says("--max-memory");
    assert!(peak < 256 << 20, "{peak} bytes: {outcome}");
    assert_eq!(scene.db.count("t"), 0);
}
