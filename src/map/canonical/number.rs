//! Numbers, as `numeric` reads them in any release: decimals with an exponent, underscores, other bases.

use crate::map::copy_text::is_canonical_integer;

use super::outcome::{Canonical, push};

/// An integer of so many digits is an `i64`.
const INTEGER_DIGITS_MAX: i64 = 18;
/// Numbers of more digits before the point share a text: a binary one would take long to be written in
/// decimal.
const DIGITS_MAX: i64 = 300;
/// Digits of another base that make a greater number than that, whatever the base.
const BASED_DIGITS_MAX: usize = 1_000;

/// A number whose digits stand at the end of a text.
struct Decimal {
    /// Where they begin.
    start: usize,
    /// The power of ten of the last of them.
    power: i64,
    is_negative: bool,
}

/// `scale`: the server rounds to so many decimals.
pub(super) fn read(out: &mut Vec<u8>, text: &str, scale: Option<i32>) -> Canonical {
    let is_short = i64::try_from(text.len()).is_ok_and(|len| len <= INTEGER_DIGITS_MAX);
    if is_short
        && scale.is_none_or(|scale| scale >= 0)
        && is_canonical_integer(text)
        && let Ok(n) = text.parse()
    {
        return Canonical::Number(n);
    }
    let start = out.len();
    let Some(mut number) = digits(out, text) else {
        out.truncate(start);
        return word(out, text);
    };
    trim_zeros(out, &mut number);
    if let Some(scale) = scale {
        round(out, &mut number, i64::from(scale));
        trim_zeros(out, &mut number);
    }
    written(out, &number)
}

/// No digits: NaN, infinity, or what is no number in any release.
fn word(out: &mut Vec<u8>, text: &str) -> Canonical {
    let text = trimmed(text);
    let unsigned = text.trim_start_matches(['-', '+']);
    match unsigned.to_ascii_lowercase().as_str() {
        "nan" => push(out, b"nan"),
        "inf" | "infinity" if text.starts_with('-') => push(out, b"-inf"),
        "inf" | "infinity" => push(out, b"inf"),
        _ => push(out, text.as_bytes()),
    }
}

fn trimmed(text: &str) -> &str {
    text.trim_matches([' ', '\t', '\n', '\r', '\x0b', '\x0c'])
}

/// Appends the digits of a number, without zeros before them. `None`: it is none.
fn digits(out: &mut Vec<u8>, text: &str) -> Option<Decimal> {
    let text = trimmed(text);
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (start, is_negative) = (out.len(), text.starts_with('-'));
    let base = match unsigned.as_bytes() {
        [b'0', b'x' | b'X', ..] => 16,
        [b'0', b'o' | b'O', ..] => 8,
        [b'0', b'b' | b'B', ..] => 2,
        _ => 10,
    };
    if base != 10 {
        push_based(out, &unsigned[2..], base)?;
        return Some(Decimal { start, power: 0, is_negative });
    }
    let (mantissa, exponent) = match unsigned.bytes().position(|b| matches!(b, b'e' | b'E')) {
        None => (unsigned, 0),
        // The server refuses greater ones.
        Some(at) => (&unsigned[..at], unsigned[at + 1..].replace('_', "").parse::<i32>().ok()?),
    };
    let (mut decimals, mut is_behind_point, mut has_digits) = (0_i64, false, false);
    for byte in mantissa.bytes() {
        match byte {
            b'0'..=b'9' => {
                has_digits = true;
                decimals += i64::from(is_behind_point);
                if byte != b'0' || out.len() > start {
                    out.push(byte);
                }
            }
            b'.' if !is_behind_point => is_behind_point = true,
            b'_' => {}
            _ => return None,
        }
    }
    let power = i64::from(exponent) - decimals;
    has_digits.then_some(Decimal { start, power, is_negative })
}

/// Appends the decimal digits of an integer of another base.
fn push_based(out: &mut Vec<u8>, text: &str, base: u32) -> Option<()> {
    let digits: Option<Vec<u32>> = text.chars().filter(|c| *c != '_').map(|c| c.to_digit(base)).collect();
    let digits = digits.filter(|digits| !digits.is_empty())?;
    let digits = &digits[digits.iter().position(|digit| *digit != 0).unwrap_or(digits.len())..];
    if digits.len() > BASED_DIGITS_MAX {
        // Any number of more digits than are told apart.
        out.extend(std::iter::repeat_n(b'1', BASED_DIGITS_MAX));
        return Some(());
    }
    // The last digit first.
    let mut decimal: Vec<u32> = Vec::new();
    for digit in digits {
        let mut carry = *digit;
        for place in &mut decimal {
            carry += *place * base;
            *place = carry % 10;
            carry /= 10;
        }
        while carry > 0 {
            decimal.push(carry % 10);
            carry /= 10;
        }
    }
    out.extend(decimal.iter().rev().filter_map(|digit| u8::try_from(*digit).ok()).map(|digit| b'0' + digit));
    Some(())
}

fn trim_zeros(out: &mut Vec<u8>, number: &mut Decimal) {
    while out.len() > number.start && out.last() == Some(&b'0') {
        out.pop();
        number.power += 1;
    }
}

/// As the server does: a half away from zero.
fn round(out: &mut Vec<u8>, number: &mut Decimal, scale: i64) {
    let beyond = -scale - number.power;
    if beyond <= 0 {
        return;
    }
    let digits = i64::try_from(out.len() - number.start).unwrap_or(i64::MAX);
    number.power = -scale;
    if beyond > digits {
        out.truncate(number.start);
        return;
    }
    let cut = number.start + usize::try_from(digits - beyond).unwrap_or(0);
    let rounds_up = out.get(cut).is_some_and(|digit| *digit >= b'5');
    out.truncate(cut);
    if !rounds_up {
        return;
    }
    // Nines become a ten before them.
    while out.len() > number.start && out.last() == Some(&b'9') {
        out.pop();
        number.power += 1;
    }
    if out.len() > number.start {
        let last = out.len() - 1;
        out[last] += 1;
    } else {
        out.push(b'1');
    }
}

/// The digits that were appended become the canonical text, or a number.
fn written(out: &mut Vec<u8>, number: &Decimal) -> Canonical {
    let Decimal { start, power, is_negative } = *number;
    let digits = &out[start..];
    if digits.is_empty() {
        return Canonical::Number(0);
    }
    let whole = i64::try_from(digits.len()).unwrap_or(i64::MAX).saturating_add(power);
    if whole > DIGITS_MAX {
        out.truncate(start);
        return push(out, if is_negative { b"-great" } else { b"great" });
    }
    if power >= 0 && whole <= INTEGER_DIGITS_MAX {
        let value = digits.iter().fold(0, |n: i64, digit| n * 10 + i64::from(digit - b'0'));
        let value = (0..power).fold(value, |n, _| n * 10);
        out.truncate(start);
        return Canonical::Number(if is_negative { -value } else { value });
    }
    out.push(b'e');
    out.extend_from_slice(itoa::Buffer::new().format(power).as_bytes());
    push(out, if is_negative { b"-" } else { b"" })
}
