//! Windows of time in the ledger: which of them a load has completed.

use crate::pg::{Session, literal};

use super::error::LedgerError;
use super::fence::LedgerRef;
use super::read::{failed, has_table, rows_of};

/// A window of time, as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredWindow {
    /// The load that it is of.
    pub load: String,
    /// When it starts and ends, in microseconds since 1970.
    pub starts_at: i64,
    /// When it ends.
    pub ends_at: i64,
    /// The table that it is in, by `pg_class.oid`.
    pub target_oid: u32,
    /// Records that it had.
    pub records: u64,
}

impl LedgerRef {
    /// The statement that keeps a window as complete, in the transaction that completes its run. `starts_at`,
    /// `ends_at`: instants as PostgreSQL reads them.
    #[must_use]
    pub fn keep_window(&self, job: &str, load: &str, starts_at: &str, ends_at: &str) -> String {
        format!(
            "INSERT INTO _dbload.job_window AS w (job, load, starts_at, ends_at, target_oid, records, run) \
             SELECT {}, {}, {}::timestamptz, {}::timestamptz, r.target_oid, \
             (SELECT coalesce(sum(c.read), 0)::bigint FROM _dbload.checkpoint c WHERE c.run = r.run), r.run \
             FROM _dbload.run r WHERE r.run = {} \
             ON CONFLICT (job, load, starts_at, ends_at) DO UPDATE SET target_oid = EXCLUDED.target_oid, \
             records = EXCLUDED.records, run = EXCLUDED.run, completed_at = clock_timestamp();\n",
            literal(job),
            literal(load),
            literal(starts_at),
            literal(ends_at),
            literal(&self.run)
        )
    }
}

/// The statement that takes a window for due again, in the transaction that records a run of it: one that
/// dies is found by the next start.
#[must_use]
pub fn reopen_window(job: &str, load: &str, starts_at: &str, ends_at: &str) -> String {
    format!(
        "DELETE FROM _dbload.job_window WHERE job = {} AND load = {} \
         AND starts_at = {}::timestamptz AND ends_at = {}::timestamptz;\n",
        literal(job),
        literal(load),
        literal(starts_at),
        literal(ends_at)
    )
}

/// The windows that a job's loads have completed; none where no ledger keeps any.
///
/// # Errors
/// When the server cannot be asked.
pub async fn windows(session: &Session, job: &str) -> Result<Vec<StoredWindow>, LedgerError> {
    if !has_table(session, "job_window").await? {
        return Ok(Vec::new());
    }
    let micros = |column: &str| format!("(extract(epoch FROM {column}) * 1000000)::bigint");
    let sql = format!(
        "SELECT load, {}, {}, target_oid, records FROM _dbload.job_window WHERE job = {} ORDER BY load, starts_at",
        micros("starts_at"),
        micros("ends_at"),
        literal(job)
    );
    let rows = rows_of(session.ask(&sql).await.map_err(failed("read the windows"))?);
    let window = |row: Vec<Option<String>>| {
        let mut row = row.into_iter().map(Option::unwrap_or_default);
        Some(StoredWindow {
            load: row.next()?,
            starts_at: row.next()?.parse().ok()?,
            ends_at: row.next()?.parse().ok()?,
            target_oid: row.next()?.parse().ok()?,
            records: row.next()?.parse().ok()?,
        })
    };
    Ok(rows.into_iter().filter_map(window).collect())
}
