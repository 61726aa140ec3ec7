//! Foreign keys between the tables of several loads: which of them had better be loaded behind others.

use crate::engine::Engine;
use crate::pg::{ConnInfo, TableName, TableReference, references_between};
use crate::prepared::LoadError;

use super::slots::open;

/// The foreign keys between these tables.
///
/// # Errors
/// When the database cannot be asked.
pub async fn table_references(
    engine: &Engine,
    dsn: &ConnInfo,
    tables: &[TableName],
) -> Result<Vec<TableReference>, LoadError> {
    let share = engine.enter();
    let lease = share.lease(dsn, 1).await?;
    Ok(references_between(&open(&lease).await?, tables).await?)
}
