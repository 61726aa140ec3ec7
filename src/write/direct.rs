//! Rows that are known to be new go straight into the table: one COPY, no staging, no merge.
//!
//! Taken where it cannot be told from the reference: all these rows have keys that are not stored, none twice, and the table
//! refuses none of them. Whatever it refuses, a key that is stored after all among it, undoes the whole COPY, and the batch
//! goes by staging; so this never decides about a single row. Repeats, rows whose key is met more than once, are left to
//! staging behind it, in the same transaction: where nothing ties records of different keys together, and none of the others has
//! their keys, the order of the two does not matter.

use bytes::Bytes;

use crate::batch::{Batch, Chunk};
use crate::map::PRESENCE_WORD_BITS;
use crate::pg::{Action, ErrorView, Outcome, Session, Stage, catalog, classify};
use crate::schema::{Identity, Mode};

use super::names;
use super::plan::WritePlan;
use super::stage::{Form, begin_and_copy, stage};
use super::transaction::{Failed, FailedAt, Path};

/// Of so many rows one may be a repeat: where they are many, staging all rows at once costs less.
const REPEATS_ONE_OF: u64 = 2;

/// Whether the rows of a batch that are no repeats, if they are new, may go straight into the table.
pub(super) fn suits(plan: &WritePlan, batch: &Batch) -> bool {
    let inserts = match plan.mode {
        Mode::Append => true,
        Mode::Upsert | Mode::Ignore => {
            batch.repeats == 0 || !plan.paths.tied && batch.repeats * REPEATS_ONE_OF <= batch.rows
        }
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

/// What a transaction holds then.
pub(super) struct Copied {
    /// Rows in the table.
    pub(super) inserted: u64,
    /// The repeats, ..
    pub(super) repeats: Batch,
    /// .. of which so many are staged.
    pub(super) staged: u64,
}

/// Begins a transaction, copies the rows of a batch into the table, and stages the repeats. `None`: one was refused; nothing is
/// done, and the transaction is over.
pub(super) async fn copy(
    plan: &WritePlan,
    session: &Session,
    batch: &Batch,
    begin: &str,
) -> Result<Option<Copied>, Failed> {
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
    let repeats = batch.of_repeats();
    let refused = match begin_and_copy(plan, session, batch, &begin, &form).await {
        Ok(inserted) => match stage_repeats(plan, session, &repeats).await {
            Ok(staged) => return Ok(Some(Copied { inserted, repeats, staged })),
            Err(error) => error,
        },
        Err(Failed { at: FailedAt::Staging, error }) => error,
        Err(failed) => return Err(failed),
    };
    tracing::debug!(partition = batch.partition, error = ?refused, "rows refused by the table itself");
    match classify(Stage::Merge { cheap_key: None }, &refused) {
        Action::CarefulPath | Action::PrepareAnew => {
            session.roll_back().await;
            Ok(None)
        }
        _ => Err(Failed { at: FailedAt::Merge, error: refused }),
    }
}

async fn stage_repeats(plan: &WritePlan, session: &Session, repeats: &Batch) -> Result<u64, ErrorView> {
    if repeats.rows == 0 {
        return Ok(0);
    }
    session.run(&names::staging(plan)).await?;
    stage(plan, session, repeats, Path::Fast).await
}

fn statement(plan: &WritePlan, chunk: &Chunk) -> String {
    let table = plan.table();
    let columns: Vec<String> =
        chunk.columns.iter().map(|&slot| table.columns[plan.mapping.slots[slot]].name.to_string()).collect();
    format!("COPY {} ({}) FROM STDIN WITH (FORMAT text)", table.name, columns.join(", "))
}

/// The COPY text of a chunk without repeats, and without what only staging needs: sequence numbers and presence words.
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
