//! Rows that are known to be new go straight into the table: one COPY, no staging, no merge.
//!
//! Taken where it cannot be told from the reference: all rows have keys that are not stored, none twice, and the table
//! refuses none of them. Whatever it refuses, a key that is stored after all among it, undoes the whole COPY, and the batch
//! goes by staging; so this never decides about a single row.

use bytes::Bytes;

use crate::batch::{Batch, Chunk, Keys};
use crate::map::PRESENCE_WORD_BITS;
use crate::pg::{Action, ErrorView, Session, Stage, classify};
use crate::schema::{Identity, Mode};

use super::names;
use super::plan::WritePlan;

/// Whether the rows of a batch, if they are new, may go straight into the table.
pub(super) fn suits(plan: &WritePlan, batch: &Batch) -> bool {
    let inserts = match plan.mode {
        Mode::Append => true,
        Mode::Upsert | Mode::Ignore => batch.keys == Keys::Distinct,
        Mode::Update => false,
    };
    inserts && plan.paths.straight.is_ok() && !batch.chunks.is_empty() && batch.chunks.iter().all(|chunk| !chunk.columns.is_empty())
        // What a record lacks is the column's default: COPY has none for a single row.
        && names::written(plan, batch).into_iter().all(|slot| {
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

/// Copies the rows of a batch into the table.
pub(super) async fn copy(plan: &WritePlan, session: &Session, batch: &Batch) -> Result<Copied, ErrorView> {
    let mut copied = 0;
    for run in batch.chunks.chunk_by(|a, b| a.columns == b.columns) {
        match session.copy_in(&statement(plan, &run[0]), run.iter().map(rows_alone)).await {
            Ok(rows) => copied += rows,
            Err(error) => {
                tracing::debug!(partition = batch.partition, ?error, "rows refused by the table itself");
                return match classify(Stage::Merge { cheap_key: None }, &error) {
                    Action::CarefulPath => {
                        session.roll_back().await;
                        Ok(Copied::Refused)
                    }
                    _ => Err(error),
                };
            }
        }
    }
    Ok(Copied::Rows(copied))
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
