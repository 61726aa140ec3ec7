//! The rejects of a batch, which hold on to what they were made of.

use bytes::Bytes;

use crate::record::Block;
use crate::reject::{Original, Reject};

/// A reject of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejected {
    /// As the ledger and the reject file keep it.
    pub reject: Reject,
    /// What it was made of: who counts the memory of blocks sees that this one is still in use.
    pub block: Bytes,
}

/// Turns a record of a block into its original; the pipeline knows formats and headers, this room does not.
pub type Originals = std::sync::Arc<dyn Fn(&Block, usize) -> Original + Send + Sync>;
