//! Words that are about objects, and what a listing says of one. Pure.

/// The schemes of words that are objects.
pub const SCHEMES: [&str; 5] = ["s3", "gs", "az", "abfs", "abfss"];

/// Whether a source word is about objects in a store.
#[must_use]
pub fn is_object(word: &str) -> bool {
    word.split_once("://")
        .is_some_and(|(scheme, _)| SCHEMES.iter().any(|known| scheme.eq_ignore_ascii_case(known)))
}

/// An object that a store has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedObject {
    /// Its word: scheme, bucket and key.
    pub word: String,
    /// Its version as the store lists it, without quotes; unknown where the store may not be asked.
    pub etag: Option<String>,
    /// Its bytes, as they are stored.
    pub size: Option<u64>,
}
