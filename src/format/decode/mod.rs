//! Finds the fields in records. Every span of a block yields fields or an error, in order.
//!
//! Strict: what is no proper JSON object, or has not as many values as the header has names, is an error of
//! that record alone. Never changes a value, never shows one in an error. Pure.

mod bulk;
#[cfg_attr(not(feature = "csv"), path = "csv_absent.rs")]
mod csv;
mod error;
#[cfg_attr(
    not(feature = "csv"),
    expect(dead_code, reason = "what is wrong with fields is said where they are found")
)]
mod field;
mod find;
mod fixed;
mod flat;
mod limits;
mod members;
mod object;
mod rejects;
#[cfg(test)]
mod tests;
mod text;
#[cfg(feature = "csv")]
mod unescape;
mod words;
#[cfg_attr(not(feature = "xml"), path = "xml_absent.rs")]
mod xml;

use std::borrow::Cow;

use super::nul::clean_json;
use super::{Fields, Format};
use crate::record::{Block, Content};
use text::{BlockText, text_of, whole};

pub(super) use csv::{field_count, fields, header_names};
pub use error::{DecodeError, DecodeErrorKind};
pub use limits::DecodeLimits;
pub(super) use rejects::is_reject;
pub use rejects::{KeptReject, RejectOriginal};
pub use text::Each;

/// Decodes each record of the block in order: `each` is called exactly once a span. `header` names the
/// columns of delimiter-separated values; the other formats name their own.
pub fn decode_block(
    format: &Format,
    header: &[String],
    block: &Block,
    limits: &DecodeLimits,
    each: &mut Each<'_>,
) {
    // Of columns no format of text is asked.
    let Content::Text(records) = &block.content else { return };
    match format {
        Format::Csv(dialect) => csv::decode(dialect, header.len(), records, limits, each),
        Format::Fixed(fixed) => fixed::decode(fixed, records, limits, each),
        Format::Bulk => bulk::decode(records, limits, each),
        Format::Xml { .. } => xml::decode(records, limits, each),
        Format::Jsonl | Format::Json { .. } | Format::JsonColumns { .. } => {
            let text = BlockText::new(records);
            let mut members = Vec::new();
            for i in 0..records.spans.len() {
                match whole(records, i).map(|raw| clean_json(raw, limits.on_nul)) {
                    Err(error) => each(i, Err(error)),
                    Ok(Cow::Borrowed(_)) => {
                        let read = text.of(i).and_then(|text| object::members(text, limits, &mut members));
                        each(i, read.map(|()| Fields::Named(&members)));
                    }
                    Ok(Cow::Owned(raw)) => {
                        let mut members = Vec::new();
                        let read = text_of(&raw).and_then(|text| object::members(text, limits, &mut members));
                        each(i, read.map(|()| Fields::Named(&members)));
                    }
                }
            }
        }
        // No text is of columns.
        Format::Columns { .. } => {
            (0..records.spans.len())
                .for_each(|i| each(i, Err(DecodeErrorKind::NotOneRecord.at(records.raw(i), 0))));
        }
        Format::Rejects => {
            for i in 0..records.spans.len() {
                let raw = whole(records, i).map(|raw| clean_json(raw, limits.on_nul));
                match raw.as_deref().map_err(Clone::clone).and_then(text_of) {
                    Ok(text) => rejects::decode(text, limits, &mut |fields| each(i, fields)),
                    Err(error) => each(i, Err(error)),
                }
            }
        }
    }
}
