//! How servers would be spoken to.

use std::path::{Path, PathBuf};

/// How to speak to servers: there is nobody to speak to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings {
    /// Requests that may be in flight together.
    pub concurrency: usize,
    /// Bounds on what is fetched.
    pub limits: FetchLimits,
    /// What lists of words are in queries.
    pub query_lists: QueryLists,
    /// Answers that other loads would read too.
    pub shared_answers: Option<SharedAnswers>,
    /// A folder where bodies are kept as they came: there are none.
    pub save_raw: Option<PathBuf>,
}

/// Answers that several loads read: there are none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SharedAnswers {}

impl SharedAnswers {
    /// The folder that they are in.
    #[must_use]
    pub const fn folder(&self) -> &Path {
        match *self {}
    }
}

/// Bounds on what is fetched.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FetchLimits {
    /// Pages of one endpoint.
    pub pages: u64,
    /// Bytes of bodies in temporary files.
    pub spool_bytes: u64,
}

/// What a list of words would be in a query.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct QueryLists(());
