//! URLs and templates of them: a word is known for one, and that is all.

use super::error::HttpError;
use super::request::{Nobody, Request};
use super::settings::{QueryLists, Settings};

/// Whether a source word is a URL that would be fetched.
#[must_use]
pub fn is_http(word: &str) -> bool {
    let scheme = word.split_once("://").map(|(scheme, _)| scheme.to_ascii_lowercase());
    matches!(scheme.as_deref(), Some("http" | "https"))
}

/// A request that a source word stands for.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// The request that fetches it.
    pub request: Request,
    /// Name of the source, for people.
    pub name: String,
    /// Fields to add to each record, with their values.
    pub fields: Vec<(String, String)>,
}

impl Endpoint {
    /// None.
    ///
    /// # Errors
    /// Always.
    pub fn new(_url: &str, _settings: &Settings) -> Result<Self, HttpError> {
        Err(HttpError::Absent)
    }

    /// None.
    ///
    /// # Errors
    /// Always.
    pub fn from_line(_line: &str, _settings: &Settings) -> Result<Option<Self>, HttpError> {
        Err(HttpError::Absent)
    }
}

/// No word is a URL here.
#[must_use]
pub const fn has_list_in_query(_word: &str) -> bool {
    false
}

/// A word with places to be filled in.
#[derive(Debug, Clone)]
pub struct Template(Nobody);

impl Template {
    /// None.
    ///
    /// # Errors
    /// Always.
    pub const fn parse(_word: &str, _in_query: QueryLists) -> Result<Self, HttpError> {
        Err(HttpError::Absent)
    }

    /// The names in it.
    pub fn names(&self) -> std::iter::Empty<&str> {
        match self.0 {}
    }

    /// URLs that it stands for.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "as the room has it, where nobody asks")]
    pub const fn len(&self) -> u64 {
        match self.0 {}
    }

    /// One of them.
    ///
    /// # Errors
    /// Never comes to one.
    pub fn url(&self, _at: u64, _value: impl Fn(&str) -> Option<String>) -> Result<String, HttpError> {
        match self.0 {}
    }
}

/// A source word without its signature: no word is a URL here.
#[must_use]
pub fn unsigned(word: &str) -> String {
    word.to_owned()
}
