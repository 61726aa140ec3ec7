//! The report: what a load came to. Its JSON form is a contract (docs/report.md): fields are added, never
//! changed.

use serde::Serialize;

use crate::account::Books;

/// Version of the JSON form.
pub const REPORT_VERSION: u32 = 1;

/// How often a record may have been applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Guarantee {
    /// Ledger and replayable sources.
    ExactlyOnce,
    /// A keyed upsert from what cannot be replayed exactly, or without ledger.
    EffectivelyOnce,
    /// An append of such.
    #[default]
    AtLeastOnce,
}

impl Guarantee {
    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ExactlyOnce => "exactly-once",
            Self::EffectivelyOnce => "effectively-once",
            Self::AtLeastOnce => "at-least-once",
        }
    }
}

/// What became of a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum SourceState {
    /// Read to its end, all of it committed.
    Complete,
    /// Not all of it yet.
    #[default]
    Unfinished,
    /// Failed for good; set aside with its resume point.
    Failed,
    /// Appended by an earlier load, and left out.
    Skipped,
}

/// A source in the report.
#[derive(Debug, Clone, Default, Serialize)]
#[non_exhaustive]
pub struct SourceReport {
    /// Name of the source, as people know it, without secrets.
    pub name: String,
    /// Its size as stored, in bytes (what was read of it, for a pipe).
    pub bytes: u64,
    /// Records that are accounted for.
    pub read: u64,
    /// Records of it that were rejected, of those read.
    pub rejected: u64,
    /// Tries beyond the first.
    pub retries: u64,
    /// What became of it.
    pub state: SourceState,
    /// Why it failed, in one line; `None` if it did not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// It failed by damage, or was changed while it was read: what was read of it before may be wrong.
    #[serde(skip_serializing_if = "is_false")]
    pub doubtful: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
const fn is_false(flag: &bool) -> bool {
    !*flag
}

/// A column of the table.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct TableColumn {
    /// Its name.
    pub name: String,
    /// Its type as SQL text.
    pub type_name: String,
    /// NOT NULL.
    pub not_null: bool,
}

impl TableColumn {
    /// A column of this name.
    #[must_use]
    pub const fn new(name: String, type_name: String, not_null: bool) -> Self {
        Self { name, type_name, not_null }
    }
}

/// Rejects of one kind.
#[derive(Debug, Clone, Default, Serialize)]
#[non_exhaustive]
pub struct Reason {
    /// SQLSTATE of the rejects, five characters.
    pub sqlstate: String,
    /// Column, if one was to blame.
    pub column: Option<String>,
    /// Constraint, if one was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub constraint: Option<String>,
    /// How many records were rejected for it.
    pub count: u64,
    /// Place of the first: `file:line`.
    pub first: String,
    /// Type of the column. In the text report only.
    #[serde(skip)]
    pub type_name: Option<String>,
    /// Its reason. In the text report only: it may quote the record.
    #[serde(skip)]
    pub example: String,
}

/// The rejects of a run.
#[derive(Debug, Clone, Default, Serialize)]
#[non_exhaustive]
pub struct Rejects {
    /// The reject file, if there is one.
    pub file: Option<String>,
    /// It is a file of their own, which can be mended and loaded; no pipe or device. In the text report only.
    #[serde(skip)]
    pub is_file: bool,
    /// Bytes of its longest line. In the text report only.
    #[serde(skip)]
    pub longest_bytes: u64,
    /// What was wrong, the most frequent first.
    pub reasons: Vec<Reason>,
}

/// Requests and what they came to, of this process.
#[derive(Debug, Clone, Default, Serialize)]
#[non_exhaustive]
pub struct HttpReport {
    /// Requests that were sent, each try and each redirect.
    pub requests: u64,
    /// Tries after the first.
    pub retried: u64,
    /// Requests and bodies that were given up.
    pub failed: u64,
    /// Answers that said: not now (429, 503).
    pub refused: u64,
    /// Redirects that were followed.
    pub redirected: u64,
    /// Bodies that broke and went on where they had broken.
    pub mended: u64,
    /// Bytes of bodies as they came.
    pub bytes: u64,
    /// Answers that were read from the file into which they were fetched for several loads of a job file.
    #[serde(skip_serializing_if = "is_zero")]
    pub shared: u64,
    /// Seconds that requests waited for limits and after failures; of all requests, so it may exceed the time
    /// that passed.
    pub waited_seconds: f64,
}

/// The pool and its work, of this process.
#[derive(Debug, Clone, Default, Serialize)]
#[non_exhaustive]
pub struct PoolReport {
    /// Connections of the pool, the most at once.
    pub size: usize,
    /// Batches that were committed, one transaction each.
    pub batches: u64,
    /// Of them, straight into the table: their rows were all new, but for repeated keys.
    pub direct: u64,
    /// Of them, tried that way and refused by the table: they went by staging.
    pub direct_refused: u64,
    /// Of them, those of which rows went record by record.
    pub careful: u64,
    /// Tries beyond the first.
    pub retries: u64,
}

/// Where the time went, in seconds, of this process.
#[derive(Debug, Clone, Copy, Default, Serialize)]
#[non_exhaustive]
pub struct Seconds {
    /// Wall clock: nothing to decode, since bytes of a source had not come.
    pub waiting_for_source: f64,
    /// Of that, at most: while a request waited for a limit of its server, or for `--rate`.
    pub waiting_for_limit: f64,
    /// Decompressing and finding records, by the one loop that reads.
    pub reading: f64,
    /// CPU time of the threads that decode, map and make COPY text.
    pub decoding: f64,
    /// Wall clock: nowhere to put the next batch, or nothing left to do, since writers were busy.
    pub waiting_for_writer: f64,
    /// Sending to staging or into the table, summed over all connections.
    pub copying: f64,
    /// Merging into the table, likewise.
    pub merging: f64,
    /// Keeping rejects, moving the checkpoint, committing, likewise.
    pub committing: f64,
    /// Wall clock from the first byte to the last commit.
    pub pipeline: f64,
}

/// What a faster load would need more of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Bottleneck {
    /// The sources: bytes came too slowly.
    Source,
    /// A limit on requests: the servers', or one that was given.
    Limit,
    /// This program: neither source nor server kept it waiting.
    Loader,
    /// The server, or the way to it.
    Server,
}

impl Bottleneck {
    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Limit => "limit",
            Self::Loader => "loader",
            Self::Server => "server",
        }
    }
}

impl Seconds {
    /// Shares of the pipeline's wall clock, from 0 to 1: waiting for sources, its own, waiting for the
    /// server.
    #[must_use]
    pub fn shares(&self) -> [(Bottleneck, f64); 3] {
        let share = |seconds: f64| (seconds / self.pipeline).clamp(0.0, 1.0);
        let (source, server) = (share(self.waiting_for_source), share(self.waiting_for_writer));
        let loader = (1.0 - source - server).max(0.0);
        [(Bottleneck::Source, source), (Bottleneck::Loader, loader), (Bottleneck::Server, server)]
    }

    /// The largest share; none where nothing was done. Waiting for sources is waiting for a limit where that
    /// is most of it.
    #[must_use]
    pub fn bottleneck(&self) -> Option<Bottleneck> {
        if self.pipeline <= 0.0 {
            return None;
        }
        let largest = self.shares().into_iter().max_by(|a, b| a.1.total_cmp(&b.1)).map(|(which, _)| which);
        match largest {
            Some(Bottleneck::Source) if self.waiting_for_limit > self.waiting_for_source / 2.0 => {
                Some(Bottleneck::Limit)
            }
            largest => largest,
        }
    }
}

/// Values that their columns hold as others than their texts said.
#[derive(Debug, Clone, Default, Serialize)]
#[non_exhaustive]
pub struct Narrowed {
    /// Values that were narrowed.
    pub values: u64,
    /// Place of the first: `file:line`.
    pub first: String,
    /// Column of the first of them.
    pub column: String,
}

/// What a load came to. `rows`, `sources` and `rejects` speak of the run from its first start, the rest of
/// this process.
#[derive(Debug, Clone, Default, Serialize)]
#[non_exhaustive]
pub struct Report {
    /// Version of this form.
    pub version: u32,
    /// The run; empty without a ledger.
    pub run: String,
    /// `schema.table`.
    pub table: String,
    /// The same, quoted as SQL has it. In the text report only.
    #[serde(skip)]
    pub table_sql: String,
    /// The columns of the table. For other programs than those that read this form.
    #[serde(skip)]
    pub columns: Vec<TableColumn>,
    /// `host:port/name`.
    pub database: String,
    /// Mode: `upsert`, `append`, `update` or `ignore`.
    pub mode: &'static str,
    /// How often a record may have been applied.
    pub guarantee: Guarantee,
    /// Every source was read to its end and all of it is committed.
    pub complete: bool,
    /// Starts of this run.
    pub attempts: u32,
    /// Counts of records, by what became of them.
    pub rows: Books,
    /// Rows that were in the table and in no source, and were deleted, where the mode is about them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub removed: Option<u64>,
    /// The sources, in the order given.
    pub sources: Vec<SourceReport>,
    /// Rejected records, counted by reason, and where they are kept.
    pub rejects: Rejects,
    /// Fields left out under `--extra ignore`, counted by this process.
    #[serde(skip_serializing_if = "is_zero")]
    pub ignored_fields: u64,
    /// Values that were narrowed where `--narrowing` allows it, counted by this process.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub narrowed: Option<Narrowed>,
    /// Requests of this process, where a source is from the network.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http: Option<HttpReport>,
    /// The pool of connections, and what it has done.
    pub pool: PoolReport,
    /// Where the time went.
    pub seconds: Seconds,
    /// What stood in the way of a faster load; none where the pipeline did not come to an end.
    pub bottleneck: Option<Bottleneck>,
    /// Wall-clock time of this process.
    pub elapsed_seconds: f64,
    /// Records accounted for by this process, a second.
    pub rows_per_second: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
const fn is_zero(n: &u64) -> bool {
    *n == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bottleneck_is_what_the_pipeline_waited_for_most_or_else_itself() {
        let check = |waiting_for_source, waiting_for_writer, expected| {
            let seconds =
                Seconds { waiting_for_source, waiting_for_writer, pipeline: 10.0, ..Seconds::default() };
            assert_eq!(seconds.bottleneck(), Some(expected), "{seconds:?}");
            let sum: f64 = seconds.shares().iter().map(|(_, share)| share).sum();
            assert!((sum - 1.0).abs() < 1e-9, "{seconds:?}");
        };
        check(9.0, 0.5, Bottleneck::Source);
        check(0.5, 9.0, Bottleneck::Server);
        check(0.0, 0.0, Bottleneck::Loader);
        check(3.0, 3.0, Bottleneck::Loader);
        check(4.5, 2.0, Bottleneck::Source);
        check(2.0, 4.5, Bottleneck::Server);
        let limited = |waiting_for_limit| Seconds {
            waiting_for_source: 9.0,
            waiting_for_limit,
            pipeline: 10.0,
            ..Seconds::default()
        };
        assert_eq!(limited(8.0).bottleneck(), Some(Bottleneck::Limit));
        assert_eq!(limited(4.0).bottleneck(), Some(Bottleneck::Source));
        assert_eq!(Seconds::default().bottleneck(), None);
    }
}
