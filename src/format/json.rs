//! Raw JSON text, as the decoder hands it on: strings unescaped, arrays and objects walked without building
//! a tree. The text was validated before; what is malformed all the same is an error, never a panic.
//!
//! Never recursive: depth is a counter.

use std::borrow::Cow;

/// Why the text of a JSON string is no text for PostgreSQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum StringError {
    /// `\u0000`, which PostgreSQL's text cannot hold.
    #[error("\\u0000 cannot be stored in text")]
    Nul,
    /// Half of a surrogate pair.
    #[error("a lone surrogate is no character")]
    LoneSurrogate,
    /// Not a JSON string.
    #[error("malformed JSON")]
    Malformed,
}

/// Appends the text of the JSON string `quoted` (with its quotes) to `out`.
///
/// # Errors
/// When it holds what no text can hold; `out` then holds a part of it.
pub fn unescape(quoted: &str, out: &mut String) -> Result<(), StringError> {
    let inner = quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    let mut rest = inner.ok_or(StringError::Malformed)?;
    while let Some(at) = memchr::memchr(b'\\', rest.as_bytes()) {
        out.push_str(&rest[..at]);
        let escape = *rest.as_bytes().get(at + 1).ok_or(StringError::Malformed)?;
        let (character, length) = match escape {
            b'"' | b'\\' | b'/' => (char::from(escape), 2),
            b'b' => ('\u{8}', 2),
            b'f' => ('\u{c}', 2),
            b'n' => ('\n', 2),
            b'r' => ('\r', 2),
            b't' => ('\t', 2),
            b'u' => code_point(&rest[at..])?,
            _ => return Err(StringError::Malformed),
        };
        out.push(character);
        rest = &rest[at + length..];
    }
    out.push_str(rest);
    Ok(())
}

/// The character of `\uXXXX` or a surrogate pair at the start of `text`, and how many bytes it takes.
fn code_point(text: &str) -> Result<(char, usize), StringError> {
    let unit = |from: usize| -> Option<u32> {
        let digits = text.get(from..from + 6)?.strip_prefix("\\u")?;
        let all_hex = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        all_hex.then(|| u32::from_str_radix(digits, 16).ok())?
    };
    let first = unit(0).ok_or(StringError::Malformed)?;
    match first {
        0 => Err(StringError::Nul),
        0xd800..=0xdbff => {
            let second = unit(6).filter(|unit| (0xdc00..=0xdfff).contains(unit));
            let second = second.ok_or(StringError::LoneSurrogate)?;
            let point = 0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00);
            char::from_u32(point).map(|c| (c, 12)).ok_or(StringError::Malformed)
        }
        _ => char::from_u32(first).map(|c| (c, 6)).ok_or(StringError::LoneSurrogate),
    }
}

/// How many brackets are open at once in a value, at most.
#[must_use]
pub fn depth(value: &str) -> usize {
    let bytes = value.as_bytes();
    let (mut open, mut deepest, mut at) = (0_usize, 0, 0);
    while at < bytes.len() {
        match bytes[at] {
            b'"' => at = string_end(bytes, at),
            b'{' | b'[' => {
                open += 1;
                deepest = deepest.max(open);
            }
            b'}' | b']' => open = open.saturating_sub(1),
            _ => {}
        }
        at += 1;
    }
    deepest
}

/// The index of the quote that ends the string beginning at `start`, or the end of the text.
fn string_end(bytes: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while let Some(i) = bytes.get(at..).and_then(|rest| memchr::memchr2(b'"', b'\\', rest)) {
        if bytes[at + i] == b'"' {
            return at + i;
        }
        at += i + 2;
    }
    bytes.len()
}

/// The elements of a raw JSON array, each as raw text.
#[must_use]
pub fn elements(array: &str) -> Elements<'_> {
    Elements(Tokens::inside(array, '[', ']'))
}

/// The members of a raw JSON object: name and raw value.
#[must_use]
pub fn members(object: &str) -> Members<'_> {
    Members(Tokens::inside(object, '{', '}'))
}

/// An iterator over elements: see [`elements`].
pub struct Elements<'a>(Tokens<'a>);

/// An iterator over members: see [`members`].
pub struct Members<'a>(Tokens<'a>);

impl<'a> Iterator for Elements<'a> {
    type Item = Result<&'a str, StringError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next_item(Tokens::value)
    }
}

impl<'a> Iterator for Members<'a> {
    type Item = Result<(Cow<'a, str>, &'a str), StringError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next_item(|tokens| {
            let name = name_of(tokens.value()?)?;
            tokens.expect(':')?;
            Ok((name, tokens.value()?))
        })
    }
}

fn name_of(quoted: &str) -> Result<Cow<'_, str>, StringError> {
    let inner = quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    let inner = inner.ok_or(StringError::Malformed)?;
    if !inner.contains('\\') {
        return Ok(Cow::Borrowed(inner));
    }
    let mut name = String::with_capacity(inner.len());
    unescape(quoted, &mut name)?;
    Ok(Cow::Owned(name))
}

/// What is left between the brackets.
struct Tokens<'a> {
    rest: &'a str,
    begun: bool,
    malformed: bool,
}

impl<'a> Tokens<'a> {
    fn inside(text: &'a str, open: char, close: char) -> Self {
        let inner = text.strip_prefix(open).and_then(|rest| rest.strip_suffix(close));
        Self { rest: inner.unwrap_or("").trim_matches(BLANK), begun: false, malformed: inner.is_none() }
    }

    fn next_item<T>(
        &mut self,
        item: impl FnOnce(&mut Self) -> Result<T, StringError>,
    ) -> Option<Result<T, StringError>> {
        if self.malformed {
            self.malformed = false;
            self.rest = "";
            return Some(Err(StringError::Malformed));
        }
        if self.rest.is_empty() {
            return None;
        }
        let comma = if self.begun { self.expect(',') } else { Ok(()) };
        self.begun = true;
        let result = comma.and_then(|()| item(self));
        if result.is_err() {
            self.rest = "";
        }
        Some(result)
    }

    fn expect(&mut self, wanted: char) -> Result<(), StringError> {
        let rest = self.rest.trim_start_matches(BLANK).strip_prefix(wanted);
        self.rest = rest.ok_or(StringError::Malformed)?;
        Ok(())
    }

    /// The next value as raw text.
    fn value(&mut self) -> Result<&'a str, StringError> {
        let rest = self.rest.trim_start_matches(BLANK);
        let end = value_end(rest.as_bytes()).ok_or(StringError::Malformed)?;
        let (value, behind) = (rest.get(..end), rest.get(end..));
        self.rest = behind.ok_or(StringError::Malformed)?;
        value.ok_or(StringError::Malformed)
    }
}

const BLANK: [char; 4] = [' ', '\t', '\r', '\n'];

fn value_end(bytes: &[u8]) -> Option<usize> {
    let mut open = 0_usize;
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'"' => {
                at = string_end(bytes, at);
                if at == bytes.len() {
                    return None;
                }
                if open == 0 {
                    return Some(at + 1);
                }
            }
            b'{' | b'[' => open += 1,
            b'}' | b']' => {
                open = open.checked_sub(1)?;
                if open == 0 {
                    return Some(at + 1);
                }
            }
            b',' | b':' | b' ' | b'\t' | b'\r' | b'\n' if open == 0 => return (at > 0).then_some(at),
            _ => {}
        }
        at += 1;
    }
    (open == 0 && at > 0).then_some(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(quoted: &str, expected: Result<&str, StringError>) {
        let mut out = String::new();
        let result = unescape(quoted, &mut out).map(|()| out.as_str());
        assert_eq!(result, expected, "{quoted}");
    }

    #[test]
    fn strings() {
        check(r#""""#, Ok(""));
        check(r#""a\"\\\/\b\f\n\r\tz""#, Ok("a\"\\/\u{8}\u{c}\n\r\tz"));
        check(r#""\u00e9\u20AC\ud83d\ude00é""#, Ok("é€😀é"));
        check(r#""a\u0000""#, Err(StringError::Nul));
        check(r#""\ud83d""#, Err(StringError::LoneSurrogate));
        check(r#""\ud83d\n""#, Err(StringError::LoneSurrogate));
        check(r#""\ud83d\ud83d""#, Err(StringError::LoneSurrogate));
        check(r#""\ude00""#, Err(StringError::LoneSurrogate));
        for malformed in ["", "\"", "a", r#""\""#, r#""\x""#, r#""\u12""#, r#""\u+123""#, r#""\u00é""#] {
            check(malformed, Err(StringError::Malformed));
        }
    }

    #[test]
    fn walking() {
        let items: Result<Vec<_>, _> = elements(r#"[ 1, "a,]" ,{"b":[2]},[] , null ]"#).collect();
        assert_eq!(items.unwrap(), ["1", r#""a,]""#, r#"{"b":[2]}"#, "[]", "null"]);
        let pairs: Result<Vec<_>, _> = members(r#"{ "a" : 1 ,"\u0062":{"c":"}"}}"#).collect();
        assert_eq!(pairs.unwrap(), [("a".into(), "1"), ("b".into(), r#"{"c":"}"}"#)]);
        assert_eq!(elements("[ ]").count() + members("{}").count(), 0);
        for malformed in ["", "[", "[1 2]", "[1,]", "[,]", "[\"]", "[}]", "[\"\\\"]", "[{]"] {
            assert!(elements(malformed).any(|item| item.is_err()), "{malformed}");
        }
        for malformed in ["", "{1:2}", "{\"a\"}", "{\"a\":}", "{\"a\" 1}", "{\"a\":1 \"b\":2}"] {
            assert!(members(malformed).any(|item| item.is_err()), "{malformed}");
        }
    }

    #[test]
    fn depths() {
        for (value, expected) in [("1", 0), ("\"[\"", 0), ("[]", 1), ("[{\"a\\\"[\":[]},[[]]]", 3)] {
            assert_eq!(depth(value), expected, "{value}");
        }
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!((depth(&deep), elements(&deep).count()), (100_000, 1));
    }
}
