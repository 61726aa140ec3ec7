//! A body on its way: one version from its first byte to its last, over as many connections as it takes.
//!
//! Where a connection breaks, the rest is asked for by `Range` with `If-Range` on a strong validator, and an
//! answer is taken only if it is that very part of that very version. An end is an end only where length,
//! chunks or stream say so.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::StatusCode;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, HeaderMap, TRANSFER_ENCODING};
use url::Url;

use crate::causes::innermost;

use super::admission::pause;
use super::error::{HttpError, Truncation};
use super::framing::BodyEnd;
use super::judge;
use super::landing::Copy;
use super::poll;
use super::request::{Request, Resume, Version, content_range, length_behind};
use super::retry::{FailureKind, RetryState};
use super::send::{Accepts, Answer, Ask, Encodings};
use super::settings::SLOWEST_BYTES_PER_SECOND;
use super::shared::ClientState;

/// So many bytes without a break, and its tries begin anew.
const PROGRESS_BYTES: u64 = 64 * 1024;

/// A body that is being fetched.
pub(super) struct Transfer {
    shared: Arc<ClientState>,
    request: Request,
    encodings: Encodings,
    answer: Option<Answer>,
    head: FirstAnswer,
    /// Bytes of the representation that are behind us.
    at: u64,
    /// Bytes of this answer that come before `at`, and are passed over.
    skip: u64,
    tries: RetryState,
    since_break: u64,
    clock: Clock,
    copy: Option<Copy>,
    end_in_content: Arc<AtomicBool>,
    is_result: bool,
}

/// What the first answer said.
#[derive(Debug, Clone)]
pub(super) struct FirstAnswer {
    pub(super) url: Url,
    pub(super) headers: HeaderMap,
    pub(super) version: Version,
    pub(super) ending: BodyEnd,
}

/// Time that was spent waiting for the server: what the reader needs is not its fault.
#[derive(Debug, Default)]
struct Clock {
    whole: Duration,
    lately: Duration,
    bytes_lately: u64,
}

/// Why a read failed.
enum ReadFailure {
    /// The connection: another may do better.
    Broken(String),
    Final(HttpError),
}

impl Transfer {
    /// Sends the request and waits for the first bytes.
    pub(super) async fn begin(
        shared: &Arc<ClientState>,
        request: &Request,
        from: Option<Resume>,
        encodings: Encodings,
    ) -> Result<Self, HttpError> {
        let mut tries = RetryState::new(shared.settings.retry_limits);
        let from = from.filter(|from| from.offset > 0);
        let range = from.as_ref().map(|from| from.version.etag.as_deref().map(|etag| (from.offset, etag)));
        let range = match range {
            Some(None) => return Err(cut(request, 0, "without a strong ETag its rest cannot be asked for")),
            Some(range) => range,
            None => None,
        };
        let named = request;
        let finished = match &shared.settings.poll {
            // A later page is there with the first one.
            Some(poll) if request.page == 0 && !request.is_object() => {
                Some(poll::finished(shared, request, poll, encodings).await?)
            }
            _ => None,
        };
        let (request, answer) = match finished {
            Some(finished) => (finished.request, finished.answer.filter(|_| range.is_none())),
            None => (request.clone(), None),
        };
        let is_result = request.method != named.method || request.url != named.url;
        let answer = match answer {
            Some(answer) => answer,
            None => {
                let ask = Ask { request: &request, range, encodings, accepts: Accepts::Data };
                shared.send(&ask, &mut tries).await?
            }
        };
        let copy = match &shared.landing {
            Some(landing) if from.is_none() => Some(landing.begin(named, answer.response.headers())?),
            _ => None,
        };
        let head = FirstAnswer {
            url: answer.url.clone(),
            headers: answer.response.headers().clone(),
            version: from.as_ref().map_or_else(|| version(&answer), |from| from.version.clone()),
            ending: BodyEnd::Proven,
        };
        let mut transfer = Self {
            shared: Arc::clone(shared),
            request,
            encodings,
            answer: None,
            head,
            at: from.map_or(0, |from| from.offset),
            skip: 0,
            tries,
            since_break: 0,
            clock: Clock::default(),
            copy,
            end_in_content: Arc::default(),
            is_result,
        };
        transfer.attach(answer)?;
        Ok(transfer)
    }

    /// It is what an export has come to.
    pub(super) const fn is_result(&self) -> bool {
        self.is_result
    }

    pub(super) const fn head(&self) -> &FirstAnswer {
        &self.head
    }

    /// Set where the content has an end of its own.
    pub(super) fn end_in_content(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.end_in_content)
    }

    /// The next bytes; none at the end.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, HttpError> {
        loop {
            let Some(answer) = &mut self.answer else { return self.end().await.map(|()| None) };
            let read = match answer.first.take() {
                Some(first) => Ok(Some(first)),
                None => self.read().await,
            };
            match read {
                Ok(Some(mut bytes)) => {
                    let passed = self.skip.min(bytes.len() as u64);
                    self.skip -= passed;
                    let _ = bytes.split_to(usize::try_from(passed).unwrap_or(bytes.len()));
                    if bytes.is_empty() {
                        continue;
                    }
                    self.take(&bytes).await?;
                    return Ok(Some(bytes));
                }
                Ok(None) => match self.missing() {
                    None => return self.end().await.map(|()| None),
                    Some(reason) => self.mend(reason).await?,
                },
                Err(ReadFailure::Broken(reason)) => self.mend(reason).await?,
                Err(ReadFailure::Final(error)) => return Err(error),
            }
        }
    }

    async fn take(&mut self, bytes: &Bytes) -> Result<(), HttpError> {
        let count = bytes.len() as u64;
        self.at += count;
        self.since_break += count;
        self.shared.counting.bytes.fetch_add(count, Ordering::Relaxed);
        match self.head.version.length {
            // More than was said: nothing that it sends can be trusted.
            Some(length) if self.at > length => Err(changed(
                &self.request,
                format!("it has more than the {length} bytes that were announced"),
            )),
            _ => match &mut self.copy {
                Some(copy) => copy.feed(bytes).await,
                None => Ok(()),
            },
        }
    }

    /// What is missing where the answer has ended.
    fn missing(&self) -> Option<String> {
        let behind = self.head.version.length.is_some_and(|length| self.at < length) || self.skip > 0;
        behind.then(|| "bytes are missing".to_owned())
    }

    async fn end(&mut self) -> Result<(), HttpError> {
        if self.head.ending == BodyEnd::Unproven && !self.end_in_content.load(Ordering::Relaxed) {
            return Err(HttpError::Cut { url: self.request.shown(), at: self.at, how: Truncation::Unproven });
        }
        self.answer = None;
        match self.copy.take() {
            Some(copy) => copy.complete().await,
            None => Ok(()),
        }
    }

    async fn read(&mut self) -> Result<Option<Bytes>, ReadFailure> {
        let Some(answer) = &mut self.answer else { return Ok(None) };
        let timeouts = self.shared.settings.timeouts;
        let left = timeouts.whole.map_or(Duration::MAX, |whole| whole.saturating_sub(self.clock.whole));
        let limit = timeouts.idle.min(left);
        let began = Instant::now();
        let read = tokio::time::timeout(limit, answer.response.chunk()).await;
        let waited = began.elapsed();
        self.clock.whole += waited;
        self.clock.lately += waited;
        let slow =
            |what, after| ReadFailure::Final(HttpError::Timeout { url: self.request.shown(), what, after });
        let bytes = match read {
            Ok(Ok(bytes)) => bytes,
            Ok(Err(error)) => return Err(ReadFailure::Broken(innermost(&error.without_url()))),
            Err(_) if left <= timeouts.idle => return Err(slow("end", timeouts.whole.unwrap_or_default())),
            Err(_) => {
                return Err(ReadFailure::Broken(format!(
                    "nothing came for {}",
                    humantime::format_duration(timeouts.idle)
                )));
            }
        };
        self.clock.bytes_lately += bytes.as_ref().map_or(0, |bytes| bytes.len() as u64);
        if self.clock.lately >= timeouts.idle {
            if bytes.is_some()
                && self.clock.bytes_lately < SLOWEST_BYTES_PER_SECOND * timeouts.idle.as_secs().max(1)
            {
                return Err(slow("more than a few bytes", timeouts.idle));
            }
            (self.clock.lately, self.clock.bytes_lately) = (Duration::ZERO, 0);
        }
        Ok(bytes)
    }

    /// Asks for the rest, on another connection.
    async fn mend(&mut self, reason: String) -> Result<(), HttpError> {
        // Its slot is free while we wait.
        self.answer = None;
        let etag = self.head.version.etag.clone();
        if etag.is_none() && self.at > 0 {
            return Err(cut(
                &self.request,
                self.at,
                &format!("without a strong ETag its rest cannot be asked for ({reason})"),
            ));
        }
        if self.since_break >= PROGRESS_BYTES {
            self.tries = RetryState::new(self.shared.settings.retry_limits);
        }
        self.since_break = 0;
        let origin_state = self.shared.limiter.origin(&self.head.url);
        let wait = self.tries.pause(FailureKind::Server, &mut origin_state.budget(), Instant::now());
        let Some(wait) = wait else { return Err(cut(&self.request, self.at, &reason)) };
        pause(wait, &self.shared.counting).await;
        let range = etag.as_deref().filter(|_| self.at > 0).map(|etag| (self.at, etag));
        let ask = Ask { request: &self.request, range, encodings: self.encodings, accepts: Accepts::Data };
        let answer = self.shared.send(&ask, &mut self.tries).await?;
        if range.is_none() {
            self.head.version = version(&answer);
        }
        self.shared.counting.mended(self.request.ordinal);
        self.attach(answer)
    }

    /// Takes an answer as the rest of this version, or says why it is not.
    fn attach(&mut self, answer: Answer) -> Result<(), HttpError> {
        let (status, headers) = (answer.response.status(), answer.response.headers());
        let odd = |reason: String| changed(&self.request, reason);
        let unexpected = |reason| HttpError::Unexpected { url: self.request.shown(), reason };
        if status == StatusCode::RANGE_NOT_SATISFIABLE {
            let now = Version::of(headers, None).etag;
            if length_behind(headers) == Some(self.at) && (now.is_none() || now == self.head.version.etag) {
                // It broke behind its last byte, before it said that it was the last: now it has said so.
                self.head.version.length = Some(self.at);
                self.head.ending = BodyEnd::Proven;
                return Ok(());
            }
            return Err(odd(format!("it no longer has a byte {}", self.at)));
        }
        let now = Version::of(headers, None);
        if self.at > 0 && now.etag != self.head.version.etag {
            return Err(odd("its ETag is another, or none".to_owned()));
        }
        self.skip = 0;
        if status == StatusCode::PARTIAL_CONTENT {
            if headers.get(CONTENT_ENCODING) != self.head.headers.get(CONTENT_ENCODING) {
                return Err(odd("its rest is compressed in another way".to_owned()));
            }
            let Some((first, _, total)) = content_range(headers) else {
                return Err(odd("a part came that does not say which".to_owned()));
            };
            if first != self.at {
                return Err(odd(format!("byte {} was asked for, and byte {first} came", self.at)));
            }
            if let Some((total, length)) =
                total.zip(self.head.version.length).filter(|(total, length)| total != length)
            {
                return Err(odd(format!("it had {length} bytes, and now has {total}")));
            }
            self.head.version.length = self.head.version.length.or(total);
        } else {
            if matches!(status, StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT) {
                return Err(HttpError::NoContent { url: self.request.shown(), status });
            }
            // An object is what was put there, a page for people or nothing.
            if !self.request.is_object() {
                judge::head(headers).map_err(unexpected)?;
                judge::beginning(answer.first.as_deref()).map_err(unexpected)?;
            }
            let length = length(headers);
            if let Some((length, was)) =
                length.zip(self.head.version.length).filter(|(length, was)| length != was)
            {
                return Err(odd(format!("it had {was} bytes, and now has {length}")));
            }
            self.skip = self.at;
        }
        let known = length(headers).or(self.head.version.length);
        self.head.ending = BodyEnd::of(answer.response.version(), headers, known, answer.url.scheme());
        self.answer = Some(answer);
        Ok(())
    }
}

fn version(answer: &Answer) -> Version {
    let headers = answer.response.headers();
    Version::of(headers, length(headers))
}

/// The announced length: chunks go before it.
fn length(headers: &HeaderMap) -> Option<u64> {
    if headers.contains_key(TRANSFER_ENCODING) {
        return None;
    }
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.trim().parse().ok()
}

fn cut(request: &Request, at: u64, reason: &str) -> HttpError {
    HttpError::Cut { url: request.shown(), at, how: Truncation::Broken(reason.to_owned()) }
}

fn changed(request: &Request, how: String) -> HttpError {
    HttpError::Changed { url: request.shown(), how }
}
