//! A body from the network as a stream of bytes that is one version from end to end.
//!
//! The client mends what broke where a strong ETag lets it. Where it cannot, the body is asked for again from
//! its start, and what was read before is read again and compared by its digest: the rest is handed on only
//! if that is the same. Never counts a body that ended early as whole, never joins two versions.

use std::io;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::{Bytes, BytesMut};
use futures::stream::{self, StreamExt as _};
use serde::{Deserialize, Serialize};
use tokio::io::AsyncReadExt as _;
use tokio_util::io::StreamReader;
use xxhash_rust::xxh3::Xxh3;

use crate::http::{Body, Client, Encodings, HttpError, Request, Resume, Truncation, Version};
use crate::record::PageToken;

use super::spool::Spoolable;

/// Bytes that are asked of a body at once.
const CHUNK_BYTES: usize = 64 * 1024;

/// Times that a body is asked for again from its start without getting further than before: a server that
/// cuts every answer at the same place is not asked for ever. (Each of them was tried again by the client's
/// own rules before.)
const RESTARTS_MAX: u32 = 3;

/// Bytes of a body.
pub(super) type BodyReader = StreamReader<Spoolable, Bytes>;

/// What a checkpoint in a body says, so that a resume knows the body again.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct BodyToken {
    pub(super) version: Version,
    /// Where the version does not tell: so many bytes of the content, and their digest in hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) content: Option<(u64, String)>,
    /// It was asked for compressed for the way: its version is of other bytes than without.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) for_the_way: bool,
}

impl BodyToken {
    pub(super) fn read(token: &PageToken) -> Option<Self> {
        serde_json::from_str(token).ok()
    }

    pub(super) fn store(&self) -> PageToken {
        serde_json::to_string(self).unwrap_or_default().into()
    }
}

/// The body was not what it had been.
#[derive(Debug, thiserror::Error)]
#[error("the body is not the one that was read before: {0}")]
pub struct BodyChanged(pub String);

/// How `now` is known to be another version than `then`.
pub(super) fn difference(then: &Version, now: &Version) -> Option<String> {
    if then.may_be(now) {
        return None;
    }
    let show = |version: &Version| {
        let etag = version.etag.as_ref().map(|etag| format!("ETag {etag}"));
        let modified = version.last_modified.as_ref().map(|time| format!("last modified {time}"));
        let length = version.length.map(|bytes| format!("{bytes} bytes"));
        let known: Vec<String> = [etag, modified, length].into_iter().flatten().collect();
        if known.is_empty() { "without ETag".to_owned() } else { known.join(", ") }
    };
    Some(format!("it was {}, now it is {}", show(then), show(now)))
}

/// What is to be thought of an end that the connection does not prove. Only who knows the format can say,
/// and a short body has ended before that is found out.
#[derive(Default)]
enum EndState {
    /// The format is not known yet.
    #[default]
    Unknown,
    /// Nor was it when the body ended so.
    Met(io::Error),
    /// The content shows its end itself, as a JSON text does.
    Shown,
    /// It does not.
    NeedsProof,
}

/// What is to be thought of an end that the connection does not prove, known to the reader of a body and to
/// that of its content.
#[derive(Clone, Default)]
pub(super) struct UnprovenEnd(Arc<Mutex<EndState>>);

impl UnprovenEnd {
    fn state(&self) -> MutexGuard<'_, EndState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The content shows its end itself.
    pub(super) fn set_shown(&self) {
        *self.state() = EndState::Shown;
    }

    /// The content does not show its end; how the body has ended, where that was unproven.
    pub(super) fn needs_proof(&self) -> Option<io::Error> {
        let mut state = self.state();
        if matches!(*state, EndState::Shown) {
            return None;
        }
        match mem::replace(&mut *state, EndState::NeedsProof) {
            EndState::Met(error) => Some(error),
            _ => None,
        }
    }

    /// The body has ended so: none, if it is taken for its end, for the time being at least.
    fn meet(&self, error: io::Error) -> Result<(), io::Error> {
        let mut state = self.state();
        match *state {
            EndState::Shown => Ok(()),
            EndState::NeedsProof => Err(error),
            EndState::Unknown | EndState::Met(_) => {
                *state = EndState::Met(error);
                Ok(())
            }
        }
    }
}

/// Where a body comes from.
#[derive(Clone)]
pub(super) struct BodySource {
    pub(super) client: Client,
    pub(super) request: Request,
    /// Whether a connection that is closed may end it.
    pub(super) unproven_end: UnprovenEnd,
    /// Whether it may come compressed.
    pub(super) encodings: Encodings,
}

impl BodySource {
    /// Opens the body at `offset`; other than at 0 only a version with a strong ETag can be.
    pub(super) async fn open(&self, offset: u64, version: Option<&Version>) -> Result<Body, HttpError> {
        let resume = match version {
            Some(version) if offset > 0 => Some(Resume { offset, version: version.clone() }),
            _ => None,
        };
        // A place in it is one of its bytes as they are.
        let encodings = if resume.is_some() { Encodings::Identity } else { self.encodings };
        self.client.open(&self.request, resume, encodings).await
    }
}

struct BodyReading {
    origin: Arc<BodySource>,
    body: Body,
    version: Version,
    /// Where the reading began.
    from: u64,
    position: u64,
    /// Of the bytes from `from` to `position`.
    digest: Xxh3,
    restarts: u32,
    furthest: u64,
}

/// The bytes of an opened body from `from` on.
pub(super) fn chunks(origin: Arc<BodySource>, body: Body, from: u64) -> Spoolable {
    let version = body.identity().clone();
    let (position, digest) = (from, Xxh3::new());
    let reading = BodyReading { origin, body, version, from, position, digest, restarts: 0, furthest: from };
    let chunks = stream::try_unfold(reading, |mut reading| async move {
        let chunk = reading.next().await?;
        Ok(chunk.map(|chunk| (chunk, reading)))
    });
    Spoolable::new(chunks.boxed())
}

impl BodyReading {
    async fn next(&mut self) -> io::Result<Option<Bytes>> {
        loop {
            let mut chunk = BytesMut::with_capacity(CHUNK_BYTES);
            match self.body.read_buf(&mut chunk).await {
                Ok(0) => return Ok(None),
                Ok(count) => {
                    self.digest.update(&chunk);
                    self.position += count as u64;
                    return Ok(Some(chunk.freeze()));
                }
                Err(error) => match self.end(error) {
                    Ok(()) => return Ok(None),
                    Err(error) => self.begin_again(error).await?,
                },
            }
        }
    }

    /// Whether it is an end: one that the connection does not prove, where the content does, or need not.
    fn end(&self, error: io::Error) -> io::Result<()> {
        if !matches!(http_error(&error), Some(HttpError::Cut { how: Truncation::Unproven, .. })) {
            return Err(error);
        }
        if self.origin.client.accepts_unproven_end() {
            return Ok(());
        }
        let met = self.origin.unproven_end.meet(error);
        if met.is_err() {
            self.origin.client.ended_unproven();
        }
        met
    }

    /// Opens the body again and reads up to where it broke.
    async fn begin_again(&mut self, mut error: io::Error) -> io::Result<()> {
        loop {
            if self.position > self.furthest {
                (self.furthest, self.restarts) = (self.position, 0);
            }
            let restartable = http_error(&error).is_some_and(HttpError::is_restartable);
            if !restartable || self.restarts == RESTARTS_MAX {
                return Err(error);
            }
            self.restarts += 1;
            self.origin.client.begun_again(&self.origin.request);
            self.body = self.origin.open(0, None).await.map_err(io::Error::other)?;
            if let Some(why) = difference(&self.version, self.body.identity()) {
                return Err(io::Error::other(BodyChanged(why)));
            }
            match self.read_again().await {
                Ok(()) => return Ok(()),
                Err(again) => error = again,
            }
        }
    }

    async fn read_again(&mut self) -> io::Result<()> {
        let mut digest = Xxh3::new();
        let mut at = 0;
        let mut chunk = BytesMut::with_capacity(CHUNK_BYTES);
        while at < self.position {
            chunk.clear();
            let wanted = (self.position - at).min(CHUNK_BYTES as u64);
            let count = (&mut self.body).take(wanted).read_buf(&mut chunk).await?;
            if count == 0 {
                return Err(io::Error::other(BodyChanged(format!("it ends after {at} bytes"))));
            }
            let passed = usize::try_from(self.from.saturating_sub(at)).unwrap_or(usize::MAX).min(count);
            digest.update(&chunk[passed..]);
            at += count as u64;
        }
        if digest.digest() != self.digest.digest() {
            return Err(io::Error::other(BodyChanged("its first bytes differ".to_owned())));
        }
        Ok(())
    }
}

/// What lies behind an error of reading.
pub(super) enum ReadCause {
    Http(HttpError),
    Changed(BodyChanged),
    Other(io::Error),
}

pub(super) fn cause(error: io::Error) -> ReadCause {
    if http_error(&error).is_none() && error.get_ref().is_none_or(|inner| !inner.is::<BodyChanged>()) {
        return ReadCause::Other(error);
    }
    let kind = error.kind();
    match error.into_inner().map(|inner| inner.downcast::<HttpError>()) {
        None => ReadCause::Other(kind.into()),
        Some(Ok(http)) => ReadCause::Http(*http),
        Some(Err(other)) => match other.downcast::<BodyChanged>() {
            Ok(changed) => ReadCause::Changed(*changed),
            Err(other) => ReadCause::Other(io::Error::new(kind, other)),
        },
    }
}

/// The client's error in an error of reading.
fn http_error(error: &io::Error) -> Option<&HttpError> {
    error.get_ref()?.downcast_ref()
}
