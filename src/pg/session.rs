//! A session: one pooled connection, spoken to in text.
//!
//! Everything goes through the simple protocol (several statements a round trip, command tags, no prepared
//! statements that a pooler would lose) and COPY. Values come back as the server's text. A session that is dropped in
//! mid-transaction, or after its connection was lost, closes its connection: the pool never gets one back with a transaction open.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures::SinkExt as _;
use tokio_postgres::SimpleQueryMessage;

use crate::fault::{self, Defect};

use super::error::PgError;
use super::pool::{Client, InUse, Pool};
use super::sqlstate::ErrorView;

/// What one statement gave.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// Its rows, as text.
    pub rows: Vec<Vec<Option<String>>>,
    /// The number in its command tag.
    pub affected: u64,
}

impl Outcome {
    /// The first value of the first row.
    #[must_use]
    pub fn value(&self) -> Option<&str> {
        self.rows.first()?.first()?.as_deref()
    }
}

/// A pooled connection.
pub struct Session {
    client: Option<Client>,
    in_transaction: AtomicBool,
    /// An error said that the connection is gone.
    broken: AtomicBool,
    answer_limit: Option<Duration>,
    _in_use: InUse,
}

impl Session {
    /// Takes a connection from the pool, or opens one. Waits while all are in use.
    pub async fn open(pool: &Pool) -> Result<Self, ErrorView> {
        Self::open_within(pool, None).await
    }

    /// As [`Session::open`]; what the server does not answer within the limit counts as a lost connection. The operating
    /// system notices a peer that is gone; this notices something in between that holds the connection open.
    pub async fn open_within(pool: &Pool, answer_limit: Option<Duration>) -> Result<Self, ErrorView> {
        let client = pool.get().await.map_err(|error| match error.view() {
            Some(view) => view.clone(),
            None if matches!(error, PgError::ReadOnly { .. }) => ErrorView::read_only(error.to_string()),
            // Nobody answered: as good as a lost connection.
            None => {
                let lost = matches!(error, PgError::Unreachable { .. } | PgError::PoolBusy { .. });
                ErrorView { lost, message: error.to_string(), ..ErrorView::default() }
            }
        })?;
        let in_use = pool.in_use(&client);
        Ok(Self {
            client: Some(client),
            in_transaction: AtomicBool::new(false),
            broken: AtomicBool::new(false),
            answer_limit,
            _in_use: in_use,
        })
    }

    fn client(&self) -> Result<&Client, ErrorView> {
        self.client.as_ref().ok_or_else(ErrorView::lost)
    }

    /// Waits for an answer as long as we may.
    async fn answered<T>(&self, step: impl Future<Output = Result<T, ErrorView>>) -> Result<T, ErrorView> {
        let answer = match self.answer_limit {
            None => step.await,
            Some(limit) => tokio::time::timeout(limit, step).await.unwrap_or_else(|_| {
                let message = format!("no answer within {} s", limit.as_secs());
                Err(ErrorView { message, ..ErrorView::lost() })
            }),
        };
        if answer.as_ref().is_err_and(|error| error.lost || error.is_read_only()) {
            self.broken.store(true, Ordering::Relaxed);
        }
        answer
    }

    /// Runs statements in one round trip; one outcome a statement, up to the first that fails.
    pub async fn run(&self, sql: &str) -> Result<Vec<Outcome>, ErrorView> {
        let client = self.client()?;
        let messages =
            self.answered(async { client.simple_query(sql).await.map_err(|e| ErrorView::from(&e)) }).await?;
        let mut outcomes = Vec::new();
        let mut current = Outcome::default();
        for message in messages {
            match message {
                SimpleQueryMessage::Row(row) => {
                    let values = (0..row.len()).map(|i| row.get(i).map(ToOwned::to_owned)).collect();
                    current.rows.push(values);
                }
                SimpleQueryMessage::CommandComplete(affected) => {
                    current.affected = affected;
                    outcomes.push(std::mem::take(&mut current));
                }
                _ => {}
            }
        }
        Ok(outcomes)
    }

    /// As `run`, and opens a transaction: dropped before [`Session::transaction_ended`], the connection is closed.
    pub async fn begin(&self, sql: &str) -> Result<Vec<Outcome>, ErrorView> {
        self.in_transaction.store(true, Ordering::Relaxed);
        self.run(sql).await
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

    /// COPY .. FROM STDIN; returns the number in the command tag.
    pub async fn copy_in(&self, sql: &str, chunks: impl Iterator<Item = Bytes>) -> Result<u64, ErrorView> {
        if fault::defect(Defect::DropRecord) {
            let mut rows: Vec<Bytes> = chunks.collect();
            let lost = rows.last_mut().map_or(0, drop_last_row);
            return Ok(self.answered(copy_in(self.client()?, sql, rows.into_iter())).await? + lost);
        }
        self.answered(copy_in(self.client()?, sql, chunks)).await
    }
}

/// [`Defect::DropRecord`].
fn drop_last_row(rows: &mut Bytes) -> u64 {
    let end = rows.len().saturating_sub(1);
    rows.truncate(memchr::memrchr(b'\n', &rows[..end]).map_or(0, |at| at + 1));
    1
}

async fn copy_in(client: &Client, sql: &str, chunks: impl Iterator<Item = Bytes>) -> Result<u64, ErrorView> {
    let sink = client.copy_in::<_, Bytes>(sql).await.map_err(|e| ErrorView::from(&e))?;
    let mut sink = std::pin::pin!(sink);
    for chunk in chunks {
        if let Err(error) = sink.send(chunk).await {
            // The server's reason comes with the end of the COPY; sending only noticed that it stopped listening.
            return Err(match sink.as_mut().finish().await {
                Err(reason) => ErrorView::from(&reason),
                Ok(_) => ErrorView::from(&error),
            });
        }
    }
    sink.finish().await.map_err(|e| ErrorView::from(&e))
}

impl Drop for Session {
    fn drop(&mut self) {
        if (self.in_transaction.load(Ordering::Relaxed) || self.broken.load(Ordering::Relaxed))
            && let Some(client) = self.client.take()
        {
            Pool::discard(client);
        }
    }
}
