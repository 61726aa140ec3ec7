//! The end of a load: complete the run, sum up what was committed, write the reject file, make the report.

use std::path::PathBuf;
use std::sync::PoisonError;
use std::time::Duration;

use futures::FutureExt as _;

use crate::fault::{self, Point};
use crate::job::Job;
use crate::ledger::{
    LedgerError, Standing, abandon, complete, keep_digests, note_failure, standing, sweep_beside,
};
use crate::pg::sqlstate::{is_transient, known_as};
use crate::pg::{DbError, Session};
use crate::pipeline::{PipelineEnd, Ran};
use crate::prepared::{LoadError, Lost, Prepared, RunInHand};
use crate::report::{Rejects, Report};
use crate::schema::Rest;
use crate::write::{TargetState, WriteError};

use super::attempts;
use super::marks;
use super::outcome::{Ended, Outcome, Watch};
use super::put::{lacks_records, put_in_place};
use super::remove::Removal;
use super::retry::{session, with_retries};
use super::sequences;
use super::summary::{in_file, report};
use super::unfinished::advised;

/// A load that did not end well says what was committed if the ledger answers this soon.
const REPORT_LIMIT: Duration = Duration::from_secs(1);

/// After a stop the run may still be completed and summed up for this long, as batches may be finished.
const STOP_GRACE: Duration = Duration::from_secs(3);

/// Closes a load: its run, its reject file, its report.
pub(super) async fn close(
    job: &Job,
    mut prepared: Prepared,
    ran: Result<Ran, LoadError>,
    completed: Result<(), LoadError>,
    watch: &Watch<'_>,
) -> Outcome {
    let (ran, mut ended) = match ran {
        Ok(ran) => {
            let ended = match ran.end {
                PipelineEnd::OverBudget => Ended::OverBudget,
                PipelineEnd::Stopped => Ended::Interrupted,
                PipelineEnd::Finished if !ran.failed.is_empty() => Ended::SourceFailed,
                PipelineEnd::Finished => Ended::Complete,
            };
            (Some(ran), ended)
        }
        Err(error) => (None, Ended::Failed(error)),
    };
    if let Err(error) = completed {
        ended = Ended::Failed(error);
    }
    if matches!(ended, Ended::Complete)
        && let Err(error) = sequences::look_after(job, &prepared, watch.listener).await
    {
        ended = Ended::Failed(error);
    }
    if let Err(error) = prepared.access.finish().await
        && matches!(ended, Ended::Complete)
    {
        // Everything is loaded, but what was to be kept of it is not.
        ended = Ended::Failed(error.into());
    }
    ended = look_back(&prepared, ended).await;
    let (unledgered, lost) = unledgered_rejects(&mut prepared);
    if let Some(lost) = lost
        && !matches!(ended, Ended::Failed(_))
    {
        ended = Ended::Failed(lost);
    }
    if !matches!(ended, Ended::Complete)
        && !prepared.is_replayable()
        && let (Some(run), Ok(session)) = (&prepared.run, session(&prepared, "close the run").await)
    {
        // A pipe is not resumed; a failure to say so now is made up for by the next start.
        let _ = give_up(&session, &prepared, run).await;
    }
    let (limit, told) = match ended {
        Ended::Complete | Ended::SourceFailed => (job.resources.retry_for, Some(watch)),
        _ => (REPORT_LIMIT, None),
    };
    let report = with_retries(limit, told, || {
        report(job, &prepared, ran.as_ref(), &ended, &unledgered, watch.began).boxed()
    });
    let report = tokio::select! {
        report = tokio::time::timeout(limit + REPORT_LIMIT, report) => Some(report),
        () = stopped(watch), if told.is_some() => None,
    };
    let report = match report {
        None => {
            ended = Ended::Interrupted;
            None
        }
        Some(report) => summed_up(report, &mut ended),
    };
    if let Some(report) = &report
        && !report.rows.balance()
        && !matches!(ended, Ended::Failed(_))
    {
        let (read, accounted) = (report.rows.read, report.rows.accounted());
        ended = Ended::Failed(LoadError::Unbalanced { read, accounted });
    }
    if let Ended::Failed(error) = &ended
        && error.is_forgotten()
        && let Some(run) = &prepared.run
    {
        let (run, database) = (run.ledger.run.clone(), prepared.pool.place());
        ended = Ended::Failed(LoadError::Forgotten { run, database, mode: prepared.plan.mode_of_repeats() });
    }
    if let Ended::Failed(LoadError::Ledger(why)) = ended {
        ended = Ended::Failed(advised(why, &prepared, report.as_ref()).into());
    }
    let pipe_rest = report.as_ref().and_then(|report| pipe_rest(job, &prepared, report));
    let may_resume = prepared.run.is_some() && prepared.is_replayable();
    Outcome { ended, report, pipe_rest, may_resume }
}

/// A failure that an earlier start has met at the same place will not go away by itself, unless it is one
/// that passes.
async fn look_back(prepared: &Prepared, ended: Ended) -> Ended {
    let (Ended::Failed(LoadError::Write(WriteError::Database(error))), Some(run)) = (&ended, &prepared.run)
    else {
        return ended;
    };
    let Some(sqlstate) = known_as(error).filter(|_| !is_transient(error)) else { return ended };
    let asked = async {
        let session = Session::open(&prepared.pool).await.ok()?;
        note_failure(&session, &run.ledger, "write", sqlstate).await.ok()
    };
    match tokio::time::timeout(REPORT_LIMIT, asked).await {
        Ok(Some(true)) => Ended::Failed(LoadError::FailedAgain(error.clone())),
        _ => ended,
    }
}

/// The report, if it could be had; what is wrong with it decides how the load ended, unless that is known.
fn summed_up(
    report: Result<Result<Report, LedgerError>, tokio::time::error::Elapsed>,
    ended: &mut Ended,
) -> Option<Report> {
    let error = match report {
        Ok(Ok(report)) => return Some(report),
        // However the load ended: that is why, or it no longer matters.
        Ok(Err(error @ LedgerError::Forgotten)) => error,
        // What the report would have said is in the ledger; how the load ended is known.
        Err(_) | Ok(Err(_)) if !matches!(ended, Ended::Complete) => return None,
        Ok(Err(error)) => error,
        Err(_) => LedgerError::Server { doing: "sum up the run", source: DbError::lost() },
    };
    *ended = Ended::Failed(error.into());
    None
}

/// An append from a pipe cannot be resumed; what it has stored is a beginning of the pipe.
fn pipe_rest(job: &Job, prepared: &Prepared, report: &Report) -> Option<(String, u64)> {
    let [input] = prepared.inputs.as_slice() else { return None };
    if report.complete || !prepared.plan.appends() || input.class().reads_again() {
        return None;
    }
    Some((input.name.clone(), job.runs.skip_records + report.rows.read + 1))
}

/// Ends some time after a stop was asked for.
async fn stopped(watch: &Watch<'_>) {
    watch.stop.cancelled().await;
    tokio::time::sleep(STOP_GRACE).await;
}

/// Completes the run of a pipeline that came to its end. Where the answer is lost, asking again is safe: a
/// run is completed once. Stopped while the server is away, the run stays open.
pub(super) async fn complete_run(
    job: &Job,
    prepared: &Prepared,
    ran: &mut Ran,
    watch: &Watch<'_>,
) -> Result<(), LoadError> {
    let Some(run) = &prepared.run else { return Ok(()) };
    if ran.end != PipelineEnd::Finished || !ran.failed.is_empty() {
        return Ok(());
    }
    let read = ran.tally.books.read;
    if read < job.min_records {
        let session = session(prepared, "give the run up").await?;
        give_up(&session, prepared, run).await?;
        return Err(LoadError::TooFew { read, expected: job.min_records });
    }
    if let Some(error) = marks::lacks_all(job, run, ran) {
        let session = session(prepared, "give the run up").await?;
        give_up(&session, prepared, run).await?;
        return Err(error);
    }
    if prepared.plan.rest != Rest::Stays {
        let session = session(prepared, "look what came of the sources").await?;
        if let Some(error) = lacks_records(job, prepared, run, &session).await? {
            give_up(&session, prepared, run).await?;
            return Err(error);
        }
    }
    marks::tell(job, ran, watch);
    fault::point(Point::Completing);
    let standing = with_retries(job.resources.retry_for, Some(watch), || {
        async {
            let failed = |source| LedgerError::Server { doing: "complete the run", source };
            if prepared.plan.rest != Rest::Stays {
                // What it takes depends on the whole table.
                let session = Session::open_within(&prepared.pool, None).await.map_err(failed)?;
                let keep = keep(job, prepared, run, &*ran);
                return match prepared.plan.replacing {
                    Some(_) => put_in_place(job, prepared, run, &session, &keep).await,
                    None => Removal { job, prepared, run, session: &session, watch }.complete(&keep).await,
                };
            }
            let session = Session::open(&prepared.pool).await.map_err(failed)?;
            complete_there(job, prepared, run, &*ran, &session).await.map(Ok)
        }
        .boxed()
    });
    let standing = tokio::select! {
        standing = standing => standing??,
        () = stopped(watch) => {
            ran.end = PipelineEnd::Stopped;
            return Ok(());
        }
    };
    match standing {
        Standing::Complete => {
            fault::point(Point::Completed);
            Ok(())
        }
        // A partition that was at its end is not any more, and its writer is gone.
        Standing::Unfinished => Err(WriteError::LostCommits.into()),
        Standing::Lost => Err(LedgerError::Fenced.into()),
        Standing::Gone => Err(LedgerError::Forgotten.into()),
    }
}

/// Gives a run up, with the table that it has loaded into beside its target, if it has.
async fn give_up(session: &Session, prepared: &Prepared, run: &RunInHand) -> Result<(), LedgerError> {
    abandon(session, &run.ledger.run, run.ledger.epoch).await?;
    match prepared.plan.replacing {
        Some(_) => sweep_beside(session).await,
        None => Ok(()),
    }
}

/// Completes a run if its rows are where they were put. How rows would be written now does not matter any
/// more.
async fn complete_there(
    job: &Job,
    prepared: &Prepared,
    run: &RunInHand,
    ran: &Ran,
    session: &Session,
) -> Result<Standing, LedgerError> {
    let (id, epoch) = (&run.ledger.run, run.ledger.epoch);
    let check = prepared.write.check_target(Some(&run.ledger));
    let keep = keep(job, prepared, run, ran);
    let completed = match complete(session, id, epoch, Some(&check), &keep).await {
        Err(LedgerError::AnotherVersion) => {
            let failed = |source| LedgerError::Server { doing: "look at the target", source };
            match prepared.write.look_again(session, Some(&run.ledger)).await.map_err(failed)? {
                TargetState::Same | TargetState::Differs(_) => {
                    complete(session, id, epoch, None, &keep).await
                }
                TargetState::Lost(change) => {
                    let what = format!("was changed ({change})");
                    Err(LedgerError::TargetChanged { run: id.clone(), what })
                }
            }
        }
        completed => completed,
    };
    match completed {
        Ok(()) => Ok(Standing::Complete),
        Err(LedgerError::Fenced) => standing(session, id, epoch).await,
        Err(error) => Err(error),
    }
}

/// What is stored along with the completion of a run.
fn keep(job: &Job, prepared: &Prepared, run: &RunInHand, ran: &Ran) -> String {
    let came_to = attempts::came_to_completion(prepared, ran);
    keep_digests(&run.ledger.run, &prepared.digests())
        + &marks::keep(job, run)
        + &run.ledger.end_attempt(&came_to.as_stored())
}

/// The rejects that no ledger keeps: their file, under its name, or why there is none.
fn unledgered_rejects(prepared: &mut Prepared) -> (Rejects, Option<LoadError>) {
    let Some(unledgered) = prepared.unledgered.take() else { return (Rejects::default(), None) };
    let words = |path: &PathBuf| path.display().to_string();
    let (file, reasons) = unledgered.into_inner().unwrap_or_else(PoisonError::into_inner).finish();
    match file {
        Ok(file) => (Rejects { reasons, ..in_file(file.as_ref()) }, None),
        Err(Lost { error, rejects, left }) => {
            let file = left.as_ref().map(words);
            (
                Rejects { file, reasons, ..Rejects::default() },
                Some(LoadError::RejectsLost { error, rejects, left }),
            )
        }
    }
}
