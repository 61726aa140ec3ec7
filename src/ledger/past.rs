//! All that the ledger knows of one run: its books and settings, its sources, what was rejected and why, and
//! its starts.

use crate::pg::{Session, literal};

use super::error::LedgerError;
use super::history::{PastRun, RunChoice, past_runs};
use super::read::{failed, has_table, rows_of};
use super::rejects::{ReasonCount, sample_rejects};
use super::run::{KEY_TYPES, RunSettings, TARGET_COLUMNS, flag};

/// Kinds of rejects that are named.
const REASONS_MAX: u32 = 20;

/// Sources that are named.
const SOURCES_MAX: u32 = 1_000;

/// Settings that nobody has said: what a run keeps of itself among them.
const OURS: [&str; 6] = ["backfill", "begun-at", "made", "shared-fetch", KEY_TYPES, TARGET_COLUMNS];

/// What is known of a run.
#[derive(Debug, Clone)]
pub struct RunDetails {
    /// What it was, and what was committed.
    pub run: PastRun,
    /// The key columns.
    pub key: Vec<String>,
    /// Its partitions.
    pub partitions: u64,
    /// The guarantee by name.
    pub guarantee: String,
    /// Batches that were committed.
    pub batches: u64,
    /// Of them, record by record.
    pub careful: u64,
    /// Parser and mapping.
    pub settings: RunSettings,
    /// The sources, in their order, no more than a thousand.
    pub sources: Vec<PastSource>,
    /// How many there are.
    pub sources_all: u64,
    /// What was wrong with rejected records, the most frequent first.
    pub rejects: Vec<ReasonCount>,
    /// Its starts that are known.
    pub attempts: Vec<PastAttempt>,
}

/// A source of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PastSource {
    /// Its place in the order.
    pub ordinal: u32,
    /// Its name, without secrets.
    pub name: String,
    /// `complete`, `unfinished`, or `failed`.
    pub state: String,
    /// Records that are accounted for.
    pub read: u64,
    /// Of them, rejected.
    pub rejected: u64,
}

/// A start of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct PastAttempt {
    /// Which one, from 1.
    pub attempt: u64,
    /// When it began.
    pub began_at: String,
    /// When it was last heard of.
    pub seen_at: String,
    /// When it ended; `None`: it died, or is under way.
    pub ended_at: Option<String>,
    /// The host that it ran on.
    pub host: Option<String>,
    /// Its process there.
    pub pid: Option<u64>,
    /// Its version of dbload.
    pub version: Option<String>,
    /// The exit code.
    pub code: Option<u64>,
    /// Why it did not come to a good end.
    pub error: Option<String>,
    /// Records that were accounted for when it began.
    pub read_before: u64,
    /// Where its time went.
    pub seconds: Option<serde_json::Value>,
}

impl RunDetails {
    /// The settings in the words of the flags, those that were not said left out.
    #[must_use]
    pub fn flags(&self) -> Vec<String> {
        let said = self.settings.iter().filter(|(name, _)| !OURS.contains(&name.as_str()));
        let flags = said.map(|(name, value)| flag(name, Some(value)));
        flags.filter(|flag| !flag.starts_with("without ")).collect()
    }

    /// The name of a source by its place in the order.
    #[must_use]
    pub fn source_name(&self, ordinal: u32) -> &str {
        self.sources.iter().find(|source| source.ordinal == ordinal).map_or("", |source| &source.name)
    }
}

/// Reads it; `None`: there is no run of this id.
///
/// # Errors
/// When the server cannot be asked.
pub async fn run_details(session: &Session, run: &str) -> Result<Option<RunDetails>, LedgerError> {
    let Some(past) = past_runs(session, RunChoice::One(run), 1).await?.pop() else { return Ok(None) };
    let has_attempts = has_table(session, "attempt").await?;
    let id = literal(run);
    let failed = failed("read a run");
    let head = format!(
        "SELECT array_to_json(r.key), r.partitions, r.guarantee, r.settings, \
         (SELECT coalesce(sum(batches), 0) FROM _dbload.checkpoint c WHERE c.run = r.run), \
         (SELECT coalesce(sum(careful), 0) FROM _dbload.checkpoint c WHERE c.run = r.run), \
         (SELECT count(*) FROM _dbload.source s WHERE s.run = r.run) FROM _dbload.run r WHERE r.run = {id}"
    );
    let head = rows_of(session.ask(&head).await.map_err(&failed)?).into_iter().next();
    let Some(mut head) = head.map(Vec::into_iter) else { return Ok(None) };
    let mut next = || head.next().flatten().unwrap_or_default();
    let (key, partitions, guarantee, settings) = (next(), next(), next(), next());
    let mut number = || next().parse().unwrap_or(0);
    let (batches, careful, sources_all) = (number(), number(), number());
    let sources = rows_of(session.ask(&sources_query(&id)).await.map_err(&failed)?);
    let attempts = match has_attempts {
        true => rows_of(session.ask(&attempts_query(&id)).await.map_err(&failed)?),
        false => Vec::new(),
    };
    Ok(Some(RunDetails {
        rejects: sample_rejects(session, run, REASONS_MAX).await?,
        run: past,
        key: serde_json::from_str(&key).unwrap_or_default(),
        partitions: partitions.parse().unwrap_or(0),
        guarantee,
        batches,
        careful,
        settings: serde_json::from_str(&settings).unwrap_or_default(),
        sources: sources.into_iter().filter_map(source).collect(),
        sources_all,
        attempts: attempts.into_iter().filter_map(attempt).collect(),
    }))
}

/// Of a source that was set aside, the rest is an entry of its own, which has the name again.
fn sources_query(id: &str) -> String {
    format!(
        "SELECT s.source, s.name, CASE WHEN s.set_aside IS NOT NULL AND s.moved_to IS NULL THEN 'failed' \
           WHEN r.state = 'complete' OR s.moved_to IS NOT NULL OR NOT EXISTS ( \
             SELECT FROM _dbload.checkpoint c WHERE c.run = s.run AND NOT c.done AND c.source <= s.source) THEN 'complete' \
           ELSE 'unfinished' END, coalesce(n.read, 0), coalesce(n.rejected, 0) \
         FROM (SELECT * FROM _dbload.source WHERE run = {id} ORDER BY source LIMIT {SOURCES_MAX}) s \
         JOIN _dbload.run r USING (run) LEFT JOIN (SELECT source, sum(read) AS read, sum(rejected) AS rejected \
           FROM _dbload.source_count WHERE run = {id} GROUP BY source) n ON n.source = s.source ORDER BY s.source"
    )
}

fn attempts_query(id: &str) -> String {
    format!(
        "SELECT a.attempt, a.began_at::text, coalesce(a.seen_at, greatest(r.heartbeat, a.began_at))::text, a.ended_at::text, \
         a.owner ->> 'host', a.owner ->> 'pid', a.owner ->> 'version', a.code, a.error, a.read_before, a.seconds \
         FROM _dbload.attempt a JOIN _dbload.run r USING (run) WHERE a.run = {id} ORDER BY a.attempt"
    )
}

fn source(row: Vec<Option<String>>) -> Option<PastSource> {
    let mut row = row.into_iter();
    Some(PastSource {
        ordinal: row.next()??.parse().ok()?,
        name: row.next()??,
        state: row.next()??,
        read: row.next()??.parse().ok()?,
        rejected: row.next()??.parse().ok()?,
    })
}

fn attempt(row: Vec<Option<String>>) -> Option<PastAttempt> {
    let mut row = row.into_iter();
    Some(PastAttempt {
        attempt: row.next()??.parse().ok()?,
        began_at: row.next()??,
        seen_at: row.next()??,
        ended_at: row.next()?,
        host: row.next()?,
        pid: row.next()?.and_then(|pid| pid.parse().ok()),
        version: row.next()?,
        code: row.next()?.and_then(|code| code.parse().ok()),
        error: row.next()?,
        read_before: row.next()??.parse().ok()?,
        seconds: row.next()?.and_then(|seconds| serde_json::from_str(&seconds).ok()),
    })
}
