//! Values as the text format of COPY has them, from the server's own text of them.

use super::zero_dates::{ZeroDates, is_zero_date};
use crate::row_text::{NULL, push_escaped, push_hex};

/// How the values of a column are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MysqlForm {
    /// As they came.
    Text,
    /// As bytes.
    Bytes,
    /// Digits: what a column shows them filled up with is no part of them.
    Number,
    /// A float of four bytes, which comes with the digits of one of eight.
    Float,
    Double,
    /// So many bits, which come as bytes.
    Bits(usize),
    /// A date, or a date and a time of no zone.
    Date,
    /// A date and a time in UTC.
    Instant,
}

/// Appends a value.
pub(super) fn push(out: &mut Vec<u8>, value: Option<&[u8]>, form: MysqlForm, zero: ZeroDates) {
    let Some(bytes) = value else { return out.extend_from_slice(NULL) };
    match form {
        MysqlForm::Text => push_escaped(out, bytes),
        MysqlForm::Bytes => push_hex(out, bytes),
        MysqlForm::Number => push_escaped(out, without_zeros(bytes)),
        #[expect(clippy::cast_possible_truncation, reason = "it was one of four bytes before it came")]
        MysqlForm::Float => match parsed(bytes) {
            Some(number) => out.extend_from_slice(format!("{:?}", number as f32).as_bytes()),
            None => push_escaped(out, bytes),
        },
        MysqlForm::Double => match parsed(bytes) {
            Some(number) => out.extend_from_slice(format!("{number:?}").as_bytes()),
            None => push_escaped(out, bytes),
        },
        MysqlForm::Bits(width) => push_bits(out, bytes, width),
        MysqlForm::Date | MysqlForm::Instant if zero == ZeroDates::Null && is_zero_date(bytes) => {
            out.extend_from_slice(NULL);
        }
        MysqlForm::Date => push_escaped(out, bytes),
        MysqlForm::Instant => {
            push_escaped(out, bytes);
            out.extend_from_slice(b"+00");
        }
    }
}

fn parsed(bytes: &[u8]) -> Option<f64> {
    std::str::from_utf8(bytes).ok()?.parse().ok()
}

/// A number without the zeros before its digits: a column that is filled up has no negative ones.
fn without_zeros(digits: &[u8]) -> &[u8] {
    let is_filled = |at: usize| digits[at] == b'0' && digits.get(at + 1).is_some_and(u8::is_ascii_digit);
    let zeros = (0..digits.len()).take_while(|at| is_filled(*at)).count();
    &digits[zeros..]
}

/// The last bits of these bytes.
fn push_bits(out: &mut Vec<u8>, bytes: &[u8], width: usize) {
    let width = width.min(8 * bytes.len());
    let bit = |place: usize| {
        let place = 8 * bytes.len() - width + place;
        b'0' + (bytes[place / 8] >> (7 - place % 8) & 1)
    };
    out.extend((0..width).map(bit));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_value_is_written_with_all_that_it_is() {
        use MysqlForm::{Bits, Bytes, Date, Double, Float, Instant, Number, Text};
        let cases: [(&[u8], MysqlForm, &str); 24] = [
            (b"a\tb\\N\n", Text, "a\\tb\\\\N\\n"),
            (b"", Text, ""),
            (&[0, 255], Bytes, "\\\\x00ff"),
            (b"00042", Number, "42"),
            (b"000", Number, "0"),
            (b"0000.50", Number, "0.50"),
            (b"0.50", Number, "0.50"),
            (b"-0.5", Number, "-0.5"),
            (b"18446744073709551615", Number, "18446744073709551615"),
            (b"0.10000000149011612", Float, "0.1"),
            (b"3.4028234663852886e38", Float, "3.4028235e38"),
            (b"0.1", Double, "0.1"),
            (b"1e300", Double, "1e300"),
            (b"nonsense", Double, "nonsense"),
            (&[0b101], Bits(3), "101"),
            (&[1], Bits(1), "1"),
            (&[1, 0], Bits(9), "100000000"),
            (&[5], Bits(usize::MAX), "00000101"),
            (&[], Bits(3), ""),
            (b"2024-02-29", Date, "2024-02-29"),
            (b"0000-00-00", Date, "0000-00-00"),
            (b"2024-02-29 01:02:03.5", Instant, "2024-02-29 01:02:03.5+00"),
            (b"0000-00-00 00:00:00", Instant, "0000-00-00 00:00:00+00"),
            (b"-838:59:59", Text, "-838:59:59"),
        ];
        for (value, form, text) in cases {
            let mut out = Vec::new();
            push(&mut out, Some(value), form, ZeroDates::Reject);
            assert_eq!(String::from_utf8(out).unwrap(), text, "{value:?} {form:?}");
        }
        for (value, text) in [("0000-00-00", "\\N"), ("2024-00-01", "\\N"), ("2024-01-01", "2024-01-01")] {
            let mut out = Vec::new();
            push(&mut out, Some(value.as_bytes()), Date, ZeroDates::Null);
            assert_eq!(String::from_utf8(out).unwrap(), text);
        }
        let mut out = Vec::new();
        push(&mut out, None, Bytes, ZeroDates::Reject);
        assert_eq!(out, b"\\N");
    }
}
