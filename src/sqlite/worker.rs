//! The thread of an open table: it does what is asked, one thing after the other, and hands rows over.

use bytes::Bytes;
use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};
use tokio::sync::mpsc::Sender;

use super::error::SqliteError;
use super::value::{WrittenAs, push};

/// Rows are handed over in pieces of about so many bytes, of which so many wait.
const PIECE_BYTES: usize = 64 * 1024;
pub(super) const PIECES_WAITING: usize = 2;

/// Lines of rows; `None` behind the last. Without it they have not all come.
pub(super) type RowsPiece = Result<Option<Bytes>, SqliteError>;

/// Rows that are asked for.
pub(super) struct Asked {
    pub(super) sql: String,
    pub(super) values: Vec<Value>,
    pub(super) pieces: Sender<RowsPiece>,
}

/// Answers until nobody asks any more.
pub(super) fn serve(
    connection: &Connection,
    written: &[WrittenAs],
    asked: &std::sync::mpsc::Receiver<Asked>,
) {
    while let Ok(Asked { sql, values, pieces }) = asked.recv() {
        let last = send(connection, &sql, values, written, &pieces).map(|()| None);
        // Who has gone away needs no answer.
        let _ = pieces.blocking_send(last);
    }
}

fn send(
    connection: &Connection,
    sql: &str,
    values: Vec<Value>,
    written: &[WrittenAs],
    pieces: &Sender<RowsPiece>,
) -> Result<(), SqliteError> {
    let mut statement = connection.prepare(sql)?;
    let mut rows = statement.query(params_from_iter(values))?;
    let mut piece = Vec::with_capacity(PIECE_BYTES);
    while let Some(row) = rows.next()? {
        for (place, written) in written.iter().enumerate() {
            if place > 0 {
                piece.push(b'\t');
            }
            push(&mut piece, row.get_ref(place)?, *written);
        }
        piece.push(b'\n');
        if piece.len() >= PIECE_BYTES {
            let full = std::mem::replace(&mut piece, Vec::with_capacity(PIECE_BYTES));
            if pieces.blocking_send(Ok(Some(full.into()))).is_err() {
                return Ok(());
            }
        }
    }
    if !piece.is_empty() {
        let _ = pieces.blocking_send(Ok(Some(piece.into())));
    }
    Ok(())
}
