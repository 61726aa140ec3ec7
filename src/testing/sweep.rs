//! Removes what nobody will come back for: databases of processes that are gone, and templates that were not
//! used for a week.
//!
//! Whether a process is gone is known by its lock, on whatever machine it ran. A database that a failed test
//! has left stays for the rest of its suite.

use std::collections::HashSet;

use super::error::TestingCause;
use super::hands::{Hands, first_fields};
use super::names::{BUILDING, KEPT, OF_SCHEMAS, OWNERS, READY, TEMPLATE, Tag, USED, of_whom};
use crate::local::quote;
use crate::pg::StatementResult;
use crate::schema::literal;

/// A template that was not used for so long is dropped.
const TEMPLATE_SECONDS: u64 = 7 * 24 * 3600;
/// A database that a failed test has left stays at most so long, also in its suite.
const KEPT_SECONDS: u64 = 24 * 3600;

/// Removes it.
///
/// # Errors
/// The server does not say what there is. What cannot be removed now is tried again by the next.
pub(super) async fn sweep(hands: &Hands, suite: Tag) -> Result<(), TestingCause> {
    let all = hands
        .run(&format!(
            "SELECT d.datname, pg_catalog.shobj_description(d.oid, 'pg_database'), \
               EXTRACT(epoch FROM pg_catalog.now())::bigint \
             FROM pg_catalog.pg_database d WHERE pg_catalog.starts_with(d.datname, 'dbload_') AND d.datname <> {}; \
             {}",
            literal(OF_SCHEMAS),
            living_query(),
        ))
        .await
        .map_err(TestingCause::server("list the databases of the test server"))?;
    let living = living(all.get(1));
    for row in all.first().map(|outcome| outcome.rows.as_slice()).unwrap_or_default() {
        let left = Left::of(row);
        if left.name.starts_with(TEMPLATE) {
            let used: u64 = left.comment.parse().unwrap_or(left.now);
            if left.now.saturating_sub(used) > TEMPLATE_SECONDS {
                drop_template(hands, left.name).await;
            }
        } else if let Some((of, owner)) =
            [USED, BUILDING].iter().find_map(|begins| of_whom(left.name, begins))
            && !left.is_looked_at(of == suite)
            && !living.contains(&owner)
        {
            drop_database(hands, left.name).await;
        }
    }
    Ok(())
}

/// A database or schema that is there: its name, its comment, and the second in which that was asked.
#[derive(Debug)]
pub(super) struct Left<'a> {
    pub(super) name: &'a str,
    comment: &'a str,
    now: u64,
}

impl<'a> Left<'a> {
    pub(super) fn of(row: &'a [Option<String>]) -> Self {
        let field = |i: usize| row.get(i).and_then(|field| field.as_deref()).unwrap_or_default();
        Self { name: field(0), comment: field(1), now: field(2).parse().unwrap_or_default() }
    }

    /// A failed test has left it, and it is not for this process to remove it.
    pub(super) fn is_looked_at(&self, is_of_this_suite: bool) -> bool {
        let Some(since) = self.comment.strip_prefix(KEPT) else { return false };
        let since: u64 = since.parse().unwrap_or(self.now);
        is_of_this_suite && self.now.saturating_sub(since) < KEPT_SECONDS
    }
}

/// The owners that hold their lock, as numbers of it. Asked behind the names: a process has its lock before
/// it makes anything.
pub(super) fn living_query() -> String {
    let class = OWNERS.cast_unsigned();
    format!(
        "SELECT l.objid FROM pg_catalog.pg_locks l WHERE l.locktype = 'advisory' AND l.classid = {class} AND l.granted"
    )
}

/// The answer to [`living_query`].
pub(super) fn living(answer: Option<&StatementResult>) -> HashSet<Tag> {
    let rows = answer.map(|answer| answer.rows.as_slice()).unwrap_or_default();
    rows.iter().filter_map(|row| row.first()?.as_deref()?.parse().ok().map(Tag::of_lock)).collect()
}

async fn drop_database(hands: &Hands, name: &str) {
    let statement = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", quote(name));
    if let Err(error) = hands.run(&statement).await {
        tracing::debug!(%error, name, "a database of a dead process stays");
    }
}

/// With the clones that were made of it ahead.
async fn drop_template(hands: &Hands, name: &str) {
    let ready = name.replacen(TEMPLATE, READY, 1);
    let question = format!(
        "SELECT datname FROM pg_catalog.pg_database WHERE pg_catalog.starts_with(datname, {})",
        literal(&ready)
    );
    for clone in first_fields(hands.run(&question).await.unwrap_or_default()) {
        drop_database(hands, &clone).await;
    }
    let _ = hands.run(&format!("ALTER DATABASE {} IS_TEMPLATE false", quote(name))).await;
    drop_database(hands, name).await;
}
