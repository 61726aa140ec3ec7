//! A session: one pooled connection, spoken to in text.
//!
//! Everything goes through the simple protocol (several statements a round trip, command tags, no prepared
//! statements that a pooler would lose) and COPY. Values come back as the server's text. A session that is dropped in
//! mid-transaction closes its connection: the pool never gets one back with a transaction open.

use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use futures::SinkExt as _;
use tokio_postgres::SimpleQueryMessage;

use super::error::PgError;
use super::pool::{Client, Pool};
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
}

impl Session {
    /// Takes a connection from the pool, or opens one. Waits while all are in use.
    pub async fn open(pool: &Pool) -> Result<Self, ErrorView> {
        let client = pool.get().await.map_err(|error| match error.view() {
            Some(view) => view.clone(),
            // Nobody answered: as good as a lost connection.
            None => {
                let lost = matches!(error, PgError::Unreachable { .. } | PgError::PoolBusy { .. });
                ErrorView { lost, message: error.to_string(), ..ErrorView::default() }
            }
        })?;
        Ok(Self { client: Some(client), in_transaction: AtomicBool::new(false) })
    }

    fn client(&self) -> Result<&Client, ErrorView> {
        self.client.as_ref().ok_or_else(ErrorView::lost)
    }

    /// Runs statements in one round trip; one outcome a statement, up to the first that fails.
    pub async fn run(&self, sql: &str) -> Result<Vec<Outcome>, ErrorView> {
        let messages = self.client()?.simple_query(sql).await.map_err(|e| ErrorView::from(&e))?;
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
        let sink = self.client()?.copy_in::<_, Bytes>(sql).await.map_err(|e| ErrorView::from(&e))?;
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
}

impl Drop for Session {
    fn drop(&mut self) {
        if self.in_transaction.load(Ordering::Relaxed)
            && let Some(client) = self.client.take()
        {
            Pool::discard(client);
        }
    }
}
