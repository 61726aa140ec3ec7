//! A build without the feature `sqlite`: a word that names a file of SQLite is refused before it is opened.

use std::path::Path;

use bytes::Bytes;

use super::error::SqliteError;

/// There is none.
pub enum SqliteTable {}

/// None can be seen.
///
/// # Errors
/// Never.
pub async fn tables_of(_file: &Path) -> Result<Vec<String>, SqliteError> {
    Ok(Vec::new())
}

impl SqliteTable {
    /// Never reached.
    ///
    /// # Errors
    /// Always.
    pub async fn of_table(_file: &Path, name: &str) -> Result<Self, SqliteError> {
        Err(SqliteError::Missing { name: name.to_owned(), has: Vec::new() })
    }

    /// Never reached.
    ///
    /// # Errors
    /// Always.
    pub async fn of_query(_file: &Path, _query: &str) -> Result<Self, SqliteError> {
        Err(SqliteError::NoRows)
    }

    /// Never reached.
    #[must_use]
    pub fn columns(&self) -> &[(String, String)] {
        match *self {}
    }

    /// Never reached.
    #[must_use]
    pub fn key(&self) -> &[usize] {
        match *self {}
    }

    /// Never reached.
    ///
    /// # Errors
    /// Never.
    pub async fn begin(
        &mut self,
        _behind: Option<&[String]>,
        _up_to: Option<&[String]>,
    ) -> Result<(), SqliteError> {
        match *self {}
    }

    /// Never reached.
    ///
    /// # Errors
    /// Never.
    pub async fn next(&mut self) -> Result<Option<Bytes>, SqliteError> {
        match *self {}
    }
}
