//! A load of records that the caller hands over, one by one or as a stream.
//!
//! The load is a task of its own: it commits what it has every few seconds, whether or not the caller has
//! more. Between the two is a bounded pipe; when it is full the caller waits.

use std::error::Error as StdError;
use std::fmt;
use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures::{Stream, StreamExt as _};
use serde::Serialize;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::Dsn;
use super::options::{LoadOptions, common_options};
use crate::account::Books;
use crate::engine::Engine;
use crate::error::Error;
use crate::event::{Event, Totals};
use crate::feed::Feed;
use crate::format::{Compression, OnNul, SubMicroseconds};
use crate::job::{DateOrder, FormatName, Pooler, RejectBudget};
use crate::load::{Ended, Outcome, load};
use crate::map::{Extra, Narrowing};
use crate::prepared::LoadError;
use crate::report::Report;
use crate::schema::{ColumnDefinition, MergePolicy, Mode, RemovalLimit, Rest, TableName};
use crate::shape::Shaping;

/// What a [`Loader`] is opened with.
#[derive(Debug)]
#[must_use = "a loader takes no records until it is started"]
pub struct OpenLoader {
    options: LoadOptions,
}

impl OpenLoader {
    common_options!();

    /// Begins: spawns the load on the runtime that this is called on. It connects when it has the first
    /// records, or when it is asked for a commit.
    ///
    /// # Errors
    ///
    /// When an option cannot be used. What is wrong with the server or the table is said by the first call
    /// that waits for it.
    #[expect(
        clippy::unused_async,
        reason = "it may have to wait one day, and must be called on a runtime today"
    )]
    pub async fn start(self, dsn: &Dsn) -> Result<Loader, Error> {
        let feed = Feed::default();
        let engine = self.options.engine.clone();
        let (mut job, watching) = self.options.into_job(dsn.0.clone(), Vec::new())?;
        job.reading.format = Some(FormatName::Jsonl);
        job.reading.compression = Some(Compression::None);
        // A load of its own: what another call hands over are other records.
        job.runs.load_id = Some(uuid::Uuid::now_v7().simple().to_string());
        job.feed = Some(feed.clone());
        let (commit, committed) = watch::channel(Books::default());
        let closing = Closing(feed.clone());
        let task = tokio::spawn(async move {
            let _closing = closing;
            let listener = |event: &Event, totals: &Totals| {
                if matches!(event, Event::Committed { .. }) {
                    commit.send_replace(totals.books);
                }
                watching.hear(event, totals);
            };
            Box::pin(load(engine.as_ref(), &job, &listener, &watching.stop)).await
        });
        Ok(Loader { feed, task: Some(task), committed, line: Vec::new() })
    }
}

/// However the load ends, nobody waits for it any more.
struct Closing(Feed);

impl Drop for Closing {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// A load that takes records from its caller.
///
/// Records are JSON objects, by field name; each call of [`send`](Loader::send) or
/// [`send_json`](Loader::send_json) is one record, and one that the table cannot hold is rejected like one of
/// a file, and no error here. What was sent is committed within a few seconds, at [`flush`](Loader::flush),
/// and at [`finish`](Loader::finish).
///
/// What was sent cannot be asked for again, so the load is not resumed: after an error send everything again
/// (with a key that is right, for what is stored already is found unchanged), or what
/// [`Error::first_unsaved`] says (an append). The report names the guarantee that follows from it:
/// `effectively-once`, or for an append `at-least-once`.
///
/// Dropped without [`finish`](Loader::finish), nothing is stored beyond the last commit.
pub struct Loader {
    feed: Feed,
    /// None once its outcome was told.
    task: Option<JoinHandle<Outcome>>,
    committed: watch::Receiver<Books>,
    /// The record that is being sent.
    line: Vec<u8>,
}

impl fmt::Debug for Loader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Loader").field("committed", &*self.committed.borrow()).finish_non_exhaustive()
    }
}

impl Loader {
    /// Opens a load into this table, `name` or `schema.name`; a table that does not exist is made from the
    /// first records.
    pub fn open(table: &str) -> OpenLoader {
        let mut options = LoadOptions::default();
        options.table = options.take("table", TableName::parse(table));
        OpenLoader { options }
    }

    /// Sends a record; waits where the load is behind.
    ///
    /// Cancelled, it has sent all of the record or nothing of it.
    ///
    /// # Errors
    ///
    /// When the record has no form in JSON (nothing of it is sent), or the load has ended.
    pub fn send<'a, T: Serialize + ?Sized>(
        &'a mut self,
        record: &T,
    ) -> impl Future<Output = Result<(), Error>> + Send + use<'a, T> {
        let encoded = self.encode(record);
        async move {
            encoded?;
            self.push().await
        }
    }

    /// Sends a record that is JSON already. White space alone is no record.
    ///
    /// # Errors
    ///
    /// When the load has ended. What is no JSON is rejected, as in a file.
    pub async fn send_json(&mut self, record: &[u8]) -> Result<(), Error> {
        self.line.clear();
        self.line.extend_from_slice(record);
        if self.line.iter().all(|byte| b" \t\r\n".contains(byte)) {
            return Ok(());
        }
        self.push().await
    }

    /// Sends what the stream has, to its end; the number of records. A stream that fails is not one that has
    /// ended: the load fails too, with the stream's error as its cause. What came before that is committed.
    ///
    /// # Errors
    ///
    /// When the stream fails, a record has no form in JSON, or the load has ended.
    pub async fn send_stream<S, T, E>(&mut self, records: S) -> Result<u64, Error>
    where
        S: Stream<Item = Result<T, E>> + Send,
        T: Serialize,
        E: Into<Box<dyn StdError + Send + Sync>>,
    {
        let mut records = std::pin::pin!(records);
        let mut sent = 0;
        loop {
            let encoded = match records.next().await {
                None => return Ok(sent),
                Some(Ok(record)) => Ok(self.encode(&record)),
                Some(Err(error)) => Err(Arc::from(error.into())),
            };
            match encoded {
                Ok(encoded) => encoded?,
                Err(error) => return Err(self.fail(error).await),
            }
            self.push().await?;
            sent += 1;
        }
    }

    /// Waits until everything that was sent so far is committed, or rejected and kept as such; the counts up
    /// to here.
    ///
    /// # Errors
    ///
    /// When the load has ended.
    pub async fn flush(&mut self) -> Result<Books, Error> {
        let sent = self.feed.want_all();
        let done = self.committed.wait_for(|books| books.read >= sent).await.map(|books| *books);
        match done {
            Ok(books) => Ok(books),
            Err(_) => Err(self.ended().await),
        }
    }

    /// Says that this was all, and waits until it is committed.
    ///
    /// # Errors
    ///
    /// Whatever kept the load from its end.
    pub async fn finish(mut self) -> Result<Report, Error> {
        self.feed.finish();
        match self.outcome().await {
            Some(outcome) => outcome.into_result().map_err(Error::of_a_feed),
            None => Err(Error::ended()),
        }
    }

    fn encode<T: Serialize + ?Sized>(&mut self, record: &T) -> Result<(), Error> {
        self.line.clear();
        serde_json::to_writer(&mut self.line, record).map_err(Error::record)
    }

    async fn push(&mut self) -> Result<(), Error> {
        // A line end between the parts of a JSON text is white space, and so is a carriage return; within a
        // string neither is allowed. So it is the same record, or rejected as it would have been, and it is
        // one line.
        self.line.iter_mut().filter(|byte| **byte == b'\n').for_each(|byte| *byte = b'\r');
        self.line.push(b'\n');
        match self.feed.push(&self.line).await {
            Ok(()) => Ok(()),
            Err(_) => Err(self.ended().await),
        }
    }

    /// Ends the load with the caller's own error.
    async fn fail(&mut self, error: Arc<dyn StdError + Send + Sync>) -> Error {
        self.feed.fail(Arc::clone(&error));
        match self.outcome().await.map(Outcome::into_result) {
            Some(Err(ended)) => ended.of_a_feed().because(error),
            Some(Ok(_)) | None => Error::ended(),
        }
    }

    /// Why nobody reads any more.
    async fn ended(&mut self) -> Error {
        match self.outcome().await.map(Outcome::into_result) {
            Some(Err(error)) => error.of_a_feed(),
            Some(Ok(_)) | None => Error::ended(),
        }
    }

    async fn outcome(&mut self) -> Option<Outcome> {
        let joined = self.task.as_mut()?.await;
        self.task = None;
        Some(
            joined
                .unwrap_or_else(|error| Outcome::before(Ended::Failed(LoadError::Worker(error.to_string())))),
        )
    }
}

impl Drop for Loader {
    fn drop(&mut self) {
        self.feed.leave();
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}
