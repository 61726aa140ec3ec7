//! The end of a load in mode sync: the rows that no record was about are removed, and the run is completed,
//! in one transaction. Whatever keeps it from committing removes nothing, and the next start of the same
//! command comes here again.

use crate::event::{Event, Totals};
use crate::fault::{self, Point};
use crate::job::Job;
use crate::ledger::{LedgerError, Standing, standing};
use crate::pg::catalog::CatalogError;
use crate::pg::contents::content_facts;
use crate::pg::sqlstate::{is_changed, is_transient};
use crate::pg::{Action, DbError, Session, Stage, StatementResult, classify, number};
use crate::plan::refuse_removing;
use crate::prepared::{LoadError, Prepared, RunInHand};
use crate::write::{
    TargetState, begin_whole, count_rows, lock_whole, look_for_gone, remove_all, remove_each,
};

use super::outcome::Watch;

type Removing<T> = Result<Result<T, LoadError>, LedgerError>;

fn failed(source: DbError) -> LedgerError {
    LedgerError::Server { doing: "remove the rows that are in no source", source }
}

/// The end of a run that removes rows.
pub(super) struct Removal<'a> {
    pub(super) job: &'a Job,
    pub(super) prepared: &'a Prepared,
    pub(super) run: &'a RunInHand,
    pub(super) session: &'a Session,
    pub(super) watch: &'a Watch<'a>,
}

/// What was removed, and what was not, and why.
struct Removed {
    rows: u64,
    kept: u64,
    held_by: String,
}

impl Removal<'_> {
    /// Removes rows and completes the run. `keep`: what is stored along with that.
    pub(super) async fn complete(&self, keep: &str) -> Removing<Standing> {
        let Self { prepared, run, session, .. } = *self;
        let mut check = Some(prepared.write.check_target(Some(&run.ledger)));
        loop {
            match self.in_transaction(keep, check.as_deref()).await {
                Err(LedgerError::AnotherVersion) if check.is_some() => {
                    session.roll_back().await;
                    match prepared.write.look_again(session, Some(&run.ledger)).await.map_err(failed)? {
                        TargetState::Same => check = None,
                        TargetState::Differs(change) | TargetState::Lost(change) => {
                            let what = format!("was changed ({change})");
                            return Err(LedgerError::TargetChanged { run: run.ledger.run.clone(), what });
                        }
                    }
                }
                Ok(Ok(standing)) => return Ok(Ok(standing)),
                done => {
                    session.roll_back().await;
                    return done;
                }
            }
        }
    }

    async fn in_transaction(&self, keep: &str, check: Option<&str>) -> Removing<Standing> {
        let Self { prepared, run, session, .. } = *self;
        let write = &prepared.write;
        session.begin(&begin_whole(write)).await.map_err(failed)?;
        let held = session.run(&run.ledger.hold()).await.map_err(failed)?;
        if held.first().is_none_or(|held| held.rows.is_empty()) {
            session.roll_back().await;
            return standing(session, &run.ledger.run, run.ledger.epoch).await.map(Ok);
        }
        session.run(&lock_whole(&prepared.plan.table)).await.map_err(failed)?;
        if let Some(check) = check {
            session.run(check).await.map_err(|error| match is_changed(&error) {
                true => LedgerError::AnotherVersion,
                false => failed(error),
            })?;
        }
        fault::point(Point::Putting);
        let removed = match self.removed().await? {
            Ok(removed) => removed,
            Err(error) => return Ok(Err(error)),
        };
        fault::point(Point::Put);
        let mut keep = run.ledger.forget_met() + keep;
        if let Some(removed) = &removed {
            keep = run.ledger.keep_removed(removed.rows) + &keep;
        }
        match run.ledger.complete_within(session, &keep).await {
            Ok(()) => {
                self.tell(removed.as_ref());
                Ok(Ok(Standing::Complete))
            }
            Err(LedgerError::Fenced) => standing(session, &run.ledger.run, run.ledger.epoch).await.map(Ok),
            Err(error) => Err(error),
        }
    }

    /// `None`: it is not known of all records what they were about, so that nothing may go.
    async fn removed(&self) -> Removing<Option<Removed>> {
        let Self { job, prepared, run, session, .. } = *self;
        let (plan, write) = (&prepared.plan, &prepared.write);
        let unread = session.run(&run.ledger.unread_query()).await.map_err(failed)?;
        let unread = number(unread.last(), 0).map_err(failed)?;
        if unread > 0 {
            self.note(format!(
                "nothing was removed: rejected records whose key could not be read, and that may be about any row: {unread}"
            ));
            return Ok(Ok(None));
        }
        // Foreign keys may have come since the plan was made.
        let facts = match content_facts(session, plan.table.oid).await {
            Ok(facts) => facts,
            Err(CatalogError::Server(error)) => return Err(failed(error)),
            Err(error) => return Ok(Err(error.into())),
        };
        if let Err(refusal) = refuse_removing(plan, &facts, &prepared.facts.role, job.removals.allow_cascade)
        {
            return Ok(Err(refusal.into()));
        }
        let found = session.run(&look_for_gone(write, &run.ledger)).await.map_err(failed)?;
        let count = |column| number(found.last(), column).map_err(failed);
        let (rows, gone, null, unmet) = (count(0)?, count(1)?, count(2)?, count(3)?);
        if unmet > 0 && plan.table.has_before_row_triggers {
            self.note(format!(
                "nothing was removed: keys of records that are in no row, and that a BEFORE trigger may have changed: {unmet}"
            ));
            return Ok(Ok(None));
        }
        if null > 0 {
            self.note(format!(
                "rows whose key has a null, so that no record can be about them, stay: {null}"
            ));
        }
        let limit = job.removals.max;
        if limit.is_exceeded(gone, rows) {
            let table = plan.table.name.plain();
            return Ok(Err(LoadError::TooManyRemovals { table, gone, rows, limit: limit.words() }));
        }
        let removed = self.remove(gone).await?;
        let left = session.run(&count_rows(write)).await.map_err(failed)?;
        let left = number(left.first(), 0).map_err(failed)?;
        if left + removed.rows != rows {
            let table = plan.table.name.plain();
            return Ok(Err(LoadError::OthersGone {
                table,
                removed: removed.rows,
                lost: rows.saturating_sub(left),
            }));
        }
        Ok(Ok(Some(removed)))
    }

    async fn remove(&self, gone: u64) -> Result<Removed, LedgerError> {
        let Self { prepared, session, .. } = *self;
        let none = Removed { rows: 0, kept: 0, held_by: String::new() };
        if gone == 0 {
            return Ok(none);
        }
        session.run("SAVEPOINT dbload_remove").await.map_err(failed)?;
        match session.run(&remove_all(&prepared.write)).await {
            Ok(outcomes) => {
                let rows = outcomes.first().map_or(0, |done| done.affected);
                Ok(Removed { rows, kept: gone.saturating_sub(rows), ..none })
            }
            Err(error) if !is_of_a_row(&error) => Err(failed(error)),
            Err(_) => {
                session.run("ROLLBACK TO SAVEPOINT dbload_remove").await.map_err(failed)?;
                let outcomes = session.run(&remove_each(&prepared.write)).await.map_err(failed)?;
                let rows = number(outcomes.last(), 0).map_err(failed)?;
                let row = outcomes.last().and_then(|outcome: &StatementResult| outcome.rows.first());
                let held_by = row.and_then(|row| row.get(1).cloned().flatten()).unwrap_or_default();
                Ok(Removed { rows, kept: gone.saturating_sub(rows), held_by })
            }
        }
    }

    fn tell(&self, removed: Option<&Removed>) {
        let Some(Removed { kept: kept @ 1.., held_by, .. }) = removed else { return };
        let by = match held_by.as_str() {
            "" => "a trigger or a policy".to_owned(),
            constraint => format!("{constraint:?}, and perhaps others like it"),
        };
        self.note(format!("rows that are in no source and stay all the same, held by {by}: {kept}"));
    }

    fn note(&self, text: String) {
        (self.watch.listener)(&Event::Note { text }, &Totals::default());
    }
}

/// A row was refused, and others may not be.
fn is_of_a_row(error: &DbError) -> bool {
    !is_transient(error) && classify(Stage::Merge { cheap_key: None }, error) == Action::CarefulPath
}
