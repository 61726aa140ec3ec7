//! The fields of delimiter-separated values. A record is cut in place where each field is what lies between
//! its delimiters or between its two quotes, doubled ones within them halved; csv-async reads the others
//! (text behind a closing quote, no UTF-8). The splitter said where the records are, and the two are compared
//! record by record: where they disagree, each record is read by itself.
//!
//! NULL is an unquoted field that equals `null_as`, or the unquoted empty field if `null_as` is not set; with
//! it set, an empty field is the empty string (as with COPY's NULL). A quoted field is never NULL; csv-async
//! does not tell `""` from nothing, so those few records are looked at again.

use std::ops::Range;

use csv_async::{AsyncReader, AsyncReaderBuilder, ByteRecord};
use futures::FutureExt as _;
use tokio::io::{AsyncRead, AsyncReadExt as _};

use super::find::find;
use super::text::{BlockText, Each, whole};
use super::{DecodeError, DecodeErrorKind, DecodeLimits};
use crate::format::nul::clean_bytes;
use crate::format::{Dialect, Fields, OnNul};
use crate::record::{Span, SpanKind, Text};

/// Offered to csv-async before the records: an empty line, which is no record, so that it does not take the
/// first bytes of a block for a byte order mark and drop them.
const LEAD: &[u8] = b"\n";

/// So many records that can be cut in place end a run of csv-async: to begin one costs as much as to read so
/// many.
const PLAIN_RUN: usize = 32;

pub(super) fn decode(
    dialect: &Dialect,
    columns: usize,
    records: &Text,
    limits: &DecodeLimits,
    each: &mut Each<'_>,
) {
    let mut decoder = Decoder { dialect, columns, room: Room::default() };
    let text = BlockText::new(records);
    let may_have_nul = memchr::memchr(0, &records.bytes).is_some();
    let mut i = 0;
    while i < records.spans.len() {
        let raw = match whole(records, i) {
            Ok(raw) => raw,
            Err(error) => {
                each(i, Err(at_open_quote(dialect, records.raw(i), error)));
                i += 1;
                continue;
            }
        };
        if is_too_wide(dialect, raw, limits) {
            each(i, Err(DecodeErrorKind::TooManyFields(limits.fields).at(raw, 0)));
            i += 1;
            continue;
        }
        if may_have_nul && needs_cleaning(raw, limits) {
            decoder.alone(&clean_bytes(raw, limits.on_nul), i, each);
            i += 1;
            continue;
        }
        let here = text.of(i).ok().filter(|_| !may_have_nul);
        if decoder.in_place(raw, here, i, each) {
            i += 1;
            continue;
        }
        let mut plain = 0;
        let goes_on = |j: &usize| {
            let raw = records.raw(*j);
            plain = if plain_fields(dialect, raw, |_, _| ()) { plain + 1 } else { 0 };
            plain < PLAIN_RUN
                && records.spans[*j].kind == SpanKind::Whole
                && !is_too_wide(dialect, raw, limits)
                && !needs_cleaning(raw, limits)
        };
        let run = 1 + (i + 1..records.spans.len()).take_while(goes_on).count();
        let agreed = decoder.run(records, i, run, each);
        for alone in i + agreed..i + run {
            decoder.alone(records.raw(alone), alone, each);
        }
        i += run;
    }
}

/// More fields than the limit are not even counted by the parser: millions of them would fill the memory.
fn is_too_wide(dialect: &Dialect, raw: &[u8], limits: &DecodeLimits) -> bool {
    raw.len() >= limits.fields && field_count(dialect, raw) > limits.fields
}

fn needs_cleaning(raw: &[u8], limits: &DecodeLimits) -> bool {
    limits.on_nul != OnNul::Reject && memchr::memchr(0, raw).is_some()
}

/// How a field stands in its record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Quoting {
    None,
    Quoted,
    /// With quotes in it, which are doubled.
    Doubled,
}

/// The places of a record's fields in it, without their quotes, if they can be cut there: from delimiter to
/// delimiter, or from quote to quote. `false`, perhaps after some fields: csv-async judges. No line end
/// stands outside of quotes; should the splitter ever say otherwise, it judges too.
fn plain_fields(dialect: &Dialect, raw: &[u8], mut each: impl FnMut(Range<usize>, Quoting)) -> bool {
    let has_line_end = memchr::memchr2(b'\n', b'\r', raw).is_some();
    let mut at = 0;
    loop {
        let quote = dialect.quote.filter(|quote| raw.get(at) == Some(quote));
        let end = if let Some(quote) = quote {
            let (mut close, mut quoting) = (find(quote, raw, at + 1), Quoting::Quoted);
            while raw.get(close + 1) == Some(&quote) {
                close = find(quote, raw, close + 2);
                quoting = Quoting::Doubled;
            }
            let end = close + 1;
            if end != raw.len() && raw.get(end) != Some(&dialect.delimiter) {
                return false;
            }
            each(at + 1..close, quoting);
            end
        } else {
            let end = find(dialect.delimiter, raw, at);
            if has_line_end && memchr::memchr2(b'\n', b'\r', &raw[at..end]).is_some() {
                return false;
            }
            each(at..end, Quoting::None);
            end
        };
        if end == raw.len() {
            return true;
        }
        at = end + 1;
    }
}

/// Appends the text of a quoted field: of two quotes, one.
fn push_halved(out: &mut String, field: &str, quote: u8) {
    let mut from = 0;
    while from < field.len() {
        let to = (find(quote, field.as_bytes(), from) + 1).min(field.len());
        // A quote is an ASCII character: no other is cut.
        out.push_str(field.get(from..to).unwrap_or_default());
        from = to + 1;
    }
}

/// Fields of a record.
pub(in crate::format) fn field_count(dialect: &Dialect, raw: &[u8]) -> usize {
    let mut count = 0;
    for_each_field(dialect, raw, |_, _| count += 1);
    count
}

/// An error of a record that was cut off, at the quote that opens its last field.
fn at_open_quote(dialect: &Dialect, raw: &[u8], error: DecodeError) -> DecodeError {
    let DecodeErrorKind::Truncated { .. } = error.kind else { return error };
    let mut last = 0;
    for_each_field(dialect, raw, |at, _| last = at);
    let lines = memchr::memchr_iter(b'\n', &raw[last..]).count() + 1;
    DecodeErrorKind::Truncated { lines }.at(raw, last)
}

/// The names in a header record.
pub(in crate::format) fn header_names(dialect: &Dialect, raw: &[u8]) -> Result<Vec<String>, DecodeError> {
    let record = read_one(dialect, raw).ok_or_else(|| DecodeErrorKind::NotOneRecord.at(raw, 0))?;
    let text = text_of(&record, raw)?;
    (0..record.len()).map(|i| Ok(field(&record, text, raw, i)?.to_owned())).collect()
}

struct Decoder<'d> {
    dialect: &'d Dialect,
    columns: usize,
    room: Room,
}

/// What a record needs, kept from one to the next.
#[derive(Default)]
struct Room {
    values: Vec<Option<&'static str>>,
    quoted: Vec<bool>,
    /// Which fields of a record have doubled quotes, and where they are: in the record, then in `halved`.
    doubled: Vec<(usize, Range<usize>)>,
    /// Their texts, one behind the other.
    halved: String,
}

impl Decoder<'_> {
    /// Reads `count` whole records from the `first` on. Returns how many the two parsers agreed on.
    fn run(&mut self, records: &Text, first: usize, count: usize, each: &mut Each<'_>) -> usize {
        let spans = &records.spans[first..first + count];
        let (from, to) = (spans[0].start as usize, spans[count - 1].end as usize);
        let mut reader = reader(self.dialect, LEAD.chain(&records.bytes[from..to]));
        let mut record = ByteRecord::new();
        for (i, span) in spans.iter().enumerate() {
            let before = reader.position().byte();
            // The bytes are in memory: the reader never waits.
            let read = reader.read_byte_record(&mut record).now_or_never();
            if !matches!(read, Some(Ok(true))) || !agrees(span, from, before, reader.position().byte()) {
                return i;
            }
            self.hand_over(&record, first + i, records.raw(first + i), each);
        }
        count
    }

    /// A record whose fields can be cut where they are; `false`: it is none. `text`: the same as text without
    /// NUL, if that is known.
    fn in_place(&mut self, raw: &[u8], text: Option<&str>, i: usize, each: &mut Each<'_>) -> bool {
        let text = match text.map_or_else(|| checked(raw, raw), Ok) {
            Ok(text) => text,
            // Of no text in a plain record no field is text. Quotes that are taken out may leave text.
            Err(error) if plain_fields(self.dialect, raw, |_, _| ()) => {
                each(i, Err(error));
                return true;
            }
            Err(_) => return false,
        };
        let mut halved = std::mem::take(&mut self.room.halved);
        let mut values = recycle(std::mem::take(&mut self.room.values));
        let is_plain = self.cut(text, &mut values);
        if is_plain {
            self.halve(text, &mut halved, &mut values);
            if values.len() == self.columns {
                each(i, Ok(Fields::Positional(&values)));
            } else {
                let kind = DecodeErrorKind::Ragged { expected: self.columns, found: values.len() };
                each(i, Err(kind.at(raw, 0)));
            }
        }
        self.room.values = recycle(values);
        self.room.halved = halved;
        is_plain
    }

    /// Cuts the fields of a plain record; those with doubled quotes are noted.
    fn cut<'r>(&mut self, text: &'r str, values: &mut Vec<Option<&'r str>>) -> bool {
        let null = self.dialect.null_as.as_deref().unwrap_or("");
        let doubled = &mut self.room.doubled;
        doubled.clear();
        plain_fields(self.dialect, text.as_bytes(), |range, quoting| {
            if quoting == Quoting::Doubled {
                doubled.push((values.len(), range.clone()));
            }
            // Delimiters and quotes are ASCII characters: no other is cut.
            let value = text.get(range).unwrap_or_default();
            values.push((quoting != Quoting::None || value != null).then_some(value));
        })
    }

    /// Halves the doubled quotes of the fields that have some.
    fn halve<'r>(&mut self, text: &str, halved: &'r mut String, values: &mut [Option<&'r str>]) {
        let Some(quote) = self.dialect.quote.filter(|_| !self.room.doubled.is_empty()) else { return };
        halved.clear();
        for (_, range) in &mut self.room.doubled {
            let from = halved.len();
            push_halved(halved, text.get(range.clone()).unwrap_or_default(), quote);
            *range = from..halved.len();
        }
        for (field, range) in &self.room.doubled {
            values[*field] = halved.get(range.clone());
        }
    }

    fn alone(&mut self, raw: &[u8], i: usize, each: &mut Each<'_>) {
        match read_one(self.dialect, raw) {
            Some(record) => self.hand_over(&record, i, raw, each),
            None => each(i, Err(DecodeErrorKind::NotOneRecord.at(raw, 0))),
        }
    }

    fn hand_over(&mut self, record: &ByteRecord, i: usize, raw: &[u8], each: &mut Each<'_>) {
        let mut values = recycle(std::mem::take(&mut self.room.values));
        match self.values(record, raw, &mut values) {
            Ok(()) => each(i, Ok(Fields::Positional(&values))),
            Err(error) => each(i, Err(error)),
        }
        self.room.values = recycle(values);
    }

    fn values<'r>(
        &mut self,
        record: &'r ByteRecord,
        raw: &[u8],
        values: &mut Vec<Option<&'r str>>,
    ) -> Result<(), DecodeError> {
        let text = text_of(record, raw)?;
        if record.len() != self.columns {
            let kind = DecodeErrorKind::Ragged { expected: self.columns, found: record.len() };
            return Err(kind.at(raw, 0));
        }
        let null = self.dialect.null_as.as_deref().unwrap_or("");
        let mut may_be_null = false;
        for i in 0..record.len() {
            let value = field(record, text, raw, i)?;
            may_be_null |= value == null;
            values.push(Some(value));
        }
        if !may_be_null {
            return Ok(());
        }
        let has_quotes = self.dialect.quote.is_some_and(|quote| memchr::memchr(quote, raw).is_some());
        let quoted = &mut self.room.quoted;
        quoted.clear();
        if has_quotes {
            mark_quoted(self.dialect, raw, quoted);
        }
        for (i, value) in values.iter_mut().enumerate() {
            if *value == Some(null) && !quoted.get(i).copied().unwrap_or(false) {
                *value = None;
            }
        }
        Ok(())
    }
}

/// Whether csv-async took its record from where the span is: from before its start to its end, or the line
/// end behind it.
fn agrees(span: &Span, from: usize, before: u64, after: u64) -> bool {
    let place = |index: u32| (index as usize - from + LEAD.len()) as u64;
    let (start, end) = (place(span.start), place(span.end));
    before <= start && (after == end || after == end + 1)
}

fn reader<R: AsyncRead + Unpin + Send>(dialect: &Dialect, bytes: R) -> AsyncReader<R> {
    let mut builder = AsyncReaderBuilder::new();
    builder.has_headers(false).flexible(true).delimiter(dialect.delimiter);
    match dialect.quote {
        Some(quote) => builder.quote(quote),
        None => builder.quoting(false),
    };
    builder.create_reader(bytes)
}

/// Reads bytes that are exactly one record.
fn read_one(dialect: &Dialect, raw: &[u8]) -> Option<ByteRecord> {
    let mut reader = reader(dialect, LEAD.chain(raw));
    let (mut record, mut further) = (ByteRecord::new(), ByteRecord::new());
    let one = reader.read_byte_record(&mut record).now_or_never()?.ok()?;
    let two = reader.read_byte_record(&mut further).now_or_never()?.ok()?;
    (one && !two).then_some(record)
}

/// All fields of a record, one behind the other, as text.
fn text_of<'r>(record: &'r ByteRecord, raw: &[u8]) -> Result<&'r str, DecodeError> {
    checked(record.as_slice(), raw)
}

/// Bytes of the record `raw` as text that a column can hold.
fn checked<'r>(bytes: &'r [u8], raw: &[u8]) -> Result<&'r str, DecodeError> {
    let Ok(text) = std::str::from_utf8(bytes) else { return Err(invalid_utf8(raw)) };
    if memchr::memchr(0, bytes).is_some() {
        return Err(DecodeErrorKind::Nul.at(raw, memchr::memchr(0, raw).unwrap_or(0)));
    }
    Ok(text)
}

/// A field of the record. Two broken characters may look like a whole one where their fields meet: that cut
/// is no character boundary.
fn field<'r>(record: &ByteRecord, text: &'r str, raw: &[u8], i: usize) -> Result<&'r str, DecodeError> {
    record.range(i).and_then(|range| text.get(range)).ok_or_else(|| invalid_utf8(raw))
}

fn invalid_utf8(raw: &[u8]) -> DecodeError {
    let place = std::str::from_utf8(raw).map_or_else(|error| error.valid_up_to(), |_| 0);
    DecodeErrorKind::InvalidUtf8.at(raw, place)
}

/// Which fields of the record are quoted.
fn mark_quoted(dialect: &Dialect, raw: &[u8], quoted: &mut Vec<bool>) {
    for_each_field(dialect, raw, |_, is_quoted| quoted.push(is_quoted));
}

/// Where each field of the record begins, and whether it is quoted.
fn for_each_field(dialect: &Dialect, raw: &[u8], mut each: impl FnMut(usize, bool)) {
    let mut at = 0;
    loop {
        let quote = dialect.quote.filter(|quote| raw.get(at) == Some(quote));
        each(at, quote.is_some());
        if let Some(quote) = quote {
            at += 1;
            // To behind the closing quote; a doubled one is part of the field.
            loop {
                let Some(i) = memchr::memchr(quote, &raw[at..]) else { return };
                at += i + 1;
                if raw.get(at) != Some(&quote) {
                    break;
                }
                at += 1;
            }
        }
        // Fields are short: a plain loop beats setting up a search.
        match raw[at..].iter().position(|&byte| byte == dialect.delimiter) {
            Some(i) => at += i + 1,
            None => return,
        }
    }
}

/// The same room for values of another lifetime.
fn recycle<'to>(mut values: Vec<Option<&str>>) -> Vec<Option<&'to str>> {
    values.clear();
    values.into_iter().map(|_| None).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::rng::for_a_while;

    fn seen(read: impl FnOnce(&mut Each<'_>)) -> Vec<String> {
        let mut seen = Vec::new();
        read(&mut |_, fields| {
            seen.push(match fields {
                Ok(Fields::Positional(values)) => format!("{values:?}"),
                Ok(Fields::Named(_) | Fields::Mended(_)) => unreachable!("positional"),
                Err(error) => format!("{error:?}"),
            });
        });
        seen
    }

    #[test]
    fn what_is_cut_in_place_is_what_csv_async_reads() {
        let tokens: [&[u8]; 12] = [
            b"a",
            b",",
            b"\"",
            b"\"\"",
            b",\"",
            b"\",",
            b"\"\"\"",
            b"\n",
            b"\xc3",
            b"\xa9",
            b"\xc3\xa9",
            b"\0",
        ];
        let (cut, doubled) = (std::cell::Cell::new(0), std::cell::Cell::new(0));
        for_a_while(|dice| {
            let null_as = (dice.below(2) == 0).then(|| "a".to_owned());
            let quote = (dice.below(4) > 0).then_some(b'"');
            let dialect = Dialect { null_as, quote, ..Dialect::delimited_by(b',') };
            let raw: Vec<u8> = (0..1 + dice.below(12)).flat_map(|_| dice.pick(&tokens).to_vec()).collect();
            let mut decoder =
                Decoder { dialect: &dialect, columns: 1 + dice.below(4), room: Room::default() };
            let mut is_cut = false;
            let in_place = seen(|each| is_cut = decoder.in_place(&raw, None, 0, each));
            if is_cut {
                cut.set(cut.get() + 1);
                doubled.set(doubled.get() + usize::from(!decoder.room.doubled.is_empty()));
                let library = seen(|each| decoder.alone(&raw, 0, each));
                // Of two things wrong each may name another.
                let both_refuse = [&in_place, &library].iter().all(|seen| seen[0].starts_with("DecodeError"));
                assert!(
                    both_refuse || in_place == library,
                    "{} {in_place:?} {library:?}",
                    raw.escape_ascii()
                );
            }
        });
        assert!(cut.get() > 0 && doubled.get() > 0, "{cut:?} {doubled:?}");
    }
}
