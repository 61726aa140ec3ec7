//! A record of the bulk format: the fields of the document, and the `_id` that its action gives it.

use std::borrow::Cow;

use super::members::RawMembers;
use super::text::{text_of, whole};
use super::{DecodeError, DecodeErrorKind, DecodeLimits, Each, Fields, object};
use crate::format::bulk::{BulkAction, action, names};
use crate::format::nul::clean_json;
use crate::record::Text;

/// The member that an action gives its document.
const ID: &str = "_id";

/// Decodes each record of a block.
pub(super) fn decode(records: &Text, limits: &DecodeLimits, each: &mut Each<'_>) {
    for i in 0..records.spans.len() {
        let raw = whole(records, i).map(|raw| clean_json(raw, limits.on_nul));
        match raw.as_deref().map_err(Clone::clone).and_then(text_of) {
            Ok(text) => {
                let mut members = Vec::new();
                let read = record(text, limits, &mut members);
                each(i, read.map(|()| Fields::Named(&members)));
            }
            Err(error) => each(i, Err(error)),
        }
    }
}

fn record<'t>(text: &'t str, limits: &DecodeLimits, members: &mut RawMembers<'t>) -> Result<(), DecodeError> {
    let refused = |what: String, at: usize| DecodeErrorKind::Action(what).at(text.as_bytes(), at);
    let (line, document) = text.split_once('\n').unwrap_or((text, ""));
    let at = text.len() - document.len();
    // An action cannot be read that is no JSON: that is said rather.
    object::members(line, limits, members)?;
    let (id, document, at) = match action(line) {
        None => return Err(refused(format!("a line that is no action ({}, delete)", names()), 0)),
        Some(BulkAction::Delete) => return Err(refused("a deletion, which is not applied".to_owned(), 0)),
        Some(_) if document.trim().is_empty() => {
            return Err(refused("an action without its document".to_owned(), 0));
        }
        Some(BulkAction::Index { id }) => (id, document, at),
        Some(BulkAction::Update { id }) => {
            object::members(document, limits, members).map_err(|error| behind(error, at))?;
            let part = members.iter().find(|(name, _)| name == "doc").map(|(_, part)| *part);
            let part =
                part.ok_or_else(|| refused("an update without fields: a script is not run".to_owned(), at))?;
            (id, part, text.len() - (document.len() - offset_in(document, part)))
        }
    };
    object::members(document, limits, members).map_err(|error| behind(error, at))?;
    if let Some(id) = id
        && !members.iter().any(|(name, _)| name == ID)
    {
        members.push((Cow::Borrowed(ID), id));
    }
    Ok(())
}

/// Where a part of a text begins in it.
fn offset_in(text: &str, part: &str) -> usize {
    part.as_ptr().addr().saturating_sub(text.as_ptr().addr())
}

/// An error in a part of the record that begins here.
fn behind(mut error: DecodeError, at: usize) -> DecodeError {
    error.offset += at;
    error
}
