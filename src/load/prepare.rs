//! Everything before the first row: sources, catalog, plan, ledger, and the transaction that records the run.

use std::collections::HashSet;
use std::sync::Arc;

use crate::event::Event;
use crate::fault::{self, Point};
use crate::ledger::{
    BEGIN_RECORDING, Checkpoint, Ledger, LedgerError, LedgerRef, Owner, StoredRun, record_columns,
    record_target, sweep_beside,
};
use crate::map::Extra;
use crate::pg::catalog::read_table;
use crate::pg::probe::{forbidden_sequence, greater_operator, holds, named_alike};
use crate::pg::sqlstate::{is_lock_timeout, is_taken_name};
use crate::pg::{Lease, Session, as_this_role_finds};
use crate::plan::{
    Plan, Refusal, foreseen_notes, make_plan, narrowed_column, no_order, refuse_narrowed, refuse_reading,
    refuse_sequence, unknown_character,
};
use crate::prepared::{Act, LoadError, Prepared, RunInHand, are_exact, guarantee};
use crate::record::Position;
use crate::report::Guarantee;
use crate::schema::{Mode, Rest, Table};
use crate::write::{DatabaseEncoding, Watched, WritePlan};

use super::appended::{AppendTarget, skip_appended};
use super::changed::{Checked, accept, check_sources};
use super::columns;
use super::evolve::with_schema;
use super::made::TableOrigin;
use super::marks;
use super::record_run::{AppendsBefore, Recording};
use super::resume::{anew, append_rests, stored_inputs, stored_target};
use super::settings::{identities, refuse_kept_answers, refuse_wide, settings, staging};
use super::slots::{leave_one, open};
use super::start::{Start, ToCreate, fetch_ahead, missing, unlogged_words};

impl Start<'_> {
    /// The plan, with what only the server can say of it.
    pub(super) async fn planned(
        &self,
        session: &Session,
        table: Table,
        made: &TableOrigin,
    ) -> Result<Plan, LoadError> {
        refuse_kept_answers(self.job)?;
        let mut plan = make_plan(table, &self.sample(), &self.wishes())?;
        if plan.appends() && self.job.min_records > 1 {
            let message = format!("at least {} records are expected of an append", self.job.min_records);
            let hint =
                "what was appended stays, and would be appended once more: expect 1, or give the table a key";
            return Err(Refusal::new(message, hint).into());
        }
        if self.act == Act::Verify {
            plan.compare_in_one();
        }
        marks::column(self.job, &plan)?;
        marks::refuse_again(self.job, &plan)?;
        self.job.narrowing.columns().try_for_each(|column| narrowed_column(&plan.table, column))?;
        if self.act == Act::Plan {
            // A load says them where it reads.
            plan.notes.extend_from_slice(&self.begun.sampled.notes);
        }
        if !self.facts.may_select && plan.mode != Mode::Append {
            return Err(refuse_reading(&self.facts.role, &plan.table).into());
        }
        if plan.mode != Mode::Update && self.act != Act::Verify {
            let columns = plan.filled_by_sequences();
            if !columns.is_empty()
                && let Some(sequence) = forbidden_sequence(session, plan.table.oid, &columns).await?
            {
                return Err(refuse_sequence(&self.facts.role, &sequence).into());
            }
        }
        self.refuse_policies(session, &plan).await?;
        self.refuse_deletions(session, &plan).await?;
        let is_there =
            |name: &String| plan.table.column(name).is_none_or(|c| !plan.table.columns[c].is_yet_to_be());
        if let Some(column) = plan.newer_by.as_ref().filter(|name| is_there(name)) {
            let greater = greater_operator(session, plan.table.oid, column).await?;
            plan.greater = Some(greater.ok_or_else(|| no_order(column))?);
        }
        if !self.facts.holds_all_characters && self.act.keeps_ledger(self.job) {
            self.refuse_unknown_characters(session, &plan).await?;
        }
        plan.foreseen = self.foresee(&plan, made);
        plan.notes.extend(foreseen_notes(&plan.foreseen));
        Ok(plan)
    }

    /// What the ledger keeps of a run must be of characters that the database has.
    async fn refuse_unknown_characters(&self, session: &Session, plan: &Plan) -> Result<(), LoadError> {
        let settings = settings(self.job, plan, plan.partitioner.count);
        let settings = serde_json::to_string(&settings).unwrap_or_default();
        let id = self.job.runs.load_id.as_deref().map(|id| ("--load-id", id));
        let names = self.inputs.iter().map(|input| ("the source", input.name.as_str()));
        let texts = names.chain(id).chain([("the settings", settings.as_str())]);
        for (what, text) in texts.filter(|(_, text)| !text.is_ascii()) {
            if !holds(session, text).await? {
                return Err(unknown_character(what, text).into());
            }
        }
        Ok(())
    }

    /// The table exists: plan, find an unfinished run, take it over or record a new one.
    pub(super) async fn existing(
        mut self,
        pool: Lease,
        session: Session,
        table: Table,
    ) -> Result<Prepared, LoadError> {
        let made = self.origin(&session, &table).await?;
        let (mut plan, lacking) = match Box::pin(self.planned_with(&session, table.clone(), &made)).await {
            Err(LoadError::Refused(_))
                if !self.begun.resumes && Box::pin(self.leave_out_damaged()).await? =>
            {
                Box::pin(self.planned_with(&session, table, &made)).await?
            }
            planned => planned?,
        };
        self.judge_contents(Some(&session), &mut plan).await?;
        refuse_wide(&plan)?;
        if !self.act.keeps_ledger(self.job) {
            refuse_narrowed(&plan.foreseen)?;
            drop(session);
            let plan = Box::pin(self.with_added(&pool, plan, &lacking, &made)).await?;
            return self.without_ledger(pool, plan, made);
        }
        let owner = self.share.owner().clone();
        let identities = identities(self.job, &plan.table.name)?;
        let beside = Box::pin(self.find_beside(&session, &plan)).await?;
        let mut ledger = self.open_ledger(&pool, session).await?;
        if plan.appends() && plan.mode == Mode::Append && self.job.mode.is_none() {
            self.refuse_lost_key(&mut ledger, &identities, &plan.table).await?;
        }
        self.give_up_incremental(&mut ledger, &owner).await?;
        let appends = match plan.appends() {
            true => Some(AppendsBefore::count(&mut ledger, &plan.table, &self.inputs).await?),
            false => None,
        };
        if let Some(unfinished) = self.find(&mut ledger, &identities, &owner).await? {
            if self.may_resume() {
                // Refused before it is taken over: a start with other settings changes nothing.
                let going_on = match plan.rest {
                    Rest::Stays | Rest::Removed => plan.clone(),
                    Rest::Replaced => self.plan_beside(&mut ledger, beside, &unfinished, &plan).await?,
                };
                if let Some(checked) = self.check(&mut ledger, &unfinished, &going_on).await? {
                    let stored = ledger.take_over(&unfinished.run, &owner).await?;
                    fault::point(Point::TakenOver);
                    ledger.close().await;
                    let made = made.of(&stored);
                    let going_on = Box::pin(self.with_added(&pool, going_on, &lacking, &made)).await?;
                    return self.resume(pool, going_on, stored, checked, made).await;
                }
                self.forget(&mut ledger, &unfinished).await?;
                if self.begun.resumes {
                    // Its sample was that of the run.
                    return Err(LedgerError::Raced.into());
                }
            } else {
                self.give_up(&mut ledger, &unfinished, Some(&plan.table)).await?;
            }
        } else if self.begun.resumes {
            // It was completed or given up between two looks.
            return Err(LedgerError::Raced.into());
        }
        // A run that was begun is finished by its own rule.
        self.check_mark(&mut ledger, Some(&plan.table)).await?;
        refuse_narrowed(&plan.foreseen)?;
        let skipped = Box::pin(self.left_out(&mut ledger, &plan, &identities, &owner)).await?;
        ledger.close().await;
        let plan = Box::pin(self.with_added(&pool, plan, &lacking, &made)).await?;
        let (plan, run) = match plan.rest {
            Rest::Stays | Rest::Removed => {
                let session = open(&pool).await?;
                self.forget_met(&session, &plan).await?;
                let recording = Recording::Own { appends: appends.as_ref() };
                let run = self.record(&session, &plan, &identities[0], &owner, recording).await?;
                (plan, run)
            }
            Rest::Replaced => Box::pin(self.record_beside(&pool, &plan, &identities[0], &owner)).await?,
        };
        for name in &skipped {
            self.tell(&Event::SourceSkipped { name: name.clone() });
        }
        let mut prepared = self.without_ledger(pool, plan, made)?;
        prepared.run = Some(run);
        prepared.skipped = skipped;
        prepared.guarantee = prepared.guarantee_if(prepared.is_exact());
        Ok(prepared)
    }

    /// Leaves out what earlier appends have put into the table; their names.
    async fn left_out(
        &mut self,
        ledger: &mut Ledger,
        plan: &Plan,
        identities: &[String],
        owner: &Owner,
    ) -> Result<Vec<String>, LoadError> {
        if !plan.appends() || self.earlier.is_again() {
            return Ok(Vec::new());
        }
        let (may_select, reading) = (self.facts.may_select, &self.job.reading);
        let target = AppendTarget { table: &plan.table, may_select, reading };
        match Box::pin(skip_appended(&mut self.inputs, ledger, &target, &self.job.runs)).await {
            Ok(skipped) => {
                // What was opened for the sample is known by its place in the order, and those behind have
                // another place now: it is opened anew.
                if !skipped.is_empty() {
                    self.begun.sampled.kept.clear();
                }
                Ok(skipped)
            }
            // Where the same load was begun between two looks, that is what there is to say.
            Err(error) => {
                let begun = self.find(ledger, identities, owner).await?;
                Err(begun.map_or(error, |_| LedgerError::Raced.into()))
            }
        }
    }

    /// The table does not exist: it is created in the transaction that records the run.
    pub(super) async fn created(
        mut self,
        pool: Lease,
        session: Session,
        mut new: ToCreate,
    ) -> Result<Prepared, LoadError> {
        let failed = |doing: &'static str| move |source| LoadError::Prepare { doing, source };
        if let Some(twin) = named_alike(&session, &new.name).await? {
            let name = new.name.plain();
            new.doubts
                .push(format!("table {name} is a new one, beside {twin}: --table '{twin}' is that one"));
        }
        with_schema(&session, &mut new).await?;
        if self.act == Act::Plan {
            // Created, described, and rolled back: the plan is the real one.
            session
                .begin(&format!("{BEGIN_RECORDING};\n{}", as_this_role_finds(&new.ddl)))
                .await
                .map_err(failed("create the table"))?;
            let table = read_table(&session, &new.name).await?.ok_or_else(|| missing(&new.name))?;
            session.roll_back().await;
            let made = TableOrigin::Here(new.ddl);
            let mut plan = Box::pin(self.planned(&session, table, &made)).await?;
            self.judge_contents(None, &mut plan).await?;
            plan.notes.extend(new.doubts);
            refuse_wide(&plan)?;
            refuse_narrowed(&plan.foreseen)?;
            return self.without_ledger(pool, plan, made);
        }
        let owner = self.share.owner().clone();
        if !self.act.keeps_ledger(self.job) {
            return self.create_in(pool, session, new, &owner).await;
        }
        let mut ledger = self.open_ledger(&pool, session).await?;
        let identities = identities(self.job, &new.name)?;
        self.give_up_incremental(&mut ledger, &owner).await?;
        if let Some(unfinished) = self.find(&mut ledger, &identities, &owner).await? {
            if self.may_resume() {
                let why = LedgerError::TargetGone { run: unfinished.run.clone() };
                let anew = anew(&mut ledger, &unfinished, None, self.facts.may_select).await?;
                return Err(anew.advise(why).into());
            }
            self.give_up(&mut ledger, &unfinished, None).await?;
        }
        self.check_mark(&mut ledger, None).await?;
        ledger.close().await;
        let session = open(&pool).await?;
        self.create_in(pool, session, new, &owner).await
    }

    /// The ledger, up to date. The session is given back: its connection may be the only one.
    async fn open_ledger(&mut self, pool: &Lease, session: Session) -> Result<Ledger, LoadError> {
        drop(session);
        let mut ledger = match self.ledger.take() {
            Some(ledger) => ledger,
            None => {
                leave_one(pool);
                Ledger::connect(pool).await?
            }
        };
        ledger.migrate(&self.facts.role).await?;
        Ok(ledger)
    }

    async fn create_in(
        self,
        pool: Lease,
        session: Session,
        new: ToCreate,
        owner: &Owner,
    ) -> Result<Prepared, LoadError> {
        let failed = |doing: &'static str| move |source| LoadError::Prepare { doing, source };
        if self.job.rest == Rest::Replaced && self.act.keeps_ledger(self.job) {
            sweep_beside(&session).await?;
        }
        session.begin(&format!("{BEGIN_RECORDING};\n{}", as_this_role_finds(&new.ddl))).await.map_err(
            |error| {
                if is_taken_name(&error) || is_lock_timeout(&error) {
                    LedgerError::Raced.into()
                } else {
                    failed("create the table")(error)
                }
            },
        )?;
        let table = read_table(&session, &new.name).await?.ok_or_else(|| missing(&new.name))?;
        let made = TableOrigin::Here(new.ddl.clone());
        let mut plan = Box::pin(self.planned(&session, table, &made)).await?;
        plan.notes.extend_from_slice(&new.doubts);
        self.judge_contents(Some(&session), &mut plan).await?;
        refuse_wide(&plan)?;
        refuse_narrowed(&plan.foreseen)?;
        let mut recording = Recording::Begun;
        if plan.rest == Rest::Replaced {
            plan = Box::pin(self.make_beside(&session, &plan, &made)).await?;
            recording = Recording::Beside { is_made: true };
        }
        let run = if self.act.keeps_ledger(self.job) {
            let identities = identities(self.job, &plan.target().name)?;
            Some(self.record(&session, &plan, &identities[0], owner, recording).await?)
        } else {
            session.run("COMMIT").await.map_err(failed("create the table"))?;
            None
        };
        session.transaction_ended();
        drop(session);
        self.tell(&Event::TableCreated { ddl: new.ddl.clone() });
        let mut prepared = self.without_ledger(pool, plan, made)?;
        prepared.run = run;
        prepared.guarantee = prepared.guarantee_if(prepared.is_exact());
        Ok(prepared)
    }

    /// Goes on with a stored run: its sources, its partitions, its checkpoints.
    async fn resume(
        mut self,
        pool: Lease,
        mut plan: Plan,
        mut stored: StoredRun,
        mut checked: Checked,
        made: TableOrigin,
    ) -> Result<Prepared, LoadError> {
        let (share, job) = (self.share, self.job);
        plan.partitioner.count = stored.partitions;
        let before = stored_inputs(&stored, &self.inputs)?;
        let known: HashSet<_> = before.iter().map(|input| input.description.spec.place()).collect();
        for input in self.inputs.iter().filter(|input| !known.contains(&input.description.spec.place())) {
            self.tell(&Event::SourceDeferred { name: input.name.clone(), run: stored.run.clone() });
        }
        if !checked.accepted.is_empty() {
            let mode = plan.mode_of_repeats();
            let again_from =
                Box::pin(accept(job, &pool, &mut stored, mode, &self.inputs, &checked.accepted)).await?;
            checked = Box::pin(check_sources(&stored, mode, &self.inputs, &[])).await?;
            if let Some(Position { source, record, .. }) = again_from {
                let name = before.get(source as usize).map_or("", |input| input.name.as_str());
                let text = format!(
                    "all writers go on behind record {record} of {name}: what some had read behind it is applied and counted again"
                );
                self.tell(&Event::Note { text });
            }
        }
        self.begun.at = marks::begun_at(&stored.settings);
        let mut inputs = stored_inputs(&stored, &self.inputs)?;
        for input in &mut inputs {
            input.passed = checked.passed.remove(&input.begin.source).unwrap_or_default();
        }
        let run = LedgerRef { run: stored.run.clone(), epoch: stored.epoch };
        append_rests(&pool, &run, &mut inputs).await?;
        let mut target = stored_target(&plan.table);
        target.add_moves_of(&stored.members);
        let session = open(&pool).await?;
        record_target(&session, &run, &target).await?;
        if plan.extra == Extra::Add {
            record_columns(&session, &run, &columns::of_target(&plan)).await?;
        }
        drop(session);
        let records = stored.checkpoints.iter().map(|c| c.books.read).sum();
        self.tell(&Event::Resumed { run: run.run.clone(), records });
        self.inputs = inputs;
        let mut prepared = self.without_ledger(pool, plan, made)?;
        prepared.checkpoints = stored.checkpoints;
        prepared.run = Some(RunInHand { ledger: run, attempts: stored.attempts });
        prepared.inexact_before = stored.guarantee != Guarantee::ExactlyOnce.name();
        prepared.guarantee = prepared.guarantee_if(prepared.is_exact());
        prepared.kept.clear();
        let checkpoints = &prepared.checkpoints;
        // Where all partitions are done, nothing is left to fetch, only the run to complete.
        let from = checkpoints.iter().filter(|c| !c.done).map(|c| c.at).min();
        prepared.ahead = from.filter(|_| prepared.access.asks()).map(|from| {
            let tokens = Checkpoint::tokens(checkpoints);
            let begins = prepared.inputs.iter().filter_map(|i| Some((i, i.begin_from(from, &tokens)?)));
            fetch_ahead(share, job, &prepared.access, begins)
        });
        Ok(prepared)
    }

    fn say_notes(&self, plan: &Plan) {
        if let Some(text) = self.act.lacks_ledger(self.job) {
            self.tell(&Event::Note { text: text.to_owned() });
        }
        if let Some(text) = unlogged_words(&plan.table) {
            self.tell(&Event::Note { text });
        }
        for note in &plan.notes {
            self.tell(&Event::Note { text: note.clone() });
        }
        for m in &plan.matches {
            self.tell(&Event::FieldMatched { field: m.field.clone(), column: m.column.clone() });
        }
    }

    /// Puts the pieces together; the caller adds the run, if there is one.
    fn without_ledger(self, pool: Lease, plan: Plan, made: TableOrigin) -> Result<Prepared, LoadError> {
        if self.act != Act::Plan {
            self.say_notes(&plan);
        }
        let mapping = Arc::new(self.mapping(&plan, &made));
        let newer_by = plan.newer_by.as_ref().and_then(|name| match mapping.column_target(name) {
            crate::map::Target::Slot(slot) => Some(slot),
            _ => None,
        });
        let resources = &self.job.resources;
        let millis = |d: std::time::Duration| u64::try_from(d.as_millis()).unwrap_or(u64::MAX);
        let write = Arc::new(WritePlan {
            mapping: Arc::clone(&mapping),
            target: Arc::new(Watched::new(&mapping.table)),
            mode: plan.mode,
            key_index: plan.key.index,
            paths: plan.paths.clone(),
            server_version: self.facts.version,
            staging: staging(self.job, &self.facts),
            policies: plan
                .policies
                .iter()
                .filter_map(|(column, policy)| {
                    Some((mapping.slots.iter().position(|c| c == column)?, *policy))
                })
                .collect(),
            newer_by,
            greater: plan.greater.clone(),
            mark: self.mark(&plan)?,
            keeps_met: plan.rest == Rest::Removed,
            may_select: self.facts.may_select,
            encoding: if self.facts.holds_all_characters {
                DatabaseEncoding::All
            } else {
                DatabaseEncoding::Some
            },
            asynchronous_commit: self.facts.asynchronous_commit && self.act.keeps_ledger(self.job),
            time_zone: self.job.time_zone.clone(),
            date_style: self.job.date_style.clone(),
            statement_timeout_ms: millis(resources.statement_timeout),
            lock_timeout_ms: millis(resources.lock_limit()),
        });
        let checkpoints = (0..plan.partitioner.count)
            .map(|_| Checkpoint {
                at: self.inputs.first().map_or(Position::start_of(0), |input| input.begin),
                page: None,
                books: crate::account::Books::default(),
                done: false,
            })
            .collect();
        // A plan promises what the load would.
        let ledger = self.act == Act::Plan && Act::Load.keeps_ledger(self.job);
        let exact = are_exact(&self.inputs, &self.begun.sampled.kept) && plan.table.tree.unlogged().is_none();
        let guarantee = guarantee(exact, ledger, plan.mode_of_repeats());
        Ok(Prepared {
            pool,
            plan,
            mapping,
            write,
            run: None,
            inputs: self.inputs,
            kept: self.begun.sampled.kept,
            access: self.access,
            ahead: self.begun.ahead,
            inexact_before: false,
            checkpoints,
            guarantee,
            skipped: Vec::new(),
            ddl: made.ddl(),
            unledgered: None,
            act: self.act,
            facts: self.facts,
        })
    }
}
