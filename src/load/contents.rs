//! Loads that are about the whole content of a table: the table beside it, from the first start to the moment
//! in which its rows take their place.

use std::sync::Arc;

use crate::ledger::{
    BEGIN_RECORDING, BESIDE, FORGET_OVER, Ledger, LedgerError, Owner, Unfinished, sweep_beside, table_beside,
    unfinished_run,
};
use crate::pg::catalog::read_table;
use crate::pg::contents::{ContentFacts, content_facts};
use crate::pg::sqlstate::is_lock_timeout;
use crate::pg::{Lease, Session};
use crate::plan::{Exchange, Plan, Refusal, Replacing, refuse_part, refuse_removing, refuse_replacing};
use crate::prepared::{Act, LoadError, RunInHand};
use crate::schema::{RemovalLimit, Rest, Table};
use crate::write::create_beside;

use super::made::TableOrigin;
use super::record_run::{Recording, new_run};
use super::resume::anew;
use super::settings::{identities, refuse_wide};
use super::slots::open;
use super::start::Start;

/// What is beside a table that an unfinished run loads into.
pub(super) struct Beside {
    /// The run.
    pub(super) run: String,
    /// The plan of loading into it; `None`: it is gone.
    pub(super) plan: Option<Plan>,
}

impl Start<'_> {
    /// What the load is to do can be done, as far as the table and the flags say; what is to be known of it
    /// is a note of the plan. Without a session nothing is around the table, since it is a new one.
    pub(super) async fn judge_contents(
        &self,
        session: Option<&Session>,
        plan: &mut Plan,
    ) -> Result<(), LoadError> {
        let removals = &self.job.removals;
        if plan.rest == Rest::Stays {
            let flags = [
                ("--allow-empty", removals.allow_empty),
                ("--allow-cascade", removals.allow_cascade),
                ("--max-removals", removals.max != RemovalLimit::Usual),
            ];
            let Some((flag, _)) = flags.into_iter().find(|(_, is_said)| *is_said) else { return Ok(()) };
            return Err(Refusal::new(
                format!("{flag}: mode {} leaves rows that are in no source alone", plan.mode_name()),
                "leave it out, or use --mode replace or sync",
            )
            .into());
        }
        if self.act == Act::Verify {
            return Ok(());
        }
        self.refuse_partial(plan)?;
        refuse_part(plan)?;
        let facts = match session {
            Some(session) => content_facts(session, plan.table.oid).await?,
            None => ContentFacts::of_new(),
        };
        let role = &self.facts.role;
        let notes = if plan.rest == Rest::Removed {
            refuse_removing(plan, &facts, role, removals.allow_cascade)?
        } else {
            if removals.max != RemovalLimit::Usual {
                return Err(Refusal::new(
                    "--max-removals with --mode replace: all rows of before go",
                    "leave it out, or use --mode sync",
                )
                .into());
            }
            refuse_replacing(plan, &facts, role, removals.allow_cascade)?.1
        };
        plan.notes.extend(notes);
        Ok(())
    }

    /// A load of a part of what is to be in the table would take away the rest.
    fn refuse_partial(&self, plan: &Plan) -> Result<(), Refusal> {
        let (job, mode) = (self.job, plan.mode_name());
        let named = job.named.as_ref();
        let odd = [
            (
                job.runs.no_ledger || !Act::Load.keeps_ledger(job),
                "--no-ledger",
                "the next start would not know what this one has done",
                "leave it out",
            ),
            (
                job.runs.skip_records > 0,
                "--skip-records",
                "rows of what is passed over would be gone",
                "leave it out",
            ),
            (
                !job.runs.accept_changed.is_empty(),
                "--accept-changed",
                "records of one of the two contents would be passed over, and their rows be gone",
                "--restart loads all sources from their start",
            ),
            (
                named.is_some_and(|named| named.watermark.is_some()),
                "a watermark",
                "rows of what is not asked for again would be gone",
                "leave the watermark out, or use mode upsert",
            ),
            (
                named.is_some_and(|named| named.window.is_some()),
                "windows",
                "each would take away the rows of the one before",
                "leave the windows out, or use mode upsert",
            ),
        ];
        match odd.into_iter().find(|(is_so, ..)| *is_so) {
            None => Ok(()),
            Some((_, what, why, hint)) => {
                Err(Refusal::new(format!("--mode {mode} with {what}: {why}"), hint))
            }
        }
    }

    /// Forgets what runs have met that are over.
    pub(super) async fn forget_met(&self, session: &Session, plan: &Plan) -> Result<(), LoadError> {
        if plan.rest != Rest::Removed {
            return Ok(());
        }
        let failed = |source| LoadError::Prepare { doing: "forget what other runs have met", source };
        session.run(FORGET_OVER).await.map(|_| ()).map_err(failed)
    }

    /// The table beside the target that an unfinished run loads into, if there is one of this load.
    pub(super) async fn find_beside(
        &self,
        session: &Session,
        plan: &Plan,
    ) -> Result<Option<Beside>, LoadError> {
        if plan.rest != Rest::Replaced || !self.act.keeps_ledger(self.job) {
            return Ok(None);
        }
        let target = &plan.table;
        let Some(run) = unfinished_run(session, &identities(self.job, &target.name)?).await? else {
            return Ok(None);
        };
        let name = table_beside(&target.name, &run).map_err(crate::pg::catalog::CatalogError::from)?;
        let plan = match read_table(session, &name).await? {
            None => None,
            Some(table) => {
                Some(self.planned_beside(session, table, target, &run, &TableOrigin::Before).await?)
            }
        };
        Ok(Some(Beside { run, plan }))
    }

    /// The plan of loading into a table beside the target.
    async fn planned_beside(
        &self,
        session: &Session,
        table: Table,
        target: &Arc<Table>,
        run: &str,
        made: &TableOrigin,
    ) -> Result<Plan, LoadError> {
        let mut plan = Box::pin(self.planned(session, table, made)).await?;
        refuse_wide(&plan)?;
        plan.replacing = Some(Replacing { target: Arc::clone(target), run: run.to_owned() });
        Ok(plan)
    }

    /// Makes the table beside the target and records the run that loads into it, in one transaction.
    pub(super) async fn record_beside(
        &self,
        pool: &Lease,
        planned: &Plan,
        identity: &str,
        owner: &Owner,
    ) -> Result<(Plan, RunInHand), LoadError> {
        let session = open(pool).await?;
        sweep_beside(&session).await?;
        session
            .begin(BEGIN_RECORDING)
            .await
            .map_err(|source| LoadError::Prepare { doing: "record the run", source })?;
        let plan = self.make_beside(&session, planned, &TableOrigin::Before).await?;
        let run = self.record(&session, &plan, identity, owner, Recording::Beside { is_made: false }).await?;
        Ok((plan, run))
    }

    /// Makes the table beside the target, within the transaction that records the run; the plan of loading
    /// into it.
    pub(super) async fn make_beside(
        &self,
        session: &Session,
        planned: &Plan,
        made: &TableOrigin,
    ) -> Result<Plan, LoadError> {
        let target = &planned.table;
        let run = new_run();
        let name = table_beside(&target.name, &run).map_err(crate::pg::catalog::CatalogError::from)?;
        let facts = content_facts(session, target.oid).await?;
        let comment = format!("{BESIDE} {run}, to replace what is in {}", target.name.plain());
        let sql = create_beside(target, &name, &comment, facts.publishes_new_tables);
        session.run(&sql).await.map_err(|source| {
            if is_lock_timeout(&source) {
                LedgerError::Raced.into()
            } else {
                LoadError::Prepare { doing: "make the table that is loaded into", source }
            }
        })?;
        let table = read_table(session, &name).await?.ok_or_else(|| super::start::missing(&name))?;
        let mut plan = self.planned_beside(session, table, target, &run, made).await?;
        // As they were said of the target.
        plan.notes.clone_from(&planned.notes);
        Ok(plan)
    }
}

impl Start<'_> {
    /// The plan of going on with an unfinished run; else what beginning anew would take.
    pub(super) async fn plan_beside(
        &self,
        ledger: &mut Ledger,
        found: Option<Beside>,
        unfinished: &Unfinished,
        planned: &Plan,
    ) -> Result<Plan, LoadError> {
        match Beside::of(found, unfinished) {
            Ok(plan) => Ok(plan),
            Err(LedgerError::Raced) => Err(LedgerError::Raced.into()),
            Err(why) => {
                let may_select = self.facts.may_select;
                let anew = anew(ledger, unfinished, Some(&planned.table), may_select).await?;
                Err(anew.advise(why).into())
            }
        }
    }
}

impl Beside {
    /// The plan of going on with an unfinished run.
    fn of(found: Option<Self>, unfinished: &Unfinished) -> Result<Plan, LedgerError> {
        match found {
            Some(Self { run, plan: Some(plan) }) if run == unfinished.run => Ok(plan),
            Some(Self { run, plan: None }) if run == unfinished.run => {
                let what = "has lost what was loaded beside it".to_owned();
                Err(LedgerError::TargetChanged { run, what })
            }
            // It was begun between two looks.
            _ => Err(LedgerError::Raced),
        }
    }
}

/// Which way the loaded rows take the place of those of before, as the table is now.
pub(super) async fn way_now(
    session: &Session,
    plan: &Plan,
    target: &Table,
    role: &str,
    allows_cascade: bool,
) -> Result<Exchange, LoadError> {
    let facts = content_facts(session, target.oid).await?;
    let now = Plan { table: Arc::new(target.clone()), ..plan.clone() };
    Ok(refuse_replacing(&now, &facts, role, allows_cascade)?.0)
}
