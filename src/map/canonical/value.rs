//! Canonical texts, by type.

use crate::map::judge::{Clocks, of_equal_intervals};
use crate::schema::CanonicalForm;

use super::outcome::{Canonical, has_no_digit, push, unless_refused};
use super::{clock, number, octets};

/// Appends the canonical text of a value, or gives its number.
pub(in crate::map) fn read(out: &mut Vec<u8>, form: CanonicalForm, clocks: Clocks, text: &str) -> Canonical {
    match form {
        CanonicalForm::Number { scale } => number::read(out, text, scale),
        CanonicalForm::CaseFolded => case_folded(out, text),
        CanonicalForm::Date => clock::date(out, text),
        CanonicalForm::Timestamp(time) => clock::timestamp(out, text, time, clocks),
        CanonicalForm::Time(time) => clock::time(out, text, time, clocks),
        CanonicalForm::Interval => match of_equal_intervals(text) {
            Some(micros) => push(out, micros.to_string().as_bytes()),
            None => unless_refused(out, text, is_no_interval(text)),
        },
        CanonicalForm::Bytes => octets::bytes(out, text),
        CanonicalForm::Address => octets::address(out, text),
        CanonicalForm::HardwareAddress => octets::hardware_address(out, text),
        CanonicalForm::Byte => match text.as_bytes() {
            [byte] => push(out, &[*byte]),
            _ => Canonical::Unread,
        },
    }
}

/// `infinity`, in some releases.
fn is_no_interval(text: &str) -> bool {
    has_no_digit(text) && !text.to_ascii_lowercase().contains("inf")
}

/// Letters in lower case, whatever the locale: of an I, a K and their like one each, and of other letters
/// than those of ASCII none. Texts that differ in such letters alone share a hash.
fn case_folded(out: &mut Vec<u8>, text: &str) -> Canonical {
    for c in text.chars() {
        match c {
            // In Turkish the small letter of I has no dot, and that of I with a dot is i. In Lithuanian the
            // accent of a capital I becomes a mark of its own.
            '\u{130}' | '\u{131}' | 'Ì' | 'Í' | 'Ĩ' | 'ì' | 'í' | 'ĩ' => out.push(b'i'),
            // The sign for kelvin, whose small letter is k.
            '\u{212a}' => out.push(b'k'),
            c if c.is_ascii() => out.push(u8::try_from(c.to_ascii_lowercase()).unwrap_or(0)),
            _ => {}
        }
    }
    Canonical::Text
}
