//! One value of a record: what a field holds, and how it becomes COPY text.

use crate::format::MendedValue;
use crate::format::json::StringError;
use crate::reject_codes;
use crate::schema::PgType;

use super::copy_text::{self, is_verbatim, push_escaped, push_integer, push_uuid};
use super::nested::{self, NestedError};

/// What a field holds.
#[derive(Debug, Clone, Copy)]
pub(super) enum Cell<'a> {
    Absent,
    Null,
    Text(&'a str),
    Json(&'a str),
}

impl<'a> Cell<'a> {
    /// What a member of an object has.
    pub(super) fn of_json(raw: &'a str) -> Self {
        if raw == "null" { Self::Null } else { Self::Json(raw) }
    }

    /// What is there of a value on its way.
    pub(super) fn of(value: &'a MendedValue<'_>) -> Self {
        match value {
            MendedValue::Null => Self::Null,
            MendedValue::Text(text) => Self::Text(text),
            MendedValue::Json(raw) => Self::Json(raw),
        }
    }

    /// Appends it as a member of an object that is open, or begins one.
    pub(super) fn push_member(self, object: &mut String, name: String) {
        object.push(if object.is_empty() { '{' } else { ',' });
        object.push_str(&serde_json::Value::from(name).to_string());
        object.push(':');
        match self {
            Cell::Json(raw) => object.push_str(raw),
            Cell::Text(text) => object.push_str(&serde_json::Value::from(text).to_string()),
            Cell::Null | Cell::Absent => object.push_str("null"),
        }
    }

    /// Its text, if that stands in the source as the server will read it: without the quotes of a JSON
    /// string, which must have no escapes.
    #[inline]
    pub(super) fn plain_text(self) -> Option<&'a str> {
        match self {
            Cell::Text(text) => Some(text),
            Cell::Json(raw) => match raw.as_bytes() {
                [b'"', ..] => raw.get(1..raw.len() - 1),
                [b'{' | b'[', ..] => None,
                _ => Some(raw),
            },
            Cell::Absent | Cell::Null => None,
        }
    }
}

/// Whether the text of a value of this type goes to the server as it came, but for escapes; `canonical` as
/// for [`push_cell`].
pub(super) fn passes(ty: &PgType, canonical: bool) -> bool {
    match ty {
        PgType::Int | PgType::Json => false,
        PgType::Uuid => !canonical,
        PgType::Text
        | PgType::Padded
        | PgType::Enum
        | PgType::Array(..)
        | PgType::Composite(_)
        | PgType::Hstore
        | PgType::Canonical(_)
        | PgType::Other => true,
    }
}

/// SQLSTATE and reason.
pub(super) type ValueError = (&'static str, String);

fn value_error(error: &NestedError) -> ValueError {
    let sqlstate = match error {
        NestedError::String(StringError::Nul) => reject_codes::NOT_TEXT,
        NestedError::String(StringError::LoneSurrogate) => reject_codes::NO_CHARACTER,
        NestedError::String(StringError::Malformed) => reject_codes::NO_VALUE,
        NestedError::UnknownAttribute(_) => reject_codes::NO_COLUMN,
        NestedError::DuplicateMember(_) => reject_codes::DUPLICATE_MEMBER,
        NestedError::TooManyDimensions => reject_codes::BEYOND_LIMITS,
    };
    (sqlstate, error.to_string())
}

/// The text that the server reads; `nested` is room for one that does not stand in the source.
pub(super) fn text_of<'t>(
    cell: Cell<'t>,
    ty: &PgType,
    nested: &'t mut String,
) -> Result<&'t str, ValueError> {
    match cell {
        Cell::Absent | Cell::Null => Ok(""),
        Cell::Text(text) => Ok(text),
        Cell::Json(raw) => match raw.as_bytes() {
            _ if matches!(ty, PgType::Json) => Ok(raw),
            [b'"', ..] if memchr::memchr(b'\\', raw.as_bytes()).is_none() => Ok(&raw[1..raw.len() - 1]),
            [b'"' | b'{' | b'[', ..] => {
                push_nested(nested, raw, ty)?;
                Ok(nested)
            }
            _ => Ok(raw),
        },
    }
}

/// The text of a JSON value that is no plain one.
pub(super) fn push_nested(scratch: &mut String, raw: &str, ty: &PgType) -> Result<(), ValueError> {
    scratch.clear();
    nested::push_text(scratch, raw, ty).map_err(|e| value_error(&e))
}

/// Appends one value. `canonical`: equal values must give equal bytes, or be refused.
pub(super) fn push_cell(
    out: &mut Vec<u8>,
    scratch: &mut String,
    cell: Cell<'_>,
    ty: &PgType,
    canonical: bool,
) -> Result<(), ValueError> {
    match cell {
        Cell::Absent | Cell::Null => {
            out.extend_from_slice(copy_text::NULL);
            Ok(())
        }
        Cell::Text(text) => push_text(out, text, ty, canonical),
        Cell::Json(raw) => match (raw.as_bytes().first(), ty) {
            (_, PgType::Json) => {
                push_escaped(out, raw.as_bytes());
                Ok(())
            }
            (
                Some(b'"'),
                PgType::Other | PgType::Canonical(_) | PgType::Text | PgType::Padded | PgType::Enum,
            ) if is_verbatim(raw.as_bytes()) => {
                out.extend_from_slice(&raw.as_bytes()[1..raw.len() - 1]);
                Ok(())
            }
            (Some(b'"'), _) if memchr::memchr(b'\\', raw.as_bytes()).is_none() => {
                push_text(out, &raw[1..raw.len() - 1], ty, canonical)
            }
            (Some(b'"' | b'{' | b'['), _) => {
                push_nested(scratch, raw, ty)?;
                push_text(out, scratch, ty, canonical)
            }
            _ => push_text(out, raw, ty, canonical),
        },
    }
}

fn push_text(out: &mut Vec<u8>, text: &str, ty: &PgType, canonical: bool) -> Result<(), ValueError> {
    let known = match ty {
        PgType::Int => push_integer(out, text),
        PgType::Uuid if canonical => push_uuid(out, text),
        _ => {
            push_escaped(out, text.as_bytes());
            true
        }
    };
    if known {
        return Ok(());
    }
    if canonical {
        let what = if matches!(ty, PgType::Uuid) { "a uuid" } else { "an integer" };
        return Err((reject_codes::NO_VALUE, format!("the value of this key column is not {what}")));
    }
    // Not for us to judge: the server may read it (0x1F), or says why not.
    push_escaped(out, text.as_bytes());
    Ok(())
}

/// The same room for cells of another lifetime.
pub(super) fn recycle<'to>(mut cells: Vec<Cell<'_>>) -> Vec<Cell<'to>> {
    cells.clear();
    cells.into_iter().map(|_| Cell::Absent).collect()
}
