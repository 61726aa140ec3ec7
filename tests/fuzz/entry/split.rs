//! Driving a splitter: in pieces, from resume points, and what must be the same whichever way.

use bytes::Bytes;
use dbload::internals::format::{Format, Limits, SplitError, Splitter};
use dbload::internals::record::{Block, Position, Span, SpanKind, Text};

use super::Pieces;

/// A record as a splitter found it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    pub raw: Vec<u8>,
    pub line: u64,
    pub end_line: u64,
    pub end_offset: u64,
    pub kind: SpanKind,
}

/// All that one reading of a text came to.
#[derive(Debug, PartialEq, Eq)]
pub struct Reading {
    pub records: Vec<Seen>,
    pub result: Result<(), SplitError>,
    pub end: Position,
}

/// The usual limits but for the longest record.
pub fn limits(record_bytes: usize) -> Limits {
    let with = |mut limits: Limits| {
        limits.record_bytes = record_bytes;
        limits
    };
    with(Limits::default())
}

pub fn whole(format: &Format, limits: Limits, text: &[u8]) -> Reading {
    read(format, limits, text, Position::start_of(0), &mut || usize::MAX).0
}

/// Reads `text` from `at` on, with `more()` further bytes whenever the splitter asks; also the positions on
/// the way.
pub fn read(
    format: &Format,
    limits: Limits,
    text: &[u8],
    at: Position,
    more: &mut dyn FnMut() -> usize,
) -> (Reading, Vec<Position>) {
    let mut splitter = Splitter::new(format, limits, at);
    let (mut records, mut places) = (Vec::new(), Vec::new());
    let mut from = usize::try_from(at.offset).unwrap_or(usize::MAX).min(text.len());
    let (mut to, mut offered) = (from, 0);
    loop {
        let last = to == text.len();
        let mut spans = Vec::new();
        let done = match splitter.split(&text[from..to], last, &mut spans) {
            Ok(done) => done,
            Err(error) => return (Reading { records, result: Err(error), end: splitter.position() }, places),
        };
        let mut head = splitter.take_head();
        let mut behind = 0;
        for span in &spans {
            assert!(
                span.start >= behind && span.end >= span.start && span.end as usize <= done,
                "spans in order"
            );
            behind = span.end;
            let raw = text[from + span.start as usize..from + span.end as usize].to_vec();
            let raw = match span.kind {
                SpanKind::TooLong { .. } if raw.is_empty() => head.take().unwrap_or_default(),
                _ => raw,
            };
            let Span { line, end_line, end_offset, kind, .. } = *span;
            records.push(Seen { raw, line, end_line, end_offset, kind });
        }
        places.push(splitter.position());
        from += done;
        assert!(to - from <= limits.record_bytes + 2 + offered, "holds back more than a record");
        if last && spans.is_empty() && done == 0 {
            assert_eq!(from, text.len(), "all bytes are accounted for");
            return (Reading { records, result: Ok(()), end: splitter.position() }, places);
        }
        if !last {
            offered = more().clamp(1, text.len() - to);
            to += offered;
        }
    }
}

/// The same records however the bytes arrive. Returns them, with the resume points that were seen.
pub fn check_pieces(
    format: &Format,
    limits: Limits,
    text: &[u8],
    start: Position,
    dial: u8,
) -> (Reading, Vec<Position>) {
    let (whole, _) = read(format, limits, text, start, &mut || usize::MAX);
    let mut pieces = Pieces::of(dial);
    let (cut, places) = read(format, limits, text, start, &mut || pieces.next());
    assert_eq!(cut, whole, "the same however the bytes are cut");
    let mut before = start.offset;
    for record in &whole.records {
        let bytes = match record.kind {
            SpanKind::TooLong { record_bytes } => record_bytes,
            SpanKind::Whole | SpanKind::Truncated => record.raw.len() as u64,
            SpanKind::Made { .. } | SpanKind::Missing | SpanKind::Ragged { .. } => {
                panic!("a splitter makes no records")
            }
        };
        assert!(record.end_offset >= before + bytes && record.end_offset <= text.len() as u64);
        let begin = usize::try_from(record.end_offset - bytes).unwrap_or(0);
        let end = begin + record.raw.len();
        assert_eq!(&text[begin..end], record.raw, "a record is its bytes");
        let feeds = |bytes: &[u8]| bytes.iter().filter(|&&byte| byte == b'\n').count() as u64;
        if !text.contains(&b'\r') {
            assert_eq!(record.line, 1 + feeds(&text[..begin]), "the line of a record");
        }
        before = record.end_offset;
    }
    (whole, places)
}

/// Reading on at a resume point gives the records behind it, and the same end.
pub fn check_resume(format: &Format, limits: Limits, text: &[u8], whole: &Reading, at: Position, dial: u8) {
    let mut pieces = Pieces::of(dial);
    let (rest, _) = read(format, limits, text, at, &mut || pieces.next());
    let done = usize::try_from(at.record).unwrap_or(usize::MAX);
    let left = &whole.records[done..];
    assert_eq!(rest.records.get(..left.len()), Some(left), "the records behind {at:?}");
    if whole.result.is_ok() {
        assert_eq!(
            (rest.records.len(), &rest.result, rest.end),
            (left.len(), &Ok(()), whole.end),
            "the end from {at:?}"
        );
    } else if !matches!(format, Format::Json { .. }) {
        assert_eq!(rest.result, whole.result);
    }
}

/// Resume points behind records, as a block would give them.
pub fn behind(start: Position, records: &[Seen], i: usize) -> Position {
    let record = &records[i];
    Position { source: start.source, offset: record.end_offset, record: i as u64 + 1, line: record.end_line }
}

/// A block of the records of a text, as the reader makes it. `None`: the splitter fails.
pub fn block(format: &Format, text: &[u8], first_seq: u64) -> Option<Block> {
    let start = Position::start_of(0);
    let mut splitter = Splitter::new(format, Limits::default(), start);
    let mut spans = Vec::new();
    splitter.split(text, true, &mut spans).ok()?;
    let end = splitter.position();
    let text = Text { bytes: Bytes::copy_from_slice(text), spans };
    Some(Block { first_seq, ..Block::of_text(start, end, text) })
}
