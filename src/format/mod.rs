//! Formats: finding records in bytes (split) and fields in records (decode). Pure and synchronous.
//!
//! The splitter finds records, lines and limits once; it serves resume, parallel decoding and errors. The
//! same bytes give the same records however they are cut. Never touches files, Postgres or the clock.

mod bulk;
mod columnar;
#[cfg_attr(not(feature = "parquet"), path = "columns/absent.rs")]
pub(crate) mod columns;
mod compression;
pub mod decode;
pub mod detect;
mod dialect;
#[cfg_attr(not(feature = "encodings"), path = "encoding/absent.rs")]
mod encoding;
pub(crate) mod fix_names;
mod fixed;
pub mod header;
pub mod json;
mod kind;
mod layout;
mod magic;
mod nul;
mod records_path;
mod reshape;
#[cfg(test)]
pub(crate) mod rng;
mod shorten;
pub mod sniff;
pub mod split;
mod unnest;
#[cfg(feature = "testing")]
mod whole;
mod xml;

pub use columnar::expand as expand_columns;
pub use columns::SubMicroseconds;
pub use compression::{
    Compression, Inflated, Inflation, MAGIC_BYTES, XZ_MEMORY_BYTES, ZSTD_WINDOW_LOG, decoder_bytes,
    zstd_window,
};
pub use decode::{DecodeError, DecodeErrorKind, DecodeLimits, KeptReject, RejectOriginal, decode_block};
pub use detect::{DetectError, Detected, detect};
pub use dialect::{Dialect, DialectError, Escape, HeaderRule, LineEnd, Nulls, Sniffed};
pub use encoding::{Encoding, TextDecoder, UnknownEncoding};
pub use fixed::{FixedError, FixedField, FixedWidth};
pub use header::{Header, HeaderError, HeaderLimits, read_header};
pub use kind::{ColumnFile, Fields, Format, MendedValue, Values};
pub use layout::{Constant, Layout};
pub use magic::{is_utf_32, mark_bytes};
pub use nul::{OnNul, clean_json};
pub use records_path::RecordsPath;
pub use reshape::Reshape;
pub use split::{Limits, SplitError, SplitErrorKind, Splitter};
pub use unnest::Unnest;
#[cfg(feature = "testing")]
pub use whole::{EachRecord, TextError, each_record};
pub use xml::{is_xml_path, said_encoding as said_in_xml};
