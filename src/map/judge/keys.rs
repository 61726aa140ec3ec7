//! Keys of JSON objects.

use std::borrow::Cow;

use crate::format::json;

/// Objects of more members than this are sorted to find two with one key.
const PAIRS_MAX: usize = 12;

/// Room for the keys of a usual text, at all depths.
const KEYS_USUAL: usize = 16;

/// Whether an object in a JSON text, at any depth, has two members with one key. Of a text that is no JSON it
/// says anything.
pub(super) fn has_doubled(text: &str) -> bool {
    let bytes = text.as_bytes();
    let mut keys: Vec<Cow<'_, str>> = Vec::with_capacity(KEYS_USUAL);
    // Where the keys of each open object begin; of an array nothing.
    let mut open: Vec<Option<usize>> = Vec::new();
    let (mut at, mut key_is_next) = (0, false);
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => {
                let Some(end) = end_of_string(bytes, at) else { return false };
                if key_is_next {
                    keys.push(key(&text[at..end]));
                    key_is_next = false;
                }
                at = end;
                continue;
            }
            b'{' => {
                open.push(Some(keys.len()));
                key_is_next = true;
            }
            b'[' => {
                open.push(None);
                key_is_next = false;
            }
            b',' => key_is_next = matches!(open.last(), Some(Some(_))),
            b'}' | b']' => {
                if let Some(Some(from)) = open.pop() {
                    if has_equal(&mut keys[from..]) {
                        return true;
                    }
                    keys.truncate(from);
                }
                key_is_next = false;
            }
            _ => {}
        }
        at += 1;
    }
    false
}

/// Behind the closing quote.
fn end_of_string(bytes: &[u8], start: usize) -> Option<usize> {
    let mut at = start + 1;
    loop {
        at += memchr::memchr2(b'"', b'\\', bytes.get(at..)?)?;
        if bytes[at] == b'"' {
            return Some(at + 1);
        }
        at += 2;
    }
}

/// A key as it reads, not as it is written.
fn key(quoted: &str) -> Cow<'_, str> {
    if memchr::memchr(b'\\', quoted.as_bytes()).is_some() {
        let mut read = String::new();
        if json::unescape(quoted, &mut read).is_ok() {
            return Cow::Owned(read);
        }
    }
    Cow::Borrowed(&quoted[1..quoted.len() - 1])
}

fn has_equal(keys: &mut [Cow<'_, str>]) -> bool {
    if keys.len() <= PAIRS_MAX {
        return keys.iter().enumerate().any(|(i, key)| keys[..i].contains(key));
    }
    keys.sort_unstable();
    keys.windows(2).any(|pair| pair[0] == pair[1])
}
