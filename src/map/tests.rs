//! Records to rows: what stands in the COPY text, what is refused, and where a record belongs.

use std::collections::HashSet;
use std::sync::Arc;

use bytes::Bytes;

use crate::format::{Dialect, Format, Layout, Limits, Splitter};
use crate::record::{Block, Position, Text};
use crate::schema::{
    CanonicalForm, Column, Equality, Ident, Identity, PgType, Relation, Table, TableName, Tree, UniqueIndex,
};

use super::{EncodedBlock, Extra, Mapping, Partitioner, Partitioning, WhyNot, encode_block};

fn column(name: &str, ty: PgType) -> Column {
    Column {
        name: Ident::new(name).unwrap(),
        number: 1,
        type_name: "any".to_owned(),
        domain_base: None,
        domain_name: None,
        collation: None,
        ty,
        narrows: None,
        equal_is_alike: false,
        not_null: false,
        default: None,
        identity: Identity::No,
        generated: name == "made",
        may_insert: true,
        may_update: true,
    }
}

/// id int, name text, doc json, made (generated), tags text[]; key id.
fn table() -> Arc<Table> {
    let columns = vec![
        column("id", PgType::Int),
        column("name", PgType::Text),
        column("doc", PgType::Json),
        column("made", PgType::Other),
        column("tags", PgType::Array(Box::new(PgType::Text), ',')),
    ];
    Arc::new(Table {
        name: TableName { schema: None, name: Ident::new("t").unwrap() },
        oid: 1,
        relfilenode: 1,
        relation: Relation::Table,
        has_children: false,
        columns,
        unique: vec![UniqueIndex {
            name: "t_pkey".to_owned(),
            columns: vec![0],
            equality: vec![Equality::plain()],
            of_part: false,
            constraint: Some("t_pkey".to_owned()),
            primary: true,
            nulls_not_distinct: false,
            unusable: None,
        }],
        has_checks: false,
        checks: Vec::new(),
        has_foreign_keys: false,
        foreign_keys: Vec::new(),
        references_itself: false,
        has_exclusions: false,
        has_index_expressions: false,
        has_generated: true,
        has_before_row_triggers: false,
        has_row_triggers: false,
        has_insert_triggers: false,
        has_row_security: false,
        has_one_broken_bar: false,
        has_no_pages: false,
        counts_rows: true,
        columns_version: String::new(),
        tree: Tree::default(),
    })
}

fn mapping(extra: Extra, partitions: u32) -> Mapping {
    Mapping::new(table(), &[0], false, extra, Partitioner { by: Partitioning::Key, count: partitions })
}

fn layout(format: Format, header: &[String]) -> Layout {
    Layout { format, header: header.to_vec(), constants: Vec::new() }
}

fn block(format: &Format, text: &str) -> Arc<Block> {
    let start = Position::start_of(0);
    let mut splitter = Splitter::new(format, Limits::default(), start);
    let mut spans = Vec::new();
    splitter.split(text.as_bytes(), true, &mut spans).unwrap();
    let bytes = Bytes::copy_from_slice(text.as_bytes());
    let text = Text { bytes, spans };
    Arc::new(Block { first_seq: 100, ..Block::of_text(start, splitter.position(), text) })
}

/// Rows and rejects of JSON lines, in one partition.
fn encode(mapping: &Mapping, lines: &str) -> (Vec<String>, Vec<String>, EncodedBlock) {
    let encoded = encode_block(mapping, &layout(Format::Jsonl, &[]), &[], block(&Format::Jsonl, lines), &[]);
    let part = &encoded.parts[0];
    let rows = String::from_utf8(part.bytes.clone()).unwrap().lines().map(ToOwned::to_owned).collect();
    let rejects = part
        .notes
        .iter()
        .map(|note| match &note.why {
            WhyNot::Refused { column, sqlstate, .. } => {
                format!("{} {sqlstate} {}", note.i, column.as_deref().unwrap_or("-"))
            }
            WhyNot::LeftOut => format!("{} left out", note.i),
        })
        .collect();
    (rows, rejects, encoded)
}

#[test]
fn a_row_is_its_number_its_presence_and_its_values() {
    let (rows, rejects, encoded) = encode(
        &mapping(Extra::Refuse, 1),
        "{\"id\":1.0,\"name\":\"a\\tb\"}\n{\"name\":null,\"id\":\"007\",\"doc\":{\"x\":[1]},\"made\":9}\n{\"id\":2,\"tags\":[\"p\",null]}\n",
    );
    // Slots: id 0, name 1, doc 2, tags 3; presence is a bit a slot.
    assert_eq!(
        rows,
        [
            "100\t3\t1\ta\\tb\t\\N\t\\N",
            "101\t7\t7\t\\N\t{\"x\":[1]}\t\\N",
            "102\t9\t2\t\\N\t\\N\t{\"p\",NULL}",
        ]
    );
    assert!(rejects.is_empty());
    assert_eq!(&*encoded.columns, [0, 1, 2, 3]);
    assert_eq!(encoded.parts[0].present_in_all.as_deref(), Some(&[1][..]), "all have the id alone");
    assert_eq!(encoded.parts[0].present_in_any, [15]);
}

#[test]
fn what_cannot_be_mapped_is_one_reject() {
    let (rows, rejects, _) = encode(
        &mapping(Extra::Refuse, 1),
        "{\"id\":1,\"nope\":2}\n{\"name\":\"x\"}\n{\"id\":null}\n{\"id\":\"abc\"}\n{\"id\":1,\"ID\":2}\n{\"id\":5,\"name\":\"\\u0000\"}\n[1]\n{\"id\":6}\n",
    );
    assert_eq!(rows.len(), 1, "{rows:?}");
    assert_eq!(
        rejects,
        ["0 42703 -", "1 23502 id", "2 23502 id", "3 22P02 id", "4 42701 id", "5 22021 name", "6 22032 -"]
    );
}

#[test]
fn extra_fields_are_left_out_and_counted_or_collected() {
    let (rows, _, encoded) = encode(&mapping(Extra::Ignore, 1), "{\"id\":1,\"a\":2,\"b\":3}\n");
    assert_eq!((rows.as_slice(), encoded.ignored_fields), (&["100\t1\t1".to_owned()][..], 2));
    let collected = mapping(Extra::Jsonb("doc".to_owned()), 1);
    let (rows, rejects, _) =
        encode(&collected, "{\"id\":1,\"a\":\"x\",\"b\":1.50}\n{\"id\":2,\"doc\":{},\"a\":1}\n");
    assert_eq!(rows, ["100\t5\t1\t{\"a\":\"x\",\"b\":1.50}"]);
    assert_eq!(rejects, ["1 42701 doc"], "nothing is overwritten in silence");
}

#[test]
fn equal_keys_have_one_partition_however_they_are_written() {
    let mapping = mapping(Extra::Refuse, 7);
    let lines = "{\"id\":12}\n{\"id\":12.0}\n{\"id\":\" 012 \"}\n{\"id\":1.2e1}\n";
    let encoded = encode_block(&mapping, &layout(Format::Jsonl, &[]), &[], block(&Format::Jsonl, lines), &[]);
    let used: Vec<usize> = encoded.parts.iter().map(|part| part.rows.len()).filter(|&n| n > 0).collect();
    assert_eq!(used, [4]);
    let hashes: Vec<u64> =
        encoded.parts.iter().flat_map(|part| part.rows.iter().map(|row| row.hash)).collect();
    assert!(hashes.iter().all(|hash| *hash == hashes[0]));
}

/// Rows of JSON lines in each of two partitions, where the key is these columns, and how many hashes their
/// keys have.
fn shares(key: &[(&str, PgType)], lines: impl Iterator<Item = String>) -> ([usize; 2], usize) {
    let columns: Vec<Column> = key.iter().map(|(name, ty)| column(name, ty.clone())).collect();
    let table = Table { columns, ..Table::clone(&table()) };
    let key: Vec<usize> = (0..key.len()).collect();
    let partitioner = Partitioner { by: Partitioning::Key, count: 2 };
    let mapping = Mapping::new(Arc::new(table), &key, false, Extra::Refuse, partitioner);
    let text: String = lines.map(|line| line + "\n").collect();
    let parts =
        encode_block(&mapping, &layout(Format::Jsonl, &[]), &[], block(&Format::Jsonl, &text), &[]).parts;
    let hashes: HashSet<u64> = parts.iter().flat_map(|part| part.rows.iter().map(|row| row.hash)).collect();
    ([parts[0].rows.len(), parts[1].rows.len()], hashes.len())
}

#[test]
fn spaces_at_the_end_of_a_key_do_not_tell_it_from_another() {
    let key = [("code", PgType::Padded)];
    let lines =
        |texts: &[&str]| texts.iter().map(|text| format!("{{\"code\":\"{text}\"}}")).collect::<Vec<_>>();
    let (of_each, hashes) = shares(&key, lines(&["a", "a ", "a      ", "\\u0061 "]).into_iter());
    assert_eq!((of_each[0] * of_each[1], hashes), (0, 1));
    assert_eq!(shares(&key, lines(&["", " ", "a", " a", "a b", "a  b"]).into_iter()).1, 5);
    let text = "{\"code\":\"a \"}\n";
    let table = Table { columns: vec![column("code", PgType::Padded)], ..Table::clone(&table()) };
    let partitioner = Partitioner { by: Partitioning::Key, count: 1 };
    let mapping = Mapping::new(Arc::new(table), &[0], false, Extra::Refuse, partitioner);
    let encoded = encode_block(&mapping, &layout(Format::Jsonl, &[]), &[], block(&Format::Jsonl, text), &[]);
    assert!(encoded.parts[0].bytes.ends_with(b"\ta \n"), "what is sent keeps them");
}

#[test]
fn keys_with_few_numbers_beside_others_use_all_partitions() {
    let even = |key: &[(&str, PgType)], line: fn(u64) -> String| {
        let ([a, b], hashes) = shares(key, (0..10_000).map(line));
        assert!(a.abs_diff(b) < 3_000, "{key:?}: {a} {b}");
        hashes
    };
    let device = [("device", PgType::Int), ("at", PgType::Other)];
    assert_eq!(even(&device, |n| format!("{{\"device\":{},\"at\":\"t{n}\"}}", n % 200)), 200);
    let stock = [("shop", PgType::Int), ("article", PgType::Int)];
    assert_eq!(even(&stock, |n| format!("{{\"shop\":{},\"article\":{}}}", n / 100, n % 100)), 10_000);
    // Neighbours stay together where there is one column.
    let ([a, b], _) = shares(&[("id", PgType::Int)], (0..256).map(|n| format!("{{\"id\":{n}}}")));
    assert_eq!(a.max(b), 256);
}

#[test]
fn keys_that_the_server_alone_can_read_are_pieces_of_their_own() {
    let table = Table {
        columns: vec![column("day", PgType::Canonical(CanonicalForm::Date))],
        ..Table::clone(&table())
    };
    let encoded = |partitions: u32, days: &[&str]| {
        let partitioner = Partitioner { by: Partitioning::Key, count: partitions };
        let mapping = Mapping::new(Arc::new(table.clone()), &[0], false, Extra::Refuse, partitioner);
        let text: String = days.iter().map(|day| format!("{{\"day\":{day}}}\n")).collect();
        encode_block(&mapping, &layout(Format::Jsonl, &[]), &[], block(&Format::Jsonl, &text), &[])
    };
    let days = ["\"2024-05-01\"", "\"May 2 2024\"", "\"3.5.2024\"", "null", "\"2024-05-04\"", "\"epoch\""];
    let block = encoded(3, &days);
    let pieces: Vec<_> = block.earlier.iter().map(|piece| (piece.records, piece.is_unread)).collect();
    assert_eq!(pieces, [(1, false), (4, true), (5, false)]);
    assert!(block.is_unread);
    let rows = |parts: &[super::PartRows]| parts.iter().map(|part| part.rows.len()).collect::<Vec<_>>();
    assert_eq!(rows(&block.earlier[1].parts), [2, 0, 0], "they are all of the first partition");
    assert_eq!(rows(&block.parts), [1, 0, 0]);
    assert!(block.earlier[1].parts[0].has_unread_keys && block.parts[0].has_unread_keys);
    // One partition has them all, in order.
    let block = encoded(1, &days);
    assert!(block.earlier.is_empty() && !block.is_unread && block.parts[0].has_unread_keys);
    assert_eq!(block.parts[0].rows.len(), 5);
}

#[test]
fn csv_fields_pass_through_by_position() {
    let mapping = mapping(Extra::Refuse, 1);
    let header = ["Name".to_owned(), "id".to_owned()];
    let (targets, notes) = mapping.header(&header).unwrap();
    assert_eq!(notes.len(), 1, "Name meets name by case");
    let format = Format::Csv(Dialect { columns: Some(header.to_vec()), ..Dialect::delimited_by(b',') });
    let encoded = encode_block(
        &mapping,
        &layout(format.clone(), &header),
        &targets,
        block(&format, "x\\y,1\n\"\",2\n,3\n"),
        &[],
    );
    assert_eq!(
        String::from_utf8_lossy(&encoded.parts[0].bytes),
        "100\t3\t1\tx\\\\y\n101\t3\t2\t\n102\t3\t3\t\\N\n"
    );
    assert!(mapping.header(&["id".to_owned(), "ID".to_owned()]).is_err());
}

/// Delimited records, by a header.
fn encode_csv(extra: Extra, header: &[&str], lines: &str) -> EncodedBlock {
    let header: Vec<String> = header.iter().map(|&name| name.to_owned()).collect();
    let mapping = mapping(extra, 2);
    let (targets, _) = mapping.header(&header).unwrap();
    let format = Format::Csv(Dialect { columns: Some(header.clone()), ..Dialect::delimited_by(b',') });
    encode_block(&mapping, &layout(format.clone(), &header), &targets, block(&format, lines), &[])
}

#[test]
fn values_that_are_copied_together_are_those_that_are_copied_one_by_one() {
    let values = [
        ["1", "plain", "{\"x\":1}", "9", "{a}"],
        ["007", "", "3", "", ""],
        ["-5", "two words", "", "9", "{a;b}"],
        ["1.0", "h\u{e9}l\u{e8}ne", "null", "9", "{}"],
        ["x", "no number", "1", "9", "{}"],
        ["", "no key", "1", "9", "{}"],
        ["0", "a,b", "[1,2]", "9", "{a,b}"],
        ["12345678901234567890", "say \"yes\"", "\"s\"", "9", "{\"a b\"}"],
        ["6", "a\nb", "1", "9", "{}"],
        ["8", "a\\b\tc", "1", "9", "{}"],
        ["9", "at the end", "1", "9", "{z}"],
    ];
    let names = ["id", "name", "doc", "made", "tags"];
    let text = |order: &[usize], more: &str| -> String {
        let quoted = |value: &str| match value.contains([',', '"', '\n']) {
            true => format!("\"{}\"", value.replace('"', "\"\"")),
            false => value.to_owned(),
        };
        let line = |row: &[&str; 5]| order.iter().map(|&n| quoted(row[n])).collect::<Vec<_>>().join(",");
        values.iter().map(|row| format!("{}{more}\n", line(row))).collect()
    };
    for order in [&[0, 1, 2, 3, 4][..], &[4, 3, 2, 1, 0], &[0, 1, 2, 4], &[1, 0], &[2, 4, 1, 3, 0]] {
        let header: Vec<_> = order.iter().map(|&n| names[n]).collect();
        let together = encode_csv(Extra::Refuse, &header, &text(order, ""));
        // A field that goes nowhere: then each value is taken by itself.
        let more = [&header[..], &["more"]].concat();
        let one_by_one = encode_csv(Extra::Ignore, &more, &text(order, ",more"));
        assert_eq!(together.columns, one_by_one.columns);
        for (a, b) in together.parts.iter().zip(&one_by_one.parts) {
            assert_eq!(String::from_utf8_lossy(&a.bytes), String::from_utf8_lossy(&b.bytes), "{header:?}");
            assert_eq!(
                (a.keys, &a.present_in_all, &a.present_in_any),
                (b.keys, &b.present_in_all, &b.present_in_any)
            );
            let rejects = |part: &super::PartRows| -> Vec<_> {
                part.notes.iter().map(|note| format!("{note:?}")).collect()
            };
            assert_eq!(rejects(a), rejects(b));
            assert!(
                a.rows
                    .iter()
                    .map(|row| (row.i, row.hash, row.end))
                    .eq(b.rows.iter().map(|row| (row.i, row.hash, row.end)))
            );
        }
        let rows: usize = together.parts.iter().map(|part| part.rows.len()).sum();
        assert!(rows >= values.len() - 3, "{rows} rows");
    }
}
