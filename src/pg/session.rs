//! A session: one pooled connection, spoken to in text.
//!
//! Everything goes through the simple protocol (several statements a round trip, command tags, no prepared
//! statements that a pooler would lose) and COPY (`copy`). Values come back as the server's text. A session
//! that is dropped in mid-transaction, or after its connection was lost, closes its connection: the pool
//! never gets one back with a transaction open.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::TryStreamExt as _;
use tokio_postgres::SimpleQueryMessage;

use super::db_error::DbError;
use super::error::PgError;
use super::lease::{Lease, PooledClient};
use super::opening::Openings;
use super::outcome::{StatementResult, outcomes, values};
use super::pooled::announced;
use super::sqlstate::{is_read_only, is_unknown_statement};
use crate::schema::{TableName, literal};

/// One message is one transaction, unless it stands in one. The planner thinks that questions with recursion
/// are dear, and compiling one took 4 s where answering it takes 10 ms. Tables are joined in the order in
/// which they are written: to think of others takes a new session longer than the answer.
const PATH_OURS: &str = "SELECT pg_catalog.set_config('dbload.search_path', pg_catalog.current_setting('search_path'), true), \
                         pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true), \
                         pg_catalog.set_config('jit', 'off', true), \
                         pg_catalog.set_config('join_collapse_limit', '1', true), \
                         pg_catalog.set_config('from_collapse_limit', '1', true)";
const PATH_THEIRS: &str =
    "SELECT pg_catalog.set_config('search_path', pg_catalog.current_setting('dbload.search_path'), true)";

/// The setting that holds the relation that is asked about.
pub(super) const TARGET: &str = "dbload.target";

/// A connection lent by the pool, until it is dropped.
pub struct Session {
    client: Option<PooledClient>,
    pub(super) in_transaction: AtomicBool,
    /// An error said that the connection is gone.
    pub(super) broken: AtomicBool,
    pub(super) openings: Mutex<Openings>,
    answer_limit: Option<Duration>,
    pool: Lease,
    /// What this transaction makes on the connection, once it is committed.
    making: Mutex<Option<u64>>,
    /// `host:port/dbname`, for errors that the server did not word.
    place: Arc<str>,
}

impl Session {
    /// Takes a connection from the pool, or opens one. Waits while all are in use. What the server does not
    /// answer within the pool's limit counts as a lost connection: the operating system notices a peer that
    /// is gone; this notices something in between that holds the connection open.
    pub async fn open(pool: &Lease) -> Result<Self, DbError> {
        Self::open_within(pool, pool.answer_limit()).await
    }

    /// As [`Session::open`], but rather waits for another session to end than opens a further connection: for
    /// what can wait and is done soon. A new connection costs more than that.
    pub async fn open_spare(pool: &Lease) -> Result<Self, DbError> {
        pool.spare().await;
        Self::open(pool).await
    }

    /// As [`Session::open`], with another limit.
    pub async fn open_within(pool: &Lease, answer_limit: Option<Duration>) -> Result<Self, DbError> {
        let client = pool.get().await.map_err(PgError::into_db)?;
        Ok(Self {
            client: Some(client),
            in_transaction: AtomicBool::new(false),
            broken: AtomicBool::new(false),
            openings: Mutex::default(),
            answer_limit,
            pool: pool.clone(),
            making: Mutex::default(),
            place: pool.place().into(),
        })
    }

    /// Whether the backend of this process id is another one than the login announced: a pooler is in
    /// between.
    pub(super) async fn is_pooled(&self, pid: i32) -> bool {
        let Ok(client) = self.client() else { return false };
        let announced = announced(&client.cancel_token()).await;
        tracing::debug!(?announced, pid, "process ids of the backend");
        announced.is_some_and(|announced| announced != pid)
    }

    pub(super) fn client(&self) -> Result<&PooledClient, DbError> {
        self.client.as_ref().ok_or_else(DbError::lost)
    }

    /// Sends statements and waits for an answer as long as we may.
    pub(super) async fn answered<T>(
        &self,
        sql: &str,
        step: impl Future<Output = Result<T, DbError>>,
    ) -> Result<T, DbError> {
        if sql.contains('\0') {
            // The protocol has no word for it; it never reaches the server.
            return Err(DbError::Nul);
        }
        let answer = match self.answer_limit {
            None => step.await,
            Some(limit) => tokio::time::timeout(limit, step)
                .await
                .unwrap_or(Err(DbError::TimedOut { limit, place: None })),
        };
        let answer = answer.map_err(|error| self.placed(error));
        let is_over = |error: &DbError| error.is_lost() || is_unknown_statement(error) || is_read_only(error);
        if answer.as_ref().is_err_and(is_over) {
            self.broken.store(true, Ordering::Relaxed);
        }
        answer
    }

    /// Runs statements in one round trip; one outcome a statement, up to the first that fails.
    pub async fn run(&self, sql: &str) -> Result<Vec<StatementResult>, DbError> {
        let client = self.client()?;
        let messages =
            self.answered(sql, async { client.simple_query(sql).await.map_err(DbError::from) }).await?;
        Ok(outcomes(messages))
    }

    /// Asks the catalog, with nothing but `pg_catalog` in `search_path`: names and operators in the question
    /// mean what they mean there, whatever others have put in schemas that this role looks into first. Inside
    /// a transaction `search_path` is then what it was.
    pub async fn ask(&self, sql: &str) -> Result<Vec<StatementResult>, DbError> {
        let outcomes = self.run(&format!("{PATH_OURS};\n{sql};\n{PATH_THEIRS}")).await?;
        let answers = outcomes.len().saturating_sub(2);
        Ok(outcomes.into_iter().skip(1).take(answers).collect())
    }

    /// As [`Session::ask`], about a relation: its name is looked up as this role would, and `TARGET` is its
    /// oid, or 0.
    pub(super) async fn ask_about(
        &self,
        name: &TableName,
        sql: &str,
    ) -> Result<Vec<StatementResult>, DbError> {
        let find = format!(
            "SELECT pg_catalog.set_config('{TARGET}', \
             coalesce(pg_catalog.to_regclass({})::pg_catalog.oid, 0::pg_catalog.oid)::pg_catalog.text, true)",
            literal(&name.to_string())
        );
        let outcomes = self.run(&format!("{find};\n{PATH_OURS};\n{sql};\n{PATH_THEIRS}")).await?;
        let answers = outcomes.len().saturating_sub(3);
        Ok(outcomes.into_iter().skip(2).take(answers).collect())
    }

    /// Runs a transaction and hands out the rows of its queries as they come: however many there are, few are
    /// in memory.
    pub async fn each_row(
        &self,
        sql: &str,
        each: &mut (dyn FnMut(Vec<Option<String>>) + Send),
    ) -> Result<(), DbError> {
        let client = self.client()?;
        let all = async {
            let messages = client.simple_query_raw(sql).await.map_err(DbError::from)?;
            let mut messages = std::pin::pin!(messages);
            while let Some(message) = messages.try_next().await.map_err(DbError::from)? {
                if let SimpleQueryMessage::Row(row) = message {
                    each(values(&row));
                }
            }
            Ok(())
        };
        self.in_transaction.store(true, Ordering::Relaxed);
        self.answered(sql, all).await?;
        self.transaction_ended();
        Ok(())
    }

    /// As `run`, and opens a transaction: dropped before [`Session::transaction_ended`], the connection is
    /// closed.
    pub async fn begin(&self, sql: &str) -> Result<Vec<StatementResult>, DbError> {
        self.call_off().await?;
        self.in_transaction.store(true, Ordering::Relaxed);
        self.run(sql).await
    }

    /// Whether the connection is yet to get what its transactions are to find on it, and gets it in this one:
    /// once this has committed, no more.
    pub fn makes(&self, what: &str) -> bool {
        let what = xxhash_rust::xxh3::xxh3_64(what.as_bytes());
        let is_made = self.client.as_ref().is_some_and(|client| self.pool.pool().has_made(client, what));
        *self.making() = (!is_made).then_some(what);
        !is_made
    }

    pub(super) fn has_made(&self) {
        if let (Some(client), Some(what)) = (&self.client, self.making().take()) {
            self.pool.pool().note_made(client, what);
        }
    }

    fn making(&self) -> MutexGuard<'_, Option<u64>> {
        self.making.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it is of no further use. What it has begun may still be open at the server.
    pub fn is_broken(&self) -> bool {
        self.broken.load(Ordering::Relaxed)
    }

    /// The server has confirmed COMMIT or ROLLBACK.
    pub fn transaction_ended(&self) {
        self.in_transaction.store(false, Ordering::Relaxed);
    }

    /// Rolls back. A failure to do so closes the connection, which is as good.
    pub async fn roll_back(&self) {
        if self.run("ROLLBACK").await.is_ok() {
            self.transaction_ended();
        }
    }

    /// A COPY that the server did not even begin, or not the transaction that it was to be in, leaves the
    /// driver with one answer more than it has questions: the connection is not used again.
    pub(super) fn started<T>(&self, copy: Result<T, tokio_postgres::Error>) -> Result<T, DbError> {
        copy.map_err(|error| {
            self.broken.store(true, Ordering::Relaxed);
            DbError::from(error)
        })
    }

    /// Not the server's own word, where there is no SQLSTATE: the connection broke, or what came is no answer
    /// of PostgreSQL, and nobody knows what the next one would be an answer to.
    pub(super) fn placed(&self, error: DbError) -> DbError {
        error.at(&self.place)
    }

    /// As [`Session::run`], and tells which statement failed: how many before it went well.
    pub async fn run_counting(&self, sql: &str) -> Result<(), (usize, DbError)> {
        let client = self.client().map_err(|error| (0, error))?;
        let done = AtomicUsize::new(0);
        let all = async {
            let messages = client.simple_query_raw(sql).await.map_err(DbError::from)?;
            let mut messages = std::pin::pin!(messages);
            while let Some(message) = messages.try_next().await.map_err(DbError::from)? {
                if matches!(message, SimpleQueryMessage::CommandComplete(_)) {
                    done.fetch_add(1, Ordering::Relaxed);
                }
            }
            Ok(())
        };
        self.answered(sql, all).await.map_err(|error| (done.load(Ordering::Relaxed), error))
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if (self.in_transaction.load(Ordering::Relaxed) || self.broken.load(Ordering::Relaxed))
            && let Some(client) = self.client.take()
        {
            client.discard();
        }
    }
}
