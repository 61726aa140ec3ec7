//! What is said and asked through a writer's session while the run is on and at its end: SQL of the ledger in
//! one place.

use crate::account::{Books, SourceBooks};
use crate::pg::sqlstate::{is_changed, is_fenced, is_missing_object, is_missing_reference, is_unbalanced};
use crate::pg::{DbError, Session, StatementResult, literal};

use super::error::LedgerError;
use super::fence::LedgerRef;
use super::owner::Owner;
use super::run::{LOADS_ONCE, NewRun, StoredSource, StoredTarget, TARGET_COLUMNS};
use super::trust::UNTRUSTED;
use crate::record::Place;
use crate::schema::TableName;

/// Sources that one statement records: a parse tree of a few MB.
const SOURCES_A_STATEMENT: usize = 1_000;

/// Sums over all checkpoints of a run.
#[derive(Debug, Clone, Copy, Default)]
pub struct Summary {
    /// The sums of all fates.
    pub books: Books,
    /// Batches that have been committed.
    pub batches: u64,
    /// Of them, by the careful path.
    pub careful: u64,
}

/// Begins the transaction that records a run, perhaps with its new table. A process that is stopped in there
/// must not hold up other starts for ever: they wait for a while and look again, and the server ends it.
pub const BEGIN_RECORDING: &str = "BEGIN;\nSELECT pg_catalog.set_config('lock_timeout', '2s', true), \
    pg_catalog.set_config('idle_in_transaction_session_timeout', '30s', true), \
    pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true)";

/// Of the two numbers of a lock; the other is a table's.
const APPENDS_LOCK: i32 = 0x6462_6c61;

/// Statements that record a new run; they go into the transaction that creates the table, if one is created.
#[must_use]
pub fn record_run(run: &str, new: &NewRun, target: &StoredTarget, owner: &Owner) -> String {
    let key: Vec<String> = new.key.iter().map(|column| literal(column)).collect();
    let json = |value: serde_json::Value| literal(&value.to_string());
    let mut sql = format!(
        "INSERT INTO _dbload.run (run, identity, target, target_oid, target_file, target_files, mode, key, partitions, settings, \
         guarantee, owner) VALUES ({}, {}, {}, {}, {}, {}, {}, ARRAY[{}]::pg_catalog.text[], {}, {}, {}, {});\n\
         INSERT INTO _dbload.checkpoint (run, partition, epoch) SELECT {}, p, 1 FROM pg_catalog.generate_series(0, {}) p",
        literal(run),
        literal(&new.identity),
        literal(&new.target),
        target.oid,
        target.file,
        literal(&target.files()),
        literal(&new.mode),
        key.join(", "),
        new.partitions,
        json(serde_json::to_value(&new.settings).unwrap_or_default()),
        literal(&new.guarantee),
        json(serde_json::to_value(owner).unwrap_or_default()),
        literal(run),
        new.partitions - 1,
    );
    sql.push_str(";\n");
    sql.push_str(&first_attempt(run));
    if target.is_unlogged() {
        sql.push_str(";\n");
        sql.push_str(&stay_alive(run));
    }
    // Many endpoints are many rows: in few statements, each of which is parsed as a whole.
    let rows: Vec<String> =
        new.sources.iter().enumerate().map(|(ordinal, source)| source_row(run, ordinal, source)).collect();
    for rows in rows.chunks(SOURCES_A_STATEMENT) {
        sql.push_str(";\n");
        sql.push_str(&record_sources(&rows.join(",\n")));
    }
    sql
}

/// The statement that keeps the first start of a run, behind the one that records it.
fn first_attempt(run: &str) -> String {
    format!(
        "INSERT INTO _dbload.attempt (run, attempt, epoch, owner) SELECT r.run, 1, r.epoch, r.owner FROM _dbload.run r WHERE r.run = {}",
        literal(run)
    )
}

/// Leaves a row that a crash of the server takes away along with those of an unlogged target. Those of runs
/// that are over go.
fn stay_alive(run: &str) -> String {
    format!(
        "DELETE FROM _dbload.alive l WHERE NOT EXISTS (SELECT FROM _dbload.run r WHERE r.run = l.run AND r.state = 'running');\n\
         INSERT INTO _dbload.alive (run) VALUES ({}) ON CONFLICT (run) DO NOTHING",
        literal(run)
    )
}

/// Records the target of a run as it is now, with the same rows in it.
pub async fn record_target(
    session: &Session,
    run: &LedgerRef,
    target: &StoredTarget,
) -> Result<(), LedgerError> {
    let alive = if target.is_unlogged() { format!(";\n{}", stay_alive(&run.run)) } else { String::new() };
    let sql = format!(
        "UPDATE _dbload.run SET target_file = {}, target_files = {} WHERE run = {} AND epoch = {}{alive}",
        target.file,
        literal(&target.files()),
        literal(&run.run),
        run.epoch,
    );
    session.ask(&sql).await.map(|_| ()).map_err(failed("record the target"))
}

/// Stores which columns a run writes to, where some were added for it.
pub async fn record_columns(
    session: &Session,
    run: &LedgerRef,
    columns: &serde_json::Value,
) -> Result<(), LedgerError> {
    let sql = format!(
        "UPDATE _dbload.run SET settings = jsonb_set(settings, ARRAY[{}], {}::jsonb) WHERE run = {} AND epoch = {}",
        literal(TARGET_COLUMNS),
        literal(&columns.to_string()),
        literal(&run.run),
        run.epoch,
    );
    session.ask(&sql).await.map(|_| ()).map_err(failed("record the columns"))
}

/// Keeps how a start has failed, and where: whether the one before failed alike, with no checkpoint moved
/// since.
pub async fn note_failure(
    session: &Session,
    run: &LedgerRef,
    stage: &str,
    sqlstate: &str,
) -> Result<bool, LedgerError> {
    let (id, epoch) = (literal(&run.run), run.epoch);
    let sql = format!(
        "WITH now AS (SELECT pg_catalog.jsonb_build_object('stage', {}::pg_catalog.text, 'sqlstate', {}::pg_catalog.text, 'at', ( \
             SELECT pg_catalog.string_agg(pg_catalog.concat_ws(':', c.partition, c.source, c.byte_offset, c.record), ' ' \
                      ORDER BY c.partition) FROM _dbload.checkpoint c WHERE c.run OPERATOR(pg_catalog.=) {id})) AS failure), \
           before AS (SELECT r.failure FROM _dbload.run r WHERE r.run OPERATOR(pg_catalog.=) {id}) \
         UPDATE _dbload.run r SET failure = now.failure FROM now, before \
          WHERE r.run OPERATOR(pg_catalog.=) {id} AND r.epoch OPERATOR(pg_catalog.=) {epoch} \
         RETURNING before.failure OPERATOR(pg_catalog.=) now.failure",
        literal(stage),
        literal(sqlstate),
    );
    let outcomes = session.ask(&sql).await.map_err(failed("keep the failure"))?;
    Ok(outcomes.first().and_then(StatementResult::value) == Some("t"))
}

/// Statements that let one start after the other record an append into a table, or into a part of it, and
/// ask for [`appends_before`] behind it: while that stays the same, so do the files that were appended. Each
/// locks its table and all above that, so that of two of which one is a part of the other both have one lock.
#[must_use]
pub fn one_append_at_once(target_oid: u32) -> String {
    format!(
        "WITH RECURSIVE {} SELECT pg_catalog.pg_advisory_xact_lock({APPENDS_LOCK}, l.oid::pg_catalog.int4) \
         FROM (SELECT a.oid FROM above a ORDER BY a.oid) l",
        above(target_oid)
    )
}

/// A table and all that it is a part or a child of; to be read WITH RECURSIVE.
fn above(oid: u32) -> String {
    format!(
        "above(oid) AS (SELECT {oid}::pg_catalog.oid UNION SELECT h.inhparent FROM above \
           JOIN pg_catalog.pg_inherits h ON h.inhrelid OPERATOR(pg_catalog.=) above.oid)"
    )
}

/// What two appends at one moment may have in common, as the ledger stores it of the one that is first.
#[derive(Debug, Default)]
pub struct AppendMarks {
    /// Sizes of files.
    pub sizes: Vec<u64>,
    /// Names of objects in stores.
    pub objects: Vec<String>,
}

/// How many runs have appended to a table, a part of it or what it is a part of, or are at it, that another
/// start must not pass over: those that are complete, and of the others those with a source that may be one
/// of these. But for this one, which is being recorded. Behind its INSERT: an append of the same identity
/// that completed before it is seen, and one that had not would have been in its way.
#[must_use]
pub fn appends_before(run: &str, target_oid: u32, table: &TableName, marks: &AppendMarks) -> String {
    let sizes: Vec<String> = marks.sizes.iter().map(|size| literal(&size.to_string())).collect();
    let objects: Vec<String> = marks.objects.iter().map(|name| literal(name)).collect();
    format!(
        "WITH RECURSIVE {}, below(oid) AS (SELECT {target_oid}::pg_catalog.oid UNION SELECT h.inhrelid FROM below \
             JOIN pg_catalog.pg_inherits h ON h.inhparent OPERATOR(pg_catalog.=) below.oid), \
           kin(oid) AS (SELECT a.oid FROM above a UNION SELECT b.oid FROM below b) \
         SELECT pg_catalog.count(*) FROM _dbload.run r WHERE r.run OPERATOR(pg_catalog.<>) {} \
         AND (r.target_oid OPERATOR(pg_catalog.=) ANY (ARRAY(SELECT k.oid FROM kin k)) OR r.target OPERATOR(pg_catalog.=) {}) \
         AND {LOADS_ONCE} AND (r.state OPERATOR(pg_catalog.=) 'complete' \
         OR EXISTS (SELECT FROM _dbload.source s WHERE s.run OPERATOR(pg_catalog.=) r.run \
         AND ((s.description OPERATOR(pg_catalog.#>>) '{{fingerprint,size}}') OPERATOR(pg_catalog.=) ANY (ARRAY[{}]::pg_catalog.text[]) \
           OR s.name OPERATOR(pg_catalog.=) ANY (ARRAY[{}]::pg_catalog.text[]))))",
        above(target_oid),
        literal(run),
        literal(&table.to_string()),
        sizes.join(", "),
        objects.join(", ")
    )
}

fn record_sources(rows: &str) -> String {
    format!("INSERT INTO _dbload.source (run, source, name, description, begin_at, set_aside) VALUES {rows}")
}

fn source_row(run: &str, ordinal: usize, source: &StoredSource) -> String {
    let place = |at: &Option<Place>| at.as_ref().map_or("NULL".to_owned(), |at| literal(&at.to_json()));
    format!(
        "({}, {ordinal}, {}, {}, {}, {})",
        literal(run),
        literal(&source.name),
        literal(&source.description.to_string()),
        place(&source.begin_at),
        place(&source.set_aside),
    )
}

pub(super) fn failed(doing: &'static str) -> impl Fn(DbError) -> LedgerError {
    move |source| match source {
        source if is_fenced(&source) => LedgerError::Fenced,
        // A row that belongs to a run which is not there; or no ledger.
        source if is_missing_reference(&source) || is_missing_object(&source) => LedgerError::Forgotten,
        source => LedgerError::Server { doing, source },
    }
}

/// Sets a source aside, before any checkpoint moves past it: what is left of it becomes the last source of
/// the next start.
pub async fn set_aside(
    session: &Session,
    run: &str,
    epoch: u64,
    source: u32,
    at: &Place,
) -> Result<(), LedgerError> {
    let sql = format!(
        "UPDATE _dbload.source s SET set_aside = {place} WHERE s.run = {run} AND s.source = {source} \
         AND EXISTS (SELECT FROM _dbload.run r WHERE r.run = {run} AND r.epoch = {epoch} AND r.state = 'running')",
        place = literal(&at.to_json()),
        run = literal(run),
    );
    let outcomes = session.ask(&sql).await.map_err(failed("set a source aside"))?;
    match outcomes.first() {
        Some(outcome) if outcome.affected == 1 => Ok(()),
        _ => match standing(session, run, epoch).await? {
            Standing::Gone => Err(LedgerError::Forgotten),
            Standing::Complete | Standing::Unfinished | Standing::Lost => Err(LedgerError::Fenced),
        },
    }
}

/// Appends the rest of a source that was set aside to the order.
pub async fn append_rest(
    session: &Session,
    run: &str,
    of: u32,
    ordinal: u32,
    source: &StoredSource,
) -> Result<(), LedgerError> {
    let sql = format!(
        "{};\nUPDATE _dbload.source SET moved_to = {ordinal} WHERE run = {} AND source = {of}",
        record_sources(&source_row(run, ordinal as usize, source)),
        literal(run)
    );
    session.ask(&sql).await.map(|_| ()).map_err(failed("append the rest of a source"))
}

/// Gives a sign of life.
pub async fn heartbeat(session: &Session, run: &str, epoch: u64) -> Result<(), LedgerError> {
    let sql = format!(
        "UPDATE _dbload.run SET heartbeat = clock_timestamp() WHERE run = {} AND epoch = {epoch} AND state = 'running'",
        literal(run)
    );
    session.ask(&sql).await.map(|_| ()).map_err(failed("give a sign of life"))
}

/// Completes a run: synchronously, fenced, only if all books balance, and only if `check` does not raise.
/// `keep`: what is stored along with that.
pub async fn complete(
    session: &Session,
    run: &str,
    epoch: u64,
    check: Option<&str>,
    keep: &str,
) -> Result<(), LedgerError> {
    let check = check.map_or_else(String::new, |check| format!("{check};\n"));
    let sql = format!(
        "BEGIN;\nSET LOCAL search_path = pg_catalog, pg_temp;\n{check}{keep}SELECT _dbload.complete({}, {epoch});\nCOMMIT",
        literal(run)
    );
    completed(session, run, session.begin(&sql).await.map(|_| ())).await
}

/// What the end of a run has come to.
pub(super) async fn completed(
    session: &Session,
    run: &str,
    outcome: Result<(), DbError>,
) -> Result<(), LedgerError> {
    match outcome {
        Ok(()) => {
            session.transaction_ended();
            Ok(())
        }
        Err(error) => {
            session.roll_back().await;
            if is_changed(&error) {
                return Err(LedgerError::AnotherVersion);
            }
            if is_unbalanced(&error) {
                return Err(LedgerError::Unbalanced { run: run.to_owned() });
            }
            Err(failed("complete the run")(error))
        }
    }
}

/// Sources of the unfinished run of an identity, as stored; `None`: there is none, or no ledger that could be
/// asked. A first look, before the ledger is opened: what it says is looked at again then.
pub async fn unfinished_sources(session: &Session, identity: &str) -> Option<Vec<StoredSource>> {
    if !is_there(session).await {
        return None;
    }
    let sql = format!(
        "SELECT s.name, s.description FROM _dbload.source s JOIN _dbload.run r USING (run) \
         WHERE r.identity = {} AND r.state = 'running' ORDER BY s.source",
        literal(identity)
    );
    let rows = rows_of(session.ask(&sql).await.ok()?);
    let source = |row: Vec<Option<String>>| {
        let mut row = row.into_iter().map(Option::unwrap_or_default);
        let name = row.next()?;
        let description = serde_json::from_str(&row.next()?).ok()?;
        Some(StoredSource { name, description, begin_at: None, set_aside: None, moved_to: None })
    };
    let sources: Vec<StoredSource> = rows.into_iter().filter_map(source).collect();
    (!sources.is_empty()).then_some(sources)
}

/// There is a ledger that can be trusted. Whoever it must not be of: that is said when it is opened.
async fn is_there(session: &Session) -> bool {
    let there = format!("SELECT pg_catalog.to_regclass('_dbload.source') IS NOT NULL;\n{UNTRUSTED}");
    let Ok(there) = session.run(&there).await else { return false };
    let [is_there, untrusted, ..] = there.as_slice() else { return false };
    is_there.value() == Some("t") && untrusted.rows.is_empty()
}

/// The setting of a run that has made its table.
pub const MADE: &str = "made";

/// Whether a table was made by the last run of these identities, or, where none are given, by any run at all.
/// Where no ledger can be asked, by none.
pub async fn has_made(session: &Session, oid: u32, identities: &[String]) -> bool {
    if !is_there(session).await {
        return false;
    }
    let of_them = if identities.is_empty() {
        format!("settings ? {}", literal(MADE))
    } else {
        let identities: Vec<String> = identities.iter().map(|identity| literal(identity)).collect();
        format!("identity IN ({})", identities.join(", "))
    };
    let sql = format!(
        "SELECT settings ? {} FROM _dbload.run WHERE target_oid = {oid} AND {of_them} ORDER BY started_at DESC LIMIT 1",
        literal(MADE)
    );
    let answer = session.ask(&sql).await;
    answer.is_ok_and(|answer| answer.first().is_some_and(|found| found.value() == Some("t")))
}

/// What a run is to an owner that was refused its completion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Complete, and it was this owner who completed it.
    Complete,
    /// Unfinished, and nobody came after this owner: the server has lost commits that it acknowledged.
    Unfinished,
    /// The run belongs to somebody else by now.
    Lost,
    /// Not there: the server knows nothing of it.
    Gone,
}

/// Asks how a run stands.
pub async fn standing(session: &Session, run: &str, epoch: u64) -> Result<Standing, LedgerError> {
    let sql = format!(
        "SELECT state = 'complete' AND epoch = {epoch}, state = 'running' AND epoch <= {epoch} FROM _dbload.run \
         WHERE run = {}",
        literal(run)
    );
    let outcomes = session.ask(&sql).await.map_err(failed("look whether the run is complete"))?;
    let Some(row) = outcomes.first().and_then(|outcome| outcome.rows.first()) else {
        return Ok(Standing::Gone);
    };
    let is = |column: usize| row.get(column).is_some_and(|value| value.as_deref() == Some("t"));
    Ok(if is(0) {
        Standing::Complete
    } else if is(1) {
        Standing::Unfinished
    } else {
        Standing::Lost
    })
}

/// Gives up a run that cannot be resumed (its source was a pipe).
pub async fn abandon(session: &Session, run: &str, epoch: u64) -> Result<(), LedgerError> {
    let sql = format!(
        "UPDATE _dbload.run SET state = 'abandoned', finished_at = clock_timestamp() WHERE run = {} AND epoch = {epoch} \
         AND state = 'running'",
        literal(run)
    );
    session.ask(&sql).await.map(|_| ()).map_err(failed("close the run"))
}

fn numbers(row: &[Option<String>]) -> Vec<u64> {
    row.iter().map(|value| value.as_deref().and_then(|n| n.parse().ok()).unwrap_or(0)).collect()
}

/// The sums of what was committed; an error where the run has no checkpoints, since then it is not there.
pub async fn summary(session: &Session, run: &str) -> Result<Summary, LedgerError> {
    let sql = format!(
        "SELECT sum(read), sum(inserted), sum(updated), sum(unchanged), sum(deduplicated), sum(skipped), sum(rejected), \
         sum(batches), sum(careful), count(*), sum(deleted) FROM _dbload.checkpoint WHERE run = {}",
        literal(run)
    );
    let outcomes = session.ask(&sql).await.map_err(failed("sum up the run"))?;
    let row = outcomes.first().and_then(|o| o.rows.first()).map(|row| numbers(row)).unwrap_or_default();
    let n = |i: usize| row.get(i).copied().unwrap_or(0);
    if n(9) == 0 {
        return Err(LedgerError::Forgotten);
    }
    Ok(Summary {
        books: Books {
            read: n(0),
            inserted: n(1),
            updated: n(2),
            unchanged: n(3),
            deduplicated: n(4),
            skipped: n(5),
            rejected: n(6),
            deleted: n(10),
        },
        batches: n(7),
        careful: n(8),
    })
}

/// Books of each source, by ordinal.
pub async fn source_books(session: &Session, run: &str) -> Result<Vec<(u32, SourceBooks)>, LedgerError> {
    let sql = format!(
        "SELECT source, sum(read), sum(rejected) FROM _dbload.source_count WHERE run = {} GROUP BY source ORDER BY source",
        literal(run)
    );
    let outcomes = session.ask(&sql).await.map_err(failed("sum up the sources"))?;
    let rows = outcomes.first().map(|o| o.rows.as_slice()).unwrap_or_default();
    Ok(rows
        .iter()
        .map(|row| numbers(row))
        .filter_map(|n| {
            Some((u32::try_from(*n.first()?).ok()?, SourceBooks { read: *n.get(1)?, rejected: *n.get(2)? }))
        })
        .collect())
}

/// Whether there is a ledger that can be trusted and has this table: one of before may lack it.
pub(super) async fn has_table(session: &Session, table: &str) -> Result<bool, LedgerError> {
    let sql = format!(
        "SELECT pg_catalog.to_regclass({}) IS NOT NULL AND NOT EXISTS ({UNTRUSTED})",
        literal(&format!("_dbload.{table}"))
    );
    let answer = session.ask(&sql).await.map_err(failed("look for the ledger"))?;
    Ok(answer.first().is_some_and(|found| found.value() == Some("t")))
}

pub(super) fn rows_of(outcomes: Vec<StatementResult>) -> Vec<Vec<Option<String>>> {
    outcomes.into_iter().next().map(|outcome| outcome.rows).unwrap_or_default()
}
