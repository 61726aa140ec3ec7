//! Everything before the first row: sources, catalog, plan, ledger, and the transaction that records the run.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::event::{Event, Listener, Tally};
use crate::job::Job;
use crate::ledger::{
    Checkpoint, Ledger, LedgerError, NewRun, Opened as LedgerOpened, Owner, Settings, StoredRun, Unfinished,
    append_rest, identity_of, record_run,
};
use crate::map::{Extra, Mapping};
use crate::pg::catalog::{ServerFacts, read_table, server_facts};
use crate::pg::{Ident, Pool, Session, TableName, connect_pool, literal};
use crate::plan::{Plan, Refusal, Wishes, make_plan, new_table};
use crate::record::Position;
use crate::report::Guarantee;
use crate::schema::{Mode, Table};
use crate::source::{Change, Location, resolve};
use crate::write::{LedgerRef, Staging, WritePlan};

use super::error::LoadError;
use super::input::{Input, Opened};
use super::sample::{Sampled, sample};

/// A run that is ours.
#[derive(Debug, Clone)]
pub struct RunInHand {
    /// Its id and our epoch.
    pub ledger: LedgerRef,
    /// Starts so far.
    pub attempts: u32,
}

/// A load, ready to run.
pub struct Prepared {
    /// Connections.
    pub pool: Pool,
    /// The decisions.
    pub plan: Plan,
    /// Fields to columns.
    pub mapping: Arc<Mapping>,
    /// How to write.
    pub write: Arc<WritePlan>,
    /// The run, unless there is no ledger.
    pub run: Option<RunInHand>,
    /// Sources in order.
    pub inputs: Vec<Input>,
    /// Pipes that the sample has opened.
    pub kept: HashMap<usize, Opened>,
    /// One a partition.
    pub checkpoints: Vec<Checkpoint>,
    /// How often a record may be applied.
    pub guarantee: Guarantee,
    /// Sources that earlier appends have put into the table.
    pub skipped: Vec<String>,
    /// The statement that creates the table, if it does not exist yet.
    pub ddl: Option<String>,
    facts: ServerFacts,
}

/// Prepares a load.
pub async fn prepare(job: &Job, listener: Listener<'_>) -> Result<Prepared, LoadError> {
    let specs = resolve(&job.sources).await?;
    let mut inputs = Vec::with_capacity(specs.len());
    for (ordinal, spec) in specs.into_iter().enumerate() {
        inputs.push(Input::new(spec, ordinal).await?);
    }
    let sampled = sample(&inputs, &job.reading).await?;
    let pool = connect_pool(&job.dsn, job.resources.pool_size).await?;
    let session = open(&pool).await?;
    let facts = server_facts(&session).await?;
    let name = target_name(job, &inputs)?;
    let table = read_table(&session, &name).await?;
    let start = Start { job, listener, facts, inputs, sampled };
    let (table, ddl) = match table {
        Some(table) => (Some(table), None),
        None => (None, Some(start.new_table(&name)?)),
    };
    match ddl {
        None => start.existing(pool, session, table.ok_or_else(|| missing(&name))?).await,
        Some(new) => start.created(pool, session, new).await,
    }
}

fn missing(name: &TableName) -> Refusal {
    Refusal { message: format!("table {name} does not exist"), hint: None }
}

async fn open(pool: &Pool) -> Result<Session, LoadError> {
    Session::open(pool).await.map_err(|view| LoadError::Prepare { doing: "open a session", view })
}

/// `--table`, else the first source's stem.
fn target_name(job: &Job, inputs: &[Input]) -> Result<TableName, LoadError> {
    let schema = match &job.dsn.schema {
        Some(schema) => Some(Ident::new(schema.as_str()).map_err(|e| Refusal { message: e.to_string(), hint: None })?),
        None => None,
    };
    if let Some(name) = &job.table {
        return Ok(TableName { schema: name.schema.clone().or(schema), name: name.name.clone() });
    }
    let stem = inputs.iter().find_map(|input| match &input.description.spec.location {
        Location::File(path) => {
            let file = path.file_name()?.to_str()?;
            Some(file.split('.').find(|part| !part.is_empty())?.to_owned())
        }
        _ => None,
    });
    let stem = stem.ok_or_else(|| Refusal::new("a pipe has no name for the table", "say --table NAME"))?;
    let name = Ident::new(stem).map_err(|error| Refusal::new(error.to_string(), "say --table NAME"))?;
    Ok(TableName { schema, name })
}

/// A table that is to be created.
struct ToCreate {
    name: TableName,
    ddl: String,
}

/// What is known at the start.
struct Start<'a> {
    job: &'a Job,
    listener: Listener<'a>,
    facts: ServerFacts,
    inputs: Vec<Input>,
    sampled: Sampled,
}

impl Start<'_> {
    fn tell(&self, event: &Event) {
        (self.listener)(event, &Tally::default());
    }

    fn wishes(&self) -> Wishes<'_> {
        Wishes {
            key: self.job.key.as_deref(),
            mode: self.job.mode,
            extra: &self.job.extra,
            newer_by: self.job.newer_by.as_deref(),
            pool_size: self.job.resources.pool_size,
            has_pipe: self.has_pipe(),
        }
    }

    fn has_pipe(&self) -> bool {
        self.inputs.iter().any(|input| !input.description.spec.location.is_replayable())
    }

    fn new_table(&self, name: &TableName) -> Result<ToCreate, LoadError> {
        let schema = match (&name.schema, &self.facts.schema) {
            (Some(schema), _) => schema.clone(),
            (None, Some(schema)) => {
                Ident::new(schema.as_str()).map_err(|e| Refusal { message: e.to_string(), hint: None })?
            }
            (None, None) => {
                return Err(Refusal::new("no schema to create the table in", "say --table SCHEMA.NAME").into());
            }
        };
        let name = TableName { schema: Some(schema), name: name.name.clone() };
        if matches!(self.job.mode, Some(Mode::Update)) {
            return Err(missing(&name).into());
        }
        let extra = match &self.job.extra {
            Extra::Jsonb(column) => Some(column.as_str()),
            Extra::Refuse | Extra::Ignore => None,
        };
        let columns = self.sampled.inference.columns();
        let new = new_table(name, &columns, self.job.key.as_deref(), extra)?;
        Ok(ToCreate { name: new.name, ddl: new.ddl })
    }

    /// The table exists: plan, find an unfinished run, take it over or record a new one.
    async fn existing(mut self, pool: Pool, session: Session, table: Table) -> Result<Prepared, LoadError> {
        let target = (table.oid, table.relfilenode);
        let mut plan = make_plan(table, &self.sampled.sample, &self.wishes())?;
        if self.job.runs.no_ledger || self.job.dry_run {
            return self.without_ledger(pool, plan, None);
        }
        let owner = Owner::this_process();
        let identity = self.identity(&plan.table.name, plan.mode, &plan.key_names())?;
        if pool.max_size() == 1 {
            // The ledger's connection is the one connection now.
            drop(session);
            pool.drop_idle();
        }
        let mut ledger = Ledger::open(&self.job.dsn, &self.facts.role).await?;
        let unfinished = self.find(&mut ledger, &identity, &owner).await?;
        if let Some(unfinished) = unfinished {
            let resumable = !self.has_pipe() && !self.job.runs.restart;
            if resumable {
                check_target(&pool, &unfinished, target, &plan.table).await?;
                let stored = self.take_over(&mut ledger, &unfinished, &owner).await?;
                ledger.close().await;
                let settings = self.settings(&plan, stored.partitions);
                return self.resume(pool, plan, stored, &settings).await;
            }
            ledger.abandon(&unfinished.run).await?;
            let why = if self.job.runs.restart { "--restart" } else { "a pipe cannot be read again" };
            self.tell(&Event::Note { text: format!("the unfinished run {} is given up: {why}", unfinished.run) });
        }
        let skipped = if plan.mode == Mode::Append && !self.job.runs.again {
            self.skip_appended(&mut ledger, plan.table.oid).await?
        } else {
            Vec::new()
        };
        ledger.close().await;
        let session = open(&pool).await?;
        let run = self.record(&session, &plan, &identity, &owner, "").await?;
        drop(session);
        plan.notes.extend(skipped.iter().map(|name| format!("{name} was appended by an earlier load: left out")));
        let mut prepared = self.without_ledger(pool, plan, None)?;
        prepared.run = Some(run);
        prepared.skipped = skipped;
        prepared.guarantee = guarantee(job_is_replayable(&prepared.inputs), true, prepared.plan.mode);
        Ok(prepared)
    }

    /// The table does not exist: it is created in the transaction that records the run.
    async fn created(self, pool: Pool, session: Session, new: ToCreate) -> Result<Prepared, LoadError> {
        let failed = |doing: &'static str| move |view| LoadError::Prepare { doing, view };
        if self.job.dry_run {
            // Created, described, and rolled back: the plan is the real one.
            session.begin(&format!("BEGIN;\n{}", new.ddl)).await.map_err(failed("create the table"))?;
            let table = read_table(&session, &new.name).await?.ok_or_else(|| missing(&new.name))?;
            session.roll_back().await;
            let plan = make_plan(table, &self.sampled.sample, &self.wishes())?;
            return self.without_ledger(pool, plan, Some(new.ddl));
        }
        let owner = Owner::this_process();
        if !self.job.runs.no_ledger {
            if pool.max_size() == 1 {
                drop(session);
                pool.drop_idle();
                Ledger::open(&self.job.dsn, &self.facts.role).await?.close().await;
                let session = open(&pool).await?;
                return self.create_in(pool, session, new, &owner).await;
            }
            Ledger::open(&self.job.dsn, &self.facts.role).await?.close().await;
        }
        self.create_in(pool, session, new, &owner).await
    }

    async fn create_in(
        self,
        pool: Pool,
        session: Session,
        new: ToCreate,
        owner: &Owner,
    ) -> Result<Prepared, LoadError> {
        let failed = |doing: &'static str| move |view| LoadError::Prepare { doing, view };
        session.begin(&format!("BEGIN;\n{}", new.ddl)).await.map_err(failed("create the table"))?;
        let table = read_table(&session, &new.name).await?.ok_or_else(|| missing(&new.name))?;
        let plan = make_plan(table, &self.sampled.sample, &self.wishes())?;
        let run = if self.job.runs.no_ledger {
            session.run("COMMIT").await.map_err(failed("create the table"))?;
            None
        } else {
            let identity = self.identity(&plan.table.name, plan.mode, &plan.key_names())?;
            Some(self.record(&session, &plan, &identity, owner, "in transaction").await?)
        };
        session.transaction_ended();
        drop(session);
        self.tell(&Event::TableCreated { ddl: new.ddl.clone() });
        let replayable = job_is_replayable(&self.inputs);
        let mut prepared = self.without_ledger(pool, plan, Some(new.ddl))?;
        prepared.guarantee = guarantee(replayable, run.is_some(), prepared.plan.mode);
        prepared.run = run;
        Ok(prepared)
    }

    /// Records a new run and commits.
    async fn record(
        &self,
        session: &Session,
        plan: &Plan,
        identity: &str,
        owner: &Owner,
        transaction: &str,
    ) -> Result<RunInHand, LoadError> {
        let id = uuid::Uuid::now_v7().simple().to_string();
        // The tail of a version 7 UUID is random; its head is the time, and alike for runs of one moment.
        let id = id[id.len() - 12..].to_owned();
        let new = NewRun {
            identity: identity.to_owned(),
            target: plan.table.name.to_string(),
            mode: plan.mode.name().to_owned(),
            key: plan.key_names(),
            partitions: plan.partitioner.count,
            settings: self.settings(plan, plan.partitioner.count),
            guarantee: guarantee(job_is_replayable(&self.inputs), true, plan.mode).name().to_owned(),
            sources: self.inputs.iter().map(Input::store).collect(),
        };
        let statements = record_run(&id, &new, (plan.table.oid, plan.table.relfilenode), owner);
        let sql = if transaction.is_empty() {
            format!("BEGIN;\n{statements};\nCOMMIT")
        } else {
            format!("{statements};\nCOMMIT")
        };
        if let Err(view) = session.begin(&sql).await {
            session.roll_back().await;
            // Somebody recorded the same run at the same moment.
            if view.constraint.as_deref() == Some("run_one_unfinished") {
                return Err(LedgerError::Running {
                    owner: "another process".to_owned(),
                    heartbeat: "just started".to_owned(),
                }
                .into());
            }
            return Err(LoadError::Prepare { doing: "record the run", view });
        }
        session.transaction_ended();
        Ok(RunInHand { ledger: LedgerRef { run: id, epoch: 1 }, attempts: 1 })
    }

    fn identity(&self, table: &TableName, mode: Mode, key: &[String]) -> Result<String, LoadError> {
        let mut words = Vec::with_capacity(self.job.sources.len());
        for word in &self.job.sources {
            let absolute = if word == "-" { Ok(word.into()) } else { std::path::absolute(word) };
            let path = absolute.map_err(|error| Refusal {
                message: format!("{word}: {error}"),
                hint: None,
            })?;
            words.push(path.to_string_lossy().into_owned());
        }
        Ok(identity_of(self.job.runs.load_id.as_deref(), &table.to_string(), mode.name(), key, &words))
    }

    /// Looks for an unfinished run, and waits for its owner as long as we may.
    async fn find(
        &self,
        ledger: &mut Ledger,
        identity: &str,
        owner: &Owner,
    ) -> Result<Option<Unfinished>, LoadError> {
        const ASK_AGAIN: std::time::Duration = std::time::Duration::from_millis(500);
        let since = std::time::Instant::now();
        loop {
            match ledger.find(identity, owner).await? {
                LedgerOpened::Nothing => return Ok(None),
                LedgerOpened::Free(unfinished) => return Ok(Some(unfinished)),
                LedgerOpened::Owned(unfinished) if self.job.runs.take_over => return Ok(Some(unfinished)),
                LedgerOpened::Owned(unfinished) if since.elapsed() >= self.job.runs.wait => {
                    return Err(unfinished.running().into());
                }
                LedgerOpened::Owned(_) => tokio::time::sleep(ASK_AGAIN).await,
            }
        }
    }

    async fn take_over(
        &self,
        ledger: &mut Ledger,
        unfinished: &Unfinished,
        owner: &Owner,
    ) -> Result<StoredRun, LoadError> {
        Ok(ledger.take_over(&unfinished.run, owner).await?)
    }

    /// Goes on with a stored run: its sources, its partitions, its checkpoints.
    async fn resume(
        mut self,
        pool: Pool,
        mut plan: Plan,
        stored: StoredRun,
        settings: &Settings,
    ) -> Result<Prepared, LoadError> {
        let differences = stored.differences(settings);
        if !differences.is_empty() {
            return Err(LedgerError::OtherSettings { run: stored.run, differences }.into());
        }
        plan.partitioner.count = stored.partitions;
        let known: HashSet<&str> = stored.sources.iter().map(|source| source.name.as_str()).collect();
        for input in self.inputs.iter().filter(|input| !known.contains(input.name.as_str())) {
            let text = format!("{} is new and waits for the next run: run {} is finished first", input.name, stored.run);
            self.tell(&Event::Note { text });
        }
        let mut inputs = Vec::with_capacity(stored.sources.len());
        for (ordinal, source) in stored.sources.iter().enumerate() {
            inputs.push(Input::read(source, ordinal).ok_or(crate::pg::catalog::CatalogError::Answer)?);
        }
        let run = LedgerRef { run: stored.run.clone(), epoch: stored.epoch };
        append_rests(&pool, &run, &mut inputs).await?;
        let first = stored.checkpoints.iter().map(|c| c.at.source).min().unwrap_or(0);
        check_sources(&run.run, &inputs, first).await?;
        let records = stored.checkpoints.iter().map(|c| c.books.read).sum();
        self.tell(&Event::Resumed { run: run.run.clone(), records });
        self.inputs = inputs;
        let replayable = job_is_replayable(&self.inputs);
        let mut prepared = self.without_ledger(pool, plan, None)?;
        prepared.guarantee = guarantee(replayable, true, prepared.plan.mode);
        prepared.checkpoints = stored.checkpoints;
        prepared.run = Some(RunInHand { ledger: run, attempts: stored.attempts });
        Ok(prepared)
    }

    /// Leaves out what completed appends have put into the table before.
    async fn skip_appended(&mut self, ledger: &mut Ledger, oid: u32) -> Result<Vec<String>, LoadError> {
        let before = ledger.appended(oid).await?;
        let mut skipped = Vec::new();
        for (name, description) in before {
            let Ok(earlier) = serde_json::from_value::<super::input::Description>(description) else { continue };
            let (Location::File(path), Some(print)) = (&earlier.spec.location, &earlier.fingerprint) else { continue };
            let here = self.inputs.iter().position(|input| input.description.spec.location == earlier.spec.location);
            let Some(at) = here else { continue };
            let change = print.compare(path).await.unwrap_or(Change::Gone);
            if !matches!(change, Change::Same | Change::Touched { .. }) {
                return Err(LedgerError::AppendedAndChanged { name, change: change.to_string() }.into());
            }
            skipped.push(self.inputs.remove(at).name);
        }
        if self.inputs.is_empty() && !skipped.is_empty() {
            return Err(LedgerError::LoadedBefore { names: skipped }.into());
        }
        for (ordinal, input) in self.inputs.iter_mut().enumerate() {
            input.begin.source = u32::try_from(ordinal).unwrap_or(u32::MAX);
        }
        Ok(skipped)
    }

    /// Parser and mapping, as a resume must share them.
    fn settings(&self, plan: &Plan, partitions: u32) -> Settings {
        let reading = &self.job.reading;
        let hashed: Vec<&str> = plan
            .key
            .columns
            .iter()
            .filter(|&&c| plan.table.columns[c].is_hashable())
            .map(|&c| plan.table.columns[c].name.raw())
            .collect();
        let value = |text: String| serde_json::Value::from(text);
        let mut settings = Settings::new();
        let mut set = |name: &str, v: serde_json::Value| settings.insert(name.to_owned(), v);
        set("mode", value(plan.mode.name().to_owned()));
        set("key", plan.key_names().into());
        set("partitioning", value(format!("{:?} of {partitions} by {}", plan.partitioner.by, hashed.join(","))));
        set("extra", serde_json::to_value(&plan.extra).unwrap_or_default());
        set("newer-by", plan.newer_by.clone().into());
        set("format", value(reading.format.map_or("by name and content".to_owned(), |f| format!("{f:?}"))));
        set("compression", value(reading.compression.map_or("by name and content".to_owned(), |c| format!("{c:?}"))));
        set("records", reading.records.clone().into());
        set("delimiter", reading.delimiter.map(|d| char::from(d).to_string()).into());
        set("quote", value(format!("{:?}", reading.quote.map(|quote| quote.map(char::from)))));
        set("columns", reading.columns.clone().into());
        set("null-as", reading.null_as.clone().into());
        set("max-record-bytes", reading.record_bytes.into());
        set("timezone", value(self.job.time_zone.clone()));
        set("datestyle", value(self.job.date_style.clone()));
        settings
    }

    /// Puts the pieces together; the caller adds the run, if there is one.
    fn without_ledger(self, pool: Pool, plan: Plan, ddl: Option<String>) -> Result<Prepared, LoadError> {
        let mapping = Arc::new(plan.mapping());
        let newer_by = plan.newer_by.as_ref().and_then(|name| match mapping.target(name).0 {
            crate::map::Target::Slot(slot) => Some(slot),
            _ => None,
        });
        let resources = &self.job.resources;
        let millis = |d: std::time::Duration| u64::try_from(d.as_millis()).unwrap_or(u64::MAX);
        let write = Arc::new(WritePlan {
            mapping: Arc::clone(&mapping),
            mode: plan.mode,
            key_index: plan.key.index,
            paths: plan.paths.clone(),
            server_version: self.facts.version,
            staging: if self.job.transaction_pooler { Staging::Transaction } else { Staging::Session },
            newer_by,
            asynchronous_commit: self.facts.asynchronous_commit && !self.job.runs.no_ledger,
            time_zone: self.job.time_zone.clone(),
            date_style: self.job.date_style.clone(),
            statement_timeout_ms: millis(resources.statement_timeout),
            lock_timeout_ms: millis(resources.lock_timeout),
        });
        let checkpoints = (0..plan.partitioner.count)
            .map(|_| Checkpoint {
                at: self.inputs.first().map_or(Position::start_of(0), |input| input.begin),
                books: crate::account::Books::default(),
                done: false,
            })
            .collect();
        let guarantee = guarantee(job_is_replayable(&self.inputs), false, plan.mode);
        Ok(Prepared {
            pool,
            plan,
            mapping,
            write,
            run: None,
            inputs: self.inputs,
            kept: self.sampled.kept,
            checkpoints,
            guarantee,
            skipped: Vec::new(),
            ddl,
            facts: self.facts,
        })
    }
}

fn job_is_replayable(inputs: &[Input]) -> bool {
    inputs.iter().all(|input| input.description.spec.location.is_replayable())
}

const fn guarantee(replayable: bool, ledger: bool, mode: Mode) -> Guarantee {
    match (replayable && ledger, mode) {
        (true, _) => Guarantee::ExactlyOnce,
        (false, Mode::Append) => Guarantee::AtLeastOnce,
        (false, _) => Guarantee::EffectivelyOnce,
    }
}

/// The target must still be what the unfinished run has written to.
async fn check_target(
    pool: &Pool,
    unfinished: &Unfinished,
    target: (u32, u32),
    table: &Table,
) -> Result<(), LoadError> {
    let what = if unfinished.target.0 != target.0 {
        "was dropped and created again"
    } else if unfinished.target.1 != target.1 {
        "was truncated or rewritten"
    } else if unfinished.has_inserted && is_empty(pool, table).await? {
        "was emptied"
    } else {
        return Ok(());
    };
    Err(LedgerError::TargetChanged { run: unfinished.run.clone(), what }.into())
}

async fn is_empty(pool: &Pool, table: &Table) -> Result<bool, LoadError> {
    if pool.max_size() == 1 {
        // The ledger has the one connection; asking would wait for it.
        pool.resize(2);
    }
    let session = open(pool).await?;
    let outcomes = session
        .run(&format!("SELECT NOT EXISTS (SELECT FROM {})", table.name))
        .await
        .map_err(|view| LoadError::Prepare { doing: "look at the target", view })?;
    Ok(outcomes.first().and_then(crate::pg::Outcome::value) == Some("t"))
}

/// What is left of sources that were set aside becomes the end of the order.
async fn append_rests(pool: &Pool, run: &LedgerRef, inputs: &mut Vec<Input>) -> Result<(), LoadError> {
    let rests: Vec<usize> = (0..inputs.len())
        .filter(|&i| inputs[i].set_aside.is_some() && inputs[i].moved_to.is_none())
        .collect();
    for of in rests {
        let ordinal = u32::try_from(inputs.len()).unwrap_or(u32::MAX);
        let at = inputs[of].set_aside.unwrap_or_default();
        let rest = Input {
            begin: Position { source: ordinal, ..at },
            set_aside: None,
            moved_to: None,
            ..inputs[of].clone()
        };
        let session = open(pool).await?;
        let of_ordinal = u32::try_from(of).unwrap_or(u32::MAX);
        append_rest(&session, &run.run, of_ordinal, ordinal, &rest.store()).await?;
        inputs[of].moved_to = Some(ordinal);
        inputs.push(rest);
    }
    Ok(())
}

/// Sources that are still to be read must be what they were.
async fn check_sources(run: &str, inputs: &[Input], first: u32) -> Result<(), LoadError> {
    for input in inputs.iter().filter(|input| input.begin.source >= first && input.moved_to.is_none()) {
        let (Location::File(path), Some(print)) =
            (&input.description.spec.location, &input.description.fingerprint)
        else {
            continue;
        };
        let change = print.compare(path).await.unwrap_or(Change::Gone);
        if !change.keeps_recorded_part() {
            return Err(LedgerError::SourceChanged {
                run: run.to_owned(),
                name: input.name.clone(),
                change: change.to_string(),
            }
            .into());
        }
    }
    Ok(())
}

impl Prepared {
    /// The plan in words.
    #[must_use]
    pub fn describe(&self, job: &Job) -> String {
        use std::fmt::Write as _;
        let mut out = String::new();
        let table = &self.plan.table;
        let mut line = |name: &str, text: &str| {
            let _ = writeln!(out, "{name:<12}{text}");
        };
        line("database", &format!("{} (PostgreSQL {})", self.pool.place(), self.facts.version_name));
        let state = if self.ddl.is_some() { "to be created" } else { "exists" };
        line("table", &format!("{} ({state})", table.name));
        line("mode", self.plan.mode.name());
        let key = self.plan.key_names();
        line("key", &if key.is_empty() { "none".to_owned() } else { key.join(", ") });
        let partitions = match self.plan.one_partition {
            Some(why) => format!("1 ({why})"),
            None => format!("{} by {:?}", self.plan.partitioner.count, self.plan.partitioner.by).to_lowercase(),
        };
        line("partitions", &partitions);
        line("connections", &job.resources.pool_size.to_string());
        line("path", &self.path_words());
        line("session", &format!("TimeZone {}, DateStyle {}", job.time_zone, job.date_style));
        line("guarantee", self.guarantee.name());
        line("sources", &self.inputs.iter().map(|input| input.name.as_str()).collect::<Vec<_>>().join(", "));
        for (field, target) in &self.plan.fields {
            let to = match target {
                crate::map::Target::Slot(slot) => {
                    let column = &table.columns[self.mapping.slots[*slot]];
                    format!("{} {}", column.name, column.type_name)
                }
                crate::map::Target::Generated => "left out: the column is generated".to_owned(),
                crate::map::Target::Extra => match &self.plan.extra {
                    Extra::Jsonb(column) => format!("collected in {column:?}"),
                    Extra::Ignore | Extra::Refuse => "left out: no such column".to_owned(),
                },
            };
            line("field", &format!("{field:?} -> {to}"));
        }
        for note in &self.plan.notes {
            line("note", note);
        }
        if let Some(ddl) = &self.ddl {
            let _ = writeln!(out, "\n{ddl};");
        }
        out
    }

    fn path_words(&self) -> String {
        let paths = &self.plan.paths;
        if let Some(why) = paths.always_careful {
            return format!("careful, record by record: {why}");
        }
        match (self.plan.key.columns.is_empty(), paths.folding_shows) {
            (false, Some(why)) => format!("set-based; record by record where a key repeats in a batch: {why}"),
            _ => "set-based; record by record where the server refuses something".to_owned(),
        }
    }

    /// The server, in words for a hint with SQL to read the rejects.
    #[must_use]
    pub fn rejects_query(&self) -> Option<String> {
        let run = self.run.as_ref()?;
        Some(format!("SELECT * FROM _dbload.reject WHERE run = {}", literal(&run.ledger.run)))
    }
}
