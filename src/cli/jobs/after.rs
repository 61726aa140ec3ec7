//! Behind a run: metrics are written, and who wants to hear of it is told.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use dbload::Engine;
use dbload::internals::load::stored_marks;
use dbload::internals::pg::ConnInfo;
use dbload::internals::schedule::LoadState;

use super::file::{JobFile, ToldKeys};
use super::hooks::{self, StoppedAt};
use super::line::{JobEnd, document};
use super::metrics::{LoadFacts, MetricsFile};
use super::open::NotReady;
use crate::cli::exit;
use crate::cli::progress::Progress;

/// The ledger says where watermarks are, if it can in this time.
const MARKS_LIMIT: Duration = Duration::from_secs(2);

/// What all loads came to.
pub(super) struct RunEnd {
    pub(super) code: u8,
    /// Whoever reads stdout has got it all.
    pub(super) printed: bool,
    /// All of it was left to other processes.
    pub(super) was_left: bool,
    /// Stopped from outside: there is no time left to ask for anything.
    pub(super) was_stopped: bool,
    pub(super) elapsed: Duration,
    pub(super) ended: BTreeMap<String, LoadState>,
    /// The lines of JSON of the loads.
    pub(super) lines: Vec<serde_json::Value>,
    pub(super) facts: BTreeMap<String, LoadFacts>,
    pub(super) engine: Engine,
    pub(super) dsn: ConnInfo,
}

/// What is to be done behind a run.
pub(super) struct AfterRun {
    job: String,
    loads: BTreeSet<String>,
    told: ToldKeys,
}

impl AfterRun {
    /// As the file has it.
    pub(super) fn of(file: &JobFile) -> Self {
        let loads = file.loads.iter().map(|load| load.name.clone()).collect();
        Self { job: file.name.clone(), loads, told: file.told.clone() }
    }

    /// Metrics go there, whatever the file says.
    pub(super) fn write_metrics_to(&mut self, said: Option<PathBuf>) {
        if said.is_some() {
            self.told.metrics.metrics_file = said;
        }
    }

    /// Not one load could be begun.
    pub(super) async fn tell_not_begun(&self, why: &NotReady, stopped: StoppedAt, progress: &Progress) {
        let end = JobEnd {
            job: &self.job,
            ends: &BTreeMap::new(),
            lines: &[],
            error: Some(&why.why),
            code: why.code,
            elapsed: Duration::ZERO,
        };
        hooks::call("on_failure", &self.told.on_failure, &document(&end), stopped, progress).await;
    }

    /// All have ended.
    pub(super) async fn tell(&self, run: &RunEnd, stopped: StoppedAt, progress: &Progress) {
        self.write_metrics(run, progress).await;
        // Who has left everything to others, or had nothing to do, has nothing to say.
        if run.was_left || run.ended.is_empty() {
            return;
        }
        let end = JobEnd {
            job: &self.job,
            ends: &run.ended,
            lines: &run.lines,
            error: None,
            code: run.code,
            elapsed: run.elapsed,
        };
        let ToldKeys { on_failure, on_success, .. } = &self.told;
        match run.code {
            exit::COMPLETE => hooks::call("on_success", on_success, &document(&end), stopped, progress).await,
            _ => hooks::call("on_failure", on_failure, &document(&end), stopped, progress).await,
        }
    }

    async fn write_metrics(&self, run: &RunEnd, progress: &Progress) {
        let Some(path) = &self.told.metrics.metrics_file else { return };
        let marks = async {
            let marks = stored_marks(&run.engine, &run.dsn, &self.job);
            let marks = tokio::time::timeout(MARKS_LIMIT, marks).await.ok()?;
            marks.ok()
        };
        let marks = if run.was_stopped { None } else { marks.await }.unwrap_or_default();
        let elapsed = run.elapsed;
        let file = MetricsFile {
            path,
            job: &self.job,
            elapsed,
            loads: &self.loads,
            facts: &run.facts,
            marks: &marks,
        };
        if let Err(error) = file.write() {
            progress.say(&format!("metrics_file: {}: {error}", path.display()));
        }
    }
}
