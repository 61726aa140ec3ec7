//! The end of a load that replaces what is in a table: its rows are put in place, and the run is completed,
//! in one transaction. Whatever keeps it from committing leaves both tables as they were, and the next start
//! of the same command comes here again.

use crate::fault::{self, Point};
use crate::job::Job;
use crate::ledger::{LedgerError, Standing, source_books, standing, summary};
use crate::pg::catalog::{CatalogError, read_table};
use crate::pg::contents::{content_facts, reference_columns};
use crate::pg::sqlstate::{is_changed, is_transient};
use crate::pg::{DbError, Session, number};
use crate::plan::Exchange;
use crate::prepared::{LoadError, Prepared, RunInHand};
use crate::schema::{Reference, Table};
use crate::write::{TargetState, begin_whole, count_both, held_rows, lock_beside, lock_whole, put};

use super::contents::way_now;

/// Why rows are not in place: worth another try at once, as a failure of the server is; or said and done.
type Putting<T> = Result<Result<T, LoadError>, LedgerError>;

fn failed(source: DbError) -> LedgerError {
    LedgerError::Server { doing: "put the new content in place", source }
}

/// Why a load must not empty a table, if it must not: a source has no records, or nothing came of all of
/// them.
pub(super) async fn lacks_records(
    job: &Job,
    prepared: &Prepared,
    run: &RunInHand,
    session: &Session,
) -> Result<Option<LoadError>, LedgerError> {
    if job.removals.allow_empty {
        return Ok(None);
    }
    let (id, mode) = (&run.ledger.run, prepared.plan.mode_name());
    let books = source_books(session, id).await?;
    let read = |ordinal: usize| {
        books
            .iter()
            .filter(|(source, _)| *source as usize == ordinal)
            .map(|(_, books)| books.read)
            .sum::<u64>()
    };
    for (ordinal, input) in prepared.inputs.iter().enumerate() {
        // What is left of a source that failed before is the same source.
        let rest = input.moved_to.map_or(0, |rest| read(rest as usize));
        let is_rest =
            prepared.inputs.iter().any(|other| other.moved_to.is_some_and(|to| to as usize == ordinal));
        if read(ordinal) + rest == 0 && !is_rest {
            return Ok(Some(LoadError::EmptySource { name: input.name.clone(), mode }));
        }
    }
    let sums = summary(session, id).await?.books;
    if sums.inserted + sums.updated + sums.unchanged == 0 {
        return Ok(Some(LoadError::NothingLoaded { read: sums.read, mode }));
    }
    Ok(None)
}

/// Puts the rows in place and completes the run. `keep`: what is stored along with that.
pub(super) async fn put_in_place(
    job: &Job,
    prepared: &Prepared,
    run: &RunInHand,
    session: &Session,
    keep: &str,
) -> Putting<Standing> {
    let mut check = Some(prepared.write.check_target(Some(&run.ledger)));
    loop {
        let done = Put { job, prepared, run, session }.in_transaction(keep, check.as_deref()).await;
        match done {
            Err(LedgerError::AnotherVersion) if check.is_some() => {
                session.roll_back().await;
                match prepared.write.look_again(session, Some(&run.ledger)).await.map_err(failed)? {
                    // How rows would be written there now does not matter any more.
                    TargetState::Same | TargetState::Differs(_) => check = None,
                    TargetState::Lost(change) => {
                        let what = format!("has lost what was loaded beside it ({change})");
                        return Err(LedgerError::TargetChanged { run: run.ledger.run.clone(), what });
                    }
                }
            }
            Ok(Err(error)) => {
                session.roll_back().await;
                return Ok(Err(error));
            }
            Err(error) => {
                session.roll_back().await;
                return Err(error);
            }
            done => return done,
        }
    }
}

struct Put<'a> {
    job: &'a Job,
    prepared: &'a Prepared,
    run: &'a RunInHand,
    session: &'a Session,
}

impl Put<'_> {
    async fn in_transaction(&self, keep: &str, check: Option<&str>) -> Putting<Standing> {
        let Self { prepared, run, session, .. } = *self;
        let (plan, write) = (&prepared.plan, &prepared.write);
        session.begin(&begin_whole(write)).await.map_err(failed)?;
        let held = session.run(&run.ledger.hold()).await.map_err(failed)?;
        if held.first().is_none_or(|held| held.rows.is_empty()) {
            session.roll_back().await;
            return standing(session, &run.ledger.run, run.ledger.epoch).await.map(Ok);
        }
        if let Err(error) = session.run(&lock_whole(plan.target())).await {
            return self.refused(error, None).await;
        }
        if let Some(check) = check {
            session.run(check).await.map_err(|error| match is_changed(&error) {
                true => LedgerError::AnotherVersion,
                false => failed(error),
            })?;
        }
        session.run(&lock_beside(write)).await.map_err(failed)?;
        fault::point(Point::Putting);
        let target = match self.target_now().await? {
            Ok(target) => target,
            Err(error) => return Ok(Err(error)),
        };
        let allows = self.job.removals.allow_cascade;
        let way = match way_now(session, plan, &target, &prepared.facts.role, allows).await {
            Ok(way) => way,
            Err(LoadError::Catalog(CatalogError::Server(error))) => return Err(failed(error)),
            Err(error) => return Ok(Err(error)),
        };
        let mut removed = 0;
        for (sql, removes) in put(write, &target, way == Exchange::ByDifference) {
            match session.run(&sql).await {
                Ok(outcomes) if removes => removed += outcomes.first().map_or(0, |done| done.affected),
                Ok(_) => {}
                Err(error) => return self.refused(error, Some((&target, way))).await,
            }
        }
        let counted = session.run(&count_both(write, &target)).await.map_err(failed)?;
        let count = |column| number(counted.first(), column).map_err(failed);
        let (rows, loaded) = (count(0)?, count(1)?);
        if rows != loaded {
            return Ok(Err(LoadError::KeptOut { table: target.name.plain(), rows, loaded }));
        }
        let drop = format!("DROP TABLE {}", plan.table.name);
        if let Err(error) = session.run(&drop).await {
            return self.refused(error, None).await;
        }
        fault::point(Point::Put);
        let keep = run.ledger.keep_removed(removed) + keep;
        match run.ledger.complete_within(session, &keep).await {
            Ok(()) => Ok(Ok(Standing::Complete)),
            Err(LedgerError::Fenced) => standing(session, &run.ledger.run, run.ledger.epoch).await.map(Ok),
            Err(error) => Err(error),
        }
    }

    /// The target as it is under the lock: its columns are those that were loaded.
    async fn target_now(&self) -> Putting<Table> {
        let plan = &self.prepared.plan;
        let name = &plan.target().name;
        let now = match read_table(self.session, name).await {
            Ok(now) => now,
            Err(CatalogError::Server(error)) => return Err(failed(error)),
            Err(error) => return Ok(Err(error.into())),
        };
        let run = self.run.ledger.run.clone();
        let changed = |what: &str| {
            let what = what.to_owned();
            Ok(Err(LedgerError::TargetChanged { run: run.clone(), what }.into()))
        };
        match now {
            None => changed("is gone"),
            Some(now) if now.oid != plan.target().oid && !self.is_same_table(&now) => {
                changed("was dropped and created again, with other columns")
            }
            Some(now) if !self.is_same_table(&now) => {
                changed("has other columns than when it was loaded for")
            }
            Some(now) => Ok(Ok(now)),
        }
    }

    fn is_same_table(&self, now: &Table) -> bool {
        let columns = |table: &Table| {
            let columns = table.columns.iter();
            let of = columns.map(|c| (c.name.clone(), c.type_name.clone(), c.generated));
            of.collect::<Vec<_>>()
        };
        columns(now) == columns(&self.prepared.plan.table)
    }

    /// What the server has said: to be tried again, or that the table does not take the rows.
    async fn refused(&self, error: DbError, by: Option<(&Table, Exchange)>) -> Putting<Standing> {
        if is_transient(&error) {
            return Err(failed(error));
        }
        self.session.roll_back().await;
        let held = match by {
            Some((target, Exchange::ByDifference)) => self.held(&error, target).await,
            _ => None,
        };
        let table = self.prepared.plan.target().name.plain();
        Ok(Err(LoadError::NotReplaced { table, held, source: error }))
    }

    /// How many rows that are to go the foreign key holds that has refused it, as far as this role can see.
    async fn held(&self, error: &DbError, target: &Table) -> Option<String> {
        let constraint = error.constraint()?;
        let facts = content_facts(self.session, target.oid).await.ok()?;
        let is_it = |key: &&Reference| key.constraint == constraint;
        let key = facts.references.iter().find(is_it)?;
        let columns = reference_columns(self.session, key).await.ok()?;
        let question = held_rows(&self.prepared.write, target, &key.table, &columns);
        let counted = self.session.run(&question).await.ok()?;
        let rows = number(counted.first(), 0).ok().filter(|rows| *rows > 0)?;
        Some(format!(
            "rows that no source has, and that {} still refers to by foreign key {constraint:?}: {rows}",
            key.table
        ))
    }
}
