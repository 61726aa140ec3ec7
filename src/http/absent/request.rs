//! Requests: there is none.

use serde::{Deserialize, Serialize};

/// Has no value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Nobody {}

/// A URL.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Url(pub(super) Nobody);

impl Url {
    /// Its text.
    #[must_use]
    pub const fn as_str(&self) -> &str {
        match self.0 {}
    }

    /// Its path.
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
pub struct JsonBody(pub(super) Nobody);

impl JsonBody {
    /// Its text.
    #[must_use]
    pub const fn text(&self) -> &str {
        match self.0 {}
    }
}

/// A request.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Request {
    /// Where to.
    pub url: Url,
    /// How.
    pub method: Method,
    /// A body.
    pub body: Option<String>,
    /// The source's place in the order.
    #[serde(skip)]
    pub ordinal: u64,
    /// The page.
    pub page: u64,
}

/// How a request asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Method(pub(super) Nobody);

impl Request {
    /// Makes it a POST.
    #[must_use]
    pub fn posting(self, _body: &JsonBody) -> Self {
        match self.method.0 {}
    }

    /// What is fetched.
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
    /// A strong validator.
    pub etag: Option<String>,
    /// When it changed.
    pub last_modified: Option<String>,
    /// All its bytes.
    pub length: Option<u64>,
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
    /// At this byte.
    pub offset: u64,
    /// Of this version.
    pub version: Version,
}
