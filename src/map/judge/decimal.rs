//! Numbers in decimal.

use super::loss::Loss;

/// Whether a number has a digit other than zero beyond so many decimals (where negative: so many digits
/// before the point). Of money there may be a `$` and commas between the digits.
pub(super) fn has_more_decimals(text: &str, scale: i32) -> bool {
    let bytes = text.as_bytes();
    if let Some(value) = of_base(text) {
        return scale < 0 && power_of_ten(scale.unsigned_abs()).is_none_or(|ten| value % ten != 0);
    }
    let (mantissa, exponent) = match bytes.iter().position(|b| matches!(b, b'e' | b'E')) {
        None => (bytes, 0),
        Some(at) => match text[at + 1..].trim_ascii_end().replace('_', "").parse::<i64>() {
            Ok(exponent) => (&bytes[..at], exponent),
            // No number.
            Err(_) => return false,
        },
    };
    let point = mantissa.iter().position(|b| *b == b'.').unwrap_or(mantissa.len());
    let digits = |part: &[u8]| part.iter().filter(|b| b.is_ascii_digit()).count();
    let Some(last) = mantissa.iter().rposition(|b| (b'1'..=b'9').contains(b)) else { return false };
    // The power of ten of the last digit that is not zero.
    let power = if last > point {
        -i64::try_from(digits(&mantissa[point..=last])).unwrap_or(i64::MAX)
    } else {
        i64::try_from(digits(&mantissa[last + 1..point])).unwrap_or(i64::MAX)
    };
    power.saturating_add(exponent) < -i64::from(scale)
}

/// Digits, perhaps with a point and an exponent, or of another base; of other shapes the server stores none.
pub(super) fn is_number(text: &str) -> bool {
    if of_base(text).is_some() {
        return true;
    }
    let text = text.trim_matches([' ', '\t', '\n', '\r', '\x0b', '\x0c']);
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (mantissa, exponent) = unsigned.split_once(['e', 'E']).unwrap_or((unsigned, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let is_digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit() || b == b'_');
    let exponent = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
    mantissa.len() > usize::from(mantissa.contains('.'))
        && is_digits(whole)
        && is_digits(fraction)
        && !exponent.is_empty()
        && is_digits(exponent)
}

/// Whether the double that is nearest to a number is written as that number again.
pub(super) fn reads_back(text: &str) -> bool {
    let Ok(value) = text.trim_ascii().parse::<f64>() else { return false };
    let (read, written) = (scientific(text.trim_ascii()), scientific(&format!("{value:e}")));
    value.is_finite() && read.is_some() && read == written
}

/// The digits of a number without zeros around them, and the power of ten of the first one.
fn scientific(text: &str) -> Option<(String, i64)> {
    let unsigned = text.trim_start_matches(['-', '+']);
    let (mantissa, exponent) = unsigned.split_once(['e', 'E']).unwrap_or((unsigned, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all = format!("{whole}{fraction}");
    let digits = all.trim_start_matches('0');
    let before = i64::try_from(all.len() - digits.len()).ok()?;
    let first = i64::try_from(whole.len()).ok()? - before - 1;
    let exponent = exponent.strip_prefix('+').unwrap_or(exponent).parse::<i64>().ok()?;
    Some((digits.trim_end_matches('0').to_owned(), first.checked_add(exponent)?))
}

/// `0x1F`, `0o17`, `0b11`.
fn of_base(text: &str) -> Option<u128> {
    let digits = text.trim_ascii().trim_start_matches(['-', '+']);
    let base = match digits.as_bytes() {
        [b'0', b'x' | b'X', ..] => 16,
        [b'0', b'o' | b'O', ..] => 8,
        [b'0', b'b' | b'B', ..] => 2,
        _ => return None,
    };
    // What is too long for us is no round number, as far as we know.
    Some(u128::from_str_radix(&digits[2..].replace('_', ""), base).unwrap_or(1))
}

fn power_of_ten(n: u32) -> Option<u128> {
    10_u128.checked_pow(n)
}

/// Whether a comma stands elsewhere than before three digits of the whole part.
pub(super) fn has_odd_commas(text: &str) -> bool {
    let digits = text.trim_matches(|c: char| !c.is_ascii_digit() && c != ',' && c != '.');
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let mut groups = whole.split(',');
    let first = groups.next().unwrap_or_default();
    fraction.contains(',')
        || whole.contains(',')
            && (first.is_empty() || first.len() > 3 || groups.any(|group| group.len() != 3))
}

/// What a sample would have taken for a text: a leading zero, a plus sign.
pub(super) fn written(text: &str) -> Option<Loss> {
    let text = text.trim_ascii();
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    match digits.as_bytes() {
        [b'0', b'0'..=b'9' | b'_' | b'x' | b'X' | b'o' | b'O' | b'b' | b'B', ..] => Some(Loss::LeadingZero),
        [b'0'..=b'9' | b'.', ..] if text.starts_with('+') => Some(Loss::Plus),
        [b'0'..=b'9', rest @ ..] if rest.contains(&b'_') => Some(Loss::Underscore),
        _ => None,
    }
}

/// And, among integers, an exponent.
pub(super) fn exponent(text: &str) -> Option<Loss> {
    let is_number = text.bytes().any(|b| b.is_ascii_digit());
    (is_number && text.bytes().any(|b| matches!(b, b'e' | b'E'))).then_some(Loss::Exponent)
}
