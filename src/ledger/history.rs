//! What has been: the last turn of each load of a job, when each was last complete, and runs of before.

use crate::account::Books;
use crate::pg::{Session, literal};

use super::error::LedgerError;
use super::read::{failed, has_table, rows_of};

/// How a load of a job stands.
#[derive(Debug, Clone, PartialEq)]
pub struct LoadStanding {
    /// The load.
    pub load: String,
    /// How its last turn ended, if one is known.
    pub state: Option<String>,
    /// Seconds since it was last complete, if it ever was.
    pub complete_ago: Option<f64>,
    /// A run of it is unfinished.
    pub is_unfinished: bool,
}

/// A run of before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PastRun {
    /// Its id.
    pub run: String,
    /// Job and load, if it is of a job file.
    pub load: Option<String>,
    /// The table, for people.
    pub table: String,
    /// The name of its mode.
    pub mode: String,
    /// `running`, `complete` or `abandoned`.
    pub state: String,
    /// Starts.
    pub attempts: u64,
    /// When it was begun.
    pub started_at: String,
    /// When it was completed or given up.
    pub finished_at: Option<String>,
    /// What was committed.
    pub books: Books,
}

/// Notes how the turn of a load has ended, where there is a ledger.
///
/// # Errors
/// When the server cannot be asked.
pub async fn note_turn(
    session: &Session,
    job: &str,
    load: &str,
    state: &str,
    code: u8,
) -> Result<(), LedgerError> {
    if !has_table(session, "turn").await? {
        return Ok(());
    }
    let sql = format!(
        "INSERT INTO _dbload.turn AS t (job, load, state, code) VALUES ({}, {}, {}, {code}) \
         ON CONFLICT (job, load) DO UPDATE SET state = EXCLUDED.state, code = EXCLUDED.code, ended_at = clock_timestamp()",
        literal(job),
        literal(load),
        literal(state)
    );
    session.ask(&sql).await.map(|_| ()).map_err(failed("note how a load has ended"))
}

/// How the loads of a job stand: those of which anything is known.
///
/// # Errors
/// When the server cannot be asked.
pub async fn standings(session: &Session, job: &str) -> Result<Vec<LoadStanding>, LedgerError> {
    if !has_table(session, "turn").await? {
        return Ok(Vec::new());
    }
    // Names have no wildcard but the underscore: what is behind the first slash is compared whole.
    let sql = format!(
        "SELECT coalesce(t.load, r.load), t.state, extract(epoch FROM clock_timestamp() - r.complete_at)::float8, \
         coalesce(r.is_unfinished, false) \
         FROM (SELECT load, state FROM _dbload.turn WHERE job = {job}) t \
         FULL JOIN (SELECT split_part(identity, '/', 2) AS load, \
                    max(finished_at) FILTER (WHERE state = 'complete') AS complete_at, bool_or(state = 'running') AS is_unfinished \
                    FROM _dbload.run WHERE starts_with(identity, {prefix}) GROUP BY 1) r ON r.load = t.load ORDER BY 1",
        job = literal(job),
        prefix = literal(&format!("job:{job}/")),
    );
    let rows = rows_of(session.ask(&sql).await.map_err(failed("read the history"))?);
    let standing = |row: Vec<Option<String>>| {
        let mut row = row.into_iter();
        Some(LoadStanding {
            load: row.next()??,
            state: row.next()?,
            complete_ago: row.next()?.and_then(|seconds| seconds.parse().ok()),
            is_unfinished: row.next()?.as_deref() == Some("t"),
        })
    };
    Ok(rows.into_iter().filter_map(standing).collect())
}

/// The setting of a run that names the folder of the answers that it shares with others.
pub const SHARED_FETCH: &str = "shared-fetch";

/// An unfinished run that reads answers which several loads share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredShare {
    /// What the run is known by.
    pub identity: String,
    /// The folder of the answers.
    pub folder: String,
}

/// The unfinished runs of a job that read answers which several loads share.
///
/// # Errors
/// When the server cannot be asked.
pub async fn shares(session: &Session, job: &str) -> Result<Vec<StoredShare>, LedgerError> {
    if !has_table(session, "run").await? {
        return Ok(Vec::new());
    }
    let sql = format!(
        "SELECT identity, settings ->> '{SHARED_FETCH}' FROM _dbload.run WHERE state = 'running' AND starts_with(identity, {})",
        literal(&format!("job:{job}/"))
    );
    let rows = rows_of(session.ask(&sql).await.map_err(failed("look for unfinished runs"))?);
    let share = |row: Vec<Option<String>>| {
        let mut row = row.into_iter();
        Some(StoredShare { identity: row.next()??, folder: row.next()?? })
    };
    Ok(rows.into_iter().filter_map(share).collect())
}

/// Which runs are asked for.
#[derive(Debug, Clone, Copy)]
pub enum RunChoice<'c> {
    /// All of them.
    All,
    /// Those of the load of this name, of whatever job file.
    OfLoad(&'c str),
    /// This one.
    One(&'c str),
}

/// Runs of before, the latest first.
///
/// # Errors
/// When the server cannot be asked.
pub async fn past_runs(
    session: &Session,
    choice: RunChoice<'_>,
    limit: u32,
) -> Result<Vec<PastRun>, LedgerError> {
    if !has_table(session, "run").await? {
        return Ok(Vec::new());
    }
    let of_load = match choice {
        RunChoice::All => String::new(),
        RunChoice::OfLoad(load) => format!(
            "WHERE starts_with(r.identity, 'job:') AND split_part(r.identity, '/', 2) = {}",
            literal(load)
        ),
        RunChoice::One(run) => format!("WHERE r.run = {}", literal(run)),
    };
    let sql = format!(
        "SELECT r.run, CASE WHEN starts_with(r.identity, 'job:') THEN substr(r.identity, 5) END, r.target, r.mode, r.state, \
         r.attempts, r.started_at::text, r.finished_at::text, \
         c.read, c.inserted, c.updated, c.unchanged, c.deduplicated, c.skipped, c.rejected, c.deleted \
         FROM (SELECT * FROM _dbload.run r {of_load} ORDER BY r.started_at DESC LIMIT {limit}) r, LATERAL ( \
           SELECT sum(read) AS read, sum(inserted) AS inserted, sum(updated) AS updated, sum(unchanged) AS unchanged, \
                  sum(deduplicated) AS deduplicated, sum(skipped) AS skipped, sum(rejected) AS rejected, \
                  sum(coalesce((to_jsonb(c) ->> 'deleted')::bigint, 0)) AS deleted \
           FROM _dbload.checkpoint c WHERE c.run = r.run) c ORDER BY r.started_at DESC"
    );
    let rows = rows_of(session.ask(&sql).await.map_err(failed("read the history"))?);
    Ok(rows.into_iter().filter_map(past_run).collect())
}

fn past_run(row: Vec<Option<String>>) -> Option<PastRun> {
    let mut row = row.into_iter();
    let (run, load) = (row.next()??, row.next()?);
    let (table, mode, state) = (row.next()??, row.next()??, row.next()??);
    let attempts = row.next()??.parse().ok()?;
    let (started_at, finished_at) = (row.next()??, row.next()?);
    let mut count = || row.next().flatten().and_then(|count| count.parse().ok()).unwrap_or(0);
    let books = Books {
        read: count(),
        inserted: count(),
        updated: count(),
        unchanged: count(),
        deduplicated: count(),
        skipped: count(),
        rejected: count(),
        // A ledger of before has no such column.
        deleted: count(),
    };
    Some(PastRun { run, load, table, mode, state, attempts, started_at, finished_at, books })
}
