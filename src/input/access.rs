//! What the sources of a load are opened with, beside their specs: what is stored nowhere, and lives as long
//! as the load.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::archives::Tars;
use super::error::SourceError;
use super::lists::{EachRows, Lists};
use super::spec::{Location, SourceSpec};
use super::tables::Databases;
use crate::event::Requests;
use crate::feed::Feed;
use crate::format::DetectError;
use crate::http::urls::has_list_in_query;
use crate::http::{Client, Counters, Origins, Paginate, QueryLists, RateLimiters, Request, unsigned};
use crate::job;
use crate::store::{self, Stores};

/// What sources are opened with. The default opens what is at hand.
#[derive(Clone, Default)]
pub struct Access {
    web: Option<HttpAccess>,
    /// The stores of its objects.
    stores: Option<Stores>,
    pub(super) feed: Option<Feed>,
    /// Who opens tables of databases, and whether there are some.
    databases: Option<Arc<dyn Databases>>,
    /// Where archives are read that are read from their start.
    pub(super) tars: Tars,
    has_tables: bool,
    /// Memory of the process, if the load has said it.
    memory_bytes: Option<u64>,
    /// What a file of columns is was said: once is enough for a thousand of them.
    columns_said: Arc<AtomicBool>,
    /// Likewise what JSON was taken for.
    format_said: Arc<AtomicBool>,
}

/// What sources from the network are read with.
#[derive(Clone)]
struct HttpAccess {
    /// The client of this process.
    client: Client,
    /// How pages lead to each other; a body is a whole source otherwise.
    paginate: Option<Paginate>,
    /// Pages of one endpoint; more are a failure.
    pages_max: u64,
    /// An endpoint without a second page was spoken of: once is enough for a thousand of them.
    lonely_said: Arc<AtomicBool>,
}

/// What the pages of an endpoint are read with.
pub(super) struct Paging {
    /// The client that sends the requests.
    pub(super) client: Client,
    /// How pages lead to each other.
    pub(super) paginate: Paginate,
    /// Pages of one endpoint; more are a failure.
    pub(super) pages_max: u64,
}

impl Access {
    /// What these sources need.
    ///
    /// # Errors
    /// When requests cannot be made as the settings say.
    pub fn of(specs: &[SourceSpec], job: &job::Job, speeds: &RateLimiters) -> Result<Self, SourceError> {
        let urls: Vec<_> = specs
            .iter()
            .filter_map(|spec| match &spec.location {
                Location::Http(request) => Some(&request.url),
                Location::File(_)
                | Location::Member(_)
                | Location::Pipe(_)
                | Location::Stdin
                | Location::Object(_)
                | Location::Table(_)
                | Location::Caller => None,
            })
            .collect();
        let (feed, memory_bytes) = (job.feed.clone(), Some(job.resources.max_memory_bytes));
        let objects: Vec<&str> =
            specs.iter().filter_map(|spec| Some(spec.location.object()?.word.as_str())).collect();
        let has_tables = specs.iter().any(|spec| matches!(spec.location, Location::Table(_)));
        if urls.is_empty() && objects.is_empty() {
            return Ok(Self { feed, memory_bytes, has_tables, ..Self::default() });
        }
        let stores = match objects.is_empty() {
            true => None,
            false => {
                let stores = Stores::new(objects, &job.web.store, &job.web.http);
                Some(stores.map_err(|source| SourceError::Store { source })?)
            }
        };
        let http = store::signing(&job.web.store, &job.web.http);
        let http = http.map_err(|source| SourceError::Store { source })?;
        let client = Client::within(speeds, &http, Origins::of(urls))
            .map_err(|source| SourceError::Http { source })?;
        let kept =
            |word: &&String| job.web.http.query_lists == QueryLists::default() && has_list_in_query(word);
        if let Some(word) = job.sources.iter().find(kept) {
            client.note(format!(
                "the list in the query of {} is sent as it is: --expand-query makes a URL of each of its words",
                unsigned(word)
            ));
        }
        let web = HttpAccess {
            client,
            paginate: job.web.paginate.clone(),
            pages_max: job.web.http.limits.pages,
            lonely_said: Arc::default(),
        };
        Ok(Self { web: Some(web), stores, feed, memory_bytes, has_tables, ..Self::default() })
    }

    /// With who opens tables of databases.
    #[must_use]
    pub fn with_databases(self, databases: Arc<dyn Databases>) -> Self {
        Self { databases: Some(databases), ..self }
    }

    /// The database of a table.
    pub(super) fn database(&self, word: &str) -> Result<&dyn Databases, SourceError> {
        let found = self.databases.as_deref();
        // A load that was stored by a program that reads it.
        found.ok_or_else(|| SourceError::Unsupported {
            scheme: word.split(':').next().unwrap_or(word).to_owned(),
        })
    }

    /// A file that is a database is refused with the names of its tables.
    pub(super) async fn or_with_tables<T>(
        &self,
        found: Result<T, SourceError>,
        file: Option<&Path>,
    ) -> Result<T, SourceError> {
        match (found, file, &self.databases) {
            (Err(SourceError::Detect { source: DetectError::Sqlite, name }), Some(file), Some(databases)) => {
                Err(SourceError::IsDatabase { name, tables: databases.tables_of(file).await })
            }
            (found, _, _) => found,
        }
    }

    /// What a list of rows is read with, which is at this URL: credentials go to its origin.
    ///
    /// # Errors
    /// When requests cannot be made as the settings say.
    pub(super) fn of_list(request: &Request, lists: &Lists) -> Result<Self, SourceError> {
        let http = store::signing(&lists.store, &lists.http);
        let http = http.map_err(|source| SourceError::Store { source })?;
        let client = Client::within(&RateLimiters::default(), &http, Origins::of([&request.url]))
            .map_err(|source| SourceError::Http { source })?;
        let paginate = match &lists.each {
            Some(EachRows::List(list)) => list.paginate.clone(),
            _ => None,
        };
        let pages_max = lists.http.limits.pages;
        let web = HttpAccess { client, paginate, pages_max, lonely_said: Arc::default() };
        Ok(Self { web: Some(web), ..Self::default() })
    }

    /// Some of the sources are asked for of a server.
    #[must_use]
    pub const fn asks(&self) -> bool {
        self.web.is_some() || self.has_tables
    }

    /// Memory of the process.
    pub(super) fn memory_bytes(&self) -> u64 {
        self.memory_bytes.unwrap_or(job::MAX_MEMORY_BYTES)
    }

    pub(super) fn client(&self) -> Option<&Client> {
        self.web.as_ref().map(|web| &web.client)
    }

    /// The stores of its objects.
    pub(super) const fn stores(&self) -> Option<&Stores> {
        self.stores.as_ref()
    }

    /// Where endpoints have pages: what those are read with.
    pub(super) fn paging(&self) -> Option<Paging> {
        let HttpAccess { client, paginate, pages_max, .. } = self.web.as_ref()?;
        Some(Paging { client: client.clone(), paginate: paginate.clone()?, pages_max: *pages_max })
    }

    /// Whether it is still to be said what a file of columns is.
    pub(super) fn may_say_columns(&self) -> bool {
        !self.columns_said.swap(true, Ordering::Relaxed)
    }

    /// Whether it is still to be said what JSON was taken for.
    pub(super) fn may_say_format(&self) -> bool {
        !self.format_said.swap(true, Ordering::Relaxed)
    }

    /// Whether it is still to be said that an endpoint has one page.
    pub(super) fn may_say_lonely(&self) -> bool {
        self.web.as_ref().is_some_and(|web| !web.lonely_said.swap(true, Ordering::Relaxed))
    }

    /// From now on it is the turn of this source: its requests go before those of others.
    pub fn turn_of(&self, ordinal: usize) {
        if let Some(client) = self.client() {
            client.prioritize(ordinal as u64);
        }
    }

    /// What servers have said beside the records.
    #[must_use]
    pub fn take_notes(&self) -> Vec<String> {
        self.client().map(Client::take_notes).unwrap_or_default()
    }

    /// Counts of requests so far, for whoever watches; `None`: none are made.
    #[must_use]
    pub fn requests(&self) -> Option<Requests> {
        let Counters { requests: sent, retried, failed, waited, in_flight, .. } = self.counters()?;
        Some(Requests { sent, retried, failed, waited, in_flight })
    }

    /// All counts of requests.
    #[must_use]
    pub fn counters(&self) -> Option<Counters> {
        self.client().map(Client::counters)
    }

    /// The time so far in which some request waited for a limit.
    #[must_use]
    pub fn limited_for(&self) -> Duration {
        self.client().map_or(Duration::ZERO, Client::limited_for)
    }

    /// Requests for this source that were made once more.
    #[must_use]
    pub fn retries_of(&self, ordinal: u64) -> u64 {
        self.client().map_or(0, |client| client.retries_of(ordinal))
    }

    /// All was read: what is to be kept of it is.
    ///
    /// # Errors
    /// When it is not.
    pub async fn finish(&self) -> Result<(), SourceError> {
        match self.client() {
            Some(client) => client.finish().await.map_err(|source| SourceError::Http { source }),
            None => Ok(()),
        }
    }
}
