//! What loads from sources and loads of records handed over have in common: the options, collected until the
//! load begins.

use std::fmt;
use std::path::PathBuf;

use crate::engine::Engine;
use crate::error::Error;
use crate::event::{Event, Totals};
use crate::job::{EarlierRuns, HttpSources, Job, Pooler, Reading, RejectBudget, Resources};
use crate::load;
use crate::map::{Extra, Narrowing};
use crate::mysql::ZeroDates;
use crate::pg;
use crate::schema::{ColumnDefinition, MergePolicies, Mode, Removals, Rest, TableName};

/// Who hears of what happens.
pub(super) type OnEvent = Box<dyn Fn(&Event, &Totals) + Send + Sync>;

/// Everything that can be said about a load but where from and where to.
#[derive(Default)]
pub(super) struct LoadOptions {
    pub(super) table: Option<TableName>,
    pub(super) key: Option<Vec<String>>,
    pub(super) mode: Option<Mode>,
    pub(super) rest: Rest,
    pub(super) removals: Removals,
    pub(super) reading: Reading,
    pub(super) web: HttpSources,
    pub(super) extra: Option<Extra>,
    pub(super) column_definitions: Vec<ColumnDefinition>,
    pub(super) narrowing: Narrowing,
    pub(super) policies: MergePolicies,
    pub(super) newer_by: Option<String>,
    pub(super) fix_sequences: bool,
    pub(super) zero_dates: ZeroDates,
    pub(super) time_zone: Option<String>,
    pub(super) date_style: Option<&'static str>,
    pub(super) resources: Resources,
    pub(super) max_rejects: Option<RejectBudget>,
    pub(super) reject_file: Option<PathBuf>,
    pub(super) runs: EarlierRuns,
    pub(super) pooler: Option<Pooler>,
    pub(super) stop: tokio_util::sync::CancellationToken,
    pub(super) on_event: Option<OnEvent>,
    pub(super) engine: Option<Engine>,
    /// The first option that cannot be used: said when the load begins, so that options can be chained.
    wrong: Option<String>,
}

impl fmt::Debug for LoadOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Headers and parameters of requests may be secrets.
        f.debug_struct("Options").field("table", &self.table).field("key", &self.key).finish_non_exhaustive()
    }
}

impl LoadOptions {
    /// Remembers what is wrong with an option.
    pub(super) fn take<T>(&mut self, option: &str, value: Result<T, impl fmt::Display>) -> Option<T> {
        match value {
            Ok(value) => Some(value),
            Err(error) => {
                self.wrong.get_or_insert(format!("{option}: {error}"));
                None
            }
        }
    }

    /// The job, with these sources, and who listens.
    pub(super) fn into_job(self, dsn: pg::ConnInfo, sources: Vec<String>) -> Result<(Job, Watching), Error> {
        if let Some(wrong) = self.wrong {
            return Err(Error::usage(wrong));
        }
        let pooler =
            self.pooler.unwrap_or(if dsn.behind_pooler { Pooler::Transaction } else { Pooler::Detect });
        let mut job = Job::new(dsn, sources);
        load::name_databases(&mut job, pg::ConnInfo::parse, &|_| None)
            .map_err(|error| Error::usage(format!("a source: {error}")))?;
        job.table = self.table;
        job.key = self.key;
        job.mode = self.mode;
        job.rest = self.rest;
        job.removals = self.removals;
        job.reading = self.reading;
        job.web = self.web;
        job.extra = self.extra.unwrap_or(job.extra);
        job.column_definitions = self.column_definitions;
        job.narrowing = self.narrowing;
        job.policies = self.policies;
        job.newer_by = self.newer_by;
        job.fix_sequences = self.fix_sequences;
        job.zero_dates = self.zero_dates;
        job.time_zone = self.time_zone.unwrap_or(job.time_zone);
        if let Some(order) = self.date_style {
            job.date_style = format!("ISO, {order}");
        }
        job.resources = self.resources;
        job.max_rejects = self.max_rejects.unwrap_or(job.max_rejects);
        job.rejects_file = self.reject_file;
        job.runs = self.runs;
        job.pooler = pooler;
        Ok((job, Watching { stop: self.stop, on_event: self.on_event }))
    }
}

/// Who watches a load.
pub(super) struct Watching {
    pub(super) stop: tokio_util::sync::CancellationToken,
    pub(super) on_event: Option<OnEvent>,
}

impl Watching {
    pub(super) fn hear(&self, event: &Event, totals: &Totals) {
        if let Some(on_event) = &self.on_event {
            on_event(event, totals);
        }
    }
}

/// The options that both builders have.
macro_rules! common_options {
    () => {
        /// The columns of the key; by default the table's primary key.
        pub fn key<S: Into<String>>(mut self, columns: impl IntoIterator<Item = S>) -> Self {
            self.options.key = Some(columns.into_iter().map(Into::into).collect());
            self
        }

        /// What happens to a record whose key is stored already; by default an upsert with a key, else an
        /// append.
        pub fn mode(mut self, mode: Mode) -> Self {
            self.options.mode = Some(mode);
            self
        }

        /// The sources become all that is in the table, at once and complete, or the old content stays.
        pub fn replace(mut self) -> Self {
            self.options.rest = Rest::Replaced;
            self
        }

        /// An upsert; then rows are removed that no record was about, a tenth of the table at most.
        pub fn sync(mut self) -> Self {
            self.options.mode = Some(Mode::Upsert);
            self.options.rest = Rest::Removed;
            self
        }

        /// Where rows are removed that no record was about: so many at most, or none is.
        pub fn max_removals(mut self, rows: u64) -> Self {
            self.options.removals.max = RemovalLimit::Count(rows);
            self
        }

        /// Where rows go that are in no source: a source without records is no mistake.
        pub fn allow_empty(mut self) -> Self {
            self.options.removals.allow_empty = true;
            self
        }

        /// Where rows go that are in no source: foreign keys of other tables may delete or change rows there.
        pub fn allow_cascade(mut self) -> Self {
            self.options.removals.allow_cascade = true;
            self
        }

        /// What becomes of fields on their way to columns; by default they go to the columns of their names.
        pub fn shaping(mut self, shaping: Shaping) -> Self {
            self.options.reading.decode.trims_nulls = shaping.trims();
            let checked = shaping.checked();
            self.options.reading.shaping = self.options.take("shaping", checked).unwrap_or_default();
            self
        }

        /// What happens to fields without a column; by default they are refused.
        pub fn extra(mut self, extra: Extra) -> Self {
            self.options.extra = Some(extra);
            self
        }

        /// A column of a table that is made, or that [`Extra::Add`] adds, as SQL has it: `amount
        /// numeric(12,2) NOT NULL`. May be called repeatedly.
        pub fn column(mut self, definition: &str) -> Self {
            let parsed = ColumnDefinition::parse(definition);
            let parsed = self.options.take("column", parsed);
            self.options.column_definitions.extend(parsed);
            self
        }

        /// What happens to values that their column would hold as others; by default their records are
        /// rejected.
        pub fn narrowing(mut self, narrowing: Narrowing) -> Self {
            self.options.narrowing = narrowing;
            self
        }

        /// What becomes of a column of a stored row; by default the record's value replaces the stored one.
        pub fn merge(mut self, column: impl Into<String>, policy: MergePolicy) -> Self {
            let set = self.options.policies.set(column, policy);
            self.options.take("merge", set);
            self
        }

        /// Only a record with a greater value in this column replaces a stored row.
        pub fn newer_by(mut self, column: impl Into<String>) -> Self {
            self.options.newer_by = Some(column.into());
            self
        }

        /// What happens to NUL and lone surrogates, which no text of PostgreSQL can hold; by default the
        /// record is rejected.
        pub fn on_nul(mut self, rule: OnNul) -> Self {
            self.options.reading.decode.on_nul = rule;
            self
        }

        /// Cuts the digits below the microsecond off times of Parquet, Arrow and Avro: no time of PostgreSQL
        /// keeps them. By default the record is rejected where they are not zero.
        pub fn truncate_sub_microseconds(mut self) -> Self {
            self.options.reading.decode.sub_microseconds = SubMicroseconds::Truncate;
            self
        }

        /// Rounds such times to the nearest microsecond.
        pub fn round_sub_microseconds(mut self) -> Self {
            self.options.reading.decode.sub_microseconds = SubMicroseconds::Round;
            self
        }

        /// Makes dates of MySQL that are none (`0000-00-00`, and those whose month or day is zero) null. By
        /// default the record is rejected.
        pub fn zero_dates_as_null(mut self) -> Self {
            self.options.zero_dates = crate::mysql::ZeroDates::Null;
            self
        }

        /// Sets the sequences of identity and serial columns that the load wrote, where they are behind.
        pub fn fix_sequences(mut self) -> Self {
            self.options.fix_sequences = true;
            self
        }

        /// Time zone of timestamps that say none; by default UTC.
        pub fn time_zone(mut self, zone: impl Into<String>) -> Self {
            self.options.time_zone = Some(zone.into());
            self
        }

        /// How dates such as 01/02/2024 are read; by default they are refused.
        pub fn date_order(mut self, order: DateOrder) -> Self {
            self.options.date_style = Some(order.name());
            self
        }

        /// Connections at most; by default 4.
        pub fn connections(mut self, connections: usize) -> Self {
            let checked = if (1..=1000).contains(&connections) {
                Ok(connections)
            } else {
                Err("must be from 1 to 1000")
            };
            if let Some(connections) = self.options.take("connections", checked) {
                self.options.resources.pool_size = connections;
            }
            self
        }

        /// Rows of a batch at most; by default 20,000.
        pub fn batch_rows(mut self, rows: u64) -> Self {
            self.options.resources.batch_rows = rows.max(1);
            self
        }

        /// Memory to get by with, in bytes; by default 64 MiB.
        pub fn max_memory(mut self, bytes: u64) -> Self {
            self.options.resources.max_memory_bytes = bytes;
            self
        }

        /// The longest record, in bytes, that is loaded; a longer one is rejected. By default 8 MiB.
        pub fn max_record(mut self, bytes: usize) -> Self {
            self.options.reading.record_bytes = Some(bytes);
            self
        }

        /// How long a server that is away or busy is waited for; by default 5 minutes.
        pub fn retry_for(mut self, limit: Duration) -> Self {
            self.options.resources.retry_for = limit;
            self
        }

        /// The longest statement; by default 50 seconds. A batch that takes longer is halved.
        pub fn statement_timeout(mut self, limit: Duration) -> Self {
            self.options.resources.statement_timeout = limit;
            self
        }

        /// The longest wait for a lock; by default 10 seconds. The batch is then tried again.
        pub fn lock_timeout(mut self, limit: Duration) -> Self {
            self.options.resources.lock_timeout = limit;
            self
        }

        /// What is between here and the server; by default that is found out.
        pub fn pooler(mut self, pooler: Pooler) -> Self {
            self.options.pooler = Some(pooler);
            self
        }

        /// When too many records are rejected; by default never.
        pub fn max_rejects(mut self, budget: RejectBudget) -> Self {
            self.options.max_rejects = Some(budget);
            self
        }

        /// Where rejected records are written to, if there are any; by default `TABLE.RUN.rejects.jsonl` in
        /// the current folder. The ledger keeps them too.
        pub fn reject_file(mut self, path: impl Into<PathBuf>) -> Self {
            self.options.reject_file = Some(path.into());
            self
        }

        /// Keeps no ledger: no schema `_dbload` in the database, and no resume.
        pub fn without_ledger(mut self) -> Self {
            self.options.runs.no_ledger = true;
            self
        }

        /// Runs with the other loads of this engine, within the limits of them all; by default alone.
        pub fn engine(mut self, engine: &Engine) -> Self {
            self.options.engine = Some(engine.clone());
            self
        }

        /// Is called with what happens, and with the totals so far. From the load's own task: it must not
        /// block.
        pub fn on_event(mut self, listener: impl Fn(&Event, &Totals) + Send + Sync + 'static) -> Self {
            self.options.on_event = Some(Box::new(listener));
            self
        }

        /// Stops the load when it is cancelled: what is in flight is finished, and the load ends with
        /// [`ErrorKind::Stopped`](crate::ErrorKind::Stopped).
        pub fn stop(mut self, token: CancellationToken) -> Self {
            self.options.stop = token;
            self
        }
    };
}

pub(super) use common_options;
