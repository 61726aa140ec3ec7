//! The report: what a load came to. Its JSON form is a contract (docs/report.md): fields are added, never changed.

use serde::Serialize;

use crate::account::Books;

/// Version of the JSON form.
pub const REPORT_VERSION: u32 = 1;

/// How often a record may have been applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Guarantee {
    /// Ledger and replayable sources.
    ExactlyOnce,
    /// A keyed upsert from what cannot be replayed exactly, or without ledger.
    EffectivelyOnce,
    /// An append of such.
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum SourceState {
    /// Read to its end, all of it committed.
    Complete,
    /// Not all of it yet.
    Unfinished,
    /// Failed for good; set aside with its resume point.
    Failed,
    /// Appended by an earlier load, and left out.
    Skipped,
}

/// A source in the report.
#[derive(Debug, Clone, Serialize)]
pub struct SourceReport {
    /// Its name.
    pub name: String,
    /// Its size as stored, in bytes (what was read of it, for a pipe).
    pub bytes: u64,
    /// Records that are accounted for.
    pub read: u64,
    /// Of them, rejected.
    pub rejected: u64,
    /// Tries beyond the first.
    pub retries: u64,
    /// What became of it.
    pub state: SourceState,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// Rejects of one kind.
#[derive(Debug, Clone, Serialize)]
pub struct Reason {
    /// SQLSTATE.
    pub sqlstate: String,
    /// Column, if one was to blame.
    pub column: Option<String>,
    /// Constraint, if one was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub constraint: Option<String>,
    /// How many.
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
pub struct Rejects {
    /// The reject file, if there is one.
    pub file: Option<String>,
    /// What was wrong, the most frequent first.
    pub reasons: Vec<Reason>,
}

/// Requests and what they came to, of this process.
#[derive(Debug, Clone, Default, Serialize)]
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
    /// Seconds that requests waited for limits and after failures; of all requests, so it may exceed the time that passed.
    pub waited_seconds: f64,
}

/// The pool and its work, of this process.
#[derive(Debug, Clone, Default, Serialize)]
pub struct PoolReport {
    /// Connections.
    pub size: usize,
    /// Batches committed.
    pub batches: u64,
    /// Of them, straight into the table: their rows were all new.
    pub direct: u64,
    /// Of them, tried that way and refused by the table: they went by staging.
    pub direct_refused: u64,
    /// Of them, by the careful path.
    pub careful: u64,
    /// Tries beyond the first.
    pub retries: u64,
}

/// Where the time of the writers went, in seconds summed over all connections, of this process.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Seconds {
    /// Sending to staging.
    pub copying: f64,
    /// Merging into the table.
    pub merging: f64,
    /// Keeping rejects, moving the checkpoint, committing.
    pub committing: f64,
}

/// What a load came to. `rows`, `sources` and `rejects` speak of the run from its first start, the rest of this process.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// Version of this form.
    pub version: u32,
    /// The run; empty without a ledger.
    pub run: String,
    /// `schema.table`.
    pub table: String,
    /// `host:port/name`.
    pub database: String,
    /// Mode.
    pub mode: &'static str,
    /// How often a record may have been applied.
    pub guarantee: Guarantee,
    /// Every source was read to its end and all of it is committed.
    pub complete: bool,
    /// Starts of this run.
    pub attempts: u32,
    /// The books.
    pub rows: Books,
    /// The sources.
    pub sources: Vec<SourceReport>,
    /// The rejects.
    pub rejects: Rejects,
    /// Fields left out under `--extra ignore`, counted by this process.
    #[serde(skip_serializing_if = "is_zero")]
    pub ignored_fields: u64,
    /// Requests of this process, where a source is from the network.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http: Option<HttpReport>,
    /// The pool.
    pub pool: PoolReport,
    /// Where the writers' time went.
    pub seconds: Seconds,
    /// Wall-clock time of this process.
    pub elapsed_seconds: f64,
    /// Records accounted for by this process, a second.
    pub rows_per_second: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
const fn is_zero(n: &u64) -> bool {
    *n == 0
}
