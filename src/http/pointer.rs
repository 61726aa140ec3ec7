//! One value in a JSON text, found by a JSON pointer (RFC 6901) without building the text in memory: a page
//! may have megabytes of records, and only its cursor is wanted. Beyond the RFC, `-1` is the last element of
//! an array, and `link[relation=next]` that one of the array `link` whose member `relation` is `next`.
//!
//! A value is put into a text in its place: all around it stays as it was written, digit for digit.

use std::fmt;

use serde::Deserializer as _;
use serde::de::{IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// The JSON text at the pointer: none where nothing is. Only as much of the text is checked as has to be
/// passed over.
///
/// # Errors
/// When the text is not JSON.
pub fn find<'a>(text: &'a str, pointer: &str) -> Result<Option<&'a RawValue>, serde_json::Error> {
    let mut at: &'a RawValue = serde_json::from_str(text)?;
    for step in pointer.split('/').skip(1) {
        let step = step.replace("~1", "/").replace("~0", "~");
        let found = match go(at, &step)? {
            Some(found) => Some(found),
            None => match condition(&step) {
                Some(condition) => element(at, &condition)?,
                None => None,
            },
        };
        match found {
            Some(value) => at = value,
            None => return Ok(None),
        }
    }
    Ok(Some(at))
}

/// One step: a member or an element.
fn go<'a>(at: &'a RawValue, step: &str) -> Result<Option<&'a RawValue>, serde_json::Error> {
    let mut deserializer = serde_json::Deserializer::from_str(at.get());
    match at.get().as_bytes().first() {
        Some(b'{') => deserializer.deserialize_map(MemberValue(step)),
        Some(b'[') => deserializer.deserialize_seq(ArrayElement::named(step)),
        _ => Ok(None),
    }
}

/// `array[member=text]`, where `array` may be empty: the value is the array itself.
struct Condition<'s> {
    array: &'s str,
    member: &'s str,
    text: &'s str,
}

fn condition(step: &str) -> Option<Condition<'_>> {
    let (array, rest) = step.strip_suffix(']')?.split_once('[')?;
    let (member, text) = rest.split_once('=')?;
    Some(Condition { array, member, text: text.trim_matches('"') })
}

/// The first element that meets the condition.
fn element<'a>(
    at: &'a RawValue,
    condition: &Condition<'_>,
) -> Result<Option<&'a RawValue>, serde_json::Error> {
    let array = if condition.array.is_empty() { Some(at) } else { go(at, condition.array)? };
    let Some(array) = array.filter(|array| array.get().starts_with('[')) else { return Ok(None) };
    let elements: Vec<&'a RawValue> = serde_json::from_str(array.get())?;
    for element in elements {
        let is = match go(element, condition.member)?.map(RawValue::get) {
            Some(raw) if raw.starts_with('"') => serde_json::from_str::<String>(raw)? == condition.text,
            Some(raw) => raw == condition.text,
            None => false,
        };
        if is {
            return Ok(Some(element));
        }
    }
    Ok(None)
}

/// A text or the digits of a number at the pointer; none for null, `""` and what is not there.
///
/// # Errors
/// When the text is not JSON, or there is something else.
pub fn scalar(text: &str, pointer: &str) -> Result<Option<String>, String> {
    let found = find(text, pointer).map_err(|error| format!("is not JSON ({error})"))?;
    match found.map(RawValue::get) {
        None | Some("null") => Ok(None),
        Some(raw) if raw.starts_with('"') => {
            let text: String = serde_json::from_str(raw)
                .map_err(|error| format!("has a bad text at {pointer} ({error})"))?;
            Ok(Some(text).filter(|text| !text.is_empty()))
        }
        Some(raw) if raw.starts_with(['{', '[']) => {
            Err(format!("has a structure at {pointer}, not a text or a number"))
        }
        Some(raw) => Ok(Some(raw.to_owned())),
    }
}

/// The value of a member; the last of equal names, as parsers have it.
struct MemberValue<'s>(&'s str);

impl<'de> Visitor<'de> for MemberValue<'_> {
    type Value = Option<&'de RawValue>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = None;
        while let Some(name) = map.next_key::<String>()? {
            if name == self.0 {
                found = Some(map.next_value()?);
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }
}

/// The element of an array.
enum ArrayElement {
    At(usize),
    Last,
    None,
}

impl ArrayElement {
    fn named(step: &str) -> Self {
        if step == "-1" { Self::Last } else { step.parse().map_or(Self::None, Self::At) }
    }
}

impl<'de> Visitor<'de> for ArrayElement {
    type Value = Option<&'de RawValue>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut found = None;
        let mut at = 0;
        while let Some(value) = seq.next_element::<&'de RawValue>()? {
            match self {
                Self::At(wanted) if wanted != at => {}
                Self::None => {}
                Self::At(_) | Self::Last => found = Some(value),
            }
            at += 1;
        }
        Ok(found)
    }
}

/// Sets the value (a JSON text) at a pointer of a JSON text, making objects on the way.
///
/// # Errors
/// In words: the text is not JSON, or what stands on the way is no object.
pub fn set(text: &str, pointer: &str, value: &str) -> Result<String, String> {
    let not_json = |error: serde_json::Error| format!("the body of the request is not JSON ({error})");
    let text = if text.trim().is_empty() { "{}" } else { text };
    let mut at: &RawValue = serde_json::from_str(text).map_err(not_json)?;
    // Where a piece of the text begins in it.
    let place = |piece: &RawValue| piece.get().as_ptr().addr() - text.as_ptr().addr();
    let mut steps = pointer.split('/').skip(1).map(|step| step.replace("~1", "/").replace("~0", "~"));
    while let Some(step) = steps.next() {
        if !at.get().starts_with('{') {
            return Err(format!("the body of the request has no object on the way to {pointer}"));
        }
        let member = serde_json::Deserializer::from_str(at.get()).deserialize_map(MemberValue(&step));
        if let Some(found) = member.map_err(not_json)? {
            at = found;
            continue;
        }
        let quoted = |name: &str| serde_json::Value::from(name).to_string();
        let inner: Vec<String> = steps.map(|step| quoted(&step)).collect();
        let inner = inner.iter().rev().fold(value.to_owned(), |inner, name| format!("{{{name}:{inner}}}"));
        let close = place(at) + at.get().len() - 1;
        let comma = if at.get()[1..].trim_start().starts_with('}') { "" } else { "," };
        return Ok(format!("{}{comma}{}:{inner}{}", &text[..close], quoted(&step), &text[close..]));
    }
    let (start, end) = (place(at), place(at) + at.get().len());
    Ok(format!("{}{value}{}", &text[..start], &text[end..]))
}

/// Puts a value (a JSON text) in the place of the one at a pointer, in arrays too; `None` where nothing is
/// there.
#[must_use]
pub fn replace(text: &str, pointer: &str, value: &str) -> Option<String> {
    let found = find(text, pointer).ok()??;
    let start = found.get().as_ptr().addr() - text.as_ptr().addr();
    Some(format!("{}{value}{}", &text[..start], &text[start + found.get().len()..]))
}

/// Whether a text is one whole JSON object or array, and nothing behind it.
#[must_use]
pub fn is_whole(text: &str) -> bool {
    text.trim_start().starts_with(['{', '[']) && serde_json::from_str::<IgnoredAny>(text).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = r#"{"items":[{"next":1},{"next":2}],"meta":{"next":"a\u0041","n":12345678901234567890,"more":false,"none":null,"empty":""},"a/b":{"~":[7]}}"#;

    #[test]
    fn values_are_found_where_the_pointer_says() {
        let at = |pointer: &str| scalar(PAGE, pointer).unwrap();
        assert_eq!(at("/meta/next").as_deref(), Some("aA"));
        assert_eq!(at("/meta/n").as_deref(), Some("12345678901234567890"));
        assert_eq!(at("/meta/more").as_deref(), Some("false"));
        assert_eq!(at("/items/1/next").as_deref(), Some("2"));
        assert_eq!(at("/a~1b/~0/0").as_deref(), Some("7"));
        assert_eq!(at("/items/-1/next").as_deref(), Some("2"));
        for nothing in ["/meta/none", "/meta/empty", "/meta/x", "/x/y", "/items/2", "/items/x", "/meta/n/x"] {
            assert_eq!(at(nothing), None, "{nothing}");
        }
        assert!(scalar(PAGE, "/meta").is_err());
        assert!(scalar("<html>", "/meta").is_err());
        assert!(scalar(&PAGE[..PAGE.len() - 1], "/meta/next").is_err());
    }

    #[test]
    fn an_element_is_told_by_a_member() {
        let text = r#"{"link":[{"relation":"self","url":"a"},{"relation":"next","url":"b"},{"n":2,"url":"c"}],"x[a=b]":1}"#;
        let at = |pointer: &str| scalar(text, pointer).unwrap();
        assert_eq!(at("/link[relation=next]/url").as_deref(), Some("b"));
        assert_eq!(at("/link/[relation=\"self\"]/url").as_deref(), Some("a"));
        assert_eq!(at("/link[n=2]/url").as_deref(), Some("c"));
        // A member of that very name goes before.
        assert_eq!(at("/x[a=b]").as_deref(), Some("1"));
        for nothing in ["/link[relation=last]/url", "/links[relation=next]/url", "/link[x=next]", "/x[a=c]"] {
            assert_eq!(at(nothing), None, "{nothing}");
        }
    }

    #[test]
    fn values_are_set_in_a_body() {
        for (text, pointer, value, expected) in [
            ("", "/page/after", r#""x""#, r#"{"page":{"after":"x"}}"#),
            (r#"{"a":1,"page":{"after":"x"}}"#, "/page/after", "5", r#"{"a":1,"page":{"after":5}}"#),
            (r#"{"z":1.10, "a":9e400 }"#, "/after", "[1,\"b\"]", r#"{"z":1.10, "a":9e400 ,"after":[1,"b"]}"#),
            (r#" { "p": { } } "#, "/p/a~1b/\"c", "true", r#" { "p": { "a/b":{"\"c":true}} } "#),
            (r#"{"a":1,"a":2}"#, "/a", "3", r#"{"a":1,"a":3}"#),
        ] {
            assert_eq!(set(text, pointer, value).as_deref(), Ok(expected), "{text} {pointer}");
        }
        for (text, pointer) in [("[]", "/a"), (r#"{"a":[1]}"#, "/a/0"), (r#"{"a":"x"}"#, "/a/b"), ("{", "/a")]
        {
            assert!(set(text, pointer, "1").is_err(), "{text} {pointer}");
        }
    }

    #[test]
    fn only_whole_texts_are_whole() {
        assert!(is_whole("{\"a\":[1]}\n") && is_whole(" [] "));
        for half in ["", "{\"a\":[1]", "[1,", "[1]]", "{}{}", "12", "\"a\"", "null"] {
            assert!(!is_whole(half), "{half}");
        }
    }
}
