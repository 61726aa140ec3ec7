//! The buckets of a load: what they have, and the requests that read it.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;
use std::sync::Arc;

use super::aws::service;
use super::bucket::Bucket;
use super::error::StoreError;
use super::listing::{ListedKey, ListingPage};
use super::pattern::{BucketWord, Level, Question, Walk, is_data_in_folder};
use super::settings::StoreSettings;
use super::word::ListedObject;
use crate::http::{self, Auth, Client, HttpError, Origins, RateLimiters, Request, Version};

/// Pages of one listing: a store that goes on for ever is none.
const PAGES_MAX: usize = 100_000;

/// The buckets that the words of a load name.
#[derive(Clone)]
pub struct Stores {
    buckets: BTreeMap<String, Arc<Bucket>>,
    client: Client,
}

impl fmt::Debug for Stores {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.buckets.keys()).finish()
    }
}

impl Stores {
    /// Finds out where the buckets of these words are, and who reads them. Reads the files that the settings
    /// name; asks nobody yet.
    ///
    /// # Errors
    /// When a word, a setting or a file cannot be used, or nobody is there to sign.
    pub fn new<'w>(
        words: impl IntoIterator<Item = &'w str>,
        settings: &StoreSettings,
        http: &http::Settings,
    ) -> Result<Self, StoreError> {
        let failed = |source: HttpError| StoreError::Setting {
            what: "the settings of requests".to_owned(),
            reason: source.to_string(),
        };
        let client =
            Client::within(&RateLimiters::default(), &plain(http), Origins::default()).map_err(failed)?;
        let mut buckets = BTreeMap::new();
        for word in words {
            let place = BucketWord::parse(word)?;
            if let Entry::Vacant(entry) = buckets.entry(place.root()) {
                let bucket = Bucket::open(&place, settings, &client)?;
                tracing::info!(bucket = entry.key(), "read as {}", bucket.words());
                entry.insert(Arc::new(bucket));
            }
        }
        Ok(Self { buckets, client })
    }

    fn bucket(&self, place: &BucketWord, word: &str) -> Result<&Bucket, StoreError> {
        let bucket = self.buckets.get(&place.root()).map(AsRef::as_ref);
        bucket.ok_or_else(|| StoreError::Word {
            word: word.to_owned(),
            reason: "its bucket was not among those that were named".to_owned(),
        })
    }

    /// The objects that a word means, by their keys.
    ///
    /// # Errors
    /// When the store refuses, or there are none, or more than the limit.
    pub async fn list(&self, word: &str, limit: usize) -> Result<Vec<ListedObject>, StoreError> {
        let place = BucketWord::parse(word)?;
        let bucket = self.bucket(&place, word)?;
        bucket.check(&place).await?;
        let asking = Asking { client: &self.client, bucket, place: &place, word, limit };
        let mut found = if place.is_folder() {
            asking.folder().await?
        } else if place.is_pattern() {
            asking.pattern().await?
        } else {
            asking.one().await?
        };
        // A page that came twice has its objects once.
        found.sort_by(|a, b| a.key.as_bytes().cmp(b.key.as_bytes()));
        found.dedup_by(|a, b| a.key == b.key);
        let listed = found.into_iter().map(|ListedKey { key, etag, size }| ListedObject {
            word: place.word_of(&key),
            etag,
            size,
        });
        Ok(listed.collect())
    }

    /// The request that reads an object: the version that was read before, where the store has versions.
    ///
    /// # Errors
    /// When its key cannot be asked for.
    pub fn request(&self, word: &str, version: Option<&Version>) -> Result<Request, StoreError> {
        let place = BucketWord::parse(word)?;
        let version = version.and_then(|version| version.id.as_deref());
        self.bucket(&place, word)?.object(word, &place.key, version)
    }

    /// Who asks them for what is read at once.
    #[must_use]
    pub const fn client(&self) -> &Client {
        &self.client
    }

    /// The server that was named for the bucket of a word, if any.
    #[must_use]
    pub fn endpoint(&self, word: &str) -> Option<String> {
        let place = BucketWord::parse(word).ok()?;
        self.buckets.get(&place.root())?.endpoint().map(str::to_owned)
    }

    /// An error of a request, with who has asked.
    #[must_use]
    pub fn refused(&self, word: &str, source: HttpError) -> StoreError {
        let bucket = BucketWord::parse(word).ok().and_then(|place| self.buckets.get(&place.root()));
        let identity = bucket.map_or_else(String::new, |bucket| bucket.words());
        StoreError::Refused { act: "read", word: word.to_owned(), identity, source }
    }
}

/// The settings of requests, with who signs them: HTTP sources that are services of AWS.
///
/// # Errors
/// When nobody is there to sign.
pub fn signing(settings: &StoreSettings, http: &http::Settings) -> Result<http::Settings, StoreError> {
    let Some(signed) = &settings.signed else { return Ok(http.clone()) };
    let failed = |source: HttpError| StoreError::Setting {
        what: "the settings of requests".to_owned(),
        reason: source.to_string(),
    };
    let client =
        Client::within(&RateLimiters::default(), &plain(http), Origins::default()).map_err(failed)?;
    Ok(http::Settings { signing: service(signed, settings, &client)?, ..http.clone() })
}

/// A listing that is under way.
struct Asking<'a> {
    client: &'a Client,
    bucket: &'a Bucket,
    place: &'a BucketWord,
    word: &'a str,
    limit: usize,
}

impl Asking<'_> {
    async fn folder(&self) -> Result<Vec<ListedKey>, StoreError> {
        let question = Question { prefix: self.place.key.clone(), one_level: true };
        let mut found = Vec::new();
        let taken = |page: ListingPage, found: &mut Vec<ListedKey>| {
            let is_data = |key: &str| key.strip_prefix(&question.prefix).is_some_and(is_data_in_folder);
            found.extend(page.objects.into_iter().filter(|object| is_data(&object.key)));
        };
        self.pages(&question, &mut found, taken).await?;
        self.some(found, false)
    }

    async fn pattern(&self) -> Result<Vec<ListedKey>, StoreError> {
        let mut walk = Walk::new(self.word, &self.place.key)?;
        let mut found = Vec::new();
        while let Some((question, level)) = walk.next()? {
            self.pages(&question, &mut found, |page, found| take(&mut walk, &level, page, found)).await?;
        }
        self.some(found, false)
    }

    /// One object. Whoever may read it may not list it, perhaps: then it is asked for as it is.
    async fn one(&self) -> Result<Vec<ListedKey>, StoreError> {
        let key = &self.place.key;
        let mut is_folder = false;
        let mut found = Vec::new();
        let question = Question { prefix: key.clone(), one_level: true };
        let request = self.bucket.listing(&question, None)?;
        match self.client.page(&request).await {
            Ok(page) => {
                let page = self.bucket.page(&page.bytes).map_err(|reason| self.odd(reason))?;
                is_folder = page.prefixes.iter().any(|prefix| prefix.strip_suffix('/') == Some(key));
                // It is the first of all that begin with it.
                found.extend(page.objects.into_iter().filter(|object| object.key == *key).take(1));
            }
            Err(HttpError::Status { status, .. }) if self.bucket.may_hide(status.as_u16()) => {
                found.push(ListedKey { key: key.clone(), etag: None, size: None });
            }
            Err(source) => return Err(self.refused(source)),
        }
        self.some(found, is_folder)
    }

    fn some(&self, found: Vec<ListedKey>, is_folder: bool) -> Result<Vec<ListedKey>, StoreError> {
        match found.is_empty() {
            true => Err(StoreError::NoMatch { word: self.word.to_owned(), is_folder }),
            false => Ok(found),
        }
    }

    fn odd(&self, reason: String) -> StoreError {
        StoreError::Listing { word: self.word.to_owned(), reason }
    }

    fn refused(&self, source: HttpError) -> StoreError {
        StoreError::Refused { act: "list", word: self.word.to_owned(), identity: self.bucket.words(), source }
    }

    async fn pages(
        &self,
        question: &Question,
        found: &mut Vec<ListedKey>,
        mut taken: impl FnMut(ListingPage, &mut Vec<ListedKey>),
    ) -> Result<(), StoreError> {
        let mut next: Option<String> = None;
        for _ in 0..PAGES_MAX {
            let request = self.bucket.listing(question, next.as_deref())?;
            let page = self.client.page(&request).await.map_err(|source| self.refused(source))?;
            let mut page = self.bucket.page(&page.bytes).map_err(|reason| self.odd(reason))?;
            let token = page.next.take();
            taken(page, found);
            if found.len() > self.limit {
                // Pages that came twice are no reason.
                found.sort_by(|a, b| a.key.as_bytes().cmp(b.key.as_bytes()));
                found.dedup_by(|a, b| a.key == b.key);
            }
            if found.len() > self.limit {
                return Err(StoreError::TooMany { word: self.word.to_owned(), limit: self.limit });
            }
            match token {
                None => return Ok(()),
                same if same == next => {
                    return Err(self.odd("it leads to the same page again and again".to_owned()));
                }
                token => next = token,
            }
        }
        Err(self.odd(format!("it has more than {PAGES_MAX} pages")))
    }
}

fn take(walk: &mut Walk, level: &Level, page: ListingPage, found: &mut Vec<ListedKey>) {
    found.extend(page.objects.into_iter().filter(|object| walk.takes(&object.key, level)));
    for prefix in page.prefixes {
        walk.descend(&prefix, level);
    }
}

/// The settings without what is for HTTP sources: their credentials are not the store's.
fn plain(http: &http::Settings) -> http::Settings {
    http::Settings {
        headers: Vec::new(),
        parameters: Vec::new(),
        auth: Auth::None,
        signing: http::RequestSigner::default(),
        save_raw: None,
        shared_answers: None,
        throttle_signs: Vec::new(),
        poll: None,
        ..http.clone()
    }
}
