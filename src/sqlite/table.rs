//! A table of a file, or the rows of a query, open for reading.

use std::path::Path;
use std::sync::mpsc;

use bytes::Bytes;
use rusqlite::types::Value;
use rusqlite::{Connection, InterruptHandle};
use tokio::sync::oneshot;

use super::error::SqliteError;
use super::look::{self, Looked};
use super::value::{KeyClass, quoted, read};
use super::worker::{Asked, PIECES_WAITING, RowsPiece, serve};

/// Names of the tables and views of a file.
///
/// # Errors
/// When it is none of SQLite, or cannot be read.
pub async fn tables_of(file: &Path) -> Result<Vec<String>, SqliteError> {
    let file = file.to_owned();
    let looked = tokio::task::spawn_blocking(move || look::tables(&look::open(&file)?));
    looked.await.map_err(|_| SqliteError::Gone)?
}

/// A table, or the rows of a query, open for reading: all of one state of the file.
pub struct SqliteTable {
    looked: Looked,
    asks: mpsc::Sender<Asked>,
    pieces: Option<tokio::sync::mpsc::Receiver<RowsPiece>>,
    running: InterruptHandle,
}

impl SqliteTable {
    /// Opens a table or a view by its name.
    ///
    /// # Errors
    /// When there is none, or it cannot be read.
    pub async fn of_table(file: &Path, name: &str) -> Result<Self, SqliteError> {
        let name = name.to_owned();
        Self::open(file, move |connection| look::table(connection, &name)).await
    }

    /// Opens the rows of a query.
    ///
    /// # Errors
    /// When it is none, or cannot be run.
    pub async fn of_query(file: &Path, query: &str) -> Result<Self, SqliteError> {
        let query = query.to_owned();
        Self::open(file, move |connection| look::query(connection, &query)).await
    }

    async fn open(
        file: &Path,
        look: impl FnOnce(&Connection) -> Result<Looked, SqliteError> + Send + 'static,
    ) -> Result<Self, SqliteError> {
        let ((asks, asked), (answer, answered)) = (mpsc::channel(), oneshot::channel());
        let file = file.to_owned();
        let reader = move || {
            let opened = look::open(&file).and_then(|connection| Ok((look(&connection)?, connection)));
            let (looked, connection) = match opened {
                Ok(opened) => opened,
                Err(error) => return drop(answer.send(Err(error))),
            };
            let written = looked.written.clone();
            if answer.send(Ok((looked, connection.get_interrupt_handle()))).is_ok() {
                serve(&connection, &written, &asked);
            }
        };
        std::thread::Builder::new()
            .name("dbload-sqlite".to_owned())
            .spawn(reader)
            .map_err(|error| SqliteError::Open(error.into()))?;
        let (looked, running) = answered.await.map_err(|_| SqliteError::Gone)??;
        Ok(Self { looked, asks, pieces: None, running })
    }

    /// Names and types of its columns, in the order of their values; an empty type: texts to be judged.
    #[must_use]
    pub fn columns(&self) -> &[(String, String)] {
        &self.looked.columns
    }

    /// Places of the columns by which rows are sorted; empty: they are not.
    #[must_use]
    pub fn key(&self) -> &[usize] {
        &self.looked.key
    }

    /// Begins to read the rows behind a key, up to and with another one.
    ///
    /// # Errors
    /// When a key is none of this table.
    pub async fn begin(
        &mut self,
        behind: Option<&[String]>,
        up_to: Option<&[String]>,
    ) -> Result<(), SqliteError> {
        let names = self.looked.key.iter().filter_map(|place| self.looked.columns.get(*place));
        let names: Vec<String> = names.map(|(name, _)| quoted(name)).collect();
        let (mut sql, mut values, mut joint) = (self.looked.sql.clone(), Vec::new(), "WHERE");
        for (operator, key) in [(">", behind), ("<=", up_to)] {
            let Some(key) = key else { continue };
            let places = vec!["?"; names.len()].join(", ");
            sql.push_str(&format!(" {joint} ({}) {operator} ({places})", names.join(", ")));
            values.extend(self.values_of(key)?);
            joint = "AND";
        }
        if !names.is_empty() {
            sql.push_str(&format!(" ORDER BY {}", names.join(", ")));
        }
        let (pieces, received) = tokio::sync::mpsc::channel(PIECES_WAITING);
        self.pieces = Some(received);
        self.asks.send(Asked { sql, values, pieces }).map_err(|_| SqliteError::Gone)
    }

    fn values_of(&self, key: &[String]) -> Result<Vec<Value>, SqliteError> {
        if key.len() != self.looked.key.len() {
            return Err(SqliteError::OtherKey);
        }
        let parts = key.iter().zip(&self.looked.key).zip(&self.looked.classes);
        let value = |((text, place), class): ((&String, &usize), &KeyClass)| {
            read(text, *class, *self.looked.written.get(*place)?)
        };
        parts.map(value).collect::<Option<_>>().ok_or(SqliteError::OtherKey)
    }

    /// The next rows: whole lines; `None` behind the last. Cancelled, it loses none.
    ///
    /// # Errors
    /// When SQLite gives no more.
    pub async fn next(&mut self) -> Result<Option<Bytes>, SqliteError> {
        let Some(pieces) = &mut self.pieces else { return Ok(None) };
        let piece = pieces.recv().await.unwrap_or(Err(SqliteError::Gone));
        if !matches!(piece, Ok(Some(_))) {
            self.pieces = None;
        }
        piece
    }
}

impl Drop for SqliteTable {
    fn drop(&mut self) {
        // A query may reckon for hours before its first row.
        self.running.interrupt();
    }
}
