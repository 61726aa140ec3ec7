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

/// Definitions of columns, which users write: names in them are those of `pg_catalog`, and behind these what
/// this role would find. Types of extensions may be anywhere. Before and behind it nothing but `pg_catalog`
/// is in `search_path`.
#[must_use]
pub fn as_this_role_finds(ddl: &str) -> String {
    format!(
        "SELECT pg_catalog.set_config('search_path', pg_catalog.concat_ws(', ', 'pg_catalog', nullif(s.reset_val, ''), 'pg_temp'), true) \
         FROM pg_catalog.pg_settings s WHERE s.name OPERATOR(pg_catalog.=) 'search_path';\n{ddl};\n{PATH}"
    )
}

const PATH: &str = "SELECT pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true)";

/// Runs a statement that takes the table for itself, and commits. Nothing is done where that fails.
///
/// # Errors
/// The server's, or that the session is lost: then it may be done.
pub async fn alter_table(session: &Session, ddl: &str, lock_timeout_ms: u128) -> Result<(), DbError> {
    let sql = format!(
        "BEGIN;\nSET LOCAL lock_timeout = {lock_timeout_ms};\n{PATH};\n{};\nCOMMIT",
        as_this_role_finds(ddl)
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
