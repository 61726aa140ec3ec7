//! Values as the text format of COPY has them, and back as the values of a key.

use std::fmt::Write as _;

use rusqlite::types::{Value, ValueRef};

use crate::row_text::{NULL, push_escaped, push_hex};

/// What the values of a column are written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WrittenAs {
    /// As their text. A blob is the text that its bytes are, as SQLite's own CAST has it: one that is no text
    /// is refused where text is read.
    AsText,
    /// As bytes: a text is its bytes.
    AsBytes,
}

/// Appends a value, escaped.
pub(super) fn push(out: &mut Vec<u8>, value: ValueRef<'_>, written: WrittenAs) {
    match (value, written) {
        (ValueRef::Null, _) => out.extend_from_slice(NULL),
        (ValueRef::Blob(bytes) | ValueRef::Text(bytes), WrittenAs::AsBytes) => push_hex(out, bytes),
        (number, WrittenAs::AsBytes) => push_hex(out, number_text(number).as_bytes()),
        (ValueRef::Blob(bytes) | ValueRef::Text(bytes), WrittenAs::AsText) => push_escaped(out, bytes),
        (number, WrittenAs::AsText) => out.extend_from_slice(number_text(number).as_bytes()),
    }
}

/// Every digit of it: a real is the shortest text that reads back as it.
fn number_text(number: ValueRef<'_>) -> String {
    match number {
        ValueRef::Integer(integer) => integer.to_string(),
        ValueRef::Real(real) if real.is_infinite() => {
            if real > 0.0 {
                "Infinity".to_owned()
            } else {
                "-Infinity".to_owned()
            }
        }
        ValueRef::Real(real) => format!("{real:?}"),
        ValueRef::Null | ValueRef::Text(_) | ValueRef::Blob(_) => String::new(),
    }
}

/// Of which class all values of a column of a key are: only so does a text of one say which value it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum KeyClass {
    Number,
    Text,
    Blob,
}

/// The value that was written as this text, in a column of one class.
pub(super) fn read(text: &str, class: KeyClass, written: WrittenAs) -> Option<Value> {
    let bytes = match written {
        WrittenAs::AsText => text.as_bytes().to_vec(),
        WrittenAs::AsBytes => of_hex(text.strip_prefix("\\x")?)?,
    };
    Some(match class {
        KeyClass::Blob => Value::Blob(bytes),
        KeyClass::Text => Value::Text(String::from_utf8(bytes).ok()?),
        KeyClass::Number => {
            let text = String::from_utf8(bytes).ok()?;
            match text.parse() {
                Ok(integer) => Value::Integer(integer),
                Err(_) => Value::Real(text.parse().ok()?),
            }
        }
    })
}

fn of_hex(digits: &str) -> Option<Vec<u8>> {
    let pair = |at: usize| u8::from_str_radix(digits.get(at..at + 2)?, 16).ok();
    (0..digits.len()).step_by(2).map(pair).collect()
}

/// A name as SQL has it.
pub(super) fn quoted(name: &str) -> String {
    let mut text = String::with_capacity(name.len() + 2);
    let _ = write!(text, "\"{}\"", name.replace('"', "\"\""));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(value: ValueRef<'_>, as_what: WrittenAs) -> String {
        let mut out = Vec::new();
        push(&mut out, value, as_what);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn each_value_is_written_with_all_that_it_is() {
        use WrittenAs::{AsBytes, AsText};
        for (value, as_what, text) in [
            (ValueRef::Null, AsText, "\\N"),
            (ValueRef::Null, AsBytes, "\\N"),
            (ValueRef::Integer(i64::MIN), AsText, "-9223372036854775808"),
            (ValueRef::Real(0.1), AsText, "0.1"),
            (ValueRef::Real(3.0), AsText, "3.0"),
            (ValueRef::Real(1e300), AsText, "1e300"),
            (ValueRef::Real(5e-324), AsText, "5e-324"),
            (ValueRef::Real(f64::INFINITY), AsText, "Infinity"),
            (ValueRef::Real(f64::NEG_INFINITY), AsText, "-Infinity"),
            (ValueRef::Text(b"a\tb\\N\r\n"), AsText, "a\\tb\\\\N\\r\\n"),
            (ValueRef::Text(b""), AsText, ""),
            (ValueRef::Text(b"a"), AsBytes, "\\\\x61"),
            (ValueRef::Blob(&[0, 255]), AsBytes, "\\\\x00ff"),
            (ValueRef::Blob(b"text"), AsText, "text"),
            (ValueRef::Integer(12), AsBytes, "\\\\x3132"),
        ] {
            assert_eq!(written(value, as_what), text, "{value:?}");
        }
    }

    #[test]
    fn a_value_of_a_key_is_read_back_from_its_text() {
        use KeyClass::{Blob, Number, Text};
        use WrittenAs::{AsBytes, AsText};
        for (text, class, as_what, value) in [
            ("-5", Number, AsText, Some(Value::Integer(-5))),
            ("0.1", Number, AsText, Some(Value::Real(0.1))),
            ("5", Text, AsText, Some(Value::Text("5".to_owned()))),
            ("\\x00ff", Blob, AsBytes, Some(Value::Blob(vec![0, 255]))),
            ("\\x61", Text, AsBytes, Some(Value::Text("a".to_owned()))),
            ("\\x6", Blob, AsBytes, None),
            ("x", Number, AsText, None),
        ] {
            assert_eq!(read(text, class, as_what), value, "{text}");
        }
    }
}
