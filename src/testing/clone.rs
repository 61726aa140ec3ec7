//! Clones of a template: taken from those that are ready, else made.

use super::error::TestingCause;
use super::names::{CLONING, READY, TEMPLATE, Tag, Wish};
use crate::local::quote;
use crate::pg::{Administrator, DbError};
use crate::schema::literal;

/// Clones that are ready and might be taken by another process meanwhile: so many are tried.
const TRIED: usize = 4;

/// The name of a template.
pub(super) fn template_name(key: u64) -> String {
    format!("{TEMPLATE}{key:016x}")
}

/// Makes a database of this name, of a template.
pub(super) async fn take(
    administrator: &Administrator,
    template: u64,
    name: &str,
) -> Result<(), TestingCause> {
    let ready = ready(administrator, template)
        .await
        .map_err(TestingCause::server("look for a database that is ready"))?;
    for clone in ready.iter().take(TRIED) {
        // Another process may be faster.
        let rename = format!("ALTER DATABASE {} RENAME TO {}", quote(clone), quote(name));
        if administrator.run(&rename).await.is_ok() {
            return Ok(());
        }
    }
    make(administrator, template, name).await.map_err(TestingCause::server("clone the template"))
}

/// Makes clones ahead, until as many are ready as are wished for.
pub(super) async fn make_ready(
    administrator: &Administrator,
    wish: Wish,
    owner: Tag,
    made: &mut u64,
) -> Result<(), DbError> {
    while ready(administrator, wish.template).await?.len() < wish.count {
        *made += 1;
        let half = format!("{CLONING}00000000_{owner}_{made}");
        make(administrator, wish.template, &half).await?;
        let whole = format!("{READY}{:016x}_{owner}_{made}", wish.template);
        administrator.run(&format!("ALTER DATABASE {} RENAME TO {}", quote(&half), quote(&whole))).await?;
    }
    Ok(())
}

/// Those that are ready, in no order, so that processes do not reach for the same one.
async fn ready(administrator: &Administrator, template: u64) -> Result<Vec<String>, DbError> {
    let begins = literal(&format!("{READY}{template:016x}_"));
    let found = administrator
        .run(&format!(
            "SELECT datname FROM pg_catalog.pg_database WHERE pg_catalog.starts_with(datname, {begins}) \
             ORDER BY pg_catalog.random()"
        ))
        .await?;
    let rows = found.into_iter().next().unwrap_or_default().rows;
    Ok(rows.into_iter().filter_map(|row| row.into_iter().next().flatten()).collect())
}

/// Clones the template, with the settings of the database and of roles in it, which the server leaves behind.
async fn make(administrator: &Administrator, template: u64, name: &str) -> Result<(), DbError> {
    let template = template_name(template);
    // WAL, not files: copying files forces two checkpoints.
    let clone = format!("CREATE DATABASE {} TEMPLATE {} STRATEGY wal_log", quote(name), quote(&template));
    administrator.run(&clone).await?;
    let settings = administrator.run(&settings_query(&template, name)).await?;
    let statements = settings.into_iter().next().unwrap_or_default().rows;
    let statements: Vec<String> =
        statements.into_iter().filter_map(|row| row.into_iter().next().flatten()).collect();
    if !statements.is_empty() {
        administrator.run(&statements.join(";\n")).await?;
    }
    Ok(())
}

/// The statements that give a database the settings of another one. A list is stored as it is written.
fn settings_query(from: &str, to: &str) -> String {
    format!(
        "SELECT pg_catalog.format('ALTER %s SET %I TO %s', \
           CASE s.setrole WHEN 0 THEN pg_catalog.format('DATABASE %I', {to}) \
             ELSE pg_catalog.format('ROLE %I IN DATABASE %I', pg_catalog.pg_get_userbyid(s.setrole), {to}) END, \
           o.name, CASE WHEN o.name IN ('search_path', 'temp_tablespaces', 'local_preload_libraries', 'session_preload_libraries') \
             AND o.value <> '' THEN o.value ELSE pg_catalog.quote_literal(o.value) END) \
         FROM pg_catalog.pg_db_role_setting s JOIN pg_catalog.pg_database d ON d.oid = s.setdatabase \
         CROSS JOIN LATERAL pg_catalog.unnest(s.setconfig) c(text) \
         CROSS JOIN LATERAL (SELECT pg_catalog.split_part(c.text, '=', 1) AS name, \
           pg_catalog.substr(c.text, pg_catalog.strpos(c.text, '=') + 1) AS value) o \
         WHERE d.datname = {}",
        literal(from),
        to = literal(to),
    )
}
