//! Earlier starts: what a resume must find as it was left.

use std::collections::HashMap;

use crate::ledger::{Ledger, LedgerError, StoredRun, Unfinished, append_rest};
use crate::pg::Pool;
use crate::pg::catalog::CatalogError;
use crate::schema::Table;
use crate::source::Location;
use crate::write::LedgerRef;

use super::error::LoadError;
use super::input::Input;
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
