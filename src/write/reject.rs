//! The rejects of a batch, which hold on to what they were made of.

use bytes::Bytes;

use crate::record::{Block, Position};
use crate::reject::{Original, Reject};

/// A reject of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejected {
    /// As the ledger and the reject file keep it.
    pub reject: Reject,
    /// What it was made of: who counts the memory of blocks sees that this one is still in use.
    pub block: Bytes,
}

/// Rejects of a batch with one reason: where the first is, and no word of it or of the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReasonOfBatch {
    /// Five characters.
    pub sqlstate: String,
    /// The column, if one was to blame.
    pub column: Option<String>,
    /// The constraint, if one was.
    pub constraint: Option<String>,
    /// How many of them there are.
    pub count: u64,
    /// The place of the first.
    pub first: Position,
}

/// The reasons of rejects, each once, in the order of their first.
pub(super) fn reasons(rejects: &[Rejected]) -> Vec<ReasonOfBatch> {
    let mut reasons: Vec<ReasonOfBatch> = Vec::new();
    for Rejected { reject, .. } in rejects {
        let is_known = |known: &&mut ReasonOfBatch| {
            known.sqlstate == reject.sqlstate
                && known.column == reject.column
                && known.constraint == reject.constraint
        };
        match reasons.iter_mut().find(is_known) {
            Some(known) => known.count += 1,
            None => reasons.push(ReasonOfBatch {
                sqlstate: reject.sqlstate.clone(),
                column: reject.column.clone(),
                constraint: reject.constraint.clone(),
                count: 1,
                first: reject.place,
            }),
        }
    }
    reasons
}

/// Turns a record of a block into its original; the pipeline knows formats and headers, this room does not.
pub type Originals = std::sync::Arc<dyn Fn(&Block, usize) -> Original + Send + Sync>;
