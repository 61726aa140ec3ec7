//! Text as HTML: shown, never acted upon.

/// Longest text that is shown of a name.
const LONGEST: usize = 200;

/// A text in HTML, in an attribute too. Characters that steer a terminal or turn the direction of writing
/// are shown as what they are not.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for (n, c) in text.chars().enumerate() {
        if n == LONGEST {
            out.push('…');
            break;
        }
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c if steers(c) => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

fn steers(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// A count as people read it.
pub(super) fn count(n: u64) -> String {
    indicatif::HumanCount(n).to_string()
}

/// Bytes as people read them.
pub(super) fn bytes(n: u64) -> String {
    indicatif::HumanBytes(n).to_string()
}

/// A time in seconds, as people read it.
pub(super) fn time(seconds: f64) -> String {
    match seconds {
        s if s >= 3600.0 => format!("{:.1} h", s / 3600.0),
        s if s >= 120.0 => format!("{:.1} min", s / 60.0),
        s if s >= 10.0 => format!("{s:.0} s"),
        s if s >= 1.0 => format!("{s:.1} s"),
        s => format!("{:.0} ms", s * 1e3),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_name_is_markup() {
        let hostile = "<script>alert(1)</script>\"' onload=x &lt; \u{202e}\u{1b}[31m";
        let shown = escaped(hostile);
        for bad in ['<', '>', '"', '\'', '\u{202e}', '\u{1b}'] {
            assert!(!shown.contains(bad), "{shown}");
        }
        assert!(shown.contains("&amp;lt;") && escaped(&"x".repeat(1000)).chars().count() == LONGEST + 1);
    }
}
