//! The judge, by type.

use crate::map::infer::is_changed_by_a_double;
use crate::schema::Narrows;

use super::clocks::Clocks;
use super::loss::Loss;
use super::{decimal, keys, moment, pieces, span};

/// What a text would lose in such a column.
pub(in crate::map) fn loss(narrows: &Narrows, clocks: Clocks, text: &str) -> Option<Loss> {
    match narrows {
        Narrows::Scale(scale) => decimal::has_more_decimals(text, *scale).then_some(Loss::Decimals),
        Narrows::Date => moment::date(text, clocks),
        Narrows::Timestamp(clock) => moment::timestamp(text, *clock, clocks),
        Narrows::Time(clock) => moment::time(text, *clock, clocks),
        Narrows::Interval { least, digits } => span::interval(text, *least, *digits),
        // As many bytes hold no more characters.
        Narrows::Length(length) => {
            (text.len() > *length && has_only_spaces_behind(text, *length)).then_some(Loss::Spaces)
        }
        Narrows::Char => (text.len() > 1 && !is_escaped_byte(text)).then_some(Loss::Bytes),
        Narrows::Name => (text.len() > NAME_BYTES_MAX).then_some(Loss::Bytes),
        Narrows::Unsigned => unsigned(text),
        Narrows::Keys => keys::has_doubled(text).then_some(Loss::DoubledKey),
        Narrows::WrittenInteger => decimal::written(text).or_else(|| decimal::exponent(text)),
        Narrows::WrittenNumber => decimal::written(text),
        Narrows::WrittenDouble => {
            decimal::written(text).or_else(|| is_changed_by_a_double(text).then_some(Loss::Digits))
        }
        Narrows::Array(element, delimiter) => {
            pieces::array(text, *delimiter, |text| loss(element, clocks, text))
        }
        Narrows::Range(bound) => pieces::range(text, |text| loss(bound, clocks, text)),
        Narrows::Composite(attributes) => pieces::composite(text, |i, text| {
            attributes.get(i).and_then(Option::as_ref).and_then(|of| loss(of, clocks, text))
        }),
    }
}

/// Bytes of a name.
const NAME_BYTES_MAX: usize = 63;

/// What stands behind so many characters are spaces; anything else is an error of the server's.
fn has_only_spaces_behind(text: &str, length: usize) -> bool {
    text.char_indices().nth(length).is_some_and(|(at, _)| text.as_bytes()[at..].iter().all(|b| *b == b' '))
}

/// A byte as "char" is written from PostgreSQL 16 on, where it is no ASCII.
fn is_escaped_byte(text: &str) -> bool {
    matches!(text.as_bytes(), [b'\\', b'2' | b'3', b'0'..=b'7', b'0'..=b'7'])
}

fn unsigned(text: &str) -> Option<Loss> {
    let text = text.trim_ascii();
    let digits = text.trim_start_matches(['-', '+']);
    match digits.as_bytes() {
        [b'0', rest @ ..] if rest.first().is_some_and(u8::is_ascii_digit) => Some(Loss::Octal),
        [b'1'..=b'9', ..] if text.starts_with('-') => Some(Loss::Sign),
        _ => None,
    }
}
