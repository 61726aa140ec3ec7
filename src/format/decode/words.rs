//! What is wrong with a record that is no JSON, in the user's terms: what was found, what had to stand there.
//!
//! serde_json says so in words of parsers. They are matched here, in one place, and pinned by the lock file
//! and by a test; words that are not known are passed on. Shows one character of syntax at most, never a
//! value.

/// How serde_json's words for a bare control character in a string begin.
pub(super) const CONTROL_CHARACTER: &str = "control character";

/// The reason for a syntax error at byte `offset` of the record.
pub(super) fn reason(error: &serde_json::Error, text: &str, offset: usize) -> String {
    // serde_json counts from the record's start; the place is given in the record's own terms.
    let place = format!(" at line {} column {}", error.line(), error.column());
    let words = error.to_string();
    let Some(words) = words.strip_suffix(&place) else { return "unreadable".to_owned() };
    let found = found(text, offset);
    match words {
        "EOF while parsing a string" => {
            "the record ends inside a string: its closing `\"` is missing".to_owned()
        }
        "EOF while parsing an object" => {
            "the record ends inside an object: its closing `}` is missing".to_owned()
        }
        "EOF while parsing a list" => {
            "the record ends inside an array: its closing `]` is missing".to_owned()
        }
        "EOF while parsing a value" => "the record ends where a value must stand".to_owned(),
        "expected value" => format!("found {found} where a value must stand"),
        "expected ident" => format!("found {found} in a word: the only ones are true, false and null"),
        "expected `:`" => format!("found {found} where the `:` behind a name must stand"),
        "expected `,` or `}`" => format!("found {found} where `,` or `}}` must stand"),
        "expected `,` or `]`" => format!("found {found} where `,` or `]` must stand"),
        "key must be a string" => format!("found {found} where a name in double quotes must stand"),
        "trailing comma" => format!("found {found} behind a comma, where one more must stand"),
        "trailing characters" => format!("found {found} behind the end of the object"),
        "invalid number" => {
            "a number as JSON has none (no `+`, no leading zeros, digits on both sides of a point)".to_owned()
        }
        "invalid escape" => {
            "a backslash before what cannot be escaped (a backslash itself is written `\\\\`)".to_owned()
        }
        _ if words.starts_with(CONTROL_CHARACTER) => {
            format!("found {found} inside a string, where it is written as an escape (`\\n`, `\\t`, ..)")
        }
        "lone leading surrogate in hex escape" | "unexpected end of hex escape" => {
            "a lone surrogate is no character".to_owned()
        }
        other => other.to_owned(),
    }
}

/// The character at a place, as a message shows it.
fn found(text: &str, offset: usize) -> String {
    match text.get(offset..).and_then(|rest| rest.chars().next()) {
        None => "the end of the record".to_owned(),
        Some('\n') => "a line break".to_owned(),
        Some('\t') => "a tab".to_owned(),
        Some(c) if c.is_ascii_graphic() => format!("`{c}`"),
        Some(c) => format!("U+{:04X}", u32::from(c)),
    }
}
