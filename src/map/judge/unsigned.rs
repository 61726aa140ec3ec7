//! Numbers that have no sign, of types that look at theirs but loosely.

use super::loss::Loss;

/// Of so many bits.
pub(super) fn loss(text: &str, bits: u8) -> Option<Loss> {
    let text = text.trim_ascii();
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let is_negative =
        text.starts_with('-') && digits.bytes().any(|b| matches!(b, b'1'..=b'9' | b'a'..=b'f' | b'A'..=b'F'));
    let value = match digits.as_bytes() {
        [b'0', b'0'..=b'9', ..] => return Some(Loss::Octal),
        [b'0', b'x' | b'X', ..] => u64::from_str_radix(&digits[2..], 16),
        _ => digits.parse(),
    };
    match value {
        Ok(_) if is_negative => Some(Loss::Sign),
        Ok(value) if bits >= 64 || value >> bits == 0 => None,
        _ => Some(Loss::NoUnsigned),
    }
}
