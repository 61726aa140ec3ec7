//! What is asked of the ledger through sqlx: a message of its own, in which only `pg_catalog` is looked into.

use super::error::LedgerError;

impl LedgerError {
    /// The server refused it.
    pub(super) fn server(doing: &'static str) -> impl Fn(sqlx::Error) -> Self {
        move |error| Self::Server { doing, source: error.into() }
    }
}

/// One statement, one message: what takes several (parse, then bind) may reach two sessions behind a pooler,
/// unless in a transaction. No names but those of `pg_catalog` are found in it without their schema, and
/// nothing is compiled for it.
pub(super) fn simple(sql: String) -> sqlx::RawSql {
    sqlx::raw_sql(sqlx::AssertSqlSafe(format!(
        "SET LOCAL search_path = pg_catalog, pg_temp; SET LOCAL jit = off; {sql}"
    )))
}
