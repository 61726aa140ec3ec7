//! What says which sources there are, beside the words: lists of URLs, and rows that fill templates in.

use std::path::PathBuf;

use crate::format::Inflation;
use crate::http::{PostBody, Settings};
use crate::job::EachList;
use crate::store;

/// Where the rows come from that fill in the names of templates.
#[derive(Debug, Clone)]
pub enum EachRows {
    /// A file or a URL.
    List(Box<EachList>),
    /// Rows that are there already, as JSON objects.
    Given {
        /// Where they are from, for messages.
        name: String,
        /// A JSON object each.
        rows: Vec<String>,
    },
}

/// What says which sources there are, beside the words.
#[derive(Debug, Clone, Default)]
pub struct Lists {
    /// How to speak to servers: secret parameters belong to a request.
    pub http: Settings,
    /// Files with a URL a line, or a JSON object with `url` and fields to add.
    pub urls: Vec<PathBuf>,
    /// Rows that fill in the names of templates.
    pub each: Option<EachRows>,
    /// Columns of those rows that become fields of the records.
    pub each_fields: Vec<String>,
    /// A body: requests are POST.
    pub body: Option<PostBody>,
    /// Folders that are named `field=value` are fields of what is in them.
    pub partition_columns: bool,
    /// How to speak to object stores.
    pub store: store::StoreSettings,
    /// What archives are held to that are compressed as a whole.
    pub inflation: Inflation,
}
