//! Object stores: which objects a word such as `s3://bucket/logs/2026-*.jsonl.gz` means, and the signed
//! requests that read them.
//!
//! `pattern` reads words, `listing` the answers of a store to the question what it has, `address` makes its
//! URLs. `aws` is S3 and what speaks like it, `google` and `azure` are the other two: who signs, and how.
//! Requests go out by `http`'s client, with its retries, limits, proxies and counters; `calls` is how the
//! library that knows credentials reaches servers that give them. Never opens an object, knows nothing of
//! records. No secret enters a message or a stored word, and a profile that was named is never exchanged for
//! another identity.

#[cfg(feature = "object-store")]
mod address;
#[cfg(feature = "object-store")]
mod aws;
#[cfg(feature = "object-store")]
mod azure;
#[cfg(feature = "object-store")]
mod bucket;
#[cfg(feature = "object-store")]
mod calls;
mod error;
#[cfg(feature = "object-store")]
mod google;
#[cfg(feature = "object-store")]
mod listing;
#[cfg(feature = "object-store")]
mod pattern;
mod settings;
#[cfg_attr(not(feature = "object-store"), path = "absent.rs")]
mod stores;
mod word;

pub use error::StoreError;
pub use settings::{SignedService, StoreSettings, Variables};
pub use stores::{Stores, signing};
pub use word::{ListedObject, SCHEMES, is_object};
