//! What the user asked for, as far as the plan decides it.

use std::sync::Arc;

use crate::map::{AskedExpressions, Extra};
use crate::schema::{MergePolicies, Mode, Rest};
use crate::shape::Shaping;

/// What the user asked for, as far as the plan decides it.
#[derive(Debug, Clone)]
pub struct Wishes<'a> {
    /// Names of the key columns.
    pub key: Option<&'a [String]>,
    /// The mode, if the user named one.
    pub mode: Option<Mode>,
    /// What becomes of rows that are in no source.
    pub rest: Rest,
    /// What becomes of fields on their way.
    pub shaping: &'a Shaping,
    /// What the server is asked of records first.
    pub asked: Option<&'a Arc<AskedExpressions>>,
    /// What becomes of columns of stored rows.
    pub policies: &'a MergePolicies,
    /// Fields without a column.
    pub extra: &'a Extra,
    /// The column that `--newer-by` names.
    pub newer_by: Option<&'a str>,
    /// The field that the watermark is taken from.
    pub watermark: Option<&'a str>,
    /// Connections, and so partitions.
    pub pool_size: usize,
    /// The role that loads.
    pub role: &'a str,
    /// It may read the table.
    pub may_select: bool,
    /// A source cannot be read twice.
    pub has_pipe: bool,
}
