//! A load from its description to its report: prepare, run the pipeline, close the books.
//!
//! The wiring. Here the rooms meet; none of the work is done here. An attempt that finds that the server has
//! lost acknowledged commits, or that the table is not what was planned for, begins anew from the
//! checkpoints, as a new start of the same command would.

mod act;
mod appended;
mod changed;
mod close;
mod describe;
mod error;
mod look;
mod once;
mod prepare;
mod race;
mod record;
mod reject_file;
mod resume;
mod sequences;
mod settings;
mod stored;
mod unfinished;
mod unledgered;
mod verify;

use std::sync::Mutex;
use std::time::Instant;

use tokio_util::sync::CancellationToken;

use crate::engine::{Engine, Share};
use crate::event::Listener;
use crate::job::Job;
use crate::pipeline;
use crate::report::Report;
use crate::write::WriteError;

use once::Earlier;
use race::prepare;

pub(crate) use act::Act;
pub use describe::LoadPlan;
pub use error::LoadError;
pub use prepare::{Prepared, RunInHand};
pub(crate) use unledgered::{Told, Unledgered};
pub use verify::{Example, FailedSource, Verification, verify};

/// How a load ended.
#[derive(Debug)]
pub enum Ended {
    /// All sources read, everything committed or rejected.
    Complete,
    /// Sources failed for good; the rest is committed.
    SourceFailed,
    /// More rejects than allowed; resumable.
    OverBudget,
    /// Stopped from outside; resumable.
    Interrupted,
    /// Something else failed; resumable where the error says nothing else.
    Failed(LoadError),
}

/// What a load came to.
#[derive(Debug)]
pub struct Outcome {
    /// How it ended.
    pub ended: Ended,
    /// The report, as far as the ledger could be asked.
    pub report: Option<Report>,
    /// What an append from a pipe has not stored: the pipe, and its first record that is not in the table (1-based).
    pub pipe_rest: Option<(String, u64)>,
    /// What was begun of it can be gone on with: the ledger has it, and its sources can be read again.
    pub may_resume: bool,
}

impl Outcome {
    /// It ended before anything of it was begun: the same load begins then.
    pub(crate) const fn before(ended: Ended) -> Self {
        Self { ended, report: None, pipe_rest: None, may_resume: true }
    }
}

/// Who watches a load: is told of waiting, may stop it, and asks how long it took.
struct Watch<'a> {
    listener: Listener<'a>,
    stop: &'a CancellationToken,
    began: Instant,
}

/// Attempts in one process after the server lost acknowledged commits, or the table was changed.
const ATTEMPTS_MAX: u32 = 8;

/// Makes the plan of a load and writes nothing: which columns, key, partitions and path.
///
/// # Errors
///
/// Whatever would keep the load from beginning, and [`LoadError::Stopped`].
pub async fn plan(
    engine: Option<&Engine>,
    job: &Job,
    listener: Listener<'_>,
    stop: &CancellationToken,
) -> Result<LoadPlan, LoadError> {
    let share = enter(engine, job);
    let earlier = Earlier::AsTold(&job.runs);
    tokio::select! {
        prepared = Box::pin(prepare(&share, job, (Act::Plan, &earlier), listener)) => Ok(prepared?.load_plan(job)),
        () = stop.cancelled() => Err(LoadError::Stopped),
    }
}

/// A load's share of an engine: of its own, if nobody gives it one.
fn enter(engine: Option<&Engine>, job: &Job) -> Share {
    engine.map_or_else(|| Engine::of(&job.resources).enter(), Engine::enter)
}

/// Loads: writes what the sources hold.
pub async fn load(
    engine: Option<&Engine>,
    job: &Job,
    listener: Listener<'_>,
    stop: &CancellationToken,
) -> Outcome {
    let began = Instant::now();
    let share = enter(engine, job);
    let mut attempt = 0;
    let mut change = None;
    let mut earlier = Earlier::AsTold(&job.runs);
    loop {
        attempt += 1;
        let prepared = tokio::select! {
            prepared = prepare(&share, job, (Act::Load, &earlier), listener) => prepared,
            () = stop.cancelled() => return Outcome::before(Ended::Interrupted),
        };
        let mut prepared = match prepared {
            Ok(prepared) => prepared,
            Err(error) => {
                return Outcome::before(Ended::Failed(earlier.explain(error).because_of(change)));
            }
        };
        earlier = earlier.after(&prepared);
        if prepared.run.is_none() {
            prepared.unledgered = Some(Mutex::new(Unledgered::new(
                reject_file::wanted(job, &prepared),
                reject_file::rights(&prepared),
            )));
        }
        let mut ran = Box::pin(pipeline::run(&share, job, &mut prepared, listener, stop)).await;
        let watch = Watch { listener, stop, began };
        let completed = match &mut ran {
            Ok(ran) => close::complete_run(job, &prepared, ran, &watch).await,
            Err(_) => Ok(()),
        };
        let failure = ran.as_ref().err().or(completed.as_ref().err());
        let begins_anew = failure.is_some_and(|error| begins_anew(error, &prepared));
        if let Some(LoadError::Write(WriteError::Changed(view))) = failure {
            change = Some(view.message.clone());
        }
        // A pipe cannot be read again: what it has lost stays lost, and the error says so.
        if !begins_anew || attempt >= ATTEMPTS_MAX || !prepared.is_replayable() {
            return close::close(job, prepared, ran, completed, &watch).await;
        }
    }
}

/// The server has lost commits that it acknowledged, or the table is not what was planned for: the
/// checkpoints say where to go on.
const fn begins_anew(error: &LoadError, prepared: &Prepared) -> bool {
    match error {
        LoadError::Write(WriteError::LostCommits) => true,
        LoadError::Write(WriteError::Changed(_)) => prepared.run.is_some(),
        _ => false,
    }
}
