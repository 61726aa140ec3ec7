//! Tables beside a target: a run that replaces the content of a table loads into one of its own, which bears
//! its name, so that the ledger knows whose it is and every later start which are left over.

use crate::pg::{Session, literal};
use crate::schema::{Ident, IdentError, TableName};

use super::error::LedgerError;
use super::fence::LedgerRef;
use super::read::{completed, failed, has_table, rows_of};

/// What the name of such a table begins with; the run follows.
const PREFIX: &str = "_dbload_";

/// What its comment begins with: a table of users that happens to have such a name has none.
pub const BESIDE: &str = "dbload: loaded by run";

/// The table that a run loads into, in the schema of its target.
pub fn table_beside(target: &TableName, run: &str) -> Result<TableName, IdentError> {
    Ok(TableName { schema: target.schema.clone(), name: Ident::new(format!("{PREFIX}{run}"))? })
}

/// The unfinished run of the first of these identities that has one. A first look, before the ledger is
/// opened.
pub async fn unfinished_run(session: &Session, identities: &[String]) -> Result<Option<String>, LedgerError> {
    if !has_table(session, "run").await? {
        return Ok(None);
    }
    for identity in identities {
        let sql = format!(
            "SELECT r.run FROM _dbload.run r WHERE r.identity = {} AND r.state = 'running'",
            literal(identity)
        );
        let answer = session.ask(&sql).await.map_err(failed("look for an unfinished run"))?;
        if let Some(run) = answer.first().and_then(|found| found.value()) {
            return Ok(Some(run.to_owned()));
        }
    }
    Ok(None)
}

/// Drops the tables of runs that are over, as far as they are this role's. One that somebody holds on to is
/// left to the next start.
pub async fn sweep_beside(session: &Session) -> Result<(), LedgerError> {
    let sql = format!(
        "SELECT pg_catalog.concat(pg_catalog.quote_ident(n.nspname), '.', pg_catalog.quote_ident(c.relname)) \
         FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
         WHERE c.relkind = 'r' AND c.relname ~ '^{PREFIX}[0-9a-f]{{12}}$' \
           AND pg_catalog.starts_with(pg_catalog.obj_description(c.oid, 'pg_class'), {}) \
           AND pg_catalog.pg_has_role(c.relowner, 'USAGE') \
           AND NOT EXISTS (SELECT FROM _dbload.run r WHERE r.run = pg_catalog.substr(c.relname, {}) AND r.state = 'running')",
        literal(BESIDE),
        PREFIX.len() + 1,
    );
    let found = session.ask(&sql).await.map_err(failed("look for tables of runs that are over"))?;
    let names = rows_of(found).into_iter().filter_map(|row| row.into_iter().next().flatten());
    for name in names {
        let sql = format!("BEGIN;\nSET LOCAL lock_timeout = '2s';\nDROP TABLE IF EXISTS {name};\nCOMMIT");
        match session.begin(&sql).await {
            Ok(_) => session.transaction_ended(),
            Err(error) => {
                tracing::warn!("table {name} of a run that is over cannot be dropped: {error}");
                session.roll_back().await;
            }
        }
    }
    Ok(())
}

impl LedgerRef {
    /// Keeps the run to ourselves until the transaction ends: no row, and it is somebody else's by now.
    #[must_use]
    pub fn hold(&self) -> String {
        format!(
            "SELECT r.run FROM _dbload.run r WHERE r.run OPERATOR(pg_catalog.=) {} \
             AND r.epoch OPERATOR(pg_catalog.=) {} AND r.state OPERATOR(pg_catalog.=) 'running' FOR UPDATE",
            literal(&self.run),
            self.epoch
        )
    }

    /// The statement that keeps how many rows were taken away.
    #[must_use]
    pub fn keep_removed(&self, removed: u64) -> String {
        format!("UPDATE _dbload.run SET removed = {removed} WHERE run = {};\n", literal(&self.run))
    }

    /// Completes the run as the end of a transaction that was begun for more; or takes all of it back.
    pub async fn complete_within(&self, session: &Session, keep: &str) -> Result<(), LedgerError> {
        let sql = format!(
            "SET LOCAL search_path = pg_catalog, pg_temp;\n{keep}SELECT _dbload.complete({}, {});\nCOMMIT",
            literal(&self.run),
            self.epoch
        );
        completed(session, &self.run, session.run(&sql).await.map(|_| ())).await
    }
}

/// Rows that a run has taken away; `None`: its mode is not about them, or it was not done.
pub async fn removed(session: &Session, run: &str) -> Result<Option<u64>, LedgerError> {
    let sql = format!("SELECT r.removed FROM _dbload.run r WHERE r.run = {}", literal(run));
    let answer = session.ask(&sql).await.map_err(failed("sum up the run"))?;
    Ok(answer.first().and_then(|found| found.value()).and_then(|number| number.parse().ok()))
}
