//! One look at sources, table and ledger, up to the point where it is known whether the table exists.
//!
//! Sources from the network are asked as soon as the ledger has said which of them are still to be fetched: planning and
//! recording the run go on beside the first requests. What an earlier start has loaded is not asked for again, not even
//! for the sample.

use std::sync::Arc;

use futures::future::{Either, select};

use crate::engine::Share;
use crate::event::{Event, Listener, Totals};
use crate::http::{Client, Origins};
use crate::job::Job;
use crate::ledger::{Ledger, StoredSource, unfinished_sources};
use crate::pg::catalog::{CatalogError, read_table};
use crate::pg::facts::{ServerFacts, server_facts};
use crate::pg::{ErrorView, Ident, Lease, Session, TableName};
use crate::plan::{Refusal, refuse_loops, refuse_staging};
use crate::schema::Table;
use crate::source::{Location, SourceError, SourceSpec};

use super::act::Act;
use super::ahead::{Ahead, Bounds};
use super::error::LoadError;
use super::input::{Begin, Input, Web};
use super::once::Earlier;
use super::prepare::{Prepared, Start, missing};
use super::race::open;
use super::sample::{SAMPLED_SOURCES, Sampled, sample};
use super::settings::identities;

/// One look at sources, table and ledger. [`LedgerError::Raced`]: look again.
pub(super) async fn look(
    share: &Share,
    job: &Job,
    (act, earlier): (Act, &Earlier<'_>),
    listener: Listener<'_>,
    specs: Vec<SourceSpec>,
) -> Result<Prepared, LoadError> {
    let web = web(share, job, &specs)?;
    let mut inputs = Vec::with_capacity(specs.len());
    for (ordinal, spec) in specs.into_iter().enumerate() {
        inputs.push(Input::new(spec, ordinal).await?);
    }
    let name = target_name(job, &inputs);
    let asking = Box::pin(ask((share, job, act), name, web.is_none()));
    let (early, asked) = match &web {
        None if are_files(&inputs) => {
            sampled_and(asking, Box::pin(sample(&mut inputs, (job, act), None, None))).await?
        }
        // A pipe may be long in coming: nobody waits for it with a connection in his hands.
        None => (Some(sample(&mut inputs, (job, act), None, None).await?), asking.await?),
        Some(_) => (None, asking.await?),
    };
    let Asked { pool, session, facts, name, table, ledger } = asked;
    let (begun, session) = match (early, &web) {
        (Some(sampled), _) => (Begun { sampled, ahead: None, resumes: false }, session),
        (None, web) => {
            // Boxed: it is much, and needed for a moment.
            let (who, web) = ((share, job, act, earlier, listener), web.as_ref());
            let begun = Box::pin(begin(who, session, table.as_ref(), (&mut inputs, web))).await?;
            (begun, open(&pool).await?)
        }
    };
    let mut start = Start { share, job, act, earlier, listener, facts, inputs, web, begun, ledger };
    let (table, ddl) = match table {
        Some(table) => (Some(table), None),
        None if act == Act::Verify => return Err(missing(&name).into()),
        None => {
            // Nothing to make it from, since nothing could be fetched: that is what is wrong.
            if let Some(error) = start.begun.sampled.first_failure() {
                return Err(error.into());
            }
            Box::pin(start.leave_out_damaged()).await?;
            let made = start.new_table(&name);
            if let (Err(_), Some(unreadable)) = (&made, start.begun.sampled.unreadable()) {
                return Err(unreadable.into());
            }
            (None, Some(made?))
        }
    };
    match ddl {
        None => start.existing(pool, session, table.ok_or_else(|| missing(&name))?).await,
        Some(new) => start.created(pool, session, new).await,
    }
}

impl Start<'_> {
    /// No column is made from what a damaged file may give.
    async fn leave_out_damaged(&mut self) -> Result<(), LoadError> {
        if !are_files(&self.inputs) {
            return Ok(());
        }
        let mut first = None;
        for input in self.inputs.iter().take(SAMPLED_SOURCES) {
            if let Err(error) = input.check_whole(&self.job.reading, &Begin::at(input.begin)).await {
                first.get_or_insert(error);
            }
        }
        let Some(error) = first else { return Ok(()) };
        self.begun.sampled = sample(&mut self.inputs, (self.job, self.act), None, None).await?;
        if self.begun.sampled.inference.columns().is_empty() { Err(error.into()) } else { Ok(()) }
    }
}

/// What the server said about itself and the table.
struct Asked {
    pool: Lease,
    session: Session,
    facts: ServerFacts,
    name: TableName,
    table: Option<Table>,
    ledger: Option<Ledger>,
}

/// Asks the server for itself and for the table, both at once; for the ledger too, if that is needed soon.
async fn ask(
    (share, job, act): (&Share, &Job, Act),
    name: Result<TableName, LoadError>,
    is_soon: bool,
) -> Result<Asked, LoadError> {
    let pool =
        share.lease(&job.dsn, job.resources.pool_size).await?.answering_within(job.resources.answer_limit());
    let session = open(&pool).await?;
    let name = name?;
    let (facts, table, ledger) = futures::join!(
        server_facts(&session, &name),
        read_table(&session, &name),
        ledger_beside(job, act, &pool, is_soon)
    );
    let facts = facts.map_err(|error| understood(error, &pool))?;
    if !facts.may_stage {
        return Err(refuse_staging(&facts.role, &facts.database).into());
    }
    if !facts.may_loop {
        return Err(refuse_loops(&facts.role).into());
    }
    let table = table.map_err(|error| understood(error, &pool))?;
    Ok(Asked { pool, session, facts, name, table, ledger })
}

fn are_files(inputs: &[Input]) -> bool {
    inputs.iter().all(|input| input.description.spec.location.is_file())
}

/// Samples files while the server is asked. What is wrong with a file is said first, and at once, whatever the server says.
async fn sampled_and(
    asking: impl Future<Output = Result<Asked, LoadError>> + Unpin,
    sampling: impl Future<Output = Result<Sampled, SourceError>> + Unpin,
) -> Result<(Option<Sampled>, Asked), LoadError> {
    match select(asking, sampling).await {
        Either::Left((asked, sampling)) => Ok((Some(sampling.await?), asked?)),
        Either::Right((sampled, asking)) => Ok((Some(sampled?), asking.await?)),
    }
}

/// The ledger's connection, where one will be wanted and there may be one more.
async fn ledger_beside(job: &Job, act: Act, pool: &Lease, is_soon: bool) -> Option<Ledger> {
    if !is_soon || !act.keeps_ledger(job) || pool.max_size() == 1 {
        return None;
    }
    Ledger::connect_beside(pool).await
}

/// An answer that cannot be read names the server that gave it: it may be none.
fn understood(error: CatalogError, pool: &Lease) -> LoadError {
    match error {
        CatalogError::Answer => {
            let message = format!("what {} answers is no answer of PostgreSQL", pool.place());
            let view = ErrorView { message, ..ErrorView::default() };
            LoadError::Prepare { doing: "read the catalog", view }
        }
        error => error.into(),
    }
}

/// What was begun of the sources.
pub(super) struct Begun {
    pub(super) sampled: Sampled,
    pub(super) ahead: Option<Ahead>,
    /// The sample is an earlier start's: there must be an unfinished run.
    pub(super) resumes: bool,
}

/// Begins to fetch, unless an earlier start has: then its sample does for the plan. Nobody waits for a server of the network
/// with a session in his hands.
async fn begin(
    (share, job, act, earlier, listener): (&Share, &Job, Act, &Earlier<'_>, Listener<'_>),
    session: Session,
    table: Option<&Table>,
    (inputs, web): (&mut Vec<Input>, Option<&Web>),
) -> Result<Begun, LoadError> {
    if act == Act::Plan {
        drop(session);
        let mut sampled = sample(inputs, (job, act), web, None).await?;
        let of_answers = web.map(|web| web.client.take_notes()).unwrap_or_default();
        for note in sampled.take_notes().into_iter().chain(of_answers) {
            listener(&Event::Note { text: note }, &Totals::default());
        }
        return Ok(Begun { sampled, ahead: None, resumes: false });
    }
    if let Some(table) = table
        && act.keeps_ledger(job)
        && !earlier.restarts()
        && let Some(stored) = unfinished(&session, &identities(job, &table.name)?).await
    {
        let stored = stored.iter().enumerate().filter_map(|(i, source)| Input::read(source, i));
        let sampled = Sampled::stored(&stored.collect::<Vec<_>>());
        return Ok(Begun { sampled, ahead: None, resumes: true });
    }
    drop(session);
    let mut ahead = web.map(|web| {
        fetch_ahead((share, job), web, inputs.iter().map(|input| (input, Begin::at(input.begin))))
    });
    let sampled = sample(inputs, (job, act), web, ahead.as_mut()).await?;
    Ok(Begun { sampled, ahead, resumes: false })
}

/// The sources of the unfinished run of the first of these identities that has one.
async fn unfinished(session: &Session, identities: &[String]) -> Option<Vec<StoredSource>> {
    for identity in identities {
        let found = unfinished_sources(session, identity).await;
        if found.is_some() {
            return found;
        }
    }
    None
}

/// Begins to fetch those of the sources that come from the network.
pub(super) fn fetch_ahead<'a>(
    (share, job): (&Share, &Job),
    web: &Web,
    sources: impl Iterator<Item = (&'a Input, Begin)>,
) -> Ahead {
    let remote = sources.filter(|(input, _)| input.is_remote());
    let remote = remote.map(|(input, begin)| (input.begin.source as usize, input.clone(), begin)).collect();
    let bounds = Bounds {
        sources: job.web.http.concurrency,
        memory_bytes: share.bytes_ahead(&job.resources),
        sampled: SAMPLED_SOURCES,
    };
    Ahead::start(web.clone(), job.reading.clone(), remote, bounds)
}

/// What sources from the network are read with, if there are any.
fn web(share: &Share, job: &Job, specs: &[SourceSpec]) -> Result<Option<Web>, LoadError> {
    let urls: Vec<_> = specs
        .iter()
        .filter_map(|spec| match &spec.location {
            Location::Http(request) => Some(&request.url),
            _ => None,
        })
        .collect();
    if urls.is_empty() {
        return Ok(None);
    }
    let failed = |source| SourceError::Http { source };
    let client = Client::within(share.speeds(), &job.web.http, Origins::of(urls)).map_err(failed)?;
    Ok(Some(Web {
        client,
        paginate: job.web.paginate.clone(),
        pages_max: job.web.http.limits.pages,
        lonely_said: Arc::default(),
    }))
}

/// `--table`, else the first source's stem.
fn target_name(job: &Job, inputs: &[Input]) -> Result<TableName, LoadError> {
    let schema = match &job.dsn.schema {
        Some(schema) => {
            Some(Ident::new(schema.as_str()).map_err(|e| Refusal { message: e.to_string(), hint: None })?)
        }
        None => None,
    };
    if let Some(name) = &job.table {
        return Ok(TableName { schema: name.schema.clone().or(schema), name: name.name.clone() });
    }
    let stem = inputs.iter().find_map(|input| input.description.spec.stem());
    let stem = stem.ok_or_else(|| Refusal::new("a pipe has no name for the table", "say --table NAME"))?;
    let name = Ident::new(stem).map_err(|error| Refusal::new(error.to_string(), "say --table NAME"))?;
    Ok(TableName { schema, name })
}
