//! The rejects of a run, read: grouped by what was wrong for the report, page by page for the reject file.

use crate::pg::{Session, literal};
use crate::record::Position;
use crate::reject::Reject;

use super::error::LedgerError;
use super::read::{failed, rows_of};

/// Rejects that one statement fetches for the reject file: no limit on statements is met by it. Of long
/// originals, which may have megabytes each, no more than have so many bytes together, but the last.
const REJECTS_PAGE: u32 = 20_000;
const LONG_BYTES: u32 = 64 << 10;
const LONG_BYTES_PAGE: u32 = 2 << 20;

/// Rejects of one kind: how many, and the first of them.
#[derive(Debug, Clone)]
pub struct ReasonCount {
    /// The SQLSTATE that these rejects have.
    pub sqlstate: String,
    /// Column, if one was to blame.
    pub column: Option<String>,
    /// Number of records with this reason.
    pub count: u64,
    /// Ordinal of the first one's source.
    pub source: u32,
    /// The line that the record begins on.
    pub line: u64,
    /// Why the record was rejected.
    pub reason: String,
    /// The constraint that it violates, if any.
    pub constraint: Option<String>,
}

/// The original of a reject as it is stored, and as the reject file has it.
#[derive(Debug, Clone)]
pub struct StoredOriginal {
    /// The record as a JSON object.
    pub record: Option<String>,
    /// Its text, where it could not be split.
    pub raw: Option<String>,
    /// Its bytes in base64, where they are no text.
    pub raw_base64: Option<String>,
    /// Its source was delimited text.
    pub is_text: bool,
}

/// Rejects grouped by what was wrong, the most frequent first.
pub async fn sample_rejects(
    session: &Session,
    run: &str,
    groups: u32,
) -> Result<Vec<ReasonCount>, LedgerError> {
    // The first one's place as one number, which costs less to compare than its parts.
    let sql = format!(
        "WITH kind AS (SELECT sqlstate, column_name, constraint_name, count(*) AS n, min(source * 1e19 + record) AS first \
           FROM _dbload.reject WHERE run = {run} GROUP BY sqlstate, column_name, constraint_name \
           ORDER BY count(*) DESC, sqlstate, column_name LIMIT {groups}) \
         SELECT k.sqlstate, k.column_name, k.n, r.source, r.line, r.reason, k.constraint_name \
         FROM kind k JOIN _dbload.reject r ON r.run = {run} AND r.source = div(k.first, 1e19)::int \
          AND r.record = mod(k.first, 1e19)::bigint ORDER BY k.n DESC, k.sqlstate, k.column_name",
        run = literal(run)
    );
    let outcomes = session.ask(&sql).await.map_err(failed("group the rejects"))?;
    Ok(rows_of(outcomes).into_iter().filter_map(reason_of).collect())
}

fn reason_of(row: Vec<Option<String>>) -> Option<ReasonCount> {
    let mut row = row.into_iter();
    let mut next = || row.next().flatten();
    let sqlstate = next()?;
    let column = next();
    let count = next()?.parse().ok()?;
    let source = next()?.parse().ok()?;
    let line = next()?.parse().ok()?;
    let reason = next().unwrap_or_default();
    Some(ReasonCount { sqlstate, column, count, source, line, reason, constraint: next() })
}

/// The query that shows the rejects of a run, for people.
#[must_use]
pub fn rejects_query(run: &str) -> String {
    format!("SELECT * FROM _dbload.reject WHERE run = {}", literal(run))
}

/// Hands out a page of rejects behind a place, in source order, one by one. Where the next page
/// begins; `None`: there were none.
pub async fn each_reject_after(
    session: &Session,
    run: &str,
    after: Position,
    each: &mut (dyn FnMut(Reject<StoredOriginal>) + Send),
) -> Result<Option<Position>, LedgerError> {
    // In the order of the index: the planner knows nothing of a table that was just filled, and would sort
    // all that is left of it for each page.
    let sql = format!(
        "BEGIN READ ONLY;\nSET LOCAL search_path = pg_catalog, pg_temp;\nSET LOCAL enable_bitmapscan = off;\nSET LOCAL enable_seqscan = off;\n\
         SELECT source, record, line, byte_offset, column_name, sqlstate, constraint_name, reason, original, raw, \
         pg_catalog.translate(pg_catalog.encode(raw_bytes, 'base64'), E'\\n', ''), is_text \
         FROM (SELECT r.*, sum(long) OVER (ORDER BY source, record ROWS UNBOUNDED PRECEDING) - long AS before \
               FROM (SELECT *, CASE WHEN greatest(octet_length(original), octet_length(raw), octet_length(raw_bytes)) > {LONG_BYTES} \
                       THEN greatest(octet_length(original), octet_length(raw), octet_length(raw_bytes)) ELSE 0 END AS long \
                     FROM _dbload.reject WHERE run = {} AND (source, record) > ({}, {}) \
                     ORDER BY source, record LIMIT {REJECTS_PAGE}) r) page \
         WHERE before < {LONG_BYTES_PAGE} ORDER BY source, record;\nCOMMIT",
        literal(run),
        after.source,
        after.record
    );
    let mut last = None;
    let mut page = |row: Vec<Option<String>>| {
        if let Some(reject) = reject_of(row) {
            last = Some(reject.place);
            each(reject);
        }
    };
    session.each_row(&sql, &mut page).await.map_err(failed("read the rejects"))?;
    Ok(last)
}

fn reject_of(row: Vec<Option<String>>) -> Option<Reject<StoredOriginal>> {
    let mut row = row.into_iter();
    let mut next = || row.next().flatten();
    let (source, record) = (next()?.parse().ok()?, next()?.parse().ok()?);
    let (line, offset) = (next()?.parse().ok()?, next()?.parse().ok()?);
    Some(Reject {
        place: Position { source, offset, record, line },
        column: next(),
        sqlstate: next().unwrap_or_default(),
        constraint: next(),
        reason: next().unwrap_or_default(),
        original: StoredOriginal {
            record: next(),
            raw: next(),
            raw_base64: next(),
            is_text: next().as_deref() == Some("t"),
        },
    })
}
