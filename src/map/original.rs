//! The original of a rejected record: as a JSON object where it could be split into fields, else its text,
//! and where it is no text that PostgreSQL can hold, its bytes. Nothing is replaced in it.

use crate::format::{DecodeLimits, Fields, Layout, MendedValue, OnNul, RejectOriginal};
use crate::record::{Block, SpanKind};
use crate::reject::{Kept, Original};

use super::mapping::Mapping;

/// Most bytes of an original that are kept, where the limit on records allows longer ones: a COPY line of
/// PostgreSQL ends at 1 GB, and on it the original has up to twice its length.
const KEPT_BYTES_MAX: usize = 256 << 20;

/// The original of the `i`th record of a block, without values that are masked: of what cannot be split into
/// fields nothing is kept then.
#[must_use]
pub fn masked_original(mapping: &Mapping, layout: &Layout, block: &Block, i: usize) -> Original {
    let original = original(&mapping.limits, layout, block, i);
    if !mapping.shaping.masks() {
        return original;
    }
    let are_texts = original.is_text();
    let kept = match (&original.kept, mapping.shaper(layout)) {
        (Kept::Record(record), Some(mut shaper)) => shaper.without_masked(record, are_texts),
        _ => None,
    };
    Original { kept: kept.map_or(Kept::NotKept, Kept::Record), ..original }
}

/// The original of the `i`th record of a block. `limits`: those that it was decoded by.
#[must_use]
pub fn original(limits: &DecodeLimits, layout: &Layout, block: &Block, i: usize) -> Original {
    if let Some(shown) = layout.shown(block, i) {
        let kept = if shown.len() > KEPT_BYTES_MAX { Kept::NotKept } else { Kept::Record(shown) };
        return Original { kept, values: layout.format.values() };
    }
    let inner = layout.format.kept_in(block, i);
    let values = inner.as_ref().map_or(layout.format.values(), |inner| inner.values);
    // As it came, not as it would have been stored: unless only the rule makes fields of it.
    let strict = DecodeLimits { on_nul: OnNul::Reject, ..*limits };
    let decoded = decoded(&strict, layout, block, i).or_else(|| decoded(limits, layout, block, i));
    // A reject that is rejected again: what counts is the record that it holds.
    let inner = inner.map(|inner| match inner.original {
        RejectOriginal::Record(record) => Kept::Record(record),
        RejectOriginal::Bytes(bytes) => text_or_bytes(&bytes),
    });
    let kept = decoded.or(inner).unwrap_or_else(|| raw(block, i));
    let kept = if kept.bytes_len() > KEPT_BYTES_MAX { Kept::NotKept } else { kept };
    Original { kept, values }
}

/// The record by field, where it can be split.
fn decoded(limits: &DecodeLimits, layout: &Layout, block: &Block, i: usize) -> Option<Kept> {
    // A block of this record alone: decoding begins with a look at all its bytes.
    let mut found = None;
    layout.decode(&block.alone(i), limits, &mut |_, fields| {
        found = match fields {
            Ok(Fields::Named(members)) => Some(Kept::Record(named(members))),
            Ok(Fields::Mended(members)) => Some(Kept::Record(mended(members))),
            Ok(Fields::Positional(values)) => Some(Kept::Record(positional(&layout.names(), values))),
            Err(_) => None,
        };
    });
    found
}

fn named(members: &[(std::borrow::Cow<'_, str>, &str)]) -> String {
    // What it comes to, but for blanks: it may have megabytes, and half of them are not to be had twice.
    let length = members.iter().map(|(name, raw)| name.len() + raw.len() + "\"\":,".len()).sum::<usize>();
    let mut out = String::with_capacity(length + "{}".len());
    out.push('{');
    for (name, raw) in members {
        if out.len() > 1 {
            out.push(',');
        }
        out.push_str(&serde_json::Value::from(name.as_ref()).to_string());
        out.push(':');
        push_on_one_line(&mut out, raw);
    }
    out.push('}');
    out
}

fn mended(members: &[(std::borrow::Cow<'_, str>, MendedValue<'_>)]) -> String {
    let raw = |value: &MendedValue<'_>| match value {
        MendedValue::Null => "null".to_owned(),
        MendedValue::Text(text) => serde_json::Value::from(text.as_ref()).to_string(),
        MendedValue::Json(raw) => raw.to_string(),
    };
    let raws: Vec<_> = members.iter().map(|(name, value)| (name.clone(), raw(value))).collect();
    let members: Vec<_> = raws.iter().map(|(name, raw)| (name.clone(), raw.as_str())).collect();
    named(&members)
}

/// A reject is a line: the blanks between tokens stay, but for line ends. (In a JSON string there are none.)
fn push_on_one_line(out: &mut String, raw: &str) {
    for (n, part) in raw.split(['\n', '\r']).enumerate() {
        out.push_str(if n > 0 { " " } else { "" });
        out.push_str(part);
    }
}

fn positional(header: &[String], values: &[Option<&str>]) -> String {
    let members =
        header.iter().zip(values).map(|(name, value)| (name.clone(), serde_json::Value::from(*value)));
    serde_json::Value::Object(members.collect()).to_string()
}

fn raw(block: &Block, i: usize) -> Kept {
    match block.kind(i) {
        SpanKind::TooLong { .. } => Kept::NotKept,
        SpanKind::Whole
        | SpanKind::Made { .. }
        | SpanKind::Truncated
        | SpanKind::Missing
        | SpanKind::Ragged { .. } => text_or_bytes(block.raw(i)),
    }
}

/// PostgreSQL's text holds UTF-8 without NUL.
fn text_or_bytes(bytes: &[u8]) -> Kept {
    match std::str::from_utf8(bytes) {
        Ok(text) if !text.contains('\0') => Kept::Raw(text.to_owned()),
        _ => Kept::Bytes(bytes.to_vec()),
    }
}
