//! The ledger as an auditor sees it: sums and states asked of `_dbload`, not of the program.

use super::{Database, Rows};

/// Fails the test unless every run is complete and its books balance, and returns the books of the last one.
#[track_caller]
pub fn audit(db: &Database) -> Rows {
    let wrong = db.lines(
        "SELECT r.run, r.state, r.epoch, c.* FROM _dbload.run r, LATERAL ( \
           SELECT count(*) AS partitions, bool_and(done) AS done, bool_and(c.epoch = r.epoch) AS epochs, \
             sum(read) AS read, sum(inserted + updated + unchanged + deleted + deduplicated + skipped + rejected) AS fates, \
             sum(rejected) AS rejected FROM _dbload.checkpoint c WHERE c.run = r.run) c, LATERAL ( \
           SELECT coalesce(sum(read), 0) AS read, coalesce(sum(rejected), 0) AS rejected \
             FROM _dbload.source_count s WHERE s.run = r.run) s \
         WHERE r.state <> 'complete' OR r.finished_at IS NULL OR c.partitions <> r.partitions OR NOT c.done \
            OR NOT c.epochs OR c.read <> c.fates OR c.read <> s.read OR c.rejected <> s.rejected \
            OR c.rejected <> (SELECT count(*) FROM _dbload.reject j WHERE j.run = r.run)",
    );
    assert!(wrong.is_empty(), "the ledger is not in order: {wrong:?}");
    let sums = db.rows(
        "SELECT sum(read), sum(inserted), sum(updated), sum(unchanged), sum(deduplicated), sum(skipped), sum(rejected), sum(deleted) \
         FROM _dbload.checkpoint WHERE run = (SELECT run FROM _dbload.run ORDER BY started_at DESC LIMIT 1)",
    );
    let n = |i: usize| sums[0][i].as_ref().unwrap().parse().unwrap();
    Rows {
        read: n(0),
        inserted: n(1),
        updated: n(2),
        unchanged: n(3),
        deduplicated: n(4),
        skipped: n(5),
        rejected: n(6),
        deleted: n(7),
    }
}
