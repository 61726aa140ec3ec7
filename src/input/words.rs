//! Words of errors about places and kinds.

pub(super) fn other_words(what: Option<&str>, content_type: &str) -> String {
    match what {
        Some(what) => format!("{what}: that is not read"),
        None => format!("of the type {content_type:?}, and no format that is told by its first bytes"),
    }
}

pub(super) fn row_words(row: u64) -> String {
    if row == 0 { String::new() } else { format!(" behind row {row}") }
}

pub(super) fn line_words(line: usize) -> String {
    if line == 0 { String::new() } else { format!(", line {line}") }
}
