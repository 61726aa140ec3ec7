//! Starts that are retried, since other sessions started in the same moment: a start that finds the ledger
//! changed between two looks looks again, and then finds the other start recorded; and our own session that
//! was just closed still counts for the server.

use std::time::Duration;

use crate::event::{Event, Totals};
use crate::input::{EachRows, Lists, SourceList, SourceSpec, list};
use crate::job::{Job, RowSource};
use crate::ledger::LedgerError;
use crate::prepared::{LoadError, Prepared};

use super::each_rows::each_rows;
use super::preflight::{LoadRequest, preflight};

/// Looks beyond the first; by then the other one is recorded.
const RACES_MAX: u32 = 20;
/// The pause between two looks at the ledger.
const RACE_PAUSE: Duration = Duration::from_millis(50);

/// Prepares a load, a plan or a comparison.
pub(super) async fn prepare(request: LoadRequest<'_>) -> Result<Prepared, LoadError> {
    let SourceList { sources: specs, notes } = specs(request.job).await?;
    for text in notes {
        (request.listener)(&Event::Note { text }, &Totals::default());
    }
    // A pipe that was looked into cannot be looked into again.
    let looks = if specs.iter().all(|spec| spec.location.class().reads_again()) { RACES_MAX } else { 0 };
    let mut races = 0;
    loop {
        match Box::pin(preflight(request, specs.clone())).await {
            Err(LoadError::Ledger(LedgerError::Raced)) if races < looks => {
                races += 1;
                tokio::time::sleep(RACE_PAUSE).await;
            }
            prepared => return prepared,
        }
    }
}

/// The sources of a job, in order.
async fn specs(job: &Job) -> Result<SourceList, LoadError> {
    if job.feed.is_some() {
        return Ok(SourceList { sources: vec![SourceSpec::of_caller()], notes: Vec::new() });
    }
    let each = match &job.web.each {
        None => None,
        Some(RowSource::List(list)) => Some(EachRows::List(Box::new(list.clone()))),
        Some(RowSource::Query(query)) => Some(Box::pin(each_rows(job, query)).await?),
    };
    let lists = Lists {
        http: job.web.http.clone(),
        urls: job.web.urls.clone(),
        each,
        each_fields: job.web.each_fields.clone(),
        body: job.web.body.clone(),
        partition_columns: job.web.partition_columns,
        store: job.web.store.clone(),
        inflation: job.reading.inflation,
    };
    Ok(list(&job.sources, lists).await?)
}
