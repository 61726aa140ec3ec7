//! Asks what earlier appends have put into a table, and whether it is still there.

use sqlx::Row as _;
use sqlx::postgres::PgRow;

use crate::pg::{TableName, literal};

use super::appended::{Appended, AppendedState};
use super::error::LedgerError;
use super::open::{Ledger, answered, json};
use super::question::simple;

impl Ledger {
    /// Sources of earlier appends into a table, the latest first; of runs that were given up those that were
    /// begun.
    pub async fn appended(&mut self, target_oid: u32) -> Result<Vec<Appended>, LedgerError> {
        answered(self.limit, async {
            let failed = LedgerError::server("look for earlier appends");
            let rows = simple(format!(
                "SELECT * FROM (SELECT s.run, r.state, s.source, s.name, s.description::text, \
                 pg_catalog.jsonb_extract_path_text(r.settings, 'records'), r.target_file::bigint, \
                 (SELECT coalesce(pg_catalog.sum(c.read), 0)::bigint FROM _dbload.source_count c \
                  WHERE c.run = s.run AND c.source = s.source) AS read, r.started_at \
                 FROM _dbload.source s JOIN _dbload.run r USING (run) \
                 WHERE r.target_oid = {target_oid} AND r.mode = 'append') a \
                 WHERE state <> 'abandoned' OR read > 0 ORDER BY started_at DESC, source"
            ))
            .fetch_all(&mut self.connection)
            .await
            .map_err(&failed)?;
            rows.iter().map(appended).collect::<Result<_, sqlx::Error>>().map_err(&failed)
        })
        .await
    }

    /// Refuses an append that nobody asked for where the load has put records into this very table by a key.
    ///
    /// # Errors
    /// [`LedgerError::KeyGone`], of the latest such run.
    pub async fn refuse_lost_key(
        &mut self,
        identities: &[String],
        target_oid: u32,
    ) -> Result<(), LedgerError> {
        answered(self.limit, async {
            let failed = LedgerError::server("look for earlier runs by a key");
            let of: Vec<String> = identities.iter().map(|identity| literal(identity)).collect();
            let row = simple(format!(
                "SELECT r.run, pg_catalog.array_to_string(r.key, ', ') FROM _dbload.run r \
                 WHERE r.identity IN ({}) AND r.target_oid = {target_oid} AND r.mode <> 'append' \
                 AND EXISTS (SELECT FROM _dbload.checkpoint c WHERE c.run = r.run AND c.read > 0) \
                 ORDER BY r.started_at DESC LIMIT 1",
                of.join(", ")
            ))
            .fetch_optional(&mut self.connection)
            .await
            .map_err(&failed)?;
            let Some(row) = row else { return Ok(()) };
            let run = row.try_get(0).map_err(&failed)?;
            Err(LedgerError::KeyGone { run, key: row.try_get(1).map_err(&failed)? })
        })
        .await
    }

    /// Whether rows of a source are still in the table, by a proof: the transaction that stored its last
    /// records has left its number on them. A rewrite (VACUUM FULL, CLUSTER) keeps that, TRUNCATE does not.
    /// False where it cannot be told.
    pub async fn still_holds(&mut self, table: &TableName, appended: &Appended) -> Result<bool, LedgerError> {
        answered(self.limit, async {
            simple(format!(
                "SELECT EXISTS (SELECT FROM {table} t WHERE t.xmin IN (SELECT c.xmin FROM _dbload.source_count c \
                 WHERE c.run = {} AND c.source = {}))",
                literal(&appended.run),
                appended.source
            ))
            .fetch_one(&mut self.connection)
            .await
            .and_then(|row| row.try_get(0))
            .map_err(LedgerError::server("look whether what was appended is still there"))
        })
        .await
    }
}

fn appended(row: &PgRow) -> Result<Appended, sqlx::Error> {
    let state: String = row.try_get(1)?;
    Ok(Appended {
        run: row.try_get(0)?,
        state: match state.as_str() {
            "complete" => AppendedState::Complete,
            "abandoned" => AppendedState::GivenUp,
            _ => AppendedState::Unfinished,
        },
        source: u32::try_from(row.try_get::<i32, _>(2)?).unwrap_or(0),
        name: row.try_get(3)?,
        description: json(row, 4)?,
        records: row.try_get(5)?,
        target_file: u32::try_from(row.try_get::<i64, _>(6)?).unwrap_or(0),
        read: u64::try_from(row.try_get::<i64, _>(7)?).unwrap_or(0),
    })
}
