//! Sources: from the words of the command line to blocks of records.
//!
//! `resolve` turns words into files, `fingerprint` tells whether a file is still the one that was recorded, `seen`
//! whether what was read of it is still there, `stream` opens and decompresses, `blocks` cuts the bytes into blocks of whole records. Reads one source
//! forward, in bounded memory, at most up to the recorded size. Never touches Postgres, never writes.

mod blocks;
mod content;
mod endpoints;
mod envelope;
mod error;
mod fingerprint;
mod pages;
mod records;
mod resolve;
mod seen;
mod stream;
#[cfg(test)]
mod tests;
mod transcode;
mod web;

pub use blocks::{BLOCK_BYTES, Blocks, Reading};
pub use endpoints::Lists;
pub use error::SourceError;
pub use fingerprint::{Change, Fingerprint};
pub use pages::{Opening, Pages};
pub use records::Records;
pub use resolve::{Location, SourceSpec, resolve, resolve_with};
pub use seen::{Passed, compare_with};
pub use stream::{RawProgress, Stream};
pub use web::BodyChanged;
