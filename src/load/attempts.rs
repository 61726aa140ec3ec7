//! What a start came to, as the ledger keeps it: with the completion, or on the way to the report.

use crate::causes::with_causes;
use crate::ledger::AttemptEnd;
use crate::pg::Session;
use crate::pipeline::Ran;
use crate::prepared::Prepared;
use crate::report::Seconds;

use super::outcome::Ended;

/// What a start came to.
pub(super) struct CameTo {
    code: u8,
    error: Option<String>,
    seconds: String,
}

impl CameTo {
    fn new(prepared: &Prepared, ran: Option<&Ran>, ended: &Ended) -> Self {
        let before: u64 = prepared.checkpoints.iter().map(|checkpoint| checkpoint.books.rejected).sum();
        let rejected = before + ran.map_or(0, |ran| ran.tally.books.rejected);
        let error = match ended {
            Ended::Complete => None,
            Ended::SourceFailed => Some(failed_sources(prepared, ran)),
            Ended::OverBudget => Some("more records were rejected than allowed".to_owned()),
            Ended::Interrupted => Some("stopped".to_owned()),
            // Not why: that quotes what its server says, which may quote anything.
            Ended::Failed(_) if ended.is_of_source() => Some("a source failed".to_owned()),
            Ended::Failed(error) => Some(with_causes(error)),
        };
        // A database that cannot hold a character would refuse the row for it.
        let held = |text: String| match prepared.facts.holds_all_characters {
            true => text,
            false => text.chars().map(|c| if c.is_ascii() { c } else { '?' }).collect(),
        };
        Self {
            code: ended.exit_class(rejected).code(),
            error: error.map(held),
            seconds: serde_json::to_string(&ran.map_or_else(Seconds::default, |ran| ran.seconds))
                .unwrap_or_default(),
        }
    }

    pub(super) fn as_stored(&self) -> AttemptEnd<'_> {
        AttemptEnd { code: self.code, error: self.error.as_deref(), seconds: &self.seconds }
    }
}

/// The sources that failed for good, and not why, as above.
fn failed_sources(prepared: &Prepared, ran: Option<&Ran>) -> String {
    let failed = ran.iter().flat_map(|ran| ran.failed.keys());
    let names: Vec<String> = failed.map(|source| prepared.source_name(*source)).collect();
    format!("failed: {}", names.join(", "))
}

/// What a start came to that completes its run.
pub(super) fn came_to_completion(prepared: &Prepared, ran: &Ran) -> CameTo {
    CameTo::new(prepared, Some(ran), &Ended::Complete)
}

/// Keeps what a start came to that did not complete its run. Where the server does not take it, the start has
/// no end: so has one that dies.
pub(super) async fn note(prepared: &Prepared, ran: Option<&Ran>, ended: &Ended, session: &Session) {
    let Some(run) = prepared.run.as_ref().filter(|_| !matches!(ended, Ended::Complete)) else { return };
    let came_to = CameTo::new(prepared, ran, ended);
    if let Err(error) = run.ledger.note_attempt_end(session, &came_to.as_stored()).await {
        tracing::debug!(%error, "how this start has ended was not noted");
    }
}
