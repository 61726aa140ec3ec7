//! The fence: what a batch says to the ledger in its own transaction. It is the batch's last word before
//! COMMIT, and raises where the batch is not the next one of its partition, or not this owner's.

use crate::account::{Books, SourceBooks};
use crate::pg::literal;
use crate::record::{Digest, Position};

/// The setting that a batch's transaction begins with, and that is gone with it.
pub const EPOCH_SETTING: &str = "dbload.epoch";

/// The epoch as this transaction was begun with. In another transaction it is NULL, and the fence raises: a
/// checkpoint cannot move where the rows before it were rolled back behind our back.
const EPOCH_OF_TRANSACTION: &str = "CASE WHEN pg_catalog.current_setting('dbload.epoch', true) OPERATOR(pg_catalog.<>) '' \
     THEN pg_catalog.current_setting('dbload.epoch', true)::pg_catalog.int8 END";

/// The run that batches are committed under.
#[derive(Debug, Clone)]
pub struct LedgerRef {
    /// The id of the run.
    pub run: String,
    /// The epoch of this owner.
    pub epoch: u64,
}

/// A checkpoint's next step.
#[derive(Debug)]
pub struct Advance<'a> {
    /// The partition that the checkpoint is for.
    pub partition: u32,
    /// Where it must stand.
    pub before: &'a Position,
    /// Where it stands then.
    pub after: &'a Position,
    /// The partition is at its end.
    pub done: bool,
    /// What the batch came to.
    pub books: &'a Books,
    /// The number of inserted rows, as an expression.
    pub inserted: &'a str,
    /// The batch went record by record.
    pub careful: bool,
    /// Its books by source.
    pub sources: &'a [(u32, SourceBooks)],
    /// What a resume can compare the sources with.
    pub digest: Option<Digest>,
    /// How a resume finds the place again in a source from the network.
    pub page: Option<&'a str>,
}

impl LedgerRef {
    /// The statement that moves a checkpoint, or raises.
    #[must_use]
    pub fn advance(&self, to: &Advance<'_>) -> String {
        let books = to.books;
        let sources: Vec<String> =
            to.sources.iter().map(|(source, b)| format!("{source},{},{}", b.read, b.rejected)).collect();
        let digest = to
            .digest
            .map_or("NULL".to_owned(), |d| format!("ARRAY['{}','{}','{:016x}']", d.from, d.to, d.hash));
        let page = to.page.map_or("NULL".to_owned(), literal);
        format!(
            "SELECT _dbload.advance({}, {}, {EPOCH_OF_TRANSACTION}, ARRAY[{}], ARRAY[{},{}], {}, \
             ARRAY[{},{},{},{},{},{},{},{},{}]::bigint[], ARRAY[{}]::bigint[], {digest}, {page})",
            literal(&self.run),
            to.partition,
            place(to.before),
            place(to.after),
            to.after.line,
            to.done,
            books.read,
            to.inserted,
            books.updated,
            books.unchanged,
            books.deduplicated,
            books.skipped,
            books.rejected,
            u8::from(to.careful),
            books.deleted,
            sources.join(","),
        )
    }

    /// The question for the time of the run's first start, in UTC.
    #[must_use]
    pub fn begun_at_query(&self) -> String {
        format!("{} FROM _dbload.run r WHERE r.run = {}", begun_at("r.started_at"), literal(&self.run))
    }

    /// The statement that keeps the number of the subtransaction that it stands in, as one that has written
    /// rows for a partition: the last one.
    #[must_use]
    pub fn bear_witness(&self, partition: u32) -> String {
        format!(
            "INSERT INTO _dbload.witness (run, partition) VALUES ({}, {partition}) \
             ON CONFLICT (run, partition) DO UPDATE SET run = EXCLUDED.run",
            literal(&self.run)
        )
    }

    /// The question for the checkpoint of a partition, once nobody holds it: epoch, source, offset and
    /// record, the books, what was deleted last, whether it is done.
    #[must_use]
    pub fn checkpoint_query(&self, partition: u32) -> String {
        format!(
            "SELECT epoch, source, byte_offset, record, read, inserted, updated, unchanged, deduplicated, skipped, rejected, deleted, done \
             FROM _dbload.checkpoint WHERE run = {} AND partition = {partition} FOR UPDATE",
            literal(&self.run)
        )
    }
}

/// The question for a time, in UTC, to the microsecond.
#[must_use]
pub fn begun_at(time: &str) -> String {
    format!("SELECT pg_catalog.to_char({time} AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US')")
}

fn place(at: &Position) -> String {
    format!("{}::bigint,{},{}", at.source, at.offset, at.record)
}
