//! Rejects on their way into the ledger: committed with their batch, so that none is lost or doubled.

use std::fmt::Write as _;

use bytes::Bytes;

use crate::batch::{Batch, ChunkReject};
use crate::map::{Kept, Original};
use crate::pg::{ErrorView, Outcome, Session};
use crate::record::Block;

use super::encoding::is_of_encoding;
use super::names::REFUSED;
use super::plan::{Encoding, WritePlan};

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
    /// What it was made of: who counts the memory of blocks sees that this one is still in use.
    pub block: Bytes,
}

/// Rejects go to the ledger in pieces of this many bytes: an original may have megabytes, which are not held
/// twice.
const PIECE_BYTES: usize = 64 * 1024;

/// Turns a record of a block into its original; the pipeline knows formats and headers, this room does not.
pub type Originals = std::sync::Arc<dyn Fn(&Block, usize) -> Original + Send + Sync>;

fn place(block: &Block, i: usize, originals: &Originals) -> StoredReject {
    let after = block.after(i);
    StoredReject {
        source: block.source,
        record: after.record,
        line: block.line_of(i),
        offset: block.offset_of(i),
        column: None,
        sqlstate: String::new(),
        constraint: None,
        reason: String::new(),
        original: originals(block, i),
        block: block.bytes().clone(),
    }
}

/// The rejects that decoder and mapping found.
pub(super) fn of_batch(batch: &Batch, originals: &Originals) -> Vec<StoredReject> {
    let one = |reject: &ChunkReject| {
        let place = place(&reject.block, reject.note.i as usize, originals);
        let not_kept = if place.original.kept == Kept::NotKept { NOT_KEPT } else { "" };
        StoredReject {
            column: reject.note.column.clone(),
            sqlstate: reject.note.sqlstate.to_owned(),
            reason: format!("{}{not_kept}", reject.note.reason),
            ..place
        }
    };
    batch.rejects.iter().map(one).collect()
}

/// Behind the reason of a reject whose record is longer than what is kept.
const NOT_KEPT: &str = "; of so long a record only the place is kept";

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

/// Writes rejects into the ledger. Where the database lacks characters an original may have one: then all are
/// written in ASCII.
pub(super) async fn store(
    session: &Session,
    encoding: Encoding,
    run: &str,
    rejects: &[StoredReject],
) -> Result<(), ErrorView> {
    if encoding == Encoding::All {
        return copy(session, run, rejects).await;
    }
    session.run("SAVEPOINT dbload_rejects").await?;
    match copy(session, run, rejects).await {
        Err(error) if is_of_encoding(&error) => {
            session.run("ROLLBACK TO SAVEPOINT dbload_rejects").await?;
            let plain: Vec<StoredReject> = rejects.iter().map(in_ascii).collect();
            copy(session, run, &plain).await
        }
        stored => stored,
    }
}

/// The same in ASCII: a record as JSON that means the same, other originals as their bytes, words with
/// escapes.
fn in_ascii(reject: &StoredReject) -> StoredReject {
    let words = |text: &String| {
        text.chars().fold(String::new(), |mut out, c| {
            if c.is_ascii() {
                out.push(c)
            } else {
                out.extend(c.escape_unicode())
            }
            out
        })
    };
    let kept = match &reject.original.kept {
        Kept::Record(record) => Kept::Record(json_in_ascii(record)),
        Kept::Raw(raw) if !raw.is_ascii() => Kept::Bytes(raw.as_bytes().to_vec()),
        other => other.clone(),
    };
    let original = Original { kept, ..reject.original.clone() };
    StoredReject {
        column: reject.column.as_ref().map(words),
        constraint: reject.constraint.as_ref().map(words),
        reason: words(&reject.reason),
        original,
        ..reject.clone()
    }
}

/// JSON has characters beyond ASCII in its strings only, where each has an escape.
fn json_in_ascii(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        if c.is_ascii() {
            out.push(c);
            continue;
        }
        for unit in c.encode_utf16(&mut [0; 2]) {
            let _ = write!(out, "\\u{unit:04x}");
        }
    }
    out
}

async fn copy(session: &Session, run: &str, rejects: &[StoredReject]) -> Result<(), ErrorView> {
    const COPY: &str = "COPY _dbload.reject (run, source, record, line, byte_offset, column_name, sqlstate, \
                        constraint_name, reason, is_text, original, raw, raw_bytes) FROM STDIN";
    let chunks = rejects.iter().flat_map(|reject| {
        let (before, mut original, after) = match &reject.original.kept {
            Kept::Record(record) => ("", Part::Text(record), "\t\\N\t\\N\n"),
            Kept::Raw(raw) => ("\\N\t", Part::Text(raw), "\t\\N\n"),
            // The hex form of bytea, its backslash escaped.
            Kept::Bytes(bytes) => ("\\N\t\\N\t\\\\x", Part::Bytes(bytes), "\n"),
            Kept::NotKept => ("\\N\t\\N\t\\N", Part::Text(""), "\n"),
        };
        let mut row = head_of_row(run, reject) + before;
        original.push_piece(&mut row);
        let rest = std::iter::from_fn(move || {
            let mut piece = String::new();
            original.push_piece(&mut piece).then(|| Bytes::from(piece))
        });
        std::iter::once(Bytes::from(row))
            .chain(rest)
            .chain(std::iter::once(Bytes::from_static(after.as_bytes())))
    });
    session.copy_in(COPY, chunks).await.map(|_| ())
}

/// A row of the ledger up to the original, in the form of COPY.
fn head_of_row(run: &str, reject: &StoredReject) -> String {
    let mut row = format!("{run}\t{}\t{}\t{}\t{}", reject.source, reject.record, reject.line, reject.offset);
    let (column, constraint) = (reject.column.as_ref(), reject.constraint.as_ref());
    for value in [column, Some(&reject.sqlstate), constraint, Some(&reject.reason)] {
        row.push('\t');
        match value {
            None => row.push_str("\\N"),
            Some(text) => push_escaped(&mut row, text),
        }
    }
    row.push_str(if reject.original.is_text() { "\tt\t" } else { "\tf\t" });
    row
}

/// What is left to send of an original.
enum Part<'a> {
    Text(&'a str),
    Bytes(&'a [u8]),
}

impl Part<'_> {
    /// Takes the next piece, if there is one.
    fn push_piece(&mut self, out: &mut String) -> bool {
        match self {
            Self::Text("") | Self::Bytes([]) => return false,
            Self::Text(text) => {
                let (now, rest) = text.split_at(text.floor_char_boundary(PIECE_BYTES));
                push_escaped(out, now);
                *text = rest;
            }
            Self::Bytes(bytes) => {
                let (now, rest) = bytes.split_at(bytes.len().min(PIECE_BYTES));
                for byte in now {
                    let _ = write!(out, "{byte:02x}");
                }
                *bytes = rest;
            }
        }
        true
    }
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
