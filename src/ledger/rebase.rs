//! Another content for a source of an unfinished run: its places are stored anew, all of them or none.

use crate::pg::sqlstate::is_division_by_zero;
use crate::pg::{Session, literal};

use super::error::LedgerError;
use super::read::failed;
use super::run::{Checkpoint, StoredSource};
use crate::record::{Place, Position};

/// Where a run goes on in sources whose content the user has accepted, and what they are now.
#[derive(Debug)]
pub struct Rebase<'r> {
    /// The id of the run.
    pub run: &'r str,
    /// The epoch that it is ours under.
    pub epoch: u64,
    /// The sources, by their place in the order.
    pub sources: &'r [(u32, StoredSource)],
    /// The partitions that stand elsewhere now.
    pub partitions: &'r [(usize, Checkpoint)],
    /// What is behind this place, as it was, is read again by those that had read it.
    pub again_from: Option<Position>,
}

/// Stores it. Under this owner's epoch, or not at all. Rejects that will be judged again are taken out of the
/// books; the answer is how many, by partition.
pub async fn rebase(session: &Session, to: &Rebase<'_>) -> Result<Vec<(usize, u64)>, LedgerError> {
    let Rebase { run, epoch, sources, partitions, again_from } = to;
    let id = literal(run);
    let mut sql = format!(
        "BEGIN;\nSET LOCAL search_path = pg_catalog, pg_temp;\nSELECT 1 / pg_catalog.count(*) FROM (SELECT FROM _dbload.run WHERE run = {id} AND epoch = {epoch} \
         AND state = 'running' FOR UPDATE) ours"
    );
    let place = |at: &Option<Place>| at.as_ref().map_or("NULL".to_owned(), |at| literal(&at.to_json()));
    for (ordinal, source) in *sources {
        sql.push_str(&format!(
            ";\nUPDATE _dbload.source SET description = {}, begin_at = {}, set_aside = {} WHERE run = {id} AND source = {ordinal}",
            literal(&source.description.to_string()),
            place(&source.begin_at),
            place(&source.set_aside),
        ));
    }
    for (partition, Checkpoint { at, page, done, .. }) in *partitions {
        sql.push_str(&format!(
            ";\nUPDATE _dbload.checkpoint SET source = {}, record = {}, byte_offset = {}, line = {}, page = {}, done = {done}, digest_from = NULL, digest_to = NULL, \
             digest = NULL WHERE run = {id} AND partition = {partition} AND epoch = {epoch}",
            at.source,
            at.record,
            at.offset,
            at.line,
            page.as_deref().map_or("NULL".to_owned(), literal),
        ));
    }
    if let Some(from) = again_from {
        sql = sql + ";\n" + &forget_rejects(&id, *epoch, *from);
    }
    sql.push_str(";\nCOMMIT");
    match session.begin(&sql).await {
        Ok(outcomes) => {
            session.transaction_ended();
            let judged_again = again_from.and_then(|_| outcomes.iter().rev().nth(1));
            let rows = judged_again.map(|outcome| outcome.rows.as_slice()).unwrap_or_default();
            let number = |row: &[Option<String>], i: usize| row.get(i)?.as_deref()?.parse::<u64>().ok();
            let of_partition =
                |row: &Vec<Option<String>>| Some((usize::try_from(number(row, 0)?).ok()?, number(row, 1)?));
            Ok(rows.iter().filter_map(of_partition).collect())
        }
        Err(error) => {
            session.roll_back().await;
            // Divided by the number of runs that are ours.
            if is_division_by_zero(&error) {
                return Err(LedgerError::Fenced);
            }
            Err(failed("go on with another content")(error))
        }
    }
}

/// Deletes the rejects behind a place and takes them out of the counts of partitions that have some. Which
/// one had found which is not stored; the sums are what is balanced.
fn forget_rejects(id: &str, epoch: u64, from: Position) -> String {
    let Position { source, record, .. } = from;
    format!(
        "WITH gone AS (DELETE FROM _dbload.reject WHERE run = {id} AND (source > {source} OR source = {source} AND record > {record}) \
           RETURNING source), \
         by_source AS (SELECT source, count(*) AS n FROM gone GROUP BY source), \
         taken AS (SELECT s.partition, s.source, least(s.rejected, greatest(0, b.n - (sum(s.rejected) OVER \
             (PARTITION BY s.source ORDER BY s.partition) - s.rejected)))::int8 AS n \
           FROM _dbload.source_count s JOIN by_source b ON b.source = s.source WHERE s.run = {id}), \
         counted AS (UPDATE _dbload.source_count s SET read = s.read - t.n, rejected = s.rejected - t.n \
           FROM taken t WHERE s.run = {id} AND s.partition = t.partition AND s.source = t.source AND t.n > 0) \
         UPDATE _dbload.checkpoint c SET read = c.read - t.n, rejected = c.rejected - t.n \
           FROM (SELECT partition, sum(n)::int8 AS n FROM taken GROUP BY partition) t \
           WHERE c.run = {id} AND c.epoch = {epoch} AND c.partition = t.partition RETURNING c.partition, t.n"
    )
}
