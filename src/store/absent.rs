//! Stores: there is none in this build. What is refused by its feature before never gets here.

use super::error::StoreError;
use super::settings::StoreSettings;
use super::word::ListedObject;
use crate::http::{self, Client, HttpError, Request, Version};

/// The settings of requests, which nobody would sign.
///
/// # Errors
/// Where they are to be signed.
pub fn signing(settings: &StoreSettings, http: &http::Settings) -> Result<http::Settings, StoreError> {
    match &settings.signed {
        None => Ok(http.clone()),
        Some(_) => {
            let (what, reason) = ("signatures".to_owned(), "this build of dbload lacks them".to_owned());
            Err(StoreError::Setting { what, reason })
        }
    }
}

/// Stores that would be asked.
#[derive(Debug, Clone)]
pub struct Stores(Nobody);

#[derive(Debug, Clone, Copy)]
enum Nobody {}

impl Stores {
    /// None.
    ///
    /// # Errors
    /// Always.
    pub fn new<'w>(
        _words: impl IntoIterator<Item = &'w str>,
        _settings: &StoreSettings,
        _http: &http::Settings,
    ) -> Result<Self, StoreError> {
        let (what, reason) = ("stores".to_owned(), "this build of dbload lacks them".to_owned());
        Err(StoreError::Setting { what, reason })
    }

    /// None.
    #[must_use]
    pub const fn client(&self) -> &Client {
        match self.0 {}
    }

    /// None.
    #[must_use]
    pub fn endpoint(&self, _word: &str) -> Option<String> {
        match self.0 {}
    }

    /// None.
    ///
    /// # Errors
    /// Never comes to one.
    pub async fn list(&self, _word: &str, _limit: usize) -> Result<Vec<ListedObject>, StoreError> {
        match self.0 {}
    }

    /// None.
    ///
    /// # Errors
    /// Never comes to one.
    pub fn request(&self, _word: &str, _version: Option<&Version>) -> Result<Request, StoreError> {
        match self.0 {}
    }

    /// An error of a request, with who has asked.
    #[must_use]
    pub fn refused(&self, _word: &str, _source: HttpError) -> StoreError {
        match self.0 {}
    }
}
