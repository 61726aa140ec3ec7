//! Fields in which a character escapes the next one: by `--escape`, or as in the text format of COPY.
//!
//! By `--escape`, what is escaped is a quote, a delimiter, a line end or the escape itself; before any other
//! character the escape is data, as with COPY's ESCAPE. In COPY's text each backslash says something.

use std::ops::Range;

use super::DecodeErrorKind;
use super::field::{Misfit, Quoting, behind_quote, stray_line_end};
use crate::format::{Dialect, Escape};

/// The places of a record's fields in it, without their quotes, where a character escapes the next one.
pub(super) fn escaped_fields(
    dialect: &Dialect,
    escape: u8,
    raw: &[u8],
    mut each: impl FnMut(Range<usize>, Quoting),
) -> Result<(), Misfit> {
    let mut at = 0;
    loop {
        let quote = dialect.quote.filter(|quote| raw.get(at) == Some(quote));
        let from = at + usize::from(quote.is_some());
        let (mut i, mut is_special) = (from, false);
        let close = loop {
            let Some(&byte) = raw.get(i) else { break None };
            if byte == escape {
                if i + 1 == raw.len() {
                    return Err((DecodeErrorKind::DanglingEscape, i));
                }
                is_special = true;
                i += 2;
            } else if quote == Some(byte) {
                if raw.get(i + 1) != Some(&byte) {
                    break Some(i);
                }
                is_special = true;
                i += 2;
            } else if quote.is_none() && byte == dialect.delimiter {
                break Some(i);
            } else if quote.is_none() && matches!(byte, b'\n' | b'\r') {
                return Err((stray_line_end(byte), i));
            } else {
                i += 1;
            }
        };
        let end = match (close, quote) {
            (None, Some(_)) => return Err((DecodeErrorKind::NotOneRecord, at)),
            (close, None) => close.unwrap_or(raw.len()),
            (Some(close), Some(_)) if close + 1 == raw.len() || raw[close + 1] == dialect.delimiter => {
                close + 1
            }
            (Some(close), Some(_)) => return Err(behind_quote(raw, close + 1)),
        };
        let to = close.unwrap_or(raw.len());
        each(
            from..to,
            match (is_special, quote.is_some()) {
                (false, false) => Quoting::None,
                (false, true) => Quoting::Quoted,
                (true, false) => Quoting::Escaped,
                (true, true) => Quoting::QuotedEscaped,
            },
        );
        if end == raw.len() {
            return Ok(());
        }
        at = end + 1;
    }
}

/// Appends what a field with escapes says.
///
/// # Errors
/// When it is no text.
pub(super) fn push_unescaped(
    dialect: &Dialect,
    out: &mut String,
    field: &str,
    quoting: Quoting,
) -> Result<(), DecodeErrorKind> {
    match dialect.escape {
        Escape::None => out.push_str(field),
        Escape::Before(escape) => push_characters(dialect, escape, out, field, quoting),
        Escape::Copy => {
            let bytes = copy_bytes(field.as_bytes());
            let text = std::str::from_utf8(&bytes).map_err(|_| DecodeErrorKind::InvalidUtf8)?;
            out.push_str(text);
        }
    }
    Ok(())
}

fn push_characters(dialect: &Dialect, escape: u8, out: &mut String, field: &str, quoting: Quoting) {
    let bytes = field.as_bytes();
    let is_mark = |byte: u8| {
        byte == escape
            || Some(byte) == dialect.quote
            || byte == dialect.delimiter
            || matches!(byte, b'\n' | b'\r')
    };
    let (mut from, mut i) = (0, 0);
    while i + 1 < bytes.len() {
        let is_escape = bytes[i] == escape && is_mark(bytes[i + 1]);
        let is_doubled = quoting.has_quotes() && Some(bytes[i]) == dialect.quote;
        if is_escape || is_doubled {
            // Both are ASCII characters: no other is cut.
            out.push_str(field.get(from..i).unwrap_or_default());
            from = i + 1;
            i += 2;
        } else {
            i += 1 + usize::from(bytes[i] == escape);
        }
    }
    out.push_str(field.get(from..).unwrap_or_default());
}

/// What COPY reads: `\b \f \n \r \t \v`, up to three octal digits, `\x` and up to two hexadecimal ones; any
/// other character behind a backslash stands for itself.
fn copy_bytes(field: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some(at) = memchr::memchr(b'\\', rest) {
        out.extend_from_slice(&rest[..at]);
        let escaped = &rest[at + 1..];
        let (byte, used) = match escaped.first() {
            None => (b'\\', 0),
            Some(b'b') => (0x08, 1),
            Some(b'f') => (0x0c, 1),
            Some(b'n') => (b'\n', 1),
            Some(b'r') => (b'\r', 1),
            Some(b't') => (b'\t', 1),
            Some(b'v') => (0x0b, 1),
            Some(b'0'..=b'7') => number(escaped, 8, 3),
            Some(b'x') if escaped.get(1).is_some_and(u8::is_ascii_hexdigit) => {
                let (byte, used) = number(&escaped[1..], 16, 2);
                (byte, used + 1)
            }
            Some(other) => (*other, 1),
        };
        out.push(byte);
        rest = &escaped[used..];
    }
    out.extend_from_slice(rest);
    out
}

/// The byte that so many digits at most make, and how many there are.
fn number(digits: &[u8], base: u32, most: usize) -> (u8, usize) {
    let digits = digits.iter().take(most).map_while(|&digit| char::from(digit).to_digit(base));
    let (value, used) = digits.fold((0, 0), |(value, used), digit| (value * base + digit, used + 1));
    // COPY keeps the low eight bits.
    (value.to_le_bytes()[0], used)
}
