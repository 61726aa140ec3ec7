//! Signs requests to AWS as an identity, each when it is sent.

use std::sync::{Arc, Mutex, PoisonError};

use futures::future::BoxFuture;
use http::HeaderMap;

use super::identity::AwsIdentity;
use super::signature::{Signature, signed};
use crate::http::{Sign, Unsigned};
use crate::secret::Secret;

/// Signs as an identity.
pub(in crate::store) struct Signer {
    pub(in crate::store) identity: Arc<AwsIdentity>,
    pub(in crate::store) service: String,
    pub(in crate::store) region: String,
    pub(in crate::store) request_payer: bool,
    /// What was last signed with, which no text of a server may show.
    pub(in crate::store) used: Mutex<Vec<Secret>>,
}

impl Sign for Signer {
    fn sign<'a>(&'a self, request: Unsigned<'a>) -> BoxFuture<'a, Result<HeaderMap, String>> {
        Box::pin(async move {
            let Some(keys) = self.identity.keys().await? else { return Ok(HeaderMap::new()) };
            let signature =
                Signature { service: &self.service, region: &self.region, request_payer: self.request_payer };
            let headers = signed(&keys, &signature, request.method, request.url, &request.body)?;
            let secrets = [Some(&keys.secret_key), keys.token.as_ref(), Some(&keys.key_id)];
            let secrets = secrets.into_iter().flatten().map(|text| Secret::new(text.clone()));
            *self.used.lock().unwrap_or_else(PoisonError::into_inner) = secrets.collect();
            Ok(headers)
        })
    }

    fn secrets(&self) -> Vec<Secret> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
