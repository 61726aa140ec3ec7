//! One value by itself: the text that the server reads for it, where it is no part of a block.

use crate::schema::{Column, PgType};

use super::cell::push_nested;
use super::copy_text::push_integer;
use super::judge::{Clocks, loss};

/// The text of a JSON value (not `null`) for a column.
///
/// # Errors
/// In words, where the column would not hold what the value says.
pub fn json_text(column: &Column, raw: &str) -> Result<String, String> {
    let text = match (&column.ty, raw.as_bytes().first()) {
        (PgType::Json, _) => raw.to_owned(),
        (ty, Some(b'"' | b'{' | b'[')) => {
            let mut text = String::new();
            push_nested(&mut text, raw, ty).map_err(|(_, reason)| reason)?;
            text
        }
        _ => raw.to_owned(),
    };
    plain_text(column, &text)
}

/// The text of a value that is text already, for a column.
///
/// # Errors
/// As [`json_text`].
pub fn plain_text(column: &Column, text: &str) -> Result<String, String> {
    let lost = column.narrows.as_ref().and_then(|narrows| loss(narrows, Clocks { are_utc: true }, text));
    if let Some(lost) = lost {
        return Err(format!("{} in a column of type {}", lost.words(), column.type_name));
    }
    let mut digits = Vec::new();
    if column.ty == PgType::Int && push_integer(&mut digits, text) {
        return Ok(String::from_utf8(digits).unwrap_or_default());
    }
    Ok(text.to_owned())
}
