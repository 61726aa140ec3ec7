//! A change of a table, in a transaction of its own: it waits for its lock no longer than it may.

use crate::schema::TableName;

use super::db_error::DbError;
use super::session::Session;

/// The statement that adds columns, each given as its name and definition. What another load has added
/// meanwhile stays as it is.
#[must_use]
pub fn add_columns(table: &TableName, columns: &[String]) -> String {
    let parts: Vec<String> =
        columns.iter().map(|column| format!("\n    ADD COLUMN IF NOT EXISTS {column}")).collect();
    format!("ALTER TABLE {table}{}", parts.join(","))
}

/// Runs a statement that takes the table for itself, and commits. Nothing is done where that fails. Types
/// in it mean what they mean to this role, as where it makes the table: those of extensions are anywhere.
///
/// # Errors
/// The server's, or that the session is lost: then it may be done.
pub async fn alter_table(session: &Session, ddl: &str, lock_timeout_ms: u128) -> Result<(), DbError> {
    let sql = format!(
        "BEGIN;\nSELECT pg_catalog.set_config('lock_timeout', '{lock_timeout_ms}', true);\n{ddl};\nCOMMIT"
    );
    match session.begin(&sql).await {
        Ok(_) => {
            session.transaction_ended();
            Ok(())
        }
        Err(error) => {
            session.roll_back().await;
            Err(error)
        }
    }
}
