//! Records out of a reject file: what dbload refused before, mended by hand. `record` holds the members; a
//! `raw` text, or the bytes of `raw_base64`, count if they are a JSON object. A line that is no reject is a
//! plain record, so hand-made lines work. Where the source was delimited text (`"values":"text"`), strings
//! are such text again, not JSON strings: the field `{"a":1}` is an object for a jsonb column, as it was the
//! first time.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::members::RawMembers;
use super::object;
use super::text::text_of;
use super::{DecodeError, DecodeErrorKind, DecodeLimits};
use crate::format::json;
use crate::format::nul::clean_json;
use crate::format::{Fields, Format, MendedValue, OnNul, Values};
use crate::record::{Block, SpanKind};

/// The member that marks a reject, and the version of its form.
const MARK: (&str, &str) = ("dbload_reject", "1");

/// The member that says that the source was delimited text.
const OF_TEXT: (&str, &str) = ("values", "\"text\"");

/// What a line of a reject file keeps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptReject {
    /// The record as the source had it.
    pub original: RejectOriginal,
    /// What its values were written as.
    pub values: Values,
}

/// What a line of a reject file holds of the record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RejectOriginal {
    /// JSON: the record by field.
    Record(String),
    /// Its bytes, from `raw` or `raw_base64`.
    Bytes(Vec<u8>),
}

/// Whether these are the members of a reject.
pub(in crate::format) fn is_reject(members: &[(Cow<'_, str>, &str)]) -> bool {
    members.iter().any(|(name, value)| (name.as_ref(), *value) == MARK)
}

impl Format {
    /// The record that the `i`th record of a block keeps, if it is itself the reject of one.
    #[must_use]
    pub fn kept_in(&self, block: &Block, i: usize) -> Option<KeptReject> {
        match self {
            Self::Rejects if block.kind(i) == SpanKind::Whole => reject_original(block.raw(i)),
            Self::Jsonl
            | Self::Json { .. }
            | Self::JsonColumns { .. }
            | Self::Xml { .. }
            | Self::Bulk
            | Self::Csv(_)
            | Self::Fixed(_)
            | Self::Rejects
            | Self::Columns { .. } => None,
        }
    }
}

/// The record that a line holds, as far as it goes, if the line is a reject: for a reject of that line.
fn reject_original(line: &[u8]) -> Option<KeptReject> {
    let limits = DecodeLimits { on_nul: OnNul::Reject, ..DecodeLimits::default() };
    let mut members = RawMembers::new();
    object::members(std::str::from_utf8(line).ok()?, &limits, &mut members).ok()?;
    if !is_reject(&members) {
        return None;
    }
    let original = match value_of(&members, "record") {
        Some(record) => RejectOriginal::Record(record.to_owned()),
        None => RejectOriginal::Bytes(raw_bytes(&members)?),
    };
    Some(KeptReject { original, values: values_of(&members) })
}

fn values_of(members: &[(Cow<'_, str>, &str)]) -> Values {
    let is_text = members.iter().any(|(name, value)| (name.as_ref(), *value) == OF_TEXT);
    if is_text { Values::Text } else { Values::Json }
}

/// Hands out the members of a record, of which strings stand for what they stood for in its source.
fn hand_out(
    members: &RawMembers<'_>,
    values: Values,
    one: &mut dyn FnMut(Result<Fields<'_, '_>, DecodeError>),
) {
    match values {
        Values::Json => one(Ok(Fields::Named(members))),
        Values::Text => {
            let mended: Vec<_> =
                members.iter().map(|(name, raw)| (name.clone(), mended_value(raw))).collect();
            one(Ok(Fields::Mended(&mended)));
        }
    }
}

fn mended_value(raw: &str) -> MendedValue<'_> {
    if raw == "null" {
        return MendedValue::Null;
    }
    let Some(inner) = raw.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else {
        return MendedValue::Json(raw.into());
    };
    if memchr::memchr(b'\\', inner.as_bytes()).is_none() {
        return MendedValue::Text(inner.into());
    }
    let mut text = String::with_capacity(inner.len());
    match json::unescape(raw, &mut text) {
        Ok(()) => MendedValue::Text(text.into()),
        // What no text can hold: it is refused as a JSON string is, by its column.
        Err(_) => MendedValue::Json(raw.into()),
    }
}

/// Decodes one line; calls `one` exactly once.
pub(super) fn decode(
    text: &str,
    limits: &DecodeLimits,
    one: &mut dyn FnMut(Result<Fields<'_, '_>, DecodeError>),
) {
    let mut line = RawMembers::new();
    if let Err(error) = object::members(text, limits, &mut line) {
        return one(Err(error));
    }
    if !is_reject(&line) {
        return one(Ok(Fields::Named(&line)));
    }
    let values = values_of(&line);
    let mut members = RawMembers::new();
    if let Some(record) = value_of(&line, "record") {
        let shift = record.as_ptr() as usize - text.as_ptr() as usize;
        return match object::members(record, limits, &mut members) {
            Ok(()) => hand_out(&members, values, one),
            Err(error) => one(Err(error.kind.at(text.as_bytes(), shift + error.offset))),
        };
    }
    let unmended = || DecodeErrorKind::RawReject.at(text.as_bytes(), 0);
    if value_of(&line, "raw").or_else(|| value_of(&line, "raw_base64")).is_none() {
        return one(Err(DecodeErrorKind::EmptyReject.at(text.as_bytes(), 0)));
    }
    let Some(raw) = raw_bytes(&line) else { return one(Err(unmended())) };
    let raw = clean_json(&raw, limits.on_nul);
    if !raw.trim_ascii_start().starts_with(b"{") {
        return one(Err(unmended()));
    }
    // Places are those in the record that it was.
    let mut members = RawMembers::new();
    match text_of(&raw).and_then(|raw| object::members(raw, limits, &mut members)) {
        Ok(()) if is_reject(&members) => one(Err(unmended())),
        Ok(()) => hand_out(&members, values, one),
        Err(error) => one(Err(error)),
    }
}

fn value_of<'t>(members: &RawMembers<'t>, wanted: &str) -> Option<&'t str> {
    let member = members.iter().find(|(name, _)| name == wanted);
    member.map(|(_, value)| *value).filter(|value| *value != "null")
}

fn raw_bytes(members: &RawMembers<'_>) -> Option<Vec<u8>> {
    let text = |name| {
        let mut text = String::new();
        let value = value_of(members, name)?;
        json::unescape(value, &mut text).ok().map(|()| text)
    };
    match text("raw") {
        Some(raw) => Some(raw.into_bytes()),
        None => STANDARD.decode(text("raw_base64")?.trim()).ok(),
    }
}
