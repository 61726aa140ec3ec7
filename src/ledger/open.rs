//! Opening the ledger: is there an unfinished run of this identity, who owns it, may it be taken over.
//!
//! Through sqlx, before the writers start; every question is one message or a transaction, so that a pooler
//! does no harm.

use std::time::Duration;

use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{Connection as _, Row as _};

use crate::account::Books;
use crate::pg::sqlstate::is_fenced;
use crate::pg::{DbError, Lease, TableName, connect_sqlx, connect_sqlx_beside, literal, terminate_tagged};
use crate::record::{PageToken, Place, Position};

use super::error::LedgerError;
use super::migrate;
use super::owner::Owner;
use super::question::simple;
use super::read::{AppendMarks, appends_before};
use super::run::{ACCUMULATING, Checkpoint, StoredMember, StoredRun, StoredSource, StoredTarget};
use super::unfinished::{Opened, Unfinished};

/// An owner that has not given a sign of life for this long may be taken over. Ten times the interval of the
/// signs.
const HEARTBEAT_STALE_SECONDS: f64 = 30.0;

/// How long a connection may take to say farewell.
const CLOSING: Duration = Duration::from_secs(1);

/// A connection to the ledger.
pub struct Ledger {
    pub(super) connection: PgConnection,
    /// How long an answer may take.
    pub(super) limit: Option<Duration>,
    /// It needs no migration.
    is_current: bool,
}

impl Ledger {
    /// Connects to the database of the ledger.
    pub async fn connect(pool: &Lease) -> Result<Self, LedgerError> {
        Ok(Self { connection: connect_sqlx(pool).await?, limit: pool.answer_limit(), is_current: false })
    }

    /// Connects and looks, in one try and while a session of the pool is in use, which saves the time that a
    /// new connection takes. `None` where that does not do: [`Ledger::connect`] tries harder, and says what
    /// is wrong.
    pub async fn connect_beside(pool: &Lease) -> Option<Self> {
        let mut connection = connect_sqlx_beside(pool).await?;
        let limit = pool.answer_limit();
        let failed = LedgerError::server("look for the ledger");
        let look = async { migrate::is_current(&mut connection).await.map_err(failed) };
        let is_current = answered(limit, look).await.ok()?;
        Some(Self { connection, limit, is_current })
    }

    /// Migrates the ledger if it is behind.
    pub async fn migrate(&mut self, role: &str) -> Result<(), LedgerError> {
        if !self.is_current {
            answered(self.limit, migrate::ensure(&mut self.connection, role)).await?;
            self.is_current = true;
        }
        Ok(())
    }

    /// Closes the connection: from here on the pool has them all.
    pub async fn close(self) {
        // Whether the server has heard of it does not matter.
        let _ = tokio::time::timeout(CLOSING, self.connection.close()).await;
    }

    /// Looks for the unfinished run of the first of these identities that has one.
    pub async fn find_first(&mut self, identities: &[String], me: &Owner) -> Result<Opened, LedgerError> {
        for identity in identities {
            match self.find(identity, me).await? {
                Opened::Nothing => {}
                found => return Ok(found),
            }
        }
        Ok(Opened::Nothing)
    }

    /// Looks for the unfinished run of an identity.
    pub async fn find(&mut self, identity: &str, me: &Owner) -> Result<Opened, LedgerError> {
        answered(self.limit, async {
            let failed = LedgerError::server("look for an unfinished run");
            let row = simple(format!(
                "SELECT r.run, r.owner::text, extract(epoch FROM clock_timestamp() - r.heartbeat)::float8, \
             r.target_oid::bigint, r.target_file::bigint, \
             (SELECT coalesce(sum(c.inserted + CASE WHEN {accumulates} THEN c.updated ELSE 0 END), 0)::bigint \
               FROM _dbload.checkpoint c WHERE c.run = r.run), \
             r.target_files::text, EXISTS (SELECT FROM _dbload.alive l WHERE l.run = r.run), \
             CASE WHEN {accumulates} THEN '{ACCUMULATING}' ELSE r.mode END, \
             EXISTS (SELECT FROM _dbload.checkpoint c WHERE c.run = r.run AND c.deleted > 0) \
             FROM _dbload.run r WHERE r.identity = {} AND r.state = 'running'",
                literal(identity),
                accumulates = "jsonb_exists(r.settings, 'accumulates')"
            ))
            .fetch_optional(&mut self.connection)
            .await
            .map_err(&failed)?;
            let Some(row) = row else { return Ok(Opened::Nothing) };
            let unfinished = unfinished(&row).map_err(&failed)?;
            let free = unfinished.owner == *me
                || unfinished.owner.is_gone()
                || (unfinished.heartbeat_seconds > HEARTBEAT_STALE_SECONDS
                    && !unfinished.owner.is_live_here());
            Ok(if free { Opened::Free(unfinished) } else { Opened::Owned(unfinished) })
        })
        .await
    }

    /// Reads a run as it is, without taking it over: its epoch is nobody's.
    pub async fn read(&mut self, run: &str) -> Result<StoredRun, LedgerError> {
        answered(self.limit, async {
            read_run(&mut self.connection, run, 0)
                .await
                .map_err(LedgerError::server("read the unfinished run"))
        })
        .await
    }

    /// Takes a run over: whatever its former owner still has in flight is fenced from now on.
    pub async fn take_over(&mut self, run: &str, me: &Owner) -> Result<StoredRun, LedgerError> {
        answered(self.limit, async {
            let failed = LedgerError::server("take over the unfinished run");
            let owner = serde_json::to_string(me).unwrap_or_default();
            let mut transaction = self.connection.begin().await.map_err(&failed)?;
            sqlx::raw_sql(
                "SET LOCAL lock_timeout = '60s'; SET LOCAL idle_in_transaction_session_timeout = '30s'",
            )
            .execute(&mut *transaction)
            .await
            .map_err(&failed)?;
            let epoch: i64 = sqlx::query("SELECT _dbload.take_over($1, $2::pg_catalog.jsonb)")
                .bind(run)
                .bind(owner)
                .persistent(false)
                .fetch_one(&mut *transaction)
                .await
                .and_then(|row| row.try_get(0))
                .map_err(|error| match LedgerError::server("take over the unfinished run")(error) {
                    LedgerError::Server { source, .. } if is_fenced(&source) => LedgerError::Raced,
                    other => other,
                })?;
            let stored =
                read_run(&mut transaction, run, u64::try_from(epoch).unwrap_or(0)).await.map_err(&failed)?;
            transaction.commit().await.map_err(&failed)?;
            self.put_out(run).await;
            Ok(stored)
        })
        .await
    }

    /// Ends the sessions that a former owner may have left in a transaction. They could commit nothing any
    /// more, but hold locks; a role that may not end them waits for them.
    async fn put_out(&mut self, run: &str) {
        if let Err(error) = simple(terminate_tagged(run)).execute(&mut self.connection).await {
            tracing::debug!(%error, "the former owner's sessions were not ended");
        }
    }

    /// Gives an unfinished run up, for `--restart`.
    pub async fn abandon(&mut self, run: &str) -> Result<(), LedgerError> {
        answered(self.limit, async {
        // One statement, both or neither: its batches in flight find another epoch.
        simple(format!(
            "WITH given_up AS ( \
                 UPDATE _dbload.run SET state = 'abandoned', epoch = epoch + 1, finished_at = clock_timestamp() \
                 WHERE run = {} AND state = 'running' RETURNING run, epoch) \
             UPDATE _dbload.checkpoint c SET epoch = g.epoch FROM given_up g WHERE c.run = g.run",
            literal(run)
        ))
        .execute(&mut self.connection)
        .await
        .map_err(LedgerError::server("give the unfinished run up"))?;
        self.put_out(run).await;
        Ok(())
        })
        .await
    }

    /// Whether a run was completed.
    pub async fn is_complete(&mut self, run: &str) -> Result<bool, LedgerError> {
        answered(self.limit, async {
            simple(format!(
                "SELECT EXISTS (SELECT FROM _dbload.run WHERE run = {} AND state = 'complete')",
                literal(run)
            ))
            .fetch_one(&mut self.connection)
            .await
            .and_then(|row| row.try_get(0))
            .map_err(LedgerError::server("look at the run that was waited for"))
        })
        .await
    }

    /// Whether a load has completed a window of time.
    pub async fn has_window(
        &mut self,
        job: &str,
        load: &str,
        starts_at: &str,
        ends_at: &str,
    ) -> Result<bool, LedgerError> {
        answered(self.limit, async {
            simple(format!(
                "SELECT EXISTS (SELECT FROM _dbload.job_window WHERE job = {} AND load = {} \
                 AND starts_at = {}::timestamptz AND ends_at = {}::timestamptz)",
                literal(job),
                literal(load),
                literal(starts_at),
                literal(ends_at)
            ))
            .fetch_one(&mut self.connection)
            .await
            .and_then(|row| row.try_get(0))
            .map_err(LedgerError::server("look for the window"))
        })
        .await
    }

    /// Whether a table holds no row.
    pub async fn target_is_empty(&mut self, table: &TableName) -> Result<bool, LedgerError> {
        answered(self.limit, async {
            simple(format!("SELECT NOT EXISTS (SELECT FROM {table})"))
                .fetch_one(&mut self.connection)
                .await
                .and_then(|row| row.try_get(0))
                .map_err(LedgerError::server("look at the target"))
        })
        .await
    }

    /// Whether a table, perhaps rewritten since, holds a row that a run has put there.
    pub async fn holds_rows_of(&mut self, member: &str, run: &str) -> Result<bool, LedgerError> {
        answered(self.limit, async {
            simple(super::target::witness_query(member, run))
                .fetch_one(&mut self.connection)
                .await
                .and_then(|row| row.try_get(0))
                .map_err(LedgerError::server("look at the target"))
        })
        .await
    }

    /// As [`appends_before`], of a run that is not recorded yet.
    pub async fn appends_before(
        &mut self,
        target_oid: u32,
        table: &TableName,
        marks: &AppendMarks,
    ) -> Result<u64, LedgerError> {
        answered(self.limit, async {
            let number: i64 = simple(appends_before("", target_oid, table, marks))
                .fetch_one(&mut self.connection)
                .await
                .and_then(|row| row.try_get(0))
                .map_err(LedgerError::server("look for earlier appends"))?;
            Ok(u64::try_from(number).unwrap_or(0))
        })
        .await
    }
}

/// Waits for an answer as long as we may: a server that falls silent must not hold a load for ever before it
/// begins.
pub(super) async fn answered<T>(
    limit: Option<Duration>,
    asking: impl Future<Output = Result<T, LedgerError>>,
) -> Result<T, LedgerError> {
    let Some(limit) = limit else { return asking.await };
    tokio::time::timeout(limit, asking).await.unwrap_or_else(|_| {
        let source = DbError::TimedOut { limit, place: None };
        Err(LedgerError::Server { doing: "ask the ledger", source })
    })
}

pub(super) fn json(row: &PgRow, column: usize) -> Result<serde_json::Value, sqlx::Error> {
    let text: String = row.try_get(column)?;
    serde_json::from_str(&text).map_err(|error| sqlx::Error::Decode(Box::new(error)))
}

fn unfinished(row: &PgRow) -> Result<Unfinished, sqlx::Error> {
    let owner = json(row, 1)?;
    let inserted: i64 = row.try_get(5)?;
    let oid = |column: usize| -> Result<u32, sqlx::Error> {
        Ok(u32::try_from(row.try_get::<i64, _>(column)?).unwrap_or(0))
    };
    Ok(Unfinished {
        run: row.try_get(0)?,
        owner: serde_json::from_value(owner).map_err(|error| sqlx::Error::Decode(Box::new(error)))?,
        heartbeat_seconds: row.try_get(2)?,
        target: StoredTarget { oid: oid(3)?, file: oid(4)?, members: members(row.try_get(6)?) },
        has_inserted: inserted > 0,
        has_deleted: row.try_get(9)?,
        inserted: u64::try_from(inserted).unwrap_or(0),
        is_alive: row.try_get(7)?,
        mode: row.try_get(8)?,
    })
}

pub(super) fn members(stored: Option<String>) -> Option<Vec<StoredMember>> {
    serde_json::from_str(&stored?).ok()?
}

async fn read_run(connection: &mut PgConnection, run: &str, epoch: u64) -> Result<StoredRun, sqlx::Error> {
    let id = literal(run);
    let head = simple(format!(
        "SELECT attempts, partitions, settings::text, guarantee, target_files::text FROM _dbload.run WHERE run = {id}"
    ))
    .fetch_one(&mut *connection)
    .await?;
    let sources = simple(format!(
        "SELECT name, description::text, begin_at::text, set_aside::text, moved_to FROM _dbload.source \
         WHERE run = {id} ORDER BY source"
    ))
    .fetch_all(&mut *connection)
    .await?;
    let checkpoints = simple(format!(
        "SELECT source, byte_offset, record, line, done, read, inserted, updated, unchanged, deduplicated, skipped, \
         rejected, page::text, deleted FROM _dbload.checkpoint WHERE run = {id} ORDER BY partition"
    ))
    .fetch_all(connection)
    .await?;
    let settings = json(&head, 2)?;
    Ok(StoredRun {
        run: run.to_owned(),
        epoch,
        attempts: u32::try_from(head.try_get::<i32, _>(0)?).unwrap_or(1),
        partitions: u32::try_from(head.try_get::<i32, _>(1)?).unwrap_or(1),
        settings: serde_json::from_value(settings).map_err(|error| sqlx::Error::Decode(Box::new(error)))?,
        guarantee: head.try_get(3)?,
        members: members(head.try_get(4)?).unwrap_or_default(),
        sources: sources.iter().map(stored_source).collect::<Result<_, _>>()?,
        checkpoints: checkpoints.iter().map(checkpoint).collect::<Result<_, _>>()?,
    })
}

fn stored_source(row: &PgRow) -> Result<StoredSource, sqlx::Error> {
    let place = |column: usize| -> Result<Option<Place>, sqlx::Error> {
        let text: Option<String> = row.try_get(column)?;
        Ok(text.and_then(|text| Place::from_json(&text)))
    };
    Ok(StoredSource {
        name: row.try_get(0)?,
        description: json(row, 1)?,
        begin_at: place(2)?,
        set_aside: place(3)?,
        moved_to: row.try_get::<Option<i32>, _>(4)?.and_then(|n| u32::try_from(n).ok()),
    })
}

fn checkpoint(row: &PgRow) -> Result<Checkpoint, sqlx::Error> {
    let n = |column: usize| -> Result<u64, sqlx::Error> {
        Ok(u64::try_from(row.try_get::<i64, _>(column)?).unwrap_or(0))
    };
    Ok(Checkpoint {
        at: Position {
            source: u32::try_from(row.try_get::<i32, _>(0)?).unwrap_or(0),
            offset: n(1)?,
            record: n(2)?,
            line: n(3)?,
        },
        page: row.try_get::<Option<String>, _>(12)?.map(PageToken::from),
        done: row.try_get(4)?,
        books: Books {
            read: n(5)?,
            inserted: n(6)?,
            updated: n(7)?,
            unchanged: n(8)?,
            deduplicated: n(9)?,
            skipped: n(10)?,
            rejected: n(11)?,
            deleted: n(13)?,
        },
    })
}
