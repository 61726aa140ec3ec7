//! Text as a shell takes it, for commands that people are told to run.

/// Whether a terminal acts on the character instead of showing it.
#[must_use]
pub fn is_acted_on(c: char) -> bool {
    // Controls of both sets, line and paragraph separators, and what turns the direction ("trojan source").
    c.is_control()
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{061c}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A word: one, and no flag.
#[must_use]
pub fn shell_word(text: &str) -> String {
    if text.starts_with('-') { shell_value(&format!("./{text}")) } else { shell_value(text) }
}

/// Text that a shell takes as one word, or as one part of a word.
#[must_use]
pub fn shell_value(text: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "_-./:,@%+=".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    if text.chars().any(is_acted_on) {
        // bash, zsh and others; POSIX since 2024.
        let show = |c: char| match c {
            '\'' | '\\' => format!("\\{c}"),
            c if is_acted_on(c) => c.to_string().bytes().map(|byte| format!("\\{byte:03o}")).collect(),
            c => String::from(c),
        };
        return format!("$'{}'", text.chars().map(show).collect::<String>());
    }
    format!("'{}'", text.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_takes_a_word_as_one() {
        for (text, word) in [
            ("t.1.rejects.jsonl", "t.1.rejects.jsonl"),
            ("größe.csv", "größe.csv"),
            ("a b", "'a b'"),
            ("", "''"),
            ("it's; rm -rf $HOME", "'it'\\''s; rm -rf $HOME'"),
            ("-x.jsonl", "./-x.jsonl"),
            ("~a", "'~a'"),
            ("a\n'\u{1b}", "$'a\\012\\'\\033'"),
        ] {
            assert_eq!(shell_word(text), word, "{text:?}");
        }
    }
}
