//! Whether a table holds rows: an empty one has lost what was put there, if to see none means that.

use crate::ledger::{Ledger, LedgerError, MOVES_ROWS, StoredMember};
use crate::schema::Table;

/// What can be seen of a table's rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SeenRows {
    /// There are some.
    Rows,
    /// There are none.
    Nothing,
    /// None can be seen, which proves nothing, and why.
    Hidden(&'static str),
}

/// Looks for rows of a table. `may_select`: the role may read it.
pub(super) async fn look(
    ledger: &mut Ledger,
    table: &Table,
    may_select: bool,
) -> Result<SeenRows, LedgerError> {
    if !may_select {
        return Ok(SeenRows::Hidden("this role may not read it"));
    }
    if !ledger.target_is_empty(&table.name).await? {
        return Ok(SeenRows::Rows);
    }
    Ok(if table.has_row_security {
        SeenRows::Hidden("row-level security may hide its rows from this role")
    } else if table.has_insert_triggers {
        SeenRows::Hidden("no row of it is seen, and its triggers may move rows elsewhere")
    } else {
        SeenRows::Nothing
    })
}

/// The same, for rows that were put there when the table had these parts: one that was detached has kept its
/// own, and a trigger that was dropped may have moved them.
pub(super) async fn look_for(
    ledger: &mut Ledger,
    table: &Table,
    may_select: bool,
    parts: &[StoredMember],
) -> Result<SeenRows, LedgerError> {
    let seen = look(ledger, table, may_select).await?;
    if seen == SeenRows::Nothing && are_detached(ledger, table, parts).await? {
        return Ok(SeenRows::Hidden("a part of it was detached since, and has kept its rows"));
    }
    if seen == SeenRows::Nothing && parts.iter().any(|(_, _, letters)| letters.contains(MOVES_ROWS)) {
        return Ok(SeenRows::Hidden("a trigger that it had then may have moved its rows elsewhere"));
    }
    Ok(seen)
}

/// Whether one of the parts that a table had is there, and no part of it any more.
async fn are_detached(
    ledger: &mut Ledger,
    table: &Table,
    parts: &[StoredMember],
) -> Result<bool, LedgerError> {
    let is_member = |oid: u32| table.tree.members.iter().any(|member| member.oid == oid);
    // The table itself is another one where its own number is not among them.
    if !parts.iter().any(|(oid, ..)| *oid == table.oid) {
        return Ok(false);
    }
    let missing: Vec<u32> = parts.iter().map(|(oid, ..)| *oid).filter(|oid| !is_member(*oid)).collect();
    Ok(!missing.is_empty() && ledger.has_any_table(&missing).await?)
}
