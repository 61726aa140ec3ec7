//! Earlier starts: what a resume must find as it was left, and what an append has put into the table before.

use std::collections::HashMap;

use crate::ledger::{Ledger, LedgerError, StoredRun, Unfinished, append_rest};
use crate::pg::Pool;
use crate::pg::catalog::CatalogError;
use crate::schema::Table;
use crate::source::{Change, Location, Passed, compare_with};
use crate::write::LedgerRef;

use super::error::LoadError;
use super::input::{Description, Input};
use super::race::open;

/// The sources of a stored run.
pub(super) fn stored_inputs(stored: &StoredRun) -> Result<Vec<Input>, LoadError> {
    let read = |(ordinal, source)| Input::read(source, ordinal).ok_or(CatalogError::Answer);
    Ok(stored.sources.iter().enumerate().map(read).collect::<Result<_, _>>()?)
}

/// Secrets of requests are not stored: those of the same command's sources are taken.
pub(super) fn give_secrets(inputs: &mut [Input], named: &[Input]) {
    let by_name: HashMap<&str, &Location> =
        named.iter().map(|input| (input.name.as_str(), &input.description.spec.location)).collect();
    for input in inputs {
        if let Location::Http(stored) = &mut input.description.spec.location
            && let Some(Location::Http(request)) = by_name.get(input.name.as_str())
        {
            **stored = stored.as_ref().clone().with_secrets(request);
        }
    }
}

/// The target must still be what the unfinished run has written to.
pub(super) async fn check_target(
    ledger: &mut Ledger,
    unfinished: &Unfinished,
    target: (u32, u32),
    table: &Table,
) -> Result<(), LoadError> {
    let what = if unfinished.target.0 != target.0 {
        "was dropped and created again"
    } else if unfinished.target.1 != target.1 {
        "was truncated or rewritten"
    } else if unfinished.has_inserted && ledger.target_is_empty(&table.name).await? {
        "was emptied"
    } else {
        return Ok(());
    };
    Err(LedgerError::TargetChanged { run: unfinished.run.clone(), what }.into())
}

/// What is left of sources that were set aside becomes the end of the order.
pub(super) async fn append_rests(
    pool: &Pool,
    run: &LedgerRef,
    inputs: &mut Vec<Input>,
) -> Result<(), LoadError> {
    let rests: Vec<usize> = (0..inputs.len())
        .filter(|&i| inputs[i].set_aside.is_some() && inputs[i].moved_to.is_none())
        .collect();
    for of in rests {
        let ordinal = u32::try_from(inputs.len()).unwrap_or(u32::MAX);
        let Some(at) = inputs[of].set_aside.clone() else { continue };
        let mut rest = Input {
            begin: at.position(ordinal),
            begin_page: at.page,
            set_aside: None,
            moved_to: None,
            ..inputs[of].clone()
        };
        rest.record_anew().await;
        let session = open(pool).await?;
        let of_ordinal = u32::try_from(of).unwrap_or(u32::MAX);
        append_rest(&session, &run.run, of_ordinal, ordinal, &rest.store()).await?;
        inputs[of].moved_to = Some(ordinal);
        inputs.push(rest);
    }
    Ok(())
}

/// Sources that are still to be read must be what they were, as far as they were read: whatever size and time say. What was
/// read for that, by source.
pub(super) async fn check_sources(stored: &StoredRun) -> Result<HashMap<u32, Vec<Passed>>, LoadError> {
    let from = stored.checkpoints.iter().filter(|c| !c.done).map(|c| c.at).min();
    let first = from.map_or(0, |from| from.source);
    let mut all = HashMap::new();
    for input in stored_inputs(stored)?.iter().filter(|input| input.begin.source >= first) {
        let (Location::File(path), Some(print)) =
            (&input.description.spec.location, &input.description.fingerprint)
        else {
            continue;
        };
        if input.is_unread() {
            continue;
        }
        let changed = |change: Change| LedgerError::SourceChanged {
            run: stored.run.clone(),
            name: input.name.clone(),
            change: change.to_string(),
        };
        // Of one whose rest is another entry, that has the younger fingerprint.
        if input.moved_to.is_none() {
            let change = print.compare(path).await.unwrap_or(Change::Gone);
            if !change.keeps_recorded_part() {
                return Err(changed(change).into());
            }
        }
        let begin = from.and_then(|from| input.begin_from(from, &stored.checkpoints));
        let set_aside = input.set_aside.as_ref();
        let tokens = begin.iter().flat_map(|begin| begin.pages.iter().map(|(_, token)| token.clone()));
        let tokens: Vec<_> = tokens.chain(set_aside.and_then(|place| place.page.clone())).collect();
        let until = begin.iter().map(|begin| begin.at.offset).chain(set_aside.map(|place| place.offset));
        let compared = compare_with(path, &tokens, &until.collect::<Vec<_>>()).await;
        let passed = compared.unwrap_or(Err(Change::Gone)).map_err(changed)?;
        all.insert(input.begin.source, passed);
    }
    Ok(all)
}

/// Leaves out what completed appends have put into the table before.
pub(super) async fn skip_appended(
    inputs: &mut Vec<Input>,
    ledger: &mut Ledger,
    oid: u32,
) -> Result<Vec<String>, LoadError> {
    let before = ledger.appended(oid).await?;
    let mut skipped = Vec::new();
    for (name, description) in before {
        let Ok(earlier) = serde_json::from_value::<Description>(description) else {
            continue;
        };
        let (Location::File(path), Some(print)) = (&earlier.spec.location, &earlier.fingerprint) else {
            continue;
        };
        let here = inputs.iter().position(|input| input.description.spec.location == earlier.spec.location);
        let Some(at) = here else { continue };
        let change = print.compare(path).await.unwrap_or(Change::Gone);
        if !matches!(change, Change::Same | Change::Touched { .. }) {
            return Err(LedgerError::AppendedAndChanged { name, change: change.to_string() }.into());
        }
        skipped.push(inputs.remove(at).name);
    }
    if inputs.is_empty() && !skipped.is_empty() {
        return Err(LedgerError::LoadedBefore { names: skipped }.into());
    }
    for (ordinal, input) in inputs.iter_mut().enumerate() {
        input.begin.source = u32::try_from(ordinal).unwrap_or(u32::MAX);
    }
    Ok(skipped)
}
