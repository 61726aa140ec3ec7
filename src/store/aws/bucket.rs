//! A bucket of S3: its requests, signed.

use std::sync::{Arc, Mutex};

use super::identity::{AwsIdentity, Finder, endpoint, region};
use super::profiles::Files;
use super::signer::Signer;
use crate::http::{Client, Request, RequestSigner};
use crate::store::address::{Address, at_version};
use crate::store::error::StoreError;
use crate::store::pattern::{BucketWord, Question};
use crate::store::settings::{SignedService, StoreSettings};

/// Where requests are signed for that nobody has named: Amazon's own default, and any is right elsewhere.
const REGION: &str = "us-east-1";

/// Who signs requests to another service of AWS.
pub(in crate::store) fn service(
    signed: &SignedService,
    settings: &StoreSettings,
    client: &Client,
) -> Result<RequestSigner, StoreError> {
    let files = Files::read(&settings.variables)?;
    let region = signed.region.clone().or_else(|| region(settings, &files));
    let region = region.unwrap_or_else(|| REGION.to_owned());
    let mut looked_for = Vec::new();
    let found = Finder { settings, files: &files, region: &region, client }.find(&mut looked_for)?;
    let Some(identity) = found else {
        return Err(StoreError::NoCredentials { bucket: signed.service.clone(), looked_for });
    };
    tracing::info!(service = signed.service, region, "signed as {}", identity.words);
    Ok(RequestSigner::by(Arc::new(Signer {
        identity: Arc::new(identity),
        service: signed.service.clone(),
        region,
        request_payer: false,
        used: Mutex::default(),
    })))
}

/// A bucket, and who reads it.
pub(in crate::store) struct S3Bucket {
    address: Address,
    identity: Arc<AwsIdentity>,
    signing: RequestSigner,
    looked_for: Vec<String>,
    region: String,
    endpoint: Option<String>,
}

impl S3Bucket {
    /// Finds out where it is and who reads it. Asks nobody yet.
    pub(in crate::store) fn open(
        place: &BucketWord,
        settings: &StoreSettings,
        client: &Client,
    ) -> Result<Self, StoreError> {
        let files = Files::read(&settings.variables)?;
        let region = region(settings, &files).unwrap_or_else(|| REGION.to_owned());
        let endpoint = endpoint(settings, &files);
        let address = Address::of_s3(&place.bucket, &region, endpoint.as_deref(), settings)?;
        let mut looked_for = Vec::new();
        let found = Finder { settings, files: &files, region: &region, client }.find(&mut looked_for)?;
        let Some(identity) = found else {
            return Err(StoreError::NoCredentials { bucket: place.root(), looked_for });
        };
        let identity = Arc::new(identity);
        let signing = RequestSigner::by(Arc::new(Signer {
            identity: Arc::clone(&identity),
            service: "s3".to_owned(),
            region: region.clone(),
            request_payer: settings.request_payer,
            used: Mutex::default(),
        }));
        Ok(Self { address, identity, signing, looked_for, region, endpoint })
    }

    /// Whether there is somebody to sign: before anything is asked for.
    pub(in crate::store) async fn check(&self, place: &BucketWord) -> Result<(), StoreError> {
        let Err(reason) = self.identity.keys().await else { return Ok(()) };
        if self.identity.is_guessed() {
            let looked_for = self.looked_for.iter().cloned();
            let looked_for = looked_for.chain([format!("there it was said: {reason}")]).collect();
            return Err(StoreError::NoCredentials { bucket: place.root(), looked_for });
        }
        Err(StoreError::Setting { what: self.identity.words.clone(), reason })
    }

    /// Who reads it and where, without secrets.
    pub(in crate::store) fn words(&self) -> String {
        let at = self.endpoint.as_ref().map(|endpoint| format!(" at {endpoint}")).unwrap_or_default();
        format!("{} (region {}{at})", self.identity.words, self.region)
    }

    /// The server that was named, if any: a part of what an object is.
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

    pub(in crate::store) fn object(
        &self,
        word: &str,
        key: &str,
        version: Option<&str>,
    ) -> Result<Request, StoreError> {
        let url = self.address.of_object(word, key)?;
        let url = version.map_or(url.clone(), |version| at_version(url, version));
        Ok(Request::signed(url, self.signing.clone()))
    }
}
