//! The rejects of a batch: found by decoder and mapping, or by the server. They are committed with it.

use crate::batch::{Batch, ChunkNote};
use crate::ledger::{in_ascii, store_rejects};
use crate::map::WhyNot;
use crate::pg::sqlstate::is_of_encoding;
use crate::pg::{DbError, Session, StatementResult};
use crate::record::{Block, Position};
use crate::reject::{Kept, Reject};

use super::plan::{DatabaseEncoding, WritePlan};
use super::reject::{Originals, Rejected};
use super::sql::names::REFUSED;

fn rejected(block: &Block, i: usize, originals: &Originals) -> Rejected {
    let reject = Reject {
        place: Position { offset: block.offset_of(i), line: block.line_of(i), ..block.after(i) },
        column: None,
        sqlstate: String::new(),
        constraint: None,
        reason: String::new(),
        original: originals(block, i),
    };
    Rejected { reject, block: block.bytes().clone() }
}

/// The rejects that decoder and mapping found.
pub(super) fn of_batch(batch: &Batch, originals: &Originals) -> Vec<Rejected> {
    let one = |found: &ChunkNote| {
        let WhyNot::Refused { column, sqlstate, reason } = &found.note.why else { return None };
        let Rejected { reject, block } = rejected(&found.block, found.note.i as usize, originals);
        let not_kept = if reject.original.kept == Kept::NotKept { NOT_KEPT } else { "" };
        let reject = Reject {
            column: column.clone(),
            sqlstate: sqlstate.clone().into_owned(),
            reason: format!("{reason}{not_kept}"),
            ..reject
        };
        Some(Rejected { reject, block })
    };
    batch.notes.iter().filter_map(one).collect()
}

/// Behind the reason of a reject whose record is longer than what is kept.
const NOT_KEPT: &str = "; of this record only the place is kept";

/// What the server refused in this transaction, read from its table.
pub(super) async fn of_server(
    session: &Session,
    plan: &WritePlan,
    batch: &Batch,
    originals: &Originals,
) -> Result<Vec<Rejected>, DbError> {
    let sql =
        format!("SELECT s0, slot, sqlstate, constraint_name, column_name, reason FROM {REFUSED} ORDER BY s0");
    let outcomes = session.run(&sql).await?;
    let rows = outcomes.into_iter().next().unwrap_or_default();
    Ok(from_rows(rows, plan, batch, originals))
}

fn from_rows(rows: StatementResult, plan: &WritePlan, batch: &Batch, originals: &Originals) -> Vec<Rejected> {
    rows.rows
        .into_iter()
        .filter_map(|row| {
            let mut row = row.into_iter();
            let mut next = || row.next().flatten();
            let seq: u64 = next()?.parse().ok()?;
            let slot: Option<usize> = next().and_then(|slot| slot.parse().ok());
            let (sqlstate, constraint, column, reason) = (next(), next(), next(), next());
            let (block, i) = batch.find(seq)?;
            let Rejected { reject, block } = rejected(block, i, originals);
            let reject = Reject {
                column: slot.map(|slot| plan.mapping.column_name(slot).to_owned()).or(column),
                sqlstate: sqlstate.unwrap_or_default(),
                constraint,
                reason: reason.unwrap_or_default(),
                ..reject
            };
            Some(Rejected { reject, block })
        })
        .collect()
}

/// Writes rejects into the ledger. Where the database lacks characters an original may have one: then all are
/// written in ASCII.
pub(super) async fn store(
    session: &Session,
    encoding: DatabaseEncoding,
    run: &str,
    rejects: &[Rejected],
) -> Result<(), DbError> {
    let originals = || rejects.iter().map(|rejected| &rejected.reject);
    if encoding == DatabaseEncoding::All {
        return store_rejects(session, run, originals()).await;
    }
    session.run("SAVEPOINT dbload_rejects").await?;
    match store_rejects(session, run, originals()).await {
        Err(error) if is_of_encoding(&error) => {
            session.run("ROLLBACK TO SAVEPOINT dbload_rejects").await?;
            let plain: Vec<Reject> = originals().map(in_ascii).collect();
            store_rejects(session, run, plain.iter()).await
        }
        stored => stored,
    }
}
