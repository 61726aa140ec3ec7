//! Rejects on their way into the ledger: committed with their batch, so that none is lost or doubled.

use std::fmt::Write as _;

use bytes::Bytes;

use crate::batch::Batch;
use crate::map::Original;
use crate::pg::{ErrorView, Outcome, Session};
use crate::record::Block;

use super::names::REFUSED;
use super::plan::WritePlan;

/// A record that was not stored, as the ledger and the reject file keep it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredReject {
    /// Ordinal of its source.
    pub source: u32,
    /// Ordinal in its source, 1-based.
    pub record: u64,
    /// Line on which it begins.
    pub line: u64,
    /// Offset in the decoded stream at which it begins.
    pub offset: u64,
    /// The column to blame.
    pub column: Option<String>,
    /// SQLSTATE.
    pub sqlstate: String,
    /// The constraint.
    pub constraint: Option<String>,
    /// Why.
    pub reason: String,
    /// The record.
    pub original: Original,
}

/// Turns a record of a block into its original; the pipeline knows formats and headers, this room does not.
pub type Originals = std::sync::Arc<dyn Fn(&Block, usize) -> Original + Send + Sync>;

fn place(block: &Block, i: usize, originals: &Originals) -> StoredReject {
    let after = block.after(i);
    StoredReject {
        source: block.source,
        record: after.record,
        line: block.spans[i].line,
        offset: block.offset_of(i),
        column: None,
        sqlstate: String::new(),
        constraint: None,
        reason: String::new(),
        original: originals(block, i),
    }
}

/// The rejects that decoder and mapping found.
pub(super) fn of_batch(batch: &Batch, originals: &Originals) -> Vec<StoredReject> {
    batch
        .rejects
        .iter()
        .map(|reject| StoredReject {
            column: reject.note.column.clone(),
            sqlstate: reject.note.sqlstate.to_owned(),
            reason: reject.note.reason.clone(),
            ..place(&reject.block, reject.note.i as usize, originals)
        })
        .collect()
}

/// What the server refused in this transaction, read from its table.
pub(super) async fn of_server(
    session: &Session,
    plan: &WritePlan,
    batch: &Batch,
    originals: &Originals,
) -> Result<Vec<StoredReject>, ErrorView> {
    let sql =
        format!("SELECT s0, slot, sqlstate, constraint_name, column_name, reason FROM {REFUSED} ORDER BY s0");
    let outcomes = session.run(&sql).await?;
    let rows = outcomes.into_iter().next().unwrap_or_default();
    Ok(from_rows(rows, plan, batch, originals))
}

fn from_rows(rows: Outcome, plan: &WritePlan, batch: &Batch, originals: &Originals) -> Vec<StoredReject> {
    rows.rows
        .into_iter()
        .filter_map(|row| {
            let mut row = row.into_iter();
            let mut next = || row.next().flatten();
            let seq: u64 = next()?.parse().ok()?;
            let slot: Option<usize> = next().and_then(|slot| slot.parse().ok());
            let (sqlstate, constraint, column, reason) = (next(), next(), next(), next());
            let (block, i) = batch.find(seq)?;
            Some(StoredReject {
                column: slot.map(|slot| plan.mapping.column_name(slot).to_owned()).or(column),
                sqlstate: sqlstate.unwrap_or_default(),
                constraint,
                reason: reason.unwrap_or_default(),
                ..place(block, i, originals)
            })
        })
        .collect()
}

/// Writes rejects into the ledger.
pub(super) async fn store(session: &Session, run: &str, rejects: &[StoredReject]) -> Result<(), ErrorView> {
    const COPY: &str = "COPY _dbload.reject (run, source, record, line, byte_offset, column_name, sqlstate, \
                        constraint_name, reason, original, raw, raw_bytes) FROM STDIN";
    let chunks = rejects.iter().map(|reject| {
        let mut line =
            format!("{run}\t{}\t{}\t{}\t{}", reject.source, reject.record, reject.line, reject.offset);
        let (record, raw, bytes) = match &reject.original {
            Original::Record(record) => (Some(record), None, None),
            Original::Raw(raw) => (None, Some(raw), None),
            Original::Bytes(bytes) => (None, None, Some(hex(bytes))),
        };
        for value in [
            reject.column.as_ref(),
            Some(&reject.sqlstate),
            reject.constraint.as_ref(),
            Some(&reject.reason),
            record,
            raw,
            bytes.as_ref(),
        ] {
            line.push('\t');
            match value {
                None => line.push_str("\\N"),
                Some(text) => push_escaped(&mut line, text),
            }
        }
        line.push('\n');
        Bytes::from(line)
    });
    session.copy_in(COPY, chunks).await.map(|_| ())
}

/// The hex form of bytea.
fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::from("\\x"), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

fn push_escaped(line: &mut String, text: &str) {
    let mut from = 0;
    for (at, byte) in text.bytes().enumerate() {
        let escape = match byte {
            b'\\' => "\\\\",
            b'\n' => "\\n",
            b'\r' => "\\r",
            b'\t' => "\\t",
            // Text of PostgreSQL holds no NUL: an original with one is kept as bytes.
            0 => "\u{fffd}",
            _ => continue,
        };
        line.push_str(&text[from..at]);
        line.push_str(escape);
        from = at + 1;
    }
    line.push_str(&text[from..]);
}
