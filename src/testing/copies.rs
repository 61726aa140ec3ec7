//! What is said to a server of clones and of what they are made of.

use super::facts::CloneStrategy;
use super::names::{READY, TEMPLATE};
use crate::local::quote;
use crate::schema::literal;

/// The name of a template.
pub(super) fn template_name(key: u64) -> String {
    format!("{TEMPLATE}{key:016x}")
}

/// Those that are ready, in no order, so that processes do not reach for the same one.
pub(super) fn ready_query(template: u64) -> String {
    format!(
        "SELECT datname FROM pg_catalog.pg_database WHERE pg_catalog.starts_with(datname, {}) \
         ORDER BY pg_catalog.random()",
        literal(&format!("{READY}{template:016x}_"))
    )
}

/// Makes a clone.
pub(super) fn creation(template: u64, name: &str, strategy: CloneStrategy) -> String {
    let (template, strategy) = (template_name(template), strategy.sql());
    format!("CREATE DATABASE {} TEMPLATE {} STRATEGY {strategy}", quote(name), quote(&template))
}

/// Stands for the name of the clone in statements that set what its template sets.
pub(super) const NAME: &str = "dbload_name_of_clone";

/// The statements that give a database the settings of another one. A list is stored as it is written.
pub(super) fn settings_query(of: &str) -> String {
    format!(
        "SELECT pg_catalog.format('ALTER %s SET %I TO %s', \
           CASE s.setrole WHEN 0 THEN 'DATABASE {NAME}' \
             ELSE pg_catalog.format('ROLE %I IN DATABASE {NAME}', pg_catalog.pg_get_userbyid(s.setrole)) END, \
           o.name, CASE WHEN o.name IN ('search_path', 'temp_tablespaces', 'local_preload_libraries', 'session_preload_libraries') \
             AND o.value <> '' THEN o.value ELSE pg_catalog.quote_literal(o.value) END) \
         FROM pg_catalog.pg_db_role_setting s JOIN pg_catalog.pg_database d ON d.oid = s.setdatabase \
         CROSS JOIN LATERAL pg_catalog.unnest(s.setconfig) c(text) \
         CROSS JOIN LATERAL (SELECT pg_catalog.split_part(c.text, '=', 1) AS name, \
           pg_catalog.substr(c.text, pg_catalog.strpos(c.text, '=') + 1) AS value) o \
         WHERE d.datname = {}",
        literal(of),
    )
}
