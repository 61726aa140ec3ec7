//! Rows that are known to be new go straight into the table: one COPY, no staging, no merge.
//!
//! Taken where it cannot be told from the reference: all rows have keys that are not stored, none twice, and the table
//! refuses none of them. Whatever it refuses, a key that is stored after all among it, undoes the whole COPY, and the batch
//! goes by staging; so this never decides about a single row.

use bytes::Bytes;

use crate::batch::{Batch, Chunk, Keys};
use crate::map::PRESENCE_WORD_BITS;
use crate::pg::{Action, ErrorView, Outcome, Session, Stage, catalog, classify};
use crate::schema::{Identity, Mode};

use super::plan::WritePlan;
use super::stage::{Form, begin_and_copy};
use super::transaction::{Failed, FailedAt};

/// Whether the rows of a batch, if they are new, may go straight into the table.
pub(super) fn suits(plan: &WritePlan, batch: &Batch) -> bool {
    let inserts = match plan.mode {
        Mode::Append => true,
        Mode::Upsert | Mode::Ignore => batch.keys == Keys::Distinct,
        Mode::Update => false,
    };
    inserts && plan.paths.straight.is_ok() && !batch.chunks.is_empty() && batch.chunks.iter().all(|chunk| !chunk.columns.is_empty())
        // What a record lacks is the column's default: COPY has none for a single row. Its columns are those that any
        // record before had, so a column may be among them that no row of this batch has a value for.
        && batch.chunks.iter().flat_map(|chunk| chunk.columns.iter()).all(|&slot| {
            let column = &plan.table().columns[plan.mapping.slots[slot]];
            batch.always_present(slot) || (column.default.is_none() && column.identity == Identity::No)
        })
}

/// What became of it.
pub(super) enum Copied {
    /// All rows are in the table.
    Rows(u64),
    /// The table refused one: nothing is, and the transaction is over.
    Refused,
}

/// Begins a transaction and copies the rows of a batch into the table.
pub(super) async fn copy(
    plan: &WritePlan,
    session: &Session,
    batch: &Batch,
    begin: &str,
) -> Result<Copied, Failed> {
    let table = plan.table();
    // COPY reads values as the types that the columns have now: they must be those of the plan.
    let begin = format!(
        "{begin};\nLOCK TABLE ONLY {} IN ROW EXCLUSIVE MODE;\n{}",
        table.name,
        catalog::columns_version(table.oid)
    );
    let accept = |begun: &[Outcome]| {
        let now = begun.last().and_then(Outcome::value);
        if now == Some(&table.columns_version) {
            return Ok(());
        }
        let message = format!("table {} was changed meanwhile", table.name);
        Err(ErrorView { message, sqlstate: Some("0A000".to_owned()), ..ErrorView::default() })
    };
    let form = Form { statement: &|chunk| statement(plan, chunk), text: rows_alone, accept: &accept };
    match begin_and_copy(plan, session, batch, &begin, &form).await {
        Ok(rows) => Ok(Copied::Rows(rows)),
        Err(Failed { at: FailedAt::Staging, error }) => {
            tracing::debug!(partition = batch.partition, ?error, "rows refused by the table itself");
            match classify(Stage::Merge { cheap_key: None }, &error) {
                Action::CarefulPath | Action::PrepareAnew => {
                    session.roll_back().await;
                    Ok(Copied::Refused)
                }
                _ => Err(Failed { at: FailedAt::Merge, error }),
            }
        }
        Err(failed) => Err(failed),
    }
}

fn statement(plan: &WritePlan, chunk: &Chunk) -> String {
    let table = plan.table();
    let columns: Vec<String> =
        chunk.columns.iter().map(|&slot| table.columns[plan.mapping.slots[slot]].name.to_string()).collect();
    format!("COPY {} ({}) FROM STDIN WITH (FORMAT text)", table.name, columns.join(", "))
}

/// The COPY text of a chunk without what only staging needs: sequence numbers and presence words.
fn rows_alone(chunk: &Chunk) -> Bytes {
    let mut words = chunk.columns.iter().map(|slot| slot / PRESENCE_WORD_BITS).collect::<Vec<_>>();
    words.dedup();
    let mut bytes = Vec::with_capacity(chunk.bytes.len());
    for n in 0..chunk.rows.len() {
        let row = chunk.row(n);
        let start = memchr::memchr_iter(b'\t', row).nth(words.len()).map_or(0, |tab| tab + 1);
        bytes.extend_from_slice(&row[start..]);
    }
    bytes.into()
}
