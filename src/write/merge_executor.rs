//! From staged rows to stored ones: the executor of merges. Which way a staged batch is merged, and what it
//! comes to.

use crate::account::Books;
use crate::batch::{Batch, Keys};
use crate::ledger::LedgerRef;
use crate::pg::{Action, DbError, Session, Stage, StatementResult, classify, number};
use crate::schema::Mode;

use super::plan::WritePlan;
use super::predictor::Forecast;
use super::sql::merge::KeyLookup;
use super::sql::names::{ASIDE, STAGE};
use super::sql::{dedup, deletions, merge, names, quarantine, row_by_row, unique_constraints};
use super::strategy::Strategy;

/// What staged rows came to.
#[derive(Default)]
pub(super) struct MergeResult {
    pub(super) books: Books,
    /// Some of them went record by record; what was refused is in its table.
    pub(super) row_by_row: bool,
}

/// What is asked first of staged rows where nothing depends on it whether they are staged well: it may go out
/// along with the end of their COPY.
pub(super) fn first_of(plan: &WritePlan, batch: &Batch, strategy: Strategy) -> Option<String> {
    if goes_apart(plan, strategy)
        || batch.may_delete
        || may_repeat(plan, batch)
        || !strategy.all_new(plan) && unique_constraints::probe(plan, batch).is_some()
    {
        return None;
    }
    look(plan, batch, strategy).or_else(|| merge::at_once(plan, batch, strategy))
}

/// Whatever the rows are like, some or all of them go record by record.
fn goes_apart(plan: &WritePlan, strategy: Strategy) -> bool {
    strategy.path.is_row_by_row() || strategy.predictor.refuses() || plan.paths.always_careful.is_some()
}

fn may_repeat(plan: &WritePlan, batch: &Batch) -> bool {
    batch.keys == Keys::MayRepeat && matches!(plan.mode, Mode::Upsert | Mode::Update)
}

/// Merges the staged rows as a set, or record by record where the path asks for it, the rows themselves do,
/// or the last batch was of that kind: then those alone that ask for it, if they can be told from the others.
/// `first`: what [`first_of`] gave.
pub(super) async fn merge(
    merge: Merge<'_>,
    staged: u64,
    first: Option<Vec<StatementResult>>,
) -> Result<MergeResult, DbError> {
    let batch = merge.batch;
    if first.is_some() {
        let books = merge.run_fast(staged, first).await?;
        return Ok(MergeResult { books, row_by_row: false });
    }
    let mut deleted = Books::default();
    let mut staged = staged;
    if batch.may_delete {
        match merge.delete(staged).await? {
            Deleted::AsASet { rows, books } => (staged, deleted) = (staged - rows, books),
            Deleted::NotYet => {
                return Ok(MergeResult { books: merge.run_careful(STAGE).await?, row_by_row: true });
            }
        }
    }
    let mut merged = if staged > 0 { merge.merge_others(staged).await? } else { MergeResult::default() };
    merged.books.add(&deleted);
    Ok(merged)
}

impl Merge<'_> {
    /// Applies the staged rows that delete as a set, if it cannot be told from doing so one by one, and takes
    /// them away.
    async fn delete(&self, staged: u64) -> Result<Deleted, DbError> {
        let Merge { plan, session, batch, strategy, .. } = *self;
        let probe = session.run(&deletions::probe(plan, batch)).await?;
        let rows = number(probe.first(), 0)?;
        if rows == 0 {
            return Ok(Deleted::AsASet { rows, books: Books::default() });
        }
        let row = probe.first().and_then(|outcome| outcome.rows.first());
        let repeats = row.is_none_or(|row| row.get(1).is_none_or(|value| value.as_deref() != Some("f")));
        let table = plan.table();
        // Beside records of other keys they have no order where nothing sees one.
        let is_seen = plan.paths.tied || table.has_row_triggers || table.has_row_security;
        let is_marked = plan.mapping.deletions.as_ref().is_some_and(|deletions| deletions.mark.is_some());
        let has_order = rows < staged && is_seen || is_marked && plan.paths.tied;
        if goes_apart(plan, strategy) || repeats || table.has_children || has_order {
            return Ok(Deleted::NotYet);
        }
        let deleted = affected(session, &deletions::apply(plan, batch)).await?;
        let rest = rows.checked_sub(deleted).ok_or(DbError::Uncounted)?;
        let mut books = Books { deleted, ..Books::default() };
        if rest > 0 {
            let kept = session.run(&deletions::count_kept(plan, batch)).await?;
            books.skipped = number(kept.last(), 0)?.min(rest);
            books.unchanged = rest - books.skipped;
        }
        if rows < staged {
            session.run(&deletions::unstage(plan)).await?;
        }
        Ok(Deleted::AsASet { rows, books })
    }

    /// Merges staged rows of which none deletes.
    async fn merge_others(&self, staged: u64) -> Result<MergeResult, DbError> {
        let merge = *self;
        let Merge { plan, session, batch, strategy, .. } = merge;
        let mut row_by_row = goes_apart(plan, strategy);
        let mut repeated = 0;
        if !row_by_row && may_repeat(plan, batch) {
            let probe = session.run(&dedup::probe(plan)).await?;
            repeated = number(probe.first(), 0)?;
            let row = probe.first().and_then(|outcome| outcome.rows.first());
            let refusable = row.is_some_and(|row| row.get(1).is_some_and(|v| v.as_deref() == Some("t")));
            row_by_row =
                repeated > 0 && (refusable || plan.paths.folding_shows.is_some() || plan.newer_by.is_some());
        }
        // Inserts alone are refused or they are not, whatever their order.
        if !row_by_row && !strategy.all_new(plan) {
            row_by_row = match unique_constraints::probe(plan, batch) {
                None => false,
                Some(None) => true,
                Some(Some(probe)) => {
                    let outcomes = session.run(&probe).await?;
                    outcomes.first().and_then(StatementResult::value) == Some("t")
                }
            };
        }
        if row_by_row {
            return merge.merge_apart(staged).await;
        }
        let mut skipped = 0;
        if repeated > 0 && plan.mode == Mode::Update {
            skipped = affected(session, &dedup::drop_unknown(plan)).await?;
            let probe = session.run(&dedup::probe(plan)).await?;
            repeated = number(probe.first(), 0)?;
        }
        if repeated > 0 {
            session.run(&dedup::fold(plan, batch)).await?;
        }
        let mut books = merge.run_fast(staged - skipped - repeated, None).await?;
        books.deduplicated = repeated;
        books.skipped += skipped;
        Ok(MergeResult { books, row_by_row: false })
    }
}

/// What became of the staged rows that delete.
enum Deleted {
    /// They are applied, and gone from the staging table.
    AsASet {
        /// So many they were.
        rows: u64,
        /// What they came to.
        books: Books,
    },
    /// Nothing: all rows have to go record by record.
    NotYet,
}

/// The merge of one batch's staged rows, or of those that were not set aside.
#[derive(Clone, Copy)]
pub(super) struct Merge<'a> {
    pub(super) plan: &'a WritePlan,
    pub(super) session: &'a Session,
    pub(super) batch: &'a Batch,
    pub(super) strategy: Strategy,
    pub(super) ledger: Option<&'a LedgerRef>,
}

impl Merge<'_> {
    /// Sets rows aside, merges the others as a set, and then those record by record; all of them, where they
    /// cannot be told apart.
    async fn merge_apart(&self, staged: u64) -> Result<MergeResult, DbError> {
        let Merge { plan, session, batch, strategy, .. } = *self;
        if let Some(set_aside) = quarantine::set_aside(plan, batch) {
            let (aside, refused) = (names::aside_table(plan), names::refused_table(plan));
            // Leave to hash what a batch has, which the planner overrates: else it would look through the
            // whole for each row.
            let leave = "SAVEPOINT dbload_aside;\nSET LOCAL work_mem = '256MB'";
            session.run(&format!("{aside};\n{refused};\n{leave}")).await?;
            let remainder = affected(session, &set_aside).await;
            tracing::debug!(partition = batch.partition, staged, ?remainder, "rows set aside");
            let books = match remainder {
                // Nothing speaks against the rows but what the last batch was like.
                Ok(0) if !strategy.path.is_row_by_row() => {
                    session.run("RELEASE SAVEPOINT dbload_aside").await?;
                    let books = self.run_fast(staged, None).await?;
                    return Ok(MergeResult { books, row_by_row: false });
                }
                Ok(remainder) if 0 < remainder && remainder < staged => {
                    let rest = Merge { strategy: Strategy { remainder: true, ..strategy }, ..*self };
                    rest.run_apart(staged - remainder).await.map(Some)
                }
                // What the table has refused before is among the others; or there are none.
                Ok(_) => Ok(None),
                Err(error) => Err(error),
            };
            match books {
                Ok(Some(books)) => return Ok(MergeResult { books, row_by_row: true }),
                Ok(None) => {}
                Err(error) => {
                    tracing::debug!(
                        partition = batch.partition,
                        ?error,
                        "rows that were not set aside refused"
                    );
                    if classify(Stage::Merge { cheap_key: strategy.cheap_key(plan) }, &error)
                        != Action::CarefulPath
                    {
                        return Err(error);
                    }
                }
            }
            session.run("ROLLBACK TO SAVEPOINT dbload_aside").await?;
        }
        Ok(MergeResult { books: self.run_careful(STAGE).await?, row_by_row: true })
    }

    async fn run_apart(&self, rows: u64) -> Result<Books, DbError> {
        let mut books = self.run_fast(rows, None).await?;
        books.add(&self.run_careful(ASIDE).await?);
        Ok(books)
    }

    async fn run_careful(&self, rows: &str) -> Result<Books, DbError> {
        let Merge { plan, session, batch, strategy, ledger } = *self;
        let witness = ledger.map(|ledger| ledger.bear_witness(batch.partition));
        let sql = format!(
            "SET CONSTRAINTS ALL IMMEDIATE;\n{};\n{};\nSELECT pg_catalog.current_setting('dbload.counts')",
            names::refused_table(plan),
            row_by_row::block(plan, batch, rows, strategy.predictor.expect, witness.as_deref())
        );
        let outcomes = session.run(&sql).await?;
        let counts = outcomes.last().and_then(StatementResult::value).unwrap_or_default();
        let mut counts = counts.split(' ').map(|n| n.parse::<u64>().unwrap_or(0));
        let mut next = || counts.next().unwrap_or(0);
        Ok(Books {
            inserted: next(),
            updated: next(),
            unchanged: next(),
            skipped: next(),
            deleted: next(),
            ..Books::default()
        })
    }

    async fn run_fast(&self, rows: u64, mut first: Option<Vec<StatementResult>>) -> Result<Books, DbError> {
        let Merge { plan, session, batch, strategy, .. } = *self;
        let mut alike = 0;
        if let Some(sql) = look(plan, batch, strategy) {
            let outcomes = unless_asked(session, &sql, first.take()).await?;
            alike = number(outcomes.last(), 0)?;
            // There is nothing to do.
            if alike == rows {
                return Ok(Books { unchanged: rows, ..Books::default() });
            }
        }
        let at_once = merge::at_once(plan, batch, strategy);
        let is_one_statement = at_once.is_some();
        let mut books = match at_once {
            Some(sql) => merged(&unless_asked(session, &sql, first).await?)?,
            None => self.insert_and_update(rows).await?,
        };
        // More than there are: a key is stored more than once, in child tables.
        let rest = rows.checked_sub(books.inserted + books.updated).ok_or(DbError::Uncounted)?;
        if rest > 0 {
            // One MERGE writes each row, or finds its stored row alike. Between two statements another
            // program may delete what the first has met.
            let is_found = is_one_statement || alike == rest;
            self.account_for(rows, is_found, &mut books).await?;
        }
        Ok(books)
    }

    /// The rows that no statement has written, by what was met instead; what has no cause has no name in the
    /// books. `is_found`: all of them are alike, as is known already.
    async fn account_for(&self, rows: u64, is_found: bool, books: &mut Books) -> Result<(), DbError> {
        let Merge { plan, session, batch, strategy, .. } = *self;
        let rest = rows - books.inserted - books.updated;
        match plan.mode {
            // A trigger or policy has swallowed them, or nothing has.
            Mode::Append if plan.paths.may_swallow => books.skipped = rest,
            Mode::Append => return Err(DbError::Uncounted),
            // They are stored already, or swallowed.
            Mode::Ignore => books.skipped = rest,
            Mode::Upsert if !plan.paths.may_swallow && plan.newer_by.is_none() => {
                if is_found {
                    books.unchanged = rest;
                    return Ok(());
                }
                // Of a key that was taken for new, or left to what other programs have inserted, or that
                // others have deleted meanwhile, nothing need be there.
                let outcomes = session.run(&merge::count_met(plan, batch, strategy.remainder)).await?;
                if number(outcomes.last(), 0)? < rows {
                    return Err(DbError::Uncounted);
                }
                books.unchanged = rest;
            }
            Mode::Upsert | Mode::Update => {
                let outcomes = session.run(&merge::count_unchanged(plan, batch, strategy.remainder)).await?;
                books.unchanged = number(outcomes.last(), 0)?.min(rest);
                books.skipped = rest - books.unchanged;
            }
        }
        Ok(())
    }

    /// Inserts and updates one after the other, in the order that costs the least.
    async fn insert_and_update(&self, rows: u64) -> Result<Books, DbError> {
        let Merge { plan, session, batch, strategy, .. } = *self;
        let mut books = Books::default();
        let stored = if strategy.all_new(plan) { KeyLookup::NotExpected } else { KeyLookup::LookedUp };
        let update = merge::update(plan, batch, strategy.remainder);
        // Rows that all differ need no insert at all. It cannot be the only update: what another program
        // inserts between the two statements is left alone by the insert and seen by an update behind it.
        if strategy.predictor.expect == Forecast::Changed
            && !plan.paths.may_swallow
            && let Some(sql) = &update
        {
            books.updated = affected(session, sql).await?;
        }
        if books.updated < rows
            && let Some(sql) = merge::insert(plan, batch, strategy.conflicts, stored)
        {
            books.inserted = affected(session, &sql).await?;
        }
        if books.updated + books.inserted < rows
            && let Some(sql) = &update
        {
            books.updated += affected(session, sql).await?;
        }
        Ok(books)
    }
}

/// A look whether all rows are as they should be, where the last batch's were.
fn look(plan: &WritePlan, batch: &Batch, strategy: Strategy) -> Option<String> {
    let is_expected = match strategy.predictor.expect {
        Forecast::AllSame => true,
        // A look more than a MERGE needs.
        Forecast::Same => merge::at_once(plan, batch, strategy).is_none(),
        Forecast::AllNew | Forecast::New | Forecast::Changed => false,
    };
    (is_expected && matches!(plan.mode, Mode::Upsert | Mode::Update))
        .then(|| merge::count_unchanged(plan, batch, strategy.remainder))
}

async fn unless_asked(
    session: &Session,
    sql: &str,
    outcomes: Option<Vec<StatementResult>>,
) -> Result<Vec<StatementResult>, DbError> {
    match outcomes {
        Some(outcomes) => Ok(outcomes),
        None => session.run(sql).await,
    }
}

/// What a MERGE came to, by the counters before and behind it. They must come to what its command tag says:
/// else something besides it has written to the table, a statement trigger, say.
fn merged(outcomes: &[StatementResult]) -> Result<Books, DbError> {
    let [.., before, merge, after] = outcomes else { return Err(DbError::Uncounted) };
    let grown = |column| {
        let (before, after) = (number(Some(before), column)?, number(Some(after), column)?);
        Ok::<u64, DbError>(after.saturating_sub(before))
    };
    let books = Books { inserted: grown(0)?, updated: grown(1)?, ..Books::default() };
    if books.inserted + books.updated == merge.affected { Ok(books) } else { Err(DbError::Uncounted) }
}

async fn affected(session: &Session, sql: &str) -> Result<u64, DbError> {
    Ok(session.run(sql).await?.last().map_or(0, |outcome| outcome.affected))
}
