//! One batch, one transaction: stage, merge, keep the rejects, move the checkpoint, commit.

use std::time::Instant;

use crate::account::{Books, SourceBooks};
use crate::batch::Batch;
use crate::fault::{self, Defect, Point};
use crate::pg::{
    CopyOrStatement, ErrorView, Outcome, Sent, Session, UNBALANCED, is_changed, may_be_changed_table,
};
use crate::schema::{Mode, Relation};

use super::changed::refuse_changed_table;
use super::merge::Conflicts;
use super::outlook::{Direct, Expect, Outlook};
use super::plan::WritePlan;
use super::rejects::{Originals, StoredReject};
use super::stage::Staged;
use super::writer::LedgerRef;
use super::{direct, judge, names, rejects, stage};

/// How a batch is to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Path {
    /// Typed staging, set-based merge.
    Fast,
    /// Text staging and conversion in a loop, then the merge: COPY refused a value.
    Converting,
    /// As above, but record by record: the merge was refused.
    Careful,
    /// Conversion in a loop, and record by record.
    ConvertingCareful,
}

impl Path {
    pub(super) const fn converts(self) -> bool {
        matches!(self, Self::Converting | Self::ConvertingCareful)
    }
    pub(super) const fn is_careful(self) -> bool {
        matches!(self, Self::Careful | Self::ConvertingCareful)
    }
    /// The path to take when conversion was refused.
    pub(super) const fn converting(self) -> Self {
        if self.is_careful() { Self::ConvertingCareful } else { Self::Converting }
    }
    /// The path to take when the merge was refused.
    pub(super) const fn careful(self) -> Self {
        if self.converts() { Self::ConvertingCareful } else { Self::Careful }
    }
}

/// A path, what is expected of other programs, and of the rows. The result depends on none of them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Way {
    pub(super) path: Path,
    pub(super) conflicts: Conflicts,
    pub(super) outlook: Outlook,
    /// Whether its rows have been tried straight into the table.
    pub(super) direct: Direct,
    /// The merge may begin before it is known whether all rows are staged.
    pub(super) at_once: bool,
    /// These are the rows that are left of a batch of which others were set aside.
    pub(super) apart: bool,
}

impl Way {
    /// Whether rows are inserted without a look for their keys: the unique index of the key has the last word on each. (Of a
    /// partitioned table it is a partition's that the server names.)
    pub(super) fn all_new(self, plan: &WritePlan) -> bool {
        self.outlook.expect == Expect::AllNew
            && self.conflicts == Conflicts::NotExpected
            && plan.mode == Mode::Upsert
            && plan.key_index.is_some()
            && plan.table().relation == Relation::Table
            && !plan.table().has_children
            && !plan.paths.may_swallow
    }

    /// The unique index of the key, where a stored key is not expected and would mean another program.
    pub(super) fn cheap_key(self, plan: &WritePlan) -> Option<&str> {
        let key = plan.key_index.filter(|_| self.conflicts == Conflicts::NotExpected)?;
        Some(&plan.table().unique[key].name)
    }
}

/// Where a transaction failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FailedAt {
    /// No connection could be had.
    Connect,
    /// Before any value was looked at.
    Begin,
    /// In the COPY into staging, or the conversion.
    Staging,
    /// In the merge, or in the constraints at its end.
    Merge,
    /// The table is not the one that the plan was made for.
    Table,
    /// The table has another version than was known.
    Target,
    /// In writing the ledger.
    Ledger,
    /// COMMIT was sent.
    Commit,
}

impl FailedAt {
    /// At the table or in what is staged for it: its own statements have failed.
    pub(super) const fn is_before_ledger(self) -> bool {
        match self {
            Self::Begin | Self::Staging | Self::Merge | Self::Table => true,
            Self::Connect | Self::Target | Self::Ledger | Self::Commit => false,
        }
    }
}

/// A transaction that did not commit, as far as is known.
#[derive(Debug)]
pub(super) struct Failed {
    pub(super) at: FailedAt,
    pub(super) error: ErrorView,
}

impl Failed {
    pub(super) const fn at(at: FailedAt) -> impl Fn(ErrorView) -> Self {
        move |error| Self { at, error }
    }
}

/// What a batch came to.
#[derive(Debug, Clone, Default)]
pub struct Committed {
    /// Its books.
    pub books: Books,
    /// Its books by source.
    pub sources: Vec<(u32, SourceBooks)>,
    /// Rejects, where no ledger keeps them.
    pub rejects: Vec<StoredReject>,
    /// It took the careful path.
    pub careful: bool,
    /// Whether its rows went straight into the table.
    pub direct: Direct,
    /// Seconds in COPY, in the merge, and in the commit.
    pub seconds: [f64; 3],
}

/// What every transaction of a writer needs.
pub(super) struct Context<'a> {
    pub(super) plan: &'a WritePlan,
    pub(super) ledger: Option<&'a LedgerRef>,
    pub(super) originals: &'a Originals,
    /// Whether another batch is waiting for its turn.
    pub(super) more: &'a (dyn Fn() -> bool + Sync),
}

/// What has become of a batch.
pub(super) enum Written {
    /// It is committed.
    Committed(Committed),
    /// Nothing is done, and this way is the next to try.
    Not(Way),
}

/// Writes a batch and commits it.
pub(super) async fn write(
    context: &Context<'_>,
    session: &Session,
    batch: &Batch,
    way: Way,
) -> Result<Written, Failed> {
    let plan = context.plan;
    let began = Instant::now();
    let mut committed = Committed { direct: way.direct, ..Committed::default() };
    let straight = way.path == Path::Fast
        && way.direct == Direct::NotTried
        && way.outlook.all_new()
        && direct::suits(plan, batch);
    let mut sent = None;
    let repeats;
    let (rest, Staged { rows: staged, at: copied, first }) = if straight {
        let Some(copied) = direct::copy(context, session, batch).await? else {
            return Ok(Written::Not(Way { direct: Direct::Refused, ..way }));
        };
        committed.direct = Direct::Done;
        committed.books.inserted = copied.inserted;
        sent = copied.sent;
        repeats = copied.repeats;
        (&repeats, Staged::now(copied.staged))
    } else {
        let begin = names::begin(plan, batch.partition, context.ledger);
        let Some(staged) = stage::begin_and_stage(plan, session, batch, way, &begin).await? else {
            return Ok(Written::Not(Way { at_once: false, ..way }));
        };
        (batch, staged)
    };
    fault::point(Point::Copied);
    let mut refused = staged < rest.rows;
    let mut rejected = rejects::of_batch(batch, context.originals);
    if staged > 0 {
        let verdict = judge::merge(plan, session, rest, way, (staged, first))
            .await
            .map_err(Failed::at(FailedAt::Merge))?;
        refused |= verdict.careful;
        committed.careful = verdict.careful;
        committed.books.add(&verdict.books);
    }
    if refused {
        let of_server = rejects::of_server(session, plan, batch, context.originals)
            .await
            .map_err(Failed::at(FailedAt::Merge))?;
        if of_server.iter().any(|reject| may_be_changed_table(&reject.sqlstate)) {
            refuse_changed_table(plan, session).await.map_err(Failed::at(FailedAt::Table))?;
        }
        rejected.extend(of_server);
        rejected.sort_by_key(|r| (r.source, r.record));
    }
    committed.rejects = rejected;
    let committed = finish(context, session, batch, committed, sent, [began, copied]).await?;
    Ok(committed.map_or(Written::Not(Way { direct: Direct::Refused, ..way }), Written::Committed))
}

/// Judges deferred constraints, closes the books of the batch, and commits. `None`: the table has refused a row that went straight
/// into it, and nothing is done.
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
    committed.sources = by_source(batch, &committed.rejects);
    if fault::defect(Defect::CountTwice)
        && let Some((_, source)) = committed.sources.first_mut()
    {
        source.read += 1;
        committed.books.read += 1;
        committed.books.inserted += 1;
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
    if context.ledger.is_some() {
        // Kept there, and held by nobody here.
        committed.rejects.clear();
    }
    committed.seconds =
        [(copied - began).as_secs_f64(), (merged - copied).as_secs_f64(), merged.elapsed().as_secs_f64()];
    Ok(Some(committed))
}

fn by_source(batch: &Batch, rejected: &[StoredReject]) -> Vec<(u32, SourceBooks)> {
    let books = |source: u32, read: u64| {
        let rejected = rejected.iter().filter(|reject| reject.source == source).count() as u64;
        (source, SourceBooks { read, rejected })
    };
    batch.sources.iter().map(|s| books(s.source, s.read)).collect()
}

/// Why a batch was not committed.
enum NotCommitted {
    /// The COPY straight into the table was refused.
    Refused(ErrorView),
    /// The server has counted other rows than were sent straight into the table: something besides the COPY has written to it.
    Uncounted,
    /// Something failed.
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
        // In a transaction that was aborted behind our back COMMIT is a ROLLBACK without an error; SELECT is one.
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
                ledger.advance(batch, committed, &direct::rows_noted(context.plan))
            } else {
                ledger.advance(batch, committed, &committed.books.inserted.to_string())
            }
        }
    });
    statements.push("COMMIT".to_owned());
    fault::point(Point::RejectsStored);
    match session.commit(&statements.join(";\n"), sent, (context.more)()).await {
        Ok(copied) => {
            fault::point(Point::Committed);
            Ok(copied)
        }
        // The server's word on the COPY: then nothing behind it was done. Else nobody knows how far it came.
        Err(CopyOrStatement::Copy(error)) if error.sqlstate.is_some() => Err(NotCommitted::Refused(error)),
        // The server was still judging: nothing behind it was done.
        Err(CopyOrStatement::Statement(0, error)) if error.sqlstate.is_some() && !error.lost => {
            Err(NotCommitted::Failed(Failed { at: FailedAt::Merge, error }))
        }
        Err(CopyOrStatement::Statement(1, error)) if error.sqlstate.is_some() && !error.lost => {
            let at = if is_changed(error.sqlstate.as_deref()) { FailedAt::Target } else { FailedAt::Ledger };
            Err(NotCommitted::Failed(Failed { at, error }))
        }
        Err(CopyOrStatement::Statement(_, error))
            if counted_later && error.sqlstate.as_deref() == Some(UNBALANCED) =>
        {
            Err(NotCommitted::Uncounted)
        }
        Err(CopyOrStatement::Copy(error) | CopyOrStatement::Statement(_, error)) => {
            Err(NotCommitted::Failed(Failed { at: FailedAt::Commit, error }))
        }
    }
}

pub(super) fn number(outcome: Option<&Outcome>, column: usize) -> Result<u64, ErrorView> {
    outcome.and_then(|o| o.rows.first()?.get(column)?.as_deref()?.parse().ok()).ok_or_else(|| ErrorView {
        message: "the server's answer is not a number".to_owned(),
        ..ErrorView::default()
    })
}
