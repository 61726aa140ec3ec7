//! How the catalog's answers are read: row by row, value by value, and why one cannot be.

use crate::schema::{Column, IdentError};

use super::db_error::DbError;
use super::outcome::StatementResult;

/// Why a target cannot be described.
#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    /// The server refused a statement, or went away under it.
    #[error("read the catalog")]
    Server(#[source] DbError),
    /// The target is no table that can be written.
    #[error("{name} is {what}")]
    NotATable {
        /// The name that was asked for.
        name: String,
        /// What kind of object it is.
        what: &'static str,
    },
    /// The catalog has a name that we cannot write.
    #[error(transparent)]
    Name(#[from] IdentError),
    /// The catalog's answer has a shape that is not known.
    #[error("the catalog's answer could not be read")]
    Answer,
}

impl From<DbError> for CatalogError {
    fn from(error: DbError) -> Self {
        Self::Server(error)
    }
}

/// A row of the answer, read from left to right.
pub(super) struct AnswerRow<'a>(std::slice::Iter<'a, Option<String>>);

impl<'a> AnswerRow<'a> {
    pub(super) fn of(row: &'a [Option<String>]) -> Self {
        Self(row.iter())
    }

    pub(super) fn first(outcome: Option<&'a StatementResult>) -> Option<Self> {
        Some(Self(outcome?.rows.first()?.iter()))
    }

    pub(super) fn next(&mut self) -> Option<String> {
        self.0.next().cloned().flatten()
    }

    pub(super) fn text(&mut self) -> Result<String, CatalogError> {
        self.next().ok_or(CatalogError::Answer)
    }

    pub(super) fn number<N: std::str::FromStr>(&mut self) -> Result<N, CatalogError> {
        self.text()?.parse().map_err(|_| CatalogError::Answer)
    }

    pub(super) fn flag(&mut self) -> bool {
        self.next().as_deref() == Some("t")
    }
}

/// Where a column of this number in the catalog stands.
pub(super) fn ordinal(columns: &[(i32, Column)], number: i32) -> Option<usize> {
    columns.iter().position(|(n, _)| *n == number)
}
