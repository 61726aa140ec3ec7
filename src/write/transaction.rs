//! One batch, one transaction: stage, merge, keep the rejects, move the checkpoint, commit.

use std::time::Instant;

use crate::account::SourceBooks;
use crate::batch::Batch;
use crate::fault::{self, Defect, Point};
use crate::ledger::Advance;
use crate::pg::sqlstate::{is_changed, is_unbalanced, may_be_changed_table};
use crate::pg::{CopyOrStatement, DbError, Sent, Session};

use super::changed::refuse_changed_table;
use super::context::Context;
use super::merge_executor::Merge;
use super::outcome::{Committed, Failed, FailedAt, Written};
use super::predictor::Direct;
use super::reject::{Rejected, reasons};
use super::sql::names;
use super::stage::Staged;
use super::strategy::{Strategy, WritePath};
use super::{direct, mark, merge_executor, met, rejects, stage};

/// Writes a batch and commits it.
pub(super) async fn write(
    context: &Context<'_>,
    session: &Session,
    batch: &Batch,
    strategy: Strategy,
) -> Result<Written, Failed> {
    let plan = context.plan;
    let began = Instant::now();
    let mut committed = Committed { direct: strategy.direct, ..Committed::default() };
    let straight = strategy.path == WritePath::SetBased
        && strategy.direct == Direct::NotTried
        && strategy.predictor.all_new()
        && direct::suits(plan, batch);
    let mut sent = None;
    let repeats;
    let (rest, Staged { rows: staged, at: copied, first }) = if straight {
        let Some(copied) = direct::copy(context, session, batch).await? else {
            return Ok(Written::Not(Strategy { direct: Direct::Refused, ..strategy }));
        };
        committed.direct = Direct::Done;
        committed.books.inserted = copied.inserted;
        sent = copied.sent;
        repeats = copied.repeats;
        (&repeats, Staged::now(copied.staged))
    } else {
        let begin = names::begin(plan, batch.partition, context.ledger);
        let Some(staged) = stage::begin_and_stage(plan, session, batch, strategy, &begin).await? else {
            return Ok(Written::Not(Strategy { at_once: false, ..strategy }));
        };
        (batch, staged)
    };
    fault::point(Point::Copied);
    if plan.keeps_met {
        met::keep(context, session, batch, staged).await.map_err(Failed::at(FailedAt::Ledger))?;
    }
    let mut refused = staged < rest.rows;
    let mut rejected = rejects::of_batch(batch, context.originals);
    if staged > 0 {
        let merge = Merge { plan, session, batch: rest, strategy, ledger: context.ledger };
        let verdict =
            merge_executor::merge(merge, staged, first).await.map_err(Failed::at(FailedAt::Merge))?;
        refused |= verdict.row_by_row;
        committed.row_by_row = verdict.row_by_row;
        committed.books.add(&verdict.books);
    }
    if refused {
        let of_server = rejects::of_server(session, plan, batch, context.originals)
            .await
            .map_err(Failed::at(FailedAt::Merge))?;
        if of_server.iter().any(|found| may_be_changed_table(&found.reject.sqlstate)) {
            refuse_changed_table(plan, session).await.map_err(Failed::at(FailedAt::Table))?;
        }
        rejected.extend(of_server);
        rejected.sort_by_key(|r| (r.reject.place.source, r.reject.place.record));
    }
    committed.rejects = rejected;
    let committed = finish(context, session, batch, committed, sent, [began, copied]).await?;
    Ok(committed.map_or(Written::Not(Strategy { direct: Direct::Refused, ..strategy }), Written::Committed))
}

/// Judges deferred constraints, closes the books of the batch, and commits. `None`: the table has refused a
/// row that went straight into it, and nothing is done.
async fn finish(
    context: &Context<'_>,
    session: &Session,
    batch: &Batch,
    mut committed: Committed,
    sent: Option<Sent>,
    [began, mut copied]: [Instant; 2],
) -> Result<Option<Committed>, Failed> {
    fault::point(Point::Merged);
    committed.books.read = batch.read();
    committed.books.rejected = committed.rejects.len() as u64;
    committed.books.skipped += batch.left_out();
    committed.sources = by_source(batch, &committed.rejects);
    if fault::defect(Defect::CountTwice)
        && let Some((_, source)) = committed.sources.first_mut()
    {
        source.read += 1;
        committed.books.read += 1;
        committed.books.inserted += 1;
    }
    if let Some(column) = &context.plan.mark {
        committed.marked = Some(Box::new(mark::of_batch(column, batch, &committed.rejects)));
    }
    let mut merged = Instant::now();
    match commit(context, session, batch, &committed, sent).await {
        Ok(None) => {}
        Ok(Some((rows, at))) => {
            committed.books.inserted = rows;
            (copied, merged) = (at, at);
        }
        Err(NotCommitted::Refused(error)) => return direct::refuses(batch, error).map(|()| None),
        Err(NotCommitted::Uncounted) => return Ok(None),
        Err(NotCommitted::Failed(failed)) => return Err(failed),
    }
    if context.is_recorded {
        committed.reasons = reasons(&committed.rejects);
    }
    if context.ledger.is_some() {
        // Kept there, and held by nobody here.
        committed.rejects.clear();
    }
    committed.seconds =
        [(copied - began).as_secs_f64(), (merged - copied).as_secs_f64(), merged.elapsed().as_secs_f64()];
    Ok(Some(committed))
}

fn by_source(batch: &Batch, rejected: &[Rejected]) -> Vec<(u32, SourceBooks)> {
    let books = |source: u32, read: u64| {
        let rejected = rejected.iter().filter(|r| r.reject.place.source == source).count() as u64;
        (source, SourceBooks { read, rejected })
    };
    batch.sources.iter().map(|s| books(s.source, s.read)).collect()
}

/// Why a batch was not committed.
enum NotCommitted {
    /// The COPY straight into the table was refused.
    Refused(DbError),
    /// The server has counted other rows than were sent straight into the table: something besides the COPY
    /// has written to it.
    Uncounted,
    /// A statement or the connection failed.
    Failed(Failed),
}

/// Judges deferred constraints, keeps the rejects, asks whether the table is what it was, moves the
/// checkpoint, commits, all but the rejects in one round trip: the question raises before COMMIT, and so does
/// the fence if the batch is not the next one. A COPY that is yet to be ended ends in the same round trip:
/// its number, and when it was there.
async fn commit(
    context: &Context<'_>,
    session: &Session,
    batch: &Batch,
    committed: &Committed,
    sent: Option<Sent>,
) -> Result<Option<(u64, Instant)>, NotCommitted> {
    const JUDGE: &str = "SET CONSTRAINTS ALL IMMEDIATE";
    let failed = |at| move |error| NotCommitted::Failed(Failed { at, error });
    let counted_later = sent.is_some();
    let mut statements = vec![JUDGE.to_owned(), context.plan.check_target(context.ledger)];
    if batch.done && context.plan.asynchronous_commit {
        statements.push(names::SYNCHRONOUS.to_owned());
    }
    statements.push(match context.ledger {
        // In a transaction that was aborted behind our back COMMIT is a ROLLBACK without an error; SELECT is
        // one.
        None => "SELECT 1".to_owned(),
        Some(ledger) => {
            if !committed.rejects.is_empty() {
                session.run(JUDGE).await.map_err(failed(FailedAt::Merge))?;
                rejects::store(session, context.plan.encoding, &ledger.run, &committed.rejects)
                    .await
                    .map_err(failed(FailedAt::Ledger))?;
            }
            if fault::defect(Defect::SkipCheckpoint) && batch.after.record.is_multiple_of(3) {
                "SELECT 1".to_owned()
            } else if counted_later {
                ledger.advance(&advance(batch, committed, &direct::rows_noted(context.plan)))
            } else {
                ledger.advance(&advance(batch, committed, &committed.books.inserted.to_string()))
            }
        }
    });
    let mark = committed.marked.as_ref().and_then(|marked| marked.greatest.as_ref());
    if let (Some(ledger), Some(mark)) = (context.ledger, mark) {
        statements.push(ledger.move_mark(batch.partition, &mark.text, mark.order));
    }
    statements.push("COMMIT".to_owned());
    fault::point(Point::RejectsStored);
    match session.commit(&statements.join(";\n"), sent, (context.more)()).await {
        Ok(copied) => {
            fault::point(Point::Committed);
            Ok(copied)
        }
        // The server's word on the COPY: then nothing behind it was done. Else nobody knows how far it came.
        Err(CopyOrStatement::Copy(error)) if error.server().is_some() => Err(NotCommitted::Refused(error)),
        // The server was still judging: nothing behind it was done.
        Err(CopyOrStatement::Statement(0, error)) if error.server().is_some() && !error.is_lost() => {
            Err(NotCommitted::Failed(Failed { at: FailedAt::Merge, error }))
        }
        Err(CopyOrStatement::Statement(1, error)) if error.server().is_some() && !error.is_lost() => {
            let at = if is_changed(&error) { FailedAt::Target } else { FailedAt::Ledger };
            Err(NotCommitted::Failed(Failed { at, error }))
        }
        Err(CopyOrStatement::Statement(_, error)) if counted_later && is_unbalanced(&error) => {
            Err(NotCommitted::Uncounted)
        }
        Err(CopyOrStatement::Copy(error) | CopyOrStatement::Statement(_, error)) => {
            Err(NotCommitted::Failed(Failed { at: FailedAt::Commit, error }))
        }
    }
}

/// The step of the checkpoint over a batch.
fn advance<'a>(batch: &'a Batch, committed: &'a Committed, inserted: &'a str) -> Advance<'a> {
    Advance {
        partition: batch.partition,
        before: &batch.before,
        after: &batch.after,
        done: batch.done,
        books: &committed.books,
        inserted,
        careful: committed.row_by_row,
        sources: &committed.sources,
        digest: batch.digest,
        page: batch.page.as_deref(),
    }
}
