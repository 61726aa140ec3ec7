//! What PostgreSQL's text cannot hold: NUL, and halves of surrogate pairs. Taken out of a record, or put
//! something else in its place, before anything looks at it: so names, nested values and arrays are covered
//! by one rule.
//!
//! Works on the bytes as they stand in the source. Never touches a record without need, and never under
//! [`OnNul::Reject`]: then it is for the decoder, the column's type or the server to refuse it.

use std::borrow::Cow;

use memchr::{memchr, memchr2};

/// U+FFFD, as bytes and as JSON has it.
const REPLACEMENT: &str = "\u{fffd}";
const REPLACEMENT_ESCAPE: &str = "\\ufffd";

/// What becomes of a NUL or a lone surrogate (`--on-nul`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum OnNul {
    /// The record is rejected, where its column cannot hold it.
    #[default]
    Reject,
    /// It is left out.
    Strip,
    /// U+FFFD stands in its place.
    Replace,
}

/// JSON text (of a record, or of a value) without NUL bytes, `\u0000` and lone surrogates.
#[must_use]
pub fn clean_json(text: &[u8], rule: OnNul) -> Cow<'_, [u8]> {
    if rule == OnNul::Reject || !has_suspects(text) {
        return Cow::Borrowed(text);
    }
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = memchr2(0, b'\\', rest) {
        out.extend_from_slice(&rest[..at]);
        rest = &rest[at..];
        let (length, keeps) = if rest[0] == 0 { (1, false) } else { escape(rest) };
        match (keeps, rule, rest[0]) {
            (true, ..) => out.extend_from_slice(&rest[..length]),
            (false, OnNul::Replace, 0) => out.extend_from_slice(REPLACEMENT.as_bytes()),
            (false, OnNul::Replace, _) => out.extend_from_slice(REPLACEMENT_ESCAPE.as_bytes()),
            (false, OnNul::Strip | OnNul::Reject, _) => {}
        }
        rest = &rest[length..];
    }
    out.extend_from_slice(rest);
    Cow::Owned(out)
}

/// Bytes of delimiter-separated values without NUL.
#[must_use]
pub(super) fn clean_bytes(bytes: &[u8], rule: OnNul) -> Cow<'_, [u8]> {
    if rule == OnNul::Reject || memchr(0, bytes).is_none() {
        return Cow::Borrowed(bytes);
    }
    let mut out = Vec::with_capacity(bytes.len());
    for (i, part) in bytes.split(|&byte| byte == 0).enumerate() {
        if i > 0 && rule == OnNul::Replace {
            out.extend_from_slice(REPLACEMENT.as_bytes());
        }
        out.extend_from_slice(part);
    }
    Cow::Owned(out)
}

/// A NUL byte, or an escape `\u0..` or `\ud..`. A false alarm costs a copy.
fn has_suspects(text: &[u8]) -> bool {
    let suspicious =
        |at: usize| text.get(at + 1) == Some(&b'u') && matches!(text.get(at + 2), Some(b'0' | b'd' | b'D'));
    memchr(0, text).is_some() || memchr::memchr_iter(b'\\', text).any(suspicious)
}

/// Length of the escape at the start of `rest`, and whether it is text that PostgreSQL can hold.
fn escape(rest: &[u8]) -> (usize, bool) {
    match (rest.get(1), unit(rest)) {
        (Some(b'u'), Some(0)) => (6, false),
        (Some(b'u'), Some(0xd800..=0xdbff)) => match unit(&rest[6..]) {
            Some(0xdc00..=0xdfff) => (12, true),
            _ => (6, false),
        },
        (Some(b'u'), Some(0xdc00..=0xdfff)) => (6, false),
        (Some(b'u'), Some(_)) => (6, true),
        // No escape of JSON, or not known to this place: for the decoder to judge.
        (Some(_), _) => (2, true),
        (None, _) => (1, true),
    }
}

/// The code unit of `\uXXXX` at the start of `text`.
fn unit(text: &[u8]) -> Option<u32> {
    let digits = text.strip_prefix(b"\\u")?.get(..4)?;
    digits.iter().try_fold(0, |unit, &digit| Some(unit * 16 + char::from(digit).to_digit(16)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, stripped: &str, replaced: &str) {
        let clean = |rule| String::from_utf8(clean_json(text.as_bytes(), rule).into_owned()).unwrap();
        assert_eq!(clean(OnNul::Reject), text);
        assert_eq!(clean(OnNul::Strip), stripped, "{text:?}");
        assert_eq!(clean(OnNul::Replace), replaced, "{text:?}");
    }

    #[test]
    fn json_loses_what_text_cannot_hold_and_nothing_else() {
        for same in [
            "",
            "{}",
            r#""\ud83d\ude00""#,
            r#""\\u0000""#,
            r#""\u0001\u00e9\uE000""#,
            "\\",
            "\\u",
            "\"\\u00\"",
        ] {
            check(same, same, same);
        }
        check(r#"{"a\u0000b":"\u0000"}"#, r#"{"ab":""}"#, r#"{"a\ufffdb":"\ufffd"}"#);
        check(r#""\\\u0000\\""#, r#""\\\\""#, r#""\\\ufffd\\""#);
        check(r#""\ud800""#, r#""""#, r#""\ufffd""#);
        check(r#""\uDFFF\uD800x""#, r#""x""#, r#""\ufffd\ufffdx""#);
        check(r#""\ud83d\u0000\ude00""#, r#""""#, r#""\ufffd\ufffd\ufffd""#);
        check(r#""\ud83d\ud83d\ude00""#, r#""\ud83d\ude00""#, r#""\ufffd\ud83d\ude00""#);
        check("\"a\0b\"", "\"ab\"", "\"a\u{fffd}b\"");
    }

    #[test]
    fn bytes_lose_nul() {
        let clean = |rule| String::from_utf8(clean_bytes(b"\0a\0\0,b", rule).into_owned()).unwrap();
        assert_eq!(clean(OnNul::Reject), "\0a\0\0,b");
        assert_eq!(clean(OnNul::Strip), "a,b");
        assert_eq!(clean(OnNul::Replace), "\u{fffd}a\u{fffd}\u{fffd},b");
    }

    #[test]
    fn what_is_left_is_text_for_any_string_of_json() {
        crate::format::rng::for_a_while(|dice| {
            let tokens =
                ["\\u0000", "\\ud800", "\\udc00", "\\\\", "\\n", "u0000", "x", "\\uD83D", "\0", "\\u0041"];
            let inner: String = (0..dice.below(12)).map(|_| dice.pick(&tokens)).collect();
            let text = format!("\"{inner}\"");
            for rule in [OnNul::Strip, OnNul::Replace] {
                let clean = clean_json(text.as_bytes(), rule);
                let clean = std::str::from_utf8(&clean).unwrap();
                let mut out = String::new();
                crate::format::json::unescape(clean, &mut out)
                    .unwrap_or_else(|error| panic!("{text} {clean} {error}"));
                assert!(!out.contains('\0'), "{text}");
                let parsed: String = serde_json::from_str(clean).unwrap();
                assert_eq!(parsed, out);
                assert_eq!(clean_json(clean.as_bytes(), rule).as_ref(), clean.as_bytes(), "once is enough");
            }
        });
    }
}
