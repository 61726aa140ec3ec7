//! COPY .. FROM STDIN on a session, in as few round trips as may be.
//!
//! Nothing waits for an answer that decides nothing. A COPY is asked for along with the BEGIN of its
//! transaction; its end, the statements up to COMMIT, and the BEGIN and COPY of a next transaction that
//! begins alike go out together. Whatever fails, the server refuses what was sent behind it: the statements,
//! since the transaction is aborted; the next BEGIN as well.

use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::sync::{MutexGuard, PoisonError};
use std::task::Poll;
use std::time::Instant;

use bytes::Bytes;
use futures::SinkExt as _;
use tokio_postgres::CopyInSink;

use crate::fault::{self, Defect};

use super::db_error::DbError;
use super::opening::{OpenCopy, Opening, Openings};
use super::outcome::{StatementResult, outcomes};
use super::session::Session;

/// Judges what the statements that began a transaction gave.
pub type Accept<'a> = dyn Fn(&[StatementResult]) -> Result<(), DbError> + Sync + 'a;

/// Which of them failed.
#[derive(Debug)]
pub enum BeginOrCopy {
    /// The transaction was not begun.
    Begin(DbError),
    /// It was, and the COPY was refused as such: the table is not what it was.
    Start(DbError),
    /// It was begun too, and failed.
    Copy(DbError),
}

/// Which of them failed, and how many of the statements before it went well.
#[derive(Debug)]
pub enum CopyOrStatement {
    /// The COPY failed, not the statement.
    Copy(DbError),
    /// A statement behind it.
    Statement(usize, DbError),
}

/// A COPY whose rows were sent. Left alone, it is called off.
pub struct Sent {
    sink: Pin<Box<CopyInSink<Bytes>>>,
    /// Records left out by [`Defect::DropRecord`].
    dropped: u64,
}

/// A chunk goes out in parts of this many bytes: the driver copies each, and a row may have megabytes.
const SENT_BYTES: usize = 64 * 1024;

impl Session {
    /// COPY .. FROM STDIN; returns the number in the command tag.
    pub async fn copy_in(&self, sql: &str, chunks: impl Iterator<Item = Bytes>) -> Result<u64, DbError> {
        let client = self.client()?;
        let copy = async {
            let sink = self.started(client.copy_in(sql).await)?;
            send(sink, chunks).await?.finish().await
        };
        self.answered(sql, copy).await
    }

    /// `begin` and `copy_in` in one round trip, under a statement that the connection keeps: not behind a
    /// pooler. None at all, where [`Session::commit`] has begun the transaction already. Nothing is sent
    /// before `accept` has seen what the server said to BEGIN. `first`: a statement right behind BEGIN, in
    /// this transaction but not in a next one that begins alike.
    pub async fn begin_and_send(
        &self,
        begin: &str,
        first: Option<&str>,
        accept: &Accept<'_>,
        copy: &str,
        chunks: impl Iterator<Item = Bytes>,
    ) -> Result<Sent, BeginOrCopy> {
        let opening = Opening { begin: begin.to_owned(), copy: copy.to_owned() };
        let ahead = self.openings().ahead.take_if(|ahead| ahead.opening == opening && first.is_none());
        let opened = match ahead {
            Some(ahead) => {
                self.openings().last = Some(opening);
                ahead
            }
            None => {
                // Where the next transaction did not begin alike once, it is not begun ahead again at once.
                let was_wrong = self.call_off().await.map_err(BeginOrCopy::Begin)?;
                self.openings().last = (!was_wrong).then(|| opening.clone());
                if first.is_some() {
                    self.forget_statements().await.map_err(BeginOrCopy::Begin)?;
                }
                let opening = match first.zip(opening.begin.split_once(';')) {
                    None => opening,
                    Some((first, (begin, rest))) => {
                        Opening { begin: format!("{begin};\n{first};{rest}"), ..opening }
                    }
                };
                self.open_copy(opening).await?
            }
        };
        accept(&opened.begun).map_err(BeginOrCopy::Copy)?;
        self.answered(copy, send(opened.sink, chunks)).await.map_err(BeginOrCopy::Copy)
    }

    /// Ends a COPY; returns the number in the command tag.
    pub async fn finish(&self, sent: Sent) -> Result<u64, DbError> {
        self.answered("", sent.finish()).await
    }

    /// Ends a COPY, if there is one, and runs statements behind it, in one round trip: the number in its
    /// command tag, and when it was there; and what they gave.
    pub async fn finish_and_run(
        &self,
        sent: Option<Sent>,
        sql: &str,
    ) -> Result<(u64, Instant, Vec<StatementResult>), CopyOrStatement> {
        let began = Instant::now();
        let (ended, outcomes) = futures::join!(self.end(sent), self.run(sql));
        let (copied, at) = ended.unwrap_or((Ok(0), began));
        let copied = copied.map_err(CopyOrStatement::Copy)?;
        Ok((copied, at, outcomes.map_err(|error| CopyOrStatement::Statement(0, error))?))
    }

    async fn end(&self, sent: Option<Sent>) -> Option<(Result<u64, DbError>, Instant)> {
        Some((self.finish(sent?).await, Instant::now()))
    }

    /// Runs the statements that end a transaction, COMMIT the last of them, in one round trip along with the
    /// end of a COPY, if there is one: the number in its command tag, and when it was there. `and_begin`: the
    /// next transaction is begun as this one was by [`Session::begin_and_send`], in the same round trip. If
    /// that fails nothing is lost but the connection.
    pub async fn commit(
        &self,
        sql: &str,
        sent: Option<Sent>,
        and_begin: bool,
    ) -> Result<Option<(u64, Instant)>, CopyOrStatement> {
        let opening = self.openings().last.take().filter(|_| and_begin);
        let beginning = async {
            match opening {
                Some(opening) => self.open_copy(opening).await.ok(),
                None => None,
            }
        };
        // In this order on the wire: `join!` polls the first one first, and a COPY is not overtaken.
        let (ended, committed, ahead) = futures::join!(self.end(sent), self.run_counting(sql), beginning);
        let ended = ended
            .map(|(copied, at)| copied.map(|copied| (copied, at)))
            .transpose()
            .map_err(CopyOrStatement::Copy)?;
        committed.map_err(|(done, error)| CopyOrStatement::Statement(done, error))?;
        self.has_made();
        self.in_transaction.store(ahead.is_some(), Ordering::Relaxed);
        self.openings().ahead = ahead;
        Ok(ended)
    }

    /// Whether a transaction was begun ahead.
    pub fn is_ahead(&self) -> bool {
        self.openings().ahead.is_some()
    }

    /// Calls off the transaction that was begun ahead; whether there was one.
    pub(super) async fn call_off(&self) -> Result<bool, DbError> {
        let ahead = self.openings().ahead.take();
        let Some(OpenCopy { sink, .. }) = ahead else { return Ok(false) };
        drop(sink);
        self.run("ROLLBACK").await?;
        self.transaction_ended();
        Ok(true)
    }

    fn openings(&self) -> MutexGuard<'_, Openings> {
        self.openings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What another client has prepared in this session may have the names that ours will get. The answer is
    /// not waited for: what is sent behind it is done behind it.
    async fn forget_statements(&self) -> Result<(), DbError> {
        let client = self.client()?;
        client.statement_cache.clear();
        let mut asked = std::pin::pin!(client.simple_query_raw("DEALLOCATE ALL"));
        // Polled once, it is sent.
        match futures::poll!(asked.as_mut()) {
            Poll::Ready(Err(error)) => Err(self.placed(DbError::from(error))),
            Poll::Ready(Ok(_)) | Poll::Pending => Ok(()),
        }
    }

    /// Begins a transaction and its COPY.
    async fn open_copy(&self, opening: Opening) -> Result<OpenCopy, BeginOrCopy> {
        let client = self.client().map_err(BeginOrCopy::Begin)?;
        let begun_and_asked = async {
            let statement = client.prepare_cached(&opening.copy).await.map_err(DbError::from)?;
            // In this order on the wire, as above.
            let (begun, sink) =
                futures::join!(client.simple_query(&opening.begin), client.copy_in(&statement));
            // Where no transaction was begun no COPY was either.
            Ok((outcomes(self.started(begun)?), sink))
        };
        self.in_transaction.store(true, Ordering::Relaxed);
        let (begun, sink) =
            self.answered(&opening.begin, begun_and_asked).await.map_err(BeginOrCopy::Begin)?;
        let sink = self.started(sink).map_err(|error| BeginOrCopy::Start(self.placed(error)))?;
        Ok(OpenCopy { opening, begun, sink })
    }
}

impl Sent {
    async fn finish(mut self) -> Result<u64, DbError> {
        let dropped = self.dropped;
        self.sink.as_mut().finish().await.map(|copied| copied + dropped).map_err(DbError::from)
    }
}

/// Sends the chunks of a COPY that the server has agreed to.
async fn send(sink: CopyInSink<Bytes>, chunks: impl Iterator<Item = Bytes>) -> Result<Sent, DbError> {
    let mut sent = Sent { sink: Box::pin(sink), dropped: 0 };
    for mut chunk in chunks {
        if fault::defect(Defect::DropRecord) && sent.dropped == 0 {
            sent.dropped = drop_last_row(&mut chunk);
        }
        while !chunk.is_empty() {
            let part = chunk.split_to(chunk.len().min(SENT_BYTES));
            if let Err(error) = sent.sink.send(part).await {
                // The server's reason comes with the end of the COPY; sending only noticed that it stopped
                // listening.
                return Err(match sent.sink.as_mut().finish().await {
                    Err(reason) => DbError::from(reason),
                    Ok(_) => DbError::from(error),
                });
            }
        }
    }
    Ok(sent)
}

/// [`Defect::DropRecord`]: as if the server had taken it.
fn drop_last_row(rows: &mut Bytes) -> u64 {
    let end = rows.len().saturating_sub(1);
    rows.truncate(memchr::memrchr(b'\n', &rows[..end]).map_or(0, |at| at + 1));
    1
}
