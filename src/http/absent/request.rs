//! Requests: there is none.

use serde::{Deserialize, Serialize};

/// A type without a value: what this build leaves out cannot be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Nobody {}

/// A URL, which no build without `http` can have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Url(pub(super) Nobody);

impl Url {
    /// The URL as text, as it is asked.
    #[must_use]
    pub const fn as_str(&self) -> &str {
        match self.0 {}
    }

    /// The segments of the URL's path.
    #[must_use]
    pub fn path_segments(&self) -> Option<std::str::Split<'_, char>> {
        match self.0 {}
    }
}

impl From<Url> for String {
    fn from(url: Url) -> Self {
        match url.0 {}
    }
}

/// A body that requests would have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PostBody(pub(super) Nobody);

impl PostBody {
    /// What makes two bodies the same.
    #[must_use]
    pub const fn identity(&self) -> &crate::secret::Secret {
        match self.0 {}
    }
}

/// A request, which no build without `http` can send.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Request {
    /// The URL that it is sent to.
    pub url: Url,
    /// The method that it is sent with.
    pub method: Method,
    /// A body to send, as JSON text.
    pub body: Option<String>,
    /// The source's place in the order.
    #[serde(skip)]
    pub ordinal: u64,
    /// The number of the page.
    pub page: u64,
}

/// How a request asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Method(pub(super) Nobody);

impl Request {
    /// Makes it a POST.
    #[must_use]
    pub fn posting(self, _body: &PostBody) -> Self {
        match self.method.0 {}
    }

    /// What is fetched, by its URL without secrets.
    #[must_use]
    pub fn place(&self) -> Url {
        self.url.clone()
    }

    /// The secrets of another one.
    #[must_use]
    pub fn with_secrets(self, _of: &Self) -> Self {
        match self.method.0 {}
    }
}

/// Which version of a representation an answer had.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    /// A strong validator of the representation.
    pub etag: Option<String>,
    /// When the representation was last changed.
    pub last_modified: Option<String>,
    /// Its length in bytes, as a whole.
    pub length: Option<u64>,
    /// What a store calls it.
    pub id: Option<String>,
}

impl Version {
    /// Whether `now` may be the same.
    #[must_use]
    pub fn may_be(&self, now: &Self) -> bool {
        self == now
    }
}

/// Where to go on in a body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resume {
    /// The byte that reading goes on at.
    pub offset: u64,
    /// The version that is gone on with.
    pub version: Version,
}
