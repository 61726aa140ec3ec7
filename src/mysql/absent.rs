//! A build without the feature `mysql`: a word that names a server of MySQL is refused before it is asked.

use bytes::Bytes;

use super::error::MysqlError;
use super::server::MysqlServer;
use super::zero_dates::ZeroDates;

/// There is none.
pub enum MysqlTable {}

impl MysqlTable {
    /// Never reached.
    ///
    /// # Errors
    /// Always.
    pub async fn of_table(_: &MysqlServer, name: &str, _: ZeroDates) -> Result<Self, MysqlError> {
        Err(MysqlError::NoDatabase(name.to_owned()))
    }

    /// Never reached.
    ///
    /// # Errors
    /// Always.
    pub async fn of_query(_: &MysqlServer, _query: &str, _: ZeroDates) -> Result<Self, MysqlError> {
        Err(MysqlError::NoRows)
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
    ) -> Result<(), MysqlError> {
        match *self {}
    }

    /// Never reached.
    ///
    /// # Errors
    /// Never.
    pub async fn next(&mut self) -> Result<Option<Bytes>, MysqlError> {
        match *self {}
    }
}
