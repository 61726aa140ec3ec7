//! Formats: finding records in bytes (split) and fields in records (decode). Pure and synchronous.
//!
//! The splitter finds records, lines and limits once; it serves resume, parallel decoding and errors. The
//! same bytes give the same records however they are cut. Never touches files, Postgres or the clock.

mod compression;
pub mod decode;
pub mod detect;
mod dialect;
#[cfg(test)]
mod dice;
mod encoding;
pub mod header;
pub mod json;
mod layout;
mod nul;
pub mod split;

use std::borrow::Cow;

pub use compression::{
    Compression, Inflated, Inflation, MAGIC_BYTES, XZ_MEMORY_BYTES, ZSTD_WINDOW_LOG, decoder_bytes,
    zstd_window,
};
pub use decode::{
    DecodeError, DecodeErrorKind, DecodeLimits, KeptReject, RejectOriginal, decode_block, reject_original,
};
pub use detect::{DetectError, Detected, detect};
pub use dialect::{Dialect, DialectError};
pub use encoding::{BOM_BYTES, Encoding, TextDecoder, UnknownEncoding};
pub use header::{Header, HeaderError, HeaderLimits, read_header};
pub use layout::{Constant, Layout};
pub use nul::{OnNul, clean_json};
pub use split::{Limits, SplitError, SplitErrorKind, Splitter};

/// What kind of records a source holds, and how they are written.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case", tag = "format")]
pub enum Format {
    /// One JSON object a line (NDJSON).
    Jsonl,
    /// JSON text: the elements of a top-level array, or of the array at `records`; or top-level objects.
    Json {
        /// Path to the array of records (`data.items` or `/data/items`), if not the top level.
        records: Option<String>,
    },
    /// Delimiter-separated values.
    Csv(Dialect),
    /// A reject file that dbload wrote: JSONL whose `record` (or `raw`, or `raw_base64`) is the record.
    Rejects,
}

/// The fields of one record, as decoded.
#[derive(Debug)]
pub enum Fields<'r, 'b> {
    /// Names and raw JSON text of the values (`"a\n"`, `1.50`, `null`, `{..}`), in the order of the record.
    Named(&'r [(Cow<'b, str>, &'b str)]),
    /// Values in the order of the header; `None` is NULL.
    Positional(&'r [Option<&'r str>]),
    /// Names and values of a reject whose source was delimited text: what was text there is text again.
    Mended(&'r [(Cow<'b, str>, MendedValue<'b>)]),
}

/// A value of a reject whose source was delimited text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MendedValue<'b> {
    /// NULL.
    Null,
    /// Text, as in a field of the source.
    Text(Cow<'b, str>),
    /// Any other JSON value: nothing that the source held, but what it was mended into.
    Json(&'b str),
}

/// What the values of a record were written as, and what a string in its reject stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Values {
    /// JSON: a string is a JSON string.
    #[default]
    Json,
    /// Text of delimited fields.
    Text,
}

/// A name as errors show it: long ones are cut, so that no message carries a record's worth of text.
fn shorten(name: &str) -> String {
    const SHOWN: usize = 60;
    match name.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}..", &name[..end]),
        None => name.to_owned(),
    }
}
