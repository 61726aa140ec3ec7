//! COPY's text format, and the canonical forms of integers and UUIDs.
//!
//! A value is copied once, from the input to the COPY buffer. Numbers stay the digits that they were.

/// NULL in COPY's text format.
pub(super) const NULL: &[u8] = b"\\N";

/// Whether a value is its own COPY text.
pub(super) fn is_verbatim(text: &[u8]) -> bool {
    // Without a way out: so the compiler looks at many bytes at once.
    !text.iter().fold(false, |found, byte| found | matches!(byte, b'\\' | b'\n' | b'\r' | b'\t'))
}

/// Whether a block's records are each their own COPY text, but for line feeds in them.
pub(super) fn is_verbatim_but_for_line_feeds(block: &[u8]) -> bool {
    memchr::memchr3(b'\\', b'\t', b'\r', block).is_none()
}

/// Bytes of a text that is searched for what needs an escape.
const PIECE: usize = 16;

/// Appends a value as COPY text. The caller has made sure that it holds no NUL.
pub(super) fn push_escaped(out: &mut Vec<u8>, text: &[u8]) {
    if is_verbatim(text) {
        return out.extend_from_slice(text);
    }
    // What stands between two bytes to escape is copied at once, and passed over in pieces that the compiler
    // looks at at once.
    let (mut from, mut at) = (0, 0);
    for piece in text.chunks(PIECE) {
        if !is_verbatim(piece) {
            for (i, &byte) in (at..).zip(piece) {
                let escape = match byte {
                    b'\\' => b'\\',
                    b'\n' => b'n',
                    b'\r' => b'r',
                    b'\t' => b't',
                    _ => continue,
                };
                out.extend_from_slice(&text[from..i]);
                out.extend_from_slice(&[b'\\', escape]);
                from = i + 1;
            }
        }
        at += piece.len();
    }
    out.extend_from_slice(&text[from..]);
}

/// Appends an unsigned number in decimal.
pub(super) fn push_number(out: &mut Vec<u8>, n: u64) {
    out.extend_from_slice(itoa::Buffer::new().format(n).as_bytes());
}

/// Digits that an integral number may have before we stop expanding its exponent: no integer type holds more.
const INTEGER_DIGITS_MAX: usize = 64;

/// The usual case: nothing but digits, no leading zero.
pub(super) fn is_canonical_integer(text: &str) -> bool {
    match text.as_bytes() {
        [b'1'..=b'9', rest @ ..] | [b'-', b'1'..=b'9', rest @ ..] => rest.iter().all(u8::is_ascii_digit),
        digits => digits == b"0",
    }
}

/// Appends the canonical digits of an integral number (`1.0`, `007`, `+5`, ` 12 `, `1e3`), or nothing and
/// `false` if it is none.
pub(super) fn push_integer(out: &mut Vec<u8>, text: &str) -> bool {
    if is_canonical_integer(text) {
        out.extend_from_slice(text.as_bytes());
        return true;
    }
    let text = text.trim_matches([' ', '\t', '\n', '\r', '\x0b', '\x0c']);
    let (negative, unsigned) = match text.as_bytes() {
        [b'-', ..] => (true, &text[1..]),
        [b'+', ..] => (false, &text[1..]),
        _ => (false, text),
    };
    let (mantissa, exponent) = match unsigned.find(['e', 'E']) {
        None => (unsigned, 0),
        Some(e) => match unsigned[e + 1..].parse::<i32>() {
            Ok(exponent) => (&unsigned[..e], exponent),
            Err(_) => return false,
        },
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all_digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() && fraction.is_empty() || !all_digits(whole) || !all_digits(fraction) {
        return false;
    }
    let Some(digits) = shifted(whole, fraction, exponent) else { return false };
    let digits = digits.trim_start_matches('0');
    if digits.is_empty() {
        out.push(b'0');
        return true;
    }
    if negative {
        out.push(b'-');
    }
    out.extend_from_slice(digits.as_bytes());
    true
}

/// The digits of `whole.fraction * 10^exponent`, if that is integral and of bearable length.
fn shifted(whole: &str, fraction: &str, exponent: i32) -> Option<String> {
    let fraction = fraction.trim_end_matches('0');
    let mut digits = format!("{whole}{fraction}");
    let shift = i64::from(exponent) - i64::try_from(fraction.len()).ok()?;
    if let Ok(zeros) = usize::try_from(shift) {
        if zeros > INTEGER_DIGITS_MAX {
            return digits.bytes().all(|b| b == b'0').then(String::new);
        }
        digits.extend(std::iter::repeat_n('0', zeros));
        return Some(digits);
    }
    let drop = usize::try_from(-shift).ok()?;
    if drop >= digits.len() {
        return digits.bytes().all(|b| b == b'0').then(String::new);
    }
    let cut = digits.len() - drop;
    let tail_is_zero = digits.as_bytes()[cut..].iter().all(|&b| b == b'0');
    digits.truncate(cut);
    tail_is_zero.then_some(digits)
}

/// Appends the canonical text of a UUID in any of the forms that PostgreSQL reads, or nothing and `false` if
/// it is none.
pub(super) fn push_uuid(out: &mut Vec<u8>, text: &str) -> bool {
    let inner = match text.as_bytes() {
        [b'{', .., b'}'] => &text[1..text.len() - 1],
        _ => text,
    };
    let mut hex = [0u8; 32];
    let mut n = 0;
    let mut hyphen_allowed = false;
    for byte in inner.bytes() {
        match byte {
            // PostgreSQL takes a hyphen behind any group of four digits.
            b'-' if hyphen_allowed => hyphen_allowed = false,
            _ if byte.is_ascii_hexdigit() && n < 32 => {
                hex[n] = byte.to_ascii_lowercase();
                n += 1;
                hyphen_allowed = n % 4 == 0 && n < 32;
            }
            _ => return false,
        }
    }
    if n != 32 || inner.ends_with('-') {
        return false;
    }
    for (i, part) in [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].iter().enumerate() {
        if i > 0 {
            out.push(b'-');
        }
        out.extend_from_slice(part);
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn integer(text: &str) -> Option<String> {
        let mut out = Vec::new();
        push_integer(&mut out, text).then(|| String::from_utf8(out).unwrap())
    }

    #[test]
    fn integral_numbers_have_one_canonical_form() {
        for (text, canonical) in [
            ("1", Some("1")),
            ("0", Some("0")),
            ("-0", Some("0")),
            ("007", Some("7")),
            ("+5", Some("5")),
            (" 12 ", Some("12")),
            ("1.0", Some("1")),
            ("1.", Some("1")),
            (".0", Some("0")),
            ("-3.000", Some("-3")),
            ("1e3", Some("1000")),
            ("1.5e1", Some("15")),
            ("1500e-2", Some("15")),
            ("1e-1", None),
            ("1.5", None),
            ("0e999999", Some("0")),
            ("1e999999", None),
            ("9223372036854775808", Some("9223372036854775808")),
            ("", None),
            ("-", None),
            (".", None),
            ("1 2", None),
            ("0x1F", None),
            ("1_000", None),
            ("NaN", None),
        ] {
            assert_eq!(integer(text).as_deref(), canonical, "{text:?}");
        }
    }

    #[test]
    fn uuids_have_one_canonical_form() {
        let canonical = "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11";
        for text in [
            "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11",
            "{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}",
            "a0eebc999c0b4ef8bb6d6bb9bd380a11",
            "a0ee-bc99-9c0b-4ef8-bb6d-6bb9-bd38-0a11",
        ] {
            let mut out = Vec::new();
            assert!(push_uuid(&mut out, text), "{text}");
            assert_eq!(out, canonical.as_bytes(), "{text}");
        }
        for text in
            ["", "a0eebc99", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a1g", "a-0eebc999c0b4ef8bb6d6bb9bd380a11"]
        {
            assert!(!push_uuid(&mut Vec::new(), text), "{text}");
        }
    }

    #[test]
    fn what_copy_would_misread_is_escaped() {
        let mut out = Vec::new();
        push_escaped(&mut out, b"a\tb\\.\r\nc");
        assert_eq!(out, b"a\\tb\\\\.\\r\\nc");
    }
}
