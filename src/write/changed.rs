//! Whether the table is still the one that the plan was made for.
//!
//! Every batch asks, behind its own statements and directly before the checkpoint, whether the table has
//! another version ([`Watched::check`](super::target::Watched)). Where it has, or where a statement failed or
//! a record was refused for a reason that a changed table gives too (a missing column, say: such a refusal
//! would go on to the last record), the table is looked at again, and [`TargetState`] says what that means.

use crate::ledger::{LedgerRef, alive_query, witness_query};
use crate::pg::catalog::{CatalogError, read_table};
use crate::pg::{DbError, Session, StatementResult};
use crate::schema::{Member, Mode, Table, Tree};

use super::plan::WritePlan;

/// What has become of the target.
#[derive(Debug)]
pub enum TargetState {
    /// Nothing that the load relies on has changed: it is known as it is now.
    Same,
    /// The rows are there, but they would be written in another way now.
    Differs(String),
    /// The table is another one, or rows of this load may be gone from it.
    Lost(String),
}

impl WritePlan {
    /// Looks at the target again.
    pub async fn look_again(
        &self,
        session: &Session,
        ledger: Option<&LedgerRef>,
    ) -> Result<TargetState, DbError> {
        let now = match read_table(session, &self.table().name).await {
            Ok(Some(now)) => now,
            Ok(None) => return Ok(TargetState::Lost("it is gone".to_owned())),
            Err(CatalogError::Server(error)) => return Err(error),
            Err(other) => return Ok(TargetState::Differs(other.to_string())),
        };
        if now.oid != self.table().oid {
            return Ok(TargetState::Lost("another table has its name".to_owned()));
        }
        let before = self.target.tree();
        if let Some(lost) = lost_rows(session, ledger, &before, &now.tree).await? {
            return Ok(TargetState::Lost(lost));
        }
        if let Some(change) = difference(self, &now) {
            return Ok(TargetState::Differs(change));
        }
        tracing::debug!(table = %self.table().name, "changed, but in nothing that matters");
        self.target.adopt(&now);
        Ok(TargetState::Same)
    }

    /// The statement that raises unless the target is what it was.
    #[must_use]
    pub fn check_target(&self, ledger: Option<&LedgerRef>) -> String {
        self.target.check(self.table(), ledger)
    }
}

/// The error of a load whose target was changed.
pub(super) fn changed(plan: &WritePlan, change: &str) -> DbError {
    DbError::TableChanged { table: plan.table().name.to_string(), change: change.to_owned() }
}

/// An error that ends the load, if the table was changed in what the load uses.
pub(super) async fn refuse_changed_table(plan: &WritePlan, session: &Session) -> Result<(), DbError> {
    let now = match read_table(session, &plan.table().name).await {
        Ok(now) => now,
        Err(CatalogError::Server(error)) => return Err(error),
        Err(other) => return Err(DbError::other(other)),
    };
    match change(plan, now.as_ref()) {
        None => Ok(()),
        Some(change) => Err(changed(plan, &change)),
    }
}

fn change(plan: &WritePlan, now: Option<&Table>) -> Option<String> {
    let planned = plan.table();
    let Some(now) = now.filter(|now| now.oid == planned.oid) else { return Some("it is gone".to_owned()) };
    for &column in &plan.mapping.slots {
        let column = &planned.columns[column];
        match now.column(column.name.raw()) {
            None => return Some(format!("column {} is gone", column.name)),
            Some(at) if now.columns[at].number != column.number => {
                return Some(now.whereabouts(column.name.raw(), column.number));
            }
            Some(at) if now.columns[at].type_name != column.type_name => {
                return Some(format!("column {} is of type {} now", column.name, now.columns[at].type_name));
            }
            Some(_) => {}
        }
    }
    // What the server has filled, and records would.
    for column in planned.columns.iter().filter(|column| column.generated) {
        let heir = now.column(column.name.raw()).map(|at| &now.columns[at]);
        if heir.is_some_and(|heir| heir.number != column.number && !heir.generated) {
            return Some(now.whereabouts(column.name.raw(), column.number));
        }
        if let Some(change) = now.numbered(column.number).and_then(|now| column.kind().change(now.kind())) {
            return Some(format!("column {} {change}", column.name));
        }
    }
    let key = planned.names(&planned.unique[plan.key_index?].columns);
    let kept = now.unique.iter().any(|index| index.unusable.is_none() && now.names(&index.columns) == key);
    (!kept).then(|| "the unique index of the key is gone".to_owned())
}

/// Why rows of this load may be gone, if they may.
async fn lost_rows(
    session: &Session,
    ledger: Option<&LedgerRef>,
    before: &Tree,
    now: &Tree,
) -> Result<Option<String>, DbError> {
    if let Some(unlogged) = before.unlogged() {
        let emptied = match ledger {
            Some(ledger) => !is_so(session.run(&alive_query(&ledger.run)).await?.first()),
            None => before.counting_since != now.counting_since,
        };
        if emptied {
            return Ok(Some(format!(
                "a crash of the server has emptied {}, which is unlogged",
                unlogged.name
            )));
        }
    }
    for member in &before.members {
        let Some(found) = now.members.iter().find(|found| found.oid == member.oid) else {
            return Ok(Some(format!("{} is no part of it any more", member.name)));
        };
        if found.file != member.file && !holds_rows(session, ledger, found).await? {
            return Ok(Some(format!("{} was truncated or rewritten", member.name)));
        }
    }
    Ok(None)
}

/// A table with another file still holds rows of this load. Where nobody can tell: no.
async fn holds_rows(session: &Session, ledger: Option<&LedgerRef>, member: &Member) -> Result<bool, DbError> {
    let Some(ledger) = ledger else { return Ok(false) };
    match session.run(&witness_query(&member.name, &ledger.run)).await {
        Ok(outcomes) => Ok(is_so(outcomes.first())),
        Err(error) if error.is_lost() => Err(error),
        Err(_) => Ok(false),
    }
}

fn is_so(outcome: Option<&StatementResult>) -> bool {
    outcome.and_then(StatementResult::value) == Some("t")
}

/// What is different in a table, if rows would be written to it in another way.
fn difference(plan: &WritePlan, now: &Table) -> Option<String> {
    if let Some(change) = change(plan, Some(now)) {
        return Some(change);
    }
    let planned = plan.table();
    let used: Vec<&str> = plan.mapping.slots.iter().map(|&slot| planned.columns[slot].name.raw()).collect();
    let (was, is) = (essence(planned, &used), essence(now, &used));
    if was == is {
        return None;
    }
    if let Some(change) = identity_change(plan, now) {
        return Some(change);
    }
    let what = if was.unique != is.unique {
        "its unique indexes are others"
    } else if was.tree != is.tree {
        "a table of it is logged or unlogged now"
    } else if was.columns != is.columns {
        "columns that are loaded have changed"
    } else {
        "its constraints, triggers or policies are others"
    };
    Some(what.to_owned())
}

/// A column that is updated, and has become an identity or is one no more: in which way.
fn identity_change(plan: &WritePlan, now: &Table) -> Option<String> {
    if !matches!(plan.mode, Mode::Upsert | Mode::Update) {
        return None;
    }
    let updated = plan.mapping.slots.iter().enumerate().filter(|(slot, _)| !plan.mapping.key.contains(slot));
    updated.map(|(_, &at)| at).find_map(|at| {
        let column = &plan.table().columns[at];
        let change = column.kind().change(now.numbered(column.number)?.kind())?;
        Some(format!("column {} {change}", column.name))
    })
}

/// A table without what changes by itself, and without columns that nothing of the load has to do with.
fn essence(table: &Table, used: &[&str]) -> Table {
    let mut table = table.clone();
    let named = |c: usize| {
        table.unique.iter().any(|index| index.columns.contains(&c))
            || table.checks.iter().any(|check| check.columns.contains(&c))
            || table.foreign_keys.iter().any(|key| key.columns.iter().any(|(own, ..)| *own == c))
    };
    let mut kept: Vec<usize> = (0..table.columns.len())
        .filter(|&c| used.contains(&table.columns[c].name.raw()) || named(c))
        .collect();
    kept.sort_by_key(|&c| table.columns[c].name.raw().to_owned());
    let place = |c: usize| kept.iter().position(|&k| k == c).unwrap_or(usize::MAX);
    for index in &mut table.unique {
        index.columns = index.columns.iter().map(|&c| place(c)).collect();
    }
    for check in &mut table.checks {
        check.columns = check.columns.iter().map(|&c| place(c)).collect();
    }
    for key in &mut table.foreign_keys {
        for (own, ..) in &mut key.columns {
            *own = place(*own);
        }
    }
    table.columns = kept.iter().map(|&c| table.columns[c].clone()).collect();
    table.unique.sort_by(|a, b| a.name.cmp(&b.name));
    let unlogged = table.tree.unlogged().is_some();
    table.tree = Tree::default();
    if unlogged {
        "unlogged".clone_into(&mut table.tree.version);
    }
    (table.relfilenode, table.has_no_pages) = (0, false);
    table.columns_version.clear();
    table
}
