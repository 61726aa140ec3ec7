//! Text of others on its way to a terminal: names of files, tables and members, words of a server, values of
//! records.
//!
//! What would move the cursor, ring, recolour or turn the direction of writing is shown as an escape. Nothing
//! else is changed. JSON says the same characters by its own escapes, which are the same data to whoever
//! parses it.

use std::borrow::Cow;

use dbload::internals::shell::is_acted_on;

fn escaped<'t>(text: &'t str, keeps: impl Fn(char) -> bool) -> Cow<'t, str> {
    if !text.chars().any(|c| is_acted_on(c) && !keeps(c)) {
        return Cow::Borrowed(text);
    }
    let show =
        |c: char| if is_acted_on(c) && !keeps(c) { c.escape_default().collect() } else { String::from(c) };
    Cow::Owned(text.chars().map(show).collect())
}

/// Words of several lines, ours, with text of others in them.
pub(crate) fn words(text: &str) -> Cow<'_, str> {
    escaped(text, |c| matches!(c, '\n' | '\t'))
}

/// Likewise, with the escape sequences of a colour.
pub(crate) fn coloured(text: &str) -> Cow<'_, str> {
    escaped(text, |c| matches!(c, '\n' | '\t' | '\u{1b}'))
}

/// Text of others that has to stay in its line: a name with a line feed makes no line that looks like ours.
pub(crate) fn line(text: &str) -> Cow<'_, str> {
    escaped(text, |_| false)
}

/// A line of JSON. It is data, and mostly piped, but a terminal may be what gets it.
pub(crate) fn json(value: &impl serde::Serialize) -> String {
    use std::fmt::Write as _;
    let text = serde_json::to_string(value).unwrap_or_default();
    let mut out = String::with_capacity(text.len() + 1);
    for c in text.chars() {
        // All of them are in strings, and have four digits.
        if is_acted_on(c) {
            let _ = write!(out, "\\u{:04x}", u32::from(c));
        } else {
            out.push(c);
        }
    }
    out.push('\n');
    out
}

/// A statement of several lines: none of them begins with a piece of a name.
pub(crate) fn block(text: &str) -> String {
    let ours = |line: &str| line.starts_with([' ', ')']) || line.starts_with("CREATE ");
    let shown = |line| if ours(line) { line.to_owned() } else { format!("    {line}") };
    text.split('\n').map(shown).collect::<Vec<_>>().join("\n")
}

/// `error:` and `hint:` lines.
pub(crate) fn error_words(error: &str, hint: Option<&str>) -> String {
    let error = line(error);
    match hint {
        // SQL of several lines, perhaps with a name that has a line end.
        Some(hint) => format!("error: {error}\nhint: {}", hint.replace('\n', "\n      ")),
        None => format!("error: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_shows_and_does_not_act() {
        assert!(matches!(words("größe 😀\n\tx"), Cow::Borrowed(_)));
        assert_eq!(words("a\u{1b}[2Jb\rc\u{9b}d\u{202e}e"), "a\\u{1b}[2Jb\\rc\\u{9b}d\\u{202e}e");
        assert_eq!(line("a\nerror: b\u{2028}"), "a\\nerror: b\\u{2028}");
    }

    #[test]
    fn json_is_the_same_data_without_what_a_terminal_acts_on() {
        let acted_on = (0..=u32::from(char::MAX)).filter_map(char::from_u32).filter(|&c| is_acted_on(c));
        let text: String = acted_on.chain("größe 😀\"\\".chars()).collect();
        let line = json(&text);
        assert_eq!(serde_json::from_str::<String>(&line).unwrap(), text);
        assert!(line.ends_with('\n') && !line.trim_end().chars().any(is_acted_on), "{line}");
        assert!(line.contains("\\u009b") && line.contains("\\u202e") && line.contains("größe 😀"), "{line}");
    }
}
