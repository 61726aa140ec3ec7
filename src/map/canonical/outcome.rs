//! What a text comes to, and how that is said.

/// What a value's text comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::map) enum Canonical {
    /// This number: of two values the greater one has the greater number. Nothing was appended.
    Number(i64),
    /// What was appended.
    Text,
    /// The server alone can tell. Nothing was appended.
    Unread,
}

pub(super) fn push(out: &mut Vec<u8>, text: &[u8]) -> Canonical {
    out.extend_from_slice(text);
    Canonical::Text
}

/// What the server refuses for certain is stored nowhere: any text will do.
pub(super) fn unless_refused(out: &mut Vec<u8>, text: &str, is_refused: bool) -> Canonical {
    if is_refused { push(out, text.as_bytes()) } else { Canonical::Unread }
}

pub(super) fn has_no_digit(text: &str) -> bool {
    !text.bytes().any(|b| b.is_ascii_digit())
}
