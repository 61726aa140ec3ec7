//! The values in a value: elements of an array, bounds of a range, attributes of a row, as the server writes
//! them.

use std::borrow::Cow;

use super::loss::Loss;

/// Of an array: `{1,"a b",{2}}`, perhaps with its bounds (`[0:1]={..}`).
pub(super) fn array(
    text: &str,
    delimiter: char,
    mut judge: impl FnMut(&str) -> Option<Loss>,
) -> Option<Loss> {
    let elements = match text.find("={") {
        Some(at) if text.trim_ascii_start().starts_with('[') => &text[at + 1..],
        _ => text,
    };
    pieces(
        elements,
        Spaces::Around,
        |c| matches!(c, '{' | '}') || c == delimiter,
        |piece| {
            let is_null = !piece.quoted && piece.text.eq_ignore_ascii_case("null");
            if is_null { None } else { judge(&piece.text) }
        },
    )
}

/// Of a range or a multirange: `[1,2)`, `{[1,2),(3,4]}`.
pub(super) fn range(text: &str, mut judge: impl FnMut(&str) -> Option<Loss>) -> Option<Loss> {
    pieces(
        text,
        Spaces::Around,
        |c| matches!(c, '{' | '}' | '[' | ']' | '(' | ')' | ','),
        |piece| {
            let is_empty = !piece.quoted && piece.text.eq_ignore_ascii_case("empty");
            if is_empty { None } else { judge(&piece.text) }
        },
    )
}

/// Of a row: `(1,"a b",)`.
pub(super) fn composite(text: &str, mut judge: impl FnMut(usize, &str) -> Option<Loss>) -> Option<Loss> {
    let is_separator = |c| matches!(c, '(' | ')' | ',');
    pieces(text, Spaces::Inside, is_separator, |piece| judge(piece.commas, &piece.text))
}

/// Whether spaces at the ends of a value without quotes belong to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Spaces {
    Around,
    Inside,
}

struct InnerValue<'a> {
    text: Cow<'a, str>,
    quoted: bool,
    /// Commas before it.
    commas: usize,
}

/// What stands between separators, without quotes and escapes.
fn pieces(
    text: &str,
    spaces: Spaces,
    is_separator: impl Fn(char) -> bool,
    mut judge: impl FnMut(InnerValue<'_>) -> Option<Loss>,
) -> Option<Loss> {
    let (mut rest, mut commas) = (text, 0);
    loop {
        if spaces == Spaces::Around {
            rest = rest.trim_ascii_start();
        }
        let first = rest.chars().next()?;
        if is_separator(first) {
            commas += usize::from(first == ',');
            rest = &rest[first.len_utf8()..];
            continue;
        }
        let (piece, quoted, behind) = piece(rest, spaces, &is_separator);
        rest = behind;
        let loss = judge(InnerValue { text: piece, quoted, commas });
        if loss.is_some() {
            return loss;
        }
    }
}

/// One, and what is behind it. It may be quoted in parts.
fn piece<'a>(
    text: &'a str,
    spaces: Spaces,
    is_separator: &impl Fn(char) -> bool,
) -> (Cow<'a, str>, bool, &'a str) {
    let plain = text.find(|c| matches!(c, '"' | '\\') || is_separator(c)).unwrap_or(text.len());
    if !text[plain..].starts_with(['"', '\\']) {
        let piece = &text[..plain];
        let piece = if spaces == Spaces::Around { piece.trim_ascii_end() } else { piece };
        return (Cow::Borrowed(piece), false, &text[plain..]);
    }
    let (mut out, mut in_quotes, mut quoted) = (String::new(), false, false);
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => out.extend(chars.next().map(|(_, c)| c)),
            // Doubled, as in rows and ranges.
            '"' if in_quotes && chars.next_if(|(_, next)| *next == '"').is_some() => out.push('"'),
            '"' => {
                in_quotes = !in_quotes;
                quoted = true;
            }
            c if !in_quotes && is_separator(c) => return (Cow::Owned(out), quoted, &text[at..]),
            c if !in_quotes && quoted && spaces == Spaces::Around && c.is_ascii_whitespace() => {}
            c => out.push(c),
        }
    }
    (Cow::Owned(out), quoted, "")
}
