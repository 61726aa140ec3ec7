//! Earlier starts: what a resume must find as it was left.

use std::collections::HashMap;

use crate::input::{Input, SourceSpec};
use crate::ledger::{
    ACCUMULATING, Anew, Ledger, LedgerError, LedgerRef, MOVES_ROWS, StoredRun, StoredTarget, Unfinished,
    append_rest,
};
use crate::pg::Lease;
use crate::pg::catalog::CatalogError;
use crate::prepared::LoadError;
use crate::schema::{Member, Mode, Rest, Table};

use super::emptiness::{SeenRows, look_for};
use super::slots::open;
use super::stored;

/// The sources of a stored run, with what is not stored of them: those of the same command have it.
pub(super) fn stored_inputs(stored: &StoredRun, named: &[Input]) -> Result<Vec<Input>, LoadError> {
    let read = |(ordinal, source)| stored::read(source, ordinal).ok_or(CatalogError::Answer);
    let mut inputs: Vec<Input> = stored.sources.iter().enumerate().map(read).collect::<Result<_, _>>()?;
    give_unstored(&mut inputs, named);
    Ok(inputs)
}

/// Secrets of requests are not stored, nor copies of archives: those of the same command's sources are taken.
pub(super) fn give_unstored(inputs: &mut [Input], named: &[Input]) {
    let named = named.iter().map(|input| &input.description.spec).filter(|spec| spec.has_unstored());
    let specs: HashMap<_, &SourceSpec> = named.map(|spec| (spec.place(), spec)).collect();
    if specs.is_empty() {
        return;
    }
    for spec in inputs.iter_mut().map(|input| &mut input.description.spec) {
        let named = specs.get(&spec.place()).copied();
        if let Some(named) = named {
            spec.take_unstored_of(named);
        }
    }
}

/// The target must still be what the unfinished run has written to.
pub(super) async fn check_target(
    ledger: &mut Ledger,
    unfinished: &Unfinished,
    table: &Table,
) -> Result<(), LoadError> {
    let before = &unfinished.target;
    let changed = |what: String| LedgerError::TargetChanged { run: unfinished.run.clone(), what }.into();
    if before.oid != table.oid {
        return Err(changed("was dropped and created again, or renamed".to_owned()));
    }
    if before.is_unlogged() && !unfinished.is_alive {
        return Err(changed(
            "was emptied by a crash of the server (it, or a part of it, is unlogged)".to_owned(),
        ));
    }
    // A run of before knows the table's own file alone.
    let itself = [(before.oid, before.file, String::new())];
    for (oid, file, _) in before.members.as_deref().unwrap_or(&itself) {
        let Some(found) = table.tree.members.iter().find(|member| member.oid == *oid) else {
            return Err(changed("has lost a partition or a child that was loaded into".to_owned()));
        };
        // VACUUM FULL and CLUSTER leave another file too, but the rows in it are those of before.
        if found.file != *file && !ledger.holds_rows_of(&found.name, &unfinished.run).await? {
            return Err(changed(format!("was truncated or rewritten ({})", found.name)));
        }
    }
    // What row-level security hides is not gone, and what records have deleted is.
    let may_look = unfinished.has_inserted && !unfinished.has_deleted && !table.has_row_security;
    if may_look && ledger.target_is_empty(&table.name).await? {
        return Err(changed("was emptied".to_owned()));
    }
    Ok(())
}

/// The target as the ledger stores it.
pub(super) fn stored_target(table: &Table) -> StoredTarget {
    let letters = |member: &Member| {
        let mut letters = if member.unlogged { "u" } else { "p" }.to_owned();
        // Others see a row once it is stored; that they take it away is not reckoned with.
        letters.extend(table.has_before_row_triggers.then_some(MOVES_ROWS));
        letters
    };
    let member = |member: &Member| (member.oid, member.file, letters(member));
    let members = Some(table.tree.members.iter().map(member).collect());
    StoredTarget { oid: table.oid, file: table.relfilenode, members }
}

/// What it would mean to begin anew. Of a table that is gone, or empty, no row is left; of one that has its
/// name since it cannot be known, which is of no matter to a load by a key.
pub(super) async fn anew(
    ledger: &mut Ledger,
    unfinished: &Unfinished,
    table: Option<&Table>,
    may_select: bool,
) -> Result<Anew, LoadError> {
    let is_it = |table: &Table| table.oid == unfinished.target.oid;
    let loads_once = matches!(unfinished.mode.as_str(), "append" | ACCUMULATING);
    let asked = |table: &&Table| unfinished.has_inserted && (is_it(table) || loads_once);
    // What was loaded beside the table is in none, and goes with the run.
    let is_beside = unfinished.mode == Rest::Replaced.mode_name(Mode::Upsert);
    let parts = unfinished.target.members.as_deref().unwrap_or_default();
    let seen = match table.filter(asked) {
        Some(table) => look_for(ledger, table, may_select, parts).await?,
        None => SeenRows::Nothing,
    };
    Ok(Anew {
        run: unfinished.run.clone(),
        mode: unfinished.mode.clone(),
        table: table.map_or_else(String::new, |table| table.name.plain()),
        rows: if is_beside || seen == SeenRows::Nothing { 0 } else { unfinished.inserted },
        is_sure: seen == SeenRows::Rows && table.is_none_or(is_it),
    })
}

/// What is left of sources that were set aside becomes the end of the order.
pub(super) async fn append_rests(
    pool: &Lease,
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
        append_rest(&session, &run.run, of_ordinal, ordinal, &stored::store(&rest)).await?;
        inputs[of].moved_to = Some(ordinal);
        inputs.push(rest);
    }
    Ok(())
}
