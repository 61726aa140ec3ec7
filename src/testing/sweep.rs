//! Removes what nobody will come back for: databases of processes that are gone, and templates that were not
//! used for a week.
//!
//! Whether a process is gone is known by its lock, on whatever machine it ran. A database that a failed test
//! has left stays for the rest of its suite.

use super::error::TestingCause;
use super::names::{BUILDING, CLONING, KEPT, OF_SCHEMAS, OWNERS, READY, TEMPLATE, Tag, USED, of_whom};
use crate::local::quote;
use crate::pg::Administrator;
use crate::schema::literal;

/// A template that was not used for so long is dropped.
const TEMPLATE_SECONDS: u64 = 7 * 24 * 3600;

/// Removes it.
///
/// # Errors
/// The server does not say what there is. What cannot be removed now is tried again by the next.
pub(super) async fn sweep(administrator: &Administrator, suite: Tag) -> Result<(), TestingCause> {
    let all = administrator
        .run(&format!(
            "SELECT d.datname, pg_catalog.shobj_description(d.oid, 'pg_database'), \
               EXTRACT(epoch FROM pg_catalog.now())::bigint \
             FROM pg_catalog.pg_database d WHERE pg_catalog.starts_with(d.datname, 'dbload_') AND d.datname <> {}",
            literal(OF_SCHEMAS)
        ))
        .await
        .map_err(TestingCause::server("list the databases of the test server"))?;
    for row in all.first().map(|outcome| outcome.rows.as_slice()).unwrap_or_default() {
        let field = |i: usize| row.get(i).and_then(|field| field.as_deref()).unwrap_or_default();
        let (name, comment) = (field(0), field(1));
        let now: u64 = field(2).parse().unwrap_or_default();
        if name.starts_with(TEMPLATE) {
            let used: u64 = comment.parse().unwrap_or(now);
            if now.saturating_sub(used) > TEMPLATE_SECONDS {
                drop_template(administrator, name).await;
            }
        } else if let Some((of, owner)) =
            [USED, BUILDING, CLONING].iter().find_map(|begins| of_whom(name, begins))
        {
            if (comment == KEPT && of == suite) || lives(administrator, owner).await {
                continue;
            }
            drop_database(administrator, name).await;
        }
    }
    Ok(())
}

/// Whether the owner holds its lock.
pub(super) async fn lives(administrator: &Administrator, owner: Tag) -> bool {
    let lock = owner.lock();
    let asked = format!("SELECT pg_catalog.pg_try_advisory_lock({OWNERS}, {lock})");
    let Ok(answer) = administrator.run(&asked).await else { return true };
    let is_free = answer.first().and_then(|outcome| outcome.value()) == Some("t");
    if is_free {
        let _ = administrator.run(&format!("SELECT pg_catalog.pg_advisory_unlock({OWNERS}, {lock})")).await;
    }
    !is_free
}

async fn drop_database(administrator: &Administrator, name: &str) {
    let statement = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", quote(name));
    if let Err(error) = administrator.run(&statement).await {
        tracing::debug!(%error, name, "a database of a dead process stays");
    }
}

/// With the clones that were made of it ahead.
async fn drop_template(administrator: &Administrator, name: &str) {
    let ready = name.replacen(TEMPLATE, READY, 1);
    let question = format!(
        "SELECT datname FROM pg_catalog.pg_database WHERE pg_catalog.starts_with(datname, {})",
        literal(&ready)
    );
    let clones = administrator.run(&question).await.unwrap_or_default();
    for row in clones.first().map(|outcome| outcome.rows.as_slice()).unwrap_or_default() {
        if let Some(Some(clone)) = row.first() {
            drop_database(administrator, clone).await;
        }
    }
    let _ = administrator.run(&format!("ALTER DATABASE {} IS_TEMPLATE false", quote(name))).await;
    drop_database(administrator, name).await;
}
