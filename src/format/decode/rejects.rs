//! Records out of a reject file: what dbload refused before, mended by hand. `record` holds the members; a `raw` text, or
//! the bytes of `raw_base64`, count if they are a JSON object. A line that is no reject is a plain record, so hand-made
//! lines work.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::object::{self, Members};
use super::{DecodeError, DecodeErrorKind, DecodeLimits, text_of};
use crate::format::json;
use crate::format::nul::clean_json;
use crate::format::{Fields, OnNul};

/// The member that marks a reject, and the version of its form.
const MARK: (&str, &str) = ("dbload_reject", "1");

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

/// The record that a line holds, as far as it goes, if the line is a reject: for a reject of that line.
#[must_use]
pub fn reject_original(line: &[u8]) -> Option<RejectOriginal> {
    let limits = DecodeLimits { on_nul: OnNul::Reject, ..DecodeLimits::default() };
    let mut members = Members::new();
    object::members(std::str::from_utf8(line).ok()?, &limits, &mut members).ok()?;
    if !is_reject(&members) {
        return None;
    }
    match value_of(&members, "record") {
        Some(record) => Some(RejectOriginal::Record(record.to_owned())),
        None => raw_bytes(&members).map(RejectOriginal::Bytes),
    }
}

/// Decodes one line; calls `one` exactly once.
pub(super) fn decode(
    text: &str,
    limits: &DecodeLimits,
    one: &mut dyn FnMut(Result<Fields<'_, '_>, DecodeError>),
) {
    let mut line = Members::new();
    if let Err(error) = object::members(text, limits, &mut line) {
        return one(Err(error));
    }
    if !is_reject(&line) {
        return one(Ok(Fields::Named(&line)));
    }
    let mut members = Members::new();
    if let Some(record) = value_of(&line, "record") {
        let shift = record.as_ptr() as usize - text.as_ptr() as usize;
        return match object::members(record, limits, &mut members) {
            Ok(()) => one(Ok(Fields::Named(&members))),
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
    let mut members = Members::new();
    match text_of(&raw).and_then(|raw| object::members(raw, limits, &mut members)) {
        Ok(()) if is_reject(&members) => one(Err(unmended())),
        Ok(()) => one(Ok(Fields::Named(&members))),
        Err(error) => one(Err(error)),
    }
}

fn value_of<'t>(members: &Members<'t>, wanted: &str) -> Option<&'t str> {
    let member = members.iter().find(|(name, _)| name == wanted);
    member.map(|(_, value)| *value).filter(|value| *value != "null")
}

fn raw_bytes(members: &Members<'_>) -> Option<Vec<u8>> {
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
