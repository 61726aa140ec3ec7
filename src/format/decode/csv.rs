//! The fields of delimiter-separated values. A record is cut in place: a field is what lies between its
//! delimiters, or between its two quotes, doubled ones within them halved. What is neither is no record, and
//! is refused: text behind a closing quote, a line end outside of quotes that ends no line here.
//!
//! NULL is an unquoted field that equals a text of `null_as`, or the unquoted empty field if there is none;
//! with one, an empty field is the empty string (as with COPY's NULL). A quoted field is never NULL.

use std::ops::Range;

use super::field::{Misfit, Quoting, behind_quote, stray_line_end};
use super::find::find;
use super::text::{BlockText, Each, whole};
use super::unescape::{escaped_fields, push_unescaped};
use super::{DecodeError, DecodeErrorKind, DecodeLimits};
use crate::format::nul::clean_bytes;
use crate::format::{Dialect, Escape, Fields, Nulls, OnNul};
use crate::record::Text;

pub(super) fn decode(
    dialect: &Dialect,
    columns: usize,
    records: &Text,
    limits: &DecodeLimits,
    each: &mut Each<'_>,
) {
    let mut decoder = Decoder { dialect, columns, limits: *limits, room: Room::default() };
    let text = BlockText::new(records);
    let may_have_nul = memchr::memchr(0, &records.bytes).is_some();
    for i in 0..records.spans.len() {
        let raw = match whole(records, i) {
            Ok(raw) => raw,
            Err(error) => {
                each(i, Err(at_open_quote(dialect, records.raw(i), error)));
                continue;
            }
        };
        if is_too_wide(dialect, raw, limits) {
            each(i, Err(DecodeErrorKind::TooManyFields(limits.fields).at(raw, 0)));
        } else if may_have_nul {
            decoder.record(&clean_bytes(raw, limits.on_nul), None, i, each);
        } else {
            decoder.record(raw, text.of(i).ok(), i, each);
        }
    }
}

/// More fields than the limit are not even counted by the parser: millions of them would fill the memory.
fn is_too_wide(dialect: &Dialect, raw: &[u8], limits: &DecodeLimits) -> bool {
    raw.len() >= limits.fields && field_count(dialect, raw) > limits.fields
}

/// The places of a record's fields in it, without their quotes.
///
/// # Errors
/// Perhaps after some fields: what is no field.
pub(in crate::format) fn fields(
    dialect: &Dialect,
    raw: &[u8],
    each: impl FnMut(Range<usize>, Quoting),
) -> Result<(), Misfit> {
    match dialect.escape.byte() {
        Some(escape) => escaped_fields(dialect, escape, raw, each),
        None => plain_fields(dialect, raw, each),
    }
}

/// The same where no character is an escape.
fn plain_fields(
    dialect: &Dialect,
    raw: &[u8],
    mut each: impl FnMut(Range<usize>, Quoting),
) -> Result<(), Misfit> {
    // Without a way out, so that the compiler looks at many bytes at once.
    let has_line_end = raw.iter().fold(false, |found, byte| found | (*byte == b'\n') | (*byte == b'\r'));
    let mut at = 0;
    loop {
        let quote = dialect.quote.filter(|quote| raw.get(at) == Some(quote));
        let (field, quoting, end) = if let Some(quote) = quote {
            let (mut close, mut quoting) = (find(quote, raw, at + 1), Quoting::Quoted);
            while raw.get(close + 1) == Some(&quote) {
                close = find(quote, raw, close + 2);
                quoting = Quoting::Doubled;
            }
            let end = close + 1;
            if end != raw.len() && raw.get(end) != Some(&dialect.delimiter) {
                return Err(behind_quote(raw, end));
            }
            (at + 1..close, quoting, end)
        } else {
            let end = find(dialect.delimiter, raw, at);
            if has_line_end && let Some(i) = memchr::memchr2(b'\n', b'\r', &raw[at..end]) {
                return Err((stray_line_end(raw[at + i]), at + i));
            }
            (at..end, Quoting::None, end)
        };
        each(field, quoting);
        if end == raw.len() {
            return Ok(());
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
    for_each_start(dialect, raw, |_| count += 1);
    count
}

/// An error of a record that was cut off, at the quote that opens its last field.
fn at_open_quote(dialect: &Dialect, raw: &[u8], error: DecodeError) -> DecodeError {
    let DecodeErrorKind::Truncated { .. } = error.kind else { return error };
    let mut last = 0;
    for_each_start(dialect, raw, |at| last = at);
    let lines = memchr::memchr_iter(b'\n', &raw[last..]).count() + 1;
    DecodeErrorKind::Truncated { lines }.at(raw, last)
}

/// The names in a header record.
pub(in crate::format) fn header_names(dialect: &Dialect, raw: &[u8]) -> Result<Vec<String>, DecodeError> {
    let text = checked(raw)?;
    let mut names = Vec::new();
    let mut misfit = None;
    let cut = fields(dialect, raw, |range, quoting| {
        let mut name = String::new();
        let field = text.get(range.clone()).unwrap_or_default();
        match push_text(dialect, &mut name, field, quoting) {
            Ok(()) => names.push(name),
            Err(kind) => misfit = misfit.take().or(Some((kind, range.start))),
        }
    });
    match cut.err().or(misfit) {
        Some((kind, at)) => Err(kind.at(raw, at)),
        None => Ok(names),
    }
}

/// Appends what a field says.
fn push_text(
    dialect: &Dialect,
    out: &mut String,
    field: &str,
    quoting: Quoting,
) -> Result<(), DecodeErrorKind> {
    match (quoting, dialect.quote) {
        (Quoting::Doubled, Some(quote)) => push_halved(out, field, quote),
        (Quoting::Escaped | Quoting::QuotedEscaped, _) => push_unescaped(dialect, out, field, quoting)?,
        (Quoting::None | Quoting::Quoted | Quoting::Doubled, _) => out.push_str(field),
    }
    Ok(())
}

struct Decoder<'d> {
    dialect: &'d Dialect,
    columns: usize,
    limits: DecodeLimits,
    room: Room,
}

/// What a record needs, kept from one to the next.
#[derive(Default)]
struct Room {
    values: Vec<Option<&'static str>>,
    /// Which fields of a record are not as they stand, and where they are: in the record, then in `mended`.
    altered: Vec<Altered>,
    /// Their texts, one behind the other.
    mended: String,
}

/// A field that has doubled quotes or escapes.
struct Altered {
    field: usize,
    range: Range<usize>,
    quoting: Quoting,
}

/// A record on its way into fields.
struct Cut<'c, 'r> {
    text: &'r str,
    nulls: Nulls<'c>,
    values: &'c mut Vec<Option<&'r str>>,
    altered: &'c mut Vec<Altered>,
    /// Where the first quoted field begins.
    first_quoted: Option<usize>,
}

impl<'r> Cut<'_, 'r> {
    /// Called for each field: part of its loop, whatever the compiler makes of its size.
    #[inline(always)]
    fn push(&mut self, range: Range<usize>, quoting: Quoting) {
        // Delimiters, quotes and escapes are ASCII characters: no other is cut.
        let value = self.text.get(range.clone()).unwrap_or_default();
        if quoting == Quoting::None {
            self.values.push((!self.nulls.has(value)).then_some(value));
        } else {
            self.push_other(value, range, quoting);
        }
    }

    /// One with quotes or escapes. Apart, for what is left is short enough to be part of a loop.
    #[inline(never)]
    fn push_other(&mut self, value: &'r str, range: Range<usize>, quoting: Quoting) {
        if quoting.has_quotes() {
            self.first_quoted = self.first_quoted.or(Some(range.start - 1));
        }
        let is_value = quoting.has_quotes() || !self.nulls.has(value);
        if is_value && !quoting.is_plain() {
            self.altered.push(Altered { field: self.values.len(), range, quoting });
        }
        self.values.push(is_value.then_some(value));
    }
}

impl Decoder<'_> {
    /// Reads one record. `text`: the same as text without NUL, if that is known.
    fn record(&mut self, raw: &[u8], text: Option<&str>, i: usize, each: &mut Each<'_>) {
        let text = match text.map_or_else(|| checked(raw), Ok) {
            Ok(text) => text,
            Err(error) => return each(i, Err(error)),
        };
        let mut mended = std::mem::take(&mut self.room.mended);
        let mut values = recycle(std::mem::take(&mut self.room.values));
        let cut = self.cut(text, &mut values).and_then(|()| self.mend(text, &mut mended, &mut values));
        match cut.and_then(|()| self.check_count(&mut values)) {
            Ok(()) => each(i, Ok(Fields::Positional(&values))),
            Err((kind, at)) => each(i, Err(kind.at(raw, at))),
        }
        self.room.values = recycle(values);
        self.room.mended = mended;
    }

    /// Cuts a record into fields; those that are not as they stand are noted.
    fn cut<'r>(&mut self, text: &'r str, values: &mut Vec<Option<&'r str>>) -> Result<(), Misfit> {
        self.room.altered.clear();
        let nulls = self.dialect.nulls();
        let nulls = if self.limits.trims_nulls { nulls.trimmed() } else { nulls };
        let mut cut = Cut { text, nulls, values, altered: &mut self.room.altered, first_quoted: None };
        // Each has a call of its own, which is part of its loop.
        match self.dialect.escape.byte() {
            Some(escape) => escaped_fields(self.dialect, escape, text.as_bytes(), |range, quoting| {
                cut.push(range, quoting);
            })?,
            None => plain_fields(self.dialect, text.as_bytes(), |range, quoting| cut.push(range, quoting))?,
        }
        match cut.first_quoted.filter(|_| self.dialect.quotes_unseen) {
            Some(at) => Err((DecodeErrorKind::QuotesUnseen, at)),
            None => Ok(()),
        }
    }

    /// Puts right what is not as it stands.
    fn mend<'r>(
        &mut self,
        text: &str,
        mended: &'r mut String,
        values: &mut [Option<&'r str>],
    ) -> Result<(), Misfit> {
        if self.room.altered.is_empty() {
            return Ok(());
        }
        mended.clear();
        for Altered { range, quoting, .. } in &mut self.room.altered {
            let from = mended.len();
            let field = text.get(range.clone()).unwrap_or_default();
            push_text(self.dialect, mended, field, *quoting).map_err(|kind| (kind, range.start))?;
            // Escapes can make one that was not there.
            if *quoting == Quoting::Escaped && self.dialect.escape == Escape::Copy {
                clean_nul(self.limits.on_nul, mended, from).map_err(|kind| (kind, range.start))?;
            }
            *range = from..mended.len();
        }
        for Altered { field, range, .. } in &self.room.altered {
            values[*field] = mended.get(range.clone());
        }
        Ok(())
    }

    /// As many fields as the header has; a delimiter at the end of each line is none.
    fn check_count(&self, values: &mut Vec<Option<&str>>) -> Result<(), Misfit> {
        let (expected, found) = (self.columns, values.len());
        if self.dialect.trailing_delimiter {
            let is_trailing = values.last().is_some_and(|last| last.is_none_or(str::is_empty));
            if found == expected + 1 && is_trailing {
                values.pop();
                return Ok(());
            }
            return Err((DecodeErrorKind::NoTrailingDelimiter { expected, found }, 0));
        }
        if found == expected { Ok(()) } else { Err((DecodeErrorKind::Ragged { expected, found }, 0)) }
    }
}

/// Takes the NUL out of what was appended, as the rule says.
fn clean_nul(rule: OnNul, mended: &mut String, from: usize) -> Result<(), DecodeErrorKind> {
    let Some(text) = mended.get(from..).filter(|text| text.contains('\0')) else { return Ok(()) };
    let with = match rule {
        OnNul::Reject => return Err(DecodeErrorKind::Nul),
        OnNul::Strip => "",
        OnNul::Replace => "\u{fffd}",
    };
    let cleaned = text.replace('\0', with);
    mended.truncate(from);
    mended.push_str(&cleaned);
    Ok(())
}

/// Bytes of a record as text that a column can hold.
fn checked(raw: &[u8]) -> Result<&str, DecodeError> {
    let text = std::str::from_utf8(raw)
        .map_err(|error| DecodeErrorKind::InvalidUtf8.at(raw, error.valid_up_to()))?;
    match memchr::memchr(0, raw) {
        Some(at) => Err(DecodeErrorKind::Nul.at(raw, at)),
        None => Ok(text),
    }
}

/// Where each field of the record begins, whatever is wrong with it.
fn for_each_start(dialect: &Dialect, raw: &[u8], mut each: impl FnMut(usize)) {
    let escape = dialect.escape.byte();
    let mut at = 0;
    loop {
        each(at);
        let quote = dialect.quote.filter(|quote| raw.get(at) == Some(quote));
        if let Some(quote) = quote {
            at += 1;
            // To behind the closing quote; a doubled one is part of the field.
            loop {
                let found = match escape {
                    Some(escape) => memchr::memchr2(quote, escape, &raw[at..]),
                    None => memchr::memchr(quote, &raw[at..]),
                };
                let Some(i) = found else { return };
                let is_escape = Some(raw[at + i]) == escape;
                at += i + 1;
                if is_escape || raw.get(at) == Some(&quote) {
                    at = (at + 1).min(raw.len());
                } else {
                    break;
                }
            }
        }
        // Fields are short: a plain loop beats setting up a search.
        let mut is_escaped = false;
        let next = raw[at..].iter().position(|&byte| {
            let ends = byte == dialect.delimiter && !is_escaped;
            is_escaped = !is_escaped && Some(byte) == escape;
            ends
        });
        match next {
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

    /// What another reader sees in one record; `None`: text behind a closing quote, which it takes.
    fn by_csv_crate(dialect: &Dialect, raw: &[u8]) -> Vec<String> {
        let mut builder = csv::ReaderBuilder::new();
        builder.has_headers(false).flexible(true).terminator(csv::Terminator::Any(b'\n'));
        match dialect.quote {
            Some(quote) => builder.quote(quote),
            None => builder.quoting(false),
        };
        let mut reader = builder.from_reader(raw);
        let record = reader.byte_records().next().and_then(Result::ok).unwrap_or_default();
        record.iter().map(|field| String::from_utf8_lossy(field).into_owned()).collect()
    }

    #[test]
    fn what_is_cut_is_what_the_csv_crate_reads() {
        let tokens: [&str; 10] = ["a", ",", "\"", "\"\"", ",\"", "\",", "\"\"\"", "\u{e9}", " ", "'"];
        let (cut, doubled) = (std::cell::Cell::new(0), std::cell::Cell::new(0));
        for_a_while(|dice| {
            let quote = (dice.below(4) > 0).then_some(b'"');
            let dialect = Dialect { quote, null_as: vec!["\u{1}".into()], ..Dialect::delimited_by(b',') };
            let raw: String = (0..1 + dice.below(12)).map(|_| dice.pick(&tokens)).collect();
            let mut decoder = Decoder {
                dialect: &dialect,
                columns: field_count(&dialect, raw.as_bytes()),
                limits: DecodeLimits::default(),
                room: Room::default(),
            };
            decoder.record(raw.as_bytes(), None, 0, &mut |_, fields| match fields {
                Ok(Fields::Positional(values)) => {
                    cut.set(cut.get() + 1);
                    let values: Vec<&str> = values.iter().map(|value| value.unwrap_or("~")).collect();
                    assert_eq!(values, by_csv_crate(&dialect, raw.as_bytes()), "{raw:?}");
                }
                Ok(Fields::Named(_) | Fields::Mended(_)) => unreachable!("positional"),
                Err(DecodeError { kind, offset, .. }) => {
                    let before = &raw.as_bytes()[..offset];
                    let is_behind = matches!(kind, DecodeErrorKind::TextBehindQuote { .. });
                    let is_behind = is_behind && before.ends_with(b"\"");
                    assert!(is_behind || kind == DecodeErrorKind::NotOneRecord, "{raw:?} {kind}");
                }
            });
            doubled.set(doubled.get() + usize::from(!decoder.room.altered.is_empty()));
        });
        assert!(cut.get() > 0 && doubled.get() > 0, "{cut:?} {doubled:?}");
    }
}
