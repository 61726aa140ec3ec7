//! The unfinished run of a load: found, waited for, compared with what there is now, gone on with or given
//! up.

use crate::event::Event;
use crate::ledger::{ACCUMULATING, Anew, Ledger, LedgerError, Opened, Owner, Unfinished};
use crate::plan::Plan;
use crate::prepared::{LoadError, Prepared};
use crate::report::Report;
use crate::schema::{Rest, Table};

use super::changed::{Checked, check_sources};
use super::columns;
use super::emptiness::{SeenRows, look};
use super::once::Earlier;
use super::overtaken::refuse_appended_since;
use super::resume::{anew, check_target};
use super::settings::{as_stored_now, settings};
use super::start::Start;

/// An error with what it takes to begin anew, where the run cannot go on.
pub(super) fn advised(why: LedgerError, prepared: &Prepared, report: Option<&Report>) -> LedgerError {
    let Some(run) = &prepared.run else { return why };
    let accumulates = prepared.plan.accumulates();
    let of_books = |inserted: u64, updated: u64| inserted + if accumulates { updated } else { 0 };
    let books = prepared.checkpoints.iter().map(|checkpoint| &checkpoint.books);
    let before = books.map(|books| of_books(books.inserted, books.updated)).sum();
    // What is loaded beside a table is in none.
    let is_beside = prepared.plan.rest == Rest::Replaced;
    let mode = if accumulates { ACCUMULATING } else { prepared.plan.mode_name() };
    let reported = report.map_or(before, |report| of_books(report.rows.inserted, report.rows.updated));
    let anew = Anew {
        run: run.ledger.run.clone(),
        mode: mode.to_owned(),
        table: prepared.plan.target().name.plain(),
        rows: if is_beside { 0 } else { reported },
        is_sure: true,
    };
    anew.advise(why)
}

impl Start<'_> {
    /// Looks for an unfinished run, and waits for its owner as long as we may.
    pub(super) async fn find(
        &self,
        ledger: &mut Ledger,
        identities: &[String],
        owner: &Owner,
    ) -> Result<Option<Unfinished>, LoadError> {
        const ASK_AGAIN: std::time::Duration = std::time::Duration::from_millis(500);
        let since = std::time::Instant::now();
        let mut waited_for = None;
        loop {
            let found = ledger.find_first(identities, owner).await?;
            match (&found, &waited_for) {
                (Opened::Owned(other), _) => waited_for = Some(other.run.clone()),
                // What was waited for is what this start was to do.
                (Opened::Nothing, Some(run))
                    if self.job.named.is_some() && ledger.is_complete(run).await? =>
                {
                    return Err(LedgerError::CompletedMeanwhile { run: run.clone() }.into());
                }
                _ => {}
            }
            match self.earlier.judge(found, since.elapsed()) {
                Some(judged) => return Ok(judged?),
                None => tokio::time::sleep(ASK_AGAIN).await,
            }
        }
    }

    /// Refuses an append that nobody asked for where the load has put records into this table by a key.
    pub(super) async fn refuse_lost_key(
        &self,
        ledger: &mut Ledger,
        identities: &[String],
        table: &Table,
    ) -> Result<(), LoadError> {
        let before = ledger.loaded_by_key(identities, table.oid, &table.name).await?;
        let Some((run, key, is_it)) = before else { return Ok(()) };
        // Of a table that was made anew, and is empty, nothing is there twice.
        if !is_it && look(ledger, table, self.facts.may_select).await? == SeenRows::Nothing {
            return Ok(());
        }
        Err(LedgerError::KeyGone { run, key }.into())
    }

    /// An unfinished run can be gone on with, and the user has not said otherwise.
    pub(super) fn may_resume(&self) -> bool {
        !self.has_pipe() && !self.earlier.restarts()
    }

    /// What a resume must find as it was: the target, parser and mapping, and the sources that are still to
    /// be read. Where it does not, the error says what beginning anew would take. `None`: it was begun with
    /// other settings or columns, and has done nothing by them.
    pub(super) async fn check(
        &self,
        ledger: &mut Ledger,
        unfinished: &Unfinished,
        plan: &Plan,
    ) -> Result<Option<Checked>, LoadError> {
        match self.compared(ledger, unfinished, plan).await {
            Err(LoadError::Ledger(why)) => {
                let anew = anew(ledger, unfinished, Some(&plan.table), self.facts.may_select).await?;
                Err(anew.advise(why).into())
            }
            checked => checked,
        }
    }

    async fn compared(
        &self,
        ledger: &mut Ledger,
        unfinished: &Unfinished,
        plan: &Plan,
    ) -> Result<Option<Checked>, LoadError> {
        check_target(ledger, unfinished, &plan.table).await?;
        let stored = ledger.read(&unfinished.run).await?;
        let settings = settings(self.job, plan, stored.partitions);
        let other_settings = || {
            let differences = as_stored_now(stored.clone(), self.job, &settings).differences(&settings);
            let run = stored.run.clone();
            (!differences.is_empty()).then_some(LedgerError::OtherSettings { run, differences })
        };
        // First what the table has become: another partitioning may be no more than what follows from it.
        if let Some(why) = columns::refused(&stored, plan).or_else(other_settings) {
            if stored.checkpoints.iter().all(|checkpoint| checkpoint.books.read == 0) {
                return Ok(None);
            }
            return Err(why.into());
        }
        // A run in hand is this process's own: what was appended beside it was asked for.
        if let (true, Earlier::AsTold(runs)) = (plan.appends(), self.earlier) {
            let reading = &self.job.reading;
            Box::pin(refuse_appended_since(ledger, &stored, &self.inputs, &plan.table, runs, reading))
                .await?;
        }
        let accepted = self.earlier.accepted();
        let checked = check_sources(&stored, plan.mode_of_repeats(), &self.inputs, accepted);
        Box::pin(checked).await.map(Some)
    }

    /// Gives a run up that has done nothing: who was told of a flag, and adds it, begins anew by that.
    pub(super) async fn forget(&self, ledger: &mut Ledger, unfinished: &Unfinished) -> Result<(), LoadError> {
        ledger.abandon(&unfinished.run).await?;
        let run = &unfinished.run;
        let text = format!(
            "the unfinished run {run} is given up: it had other settings or columns, and has loaded nothing"
        );
        self.tell(&Event::Note { text });
        Ok(())
    }

    /// Gives an unfinished run up; `table` is the target, if it is there. What an append has inserted stays,
    /// so that it takes a second word.
    pub(super) async fn give_up(
        &self,
        ledger: &mut Ledger,
        unfinished: &Unfinished,
        table: Option<&Table>,
    ) -> Result<(), LoadError> {
        let anew = anew(ledger, unfinished, table, self.facts.may_select).await?;
        let restarts = self.earlier.restarts();
        if restarts && anew.doubles() && !self.earlier.is_again() {
            return Err(anew.refused().into());
        }
        ledger.abandon(&unfinished.run).await?;
        let why = if restarts { "--restart" } else { "a pipe cannot be read again" };
        let left = anew.left().map_or_else(String::new, |left| format!("; {left}"));
        let text = format!("the unfinished run {} is given up: {why}{left}", unfinished.run);
        self.tell(&Event::Note { text });
        Ok(())
    }
}
