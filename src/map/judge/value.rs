//! The judge, by type.

use crate::map::infer::is_changed_by_a_double;
use crate::schema::Narrows;

use super::clocks::Clocks;
use super::loss::Loss;
use super::{decimal, keys, moment, pairs, pieces, positions, span, unsigned};

/// What a text would lose in such a column.
pub(in crate::map) fn loss(narrows: &Narrows, clocks: Clocks, text: &str) -> Option<Loss> {
    match narrows {
        // What is no number the server refuses.
        Narrows::Scale(scale) => {
            (decimal::is_number(text) && decimal::has_more_decimals(text, *scale)).then_some(Loss::Decimals)
        }
        Narrows::Date => moment::date(text, clocks),
        Narrows::Timestamp(clock) => moment::timestamp(text, *clock, clocks),
        Narrows::Time(clock) => moment::time(text, *clock, clocks),
        Narrows::Interval { least, digits } => span::interval(text, *least, *digits),
        // As many bytes hold no more characters.
        Narrows::Length(length) => {
            (text.len() > *length && has_only_spaces_behind(text, *length)).then_some(Loss::Spaces)
        }
        Narrows::Char => (text.len() > 1).then_some(Loss::Bytes),
        Narrows::Name => (text.len() > NAME_BYTES_MAX).then_some(Loss::Bytes),
        Narrows::Unsigned(bits) => unsigned::loss(text, *bits),
        Narrows::Money => money(text),
        Narrows::Keys => keys::has_doubled(text).then_some(Loss::DoubledKey),
        Narrows::Pairs => pairs::has_doubled(text).then_some(Loss::DoubledPair),
        Narrows::Positions => positions::has_lost(text).then_some(Loss::Position),
        Narrows::WrittenInteger => decimal::written(text).or_else(|| decimal::exponent(text)),
        Narrows::WrittenNumber => decimal::written(text),
        Narrows::WrittenDouble => {
            let is_changed = || is_changed_by_a_double(text) && !decimal::reads_back(text);
            decimal::written(text).or_else(|| is_changed().then_some(Loss::Digits))
        }
        Narrows::Array(element, delimiter) => {
            pieces::array(text, *delimiter, |text| loss(element, clocks, text))
        }
        Narrows::Words(of) => text.split_ascii_whitespace().find_map(|text| loss(of, clocks, text)),
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

fn money(text: &str) -> Option<Loss> {
    let fraction = text.split_once('.').map_or("", |(_, fraction)| fraction);
    let decimals = fraction.split(',').next().unwrap_or_default();
    match () {
        // An empty one too. Letters are the server's to refuse.
        () if !text.contains(char::is_alphanumeric) => Some(Loss::NoDigit),
        // The server refuses a comma behind more than two.
        () if decimals.len() > 2 && decimals.len() < fraction.len() => None,
        () if decimal::has_more_decimals(text, 2) => Some(Loss::Decimals),
        () if decimal::has_odd_commas(text) => Some(Loss::Commas),
        () => None,
    }
}
