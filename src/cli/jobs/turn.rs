//! The turn of one load: its starts, its limits, and what became of it.

use std::time::{Duration, Instant};

use dbload::Engine;
use dbload::internals::event::{Event, Totals};
use dbload::internals::exit::ExitClass;
use dbload::internals::job::{Job, NamedLoad};
use dbload::internals::ledger::LedgerError;
use dbload::internals::load::{Ended, Outcome, load};
use dbload::internals::prepared::LoadError;
use dbload::internals::schedule::{LoadState, gravest};
use dbload::internals::write::WriteError;
use tokio_util::sync::CancellationToken;

use super::keys::{IfRunning, OnRejects};
use super::peaks::{LoadPeaks, PeakWatch};
use crate::cli::args::LoadArgs;
use crate::cli::lineage::{LineageJob, NominalTime};
use crate::cli::progress::Progress;
use crate::cli::watch::Watchers;

/// Beyond the four seconds that a load takes to stop.
const STOP_LIMIT: Duration = Duration::from_secs(6);

/// The pause before a further start; it doubles.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// A load, and how it is to be run.
pub(super) struct Turn {
    pub(super) name: String,
    /// The asset of Dagster that it is, where that asks for it.
    pub(super) asset: Option<String>,
    /// What there is to do: all of it, or window by window.
    pub(super) parts: Vec<TurnPart>,
    /// Windows that are due as well, and left to later runs.
    pub(super) left: usize,
    /// What is said before it begins.
    pub(super) notes: Vec<String>,
    /// It goes window by window.
    pub(super) has_windows: bool,
    /// A window that fails does not keep from those behind it.
    pub(super) goes_on: bool,
    /// What the jobs were made from, for hints.
    pub(super) args: LoadArgs,
    pub(super) after: Vec<String>,
    /// Loads whose tables this one's refers to: it waits for them, however they end.
    pub(super) behind: Vec<String>,
    pub(super) timeout: Option<Duration>,
    pub(super) retries: u32,
    pub(super) on_rejects: OnRejects,
    pub(super) if_running: IfRunning,
    pub(super) freshness: FreshnessLimits,
    pub(super) progress: Progress,
    /// Who hears of it beside people.
    pub(super) watchers: Watchers,
}

/// When status warns, and when it fails.
#[derive(Debug, Clone, Copy)]
pub(super) struct FreshnessLimits {
    pub(super) warn_after: Option<Duration>,
    pub(super) error_after: Option<Duration>,
}

/// One run of a turn.
pub(super) struct TurnPart {
    /// The window, for people.
    pub(super) window: Option<String>,
    pub(super) job: Job,
    /// What servers are asked for, and how.
    pub(super) asking: String,
}

/// What became of a turn.
pub(super) struct TurnEnd {
    pub(super) state: LoadState,
    /// What it counts as in the exit code of all.
    pub(super) class: ExitClass,
    /// Why it was not begun.
    pub(super) why: Option<String>,
    pub(super) parts: Vec<PartEnd>,
    /// Windows that are due and were not loaded.
    pub(super) left: usize,
    pub(super) elapsed: Duration,
}

/// What became of one run of it.
pub(super) struct PartEnd {
    pub(super) window: Option<String>,
    pub(super) state: LoadState,
    pub(super) class: ExitClass,
    pub(super) outcome: Option<Outcome>,
    /// Why it ended, where the outcome does not say.
    pub(super) why: Option<String>,
    pub(super) starts: u32,
    pub(super) peaks: LoadPeaks,
    /// Another process has taken it over: this one begins nothing any more.
    pub(super) is_taken_over: bool,
}

impl TurnEnd {
    /// A load that was not begun.
    pub(super) fn unbegun(state: LoadState, why: String) -> Self {
        Self {
            state,
            class: ExitClass::Complete,
            why: Some(why),
            parts: Vec::new(),
            left: 0,
            elapsed: Duration::ZERO,
        }
    }

    /// Another process has taken one of its runs over.
    pub(super) fn is_taken_over(&self) -> bool {
        self.parts.iter().any(|part| part.is_taken_over)
    }
}

impl Turn {
    /// What happens to it is told to them.
    pub(super) fn watch(&mut self, watchers: &Watchers) {
        self.watchers = watchers.clone();
        self.parts.iter_mut().for_each(|part| part.job.is_recorded = watchers.want_batches());
    }

    /// Runs it.
    pub(super) async fn take(&self, engine: &Engine, stop: &CancellationToken) -> TurnEnd {
        let began = Instant::now();
        let deadline = self.timeout.map(|timeout| began + timeout);
        let mut parts: Vec<PartEnd> = Vec::new();
        for part in &self.parts {
            let end = self.run_part(part, engine, stop, deadline).await;
            let is_last =
                stop.is_cancelled() || end.is_taken_over || deadline.is_some_and(|at| at <= Instant::now());
            let is_good = end.state.is_good();
            parts.push(end);
            if is_last || (!is_good && !self.goes_on) {
                break;
            }
        }
        let first_bad = parts.iter().map(|part| part.state).find(|state| !state.is_good());
        let has = |state: LoadState| parts.iter().any(|part| part.state == state);
        let state = match first_bad {
            Some(bad) => bad,
            None if has(LoadState::Rejected) => LoadState::Rejected,
            None if has(LoadState::Complete) => LoadState::Complete,
            None => LoadState::NothingNew,
        };
        TurnEnd {
            state,
            class: gravest(parts.iter().map(|part| part.class)),
            why: None,
            left: if self.has_windows {
                self.left + self.parts.len() - parts.iter().filter(|part| part.state.is_good()).count()
            } else {
                0
            },
            parts,
            elapsed: began.elapsed(),
        }
    }

    async fn run_part(
        &self,
        part: &TurnPart,
        engine: &Engine,
        stop: &CancellationToken,
        deadline: Option<Instant>,
    ) -> PartEnd {
        let mut starts = 0;
        let mut peaks = LoadPeaks::default();
        let mut pause = FIRST_PAUSE;
        loop {
            starts += 1;
            let mut end = self.start(part, engine, stop, deadline).await;
            end.starts = starts;
            peaks.add(&end.peaks);
            end.peaks = peaks;
            let is_worth_it = matches!(end.class, ExitClass::Source | ExitClass::Database);
            if starts > self.retries || !is_worth_it || means_once(&part.job) || end.why.is_some() {
                return end;
            }
            self.progress.say(&format!("start {starts} failed; the next one follows in {pause:?}"));
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = stop.cancelled() => return end,
                () = at(deadline) => return end,
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    async fn start(
        &self,
        part: &TurnPart,
        engine: &Engine,
        stop: &CancellationToken,
        deadline: Option<Instant>,
    ) -> PartEnd {
        let own = stop.child_token();
        let watch = part.job.named.as_ref().map(|named| self.watchers.begin(&lineage_job(named)));
        let peaks = PeakWatch::default();
        let listener = |event: &Event, totals: &Totals| {
            peaks.on(event, totals);
            self.progress.on(event, totals);
            if let Some(watch) = &watch {
                watch.on(event, totals);
            }
        };
        let mut loading = Box::pin(load(Some(engine), &part.job, &listener, &own));
        let outcome = tokio::select! {
            outcome = &mut loading => Some(outcome),
            () = at(deadline) => {
                own.cancel();
                tokio::time::timeout(STOP_LIMIT, loading).await.ok()
            }
        };
        let is_late = own.is_cancelled() && !stop.is_cancelled();
        let class = outcome.as_ref().map_or(ExitClass::Interrupted, Outcome::exit_class);
        if let Some(watch) = &watch {
            watch.end(outcome.as_ref(), class.code());
        }
        let window = part.window.clone();
        let mut end = PartEnd {
            window,
            state: LoadState::Failed,
            class,
            outcome,
            why: None,
            starts: 0,
            peaks: peaks.peaks(),
            is_taken_over: false,
        };
        if is_late && class == ExitClass::Interrupted {
            let timeout = humantime::format_duration(self.timeout.unwrap_or_default());
            end.why = Some(format!("not at its end after {timeout} (timeout); the next start goes on"));
            end.class = if self.progress.waits() { ExitClass::Database } else { ExitClass::Source };
            return end;
        }
        self.judge(&mut end);
        end
    }

    /// The state of an outcome, and what it counts as.
    fn judge(&self, end: &mut PartEnd) {
        let Some(outcome) = &end.outcome else { return };
        let read = outcome.report.as_ref().map_or(0, |report| report.rows.read);
        end.state = match (&outcome.ended, end.class) {
            (Ended::Complete, ExitClass::Rejects) => {
                if self.on_rejects == OnRejects::Warn {
                    end.class = ExitClass::Complete;
                }
                LoadState::Rejected
            }
            (Ended::Complete, _) if read == 0 => LoadState::NothingNew,
            (Ended::Complete, _) => LoadState::Complete,
            (Ended::Interrupted, _) => LoadState::Interrupted,
            (Ended::Failed(LoadError::Ledger(LedgerError::Running { .. })), _) => {
                if self.if_running == IfRunning::Skip {
                    end.class = ExitClass::Complete;
                }
                LoadState::RunningElsewhere
            }
            (Ended::Failed(LoadError::Ledger(LedgerError::CompletedMeanwhile { .. })), _) => {
                end.class = ExitClass::Complete;
                LoadState::NothingNew
            }
            (Ended::Failed(error), _) => {
                end.is_taken_over = is_taken_over(error);
                LoadState::Failed
            }
            (Ended::SourceFailed | Ended::OverBudget, _) => LoadState::Failed,
        };
    }
}

/// What it is called where others hear of it.
fn lineage_job(named: &NamedLoad) -> LineageJob {
    let nominal = named
        .window
        .as_ref()
        .map(|window| NominalTime { starts_at: window.starts_at.clone(), ends_at: window.ends_at.clone() });
    LineageJob::Named { job: named.job.clone(), load: named.load.clone(), nominal }
}

/// Flags that are about the start that they were given to: a further one would give up what it has done.
const fn means_once(job: &Job) -> bool {
    job.runs.restart || job.runs.take_over || job.runs.again
}

fn is_taken_over(error: &LoadError) -> bool {
    match error {
        LoadError::Write(WriteError::Fenced) | LoadError::Ledger(LedgerError::Fenced) => true,
        LoadError::Ledger(LedgerError::NotResumed { why, .. }) => matches!(**why, LedgerError::Fenced),
        _ => false,
    }
}

/// Comes at that time; without one never.
async fn at(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
        None => std::future::pending().await,
    }
}
