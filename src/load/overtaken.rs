//! What other runs have appended since an unfinished append began: where it would go on with the same source,
//! the rest of that would be there twice.

use std::collections::HashMap;

use crate::input::{Description, Input};
use crate::job::{EarlierRuns, Reading};
use crate::ledger::{Ledger, LedgerError, StoredRun};
use crate::prepared::LoadError;
use crate::schema::Table;

use super::appended::are_same;
use super::resume::stored_inputs;

/// Refuses to go on with a source that another run has appended since, unless the user says so.
pub(super) async fn refuse_appended_since(
    ledger: &mut Ledger,
    stored: &StoredRun,
    named: &[Input],
    table: &Table,
    runs: &EarlierRuns,
    reading: &Reading,
) -> Result<(), LoadError> {
    let inputs = stored_inputs(stored, named)?;
    let Some(first) = stored.checkpoints.iter().filter(|c| !c.done).map(|c| c.at.source).min() else {
        return Ok(());
    };
    let is_open = |input: &Input| {
        input.begin.source >= first || (input.set_aside.is_some() && input.moved_to.is_none())
    };
    let since = ledger.appended_since(&stored.run, table.oid, &table.name).await?;
    let mut own = HashMap::new();
    for of_us in since.iter().filter(|earlier| earlier.run == stored.run) {
        *own.entry(of_us.name.as_str()).or_insert(0) += of_us.read;
    }
    let others = || {
        let others = since.iter().filter(|other| other.run != stored.run && other.read > 0);
        others.filter(|other| are_same(other.records.as_deref(), reading.records.as_deref()))
    };
    for input in inputs.iter().filter(|input| is_open(input) && !runs.appends_again(&input.name)) {
        for other in others() {
            let Ok(description) = serde_json::from_value::<Description>(other.description.clone()) else {
                continue;
            };
            let is_of_whole_file = match (description.file(), input.file()) {
                (Some(then), Some(now)) if description.part() == input.description.part() => {
                    then.is_same_file(now).await
                        || then.has_content_of(now).await
                        || input.is_repacked(then, reading).await
                }
                _ => false,
            };
            if is_of_whole_file
                || input.is_same_part(&description).await
                || input.has_content_of_member(&description, reading).await
            {
                return Err(LedgerError::AppendedSince {
                    name: input.name.clone(),
                    run: stored.run.clone(),
                    other: other.run.clone(),
                    read: own.get(input.name.as_str()).copied().unwrap_or(0),
                    rows: stored.checkpoints.iter().map(|checkpoint| checkpoint.books.inserted).sum(),
                }
                .into());
            }
        }
    }
    Ok(())
}
