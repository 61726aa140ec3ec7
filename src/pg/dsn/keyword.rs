//! The `key=value` form, with libpq's quoting: single quotes around a value, a backslash before a special
//! character.

use super::error::DsnError;
use super::words::{Echo, Words};

/// Reads `key = value` pairs into words.
pub(super) fn parse(text: &str, words: &mut Words) -> Result<(), DsnError> {
    let mut rest = text.trim_start();
    let mut echo = Echo::Name;
    while !rest.is_empty() {
        let end = rest.find(|c: char| c == '=' || c.is_whitespace()).unwrap_or(rest.len());
        let (name, after) = rest.split_at(end);
        let Some(after) = after.trim_start().strip_prefix('=') else {
            return Err(DsnError::Malformed {
                what: "a word without `=` (a value with spaces needs quotes)",
            });
        };
        if name.is_empty() {
            return Err(DsnError::Malformed { what: "a value without a name" });
        }
        let (value, quoted, after) = value(after.trim_start())?;
        words.set(name, value, echo)?;
        // `password=one two=3`: what follows an unquoted password may still be part of it.
        echo = if name == "password" && !quoted { Echo::Withhold } else { Echo::Name };
        rest = after.trim_start();
    }
    Ok(())
}

/// The same text without the password; nothing of a text that cannot be read.
pub(super) fn without_password(text: &str, is_password: &dyn Fn(&str) -> bool) -> String {
    let mut shown = Vec::new();
    let mut rest = text.trim();
    while let Some((name, after)) = rest.split_once('=') {
        let Ok((_, _, behind)) = value(after.trim_start()) else { return String::new() };
        if !is_password(name.trim_end()) {
            shown.push(rest[..rest.len() - behind.len()].trim_end());
        }
        rest = behind.trim_start();
    }
    shown.join(" ")
}

/// One value, whether it was quoted, and what follows it.
fn value(text: &str) -> Result<(String, bool, &str), DsnError> {
    let quoted = text.starts_with('\'');
    let mut value = String::new();
    let mut chars = text.char_indices().skip(usize::from(quoted));
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some((_, escaped)) => value.push(escaped),
                None => return Err(DsnError::Malformed { what: "it ends in a backslash" }),
            },
            '\'' if quoted => return Ok((value, quoted, &text[at + 1..])),
            c if !quoted && c.is_whitespace() => return Ok((value, quoted, &text[at..])),
            '\0' => return Err(DsnError::Malformed { what: "it holds a NUL character" }),
            c => value.push(c),
        }
    }
    if quoted {
        return Err(DsnError::Malformed { what: "a quote is not closed" });
    }
    Ok((value, quoted, ""))
}
