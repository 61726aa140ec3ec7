//! What can go wrong between a word and the objects that it means, in the user's terms.

use crate::http::HttpError;

/// Why objects cannot be found or asked for.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// No place in a store.
    #[error("cannot read {word} as objects of a store: {reason}")]
    Word {
        /// As the user wrote it.
        word: String,
        /// Why, in words.
        reason: String,
    },
    /// A key that no URL can say.
    #[error("cannot ask for {word}: its key has a part that is . or .., which no URL can say")]
    Key {
        /// The object.
        word: String,
    },
    /// A flag, a variable or a file cannot be used.
    #[error("cannot use {what}: {reason}")]
    Setting {
        /// What it is.
        what: String,
        /// Why, in words, without secrets.
        reason: String,
    },
    /// Nobody to sign as.
    #[error("found no credentials for {bucket}; looked for {}", looked_for.join("; "))]
    NoCredentials {
        /// Scheme and bucket.
        bucket: String,
        /// What was looked for, in order.
        looked_for: Vec<String>,
    },
    /// The store refuses, or cannot be reached.
    #[error("cannot {act} {word} as {identity}")]
    Refused {
        /// What was to be done: list, read.
        act: &'static str,
        /// The objects.
        word: String,
        /// Who has signed, without secrets.
        identity: String,
        /// What the store says.
        source: HttpError,
    },
    /// A listing that does not make sense.
    #[error("cannot list {word}: {reason}")]
    Listing {
        /// The objects.
        word: String,
        /// What is wrong with it, in words.
        reason: String,
    },
    /// Nothing there.
    #[error("no object matches {word}")]
    NoMatch {
        /// As the user wrote it.
        word: String,
        /// There are objects behind it, as in a folder.
        is_folder: bool,
    },
    /// More objects than the limit.
    #[error("{word} names more than {limit} objects")]
    TooMany {
        /// As the user wrote it.
        word: String,
        /// The limit that was passed.
        limit: usize,
    },
}

impl StoreError {
    /// What the user can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        let words = match self {
            Self::Word { .. } => {
                "write it as s3://BUCKET/KEY, gs://BUCKET/KEY or az://CONTAINER/KEY; in a key * ? [0-9] {a,b} match, and ** any folders"
            }
            Self::Key { .. } => "copy it to another key",
            Self::Setting { .. } => return None,
            Self::NoCredentials { bucket, .. } if bucket.starts_with("gs://") => {
                "log in with gcloud auth application-default login, or let GOOGLE_APPLICATION_CREDENTIALS name the file \
                 of a service account; a public bucket is read with --no-sign-request"
            }
            Self::NoCredentials { bucket, .. } if !bucket.starts_with("s3://") && bucket.contains("://") => {
                "log in with az login, or set AZURE_STORAGE_KEY or AZURE_STORAGE_SAS_TOKEN; a public container is read \
                 with --no-sign-request"
            }
            Self::NoCredentials { .. } => {
                "name a profile with --aws-profile, or read a public bucket with --no-sign-request"
            }
            Self::Refused { source, .. } => {
                return refused_hint(source).map(str::to_owned).or_else(|| source.hint());
            }
            Self::Listing { .. } => return None,
            Self::NoMatch { is_folder: true, .. } => "it is a folder: end the word with a slash",
            Self::NoMatch { .. } => "dbload expands patterns itself: * ? [0-9] {a,b} and ** for folders",
            Self::TooMany { .. } => "load them in several runs",
        };
        Some(words.to_owned())
    }
}

#[cfg(feature = "object-store")]
fn refused_hint(error: &HttpError) -> Option<&'static str> {
    match error {
        HttpError::Status { status, .. } => match status.as_u16() {
            301 | 307 | 400 => {
                Some("the bucket may be in another region (--region), or at another server (--endpoint)")
            }
            401 => Some("its credentials are not known there, or have expired"),
            403 => Some(
                "this identity may not read it; where nobody may list the bucket, an object that is not there looks the same",
            ),
            404 => Some("there is no such bucket or object; is it at another server (--endpoint)?"),
            _ => None,
        },
        HttpError::GaveUp { last, .. } => refused_hint(last)
            .or(Some("is the store there (--endpoint)? Once it answers, the same command goes on")),
        _ => None,
    }
}

#[cfg(not(feature = "object-store"))]
const fn refused_hint(_error: &HttpError) -> Option<&'static str> {
    None
}
