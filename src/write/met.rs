//! What a batch has met: the keys of its staged records, whatever becomes of them in the merge.

use crate::batch::Batch;
use crate::pg::{DbError, Session};

use super::context::Context;
use super::sql::names;

/// Keeps the keys of staged rows, before any of them is folded into another one or set aside. A record that
/// was not staged is counted: nobody knows which row it was about.
pub(super) async fn keep(
    context: &Context<'_>,
    session: &Session,
    batch: &Batch,
    staged: u64,
) -> Result<(), DbError> {
    let unread = batch.rejects().count() as u64 + (batch.rows - staged);
    let (true, Some(ledger)) = (context.plan.keeps_met && staged + unread > 0, context.ledger) else {
        return Ok(());
    };
    let columns: Vec<String> = context.plan.mapping.key.iter().map(|slot| format!("c{slot}")).collect();
    let sql = ledger.keep_met(batch.partition, names::STAGE, &columns, unread);
    session.run(&sql).await.map(|_| ())
}
