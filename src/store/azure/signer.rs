//! Signs requests to an account, each when it is sent.

use std::sync::{Arc, Mutex, PoisonError};

use futures::future::BoxFuture;
use http::HeaderMap;
use http::header::{AUTHORIZATION, DATE};
use object_store::azure::{AzureAuthorizer, AzureCredential};
use object_store::client::{HttpRequest, HttpRequestBody};

use super::identity::{AzureIdentity, AzureMeans};
use crate::http::{Sign, Unsigned};
use crate::secret::Secret;

/// Headers that a signature consists of, or that go with it.
const OURS: [http::HeaderName; 3] = [AUTHORIZATION, DATE, http::HeaderName::from_static("x-ms-version")];

/// Signs as an identity.
pub(super) struct SharedKeySigner {
    pub(super) identity: Arc<AzureIdentity>,
    pub(super) account: String,
    /// The token that was last sent, which no text of a server may show.
    pub(super) used: Mutex<Option<Secret>>,
}

impl Sign for SharedKeySigner {
    fn sign<'a>(&'a self, request: Unsigned<'a>) -> BoxFuture<'a, Result<HeaderMap, String>> {
        Box::pin(async move {
            let Some(credential) = self.identity.credential().await? else { return Ok(HeaderMap::new()) };
            if let AzureCredential::BearerToken(token) = &*credential {
                if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
                    return Err("the token cannot be sent: it is no text".to_owned());
                }
                *self.used.lock().unwrap_or_else(PoisonError::into_inner) = Some(Secret::new(token.clone()));
            }
            // A shared key signs some of the headers that are there already.
            let mut signed = HttpRequest::new(HttpRequestBody::from(request.body.clone()));
            *signed.method_mut() = request.method.clone();
            *signed.uri_mut() =
                request.url.as_str().parse().map_err(|_| "its URL cannot be signed".to_owned())?;
            signed.headers_mut().clone_from(request.headers);
            let authorizer = AzureAuthorizer::new(&credential, &self.account);
            authorizer.try_authorize(&mut signed).map_err(|_| "the key does not sign".to_owned())?;
            let mut headers = HeaderMap::new();
            for name in OURS {
                if let Some(value) = signed.headers().get(&name) {
                    let mut value = value.clone();
                    value.set_sensitive(name == AUTHORIZATION);
                    headers.insert(name, value);
                }
            }
            Ok(headers)
        })
    }

    fn query(&self) -> Vec<(String, Secret)> {
        match &self.identity.means {
            AzureMeans::Signature(pairs) => pairs.clone(),
            AzureMeans::Nobody | AzureMeans::Key(..) | AzureMeans::Asked(_) => Vec::new(),
        }
    }

    fn secrets(&self) -> Vec<Secret> {
        let of_identity = match &self.identity.means {
            AzureMeans::Key(_, text) => vec![text.clone()],
            AzureMeans::Signature(pairs) => {
                pairs.iter().filter(|(name, _)| name == "sig").map(|(_, value)| value.clone()).collect()
            }
            AzureMeans::Nobody | AzureMeans::Asked(_) => Vec::new(),
        };
        let used = self.used.lock().unwrap_or_else(PoisonError::into_inner).clone();
        of_identity.into_iter().chain(used).collect()
    }
}
