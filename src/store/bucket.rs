//! A bucket of whichever store: what is asked of it, and how its answers are read.

use super::aws::S3Bucket;
use super::azure::AzureContainer;
use super::error::StoreError;
use super::google::GoogleBucket;
use super::listing::{self, ListingPage};
use super::pattern::{BucketWord, Question};
use super::settings::StoreSettings;
use crate::http::{Client, Request};

/// A bucket, and who reads it.
pub(super) enum Bucket {
    S3(S3Bucket),
    Google(GoogleBucket),
    Azure(AzureContainer),
}

impl Bucket {
    /// Finds out where it is and who reads it. Asks nobody yet.
    pub(super) fn open(
        place: &BucketWord,
        settings: &StoreSettings,
        client: &Client,
    ) -> Result<Self, StoreError> {
        Ok(match place.scheme.as_str() {
            "s3" => Self::S3(S3Bucket::open(place, settings, client)?),
            "gs" => Self::Google(GoogleBucket::open(place, settings, client)?),
            _ => Self::Azure(AzureContainer::open(place, settings, client)?),
        })
    }

    /// Whether there is somebody to sign: before anything is asked for.
    pub(super) async fn check(&self, place: &BucketWord) -> Result<(), StoreError> {
        match self {
            Self::S3(bucket) => bucket.check(place).await,
            Self::Google(bucket) => bucket.check(place).await,
            Self::Azure(container) => container.check(place).await,
        }
    }

    /// Who reads it and where, without secrets.
    pub(super) fn words(&self) -> String {
        match self {
            Self::S3(bucket) => bucket.words(),
            Self::Google(bucket) => bucket.words(),
            Self::Azure(container) => container.words(),
        }
    }

    /// The server, where its name is a part of what an object is.
    pub(super) fn endpoint(&self) -> Option<&str> {
        match self {
            Self::S3(bucket) => bucket.endpoint(),
            Self::Google(bucket) => bucket.endpoint(),
            Self::Azure(container) => Some(container.endpoint()),
        }
    }

    /// A page of what it has.
    pub(super) fn listing(&self, question: &Question, next: Option<&str>) -> Result<Request, StoreError> {
        match self {
            Self::S3(bucket) => bucket.listing(question, next),
            Self::Google(bucket) => bucket.listing(question, next),
            Self::Azure(container) => container.listing(question, next),
        }
    }

    /// Reads such a page.
    pub(super) fn page(&self, text: &[u8]) -> Result<ListingPage, String> {
        match self {
            Self::S3(_) | Self::Google(_) => listing::s3(text),
            Self::Azure(_) => listing::azure(text),
        }
    }

    /// Such an answer to a listing may come to somebody who may read objects all the same.
    pub(super) fn may_hide(&self, status: u16) -> bool {
        match self {
            Self::S3(_) => status == 403,
            Self::Google(_) => matches!(status, 401 | 403),
            // Where nobody may list a container, it is not there.
            Self::Azure(_) => matches!(status, 401 | 403 | 404),
        }
    }

    /// An object; the version that was read before, where the store has versions.
    pub(super) fn object(&self, word: &str, key: &str, version: Option<&str>) -> Result<Request, StoreError> {
        match self {
            Self::S3(bucket) => bucket.object(word, key, version),
            Self::Google(bucket) => bucket.object(word, key),
            Self::Azure(container) => container.object(word, key),
        }
    }
}
