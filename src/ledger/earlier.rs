//! Asks what earlier appends have put into a table, and whether it is still there.

use sqlx::Row as _;
use sqlx::postgres::PgRow;

use crate::pg::{TableName, literal};

use super::appended::{Appended, AppendedState, AppendedTo};
use super::error::LedgerError;
use super::open::{Ledger, answered, json, members};
use super::question::simple;
use super::run::LOADS_ONCE;

impl Ledger {
    /// Sources of earlier appends into a table, a part of it or what it is a part of, the latest first; of
    /// runs that were given up those that were begun.
    pub async fn appended(
        &mut self,
        target_oid: u32,
        table: &TableName,
    ) -> Result<Vec<Appended>, LedgerError> {
        self.appended_by("true", target_oid, table).await
    }

    /// Those of an unfinished run, and of others that were at it since that began.
    pub async fn appended_since(
        &mut self,
        run: &str,
        target_oid: u32,
        table: &TableName,
    ) -> Result<Vec<Appended>, LedgerError> {
        let run = literal(run);
        let since = format!(
            "(r.run = {run} OR coalesce(r.finished_at, r.heartbeat) > \
             (SELECT o.started_at FROM _dbload.run o WHERE o.run = {run}))"
        );
        self.appended_by(&since, target_oid, table).await
    }

    async fn appended_by(
        &mut self,
        which: &str,
        target_oid: u32,
        table: &TableName,
    ) -> Result<Vec<Appended>, LedgerError> {
        answered(self.limit, async {
            let failed = LedgerError::server("look for earlier appends");
            let rows = simple(appended_query(which, target_oid, table))
                .fetch_all(&mut self.connection)
                .await
                .map_err(&failed)?;
            rows.iter().map(appended).collect::<Result<_, sqlx::Error>>().map_err(&failed)
        })
        .await
    }

    /// Whether one of these tables is there, wherever it belongs to by now.
    pub async fn has_any_table(&mut self, oids: &[u32]) -> Result<bool, LedgerError> {
        let oids: Vec<String> = oids.iter().map(ToString::to_string).collect();
        answered(self.limit, async {
            simple(format!(
                "SELECT EXISTS (SELECT FROM pg_catalog.pg_class WHERE oid = ANY ('{{{}}}'::pg_catalog.oid[]))",
                oids.join(",")
            ))
            .fetch_one(&mut self.connection)
            .await
            .and_then(|row| row.try_get(0))
            .map_err(LedgerError::server("look for former partitions"))
        })
        .await
    }

    /// The latest run of these identities that has put records into this very table, or into one of its name,
    /// by a key: its id, the key, and whether it was this very table. A copy (`CREATE TABLE AS`) has the rows
    /// and no index.
    pub async fn loaded_by_key(
        &mut self,
        identities: &[String],
        target_oid: u32,
        table: &TableName,
    ) -> Result<Option<(String, String, bool)>, LedgerError> {
        answered(self.limit, async {
            let failed = LedgerError::server("look for earlier runs by a key");
            let of: Vec<String> = identities.iter().map(|identity| literal(identity)).collect();
            let row = simple(format!(
                "SELECT r.run, pg_catalog.array_to_string(r.key, ', '), r.target_oid = {target_oid} \
                 FROM _dbload.run r WHERE r.identity IN ({}) AND (r.target_oid = {target_oid} OR r.target = {}) \
                 AND r.mode <> 'append' AND EXISTS (SELECT FROM _dbload.checkpoint c WHERE c.run = r.run AND c.read > 0) \
                 ORDER BY r.started_at DESC LIMIT 1",
                of.join(", "),
                literal(&table.to_string())
            ))
            .fetch_optional(&mut self.connection)
            .await
            .map_err(&failed)?;
            let read = |row: PgRow| Ok((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?));
            row.map(read).transpose().map_err(|error: sqlx::Error| failed(error))
        })
        .await
    }

    /// Whether rows of a source are still in the table, by a proof: the transaction that stored its last
    /// records has left its number on them. A rewrite (VACUUM FULL, CLUSTER) keeps that, TRUNCATE does not.
    /// A row that the run has written record by record will do: no batch of it commits behind a TRUNCATE.
    /// False where it cannot be told.
    pub async fn still_holds(&mut self, table: &TableName, appended: &Appended) -> Result<bool, LedgerError> {
        answered(self.limit, async {
            let (run, source) = (literal(&appended.run), appended.source);
            simple(format!(
                "SELECT EXISTS (SELECT FROM {table} t WHERE t.xmin IN (SELECT c.xmin FROM _dbload.source_count c \
                 WHERE c.run = {run} AND c.source = {source} UNION ALL SELECT w.xmin FROM _dbload.witness w WHERE w.run = {run}))"
            ))
            .fetch_one(&mut self.connection)
            .await
            .and_then(|row| row.try_get(0))
            .map_err(LedgerError::server("look whether what was appended is still there"))
        })
        .await
    }
}

/// Tables are known by number and by name. `which`: a condition on the run `r`.
fn appended_query(which: &str, oid: u32, table: &TableName) -> String {
    let name = literal(&table.to_string());
    format!(
        "WITH RECURSIVE below(oid) AS (SELECT {oid}::oid UNION \
             SELECT h.inhrelid FROM below JOIN pg_catalog.pg_inherits h ON h.inhparent = below.oid), \
           above(oid) AS (SELECT {oid}::oid UNION \
             SELECT h.inhparent FROM above JOIN pg_catalog.pg_inherits h ON h.inhrelid = above.oid), \
           near(oid, name, is_part) AS (SELECT c.oid, \
               concat('\"', replace(n.nspname, '\"', '\"\"'), '\".\"', replace(c.relname, '\"', '\"\"'), '\"'), x.is_part \
             FROM (SELECT oid, true FROM below UNION ALL SELECT oid, false FROM above) x(oid, is_part) \
             JOIN pg_catalog.pg_class c ON c.oid = x.oid AND c.oid <> {oid} \
             JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace), \
           of_table AS (SELECT r.*, CASE \
               WHEN r.target_oid = {oid} AND r.target = {name} THEN 'itself' \
               WHEN r.target = {name} THEN 'namesake' \
               WHEN r.target_oid = {oid} THEN 'renamed' \
               WHEN EXISTS (SELECT FROM near WHERE is_part AND r.target_oid = near.oid OR is_part AND r.target = near.name) \
                 THEN 'part' \
               WHEN EXISTS (SELECT FROM near WHERE r.target_oid = near.oid OR r.target = near.name) \
                 OR EXISTS (SELECT FROM jsonb_array_elements(CASE WHEN jsonb_typeof(r.target_files) = 'array' \
                      THEN r.target_files ELSE '[]' END) m WHERE (m->>0)::oid = {oid}) THEN 'whole' END AS relation \
             FROM _dbload.run r WHERE {LOADS_ONCE} AND {which}) \
         SELECT * FROM (SELECT s.run, r.state, s.source, s.name, s.description::text, \
             jsonb_extract_path_text(r.settings, 'records'), r.relation, r.target, r.target_oid::bigint, \
             r.target_file::bigint, r.target_files::text, \
             (SELECT coalesce(sum(c.read), 0)::bigint FROM _dbload.source_count c \
               WHERE c.run = s.run AND c.source = s.source) AS read, r.started_at \
           FROM _dbload.source s JOIN of_table r USING (run) WHERE r.relation IS NOT NULL) a \
         WHERE state <> 'abandoned' OR read > 0 ORDER BY started_at DESC, source"
    )
}

fn appended(row: &PgRow) -> Result<Appended, sqlx::Error> {
    let number = |column: usize| row.try_get::<i64, _>(column);
    let state: String = row.try_get(1)?;
    let relation: String = row.try_get(6)?;
    let itself = || {
        (
            u32::try_from(number(8).unwrap_or(0)).unwrap_or(0),
            u32::try_from(number(9).unwrap_or(0)).unwrap_or(0),
        )
    };
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
        relation: match relation.as_str() {
            "itself" => AppendedTo::Itself,
            "renamed" => AppendedTo::Renamed,
            "namesake" => AppendedTo::Namesake,
            "part" => AppendedTo::Part,
            _ => AppendedTo::Whole,
        },
        target: row.try_get(7)?,
        // A run of before knows the table's own file alone.
        files: members(row.try_get(10)?).unwrap_or_else(|| {
            let (oid, file) = itself();
            vec![(oid, file, String::new())]
        }),
        read: u64::try_from(number(11)?).unwrap_or(0),
    })
}
