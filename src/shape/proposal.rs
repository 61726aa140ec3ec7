//! Which format a value that the server has refused seems to be written in: for a hint.

use super::parse::ParseFormat;

/// Digits of seconds, and of milliseconds, in our times.
const SECONDS_DIGITS: usize = 10;
const MILLISECONDS_DIGITS: usize = 13;

/// The format of a value that a column of this type refuses, if it has the look of one.
#[must_use]
pub fn proposal(type_name: &str, value: &str) -> Option<String> {
    let value = value.trim();
    let is_digits = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
    let base = type_name.split(['(', ' ']).next().unwrap_or_default();
    match base {
        "numeric" | "integer" | "bigint" | "smallint" | "real" | "double" => number(value),
        "timestamp" | "date" if is_digits && value.len() == SECONDS_DIGITS => Some("epoch".to_owned()),
        "timestamp" | "date" if is_digits && value.len() == MILLISECONDS_DIGITS => {
            Some("epoch_ms".to_owned())
        }
        "timestamp" | "date" => dotted_date(value),
        _ => None,
    }
}

fn number(value: &str) -> Option<String> {
    /// Letters of a currency: `EUR`.
    const LETTERS_MAX: usize = 3;
    let letters = value.chars().filter(|c| c.is_alphabetic()).count();
    let is_other =
        |c: char| c.is_ascii_punctuation() && !matches!(c, '.' | ',' | '\'' | '_' | '-' | '+' | '%' | '$');
    if value.contains(is_other) {
        return None;
    }
    if !value.contains(|c: char| c.is_ascii_digit()) || letters > LETTERS_MAX {
        return None;
    }
    let format = format!("number:{value}");
    if ParseFormat::of(&format).is_ok() {
        return Some(format);
    }
    // One mark that may be either: the example must have both.
    let (whole, behind) = value.split_once([',', '.'])?;
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    (digits(whole) && digits(behind) && value.contains(','))
        .then(|| "number:1,234.56 (or number:1.234,56, if that comma is a decimal one)".to_owned())
}

/// A date with points has the day first; what stands behind it is a time.
fn dotted_date(value: &str) -> Option<String> {
    let times = ["", " %H:%M:%S", " %H:%M"];
    let formats = times.map(|time| format!("date:%d.%m.%Y{time}"));
    formats.into_iter().find(|format| ParseFormat::of(format).is_ok_and(|format| format.reads(value)))
}
