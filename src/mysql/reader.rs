//! The task of an open table: it asks what it is told to, one thing after the other, and hands rows over.
//!
//! It is a task of its own, so that who waits for rows may stop waiting at any time, and so that what no
//! server sends ends the task alone.

use bytes::Bytes;
use futures::TryStreamExt as _;
use sqlx::mysql::MySqlConnection;
use sqlx::{AssertSqlSafe, Row as _};
use tokio::sync::mpsc::{Receiver, Sender};

use super::error::MysqlError;
use super::value::{MysqlForm, push};
use super::zero_dates::ZeroDates;

/// Rows are handed over in pieces of about so many bytes, of which so many wait.
const PIECE_BYTES: usize = 64 * 1024;
pub(super) const PIECES_WAITING: usize = 2;

/// Lines of rows; `None` behind the last. Without it they have not all come.
pub(super) type MysqlRows = Result<Option<Bytes>, MysqlError>;

/// Rows that are asked for.
pub(super) struct RowsAsked {
    pub(super) sql: String,
    pub(super) pieces: Sender<MysqlRows>,
}

/// A connection, and how the values of the rows that it gives are written.
pub(super) struct MysqlReader {
    pub(super) connection: MySqlConnection,
    pub(super) forms: Vec<MysqlForm>,
    pub(super) zero_dates: ZeroDates,
}

impl MysqlReader {
    /// Answers until nobody asks any more.
    pub(super) async fn serve(mut self, mut asked: Receiver<RowsAsked>) {
        while let Some(RowsAsked { sql, pieces }) = asked.recv().await {
            let last = self.send(sql, &pieces).await.map(|()| None);
            // Who has gone away needs no answer.
            let _ = pieces.send(last).await;
        }
    }

    async fn send(&mut self, sql: String, pieces: &Sender<MysqlRows>) -> Result<(), MysqlError> {
        let mut rows = sqlx::raw_sql(AssertSqlSafe(sql)).fetch(&mut self.connection);
        let mut piece = Vec::with_capacity(PIECE_BYTES);
        while let Some(row) = rows.try_next().await? {
            if row.len() != self.forms.len() {
                return Err(MysqlError::Gone);
            }
            for (place, form) in self.forms.iter().enumerate() {
                if place > 0 {
                    piece.push(b'\t');
                }
                push(&mut piece, row.try_get_unchecked(place)?, *form, self.zero_dates);
            }
            piece.push(b'\n');
            if piece.len() >= PIECE_BYTES {
                let full = std::mem::replace(&mut piece, Vec::with_capacity(PIECE_BYTES));
                if pieces.send(Ok(Some(full.into()))).await.is_err() {
                    return Ok(());
                }
            }
        }
        if !piece.is_empty() {
            let _ = pieces.send(Ok(Some(piece.into()))).await;
        }
        Ok(())
    }
}
