//! The rows that a database has for templates of URLs: read before the load, through a session of their own.

use crate::input::EachRows;
use crate::job::{EachQuery, Job};
use crate::pg::{connect_pool, json_rows};
use crate::prepared::LoadError;

/// One more than a run can have sources: that there are too many shows.
const ROWS_MAX: usize = 100_001;

/// Asks for the rows.
pub(super) async fn each_rows(job: &Job, query: &EachQuery) -> Result<EachRows, LoadError> {
    let dsn = query.dsn.as_ref().unwrap_or(&job.dsn);
    let pool = connect_pool(dsn, 1).await.map_err(LoadError::Connect)?;
    let session = super::slots::open(&pool).await?;
    let rows = json_rows(&session, &query.sql, ROWS_MAX).await;
    let rows =
        rows.map_err(|source| LoadError::Prepare { doing: "read the rows of --each-query", source })?;
    Ok(EachRows::Given { name: "--each-query".to_owned(), rows })
}
