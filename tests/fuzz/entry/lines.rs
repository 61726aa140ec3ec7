//! JSON lines: what a line is, and that a record is decoded if and only if RFC 8259 has it, member by member.

use std::collections::HashSet;

use dbload::internals::format::{DecodeErrorKind, DecodeLimits, Fields, Format, decode_block};
use dbload::internals::record::Position;

use super::{Dials, oracle, split};

/// White space of JSON, and what stands before each text of a sequence (RFC 7464).
const BLANK: [char; 5] = [' ', '\t', '\r', '\n', '\x1e'];

pub fn run(data: &[u8]) {
    let mut dials = Dials::new(data);
    let record_bytes = dials.pick(&[1 << 20, 1 << 20, 5, 40]);
    let (dial, text) = (dials.byte(), dials.rest());
    let limits = split::limits(record_bytes);
    let start = Position::start_of(0);
    let (whole, places) = split::check_pieces(&Format::Jsonl, limits, text, start, dial);
    assert_eq!(whole.result, Ok(()), "lines always end");
    let behind = (0..whole.records.len()).map(|i| split::behind(start, &whole.records, i));
    for at in behind
        .step_by(1 + whole.records.len() / 3)
        .chain(places.iter().copied().step_by(1 + places.len() / 3))
    {
        split::check_resume(&Format::Jsonl, limits, text, &whole, at, dial);
    }
    if record_bytes < 1 << 20 {
        return;
    }
    let body = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    let expected: Vec<&[u8]> = body
        .split(|&byte| byte == b'\n')
        .map(|line| &line[line.iter().take_while(|&&b| BLANK.contains(&char::from(b))).count()..])
        .filter(|line| !line.is_empty())
        .collect();
    let found: Vec<&[u8]> = whole.records.iter().map(|record| record.raw.as_slice()).collect();
    assert_eq!(found, expected, "each line that is not blank is a record");
    decoded(text);
}

fn decoded(text: &[u8]) {
    let Some(block) = split::block(&Format::Jsonl, text, 0) else { return };
    let mut count = 0;
    decode_block(&Format::Jsonl, &[], &block, &DecodeLimits::default(), &mut |i, fields| {
        assert_eq!(i, count, "each record once, in order");
        count += 1;
        let raw = block.raw(i);
        let Ok(line) = std::str::from_utf8(raw) else {
            let error = fields.err().map(|error| error.kind);
            assert_eq!(error, Some(DecodeErrorKind::InvalidUtf8));
            return;
        };
        let judged = oracle::object(line);
        match (fields, judged) {
            (_, Err(oracle::Bad::Deep)) => {}
            (Ok(Fields::Named(members)), Ok(expected)) => {
                let found: Vec<_> =
                    members.iter().map(|(name, value)| (Some(name.to_string()), *value)).collect();
                assert_eq!(found, expected, "{line:?}");
            }
            (Ok(_), judged) => panic!("accepted {line:?}, {judged:?}"),
            (Err(error), Ok(expected)) => {
                let names: HashSet<_> = expected.iter().map(|(name, _)| name).collect();
                let why = names.len() < expected.len() || names.contains(&None) || expected.len() > 10_000;
                assert!(why, "refused {line:?}: {error}");
            }
            (Err(error), Err(_)) => {
                assert!(error.offset <= raw.len() && error.column <= raw.len() + 1, "{error:?}");
                let words = error.to_string();
                assert!(!words.chars().any(char::is_control), "a message steers no terminal: {words:?}");
            }
        }
    });
    assert_eq!(count, block.len());
}
