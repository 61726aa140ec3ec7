//! Facts about server and session, asked once.

use super::catalog::{CatalogError, Row};
use super::session::Session;

/// Facts about server and session.
#[derive(Debug, Clone)]
pub struct ServerFacts {
    /// `server_version_num`.
    pub version: u32,
    /// Version in words.
    pub version_name: String,
    /// `current_database()`.
    pub database: String,
    /// `current_schema()`, where a new table goes.
    pub schema: Option<String>,
    /// The role.
    pub role: String,
    /// Batches may commit asynchronously: nobody has asked for more, and there is only one WAL.
    pub asynchronous_commit: bool,
    /// The role may make temporary tables, which staging needs.
    pub may_stage: bool,
    /// A pooler is in between.
    pub is_pooled: bool,
}

/// Asks the server who it is.
pub async fn server_facts(session: &Session) -> Result<ServerFacts, CatalogError> {
    let outcomes = session
        .run(
            "SELECT current_setting('server_version_num'), current_setting('server_version'), current_database(), \
             current_schema(), current_user, \
             (SELECT s.setting IN ('on', 'local') AND s.source IN ('default', 'configuration file') \
                FROM pg_catalog.pg_settings s WHERE s.name = 'synchronous_commit') \
             AND current_setting('synchronous_standby_names') = '' \
             AND NOT EXISTS (SELECT FROM pg_catalog.pg_extension e WHERE e.extname = 'citus'), \
             pg_catalog.has_database_privilege(current_database(), 'TEMPORARY'), pg_catalog.pg_backend_pid()",
        )
        .await?;
    let mut row = Row::first(outcomes.first()).ok_or(CatalogError::Answer)?;
    let mut facts = ServerFacts {
        version: row.number()?,
        version_name: row.text()?,
        database: row.text()?,
        schema: row.next(),
        role: row.text()?,
        asynchronous_commit: row.flag(),
        may_stage: row.flag(),
        is_pooled: false,
    };
    facts.is_pooled = session.is_pooled(row.number()?).await;
    Ok(facts)
}
