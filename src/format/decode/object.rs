//! The members of a JSON object: names unescaped, values as the raw text in the source. What is not plain,
//! serde_json reads: it validates every byte, and passes over values without recursion, so depth cannot
//! overflow.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer as _, Error as _, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::flat;
use super::members::{NAMES_COMPARED, RawMembers};
use super::words::{self, reason};
use super::{DecodeError, DecodeErrorKind, DecodeLimits};
use crate::format::shorten::shorten;

/// Reads the object `text` into `members`, which may still hold the record before: mostly it has the same
/// names.
pub(super) fn members<'t>(
    text: &'t str,
    limits: &DecodeLimits,
    members: &mut RawMembers<'t>,
) -> Result<(), DecodeError> {
    let read = if flat::members(text, limits, members) { Ok(()) } else { judged(text, limits, members) };
    read.and_then(|()| check_depth(text, limits, members)).inspect_err(|_| members.clear())
}

/// Reads any object, or says what is wrong with it.
fn judged<'t>(text: &'t str, limits: &DecodeLimits, members: &mut RawMembers<'t>) -> Result<(), DecodeError> {
    members.clear();
    let blank = text.len() - text.trim_start_matches([' ', '\t', '\r', '\n']).len();
    let first = text.as_bytes().get(blank).copied();
    if first != Some(b'{') {
        return Err(not_an_object(text, blank, first));
    }
    let mut refused = None;
    let mut reader = serde_json::Deserializer::from_str(text);
    let object = Object { members: &mut *members, limits, refused: &mut refused };
    let result = reader.deserialize_map(object).and_then(|()| reader.end());
    result.map_err(|error| {
        let offset = offset_of(text, &error);
        refused
            .unwrap_or_else(|| DecodeErrorKind::Json(reason(&error, text, offset)))
            .at(text.as_bytes(), offset)
    })
}

struct Object<'m, 't> {
    members: &'m mut RawMembers<'t>,
    limits: &'m DecodeLimits,
    refused: &'m mut Option<DecodeErrorKind>,
}

impl<'t> Visitor<'t> for Object<'_, 't> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'t>>(self, mut map: A) -> Result<(), A::Error> {
        let mut seen: HashSet<Cow<'t, str>> = HashSet::new();
        while let Some(name) = map.next_key_seed(Name)? {
            let known = self.members.len();
            let again = match known {
                0..NAMES_COMPARED => self.members.iter().any(|(other, _)| *other == name),
                _ => {
                    if known == NAMES_COMPARED {
                        seen.extend(self.members.iter().map(|(other, _)| other.clone()));
                    }
                    !seen.insert(name.clone())
                }
            };
            if again {
                *self.refused = Some(DecodeErrorKind::DuplicateName(shorten(&name)));
                return Err(A::Error::custom("refused"));
            }
            if known == self.limits.fields {
                *self.refused = Some(DecodeErrorKind::TooManyFields(self.limits.fields));
                return Err(A::Error::custom("refused"));
            }
            self.members.push((name, map.next_value::<&'t RawValue>()?.get()));
        }
        Ok(())
    }
}

/// A member name, borrowed where it has no escapes.
struct Name;

impl<'t> DeserializeSeed<'t> for Name {
    type Value = Cow<'t, str>;

    fn deserialize<D: serde::Deserializer<'t>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'t> Visitor<'t> for Name {
    type Value = Cow<'t, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a member name")
    }

    fn visit_borrowed_str<E>(self, name: &'t str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(name))
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(name.to_owned()))
    }
}

fn check_depth(text: &str, limits: &DecodeLimits, members: &RawMembers<'_>) -> Result<(), DecodeError> {
    for (name, value) in members {
        // A value of this depth has at least as many opening brackets, and as many closing ones.
        if value.len() > 2 * limits.depth && crate::format::json::depth(value) > limits.depth {
            let offset = value.as_ptr() as usize - text.as_ptr() as usize;
            let kind = DecodeErrorKind::TooDeep { name: shorten(name), limit: limits.depth };
            return Err(kind.at(text.as_bytes(), offset));
        }
    }
    Ok(())
}

fn not_an_object(text: &str, offset: usize, first: Option<u8>) -> DecodeError {
    let kind = match first {
        None => DecodeErrorKind::NotAnObject("nothing"),
        Some(b'[') => DecodeErrorKind::NotAnObject("an array"),
        Some(b'"') => DecodeErrorKind::NotAnObject("a string"),
        Some(b't' | b'f') => DecodeErrorKind::NotAnObject("a boolean"),
        Some(b'n') => DecodeErrorKind::NotAnObject("null"),
        Some(b'-' | b'0'..=b'9') => DecodeErrorKind::NotAnObject("a number"),
        Some(_) => DecodeErrorKind::NotAnObject("no JSON"),
    };
    kind.at(text.as_bytes(), offset)
}

/// The byte at which serde_json stopped: its columns count the bytes read of a line. Of a control character
/// in a string, that is the byte before it.
fn offset_of(text: &str, error: &serde_json::Error) -> usize {
    let line_start = match error.line() {
        0 | 1 => 0,
        line => memchr::memchr_iter(b'\n', text.as_bytes()).nth(line - 2).map_or(0, |i| i + 1),
    };
    let offset = (line_start + error.column().saturating_sub(1)).min(text.len());
    let is_control = |at: usize| text.as_bytes().get(at).is_some_and(u8::is_ascii_control);
    let is_before = !is_control(offset) && is_control(offset + 1);
    if is_before && error.to_string().starts_with(words::CONTROL_CHARACTER) { offset + 1 } else { offset }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::rng::for_a_while;

    /// What is cut in place is what serde_json reads, whatever record came before.
    #[test]
    fn cut_in_place_is_as_judged() {
        let tokens = [
            "{",
            "}",
            "{",
            "}",
            "\"a\"",
            "\"b\"",
            "\"a\":",
            "\"b\":1,",
            "\"\"",
            ":",
            ":",
            ",",
            ",",
            " ",
            "\n",
            "[1,{\"x\":\"]\"}]",
            "[",
            "]",
            "\"\\n\"",
            "\"\\\"",
            "\"sixteen bytes and more \u{e9}\"",
            "\"\u{1}\"",
            "0",
            "-",
            "1",
            "01",
            "1.",
            ".5",
            "1e",
            "E+1",
            "-0.5e-3",
            "true",
            "false",
            "null",
            "nul",
            "\"",
            "\\",
            "\u{feff}",
        ];
        let limits = DecodeLimits { fields: 3, depth: 2, ..DecodeLimits::default() };
        for_a_while(|dice| {
            let texts: Vec<String> = (0..3)
                .map(|_| {
                    let inside: String = (0..dice.below(8)).map(|_| dice.pick(&tokens)).collect();
                    if dice.below(4) == 0 { inside } else { format!("{{\"a\":{inside}}}") }
                })
                .collect();
            let mut held = RawMembers::new();
            for text in &texts {
                let mut expected = RawMembers::new();
                let verdict = judged(text, &limits, &mut expected);
                if flat::members(text, &limits, &mut held) {
                    assert_eq!((verdict, &held), (Ok(()), &expected), "{texts:?}");
                } else {
                    held = if verdict.is_ok() { expected } else { RawMembers::new() };
                }
            }
        });
    }

    #[test]
    fn plain_records_are_cut_in_place() {
        let mut members = RawMembers::new();
        for text in [
            r#"{"a":1,"b":"x","c":null}"#,
            r#" { "a" : -1.5e3 , "b" : "long enough for two strides of it", "c":[{}] } "#,
            r#"{"a":"\n","b":true,"c":{"d":"}"}}"#,
            r#"{"a":0,"c":false}"#,
            "{}",
        ] {
            assert!(flat::members(text, &DecodeLimits::default(), &mut members), "{text}");
            let cut = members.clone();
            judged(text, &DecodeLimits::default(), &mut members).unwrap();
            assert_eq!(cut, members);
        }
    }
}
