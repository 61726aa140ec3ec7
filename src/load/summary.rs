//! The report: what the ledger has summed up of a run, or without one what this process has counted.

use std::collections::HashMap;
use std::time::Instant;

use crate::account::{Books, SourceBooks};
use crate::http::Counters;
use crate::job::Job;
use crate::ledger::{LedgerError, removed, sample_rejects, source_books, summary};
use crate::pg::Session;
use crate::pipeline::Ran;
use crate::prepared::Prepared;
use crate::rejects::WrittenFile;
use crate::report::{
    HttpReport, Narrowed, PoolReport, REPORT_VERSION, Reason, Rejects, Report, SourceReport, SourceState,
    TableColumn,
};

use crate::schema::{Column, Rest};

use super::attempts;
use super::outcome::Ended;
use super::reject_file;
use super::retry::session;

/// Kinds of rejects that the report names.
const REASONS_MAX: u32 = 20;

pub(super) async fn report(
    job: &Job,
    prepared: &Prepared,
    ran: Option<&Ran>,
    ended: &Ended,
    unledgered: &Rejects,
    began: Instant,
) -> Result<Report, LedgerError> {
    let elapsed = began.elapsed().as_secs_f64();
    let before: Books = prepared.checkpoints.iter().fold(Books::default(), |mut sum, c| {
        sum.add(&c.books);
        sum
    });
    let mut gone = None;
    let (rows, sources, rejects) = match &prepared.run {
        Some(run) => {
            let session = session(prepared, "sum up the run").await?;
            let id = &run.ledger.run;
            // On the way, so that it takes no message more.
            let noted = attempts::note(prepared, ran, ended, &session);
            let (sums, sources, ()) =
                futures::join!(summary(&session, id), source_books(&session, id), noted);
            let (sums, sources) = (sums?, sources?);
            if prepared.plan.rest != Rest::Stays {
                gone = removed(&session, id).await?;
            }
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
        table_sql: prepared.plan.target().name.plain(),
        columns: columns(prepared),
        database: prepared.pool.place(),
        mode: prepared.plan.mode_name(),
        guarantee: prepared.guarantee_after(ran.map(|ran| ran.exact)),
        complete: matches!(ended, Ended::Complete),
        attempts: prepared.run.as_ref().map_or(1, |run| run.attempts),
        rows,
        removed: gone,
        sources: source_reports(prepared, ran, &sources, ended),
        rejects,
        ignored_fields: ran.as_ref().map_or(0, |ran| ran.ignored_fields),
        narrowed: ran.and_then(|ran| narrowed(prepared, ran)),
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

fn columns(prepared: &Prepared) -> Vec<TableColumn> {
    let columns = prepared.plan.table.columns.iter();
    let of = |column: &Column| {
        TableColumn::new(column.name.raw().to_owned(), column.type_name.clone(), column.not_null)
    };
    columns.map(of).collect()
}

fn http_report(counters: &Counters) -> HttpReport {
    let Counters {
        requests,
        retried,
        failed,
        refused,
        redirected,
        mended,
        bytes,
        waited,
        shared,
        in_flight: _,
    } = *counters;
    let waited_seconds = waited.as_secs_f64();
    HttpReport { requests, retried, failed, refused, redirected, mended, bytes, waited_seconds, shared }
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

fn narrowed(prepared: &Prepared, ran: &Ran) -> Option<Narrowed> {
    let (values, first) = ran.narrowed.as_ref()?;
    let place = format!("{}:{}", prepared.source_name(first.source), first.line);
    Some(Narrowed { values: *values, first: place, column: first.column.clone() })
}

fn table_words(prepared: &Prepared) -> String {
    let name = &prepared.plan.target().name;
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

fn written(file: Result<WrittenFile, reject_file::NoRejectFile>, prepared: &Prepared) -> Rejects {
    match file {
        Ok(file) => in_file(Some(&file)),
        Err(error) => {
            let query = prepared.rejects_query().unwrap_or_default();
            tracing::warn!("cannot write the reject file: {error}; the rejects are in the ledger: {query}");
            Rejects::default()
        }
    }
}

pub(super) fn in_file(file: Option<&WrittenFile>) -> Rejects {
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
