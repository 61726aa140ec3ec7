//! A bucket of Google Cloud Storage: its requests, with a token.

use std::sync::{Arc, Mutex, PoisonError};

use futures::future::BoxFuture;
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName, HeaderValue};

use super::identity::GoogleIdentity;
use crate::http::{Client, Request, RequestSigner, Sign, Unsigned};
use crate::secret::Secret;
use crate::store::address::Address;
use crate::store::error::StoreError;
use crate::store::pattern::{BucketWord, Question};
use crate::store::settings::StoreSettings;

/// Where buckets are that nobody has named a server for.
const SERVER: &str = "https://storage.googleapis.com";
/// Who pays for a request.
const USER_PROJECT: HeaderName = HeaderName::from_static("x-goog-user-project");

/// A bucket, and who reads it.
pub(in crate::store) struct GoogleBucket {
    address: Address,
    identity: Arc<GoogleIdentity>,
    signing: RequestSigner,
    looked_for: Vec<String>,
    endpoint: Option<String>,
}

impl GoogleBucket {
    pub(in crate::store) fn open(
        place: &BucketWord,
        settings: &StoreSettings,
        client: &Client,
    ) -> Result<Self, StoreError> {
        let emulator = || {
            let server = settings.variables.get("STORAGE_EMULATOR_HOST")?;
            Some(if server.contains("://") { server.to_owned() } else { format!("http://{server}") })
        };
        let endpoint = settings.endpoint.clone().or_else(emulator);
        let address = Address::at(endpoint.as_deref().unwrap_or(SERVER), &place.bucket)?;
        let mut looked_for = Vec::new();
        let Some(identity) = GoogleIdentity::find(settings, client, &mut looked_for)? else {
            return Err(StoreError::NoCredentials { bucket: place.root(), looked_for });
        };
        let identity = Arc::new(identity);
        let user_project = match settings.request_payer {
            true => Some(user_project(settings)?),
            false => None,
        };
        let signing = RequestSigner::by(Arc::new(Bearer {
            identity: Arc::clone(&identity),
            user_project,
            used: Mutex::default(),
        }));
        Ok(Self { address, identity, signing, looked_for, endpoint })
    }

    pub(in crate::store) async fn check(&self, place: &BucketWord) -> Result<(), StoreError> {
        let Err(reason) = self.identity.token().await else { return Ok(()) };
        if self.identity.is_guessed {
            let looked_for = self.looked_for.iter().cloned();
            let looked_for = looked_for.chain([format!("there it was said: {reason}")]).collect();
            return Err(StoreError::NoCredentials { bucket: place.root(), looked_for });
        }
        Err(StoreError::Setting { what: self.identity.words.clone(), reason })
    }

    pub(in crate::store) fn words(&self) -> String {
        let at = self.endpoint.as_ref().map(|endpoint| format!(" at {endpoint}")).unwrap_or_default();
        format!("{}{at}", self.identity.words)
    }

    pub(in crate::store) fn endpoint(&self) -> Option<&str> {
        self.endpoint.as_deref()
    }

    pub(in crate::store) fn listing(
        &self,
        question: &Question,
        next: Option<&str>,
    ) -> Result<Request, StoreError> {
        Ok(Request::signed(self.address.of_listing(question, next)?, self.signing.clone()))
    }

    /// Each object has a generation, also where those that were overwritten are not kept: it is known by its
    /// ETag.
    pub(in crate::store) fn object(&self, word: &str, key: &str) -> Result<Request, StoreError> {
        Ok(Request::signed(self.address.of_object(word, key)?, self.signing.clone()))
    }
}

fn user_project(settings: &StoreSettings) -> Result<HeaderValue, StoreError> {
    let bad =
        |reason: &str| StoreError::Setting { what: "--request-payer".to_owned(), reason: reason.to_owned() };
    let project = settings.variables.get("GOOGLE_CLOUD_PROJECT");
    let project = project.ok_or_else(|| bad("GOOGLE_CLOUD_PROJECT does not say which project pays"))?;
    HeaderValue::from_str(project).map_err(|_| bad("GOOGLE_CLOUD_PROJECT is no name of a project"))
}

/// Sends a token.
struct Bearer {
    identity: Arc<GoogleIdentity>,
    user_project: Option<HeaderValue>,
    /// What was last sent, which no text of a server may show.
    used: Mutex<Option<Secret>>,
}

impl Sign for Bearer {
    fn sign<'a>(&'a self, _request: Unsigned<'a>) -> BoxFuture<'a, Result<HeaderMap, String>> {
        Box::pin(async move {
            let mut headers = HeaderMap::new();
            if let Some(project) = &self.user_project {
                headers.insert(USER_PROJECT, project.clone());
            }
            if let Some(token) = self.identity.token().await? {
                let value = HeaderValue::try_from(format!("Bearer {token}"));
                let mut value = value.map_err(|_| "the token cannot be sent: it is no text".to_owned())?;
                value.set_sensitive(true);
                headers.insert(AUTHORIZATION, value);
                *self.used.lock().unwrap_or_else(PoisonError::into_inner) = Some(Secret::new(token));
            }
            Ok(headers)
        })
    }

    fn secrets(&self) -> Vec<Secret> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }
}
