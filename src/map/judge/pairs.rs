//! Keys of hstore: `a=>1, "b c" => NULL`.

use std::collections::HashSet;

/// Whether two pairs have one key. Of a text that is no hstore it says anything.
pub(super) fn has_doubled(text: &str) -> bool {
    let mut keys = HashSet::new();
    let mut rest = text;
    loop {
        let Some((key, behind)) = word(rest) else { return false };
        let Some(value) = behind.trim_ascii_start().strip_prefix("=>") else { return false };
        if !keys.insert(key) {
            return true;
        }
        let Some((_, behind)) = word(value) else { return false };
        let Some(next) = behind.trim_ascii_start().strip_prefix(',') else { return false };
        rest = next;
    }
}

/// A key or a value, and what is behind it.
fn word(text: &str) -> Option<(String, &str)> {
    let text = text.trim_ascii_start();
    let quoted = text.starts_with('"');
    let mut word = String::new();
    let mut chars = text.char_indices().skip(usize::from(quoted));
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => word.extend(chars.next().map(|(_, c)| c)),
            '"' if quoted => return Some((word, &text[at + 1..])),
            c if !quoted && (c.is_ascii_whitespace() || c == ',' || text[at..].starts_with("=>")) => {
                return Some((word, &text[at..]));
            }
            c => word.push(c),
        }
    }
    (!quoted && !word.is_empty()).then_some((word, ""))
}
