//! The preflight: one look at sources, table and ledger, up to the point where it is known whether the table
//! exists.
//!
//! Sources from the network are asked as soon as the ledger has said which of them are still to be fetched:
//! planning and recording the run go on beside the first requests. What an earlier start has loaded is not
//! asked for again, not even for the sample.

use futures::future::{Either, select};

use crate::engine::Share;
use crate::event::{Event, Listener, Totals};
use crate::input::{
    Access, Begin, Input, Reach, SAMPLED_SOURCES, Sampled, SourceError, SourceSpec, refuse_unreadable, sample,
};
use crate::job::Job;
use crate::ledger::{Ledger, StoredSource, unfinished_sources};
use crate::pg::catalog::{CatalogError, read_table};
use crate::pg::server_info::{ServerInfo, knows_time_zone, server_info};
use crate::pg::{DbError, Ident, Lease, Session, TableName};
use crate::plan::{Refusal, refuse_loops, refuse_staging};
use crate::prepared::{Act, LoadError, Prepared};
use crate::schema::Table;

use super::asked;
use super::databases;
use super::once::Earlier;
use super::settings::identities;
use super::slots::open;
use super::start::{Begun, Start, fetch_ahead, missing};
use super::stored;

const DEFAULT_TIME_ZONE: &str = "UTC";

/// What a load is asked to do, and what it may use for it.
#[derive(Clone, Copy)]
pub(super) struct LoadRequest<'a> {
    pub(super) share: &'a Share,
    pub(super) job: &'a Job,
    pub(super) act: Act,
    pub(super) earlier: &'a Earlier<'a>,
    pub(super) listener: Listener<'a>,
}

/// One look at sources, table and ledger. [`LedgerError::Raced`]: look again.
pub(super) async fn preflight(
    request: LoadRequest<'_>,
    specs: Vec<SourceSpec>,
) -> Result<Prepared, LoadError> {
    let LoadRequest { share, job, act, earlier, listener } = request;
    specs.iter().try_for_each(|spec| refuse_unreadable(spec, &job.reading))?;
    let access = Access::of(&specs, job, share.speeds())?;
    let access = access.with_databases(databases::source_databases(job));
    let mut inputs = Input::all(specs).await?;
    let (name, at_hand) = (target_name(job, &inputs), are_at_hand(&inputs));
    let asking = Box::pin(ask(request, name, !access.asks()));
    let (early, inspected) = if access.asks() {
        (None, asking.await?)
    } else {
        let sampling = Box::pin(sample(&mut inputs, &job.reading, &access, None, SAMPLED_SOURCES));
        match at_hand {
            true => sampled_and(asking, sampling).await?,
            // A pipe may be long in coming: nobody waits for it with a connection in his hands.
            false => (Some(sampling.await?), asking.await?),
        }
    };
    let Inspection { pool, session, facts, name, table, ledger } = inspected;
    if let Some(table) = &table {
        Box::pin(databases::refuse_itself(job, &session, &table.name)).await?;
    }
    let asked = Box::pin(asked::judged(job, act, &pool, &session)).await?;
    let (begun, session) = match early {
        Some(sampled) => (Begun { sampled, ahead: None, resumes: false, at: None }, session),
        None => {
            // Boxed: it is much, and needed for a moment.
            let begun = Box::pin(begin(request, session, table.as_ref(), &mut inputs, &access)).await?;
            (begun, open(&pool).await?)
        }
    };
    let mut start = Start { share, job, act, earlier, listener, facts, inputs, access, begun, asked, ledger };
    let (table, ddl) = match table {
        Some(table) => (Some(table), None),
        None if act == Act::Verify => return Err(missing(&name).into()),
        None => {
            // Nothing to make it from, since nothing could be fetched: that is what is wrong.
            if let Some(error) = start.begun.sampled.first_failure() {
                return Err(error.into());
            }
            Box::pin(start.leave_out_damaged()).await?;
            if let Some(error) = start.begun.sampled.unreadable() {
                return Err(error.into());
            }
            if job.reading.delimiter.is_none()
                && let Some(error) = start.begun.sampled.titled()
            {
                return Err(error.into());
            }
            (None, Some(start.new_table(&name)?))
        }
    };
    match ddl {
        None => Box::pin(start.existing(pool, session, table.ok_or_else(|| missing(&name))?)).await,
        Some(new) => start.created(pool, session, new).await,
    }
}

impl Start<'_> {
    /// Nothing is concluded from what a damaged file may give: it is left out of the sample. Whether there
    /// was one.
    ///
    /// # Errors
    /// What is wrong with it, if there is no other.
    pub(super) async fn leave_out_damaged(&mut self) -> Result<bool, LoadError> {
        if !are_at_hand(&self.inputs) {
            return Ok(false);
        }
        let mut first = None;
        for input in self.inputs.iter().take(SAMPLED_SOURCES) {
            if let Err(error) = input.check_whole(&self.job.reading, &Begin::at(input.begin)).await {
                first.get_or_insert(error);
            }
        }
        let Some(error) = first else { return Ok(false) };
        let reading = &self.job.reading;
        self.begun.sampled = sample(&mut self.inputs, reading, &self.access, None, SAMPLED_SOURCES).await?;
        if self.begun.sampled.inference.columns().is_empty() { Err(error.into()) } else { Ok(true) }
    }
}

/// What the server said about itself and the table.
struct Inspection {
    pool: Lease,
    session: Session,
    facts: ServerInfo,
    name: TableName,
    table: Option<Table>,
    ledger: Option<Ledger>,
}

/// Asks the server for itself and for the table, both at once; for the ledger too, if that is needed soon.
async fn ask(
    LoadRequest { share, job, act, .. }: LoadRequest<'_>,
    name: Result<TableName, LoadError>,
    is_soon: bool,
) -> Result<Inspection, LoadError> {
    let pool =
        share.lease(&job.dsn, job.resources.pool_size).await?.answering_within(job.resources.answer_limit());
    let session = open(&pool).await?;
    let name = name?;
    let (facts, table, ledger) = futures::join!(
        server_info(&session, &name),
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
    check_time_zone(&session, &job.time_zone).await?;
    Ok(Inspection { pool, session, facts, name, table, ledger })
}

/// Refuses a time zone that the server does not know, before anything is made.
async fn check_time_zone(session: &Session, name: &str) -> Result<(), LoadError> {
    // The one that nobody has named is known to every server.
    if name == DEFAULT_TIME_ZONE {
        return Ok(());
    }
    let failed = |source| LoadError::Prepare { doing: "ask for the time zone", source };
    match knows_time_zone(session, name).await.map_err(failed)? {
        true => Ok(()),
        false => Err(Refusal::new(
            format!("the server knows no time zone {name:?}"),
            "--timezone takes a name such as Europe/Berlin, or an offset such as +02; the names are those \
             of the view pg_timezone_names",
        )
        .into()),
    }
}

fn are_at_hand(inputs: &[Input]) -> bool {
    inputs.iter().all(|input| input.reach() == Reach::AtHand)
}

/// Samples files while the server is asked. What is wrong with a file is said first, and at once, whatever
/// the server says.
async fn sampled_and(
    asking: impl Future<Output = Result<Inspection, LoadError>> + Unpin,
    sampling: impl Future<Output = Result<Sampled, SourceError>> + Unpin,
) -> Result<(Option<Sampled>, Inspection), LoadError> {
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
            LoadError::Prepare { doing: "read the catalog", source: DbError::Answer(message) }
        }
        error => error.into(),
    }
}

/// Begins to fetch, unless an earlier start has: then its sample does for the plan. Nobody waits for a server
/// of the network with a session in his hands.
async fn begin(
    LoadRequest { share, job, act, earlier, listener }: LoadRequest<'_>,
    session: Session,
    table: Option<&Table>,
    inputs: &mut [Input],
    access: &Access,
) -> Result<Begun, LoadError> {
    if act == Act::Plan {
        drop(session);
        // A plan alone is not worth more than one request.
        let mut sampled = sample(inputs, &job.reading, access, None, 1).await?;
        for note in sampled.take_notes().into_iter().chain(access.take_notes()) {
            listener(&Event::Note { text: note }, &Totals::default());
        }
        return Ok(Begun { sampled, ahead: None, resumes: false, at: None });
    }
    if let Some(table) = table
        && act.keeps_ledger(job)
        && !earlier.restarts()
        && let Some(stored) = unfinished(&session, &identities(job, &table.name)?).await
    {
        let stored = stored.iter().enumerate().filter_map(|(i, source)| stored::read(source, i));
        let sampled = Sampled::stored(&stored.collect::<Vec<_>>());
        return Ok(Begun { sampled, ahead: None, resumes: true, at: None });
    }
    drop(session);
    let begins = inputs.iter().map(|input| (input, Begin::at(input.begin)));
    let mut ahead = fetch_ahead(share, job, access, begins);
    let sampled = sample(inputs, &job.reading, access, Some(&mut ahead), SAMPLED_SOURCES).await?;
    Ok(Begun { sampled, ahead: Some(ahead), resumes: false, at: None })
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
