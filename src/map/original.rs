//! The original of a rejected record: as a JSON object where it could be split into fields, else its text, and where it
//! is no text that PostgreSQL can hold, its bytes. Nothing is replaced in it.

use crate::format::{DecodeLimits, Fields, Format, Layout, OnNul, RejectOriginal, reject_original};
use crate::record::{Block, SpanKind};

/// Most bytes of an unsplittable record that are kept; of a longer one, its length and hash are.
const RAW_BYTES_MAX: usize = 64 * 1024;

/// A rejected record as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Original {
    /// A JSON object by field name.
    Record(String),
    /// Text that could not be split into fields.
    Raw(String),
    /// Bytes that are no UTF-8, or hold NUL.
    Bytes(Vec<u8>),
}

/// The original of the `i`th record of a block. `limits`: those that it was decoded by.
#[must_use]
pub fn original(limits: &DecodeLimits, layout: &Layout, block: &Block, i: usize) -> Original {
    // As it came, not as it would have been stored.
    let limits = DecodeLimits { on_nul: OnNul::Reject, ..*limits };
    let mut one = block.clone();
    one.spans = vec![block.spans[i]];
    let mut found = None;
    layout.decode(&one, &limits, &mut |_, fields| {
        found = match fields {
            Ok(Fields::Named(members)) => Some(Original::Record(named(members))),
            Ok(Fields::Positional(values)) => Some(Original::Record(positional(&layout.names(), values))),
            Err(_) => None,
        };
    });
    if found.is_none() && layout.format == Format::Rejects && block.spans[i].kind == SpanKind::Whole {
        // A reject that is rejected again: what counts is the record that it holds.
        found = reject_original(block.raw(i)).map(|inner| match inner {
            RejectOriginal::Record(record) => Original::Record(record),
            RejectOriginal::Bytes(bytes) => text_or_bytes(&bytes),
        });
    }
    found.unwrap_or_else(|| raw(block, i))
}

fn named(members: &[(std::borrow::Cow<'_, str>, &str)]) -> String {
    let mut out = String::from("{");
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

/// A reject is a line: the blanks between tokens stay, but for line ends. (In a JSON string there are none.)
fn push_on_one_line(out: &mut String, raw: &str) {
    out.extend(raw.chars().map(|c| if matches!(c, '\n' | '\r') { ' ' } else { c }));
}

fn positional(header: &[String], values: &[Option<&str>]) -> String {
    let members =
        header.iter().zip(values).map(|(name, value)| (name.clone(), serde_json::Value::from(*value)));
    serde_json::Value::Object(members.collect()).to_string()
}

fn raw(block: &Block, i: usize) -> Original {
    let bytes = block.raw(i);
    let length = match block.spans[i].kind {
        SpanKind::TooLong { record_bytes } => record_bytes,
        SpanKind::Whole | SpanKind::Truncated => bytes.len() as u64,
    };
    if length > RAW_BYTES_MAX as u64 {
        let hash = xxhash_rust::xxh3::xxh3_64(bytes);
        return Original::Raw(format!("({length} bytes, xxh3 {hash:016x} of the first {})", bytes.len()));
    }
    text_or_bytes(bytes)
}

/// PostgreSQL's text holds UTF-8 without NUL.
fn text_or_bytes(bytes: &[u8]) -> Original {
    match std::str::from_utf8(bytes) {
        Ok(text) if !text.contains('\0') => Original::Raw(text.to_owned()),
        _ => Original::Bytes(bytes.to_vec()),
    }
}
