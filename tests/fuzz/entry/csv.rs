//! CSV in every dialect: the records of the `csv` crate, the fields of the documented rules, NULL only where
//! nothing was quoted.

use dbload::internals::format::{
    DecodeErrorKind, DecodeLimits, Dialect, Fields, Format, HeaderLimits, decode_block, read_header,
};
use dbload::internals::record::{Block, Position, SpanKind};

use super::{Dials, oracle, split};

pub fn dialect(dials: &mut Dials<'_>) -> Dialect {
    let delimiter = dials.pick(b",,;\t| x");
    let quote = dials.pick(&[Some(b'"'), Some(b'"'), Some(b'\''), None]);
    let null_as: &[&str] = dials.pick(&[&[], &[], &[""], &["\\N"], &["NULL", ""], &["a"]]);
    let null_as = null_as.iter().map(|&text| text.to_owned()).collect();
    Dialect { delimiter, quote, null_as, ..Dialect::delimited_by(delimiter) }
}

pub fn run(data: &[u8]) {
    let mut dials = Dials::new(data);
    let dialect = dialect(&mut dials);
    let record_bytes = dials.pick(&[1 << 20, 1 << 20, 6, 30]);
    let with_header = dials.byte() & 1 == 1;
    let (dial, text) = (dials.byte(), dials.rest());
    let limits = split::limits(record_bytes);
    let columns = Dialect { columns: Some(vec!["a".to_owned()]), ..dialect.clone() };
    let format = Format::Csv(columns);
    let mut start = Position::start_of(0);
    if with_header {
        match header(&dialect, text) {
            Some(end) => start = end,
            None => return,
        }
    }
    let (whole, places) = split::check_pieces(&format, limits, text, start, dial);
    assert_eq!(whole.result, Ok(()), "CSV always ends");
    let behind = (0..whole.records.len()).map(|i| split::behind(start, &whole.records, i));
    for at in behind
        .step_by(1 + whole.records.len() / 3)
        .chain(places.iter().copied().step_by(1 + places.len() / 3))
    {
        split::check_resume(&format, limits, text, &whole, at, dial);
    }
    if record_bytes == 1 << 20 && !with_header {
        decoded(&dialect, text);
    }
}

/// The header is the first record; the same from any beginning of the file that holds it.
fn header(dialect: &Dialect, text: &[u8]) -> Option<Position> {
    let whole = read_header(dialect, 0, text, true, &HeaderLimits::default());
    for cut in [1, text.len() / 2, text.len().saturating_sub(1)] {
        let part = read_header(dialect, 0, &text[..cut.min(text.len())], false, &HeaderLimits::default());
        if !matches!(part, Ok(None)) {
            assert_eq!(part, whole, "a header does not depend on what is behind it");
        }
    }
    match whole {
        Ok(header) => {
            let header = header.expect("a header, or that there is none");
            if has_common_lines(text) {
                let first =
                    reader(dialect, text).byte_records().next().and_then(Result::ok).unwrap_or_default();
                let names: Vec<_> = header.names.iter().map(String::as_bytes).collect();
                assert_eq!(names, first.iter().collect::<Vec<_>>(), "the names of the first record");
            }
            Some(header.end)
        }
        Err(error) => {
            let words = format!("{error} {}", error.hint().unwrap_or_default());
            assert!(!words.chars().any(char::is_control), "a message steers no terminal: {words:?}");
            None
        }
    }
}

/// Lines end for the other reader where they end here: for it, a lone return ends one.
fn has_common_lines(text: &[u8]) -> bool {
    text.iter().enumerate().all(|(at, byte)| *byte != b'\r' || text.get(at + 1) == Some(&b'\n'))
}

fn reader<'t>(dialect: &Dialect, text: &'t [u8]) -> csv::Reader<&'t [u8]> {
    let mut builder = csv::ReaderBuilder::new();
    builder.has_headers(false).flexible(true).delimiter(dialect.delimiter);
    match dialect.quote {
        Some(quote) => builder.quote(quote),
        None => builder.quoting(false),
    };
    builder.from_reader(text)
}

fn decoded(dialect: &Dialect, text: &[u8]) {
    let format = Format::Csv(dialect.clone());
    let Some(block) = split::block(&format, text, 0) else { return };
    // The other reader takes a byte order mark off itself.
    let records: Vec<csv::ByteRecord> = reader(dialect, text).byte_records().filter_map(Result::ok).collect();
    let is_common = has_common_lines(text);
    assert!(!is_common || block.len() == records.len(), "as many records as another reader finds");
    for width in [1, 2, 3] {
        let header: Vec<String> = (0..width).map(|i| format!("c{i}")).collect();
        let mut count = 0;
        decode_block(&format, &header, &block, &DecodeLimits::default(), &mut |i, fields| {
            assert_eq!(i, count, "each record once, in order");
            count += 1;
            let fields = fields.map_err(|error| error.kind);
            judge(dialect, &block, i, width, &fields, records.get(i).filter(|_| is_common));
        });
        assert_eq!(count, block.len());
    }
}

fn judge(
    dialect: &Dialect,
    block: &Block,
    i: usize,
    width: usize,
    fields: &Result<Fields<'_, '_>, DecodeErrorKind>,
    record: Option<&csv::ByteRecord>,
) {
    let raw = block.raw(i);
    if block.kind(i) == SpanKind::Truncated {
        assert!(matches!(fields, Err(DecodeErrorKind::Truncated { .. })));
        return;
    }
    let Some(expected) = oracle::fields(raw, dialect.delimiter, dialect.quote) else {
        let refused = matches!(
            fields,
            Err(DecodeErrorKind::TextBehindQuote { .. }
                | DecodeErrorKind::StrayLineEnd(_)
                | DecodeErrorKind::InvalidUtf8
                | DecodeErrorKind::Nul)
        );
        assert!(refused, "{raw:?}: {fields:?}");
        return;
    };
    assert!(
        record.is_none_or(|record| expected.iter().map(|(_, value)| value.as_slice()).eq(record.iter())),
        "two readers agree on {raw:?}"
    );
    let no_text = std::str::from_utf8(raw).is_err();
    let nul = expected.iter().any(|(_, value)| value.contains(&0));
    match fields {
        Ok(Fields::Positional(values)) => {
            assert!(!no_text && !nul && expected.len() == width);
            let is_null = |value: &[u8]| match dialect.null_as.as_slice() {
                [] => value.is_empty(),
                nulls => nulls.iter().any(|null| null.as_bytes() == value),
            };
            let expected: Vec<Option<&[u8]>> = expected
                .iter()
                .map(|(quoted, value)| (*quoted || !is_null(value)).then_some(value.as_slice()))
                .collect();
            let found: Vec<_> = values.iter().map(|value| value.map(str::as_bytes)).collect();
            assert_eq!(found, expected, "{raw:?}");
        }
        Ok(Fields::Named(_)) => panic!("CSV has no named fields"),
        Err(DecodeErrorKind::InvalidUtf8) => assert!(no_text, "{raw:?}"),
        Err(DecodeErrorKind::Nul) => assert!(nul, "{raw:?}"),
        Err(DecodeErrorKind::Ragged { expected: wanted, found }) => {
            assert_eq!((*wanted, *found), (width, expected.len()));
            assert_ne!(width, expected.len());
        }
        Ok(Fields::Mended(_)) => unreachable!("no reject"),
        Err(error) => panic!("refused {raw:?}: {error}"),
    }
}
