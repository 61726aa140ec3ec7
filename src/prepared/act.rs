//! What is done with a job: said by the function that is called, never by the job, so that the two cannot
//! differ.

use crate::feature;
use crate::job::Job;

/// What is done with a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Act {
    /// The records are written.
    Load,
    /// The decisions are made, and nothing else.
    Plan,
    /// The records are compared with the table; nothing is written.
    Verify,
}

impl Act {
    /// Whether the ledger is asked and written. Where nothing is loaded there is nothing to record.
    pub(crate) const fn keeps_ledger(self, job: &Job) -> bool {
        match self {
            Self::Load => feature::LEDGER.is_there() && !job.runs.no_ledger,
            Self::Plan | Self::Verify => false,
        }
    }

    /// What to say where the ledger was to be kept, by a build that has none.
    pub(crate) fn lacks_ledger(self, job: &Job) -> Option<&'static str> {
        let lacks = self == Self::Load && !job.runs.no_ledger && !feature::LEDGER.is_there();
        lacks.then_some(
            "this build of dbload has no ledger (feature `ledger`): if this load stops, it begins anew",
        )
    }
}
