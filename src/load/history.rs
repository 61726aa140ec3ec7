//! What the ledger knows of loads of before, and what it is told of those that have ended.

use std::time::Duration;

use crate::engine::Engine;
use crate::ledger::{
    LoadStanding, PastRun, Pruned, RunChoice, RunDetails, StoredShare, note_turn, past_runs, prune,
    run_details, shares, standings,
};
use crate::pg::{ConnInfo, Session};
use crate::prepared::LoadError;

use super::slots::open;

async fn session(engine: &Engine, dsn: &ConnInfo) -> Result<Session, LoadError> {
    let share = engine.enter();
    let lease = share.lease(dsn, 1).await?;
    open(&lease).await
}

/// Notes how the turn of a load has ended.
///
/// # Errors
/// When the database cannot be asked.
pub async fn note_end(
    engine: &Engine,
    dsn: &ConnInfo,
    job: &str,
    load: &str,
    state: &str,
    code: u8,
) -> Result<(), LoadError> {
    Ok(note_turn(&session(engine, dsn).await?, job, load, state, code).await?)
}

/// How the loads of a job stand.
///
/// # Errors
/// When the database cannot be asked.
pub async fn stored_standings(
    engine: &Engine,
    dsn: &ConnInfo,
    job: &str,
) -> Result<Vec<LoadStanding>, LoadError> {
    Ok(standings(&session(engine, dsn).await?, job).await?)
}

/// Runs of before, the latest first.
///
/// # Errors
/// When the database cannot be asked.
pub async fn stored_runs(
    engine: &Engine,
    dsn: &ConnInfo,
    choice: RunChoice<'_>,
    limit: u32,
) -> Result<Vec<PastRun>, LoadError> {
    Ok(past_runs(&session(engine, dsn).await?, choice, limit).await?)
}

/// The folders of answers that unfinished runs of a job were begun with.
///
/// # Errors
/// When the database cannot be asked.
pub async fn stored_shares(
    engine: &Engine,
    dsn: &ConnInfo,
    job: &str,
) -> Result<Vec<StoredShare>, LoadError> {
    Ok(shares(&session(engine, dsn).await?, job).await?)
}

/// All that the ledger knows of a run; `None`: there is none of this id.
///
/// # Errors
/// When the database cannot be asked.
pub async fn stored_run(engine: &Engine, dsn: &ConnInfo, run: &str) -> Result<Option<RunDetails>, LoadError> {
    Ok(run_details(&session(engine, dsn).await?, run).await?)
}

/// Deletes the history of runs that ended longer ago than this.
///
/// # Errors
/// When the database cannot be asked, or the role may not delete.
pub async fn prune_history(engine: &Engine, dsn: &ConnInfo, keep: Duration) -> Result<Pruned, LoadError> {
    Ok(prune(&session(engine, dsn).await?, keep).await?)
}
