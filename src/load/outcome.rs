//! What a load comes to, and who watches it until then.

use std::time::Instant;

use tokio_util::sync::CancellationToken;

use crate::event::Listener;
use crate::prepared::LoadError;
use crate::report::Report;

/// How a load ended.
#[derive(Debug)]
pub enum Ended {
    /// All sources read, everything committed or rejected.
    Complete,
    /// Sources failed for good; the rest is committed.
    SourceFailed,
    /// More rejects than allowed; resumable.
    OverBudget,
    /// Stopped from outside; resumable.
    Interrupted,
    /// Something else failed; resumable where the error says nothing else.
    Failed(LoadError),
}

/// What a load came to.
#[derive(Debug)]
pub struct Outcome {
    /// How the load has ended.
    pub ended: Ended,
    /// The report, as far as the ledger could be asked.
    pub report: Option<Report>,
    /// What an append from a pipe has not stored: the pipe, and its first record that is not in the table
    /// (1-based).
    pub pipe_rest: Option<(String, u64)>,
    /// What was begun of it can be gone on with: the ledger has it, and its sources can be read again.
    pub may_resume: bool,
}

impl Outcome {
    /// It ended before anything of it was begun: the same load begins then.
    pub(crate) const fn before(ended: Ended) -> Self {
        Self { ended, report: None, pipe_rest: None, may_resume: true }
    }
}

/// Who watches a load: is told of waiting, may stop it, and asks how long it took.
pub(super) struct Watch<'a> {
    pub(super) listener: Listener<'a>,
    pub(super) stop: &'a CancellationToken,
    pub(super) began: Instant,
}
