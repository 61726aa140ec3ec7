//! What a list of words is in the query of a URL: a text for the server, or as many URLs.

/// What a list of words (`{a,b}`) is in the query of a URL.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum QueryLists {
    /// A text for the server: many write the fields that they want so.
    #[default]
    Kept,
    /// As many URLs, as in the path.
    Expanded,
}
