//! Where records come from: from a word to blocks of records. The contract that every source keeps is in
//! `source`.
//!
//! `spec` reads words, `list` makes sources of them; `entry` is a source of a run, `opened` one that is being
//! read, `ahead` those that are fetched before their turn, `sample` the first look at them. `access` has what
//! they are opened with. Below that, `stream` opens and decompresses, `blocks` cuts bytes into blocks of
//! whole records, `pages` reads endpoints page by page; `fingerprint` tells whether a file is still the one
//! that was recorded, `seen` whether what was read of it is still there. Reads one source forward, in bounded
//! memory, at most up to the recorded size. Never touches Postgres, never writes.

mod aborted;
mod access;
mod ahead;
mod begin;
mod blocks;
mod content;
mod digest;
mod endpoints;
mod entry;
mod envelope;
mod error;
mod fetched;
mod files;
mod fingerprint;
mod list;
mod lists;
mod opened;
mod pages;
mod records;
mod rows;
mod sample;
mod seen;
mod shape;
mod source;
mod spec;
mod stream;
#[cfg(test)]
mod tests;
mod transcode;
mod web;

pub use access::Access;
pub use ahead::{Ahead, Bounds};
pub use begin::Begin;
pub use blocks::{BLOCK_BYTES, Blocks, ReaderOptions};
pub use entry::{Description, Input, refuse_unreadable};
pub use error::SourceError;
pub use fingerprint::{Change, Fingerprint, Recorded};
pub use list::{SourceList, list};
pub use lists::{EachRows, Lists};
pub use opened::OpenSource;
pub use sample::{SAMPLED_SOURCES, Sampled, SampledFields, sample};
pub use seen::{Passed, compare_with};
pub use source::{Class, Reach};
pub use spec::{Location, SourceSpec, Word};
pub use stream::{OpenHints, RawProgress, Stream};
pub use web::BodyChanged;
