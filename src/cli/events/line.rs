//! A line of the record, as it is written and as it is read: the closed set of kinds.

use std::time::Duration;

use dbload::internals::account::Books;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Version of the form; readers pass over lines of others.
pub(crate) const VERSION: u32 = 1;

/// An event.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct EventLine {
    /// Version of the form.
    pub(crate) v: u32,
    /// Seconds since the start of the attempt, by a clock that only goes on.
    pub(crate) t: f64,
    /// The run; none without a ledger, and where there was none yet.
    pub(crate) run: Option<String>,
    /// Which start of the run.
    pub(crate) attempt: u32,
    /// The process.
    pub(crate) pid: u32,
    /// The load of a job file, as JOB/LOAD.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) load: Option<String>,
    #[serde(flatten)]
    pub(crate) what: What,
}

/// What happened.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum What {
    Plan(Box<PlanLine>),
    Resumed { records: u64 },
    TableCreated,
    SourceSkipped { name: String },
    SourceOpened { name: String },
    SourceEnded { name: String, records: u64, seconds: f64 },
    SourceFailed { name: String },
    Requests { sent: u64, retried: u64, failed: u64, waited: f64 },
    Block(BlockLine),
    Batch(Box<BatchLine>),
    Rejected(RejectedLine),
    Held { partition: Option<u32>, sqlstate: Option<String>, relief: Option<String> },
    GoesOn { partition: Option<u32> },
    Halved { partition: u32, records: u64 },
    Stop,
    Sample(SampleLine),
    End(Box<EndLine>),
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct PlanLine {
    /// When the attempt began, by the clock of the machine.
    pub(crate) began_at: String,
    pub(crate) version: String,
    pub(crate) database: String,
    pub(crate) server: String,
    pub(crate) table: String,
    pub(crate) mode: String,
    pub(crate) key: Vec<String>,
    pub(crate) partitions: u32,
    pub(crate) one_partition: Option<String>,
    pub(crate) guarantee: String,
    pub(crate) connections: u64,
    pub(crate) batch_rows: u64,
    pub(crate) batch_bytes: u64,
    pub(crate) records_before: u64,
    pub(crate) sources: Vec<String>,
    pub(crate) sources_all: u64,
    pub(crate) bytes: Option<u64>,
    pub(crate) cores: u64,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct BlockLine {
    pub(crate) source: u32,
    pub(crate) records: u64,
    pub(crate) bytes: u64,
    pub(crate) read: [f64; 2],
    pub(crate) reading: f64,
    pub(crate) decoded: [f64; 2],
    pub(crate) decoding: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum WayName {
    Direct,
    Merged,
    Careful,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct BatchLine {
    pub(crate) partition: u32,
    pub(crate) began: f64,
    pub(crate) ended: f64,
    pub(crate) copied: f64,
    pub(crate) merged: f64,
    pub(crate) committed: f64,
    pub(crate) bytes: u64,
    pub(crate) way: WayName,
    pub(crate) refused: bool,
    pub(crate) retries: u32,
    pub(crate) rows: Books,
}

impl BatchLine {
    /// Of its time, what was neither sending nor merging nor committing.
    pub(crate) fn waited(&self) -> f64 {
        (self.ended - self.began - self.copied - self.merged - self.committed).max(0.0)
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct RejectedLine {
    pub(crate) sqlstate: String,
    pub(crate) column: Option<String>,
    pub(crate) constraint: Option<String>,
    pub(crate) count: u64,
    pub(crate) source: u32,
    pub(crate) name: String,
    pub(crate) line: u64,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct SampleLine {
    pub(crate) read: u64,
    pub(crate) rejected: u64,
    pub(crate) bytes: u64,
    pub(crate) resident_bytes: Option<u64>,
    pub(crate) cpu: f64,
    pub(crate) connections: u64,
    pub(crate) busy: u64,
    pub(crate) blocks_waiting: u64,
    pub(crate) batches_waiting: u64,
    pub(crate) requests: Option<u64>,
    /// Those that are waited for right now.
    #[serde(default)]
    pub(crate) in_flight: Option<u64>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct EndLine {
    pub(crate) began_at: String,
    /// The class of the exit code, by name.
    pub(crate) outcome: String,
    pub(crate) code: u8,
    /// Of the error that ended it, if a server gave it.
    pub(crate) sqlstate: Option<String>,
    pub(crate) cpu: f64,
    /// The report, as `--json` prints it, without words of servers; no more than a thousand sources.
    pub(crate) report: Option<Value>,
}

/// Seconds, to the microsecond.
pub(super) fn seconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e6).round() / 1e6
}
