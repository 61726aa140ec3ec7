//! What the decoders make of records, good and bad.

use super::*;
use crate::format::rng::for_a_while;
use crate::format::split::{Limits, Splitter};
use crate::format::{Dialect, Escape, HeaderError, HeaderLimits, LineEnd, OnNul, read_header};
use crate::record::{Position, Text};

fn block_of(format: &Format, text: &[u8], limits: Limits) -> Block {
    let start = Position::start_of(0);
    let mut splitter = Splitter::new(format, limits, start);
    let mut spans = Vec::new();
    splitter.split(text, true, &mut spans).unwrap();
    let bytes = bytes::Bytes::copy_from_slice(text);
    Block::of_text(start, splitter.position(), Text { bytes, spans })
}

/// The records as words: `name=value` or values joined by `|`, NULL as `~`; errors with line and column.
fn decoded(format: &Format, header: &[&str], text: &[u8]) -> Vec<String> {
    let block = block_of(format, text, Limits::default());
    decoded_block(format, header, &block)
}

fn decoded_block(format: &Format, header: &[&str], block: &Block) -> Vec<String> {
    let header: Vec<String> = header.iter().map(|&name| name.to_owned()).collect();
    let mut seen = Vec::new();
    decode_block(format, &header, block, &DecodeLimits::default(), &mut |i, fields| {
        assert_eq!(i, seen.len(), "in order, each once");
        seen.push(match fields {
            Ok(Fields::Named(members)) => {
                members.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("|")
            }
            Ok(Fields::Positional(values)) => {
                values.iter().map(|value| value.unwrap_or("~")).collect::<Vec<_>>().join("|")
            }
            Ok(Fields::Mended(members)) => format!("{members:?}"),
            Err(error) => format!("{}:{} {}", error.line, error.column, error.kind),
        });
    });
    assert_eq!(seen.len(), block.len());
    seen
}

fn check_json(text: &str, expected: &str) {
    assert_eq!(decoded(&Format::Jsonl, &[], text.as_bytes()), [expected], "{text:?}");
}

#[test]
fn json_objects() {
    check_json("{}", "");
    check_json(
        r#"{"a":1.50,"b":"x\n","c":null, "d": {"e":[1, 2]} }"#,
        r#"a=1.50|b="x\n"|c=null|d={"e":[1, 2]}"#,
    );
    check_json(r#"{"\u00e9\"":true,"":-0}"#, "\u{e9}\"=true|=-0");
    let digits = "9".repeat(400);
    check_json(&format!("{{\"n\":{digits},\"m\":1e400}}"), &format!("n={digits}|m=1e400"));
    // What text cannot hold is for the column's type to refuse: it may be ignored, or json.
    check_json(r#"{"a":"\u0000\ud800"}"#, r#"a="\u0000\ud800""#);
}

#[test]
fn json_that_is_none() {
    check_json("[1]", "0:1 expected a JSON object, found an array");
    check_json("7", "0:1 expected a JSON object, found a number");
    check_json("nope", "0:1 expected a JSON object, found null");
    check_json("\u{a0}{}", "0:1 expected a JSON object, found no JSON");
    check_json("{\"a\":1,}", "0:8 malformed JSON: found `}` behind a comma, where one more must stand");
    check_json(
        "{\"a\":01}",
        "0:7 malformed JSON: a number as JSON has none (no `+`, no leading zeros, digits on both sides of a point)",
    );
    check_json("{\"a\":NaN}", "0:6 malformed JSON: found `N` where a value must stand");
    check_json("{\"a\":1} x", "0:9 malformed JSON: found `x` behind the end of the object");
    check_json(
        "{\"a\":\"secret",
        "0:12 malformed JSON: the record ends inside a string: its closing `\"` is missing",
    );
    check_json(
        "{\"a\":\"\t\"}",
        "0:7 malformed JSON: found a tab inside a string, where it is written as an escape (`\\n`, `\\t`, ..)",
    );
    check_json("{\"a\":1,\"b\":2,\"\\u0061\":3}", "0:21 the member \"a\" occurs twice");
    let words = [
        ("{\"a\":nul}", "0:9 malformed JSON: found `}` in a word: the only ones are true, false and null"),
        ("{\"a\" 1}", "0:6 malformed JSON: found `1` where the `:` behind a name must stand"),
        ("{\"a\":1 \"b\":2}", "0:8 malformed JSON: found `\"` where `,` or `}` must stand"),
        ("{\"a\":[1 2]}", "0:9 malformed JSON: found `2` where `,` or `]` must stand"),
        ("{\"a\":1", "0:6 malformed JSON: the record ends inside an object: its closing `}` is missing"),
        ("{\"a\":[1", "0:7 malformed JSON: the record ends inside an array: its closing `]` is missing"),
        (
            "{\"a\":\"\\x\"}",
            "0:8 malformed JSON: a backslash before what cannot be escaped (a backslash itself is written `\\\\`)",
        ),
        ("{\"\\ud800\":1}", "0:9 malformed JSON: a lone surrogate is no character"),
    ];
    for (text, expected) in words {
        check_json(text, expected);
    }
    check_json("{'a':1}", "0:2 malformed JSON: found `'` where a name in double quotes must stand");
}

#[test]
fn the_place_of_an_error_in_a_record_of_several_lines() {
    let format = Format::Json { records: None };
    assert_eq!(
        decoded(&format, &[], b"[{\"a\":1,\n \"b\":x}]"),
        ["1:6 malformed JSON: found `x` where a value must stand"]
    );
}

#[test]
fn bytes_that_are_no_text() {
    assert_eq!(
        decoded(&Format::Jsonl, &[], b"{\"a\":\"\xff\"}\n{}"),
        [
            "0:7 invalid UTF-8, or no character of the source's encoding (--encoding NAME says which it is)",
            ""
        ]
    );
    let csv = Format::Csv(Dialect::delimited_by(b','));
    let header = &["a", "b"];
    assert_eq!(
        decoded(&csv, header, b"x,\xff\ny,z\n\0,1"),
        [
            "0:3 invalid UTF-8, or no character of the source's encoding (--encoding NAME says which it is)",
            "y|z",
            "0:1 a NUL byte, which text cannot hold (--on-nul strip or replace takes it)"
        ]
    );
    // Halves of a character in two fields are no character.
    assert_eq!(
        decoded(&csv, header, b"\xc3,\xa9"),
        ["0:1 invalid UTF-8, or no character of the source's encoding (--encoding NAME says which it is)"]
    );
}

#[test]
fn limits_hold() {
    let deep = format!("{{\"deep\":{}{}}}\n{{}}", "[".repeat(100_000), "]".repeat(100_000));
    let seen = decoded(&Format::Jsonl, &[], deep.as_bytes());
    assert_eq!(
        seen,
        ["0:9 the member \"deep\" is nested deeper than 1000 levels (--max-depth allows more)", ""]
    );
    let member: Vec<String> = (0..20_000).map(|i| format!("\"k{i}\":0")).collect();
    let seen = decoded(&Format::Jsonl, &[], format!("{{{}}}", member.join(",")).as_bytes());
    assert!(seen[0].ends_with("more than 10000 fields (--max-fields allows more)"), "{}", seen[0]);
    let block = block_of(&Format::Jsonl, b"{\"abcdefgh\":1}\n{}", Limits { record_bytes: 8 });
    assert_eq!(
        decoded_block(&Format::Jsonl, &[], &block),
        ["0:1 the record is too long: 14 bytes (--max-record-bytes allows more)", ""]
    );
}

#[test]
fn limits_and_the_rule_for_nul_are_the_callers() {
    let csv = Format::Csv(Dialect::delimited_by(b','));
    let seen = |format: &Format, text: &str, limits: &DecodeLimits| {
        let block = block_of(format, text.as_bytes(), Limits::default());
        let mut seen = Vec::new();
        let header = ["a".to_owned(), "b".to_owned()];
        decode_block(format, &header, &block, limits, &mut |i, fields| {
            assert_eq!(i, seen.len());
            seen.push(match fields {
                Ok(Fields::Named(members)) => format!("{members:?}"),
                Ok(Fields::Positional(values)) => format!("{values:?}"),
                Ok(Fields::Mended(members)) => format!("{members:?}"),
                Err(error) => error.kind.to_string(),
            });
        });
        seen
    };
    let strip = DecodeLimits { on_nul: OnNul::Strip, ..DecodeLimits::default() };
    let replace = DecodeLimits { on_nul: OnNul::Replace, ..DecodeLimits::default() };
    let text = "1,x\n\0,\0y\n\"\0\",\n3,z\n";
    assert_eq!(
        seen(&csv, text, &strip),
        [
            r#"[Some("1"), Some("x")]"#,
            r#"[None, Some("y")]"#,
            r#"[Some(""), None]"#,
            r#"[Some("3"), Some("z")]"#
        ]
    );
    assert_eq!(seen(&csv, text, &replace)[1], "[Some(\"\u{fffd}\"), Some(\"\u{fffd}y\")]");
    let text = "{\"a\\u0000\":\"\\ud800x\"}\n{\"b\":{\"c\":\"\0\"}}\n{}\n";
    assert_eq!(
        seen(&Format::Jsonl, text, &strip),
        [r#"[("a", "\"x\"")]"#, r#"[("b", "{\"c\":\"\"}")]"#, "[]"]
    );
    assert!(seen(&Format::Jsonl, text, &replace)[0].contains("ufffdx"));
    let few = DecodeLimits { fields: 2, depth: 1, ..DecodeLimits::default() };
    let many = "more than 2 fields (--max-fields allows more)";
    let wide = "1,2\n1,2,3\n\"1,2,3,4\",5\n";
    assert_eq!(
        seen(&csv, wide, &few),
        [r#"[Some("1"), Some("2")]"#, many, r#"[Some("1,2,3,4"), Some("5")]"#]
    );
    let json = "{\"a\":1,\"b\":2,\"c\":3}\n{\"a\":[[]]}\n{\"a\":[1]}";
    let deep = "the member \"a\" is nested deeper than 1 levels (--max-depth allows more)";
    assert_eq!(seen(&Format::Jsonl, json, &few), [many, deep, r#"[("a", "[1]")]"#]);
}

#[test]
fn many_members_are_compared_by_hash() {
    let names: Vec<String> = (0..60).map(|i| format!("\"k{i}\":{i}")).collect();
    let good = format!("{{{}}}", names.join(","));
    assert_eq!(decoded(&Format::Jsonl, &[], good.as_bytes())[0].matches('=').count(), 60);
    for again in [0, 23, 24, 25, 59] {
        let bad = format!("{{{},\"k{again}\":0}}", names.join(","));
        let seen = decoded(&Format::Jsonl, &[], bad.as_bytes());
        assert!(seen[0].ends_with(&format!("the member \"k{again}\" occurs twice")), "{}", seen[0]);
    }
}

fn check_csv(dialect: &Dialect, text: &str, expected: &[&str]) {
    let format = Format::Csv(dialect.clone());
    assert_eq!(decoded(&format, &["a", "b"], text.as_bytes()), expected, "{text:?}");
}

#[test]
fn csv_fields_and_nulls() {
    let plain = Dialect::delimited_by(b',');
    check_csv(&plain, "1,x\r\n\r\n\" 2\"\"\",\"y\nz\"\n", &["1|x", " 2\"|y\nz"]);
    check_csv(&plain, ",\"\"\n\"\",\n\"a,\"\"\",", &["~|", "|~", "a,\"|~"]);
    check_csv(&plain, "NULL,\\N", &["NULL|\\N"]);
    let marked = Dialect { null_as: vec!["NULL".into()], ..plain.clone() };
    check_csv(&marked, "NULL,\n\"NULL\",NULL\nNULLS,null", &["~|", "NULL|~", "NULLS|null"]);
    let unquoted = Dialect { quote: None, ..Dialect::delimited_by(b'\t') };
    check_csv(&unquoted, "\"\t\n\"\"\t'", &["\"|~", "\"\"|'"]);
    // A quote inside an unquoted field is data, so the empty field is unquoted.
    check_csv(&plain, "x\"y,\n12\",", &["x\"y|~", "12\"|~"]);
    let several = Dialect { null_as: vec!["NULL".into(), String::new()], ..plain };
    check_csv(&several, "NULL,\n\"NULL\",\"\"\nnull,NULLS", &["~|~", "NULL|", "null|NULLS"]);
}

#[test]
fn quoting_that_is_none_is_refused_and_never_altered() {
    let plain = Dialect::delimited_by(b',');
    let behind = |place| {
        format!(
            "{place} text behind the closing quote of a field (--escape '\\' if a backslash stands before quotes that are \
             data, --quote none if quotes are plain characters)"
        )
    };
    let text = "\"say \\\"hi\\\" Bob\",x\n\"12\" pipe\",y\n\"a\" \"b\",z\n5\" nail,w\n\"Bob \"\"B\"\"\",v\n";
    let expected = [&*behind("0:8"), &behind("0:5"), &behind("0:4"), "5\" nail|w", "Bob \"B\"|v"];
    check_csv(&plain, text, &expected);
    let escaped = Dialect { escape: Escape::Before(b'\\'), ..plain.clone() };
    let expected = ["say \"hi\" Bob|x", &*behind("0:5"), &behind("0:4"), "5\" nail|w", "Bob \"B\"|v"];
    check_csv(&escaped, text, &expected);
    let text = "a\\,b,\"\\\\\"\nC:\\new,\\\"x\n\\N,\\\n\n\\\\,\"\"\nx,y\\";
    let dangling = "0:4 the record ends with an escape character, and nothing behind it";
    check_csv(&escaped, text, &["a,b|\\", "C:\\new|\"x", "\\N|\n", "\\|", dangling]);
    // A lone return is kept in quotes; outside, nobody knows what it is.
    let stray = "0:4 a lone carriage return in a field without quotes, where lines do not end so";
    check_csv(&plain, "1,x\ry\n2,\"x\ry\"\r\n", &[stray, "2|x\ry"]);
    let macs = Dialect { line_end: LineEnd::Return, ..plain.clone() };
    let stray = "0:4 a lone line feed in a field without quotes, where lines do not end so";
    check_csv(&macs, "1,x\ny\r2,\"x\ny\"\r", &[stray, "2|x\ny"]);
    let unseen = Dialect { quotes_unseen: true, ..plain.clone() };
    let seen = decoded(&Format::Csv(unseen), &["a", "b"], b"1,x\"\n2,\"y\"\n");
    assert_eq!(seen[0], "1|x\"");
    assert!(
        seen[1].starts_with("0:3 a field begins with a quote, and none in the first 64 KiB"),
        "{}",
        seen[1]
    );
    let trailing = Dialect { trailing_delimiter: true, ..plain };
    let none = |found| {
        format!(
            "0:1 expected 2 fields and a delimiter at the end, as in the first lines; found {found} fields"
        )
    };
    let expected = ["1|x", "~|~", &*none(2), &none(3), &none(4)];
    check_csv(&trailing, "1,x,\n,,\n1,2\n1,2,3\n1,2,,\n", &expected);
}

#[test]
fn the_text_of_copy_is_read_as_copy_does() {
    let copy = Dialect::copy_text();
    let text = "a\\tb\\\\c\t{x,y}\n\\N\t\nline\\nbreak\t\\x41\\101\\q\\.\nx\\\ny\t\"q\n\\N\\N\t\\\\N\n";
    let expected = ["a\tb\\c|{x,y}", "~|", "line\nbreak|AAq.", "x\ny|\"q", "NN|\\N"];
    check_csv(&copy, text, &expected);
    // Bytes by number are text together, or none.
    let invalid =
        "0:1 invalid UTF-8, or no character of the source's encoding (--encoding NAME says which it is)";
    check_csv(&copy, "\\303\\251\t1\n\\303\t2\n", &["\u{e9}|1", invalid]);
    let nul = "0:3 a NUL byte, which text cannot hold (--on-nul strip or replace takes it)";
    check_csv(&copy, "1\ta\\0b\n", &[nul]);
    let marked = Dialect { null_as: vec![String::new()], ..copy };
    check_csv(&marked, "\\N\t\n", &["N|~"]);
}

#[test]
fn csv_records_that_do_not_fit() {
    let plain = Dialect::delimited_by(b',');
    let ragged = |found| format!("0:1 expected 2 fields as in the header, found {found}");
    check_csv(&plain, "1\n1,2\n1,2,3\n", &[&ragged(1), "1|2", &ragged(3)]);
    let cut = "0:3 the quote that opens here is never closed, so that the rest of the source is in this record (2 lines); \
               --quote none if quotes are plain characters";
    check_csv(&plain, "1,2\n3,\"x\ny,", &["1|2", cut]);
}

#[test]
fn a_byte_order_mark_inside_the_data_is_data() {
    // The block does not begin at the start of the source: nothing may be dropped.
    let format = Format::Csv(Dialect::delimited_by(b','));
    let text = "x,\n\u{feff}1,2\n3,4";
    let mut block = block_of(&format, text.as_bytes(), Limits::default());
    let Content::Text(records) = &mut block.content else { panic!("text") };
    records.spans.remove(0);
    assert_eq!(decoded_block(&format, &["a", "b"], &block), ["\u{feff}1|2", "3|4"]);
}

#[test]
fn spans_that_hold_no_single_record_are_refused() {
    let format = Format::Csv(Dialect::delimited_by(b','));
    let mut block = block_of(&format, b"1,2\n3,4\n5,6", Limits::default());
    // As if the splitter had taken the first two lines for something else.
    let Content::Text(records) = &mut block.content else { panic!("text") };
    let second = records.spans.remove(1);
    assert_eq!(decoded_block(&format, &["a", "b"], &block), ["1|2", "5|6"]);
    let Content::Text(records) = &mut block.content else { panic!("text") };
    records.spans[1] = second;
    records.spans[1].end += 4;
    assert_eq!(
        decoded_block(&format, &["a", "b"], &block),
        ["1|2", "0:4 a lone line feed in a field without quotes, where lines do not end so"]
    );
}

#[test]
fn csv_values_survive_the_way_there_and_back() {
    for_a_while(|dice| {
        let alphabet = ["a", "\u{e9}", ",", "\"", "\n", "\r", "\r\n", " ", "\u{feff}", "NULL"];
        let rows: Vec<[Option<String>; 2]> = (0..dice.below(20))
            .map(|_| {
                [(); 2].map(|()| {
                    let length = dice.below(4);
                    (dice.below(4) > 0).then(|| (0..length).map(|_| dice.pick(&alphabet)).collect())
                })
            })
            .collect();
        let quoted = |value: &Option<String>| match value {
            Some(text) => format!("\"{}\"", text.replace('"', "\"\"")),
            None => String::new(),
        };
        let ends = ["\n", "\r\n", "\r\r\n"];
        let text: String =
            rows.iter().map(|[a, b]| format!("{},{}{}", quoted(a), quoted(b), dice.pick(&ends))).collect();
        let expected: Vec<String> = rows
            .iter()
            .map(|row| row.each_ref().map(|value| value.clone().unwrap_or("~".into())).join("|"))
            .collect();
        let format = Format::Csv(Dialect::delimited_by(b','));
        assert_eq!(decoded(&format, &["a", "b"], text.as_bytes()), expected, "{text:?}");
    });
}

#[test]
fn a_block_decodes_as_its_records_do_one_by_one() {
    let tokens =
        ["a", ",", "\"", "\"\"", "\n", "\r", "\r\n", "\u{feff}", "\u{e9}", ",\"", "\",", "x,y\n", "\0"];
    for_a_while(|dice| {
        let null_as = (dice.below(2) == 0).then(|| "a".to_owned()).into_iter().collect();
        let quote = (dice.below(4) > 0).then_some(b'"');
        let format = Format::Csv(Dialect { null_as, quote, ..Dialect::delimited_by(b',') });
        let text: String = (0..dice.below(60)).map(|_| dice.pick(&tokens)).collect();
        let limits = Limits { record_bytes: [6, 1000][dice.below(2)] };
        let block = block_of(&format, text.as_bytes(), limits);
        let together = decoded_block(&format, &["a", "b"], &block);
        let one_by_one: Vec<String> =
            (0..block.len()).flat_map(|i| decoded_block(&format, &["a", "b"], &block.alone(i))).collect();
        assert_eq!(together, one_by_one, "{text:?}");
        let disagreed = "0:1 the text is no single CSV record".to_owned();
        assert!(!together.contains(&disagreed), "{text:?}");
    });
}

#[test]
fn rejects_are_mended_records() {
    const NOT_HELD: &str = "0:1 this line does not hold the record, which was too long to be kept: load its source with a \
                            larger --max-record-bytes, or put it into `record`";
    let lines = [
        (r#"{"dbload_reject":1,"source":"x","record":{"a":"1"},"raw":null}"#, r#"a="1""#),
        (r#"{"dbload_reject":1,"record":null,"raw":"{\"a\":\"\\u00e9\"}"}"#, r#"a="\u00e9""#),
        (r#"{"dbload_reject":1,"record":null,"raw":"1,2,3"}"#, "0:1 raw text: mend it into `record`"),
        (r#"{"dbload_reject":1,"raw_base64":"eyJhIjoxfQ=="}"#, "a=1"),
        (
            r#"{"dbload_reject":1,"raw":null,"raw_base64":"eyJhIjoi/yJ9"}"#,
            "0:7 invalid UTF-8, or no character of the source's encoding (--encoding NAME says which it is)",
        ),
        (r#"{"dbload_reject":1,"raw_base64":"MSwA"}"#, "0:1 raw text: mend it into `record`"),
        (r#"{"dbload_reject":1,"raw_base64":"?"}"#, "0:1 raw text: mend it into `record`"),
        (
            r#"{"dbload_reject":1,"raw":"{\"a\":"}"#,
            "0:5 malformed JSON: the record ends where a value must stand",
        ),
        (r#"{"dbload_reject":1,"raw":"{\"dbload_reject\":1}"}"#, "0:1 raw text: mend it into `record`"),
        (r#"{"dbload_reject":1}"#, NOT_HELD),
        (r#"{"dbload_reject":1,"record":null,"raw":null}"#, NOT_HELD),
        (r#"{"dbload_reject":1,"record":[1]}"#, "0:29 expected a JSON object, found an array"),
        (r#"{"a":1}"#, "a=1"),
        (
            r#"{"dbload_reject":1,"values":"text","record":{"a":"1","b":"\n\"","c":null,"d":[1],"e":"\ud800"}}"#,
            r#"[("a", Text("1")), ("b", Text("\n\"")), ("c", Null), ("d", Json("[1]")), ("e", Json("\"\\ud800\""))]"#,
        ),
        (
            r#"{"dbload_reject":1,"values":"text","record":null,"raw":"{\"a\":\"1\"}"}"#,
            r#"[("a", Text("1"))]"#,
        ),
        (r#"{"dbload_reject":1,"values":null,"record":{"a":"1"}}"#, r#"a="1""#),
        (r#"{"dbload_reject":"#, "0:17 malformed JSON: the record ends where a value must stand"),
    ];
    for (line, expected) in lines {
        assert_eq!(decoded(&Format::Rejects, &[], line.as_bytes()), [expected], "{line}");
    }
}

fn header(text: &str, last: bool) -> Result<Option<(Vec<String>, u64, u64)>, HeaderError> {
    let read = read_header(&Dialect::delimited_by(b','), 0, text.as_bytes(), last, &HeaderLimits::default())?;
    Ok(read.map(|header| (header.names, header.end.offset, header.end.line)))
}

#[test]
fn headers() {
    let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
    assert_eq!(header("a,b", false), Ok(None));
    assert_eq!(header("a,b", true), Ok(Some((names(&["a", "b"]), 3, 1))));
    assert_eq!(header("\u{feff}\"a\nb\", c\r\n1,2", false), Ok(Some((names(&["a\nb", " c"]), 11, 2))));
    assert_eq!(header("\n\na\n", false), Ok(Some((names(&["a"]), 3, 3))));
    assert_eq!(header("", true), Ok(Some((vec![], 0, 1))));
    assert_eq!(header("\n\n", true), Ok(Some((vec![], 2, 3))));
    assert_eq!(header("a,,b\n", true), Err(HeaderError::Empty { column: 2 }));
    let twice = HeaderError::Duplicate { name: "a".into(), first: 1, second: 3 };
    assert_eq!(header("a,b,a\n", true), Err(twice));
    assert_eq!(header("\"a,b\n1", true), Err(HeaderError::Unclosed { line: 1 }));
    let long = "x".repeat(2 * 1024 * 1024);
    assert_eq!(header(&long, false), Err(HeaderError::TooLong { line: 1, limit: 1 << 20 }));
    assert_eq!(header(&long, true), Err(HeaderError::TooLong { line: 1, limit: 1 << 20 }));
    let read = read_header(&Dialect::delimited_by(b','), 0, b"a,\xff\n", true, &HeaderLimits::default());
    assert_eq!(read, Err(HeaderError::Undecodable { line: 1, reason: DecodeErrorKind::InvalidUtf8 }));
}

#[test]
fn a_byte_is_found_where_it_is_next() {
    for_a_while(|dice| {
        // Neighbours of the byte that is looked for, so that a borrow between them would show.
        let raw: Vec<u8> = (0..dice.below(70))
            .map(|_| *dice.pick(&[&b'+', &b',', &b'-', &b'.', &0, &0xff, &0x80]))
            .collect();
        let from = dice.below(raw.len() + 1);
        for byte in [b',', 0, 0xff] {
            let next = raw[from..].iter().position(|&other| other == byte).map_or(raw.len(), |i| from + i);
            assert_eq!(super::find::find(byte, &raw, from), next, "{byte} from {from} in {raw:?}");
        }
    });
}
