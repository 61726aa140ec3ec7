//! Who signs requests: what signs is another room's, since each kind of server wants it otherwise. A request
//! is signed anew each time that it is sent, to its own origin alone.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use futures::future::BoxFuture;
use http::{HeaderMap, Method};
use url::Url;

use crate::secret::Secret;

/// A request as it is sent, but for its signature.
#[derive(Debug)]
pub struct Unsigned<'a> {
    /// The verb that it is sent with.
    pub method: &'a Method,
    /// Where to, with everything.
    pub url: &'a Url,
    /// The headers that are set already.
    pub headers: &'a HeaderMap,
    /// What is sent with it.
    pub body: Bytes,
}

/// What signs requests.
pub trait Sign: Send + Sync {
    /// The headers that sign it. An error says why it cannot be, in words without secrets.
    fn sign<'a>(&'a self, request: Unsigned<'a>) -> BoxFuture<'a, Result<HeaderMap, String>>;

    /// Parameters that go with it in its URL, and are part of nothing else.
    fn query(&self) -> Vec<(String, Secret)> {
        Vec::new()
    }

    /// What it has signed with last: no text of a server is shown with these in it.
    fn secrets(&self) -> Vec<Secret>;
}

/// Who signs a request, if it is signed.
#[derive(Clone, Default)]
pub struct RequestSigner(Option<Arc<dyn Sign>>);

impl RequestSigner {
    /// Signed by this one.
    #[must_use]
    pub fn by(signer: Arc<dyn Sign>) -> Self {
        Self(Some(signer))
    }

    pub(super) fn signer(&self) -> Option<&dyn Sign> {
        self.0.as_deref()
    }

    pub(super) const fn is_some(&self) -> bool {
        self.0.is_some()
    }
}

impl fmt::Debug for RequestSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_some() { "signed" } else { "unsigned" })
    }
}

impl PartialEq for RequestSigner {
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Some(one), Some(other)) => Arc::ptr_eq(one, other),
            (None, None) => true,
            _ => false,
        }
    }
}

impl Eq for RequestSigner {}
