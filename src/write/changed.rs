//! Whether the table is still the one that the plan was made for.
//!
//! Asked only where something of its columns was changed, or where a record was refused for a reason that a changed table
//! gives too (a missing column, say): such a refusal is not the record's, and would go on to the last record. A trigger's own
//! error of that kind is.

use crate::pg::catalog::{CatalogError, read_table};
use crate::pg::{ErrorView, Session};
use crate::schema::Table;

use super::plan::WritePlan;

/// An error that ends the load, if the table was changed in what the load uses.
pub(super) async fn refuse_changed_table(plan: &WritePlan, session: &Session) -> Result<(), ErrorView> {
    let now = match read_table(session, &plan.table().name).await {
        Ok(now) => now,
        Err(CatalogError::Server(view)) => return Err(view),
        Err(other) => return Err(ErrorView { message: other.to_string(), ..ErrorView::default() }),
    };
    match change(plan, now.as_ref()) {
        None => Ok(()),
        Some(change) => {
            let message = format!("table {} was changed meanwhile: {change}", plan.table().name);
            Err(ErrorView { message, ..ErrorView::default() })
        }
    }
}

fn change(plan: &WritePlan, now: Option<&Table>) -> Option<String> {
    let planned = plan.table();
    let Some(now) = now.filter(|now| now.oid == planned.oid) else { return Some("it is gone".to_owned()) };
    for &column in &plan.mapping.slots {
        let column = &planned.columns[column];
        match now.column(column.name.raw()) {
            None => return Some(format!("column {} is gone", column.name)),
            Some(at) if now.columns[at].type_name != column.type_name => {
                return Some(format!("column {} is of type {} now", column.name, now.columns[at].type_name));
            }
            Some(_) => {}
        }
    }
    let key = planned.names(&planned.unique[plan.key_index?].columns);
    let kept = now.unique.iter().any(|index| index.unusable.is_none() && now.names(&index.columns) == key);
    (!kept).then(|| "the unique index of the key is gone".to_owned())
}
