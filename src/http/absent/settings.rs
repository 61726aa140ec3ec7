//! How servers would be spoken to.

/// How to speak to servers: there is nobody to speak to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings {
    /// Requests that may be in flight together.
    pub concurrency: usize,
    /// Bounds on what is fetched.
    pub limits: FetchLimits,
    /// What lists of words are in queries.
    pub query_lists: QueryLists,
}

/// Bounds on what is fetched.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FetchLimits {
    /// Pages of one endpoint.
    pub pages: u64,
}

/// What a list of words would be in a query.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct QueryLists(());
