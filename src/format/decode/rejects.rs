//! Records out of a reject file: what dbload refused before, mended by hand. `record` holds the members; a
//! `raw` text counts if it is a JSON object. A line that is no reject is a plain record, so hand-made lines work.

use std::borrow::Cow;

use super::object::{self, Members};
use super::{DecodeError, DecodeErrorKind, DecodeLimits};
use crate::format::Fields;
use crate::format::json;

/// The member that marks a reject, and the version of its form.
const MARK: (&str, &str) = ("dbload_reject", "1");

/// Whether these are the members of a reject.
pub(in crate::format) fn is_reject(members: &[(Cow<'_, str>, &str)]) -> bool {
    members.iter().any(|(name, value)| (name.as_ref(), *value) == MARK)
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
    let value_of = |wanted: &str| line.iter().find(|(name, _)| name == wanted).map(|(_, value)| *value);
    let mut members = Members::new();
    if let Some(record) = value_of("record").filter(|value| *value != "null") {
        let shift = record.as_ptr() as usize - text.as_ptr() as usize;
        return match object::members(record, limits, &mut members) {
            Ok(()) => one(Ok(Fields::Named(&members))),
            Err(error) => one(Err(error.kind.at(text.as_bytes(), shift + error.offset))),
        };
    }
    let mut raw = String::new();
    let whole = value_of("raw")
        .filter(|value| value.starts_with('"'))
        .is_some_and(|value| json::unescape(value, &mut raw).is_ok());
    let mut members = Members::new();
    if whole && object::members(&raw, limits, &mut members).is_ok() {
        return one(Ok(Fields::Named(&members)));
    }
    one(Err(DecodeErrorKind::RawReject.at(text.as_bytes(), 0)));
}
