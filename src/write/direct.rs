//! Rows that are known to be new go straight into the table: one COPY, no staging, no merge.
//!
//! Taken where it cannot be told from the reference: all these rows have keys that are not stored, none
//! twice, and the table refuses none of them. Whatever it refuses, a key that is stored after all among it,
//! undoes the whole COPY, and the batch goes by staging; so this never decides about a single row. Repeats,
//! rows whose key is met more than once, are left to staging behind it, in the same transaction: where
//! nothing ties records of different keys together, and none of the others has their keys, the order of the
//! two does not matter.

use bytes::Bytes;

use crate::batch::{Batch, Chunk};
use crate::map::PRESENCE_WORD_BITS;
use crate::pg::{Action, DbError, Sent, Session, Stage, StatementResult, catalog, classify};
use crate::schema::{Identity, Mode};

use super::context::Context;
use super::outcome::{Failed, FailedAt};
use super::plan::WritePlan;
use super::sql::names;
use super::stage::{Copying, Form, begin_and_copy, stage};
use super::strategy::WritePath;

/// Of so many rows one may be a repeat: where they are many, staging all rows at once costs less.
const REPEATS_ONE_OF: u64 = 2;

/// Whether the rows of a batch that are no repeats, if they are new, may go straight into the table.
pub(super) fn suits(plan: &WritePlan, batch: &Batch) -> bool {
    let inserts = match plan.mode {
        Mode::Append => true,
        Mode::Upsert | Mode::Ignore => {
            batch.repeats == 0
                || !plan.paths.tied
                    && plan.policies.is_empty()
                    && batch.repeats * REPEATS_ONE_OF <= batch.rows
        }
        Mode::Update => false,
    };
    inserts && !batch.may_delete && plan.paths.straight.is_ok() && !batch.chunks.is_empty() && batch.chunks.iter().all(|chunk| !chunk.columns.is_empty())
        // What a record lacks is the column's default: COPY has none for a single row. Its columns are those
        // that any record before had, so a column may be among them that no row of this batch has a value
        // for.
        && batch.chunks.iter().flat_map(|chunk| chunk.columns.iter()).all(|&slot| {
            let column = &plan.table().columns[plan.mapping.slots[slot]];
            batch.always_present(slot) || (column.default.is_none() && column.identity == Identity::No)
        })
}

/// What a transaction holds then.
pub(super) struct Copied {
    /// Rows in the table.
    pub(super) inserted: u64,
    /// The COPY that brings them there, where its end may go out with the COMMIT: then so many are expected
    /// of it.
    pub(super) sent: Option<Sent>,
    /// Rows that repeat an earlier key, ..
    pub(super) repeats: Batch,
    /// .. of which so many are staged.
    pub(super) staged: u64,
}

/// Begins a transaction, copies the rows of a batch into the table, and stages the repeats. `None`: one was
/// refused, and nothing is done.
pub(super) async fn copy(
    context: &Context<'_>,
    session: &Session,
    batch: &Batch,
) -> Result<Option<Copied>, Failed> {
    let plan = context.plan;
    let table = plan.table();
    // COPY reads values as the types that the columns have now: they must be those of the plan.
    let begin = format!(
        "{};\n{};\n{}{}",
        names::begin(plan, batch.partition, context.ledger),
        lock(plan),
        if counts(context) { note_rows(plan) } else { String::new() },
        catalog::columns_version(table.oid)
    );
    let accept = |begun: &[StatementResult]| {
        let now = begun.last().and_then(StatementResult::value);
        if now == Some(&plan.target.columns_version()) {
            return Ok(());
        }
        Err(DbError::Stale { table: table.name.to_string() })
    };
    let form = Form { statement: &|chunk| statement(plan, chunk), text: rows_alone, accept: &accept };
    let repeats = batch.of_repeats();
    let copying = match begin_and_copy(plan, session, batch, &begin, &form).await {
        Ok(copying) if repeats.rows == 0 && may_end_with_commit(context, batch) => {
            let Copying { copied, sent } = copying;
            let inserted = if sent.is_some() { batch.rows } else { copied };
            return Ok(Some(Copied { inserted, sent, repeats, staged: 0 }));
        }
        Ok(copying) => copying.finish(session).await,
        Err(failed) => Err(failed),
    };
    let refused = match copying {
        Ok(inserted) => match stage_repeats(plan, session, &repeats).await {
            Ok(staged) => return Ok(Some(Copied { inserted, sent: None, repeats, staged })),
            Err(error) => error,
        },
        Err(Failed { at: FailedAt::Staging, error }) => error,
        Err(failed) => return Err(failed),
    };
    refuses(batch, refused).map(|()| None)
}

/// Keeps the columns as they are. The lock that a SELECT takes does, and needs no right but on some column;
/// LOCK TABLE wants one on the whole table.
fn lock(plan: &WritePlan) -> String {
    let name = &plan.table().name;
    if plan.may_select {
        format!("SELECT FROM ONLY {name} LIMIT 0")
    } else {
        format!("LOCK TABLE ONLY {name} IN ROW EXCLUSIVE MODE")
    }
}

/// What an error says of the rows: the table refuses one of them. Else it is something else that failed.
pub(super) fn refuses(batch: &Batch, error: DbError) -> Result<(), Failed> {
    tracing::debug!(partition = batch.partition, ?error, "rows refused by the table itself");
    match classify(Stage::Merge { cheap_key: None }, &error) {
        Action::CarefulPath | Action::PrepareAnew => Ok(()),
        _ => Err(Failed { at: FailedAt::Merge, error }),
    }
}

/// Whether COMMIT may be sent before the COPY's number is known: where the server's own counter goes into the
/// books, which must balance before it commits; or where the books are ours, and are closed later.
fn may_end_with_commit(context: &Context<'_>, batch: &Batch) -> bool {
    let alike = batch.chunks.windows(2).all(|pair| pair[0].columns == pair[1].columns);
    alike && (context.ledger.is_none() || counts(context)) && batch.notes.is_empty()
}

/// Whether the server's own counter goes into the books.
fn counts(context: &Context<'_>) -> bool {
    context.ledger.is_some() && context.plan.table().counts_rows
}

/// Where the counter stood when the transaction began.
const ROWS_BEFORE: &str = "dbload.rows_before";

fn note_rows(plan: &WritePlan) -> String {
    let rows = names::rows_inserted(plan);
    format!("SELECT pg_catalog.set_config('{ROWS_BEFORE}', {rows}::pg_catalog.text, true);\n")
}

/// How many rows this transaction has put into the table, as the server counts them.
pub(super) fn rows_noted(plan: &WritePlan) -> String {
    let rows = names::rows_inserted(plan);
    format!("{rows} OPERATOR(pg_catalog.-) pg_catalog.current_setting('{ROWS_BEFORE}')::pg_catalog.int8")
}

async fn stage_repeats(plan: &WritePlan, session: &Session, repeats: &Batch) -> Result<u64, DbError> {
    if repeats.rows == 0 {
        return Ok(0);
    }
    session.run(&names::staging(plan)).await?;
    stage(plan, session, repeats, WritePath::SetBased).await
}

fn statement(plan: &WritePlan, chunk: &Chunk) -> String {
    let table = plan.table();
    let columns: Vec<String> =
        chunk.columns.iter().map(|&slot| table.columns[plan.mapping.slots[slot]].name.to_string()).collect();
    format!("COPY {} ({}) FROM STDIN WITH (FORMAT text)", table.name, columns.join(", "))
}

/// The COPY text of a chunk without repeats, and without what only staging needs: sequence numbers and
/// presence words.
fn rows_alone(chunk: &Chunk) -> Bytes {
    let mut words = chunk.columns.iter().map(|slot| slot / PRESENCE_WORD_BITS).collect::<Vec<_>>();
    words.dedup();
    let mut bytes = Vec::with_capacity(chunk.bytes.len());
    let mut repeats = chunk.repeats.iter().map(|&n| n as usize).peekable();
    for n in 0..chunk.rows.len() {
        if repeats.next_if_eq(&n).is_some() {
            continue;
        }
        let row = chunk.row(n);
        let start = memchr::memchr_iter(b'\t', row).nth(words.len()).map_or(0, |tab| tab + 1);
        bytes.extend_from_slice(&row[start..]);
    }
    bytes.into()
}
