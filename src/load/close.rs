//! The end of a load: complete the run, sum up what was committed, write the reject file, make the report.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

use futures::FutureExt as _;
use futures::future::BoxFuture;

use crate::account::{Books, SourceBooks};
use crate::event::{Event, Totals};
use crate::fault::{self, Point};
use crate::http::Counters;
use crate::job::Job;
use crate::ledger::{
    LedgerError, Standing, abandon, complete, keep_digests, note_failure, sample_rejects, source_books,
    standing, summary,
};
use crate::pg::{ErrorView, Session, is_passing};
use crate::pipeline::{End, Ran};
use crate::rejects::Written;
use crate::report::{
    HttpReport, PoolReport, REPORT_VERSION, Reason, Rejects, Report, SourceReport, SourceState,
};
use crate::schema::Mode;
use crate::write::{Look, Patience, Retry, WriteError};

use super::error::LoadError;
use super::prepare::{Prepared, RunInHand};
use super::unfinished::advised;
use super::unledgered::Lost;
use super::{Ended, Outcome, Watch, reject_file, sequences};

/// Kinds of rejects that the report names.
const REASONS_MAX: u32 = 20;

/// A load that did not end well says what was committed if the ledger answers this soon.
const REPORT_LIMIT: Duration = Duration::from_secs(1);

/// After a stop the run may still be completed and summed up for this long, as batches may be finished.
const STOP_GRACE: Duration = Duration::from_secs(3);

/// Closes a load.
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
                End::OverBudget => Ended::OverBudget,
                End::Stopped => Ended::Interrupted,
                End::Finished if !ran.failed.is_empty() => Ended::SourceFailed,
                End::Finished => Ended::Complete,
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
        let _ = abandon(&session, &run.ledger.run, run.ledger.epoch).await;
    }
    let (limit, told) = match ended {
        Ended::Complete | Ended::SourceFailed => (job.resources.retry_for, Some(watch)),
        _ => (REPORT_LIMIT, None),
    };
    let ending = (&ended, &unledgered);
    let report = patiently(limit, told, || report(job, &prepared, ran.as_ref(), ending, watch.began).boxed());
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
        ended = Ended::Failed(LoadError::Forgotten { run, database, mode: prepared.plan.mode });
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
    let (Ended::Failed(LoadError::Write(WriteError::Database(view))), Some(run)) = (&ended, &prepared.run)
    else {
        return ended;
    };
    let Some(sqlstate) = view.sqlstate.as_deref().filter(|_| !is_passing(view)) else { return ended };
    let asked = async {
        let session = Session::open(&prepared.pool).await.ok()?;
        let run = (run.ledger.run.as_str(), run.ledger.epoch);
        note_failure(&session, run, "write", sqlstate).await.ok()
    };
    match tokio::time::timeout(REPORT_LIMIT, asked).await {
        Ok(Some(true)) => Ended::Failed(LoadError::FailedAgain(view.clone())),
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
        Err(_) => LedgerError::Server { doing: "sum up the run", view: ErrorView::lost() },
    };
    *ended = Ended::Failed(error.into());
    None
}

/// An append from a pipe cannot be resumed; what it has stored is a beginning of the pipe.
fn pipe_rest(job: &Job, prepared: &Prepared, report: &Report) -> Option<(String, u64)> {
    let [input] = prepared.inputs.as_slice() else { return None };
    if report.complete || prepared.plan.mode != Mode::Append || input.class().reads_again() {
        return None;
    }
    Some((input.name.clone(), job.runs.skip_records + report.rows.read + 1))
}

async fn session(prepared: &Prepared, doing: &'static str) -> Result<Session, LedgerError> {
    Session::open(&prepared.pool).await.map_err(|view| LedgerError::Server { doing, view })
}

/// Ends some time after a stop was asked for.
async fn stopped(watch: &Watch<'_>) {
    watch.stop.cancelled().await;
    tokio::time::sleep(STOP_GRACE).await;
}

/// Repeats a step that does no harm when repeated, until it is done or patience ends. Who is `told` hears why it waits, as
/// from a writer.
async fn patiently<'s, T>(
    retry_for: Duration,
    told: Option<&Watch<'_>>,
    mut step: impl FnMut() -> BoxFuture<'s, Result<T, LedgerError>>,
) -> Result<T, LedgerError> {
    let mut retry = Retry::new(Patience { retry_for });
    let tell = |event: Event| {
        if let Some(watch) = told {
            (watch.listener)(&event, &Totals::default());
        }
    };
    loop {
        let (doing, view) = match step().await {
            Err(LedgerError::Server { doing, view }) if is_passing(&view) => (doing, view),
            done => {
                if retry.tries() > 0 {
                    tell(Event::GoesOn { partition: None });
                }
                return done;
            }
        };
        let Some(pause) = retry.pause() else { return Err(LedgerError::Server { doing, view }) };
        tell(Event::Waiting { partition: None, reason: format!("{doing}: {}", view.message) });
        tokio::time::sleep(pause).await;
    }
}

/// Completes the run of a pipeline that came to its end. Where the answer is lost, asking again is safe: a run is
/// completed once. Stopped while the server is away, the run stays open.
pub(super) async fn complete_run(
    job: &Job,
    prepared: &Prepared,
    ran: &mut Ran,
    watch: &Watch<'_>,
) -> Result<(), LoadError> {
    let Some(run) = &prepared.run else { return Ok(()) };
    if ran.end != End::Finished || !ran.failed.is_empty() {
        return Ok(());
    }
    fault::point(Point::Completing);
    let standing = patiently(job.resources.retry_for, Some(watch), || {
        async {
            let session = Session::open(&prepared.pool)
                .await
                .map_err(|view| LedgerError::Server { doing: "complete the run", view })?;
            complete_there(prepared, run, &session).await
        }
        .boxed()
    });
    let standing = tokio::select! {
        standing = standing => standing?,
        () = stopped(watch) => {
            ran.end = End::Stopped;
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

/// Completes a run if its rows are where they were put. How rows would be written now does not matter any
/// more.
async fn complete_there(
    prepared: &Prepared,
    run: &RunInHand,
    session: &Session,
) -> Result<Standing, LedgerError> {
    let (id, epoch) = (&run.ledger.run, run.ledger.epoch);
    let check = prepared.write.check_target(Some(&run.ledger));
    let keep = keep_digests(id, &prepared.digests());
    let completed = match complete(session, id, epoch, Some(&check), &keep).await {
        Err(LedgerError::AnotherVersion) => {
            let failed = |view| LedgerError::Server { doing: "look at the target", view };
            match prepared.write.look_again(session, Some(&run.ledger)).await.map_err(failed)? {
                Look::Same | Look::Differs(_) => complete(session, id, epoch, None, &keep).await,
                Look::Lost(change) => {
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

async fn report(
    job: &Job,
    prepared: &Prepared,
    ran: Option<&Ran>,
    (ended, unledgered): (&Ended, &Rejects),
    began: Instant,
) -> Result<Report, LedgerError> {
    let elapsed = began.elapsed().as_secs_f64();
    let before: Books = prepared.checkpoints.iter().fold(Books::default(), |mut sum, c| {
        sum.add(&c.books);
        sum
    });
    let (rows, sources, rejects) = match &prepared.run {
        Some(run) => {
            let session = session(prepared, "sum up the run").await?;
            let id = &run.ledger.run;
            let (sums, sources) = futures::join!(summary(&session, id), source_books(&session, id));
            let (sums, sources) = (sums?, sources?);
            let rejects = if sums.books.rejected > 0 {
                ledger_rejects(job, prepared, &session, id).await?
            } else {
                Rejects::default()
            };
            (sums.books, sources, rejects)
        }
        None => without_ledger(ran, unledgered),
    };
    let here = rows.read.saturating_sub(before.read);
    let tally = ran.as_ref().map(|ran| ran.tally.clone()).unwrap_or_default();
    Ok(Report {
        version: REPORT_VERSION,
        run: prepared.run.as_ref().map_or_else(String::new, |run| run.ledger.run.clone()),
        table: table_words(prepared),
        table_sql: prepared.plan.table.name.plain(),
        database: prepared.pool.place(),
        mode: prepared.plan.mode.name(),
        guarantee: prepared.guarantee_after(ran.map(|ran| ran.exact)),
        complete: matches!(ended, Ended::Complete),
        attempts: prepared.run.as_ref().map_or(1, |run| run.attempts),
        rows,
        sources: source_reports(prepared, ran, &sources, ended),
        rejects,
        ignored_fields: ran.as_ref().map_or(0, |ran| ran.ignored_fields),
        http: prepared.access.counters().as_ref().map(http_report),
        pool: PoolReport {
            size: prepared.pool.max_size(),
            batches: tally.batches,
            direct: tally.direct,
            direct_refused: tally.direct_refused,
            careful: tally.careful,
            retries: tally.retries,
        },
        seconds: ran.as_ref().map(|ran| ran.seconds).unwrap_or_default(),
        bottleneck: ran.as_ref().and_then(|ran| ran.seconds.bottleneck()),
        elapsed_seconds: elapsed,
        rows_per_second: per_second(here, elapsed),
    })
}

fn http_report(counters: &Counters) -> HttpReport {
    let Counters { requests, retried, failed, refused, redirected, mended, bytes, waited } = *counters;
    let waited_seconds = waited.as_secs_f64();
    HttpReport { requests, retried, failed, refused, redirected, mended, bytes, waited_seconds }
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a rate for people: positive, and no better than a few digits"
)]
fn per_second(rows: u64, seconds: f64) -> u64 {
    if seconds > 0.0 { (rows as f64 / seconds).round() as u64 } else { 0 }
}

fn table_words(prepared: &Prepared) -> String {
    let name = &prepared.plan.table.name;
    match &name.schema {
        Some(schema) => format!("{}.{}", schema.raw(), name.name.raw()),
        None => name.name.raw().to_owned(),
    }
}

fn source_reports(
    prepared: &Prepared,
    ran: Option<&Ran>,
    books: &[(u32, SourceBooks)],
    ended: &Ended,
) -> Vec<SourceReport> {
    let mut reports: Vec<SourceReport> = Vec::new();
    let mut by_name: HashMap<&str, usize> = HashMap::new();
    let books: HashMap<u32, SourceBooks> = books.iter().copied().collect();
    let finished = matches!(ended, Ended::Complete | Ended::SourceFailed);
    for (ordinal, input) in prepared.inputs.iter().enumerate() {
        let ordinal = u32::try_from(ordinal).unwrap_or(u32::MAX);
        let sums = books.get(&ordinal).copied().unwrap_or_default();
        let error = ran.and_then(|ran| ran.failed.get(&ordinal).cloned());
        let doubtful = ran.is_some_and(|ran| ran.doubtful.contains(&ordinal));
        let state = match (&error, finished) {
            (Some(_), _) => SourceState::Failed,
            (None, true) => SourceState::Complete,
            (None, false) => SourceState::Unfinished,
        };
        let read = input.progress.load(std::sync::atomic::Ordering::Relaxed);
        let retries = prepared.access.retries_of(u64::from(ordinal));
        // The rest of a source that was set aside is the same source to its reader.
        if let Some(earlier) = by_name.get(input.name.as_str()).and_then(|&at| reports.get_mut(at)) {
            earlier.read += sums.read;
            earlier.rejected += sums.rejected;
            earlier.retries += retries;
            earlier.state = state;
            earlier.error = error;
            earlier.doubtful |= doubtful;
            continue;
        }
        by_name.insert(&input.name, reports.len());
        reports.push(SourceReport {
            name: input.name.clone(),
            bytes: input.size().unwrap_or(read),
            read: sums.read,
            rejected: sums.rejected,
            retries,
            state,
            error,
            doubtful,
        });
    }
    reports.extend(prepared.skipped.iter().map(|name| SourceReport {
        name: name.clone(),
        bytes: 0,
        read: 0,
        rejected: 0,
        retries: 0,
        state: SourceState::Skipped,
        error: None,
        doubtful: false,
    }));
    reports
}

async fn ledger_rejects(
    job: &Job,
    prepared: &Prepared,
    session: &Session,
    run: &str,
) -> Result<Rejects, LedgerError> {
    let reasons = sample_rejects(session, run, REASONS_MAX).await?;
    let names = |source: u32| prepared.source_name(source);
    let file = reject_file::from_ledger(job, prepared, session, run, &names).await;
    Ok(Rejects {
        reasons: reasons
            .into_iter()
            .map(|reason| Reason {
                first: format!("{}:{}", names(reason.source), reason.line),
                type_name: reason.column.as_deref().and_then(|column| prepared.type_name(column)),
                sqlstate: reason.sqlstate,
                column: reason.column,
                constraint: reason.constraint,
                count: reason.count,
                example: reason.reason,
            })
            .collect(),
        ..written(file, prepared)
    })
}

fn written(file: Result<Written, reject_file::NoRejectFile>, prepared: &Prepared) -> Rejects {
    match file {
        Ok(file) => in_file(Some(&file)),
        Err(error) => {
            let query = prepared.rejects_query().unwrap_or_default();
            tracing::warn!("cannot write the reject file: {error}; the rejects are in the ledger: {query}");
            Rejects::default()
        }
    }
}

fn in_file(file: Option<&Written>) -> Rejects {
    Rejects {
        file: file.map(|file| file.path.display().to_string()),
        is_file: file.is_some_and(|file| file.is_file),
        longest_bytes: file.map_or(0, |file| file.longest_bytes),
        reasons: Vec::new(),
    }
}

/// Without a ledger the process's own counts are all there is.
fn without_ledger(ran: Option<&Ran>, rejects: &Rejects) -> (Books, Vec<(u32, SourceBooks)>, Rejects) {
    let (books, sources) = ran.map(|ran| (ran.tally.books, ran.source_books.clone())).unwrap_or_default();
    (books, sources, rejects.clone())
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
