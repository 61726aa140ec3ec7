//! A load from its description to its report: prepare, run the pipeline, close the books.
//!
//! The wiring. Here the rooms meet; none of the work is done here. An attempt that finds that the server has
//! lost acknowledged commits, or that the table is not what was planned for, begins anew from the
//! checkpoints, as a new start of the same command would.

mod appended;
mod asked;
mod attempts;
mod changed;
mod close;
mod columns;
mod contents;
mod databases;
mod describe;
mod each_rows;
mod emptiness;
mod evolve;
mod foresee;
mod history;
mod made;
mod marks;
mod once;
mod outcome;
mod overtaken;
mod policies;
mod preflight;
mod prepare;
mod put;
mod record_run;
#[cfg(feature = "cli")]
mod references;
mod reject_file;
mod remove;
mod resume;
mod retry;
mod sequences;
mod settings;
mod share;
mod slots;
mod start;
mod start_retry;
mod stored;
mod summary;
mod unfinished;
mod verify;

use std::sync::Mutex;
use std::time::Instant;

use tokio_util::sync::CancellationToken;

use crate::engine::Engine;
use crate::event::Listener;
use crate::job::Job;
use crate::pipeline;
use crate::prepared::{Act, LoadError, Prepared, Unledgered};
use crate::write::WriteError;

use once::Earlier;
use outcome::Watch;
use preflight::LoadRequest;
use share::enter;
use start_retry::prepare;

pub use databases::{name_databases, source_databases};
pub use describe::LoadPlan;
pub use history::{note_end, prune_history, stored_run, stored_runs, stored_shares, stored_standings};
pub use marks::{set_mark, stored_marks, stored_windows};
pub use outcome::{Ended, Outcome};
#[cfg(feature = "cli")]
pub use references::table_references;
pub use settings::identity_of_job;
pub use verify::{Example, FailedSource, Verification, verify};

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
    let request = LoadRequest { share: &share, job, act: Act::Plan, earlier: &earlier, listener };
    tokio::select! {
        prepared = Box::pin(prepare(request)) => Ok(prepared?.load_plan(job)),
        () = stop.cancelled() => Err(LoadError::Stopped),
    }
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
        let request = LoadRequest { share: &share, job, act: Act::Load, earlier: &earlier, listener };
        let prepared = tokio::select! {
            prepared = prepare(request) => prepared,
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
        if let Ok(ended) = &mut ran
            && !ended.wanted.is_empty()
        {
            let wanted = std::mem::take(&mut ended.wanted);
            match Box::pin(evolve::add_late(job, &prepared, &wanted, listener)).await {
                Ok(()) => {
                    // Each time the table has a column more, and it can have so many.
                    attempt -= 1;
                    continue;
                }
                Err(error) => ran = Err(error),
            }
        }
        let completed = match &mut ran {
            Ok(ran) => close::complete_run(job, &prepared, ran, &watch).await,
            Err(_) => Ok(()),
        };
        let failure = ran.as_ref().err().or(completed.as_ref().err());
        let begins_anew = failure.is_some_and(|error| begins_anew(error, &prepared));
        if let Some(LoadError::Write(WriteError::Changed(error))) = failure {
            change = Some(error.to_string());
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
