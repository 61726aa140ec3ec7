//! Names in messages.

/// A name as errors show it: long ones are cut, so that no message carries a record's worth of text.
pub(super) fn shorten(name: &str) -> String {
    const SHOWN: usize = 60;
    match name.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}..", &name[..end]),
        None => name.to_owned(),
    }
}
