//! Exchanging the content of a table: which table it is, and by which way.

use std::sync::Arc;

use crate::schema::Table;

/// How the loaded rows take the place of those of before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exchange {
    /// All that is there is deleted, and all that was loaded is inserted.
    Anew,
    /// What is gone is deleted, what differs is updated, what is new is inserted: a row that others refer to
    /// is never gone in between.
    ByDifference,
}

/// A table whose content is replaced.
#[derive(Debug, Clone)]
pub struct Replacing {
    /// It, as the plan found it.
    pub target: Arc<Table>,
    /// The run, which the table beside it is named by.
    pub run: String,
}
