//! A table of a server, or the rows of a query, open for reading.

use bytes::Bytes;
use sqlx::mysql::MySqlConnection;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use super::connect::connect;
use super::error::MysqlError;
use super::look::{self, MysqlLook};
use super::reader::{MysqlReader, MysqlRows, PIECES_WAITING, RowsAsked};
use super::server::MysqlServer;
use super::zero_dates::ZeroDates;

/// A table, or the rows of a query, open for reading: all of one state of the database.
pub struct MysqlTable {
    look: MysqlLook,
    /// Places of the columns of the key.
    key: Vec<usize>,
    asks: mpsc::Sender<RowsAsked>,
    pieces: Option<mpsc::Receiver<MysqlRows>>,
    reader: AbortHandle,
}

impl MysqlTable {
    /// Opens a table or a view by its name.
    ///
    /// # Errors
    /// When there is none, or it cannot be read.
    pub async fn of_table(
        server: &MysqlServer,
        name: &str,
        zero_dates: ZeroDates,
    ) -> Result<Self, MysqlError> {
        let mut connection = connect(server).await?;
        let look = look::table(&mut connection, name).await?;
        Ok(Self::open(connection, look, zero_dates))
    }

    /// Opens the rows of a query.
    ///
    /// # Errors
    /// When it is none, or cannot be run.
    pub async fn of_query(
        server: &MysqlServer,
        query: &str,
        zero_dates: ZeroDates,
    ) -> Result<Self, MysqlError> {
        let mut connection = connect(server).await?;
        let look = look::query(&mut connection, query).await?;
        Ok(Self::open(connection, look, zero_dates))
    }

    fn open(connection: MySqlConnection, look: MysqlLook, zero_dates: ZeroDates) -> Self {
        let (asks, asked) = mpsc::channel(1);
        let reader = MysqlReader { connection, forms: look.forms.clone(), zero_dates };
        let reader = tokio::spawn(reader.serve(asked)).abort_handle();
        let key = look.key.iter().map(|column| column.place).collect();
        Self { look, key, asks, pieces: None, reader }
    }

    /// Names and types of its columns, in the order of their values.
    #[must_use]
    pub fn columns(&self) -> &[(String, String)] {
        &self.look.columns
    }

    /// Places of the columns by which rows are sorted; empty: they are not.
    #[must_use]
    pub fn key(&self) -> &[usize] {
        &self.key
    }

    /// Begins to read the rows behind a key, up to and with another one.
    ///
    /// # Errors
    /// When a key is none of this table.
    pub async fn begin(
        &mut self,
        behind: Option<&[String]>,
        up_to: Option<&[String]>,
    ) -> Result<(), MysqlError> {
        let sql = self.look.rows(behind, up_to).ok_or(MysqlError::OtherKey)?;
        let (pieces, received) = mpsc::channel(PIECES_WAITING);
        self.pieces = Some(received);
        self.asks.send(RowsAsked { sql, pieces }).await.map_err(|_| MysqlError::Gone)
    }

    /// The next rows: whole lines; `None` behind the last. Cancelled, it loses none.
    ///
    /// # Errors
    /// When the server gives no more.
    pub async fn next(&mut self) -> Result<Option<Bytes>, MysqlError> {
        let Some(pieces) = &mut self.pieces else { return Ok(None) };
        let piece = pieces.recv().await.unwrap_or(Err(MysqlError::Gone));
        if !matches!(piece, Ok(Some(_))) {
            self.pieces = None;
        }
        piece
    }
}

impl Drop for MysqlTable {
    fn drop(&mut self) {
        // Rows that nobody reads are not waited for.
        self.reader.abort();
    }
}
