//! The original of a rejected record: as a JSON object where it could be split into fields, else its bytes.

use crate::format::{DecodeLimits, Fields, Layout};
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
}

/// The original of the `i`th record of a block.
#[must_use]
pub fn original(layout: &Layout, block: &Block, i: usize) -> Original {
    let mut one = block.clone();
    one.spans = vec![block.spans[i]];
    let mut found = None;
    layout.decode(&one, &DecodeLimits::default(), &mut |_, fields| {
        found = match fields {
            Ok(Fields::Named(members)) => Some(named(members)),
            Ok(Fields::Positional(values)) => Some(positional(&layout.names(), values)),
            Err(_) => None,
        };
    });
    found.map_or_else(|| Original::Raw(raw(block, i)), Original::Record)
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

fn raw(block: &Block, i: usize) -> String {
    let bytes = block.raw(i);
    let length = match block.spans[i].kind {
        SpanKind::TooLong { record_bytes } => record_bytes,
        SpanKind::Whole | SpanKind::Truncated => bytes.len() as u64,
    };
    if length > RAW_BYTES_MAX as u64 {
        let hash = xxhash_rust::xxh3::xxh3_64(bytes);
        return format!("({length} bytes, xxh3 {hash:016x} of the first {})", bytes.len());
    }
    // PostgreSQL's text holds no NUL.
    String::from_utf8_lossy(bytes).replace('\0', "\u{fffd}")
}
