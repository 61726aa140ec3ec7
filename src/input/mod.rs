//! Where records come from: from a word to blocks of records. The contract that every source keeps is in
//! `source`.
//!
//! `spec` reads words, `list` makes sources of them; `entry` is a source of a run, `opened` one that is being
//! read, `ahead` those that are fetched before their turn, `sample` the first look at them. `access` has what
//! they are opened with. Below that, `stream` opens and decompresses, `blocks` cuts bytes into blocks of
//! whole records, `pages` reads endpoints page by page, `columns` files of
//! columns row by row; `fingerprint` tells whether a file is still the one
//! that was recorded, `seen` whether what was read of it is still there. Reads one source forward, in bounded
//! memory, at most up to the recorded size. Never touches Postgres; writes nothing but what waits in a
//! `spool`.

mod aborted;
mod access;
mod ahead;
#[cfg_attr(not(feature = "archives"), path = "archives/absent.rs")]
mod archives;
mod begin;
mod blocks;
#[cfg_attr(not(feature = "parquet"), path = "columns/absent.rs")]
mod columns;
mod columns_of;
mod content;
mod digest;
mod elsewhere;
mod end_mark;
mod endpoints;
mod entry;
mod envelope;
mod error;
mod fetched;
mod files;
mod fingerprint;
mod folders;
mod format;
mod list;
mod lists;
mod member;
mod objects;
mod opened;
mod pages;
mod partitions;
mod records;
mod repacked;
mod rows;
mod same;
mod sample;
mod seen;
mod shape;
mod source;
mod spec;
mod spool;
mod stream;
mod table_rows;
mod tables;
#[cfg(test)]
mod tests;
mod transcode;
mod web;
mod words;

pub use access::Access;
pub use ahead::{Ahead, Bounds};
pub use begin::Begin;
pub use blocks::{BLOCK_BYTES, Blocks, ReaderOptions};
pub use columns::ColumnsError;
#[cfg(feature = "parquet")]
pub use columns::first_rows;
pub use end_mark::EndMarkError;
pub use entry::{Description, Input};
pub use error::SourceError;
pub use fingerprint::{Change, Fingerprint, Recorded};
pub use format::refuse_unreadable;
pub use list::{SourceList, list};
pub use lists::{EachRows, Lists};
pub use member::{ArchiveMember, MemberError, MemberNames};
pub use opened::OpenSource;
pub use sample::{SAMPLED_SOURCES, Sampled, SampledFields, sample};
pub use seen::{Passed, Readings, compare_with};
pub use source::{Class, Reach};
pub use spec::{Location, SourceSpec, StoreObject, Word};
pub use stream::{OpenHints, RawProgress, Stream};
pub use tables::{
    Databases, RowsBetween, TableError, TableOrQuery, TableReader, TableWord, TableWordError, is_database,
    is_database_file, is_database_server, is_mysql,
};
pub use web::BodyChanged;
