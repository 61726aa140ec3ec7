//! What every format keeps, whatever its records look like: the same records at the same places however the
//! bytes are cut, each with its original, each held to the limit, each a place to go on from. A new format is
//! a further row of [`formats`].

use bytes::Bytes;
use dbload::internals::format::{
    DecodeErrorKind, DecodeLimits, Dialect, Fields, FixedWidth, Format, HeaderLimits, Layout, Limits,
    MendedValue, Splitter,
};
use dbload::internals::map::original;
use dbload::internals::record::{Block, Operation, Position, SpanKind, Text};
use dbload::internals::reject::Kept;
use serde_json::{Map, Value};

use crate::support::Rng;

/// A record as both sides know it: names and values, without order.
type Record = Map<String, Value>;

/// A format, and how its records are written.
struct Kind {
    name: &'static str,
    format: Format,
    /// The text of these records.
    write: fn(&[Record]) -> String,
    /// A note as it can be written so.
    note: fn(&str) -> Value,
}

fn formats() -> Vec<Kind> {
    let csv = |delimiter| Format::Csv(Dialect::delimited_by(delimiter));
    let columns = Some(vec!["id".to_owned(), "note".to_owned()]);
    let json = |records: Option<&str>| Format::Json { records: records.map(str::to_owned) };
    let kind = |name, format, write| Kind { name, format, write, note: |note| Value::from(note) };
    vec![
        kind("lines of JSON", Format::Jsonl, |records| lines(records, "\n")),
        kind("lines of JSON with CRLF", Format::Jsonl, |records| lines(records, "\r\n")),
        kind("an array", json(None), |records| format!("\u{feff} [{}\n]\n", joined(records))),
        kind("objects", json(None), |records| lines(records, " ")),
        kind("an array within", json(Some("a.items")), |records| {
            format!("{{\"n\":[1],\"a\":{{\"items\":[{}],\"more\":null}},\"z\":0}}", joined(records))
        }),
        kind("CSV", csv(b','), |records| format!("id,note\n{}", delimited(records, ","))),
        kind("TSV", csv(b'\t'), |records| format!("\u{feff}id\tnote\n{}", delimited(records, "\t"))),
        kind(
            "CSV without a header",
            Format::Csv(Dialect { columns, skip_lines: 1, ..Dialect::delimited_by(b';') }),
            |records| format!("a title\n{}", delimited(records, ";")),
        ),
        kind("bulk lines", Format::Bulk, |records| {
            records
                .iter()
                .map(|record| format!("{{\"create\":{{}}}}\n{}\n", Value::Object(record.clone())))
                .collect()
        }),
        Kind {
            name: "fixed width",
            format: Format::Fixed(FixedWidth::parse("id:2-7,note:9-").unwrap()),
            write: |records| {
                let line = |record: &Record| {
                    let (id, note) = (record["id"].as_str().unwrap(), record["note"].as_str().unwrap_or(""));
                    format!("\u{e9}{id:<6}|{note}\n")
                };
                records.iter().map(line).collect()
            },
            // Its own blanks are cut, and a blank one is null.
            note: |note| match note {
                "" => Value::Null,
                note => Value::from(note.replace(['\r', '\n'], "_")),
            },
        },
        Kind {
            name: "XML",
            format: Format::Xml { records: Some("//row".to_owned()) },
            write: |records| {
                let text = |value: &Value| {
                    let text = value.as_str().unwrap_or("").replace('&', "&amp;").replace('<', "&lt;");
                    text.replace('\r', "&#13;")
                };
                let row = |record: &Record| {
                    let (id, note) = (text(&record["id"]), text(&record["note"]));
                    format!("<row><!-- </row> --><id>{id}</id>\n<note>{note}</note></row>\n")
                };
                let rows: String = records.iter().map(row).collect();
                format!("<?xml version=\"1.0\"?>\n<x:rows b='>'>{rows}</x:rows>\n")
            },
            note: |note| if note.is_empty() { Value::Null } else { Value::from(note) },
        },
        kind("rejects", Format::Rejects, |records| {
            let reject = |record: &Record| reject_of(record, "");
            records.iter().map(reject).collect()
        }),
        kind("rejects of text", Format::Rejects, |records| {
            let reject = |record: &Record| reject_of(record, "\"values\":\"text\",");
            records.iter().map(reject).collect()
        }),
    ]
}

fn lines(records: &[Record], end: &str) -> String {
    records.iter().map(|record| format!("{}{end}", Value::Object(record.clone()))).collect()
}

fn joined(records: &[Record]) -> String {
    records.iter().map(|record| Value::Object(record.clone()).to_string()).collect::<Vec<_>>().join("\n ,")
}

fn delimited(records: &[Record], delimiter: &str) -> String {
    let quoted = |value: &Value| format!("\"{}\"", value.as_str().unwrap().replace('"', "\"\""));
    let line = |record: &Record| format!("{}{delimiter}{}\n", quoted(&record["id"]), quoted(&record["note"]));
    records.iter().map(line).collect()
}

fn reject_of(record: &Record, values: &str) -> String {
    format!("{{\"dbload_reject\":1,{values}\"record\":{},\"raw\":null}}\n", Value::Object(record.clone()))
}

/// Records with what is hard to cut: quotes, line ends, delimiters, brackets, characters of several bytes.
fn records(kind: &Kind, count: usize) -> Vec<Record> {
    let notes =
        ["", "plain", "a,b;c\td", "\"", "line\nline\r\nline", "}]{[", "\u{e9}\u{1f600}", "\\\"\\", "null"];
    let record = |i: usize| {
        let note = (kind.note)(notes[i % notes.len()]);
        Map::from_iter([("id".to_owned(), Value::from(i.to_string())), ("note".to_owned(), note)])
    };
    (0..count).map(record).collect()
}

impl Kind {
    fn layout(&self, text: &str) -> (Layout, Position) {
        let header = self.format.read_header(3, text.as_bytes(), true, &HeaderLimits::default());
        let header = header.unwrap().unwrap();
        assert_eq!(!header.names.is_empty(), self.format.has_header(), "{}", self.name);
        let layout = Layout { format: self.format.clone(), header: header.names, constants: Vec::new() };
        (layout, header.end)
    }

    /// Reads on behind a record, as the format says that it is to be done.
    fn read_from(&self, text: &str, start: Position, after: Position) -> Result<Vec<Block>, String> {
        if !self.format.resumes_from_start() {
            return self.read(text, &[], after, Limits::default());
        }
        let mut blocks = self.read(text, &[], start, Limits::default())?;
        let mut passed = usize::try_from(after.record).unwrap();
        for block in &mut blocks {
            let here = passed.min(block.len());
            block.pass_over(here);
            passed -= here;
        }
        Ok(blocks)
    }

    /// Reads a text that comes in pieces which end at these places, from `at` on.
    fn read(&self, text: &str, cuts: &[usize], at: Position, limits: Limits) -> Result<Vec<Block>, String> {
        let mut splitter = Splitter::new(&self.format, limits, at);
        let (mut blocks, mut held) = (Vec::new(), Vec::new());
        let mut done = usize::try_from(at.offset).unwrap();
        let ends = cuts.iter().copied().filter(|cut| *cut > done && *cut < text.len()).chain([text.len()]);
        for end in ends.collect::<Vec<_>>() {
            held.extend_from_slice(&text.as_bytes()[done..end]);
            done = end;
            loop {
                let (start, mut spans) = (splitter.position(), Vec::new());
                let last = end == text.len();
                let taken = splitter.split(&held, last, &mut spans).map_err(|error| error.to_string())?;
                let bytes = Bytes::from(held.drain(..taken).collect::<Vec<u8>>());
                if taken == 0 && spans.is_empty() {
                    break;
                }
                // What is longer than the limit may have left the buffer: its head is shown, and nothing else
                // of it.
                let _ = splitter.take_head();
                blocks.push(Block::of_text(start, splitter.position(), Text { bytes, spans }));
            }
        }
        Ok(blocks)
    }
}

/// A record as it was read: its fields or what is wrong with it, and its places.
#[derive(Debug, Clone, PartialEq)]
struct Read {
    fields: Result<Record, &'static str>,
    line: u64,
    offset: u64,
    after: Position,
}

fn decoded(layout: &Layout, blocks: &[Block]) -> Vec<Read> {
    let mut all = Vec::new();
    for block in blocks {
        let mut count = 0;
        layout.decode(block, &DecodeLimits::default(), &mut |i, fields| {
            assert_eq!(i, count, "each once, in order");
            count += 1;
            assert_eq!(block.operation(i), Operation::Upsert);
            let fields =
                fields.map(|fields| record_of(layout, &fields)).map_err(|error| error.kind.sqlstate());
            let (line, offset, after) = (block.line_of(i), block.offset_of(i), block.after(i));
            all.push(Read { fields, line, offset, after });
        });
        assert_eq!(count, block.len());
        assert!(block.is_empty() || block.start <= block.after(0) && block.after(count - 1) <= block.end);
    }
    all
}

fn record_of(layout: &Layout, fields: &Fields<'_, '_>) -> Record {
    let json = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    match fields {
        Fields::Named(members) => members.iter().map(|(name, raw)| (name.to_string(), json(raw))).collect(),
        Fields::Positional(values) => {
            layout.names().into_iter().zip(values.iter().map(|value| Value::from(*value))).collect()
        }
        Fields::Mended(members) => {
            let value = |value: &MendedValue<'_>| match value {
                MendedValue::Null => Value::Null,
                MendedValue::Text(text) => Value::from(text.as_ref()),
                MendedValue::Json(raw) => json(raw),
            };
            members.iter().map(|(name, shown)| (name.to_string(), value(shown))).collect()
        }
    }
}

/// The whole text at once.
fn whole(kind: &Kind, text: &str) -> (Layout, Position, Vec<Read>) {
    let (layout, start) = kind.layout(text);
    let blocks = kind.read(text, &[], start, Limits::default()).unwrap();
    let read = decoded(&layout, &blocks);
    (layout, start, read)
}

#[test]
fn the_same_records_at_the_same_places_however_the_bytes_are_cut() {
    let mut rng = Rng::new();
    for kind in formats() {
        let records = records(&kind, 20);
        let text = (kind.write)(&records);
        let (layout, start, read) = whole(&kind, &text);
        let fields: Vec<_> = read.iter().map(|read| read.fields.clone()).collect();
        assert_eq!(fields, records.into_iter().map(Ok).collect::<Vec<_>>(), "{}", kind.name);
        let once = (0..text.len()).map(|cut| vec![cut]);
        let all = (0..text.len()).collect::<Vec<_>>();
        let some = (0..50).map(|_| {
            let mut cuts: Vec<usize> = (0..5).map(|_| rng.index(text.len())).collect();
            cuts.sort_unstable();
            cuts
        });
        for cuts in once.chain([all]).chain(some.collect::<Vec<_>>()) {
            let blocks = kind.read(&text, &cuts, start, Limits::default()).unwrap();
            assert_eq!(decoded(&layout, &blocks), read, "{} cut at {cuts:?}", kind.name);
        }
    }
}

#[test]
fn a_record_is_a_place_to_go_on_from() {
    for kind in formats() {
        let text = (kind.write)(&records(&kind, 20));
        let (layout, start, read) = whole(&kind, &text);
        for (i, record) in read.iter().enumerate() {
            assert_eq!((record.after.source, record.after.record), (3, i as u64 + 1), "{}", kind.name);
            let rest = kind.read_from(&text, start, record.after).unwrap();
            assert_eq!(decoded(&layout, &rest), read[i + 1..], "{} behind {:?}", kind.name, record.after);
        }
        let blocks = kind.read(&text, &[], start, Limits::default()).unwrap();
        for block in &blocks {
            for i in 0..block.len() {
                let (from, raw) = (usize::try_from(block.offset_of(i)).unwrap(), block.raw(i));
                assert_eq!(&text.as_bytes()[from..from + raw.len()], raw, "{}", kind.name);
                let line = 1 + text[..from].matches('\n').count() as u64;
                assert_eq!(block.line_of(i), line, "{}: {:?}", kind.name, text.get(from..from + raw.len()));
            }
        }
    }
}

#[test]
fn a_text_that_is_broken_is_broken_from_each_place() {
    for kind in formats().iter().filter(|kind| kind.format.shows_its_end()) {
        let text = (kind.write)(&records(kind, 5));
        let (_, start, read) = whole(kind, &text);
        let end = text.trim_end().len();
        for broken in [format!("{}]]{}", &text[..end], &text[end..]), text[..end - 1].to_owned()] {
            let error = kind.read(&broken, &[], start, Limits::default()).unwrap_err();
            for record in read.iter().filter(|read| read.after.offset < end as u64 - 1) {
                let again = kind.read_from(&broken, start, record.after).unwrap_err();
                assert_eq!(again, error, "{} behind {:?}", kind.name, record.after);
            }
        }
    }
}

#[test]
fn a_record_that_is_refused_is_shown_as_it_came() {
    for kind in formats() {
        let records = records(&kind, 9);
        let text = (kind.write)(&records);
        let (layout, start) = kind.layout(&text);
        let blocks = kind.read(&text, &[], start, Limits::default()).unwrap();
        let shown = blocks.iter().flat_map(|block| {
            (0..block.len()).map(|i| original(&DecodeLimits::default(), &layout, block, i).kept)
        });
        let shown: Vec<Record> = shown
            .map(|kept| match kept {
                Kept::Record(text) => serde_json::from_str(&text).unwrap(),
                other => panic!("{}: {other:?}", kind.name),
            })
            .collect();
        assert_eq!(shown, records, "{}", kind.name);
        // And of a block of one record alone, the same.
        let alone = blocks.iter().flat_map(|block| (0..block.len()).map(|i| block.alone(i)));
        let read = decoded(&layout, &alone.collect::<Vec<_>>());
        assert_eq!(read.iter().map(|read| read.fields.clone().unwrap()).collect::<Vec<_>>(), records);
    }
}

#[test]
fn a_record_beyond_the_limit_is_one_reject_and_the_others_are_read() {
    const LIMIT: Limits = Limits { record_bytes: 200 };
    for kind in formats() {
        let mut records = records(&kind, 5);
        records[2]["note"] = Value::from("x".repeat(1000));
        let text = (kind.write)(&records);
        let (layout, start) = kind.layout(&text);
        for cuts in [Vec::new(), vec![text.len() / 2], (0..text.len()).collect()] {
            let blocks = kind.read(&text, &cuts, start, LIMIT).unwrap();
            let read = decoded(&layout, &blocks);
            let too_long = DecodeErrorKind::TooLong { record_bytes: 1000 }.sqlstate();
            for (i, (read, record)) in read.iter().zip(&records).enumerate() {
                let expected = if i == 2 { Err(too_long) } else { Ok(record.clone()) };
                assert_eq!(read.fields, expected, "{} record {i}", kind.name);
            }
            assert_eq!(read.len(), records.len(), "{}", kind.name);
            for block in &blocks {
                for i in 0..block.len() {
                    let kept = original(&DecodeLimits::default(), &layout, block, i).kept;
                    let is_long = matches!(block.kind(i), SpanKind::TooLong { .. });
                    assert_eq!(kept == Kept::NotKept, is_long, "{}", kind.name);
                }
            }
        }
    }
}

#[test]
fn a_text_without_records_has_none_and_one_that_is_cut_off_is_no_whole_one_where_it_shows() {
    for kind in formats() {
        let empty = (kind.write)(&[]);
        let (_, start, read) = whole(&kind, &empty);
        assert_eq!(read, [], "{}: {empty:?}", kind.name);
        assert_eq!(start.record, 0);
        let text = (kind.write)(&records(&kind, 3));
        let cut = &text[..text.trim_end().len() - 1];
        let (_, start) = kind.layout(cut);
        let read = kind.read(cut, &[], start, Limits::default());
        assert_eq!(read.is_err(), kind.format.shows_its_end(), "{}: {cut:?} {read:?}", kind.name);
    }
}
