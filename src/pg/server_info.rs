//! Facts about server and session, asked once.

use super::answer::{AnswerRow, CatalogError};
use super::db_error::DbError;
use super::session::Session;
use crate::schema::{TableName, literal};

/// Facts about server and session.
#[derive(Debug, Clone)]
pub struct ServerInfo {
    /// The server's version, by `server_version_num`.
    pub version: u32,
    /// The version, as the server words it.
    pub version_name: String,
    /// The database's name, by `current_database()`.
    pub database: String,
    /// `current_schema()`, where a new table goes.
    pub schema: Option<String>,
    /// The role that the session has.
    pub role: String,
    /// Batches may commit asynchronously: nobody has asked for more, and there is only one WAL.
    pub asynchronous_commit: bool,
    /// The role may make temporary tables, which staging needs.
    pub may_stage: bool,
    /// The encoding of the database holds every character: UTF-8, or bytes that nobody looks at.
    pub holds_all_characters: bool,
    /// The role may run plpgsql, which whatever goes record by record needs.
    pub may_loop: bool,
    /// The role may read some column of the target.
    pub may_select: bool,
    /// A pooler is in between.
    pub is_pooled: bool,
}

/// Whether the server knows a time zone of this name.
///
/// # Errors
/// When the session is lost.
pub async fn knows_time_zone(session: &Session, name: &str) -> Result<bool, DbError> {
    let sql = format!("SELECT pg_catalog.set_config('TimeZone', {}, true)", literal(name));
    match session.run(&sql).await {
        Ok(_) => Ok(true),
        Err(error) if error.is_lost() => Err(error),
        Err(_) => Ok(false),
    }
}

/// Asks the server who it is.
pub async fn server_info(session: &Session, table: &TableName) -> Result<ServerInfo, CatalogError> {
    let sql = format!(
        "SELECT pg_catalog.current_setting('server_version_num'), pg_catalog.current_setting('server_version'), pg_catalog.current_database(), \
             pg_catalog.current_schema(), CURRENT_USER, \
             (SELECT (s.setting OPERATOR(pg_catalog.=) ANY (ARRAY['on', 'local'])) AND (s.source OPERATOR(pg_catalog.=) ANY (ARRAY['default', 'configuration file'])) \
                FROM pg_catalog.pg_settings s WHERE s.name OPERATOR(pg_catalog.=) 'synchronous_commit') \
             AND pg_catalog.current_setting('synchronous_standby_names') OPERATOR(pg_catalog.=) '' \
             AND NOT EXISTS (SELECT FROM pg_catalog.pg_extension e WHERE e.extname OPERATOR(pg_catalog.=) 'citus'), \
             pg_catalog.has_database_privilege(pg_catalog.current_database(), 'TEMPORARY'), \
             pg_catalog.current_setting('server_encoding') OPERATOR(pg_catalog.=) ANY (ARRAY['UTF8', 'SQL_ASCII']), \
             pg_catalog.has_language_privilege('plpgsql', 'USAGE'), \
             coalesce(pg_catalog.has_any_column_privilege(pg_catalog.to_regclass({})::pg_catalog.oid, 'SELECT'), true), \
             pg_catalog.pg_backend_pid()",
        literal(&table.to_string())
    );
    let outcomes = session.run(&sql).await?;
    let mut row = AnswerRow::first(outcomes.first()).ok_or(CatalogError::Answer)?;
    let mut facts = ServerInfo {
        version: row.number()?,
        version_name: row.text()?,
        database: row.text()?,
        schema: row.next(),
        role: row.text()?,
        asynchronous_commit: row.flag(),
        may_stage: row.flag(),
        holds_all_characters: row.flag(),
        may_loop: row.flag(),
        may_select: row.flag(),
        is_pooled: false,
    };
    facts.is_pooled = session.is_pooled(row.number()?).await;
    Ok(facts)
}
