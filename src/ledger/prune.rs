//! What is history in the ledger goes after a while: rejects and starts of runs that have ended, and the
//! sources of those with a key. What a later load builds on stays: unfinished runs, watermarks, complete
//! windows, what an append remembers of its files, and of each run its row and its books.

use std::time::Duration;

use crate::pg::{Session, StatementResult, literal};

use super::error::LedgerError;
use super::read::{failed, has_table, rows_of};
use super::run::LOADS_ONCE;

/// What went.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Runs of which something went.
    pub runs: u64,
    /// Rejected records.
    pub rejects: u64,
    /// Starts.
    pub attempts: u64,
    /// Sources.
    pub sources: u64,
}

/// Runs whose history goes in one transaction: it holds its locks for a moment.
const RUNS_A_TRANSACTION: u32 = 200;

/// Deletes the history of runs that ended longer ago than this.
///
/// # Errors
/// When the server cannot be asked, or the role may not delete.
pub async fn prune(session: &Session, keep: Duration) -> Result<Pruned, LedgerError> {
    let mut pruned = Pruned::default();
    if !has_table(session, "attempt").await? {
        return Ok(pruned);
    }
    loop {
        let found = session.ask(&old_runs(keep)).await.map_err(failed("look for old runs"))?;
        let runs: Vec<String> =
            rows_of(found).into_iter().filter_map(|row| row.into_iter().next()?).collect();
        if runs.is_empty() {
            return Ok(pruned);
        }
        let gone = session.ask(&deletions(&runs)).await.map_err(failed("delete history"))?;
        let count = |at: usize| gone.get(at).map_or(0, |outcome: &StatementResult| outcome.affected);
        pruned.runs += runs.len() as u64;
        pruned.rejects += count(0);
        pruned.attempts += count(1);
        pruned.sources += count(3);
    }
}

/// Ended runs that are older and have something left to go.
fn old_runs(keep: Duration) -> String {
    format!(
        "SELECT r.run FROM _dbload.run r WHERE r.state <> 'running' \
         AND coalesce(r.finished_at, r.heartbeat) < clock_timestamp() - interval '1 second' * {} \
         AND (EXISTS (SELECT FROM _dbload.reject j WHERE j.run = r.run) \
           OR EXISTS (SELECT FROM _dbload.attempt a WHERE a.run = r.run) \
           OR (NOT {LOADS_ONCE} AND EXISTS (SELECT FROM _dbload.source s WHERE s.run = r.run))) \
         ORDER BY r.started_at LIMIT {RUNS_A_TRANSACTION}",
        keep.as_secs()
    )
}

/// Several statements of one message are one transaction.
fn deletions(runs: &[String]) -> String {
    let runs: Vec<String> = runs.iter().map(|run| literal(run)).collect();
    let runs = runs.join(", ");
    let ended = format!("SELECT r.run FROM _dbload.run r WHERE r.run IN ({runs}) AND r.state <> 'running'");
    let keyed = format!("{ended} AND NOT {LOADS_ONCE}");
    format!(
        "DELETE FROM _dbload.reject WHERE run IN ({ended});\n\
         DELETE FROM _dbload.attempt WHERE run IN ({ended});\n\
         DELETE FROM _dbload.source_count WHERE run IN ({keyed});\n\
         DELETE FROM _dbload.source WHERE run IN ({keyed})"
    )
}
