//! Behind a load that wrote explicit ids: the sequences of those columns, set by `--fix-sequences`, else
//! looked at.
//!
//! Looked at only where an index tells the greatest id at once, and never at the expense of the load: a hint
//! that cannot be had is no failure. Setting is asked for, so a failure of that is one, before the run is
//! complete.

use crate::event::{Event, Listener, Totals};
use crate::job::Job;
use crate::pg::Session;
use crate::pg::sequences::{Sequence, catch_up, is_behind, sequences_of};
use crate::prepared::{LoadError, Prepared};
use crate::schema::{Column, Identity};

/// Sets the sequences that are behind, or says which are.
pub(super) async fn look_after(
    job: &Job,
    prepared: &Prepared,
    listener: Listener<'_>,
) -> Result<(), LoadError> {
    let (loaded, table) = (&prepared.plan.table, prepared.plan.target());
    let written: Vec<&str> = prepared
        .mapping
        .active()
        .iter()
        .map(|&slot| &loaded.columns[prepared.mapping.slots[slot]])
        .filter(|column| may_have_sequence(column))
        .map(|column| column.name.raw())
        .collect();
    if written.is_empty() {
        return Ok(());
    }
    let failed = |source| LoadError::Prepare { doing: "set the sequences of the table", source };
    let session = match Session::open(&prepared.pool).await {
        Ok(session) => session,
        Err(error) if job.fix_sequences => return Err(failed(error)),
        Err(_) => return Ok(()),
    };
    let sequences = match sequences_of(&session, table, &written).await {
        Ok(sequences) => sequences,
        Err(error) if job.fix_sequences => return Err(failed(error)),
        Err(_) => return Ok(()),
    };
    let tell = |event: Event| listener(&event, &Totals::default());
    for sequence in sequences {
        let Sequence { column, name, .. } = &sequence;
        if job.fix_sequences {
            if let Some(last) = catch_up(&session, table, &sequence).await.map_err(failed)? {
                let (name, column) = (name.clone(), column.clone());
                tell(Event::SequenceSet { name, column, value: last });
            }
        } else if leads_an_index(prepared, column)
            && let Ok(Some(last)) = is_behind(&session, table, &sequence).await
        {
            tell(Event::SequenceBehind { name: name.clone(), column: column.clone(), greatest: last });
        }
    }
    Ok(())
}

fn may_have_sequence(column: &Column) -> bool {
    column.identity != Identity::No || column.default.as_ref().is_some_and(|sql| sql.contains("nextval("))
}

/// The greatest value of the column is found by an index.
fn leads_an_index(prepared: &Prepared, column: &str) -> bool {
    let table = prepared.plan.target();
    let ordinal = table.column(column);
    table.unique.iter().any(|index| index.columns.first().copied() == ordinal && ordinal.is_some())
}
