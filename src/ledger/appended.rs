//! What earlier appends have put into a table: the sources of completed runs, and of those that left rows behind.

use sqlx::Row as _;
use sqlx::postgres::PgRow;

use crate::pg::{TableName, literal};

use super::error::LedgerError;
use super::open::{Ledger, answered, json};
use super::question::simple;

/// A source of an earlier append.
#[derive(Debug, Clone)]
pub struct Appended {
    /// The run.
    pub run: String,
    /// How that ended.
    pub state: AppendedState,
    /// Ordinal in the run.
    pub source: u32,
    /// Name for people.
    pub name: String,
    /// As the wiring has stored it.
    pub description: serde_json::Value,
    /// Path to the records in a JSON text that was asked for.
    pub records: Option<String>,
    /// relfilenode of the table when the run began.
    pub target_file: u32,
    /// Records of it that are accounted for.
    pub read: u64,
}

/// How a run stands that has appended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AppendedState {
    /// Complete.
    Complete,
    /// Begun, and not at its end.
    Unfinished,
    /// Given up: what it had appended stayed.
    GivenUp,
}

impl Ledger {
    /// Sources of earlier appends into a table, the latest first; of runs that were given up those that were begun.
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

    /// Whether rows of a source are still in the table, by a proof: the transaction that stored its last records has left its
    /// number on them. A rewrite (VACUUM FULL, CLUSTER) keeps that, TRUNCATE does not. False where it cannot be told.
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

/// Digests that one statement keeps.
const DIGESTS_A_STATEMENT: usize = 1_000;

/// Statements that keep the digests of sources that were read whole, each with its end: a later append wants to know whether
/// a file is the same.
#[must_use]
pub fn keep_digests(run: &str, digests: &[(u32, String)]) -> String {
    let mut sql = String::new();
    for digests in digests.chunks(DIGESTS_A_STATEMENT) {
        let rows: Vec<String> =
            digests.iter().map(|(source, digest)| format!("({source}, {})", literal(digest))).collect();
        sql.push_str(&format!(
            "UPDATE _dbload.source s SET description = pg_catalog.jsonb_set(s.description, '{{fingerprint,whole}}', \
             pg_catalog.to_jsonb(d.digest)) FROM (VALUES {}) d (source, digest) \
             WHERE s.run = {} AND s.source = d.source;\n",
            rows.join(", "),
            literal(run)
        ));
    }
    sql
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
