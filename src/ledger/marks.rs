//! Watermarks in the ledger: that of each partition, and that of a load.

use crate::pg::{Session, literal};

use super::error::LedgerError;
use super::fence::LedgerRef;
use super::read::{failed, has_table, rows_of};

/// A watermark, as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredMark {
    /// The load that it is of.
    pub load: String,
    /// As it arrived.
    pub value: String,
    /// The table that it says of how far it is loaded, by `pg_class.oid`.
    pub target_oid: u32,
    /// The run that moved it last; empty: set by hand.
    pub run: String,
    /// When it was moved last.
    pub moved_at: String,
}

impl LedgerRef {
    /// The statement that moves the mark of a partition, if this one is greater. The fence stands before it
    /// in the same transaction.
    #[must_use]
    pub fn move_mark(&self, partition: u32, value: &str, order: i128) -> String {
        format!(
            "UPDATE _dbload.checkpoint SET mark = {}, mark_order = {order} WHERE run OPERATOR(pg_catalog.=) {} \
             AND partition OPERATOR(pg_catalog.=) {partition} \
             AND (mark_order IS NULL OR mark_order OPERATOR(pg_catalog.<) {order}::pg_catalog.numeric)",
            literal(value),
            literal(&self.run)
        )
    }

    /// The statement that makes the greatest of all partitions the load's, never back unless the load was a
    /// full one.
    #[must_use]
    pub fn keep_mark(&self, job: &str, load: &str, is_full: bool) -> String {
        let never_back = if is_full { "true" } else { "w.value_order < EXCLUDED.value_order" };
        format!(
            "INSERT INTO _dbload.watermark AS w (job, load, value, value_order, target_oid, run) \
             SELECT {}, {}, c.mark, c.mark_order, r.target_oid, r.run FROM _dbload.checkpoint c JOIN _dbload.run r USING (run) \
             WHERE c.run = {} AND c.mark IS NOT NULL ORDER BY c.mark_order DESC LIMIT 1 \
             ON CONFLICT (job, load) DO UPDATE SET value = EXCLUDED.value, value_order = EXCLUDED.value_order, \
             target_oid = EXCLUDED.target_oid, run = EXCLUDED.run, moved_at = clock_timestamp() WHERE {never_back};\n",
            literal(job),
            literal(load),
            literal(&self.run)
        )
    }
}

/// The watermarks of a job's loads; none where no ledger keeps any.
///
/// # Errors
/// When the server cannot be asked.
pub async fn watermarks(session: &Session, job: &str) -> Result<Vec<StoredMark>, LedgerError> {
    if !has_table(session, "watermark").await? {
        return Ok(Vec::new());
    }
    let sql = format!(
        "SELECT load, value, target_oid, run, moved_at::text FROM _dbload.watermark WHERE job = {} ORDER BY load",
        literal(job)
    );
    let rows = rows_of(session.ask(&sql).await.map_err(failed("read the watermarks"))?);
    let mark = |row: Vec<Option<String>>| {
        let mut row = row.into_iter().map(Option::unwrap_or_default);
        Some(StoredMark {
            load: row.next()?,
            value: row.next()?,
            target_oid: row.next()?.parse().ok()?,
            run: row.next()?,
            moved_at: row.next()?,
        })
    };
    Ok(rows.into_iter().filter_map(mark).collect())
}

/// Sets a watermark by hand; false if there is none to be set.
///
/// # Errors
/// When the server cannot be asked.
pub async fn set_watermark(
    session: &Session,
    job: &str,
    load: &str,
    mark: &str,
    order: i128,
) -> Result<bool, LedgerError> {
    if !has_table(session, "watermark").await? {
        return Ok(false);
    }
    let sql = format!(
        "UPDATE _dbload.watermark SET value = {}, value_order = {order}, moved_at = clock_timestamp() \
         WHERE job = {} AND load = {} RETURNING load",
        literal(mark),
        literal(job),
        literal(load)
    );
    let answer = session.ask(&sql).await.map_err(failed("set the watermark"))?;
    Ok(answer.first().is_some_and(|set| set.value().is_some()))
}
