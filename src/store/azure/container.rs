//! A container of an account: its requests, signed.

use std::sync::{Arc, Mutex};

use super::account::AzureAccount;
use super::identity::{AzureFinder, AzureIdentity};
use super::signer::SharedKeySigner;
use crate::http::{Client, Request, RequestSigner};
use crate::store::address::Address;
use crate::store::error::StoreError;
use crate::store::pattern::{BucketWord, Question};
use crate::store::settings::StoreSettings;

/// A container, and who reads it.
pub(in crate::store) struct AzureContainer {
    address: Address,
    account: AzureAccount,
    identity: Arc<AzureIdentity>,
    signing: RequestSigner,
    looked_for: Vec<String>,
}

impl AzureContainer {
    pub(in crate::store) fn open(
        place: &BucketWord,
        settings: &StoreSettings,
        client: &Client,
    ) -> Result<Self, StoreError> {
        if settings.request_payer {
            return Err(StoreError::Setting {
                what: "--request-payer".to_owned(),
                reason: format!("{} is of Azure, where the owner of an account pays", place.root()),
            });
        }
        let account = AzureAccount::of(place, settings)?;
        let address = Address::at(&account.server, &account.container)?;
        let mut looked_for = Vec::new();
        let identity = AzureFinder { settings, account: &account, client }.find(&mut looked_for)?;
        let identity = Arc::new(identity);
        let signing = RequestSigner::by(Arc::new(SharedKeySigner {
            identity: Arc::clone(&identity),
            account: account.name.clone(),
            used: Mutex::default(),
        }));
        Ok(Self { address, account, identity, signing, looked_for })
    }

    pub(in crate::store) async fn check(&self, place: &BucketWord) -> Result<(), StoreError> {
        let Err(reason) = self.identity.credential().await else { return Ok(()) };
        if self.identity.is_guessed() {
            let looked_for = self.looked_for.iter().cloned();
            let looked_for = looked_for.chain([format!("there it was said: {reason}")]).collect();
            return Err(StoreError::NoCredentials { bucket: place.root(), looked_for });
        }
        Err(StoreError::Setting { what: self.identity.words.clone(), reason })
    }

    pub(in crate::store) fn words(&self) -> String {
        format!("{} at {}", self.identity.words, self.account.server)
    }

    /// A part of what an object is: the word need not name the account.
    pub(in crate::store) fn endpoint(&self) -> &str {
        &self.account.server
    }

    pub(in crate::store) fn listing(
        &self,
        question: &Question,
        next: Option<&str>,
    ) -> Result<Request, StoreError> {
        Ok(Request::signed(self.address.of_azure_listing(question, next)?, self.signing.clone()))
    }

    /// Versions that were overwritten are read by their number only where the account keeps them: an object
    /// is known by its ETag.
    pub(in crate::store) fn object(&self, word: &str, key: &str) -> Result<Request, StoreError> {
        Ok(Request::signed(self.address.of_object(word, key)?, self.signing.clone()))
    }
}
