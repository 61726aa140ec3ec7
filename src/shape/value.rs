//! Values on their way: texts of delimited fields, and JSON.

use std::borrow::Cow;

use crate::format::MendedValue;
use crate::format::json::{self, StringError};
use crate::reject_codes;

/// SQLSTATE and reason.
pub(super) type ValueMisfit = (&'static str, String);

pub(super) fn no_text(error: &StringError) -> ValueMisfit {
    let sqlstate = match error {
        StringError::Nul => reject_codes::NOT_TEXT,
        StringError::LoneSurrogate => reject_codes::NO_CHARACTER,
        StringError::Malformed => reject_codes::NO_VALUE,
    };
    (sqlstate, error.to_string())
}

/// A JSON value as a value of a record.
pub(super) fn of_json(raw: &str) -> MendedValue<'_> {
    if raw == "null" { MendedValue::Null } else { MendedValue::Json(Cow::Borrowed(raw)) }
}

/// The text of a JSON string (with its quotes).
pub(super) fn string_text(quoted: &str) -> Result<Cow<'_, str>, StringError> {
    if memchr::memchr(b'\\', quoted.as_bytes()).is_none() {
        let inner = quoted.get(1..quoted.len().saturating_sub(1));
        return inner.map(Cow::Borrowed).ok_or(StringError::Malformed);
    }
    let mut text = String::with_capacity(quoted.len());
    json::unescape(quoted, &mut text)?;
    Ok(Cow::Owned(text))
}

/// A value without the blanks around its text. A string that no text can hold stays: its column refuses it.
pub(super) fn trimmed(value: MendedValue<'_>) -> MendedValue<'_> {
    match value {
        MendedValue::Text(Cow::Borrowed(text)) => MendedValue::Text(Cow::Borrowed(text.trim())),
        MendedValue::Text(Cow::Owned(text)) => MendedValue::Text(Cow::Owned(text.trim().to_owned())),
        MendedValue::Json(raw) if raw.starts_with('"') => {
            let shorter = match string_text(&raw) {
                Ok(text) if text.trim().len() < text.len() => {
                    Some(serde_json::Value::from(text.trim()).to_string())
                }
                Ok(_) | Err(_) => None,
            };
            MendedValue::Json(shorter.map_or(raw, Cow::Owned))
        }
        other => other,
    }
}

/// Whether it is a JSON string with one of these texts.
pub(super) fn is_string_of(value: &MendedValue<'_>, texts: &[String]) -> bool {
    match value {
        MendedValue::Json(raw) if raw.starts_with('"') => {
            string_text(raw).is_ok_and(|text| texts.iter().any(|other| *other == text))
        }
        _ => false,
    }
}

/// The text of a value that is a string or a scalar; `None`: it is nested.
pub(super) fn text_of<'v>(value: &'v MendedValue<'_>) -> Result<Option<Cow<'v, str>>, ValueMisfit> {
    match value {
        MendedValue::Null => Ok(None),
        MendedValue::Text(text) => Ok(Some(Cow::Borrowed(text))),
        MendedValue::Json(raw) => match raw.as_bytes().first() {
            Some(b'"') => string_text(raw).map(Some).map_err(|error| no_text(&error)),
            Some(b'{' | b'[') | None => Ok(None),
            Some(_) => Ok(Some(Cow::Borrowed(raw))),
        },
    }
}

/// The text of a field, of a nested one its JSON; `None`: it is null.
///
/// # Errors
/// SQLSTATE and reason, where it is a string that no text can be.
pub fn field_text<'v>(value: &'v MendedValue<'_>) -> Result<Option<Cow<'v, str>>, (&'static str, String)> {
    let text = match (text_of(value)?, value) {
        (None, MendedValue::Json(raw)) => Some(Cow::Borrowed(raw.as_ref())),
        (text, _) => text,
    };
    match &text {
        Some(text) if text.contains('\0') => Err(no_text(&StringError::Nul)),
        _ => Ok(text),
    }
}
