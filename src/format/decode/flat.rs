//! Objects that are cut where they are: the names of the record before, at the same places, or others without
//! escapes; strings without escapes, numbers, words. Other values are read by serde_json, one by one; and an
//! object that is not plain JSON is left to it whole: it judges, and says what is wrong.

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::DecodeLimits;
use super::find::find;
use super::members::{NAMES_COMPARED, RawMembers};

/// Reads the object `text` into `members`, which hold the record before, or nothing. `false`: not plain.
pub(super) fn members<'t>(text: &'t str, limits: &DecodeLimits, members: &mut RawMembers<'t>) -> bool {
    // Without a way out, so that the compiler looks at many bytes at once.
    let is_bare = !text.bytes().fold(false, |found, byte| found | (byte == b'\\') | (byte < b' '));
    FlatParser { text, bytes: text.as_bytes(), is_bare }.read(limits, members).is_some()
}

struct FlatParser<'t> {
    text: &'t str,
    bytes: &'t [u8],
    /// No escape and no control character: every string ends at the next quote.
    is_bare: bool,
}

impl<'t> FlatParser<'t> {
    fn read(&self, limits: &DecodeLimits, members: &mut RawMembers<'t>) -> Option<()> {
        let mut at = self.behind(self.blank(0), b'{')?;
        let mut known = 0;
        // Names that are those of the record before are different from each other.
        let mut is_alike = true;
        if self.bytes.get(at) == Some(&b'}') {
            members.clear();
            return self.ends(at + 1);
        }
        loop {
            if known == limits.fields {
                return None;
            }
            let expected = members.get(known).filter(|_| is_alike);
            // One that had escapes is spelt otherwise.
            let expected = expected.and_then(|(name, _)| match name {
                Cow::Borrowed(name) => self.behind_name(at, name),
                Cow::Owned(_) => None,
            });
            at = if let Some(end) = expected {
                end
            } else {
                is_alike = false;
                members.truncate(known);
                let end = self.string_end(at)?;
                let name = self.text.get(at + 1..end - 1)?;
                if known >= NAMES_COMPARED || members.iter().any(|(other, _)| *other == name) {
                    return None;
                }
                members.push((Cow::Borrowed(name), ""));
                end
            };
            at = self.behind(self.blank(at), b':')?;
            let end = self.value_end(at)?;
            members.get_mut(known)?.1 = self.text.get(at..end)?;
            known += 1;
            at = self.blank(end);
            match self.bytes.get(at)? {
                b',' => at = self.blank(at + 1),
                b'}' => break,
                _ => return None,
            }
        }
        members.truncate(known);
        self.ends(at + 1)
    }

    /// Behind this byte and what blank there is.
    fn behind(&self, at: usize, byte: u8) -> Option<usize> {
        (self.bytes.get(at) == Some(&byte)).then(|| self.blank(at + 1))
    }

    fn blank(&self, mut at: usize) -> usize {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.bytes.get(at) {
            at += 1;
        }
        at
    }

    fn ends(&self, at: usize) -> Option<()> {
        (self.blank(at) == self.bytes.len()).then_some(())
    }

    /// Behind this name in quotes.
    fn behind_name(&self, at: usize, name: &str) -> Option<usize> {
        let end = at + name.len() + 2;
        match self.bytes.get(at..end)? {
            [b'"', spelt @ .., b'"'] if spelt == name.as_bytes() => Some(end),
            _ => None,
        }
    }

    /// Behind the value that begins here.
    fn value_end(&self, at: usize) -> Option<usize> {
        match self.bytes.get(at)? {
            b'"' => self.string_end(at).or_else(|| self.end_of_any(at)),
            b'-' | b'0'..=b'9' => self.number_end(at),
            b't' => self.word_end(at, b"true"),
            b'f' => self.word_end(at, b"false"),
            b'n' => self.word_end(at, b"null"),
            b'{' | b'[' => self.end_of_any(at),
            _ => None,
        }
    }

    /// Behind the closing quote of a string without escapes.
    #[inline(always)]
    fn string_end(&self, at: usize) -> Option<usize> {
        if self.bytes.get(at) != Some(&b'"') {
            return None;
        }
        let end = find(b'"', self.bytes, at + 1);
        let inner = self.bytes.get(at + 1..end).filter(|_| end < self.bytes.len())?;
        let is_plain = self.is_bare || !inner.iter().any(|&byte| byte == b'\\' || byte < b' ');
        is_plain.then_some(end + 1)
    }

    fn number_end(&self, at: usize) -> Option<usize> {
        let digits = |at: usize| {
            let count = self.bytes.get(at..)?.iter().take_while(|byte| byte.is_ascii_digit()).count();
            (count > 0).then_some(at + count)
        };
        let whole = at + usize::from(self.bytes[at] == b'-');
        let mut end = digits(whole)?;
        if self.bytes[whole] == b'0' && end > whole + 1 {
            return None;
        }
        if self.bytes.get(end) == Some(&b'.') {
            end = digits(end + 1)?;
        }
        if let Some(b'e' | b'E') = self.bytes.get(end) {
            let sign = usize::from(matches!(self.bytes.get(end + 1), Some(b'+' | b'-')));
            end = digits(end + 1 + sign)?;
        }
        Some(end)
    }

    fn word_end(&self, at: usize, word: &[u8]) -> Option<usize> {
        self.bytes[at..].starts_with(word).then_some(at + word.len())
    }

    /// Behind a string, an array or an object: serde_json passes over it without recursion, so depth cannot
    /// overflow.
    fn end_of_any(&self, at: usize) -> Option<usize> {
        let mut values = serde_json::Deserializer::from_str(self.text.get(at..)?).into_iter::<&RawValue>();
        values.next()?.ok()?;
        Some(at + values.byte_offset())
    }
}
