//! Sources that are objects in stores: from a word to what the store has. Opens none of them.

use super::error::SourceError;
use super::lists::Lists;
use super::spec::{Location, MAX_SOURCES, SourceSpec, StoreObject};
use crate::store::{ListedObject, Stores};

/// The objects of one word, in the order of their keys.
pub(super) async fn expand(
    word: &str,
    stores: &Stores,
    sources: &mut Vec<SourceSpec>,
) -> Result<(), SourceError> {
    let failed = |source| SourceError::Store { source };
    let room = MAX_SOURCES.saturating_sub(sources.len());
    for ListedObject { word, etag, size } in stores.list(word, room).await.map_err(failed)? {
        let object =
            StoreObject { endpoint: stores.endpoint(&word), word: word.clone(), etag, size, ordinal: 0 };
        sources.push(SourceSpec::new(word, Location::Object(object)));
    }
    Ok(())
}

/// The stores of these words.
pub(super) fn stores<'w>(
    words: impl IntoIterator<Item = &'w str>,
    lists: &Lists,
) -> Result<Stores, SourceError> {
    Stores::new(words, &lists.store, &lists.http).map_err(|source| SourceError::Store { source })
}
