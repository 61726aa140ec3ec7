//! What was appended before is known by what a file is, and not by the text of its path: it is left out, and
//! said. What cannot be known is refused until the user says that it is to be appended.

use crate::input::{Change, Description, Input, Recorded, SourceError};
use crate::job::EarlierRuns;
use crate::ledger::{Appended, AppendedState, Ledger, LedgerError};
use crate::prepared::LoadError;
use crate::schema::Table;

/// What an earlier append means for a file that is to be appended.
enum Before {
    /// Nothing: it is another one, or what it had appended is gone.
    Nothing,
    /// All of it is in the table.
    AllOfIt,
}

/// Leaves out what earlier appends have put into the table.
pub(super) async fn skip_appended(
    inputs: &mut Vec<Input>,
    ledger: &mut Ledger,
    table: &Table,
    runs: &EarlierRuns,
    records: Option<&str>,
) -> Result<Vec<String>, LoadError> {
    refuse_same_files(inputs).await?;
    let before = ledger.appended(table.oid).await?;
    if before.is_empty() || ledger.target_is_empty(&table.name).await? {
        return Ok(Vec::new());
    }
    let mut skipped = Vec::new();
    let mut left = Vec::with_capacity(inputs.len());
    for input in inputs.drain(..) {
        let mut leave_out = false;
        if !runs.appends_again(&input.name) {
            for earlier in before.iter().filter(|earlier| earlier.records.as_deref() == records) {
                if let Before::AllOfIt = judge(&input, earlier, &before, ledger, table).await? {
                    leave_out = true;
                    break;
                }
            }
        }
        if leave_out { skipped.push(input.name) } else { left.push(input) }
    }
    *inputs = left;
    if inputs.is_empty() && !skipped.is_empty() {
        return Err(LedgerError::LoadedBefore { names: skipped }.into());
    }
    for (ordinal, input) in inputs.iter_mut().enumerate() {
        input.begin.source = u32::try_from(ordinal).unwrap_or(u32::MAX);
    }
    Ok(skipped)
}

/// An append of a file under two names would store its records twice.
async fn refuse_same_files(inputs: &[Input]) -> Result<(), LoadError> {
    let mut seen = std::collections::HashMap::new();
    for input in inputs {
        let Some(Recorded { print, .. }) = input.file() else { continue };
        if let Some(other) = seen.insert((print.device, print.inode), &input.name) {
            let (name, other) = (input.name.clone(), other.clone());
            return Err(SourceError::SameFile { name, other }.into());
        }
    }
    Ok(())
}

async fn judge(
    input: &Input,
    earlier: &Appended,
    all: &[Appended],
    ledger: &mut Ledger,
    table: &Table,
) -> Result<Before, LoadError> {
    if earlier.state != AppendedState::Complete && earlier.read == 0 {
        return Ok(Before::Nothing);
    }
    let Ok(description) = serde_json::from_value::<Description>(earlier.description.clone()) else {
        return Ok(Before::Nothing);
    };
    let (Some(then), Some(now)) = (description.file(), input.file()) else { return Ok(Before::Nothing) };
    let name = || input.name.clone();
    if !then.is_same_file(now).await {
        // Without records there is nothing that could be stored twice.
        let same = earlier.read > 0 && then.has_content_of(now).await;
        return match same && is_there(earlier, ledger, table).await? != Some(false) {
            true => {
                Err(LedgerError::AppendedElsewhere { name: name(), earlier: earlier.name.clone() }.into())
            }
            false => Ok(Before::Nothing),
        };
    }
    if earlier.state != AppendedState::Complete {
        let sources = all.iter().filter(|other| other.run == earlier.run).map(|other| other.name.clone());
        let (run, read) = (earlier.run.clone(), earlier.read);
        let given_up = earlier.state == AppendedState::GivenUp;
        let mut sources: Vec<String> = sources.collect();
        sources.dedup();
        return Err(LedgerError::AppendedInPart { name: name(), run, sources, read, given_up }.into());
    }
    let change = then.print.compare(now.path).await.unwrap_or(Change::Gone);
    match change {
        Change::Same | Change::Touched { .. } => {}
        // A number of a file is given again when that is gone.
        _ if then.path != now.path && !matches!(change, Change::Grew { .. }) => return Ok(Before::Nothing),
        change => {
            let change = change.to_string();
            return Err(LedgerError::AppendedAndChanged { name: name(), change }.into());
        }
    }
    match is_there(earlier, ledger, table).await? {
        Some(true) => Ok(Before::AllOfIt),
        Some(false) => Ok(Before::Nothing),
        None => Err(LedgerError::AppendedAndRewritten { name: name() }.into()),
    }
}

/// Whether what was appended is still in the table, which is not empty; `None`: that cannot be told.
async fn is_there(earlier: &Appended, ledger: &mut Ledger, table: &Table) -> Result<Option<bool>, LoadError> {
    if earlier.target_file == table.relfilenode || earlier.read == 0 {
        return Ok(Some(true));
    }
    Ok(ledger.still_holds(&table.name, earlier).await?.then_some(true))
}
