//! What the ledger knows of loads of before, and what it is told of those that have ended.

use crate::engine::Engine;
use crate::ledger::{LoadStanding, PastRun, note_turn, past_runs, standings};
use crate::pg::{Dsn, Session};
use crate::prepared::LoadError;

use super::slots::open;

async fn session(engine: &Engine, dsn: &Dsn) -> Result<Session, LoadError> {
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
    dsn: &Dsn,
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
pub async fn stored_standings(engine: &Engine, dsn: &Dsn, job: &str) -> Result<Vec<LoadStanding>, LoadError> {
    Ok(standings(&session(engine, dsn).await?, job).await?)
}

/// Runs of before, the latest first.
///
/// # Errors
/// When the database cannot be asked.
pub async fn stored_runs(
    engine: &Engine,
    dsn: &Dsn,
    load: Option<&str>,
    limit: u32,
) -> Result<Vec<PastRun>, LoadError> {
    Ok(past_runs(&session(engine, dsn).await?, load, limit).await?)
}
