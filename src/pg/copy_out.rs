//! COPY .. TO STDOUT on a session: rows as they come, in the text format of COPY; and the columns of a query.

use std::pin::Pin;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use futures::TryStreamExt as _;
use tokio_postgres::CopyOutStream;

use super::db_error::DbError;
use super::session::Session;

/// Rows that are on their way. Dropped before the last one, its connection is closed.
pub struct CopyOut {
    stream: Pin<Box<CopyOutStream>>,
}

/// A column of the rows of a query.
pub(super) struct DescribedColumn {
    pub(super) name: String,
    pub(super) type_oid: u32,
    /// Length and the like; -1: none.
    pub(super) modifier: i32,
}

impl Session {
    /// COPY .. TO STDOUT. The session is busy until the last row has come.
    ///
    /// # Errors
    /// When the server refuses it.
    pub async fn copy_out(&self, sql: &str) -> Result<CopyOut, DbError> {
        let client = self.client()?;
        self.in_transaction.store(true, Ordering::Relaxed);
        let copy = async { self.started(client.copy_out(sql).await) };
        Ok(CopyOut { stream: Box::pin(self.answered(sql, copy).await?) })
    }

    /// The columns that a query gives.
    ///
    /// # Errors
    /// When the server does not take it for one.
    pub(super) async fn describe(&self, sql: &str) -> Result<Vec<DescribedColumn>, DbError> {
        let client = self.client()?;
        let prepare = async { client.prepare(sql).await.map_err(DbError::from) };
        let statement = self.answered(sql, prepare).await?;
        let columns = statement.columns().iter().map(|column| DescribedColumn {
            name: column.name().to_owned(),
            type_oid: column.type_().oid(),
            modifier: column.type_modifier(),
        });
        Ok(columns.collect())
    }

    /// The next rows of a COPY of this session, whole lines; `None` behind the last. Cancelled, it loses
    /// none.
    ///
    /// # Errors
    /// When the server ends it early, or the connection breaks.
    pub async fn copied(&self, copy: &mut CopyOut) -> Result<Option<Bytes>, DbError> {
        self.answered("", async { copy.stream.try_next().await.map_err(DbError::from) }).await
    }
}
