//! Staging: the rows of a batch as COPY text in a temporary table, and what did not convert in the refused.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use bytes::Bytes;

use crate::batch::{Batch, Chunk};
use crate::fault::{self, Point};
use crate::pg::sqlstate::is_data_exception;
use crate::pg::{
    Accept, BeginOrCopy, CopyOrStatement, DbError, Sent, Session, StatementResult, catalog, literal, number,
};

use super::changed::refuse_changed_table;
use super::outcome::{Failed, FailedAt};
use super::plan::{DatabaseEncoding, Staging, WritePlan};
use super::sql::{convert, names};
use super::strategy::{Strategy, WritePath};
use super::{encoding, merge_executor};

/// How the rows of a chunk are copied: the statement, shared by chunks with the same columns, and the COPY
/// text.
pub(super) struct Form<'a> {
    pub(super) statement: &'a (dyn Fn(&Chunk) -> String + Sync),
    pub(super) text: fn(&Chunk) -> Bytes,
    /// Whether to go on, by what the statements that began the transaction gave.
    pub(super) accept: &'a Accept<'a>,
}

/// Rows in the staging table.
pub(super) struct Staged {
    /// The number of staged rows.
    pub(super) rows: u64,
    /// When they were there.
    pub(super) at: Instant,
    /// What was asked of them first.
    pub(super) first: Option<Vec<StatementResult>>,
}

impl Staged {
    /// So many, by now.
    pub(super) fn now(rows: u64) -> Self {
        Self { rows, at: Instant::now(), first: None }
    }
}

/// Begins a transaction, and fills its typed staging table. Where the path and the rows allow it, the first
/// of its merge goes out along with the end of the COPY. `None`: that COPY was refused, and one that leaves
/// rows out may do better; nothing is done.
pub(super) async fn begin_and_stage(
    plan: &WritePlan,
    session: &Session,
    batch: &Batch,
    strategy: Strategy,
    begin: &str,
) -> Result<Option<Staged>, Failed> {
    let version = catalog::columns_version(plan.table().oid);
    let begin = format!("{begin};\n{};\n{version}", names::staging(plan));
    // Staged values have the types that the columns had; the merge would cast them in silence.
    let may_be_changed = |begun: &[StatementResult]| {
        begun.last().and_then(StatementResult::value) != Some(&plan.target.columns_version())
    };
    let staging = Failed::at(FailedAt::Staging);
    if strategy.path.converts() || batch.rows == 0 {
        let begin = match begin.split_once(';') {
            Some((begin, rest)) if clears(plan, session) => format!("{begin};\n{};{rest}", names::CLEAR),
            _ => begin,
        };
        let begun = session.begin(&begin).await.map_err(Failed::at(FailedAt::Begin))?;
        fault::point(Point::Begun);
        if may_be_changed(&begun) {
            refuse_changed_table(plan, session).await.map_err(Failed::at(FailedAt::Table))?;
        }
        if batch.rows == 0 {
            return Ok(Some(Staged::now(0)));
        }
        return Ok(Some(Staged::now(convert_all(plan, session, batch).await.map_err(staging)?)));
    }
    let may_be_first = strategy.at_once && (strategy.predictor.is_clean() || !plan.copy_skips_errors());
    let first = merge_executor::first_of(plan, batch, strategy).filter(|_| may_be_first);
    // What is merged at once must be all of the batch.
    let skips_errors = plan.copy_skips_errors() && first.is_none();
    let statement = |chunk: &Chunk| names::copy(names::STAGE, &chunk.columns, skips_errors);
    let is_suspicious = AtomicBool::new(false);
    let accept = |begun: &[StatementResult]| {
        is_suspicious.store(may_be_changed(begun), Ordering::Relaxed);
        Ok(())
    };
    let form = Form { statement: &statement, text: |chunk| chunk.bytes.clone(), accept: &accept };
    let copying = begin_and_copy(plan, session, batch, &begin, &form).await?;
    let first = first.filter(|_| !is_suspicious.load(Ordering::Relaxed));
    let staged = match first {
        None => Staged::now(copying.finish(session).await?),
        Some(sql) => match session.finish_and_run(copying.sent, &sql).await {
            Ok((copied, at, outcomes)) => Staged { rows: copying.copied + copied, at, first: Some(outcomes) },
            Err(CopyOrStatement::Copy(error)) if plan.copy_skips_errors() && !error.is_lost() => {
                tracing::debug!(partition = batch.partition, ?error, "staging refused");
                return Ok(None);
            }
            Err(CopyOrStatement::Copy(error)) => return Err(staging(error)),
            Err(CopyOrStatement::Statement(_, error)) => return Err(Failed { at: FailedAt::Merge, error }),
        },
    };
    if is_suspicious.into_inner() {
        refuse_changed_table(plan, session).await.map_err(Failed::at(FailedAt::Table))?;
    }
    if staged.rows == batch.rows || staged.first.is_some() {
        return Ok(Some(staged));
    }
    Ok(Some(Staged::now(convert_missing(plan, session, batch).await.map_err(staging)?)))
}

/// Fills the staging table in a transaction that is open and has made it.
pub(super) async fn stage(
    plan: &WritePlan,
    session: &Session,
    batch: &Batch,
    path: WritePath,
) -> Result<u64, DbError> {
    if path.converts() {
        return convert_all(plan, session, batch).await;
    }
    let mut copied = 0;
    for run in batch.chunks.chunk_by(|a, b| a.columns == b.columns) {
        let sql = names::copy(names::STAGE, &run[0].columns, plan.copy_skips_errors());
        copied += session.copy_in(&sql, run.iter().map(|chunk| chunk.bytes.clone())).await?;
    }
    if copied == batch.rows { Ok(copied) } else { convert_missing(plan, session, batch).await }
}

/// Whether what others may have left in the session is to be removed: in the first transaction of a
/// connection. Where each makes its own tables it removes what is left itself.
fn clears(plan: &WritePlan, session: &Session) -> bool {
    plan.staging == Staging::Session && session.makes(&names::staging(plan))
}

/// COPYs of a batch, of which the last one may still have to be ended.
pub(super) struct Copying {
    /// Rows that the server has confirmed.
    pub(super) copied: u64,
    /// The end of the last COPY, not yet answered.
    pub(super) sent: Option<Sent>,
}

impl Copying {
    /// Ends it; returns how many rows the server took.
    pub(super) async fn finish(self, session: &Session) -> Result<u64, Failed> {
        let last = match self.sent {
            Some(sent) => session.finish(sent).await.map_err(Failed::at(FailedAt::Staging))?,
            None => 0,
        };
        Ok(self.copied + last)
    }
}

/// Begins a transaction and copies the rows of a batch. A COPY for each run of chunks with the same columns.
pub(super) async fn begin_and_copy(
    plan: &WritePlan,
    session: &Session,
    batch: &Batch,
    begin: &str,
    form: &Form<'_>,
) -> Result<Copying, Failed> {
    let accept = |begun: &[StatementResult]| {
        fault::point(Point::Begun);
        (form.accept)(begun)
    };
    let staging = Failed::at(FailedAt::Staging);
    let mut copying = Copying { copied: 0, sent: None };
    for (n, run) in batch.chunks.chunk_by(|a, b| a.columns == b.columns).enumerate() {
        let statement = (form.statement)(&run[0]);
        let text = run.iter().map(form.text);
        let first = n == 0;
        match plan.staging {
            Staging::Session if first => {
                let first = clears(plan, session).then_some(names::CLEAR);
                let sent = session.begin_and_send(begin, first, &accept, &statement, text).await;
                copying.sent = Some(sent.map_err(|failed| match failed {
                    BeginOrCopy::Begin(error) => Failed { at: FailedAt::Begin, error },
                    BeginOrCopy::Start(error) => Failed { at: FailedAt::Table, error },
                    BeginOrCopy::Copy(error) => Failed { at: FailedAt::Staging, error },
                })?);
            }
            Staging::Session | Staging::Transaction => {
                if first {
                    let begun = session.begin(begin).await.map_err(Failed::at(FailedAt::Begin))?;
                    accept(&begun).map_err(&staging)?;
                }
                copying = Copying { copied: copying.finish(session).await?, sent: None };
                copying.copied += session.copy_in(&statement, text).await.map_err(&staging)?;
            }
        }
    }
    Ok(copying)
}

/// All rows are converted one by one, from text; but for those with a character that the database cannot
/// hold, which are refused beforehand: if these were all that the COPY has tripped over, the others need no
/// loop.
async fn convert_all(plan: &WritePlan, session: &Session, batch: &Batch) -> Result<u64, DbError> {
    session.run(&format!("{};\n{}", names::text_staging(plan), names::refused_table(plan))).await?;
    let mut refused = HashSet::new();
    if plan.encoding == DatabaseEncoding::Some {
        refused = encoding::refuse(session, batch).await?;
    }
    if !refused.is_empty()
        && let Some(staged) = stage_others(session, batch, &refused).await?
    {
        return Ok(staged);
    }
    for run in batch.chunks.chunk_by(|a, b| a.columns == b.columns) {
        let sql = names::copy(names::TEXT, &run[0].columns, false);
        let rows: Vec<StagedRow> =
            run.iter().flat_map(rows_of).filter(|row| !refused.contains(&row.seq)).collect();
        copy_isolating(session, &sql, &rows).await?;
    }
    session.run(&convert::block(plan, batch)).await?;
    count_staged(session).await
}

/// Stages all rows but these as they are; `None`: nothing is staged, one of them does not convert.
async fn stage_others(
    session: &Session,
    batch: &Batch,
    refused: &HashSet<u64>,
) -> Result<Option<u64>, DbError> {
    session.run("SAVEPOINT dbload_others").await?;
    let mut copied = 0;
    for run in batch.chunks.chunk_by(|a, b| a.columns == b.columns) {
        let sql = names::copy(names::STAGE, &run[0].columns, false);
        let rows = run.iter().flat_map(rows_of).filter(|row| !refused.contains(&row.seq)).map(|row| row.text);
        match session.copy_in(&sql, rows).await {
            Ok(rows) => copied += rows,
            Err(error) if error.is_lost() => return Err(error),
            Err(_) => {
                session.run("ROLLBACK TO SAVEPOINT dbload_others").await?;
                return Ok(None);
            }
        }
    }
    session.run("RELEASE SAVEPOINT dbload_others").await?;
    Ok(Some(copied))
}

/// A row of a chunk.
struct StagedRow {
    seq: u64,
    /// The row as a line of COPY text.
    text: Bytes,
}

fn rows_of(chunk: &Chunk) -> impl Iterator<Item = StagedRow> + '_ {
    (0..chunk.rows.len()).map(|n| StagedRow {
        seq: chunk.block.first_seq + u64::from(chunk.rows[n].i),
        text: chunk.bytes.slice_ref(chunk.row(n)),
    })
}

/// COPY of rows into the text staging. What fails it is an error of the data, and of one row: it is found by
/// halving, and refused.
async fn copy_isolating(session: &Session, sql: &str, rows: &[StagedRow]) -> Result<(), DbError> {
    let mut open = vec![rows];
    while let Some(rows) = open.pop() {
        session.run("SAVEPOINT dbload_copy").await?;
        let error = match session.copy_in(sql, rows.iter().map(|row| row.text.clone())).await {
            Ok(_) => {
                session.run("RELEASE SAVEPOINT dbload_copy").await?;
                continue;
            }
            Err(error) => error,
        };
        // The limits of the server (54) halve the batch itself.
        let said = error.server().filter(|said| is_data_exception(&error) && !said.ended_session);
        let Some(said) = said else { return Err(error) };
        session.run("ROLLBACK TO SAVEPOINT dbload_copy").await?;
        if let [row] = rows {
            let refused = format!(
                "INSERT INTO {} (s0, sqlstate, reason) VALUES ({}, {}, {})",
                names::REFUSED,
                row.seq,
                literal(&said.sqlstate),
                literal(&said.message)
            );
            session.run(&refused).await?;
        } else {
            let (first, second) = rows.split_at(rows.len() / 2);
            open.extend([second, first].into_iter().filter(|rows| !rows.is_empty()));
        }
    }
    Ok(())
}

/// COPY left rows out: the server is asked for the reason and the column of each, and where it has none to
/// tell the row is converted by itself.
async fn convert_missing(plan: &WritePlan, session: &Session, batch: &Batch) -> Result<u64, DbError> {
    let sql = format!("SELECT pg_catalog.string_agg(s0::pg_catalog.text, ' ') FROM {}", names::STAGE);
    let present = session.run(&sql).await?;
    let present = present.first().and_then(StatementResult::value).unwrap_or_default();
    let present: HashSet<u64> = present.split(' ').filter_map(|seq| seq.parse().ok()).collect();
    session.run(&format!("{};\n{}", names::text_staging(plan), names::refused_table(plan))).await?;
    let mut missing = 0;
    for run in batch.chunks.chunk_by(|a, b| a.columns == b.columns) {
        let rows: Vec<StagedRow> =
            run.iter().flat_map(rows_of).filter(|row| !present.contains(&row.seq)).collect();
        if !rows.is_empty() {
            missing += rows.len() as u64;
            let sql = names::copy(names::TEXT, &run[0].columns, false);
            session.copy_in(&sql, rows.into_iter().map(|row| row.text)).await?;
        }
    }
    let explained = match explain(plan, session, batch).await {
        Ok(explained) => explained,
        Err(error) if error.is_lost() => return Err(error),
        Err(error) => {
            tracing::debug!(partition = batch.partition, ?error, "values are converted one by one");
            session.run("ROLLBACK TO SAVEPOINT dbload_explain").await?;
            0
        }
    };
    if explained == missing {
        return Ok(present.len() as u64);
    }
    session.run(&convert::block(plan, batch)).await?;
    count_staged(session).await
}

/// How many of the rows in the text staging the server could explain. An input function may still raise,
/// hstore's for one.
async fn explain(plan: &WritePlan, session: &Session, batch: &Batch) -> Result<u64, DbError> {
    let sql = format!(
        "SAVEPOINT dbload_explain;\n{};\nRELEASE SAVEPOINT dbload_explain",
        convert::explain(plan, batch)
    );
    Ok(session.run(&sql).await?.get(1).map_or(0, |outcome| outcome.affected))
}

async fn count_staged(session: &Session) -> Result<u64, DbError> {
    let outcomes = session.run(&format!("SELECT pg_catalog.count(*) FROM {}", names::STAGE)).await?;
    number(outcomes.first(), 0)
}
