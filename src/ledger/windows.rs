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
    /// The backfill that it was loaded by, if it was.
    pub backfill: Option<String>,
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
/// dies is found by the next start. Of a longer one that covers it what is around it stays complete.
#[must_use]
pub fn reopen_window(job: &str, load: &str, starts_at: &str, ends_at: &str) -> String {
    let (start, end) = (literal(starts_at), literal(ends_at));
    format!(
        "WITH gone AS (DELETE FROM _dbload.job_window WHERE job = {} AND load = {} \
           AND starts_at < {end}::timestamptz AND ends_at > {start}::timestamptz RETURNING *) \
         INSERT INTO _dbload.job_window (job, load, starts_at, ends_at, target_oid, records, run, completed_at) \
         SELECT job, load, starts_at, {start}::timestamptz, target_oid, records, run, completed_at FROM gone \
          WHERE starts_at < {start}::timestamptz \
         UNION ALL SELECT job, load, {end}::timestamptz, ends_at, target_oid, records, run, completed_at FROM gone \
          WHERE ends_at > {end}::timestamptz \
         ON CONFLICT (job, load, starts_at, ends_at) DO NOTHING;\n",
        literal(job),
        literal(load),
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
        "SELECT w.load, {}, {}, w.target_oid, w.records, r.settings ->> 'backfill' \
         FROM _dbload.job_window w LEFT JOIN _dbload.run r ON r.run = w.run WHERE w.job = {} ORDER BY w.load, w.starts_at",
        micros("w.starts_at"),
        micros("w.ends_at"),
        literal(job)
    );
    let rows = rows_of(session.ask(&sql).await.map_err(failed("read the windows"))?);
    let window = |row: Vec<Option<String>>| {
        let mut row = row.into_iter();
        Some(StoredWindow {
            load: row.next()??,
            starts_at: row.next()??.parse().ok()?,
            ends_at: row.next()??.parse().ok()?,
            target_oid: row.next()??.parse().ok()?,
            records: row.next()??.parse().ok()?,
            backfill: row.next()?,
        })
    };
    Ok(rows.into_iter().filter_map(window).collect())
}
