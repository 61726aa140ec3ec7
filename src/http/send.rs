//! One request until it is answered: admission, credentials, redirects, a renewed token, retries.
//!
//! Each hop of a redirect is judged like a request of its own: credentials follow to origins that were named,
//! and to no other; from https to http nothing follows at all.

use std::error::Error;
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use http::header::{ACCEPT_ENCODING, CONTENT_TYPE, HeaderValue, IF_RANGE, LOCATION, RANGE};
use http::{Method as Verb, StatusCode};
use reqwest::Response;
use url::Url;

use crate::causes::innermost;

use super::admission::{RequestPermit, pause};
use super::bearer::BearerToken;
use super::counters::Counting;
use super::error::HttpError;
use super::origin::Origin;
use super::proxy::has_credentials;
use super::query;
use super::rate_limiter::Throttled;
use super::redirect::{Hop, redirect};
use super::request::{Method, Request};
use super::retry::{FailureKind, RetryState};
use super::retry_after;
use super::said::said;
use super::shared::ClientState;
use super::sign::Unsigned;
use super::tls;

/// How much of what a failing server says is shown.
const SAID_CHARS_MAX: usize = 200;

/// Where a bucket is, in the answer of a server elsewhere.
const REGION_HEADER: &str = "x-amz-bucket-region";

/// What is asked for.
pub(super) struct Ask<'a> {
    pub(super) request: &'a Request,
    /// From this byte on, of the version with this validator.
    pub(super) range: Option<(u64, &'a str)>,
    pub(super) encodings: Encodings,
    pub(super) accepts: Accepts,
}

/// Which answers are what was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Accepts {
    /// Those with a body that is data.
    Data,
    /// Also those that say that it will be there later on.
    Jobs,
}

/// How the server may compress the body for the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encodings {
    /// Not at all: resume points count bytes as they are sent.
    Identity,
    /// By what needs little memory to be undone.
    Compressed,
    /// As pages may be, which are whole in memory.
    Whole,
}

/// A response that was not refused, and the URL that it came from.
pub(super) struct Answer {
    pub(super) response: Response,
    /// The first bytes of the body; none: it is empty.
    pub(super) first: Option<Bytes>,
    /// Where it came from at last.
    pub(super) url: Url,
    /// Held as long as the body comes.
    pub(super) _permit: RequestPermit,
}

struct FailedTry {
    failure: FailureKind,
    /// How long to wait for a limit before it is tried again.
    limited: Option<Duration>,
    url: Url,
    error: HttpError,
}

/// An answer that is no success, of a request that has had so many tries before.
struct RefusedAnswer<'a> {
    response: Response,
    permit: &'a RequestPermit,
    tries: u32,
}

impl FailedTry {
    fn of(failure: FailureKind, url: &Url, error: HttpError) -> Self {
        Self { failure, limited: None, url: url.clone(), error }
    }
}

impl ClientState {
    /// Sends until there is an answer, or patience runs out.
    pub(super) async fn send(&self, ask: &Ask<'_>, tries: &mut RetryState) -> Result<Answer, HttpError> {
        loop {
            let failed = match self.attempt(ask, tries.count).await {
                Ok(answer) => return Ok(answer),
                Err(failed) => failed,
            };
            let origin_state = self.limiter.origin(&failed.url);
            let again = tries.pause(failed.failure, &mut origin_state.budget(), Instant::now());
            let Some(wait) = again else {
                let within = tries.within(Instant::now());
                let (tries, last) = (tries.count, failed.error);
                let tried = failed.failure != FailureKind::Final && tries > 1;
                return Err(if tried {
                    HttpError::GaveUp { tries, within: rounded(within), last: Box::new(last) }
                } else {
                    last
                });
            };
            tracing::debug!(url = ask.request.shown(), error = %failed.error, "tried again");
            self.counting.retried(ask.request.ordinal);
            match failed.limited {
                Some(limited) => {
                    let _waiting = self.counting.limited();
                    pause(limited.min(tries.left(Instant::now())), &self.counting).await;
                }
                None => pause(wait, &self.counting).await,
            }
        }
    }

    /// One try, with its redirects and a renewed token.
    async fn attempt(&self, ask: &Ask<'_>, tries: u32) -> Result<Answer, FailedTry> {
        let request = ask.request;
        let named = self.credentials.are_for(&request.url);
        let mut hop = Hop {
            url: if named { request.url_with_secrets() } else { request.url.clone() },
            verb: if request.method == Method::Post { Verb::POST } else { Verb::GET },
            body: request.body_with_secrets(),
        };
        let last = |url: &Url, error| FailedTry::of(FailureKind::Final, url, error);
        let mut origin_state = self.limiter.origin(&hop.url);
        self.not_away(&origin_state, request).map_err(|error| last(&hop.url, error))?;
        let mut permit = self.limiter.admit(&origin_state, request.ordinal, &self.counting).await;
        self.not_away(&origin_state, request).map_err(|error| last(&hop.url, error))?;
        let mut renewed = false;
        for hops in 0.. {
            let token = self.token(&hop.url).await.map_err(|error| last(&hop.url, error))?;
            let response = self.exchange(ask, &hop, token.as_ref()).await?;
            let status = response.status();
            if status.is_redirection() && response.headers().contains_key(LOCATION) {
                let next = redirect(&hop, response.headers(), status, hops)
                    .map_err(|reason| last(&hop.url, HttpError::Redirect { url: request.shown(), reason }))?;
                Counting::one(&self.counting.redirected);
                hop = next;
                origin_state = self.limiter.origin(&hop.url);
                self.not_away(&origin_state, request).map_err(|error| last(&hop.url, error))?;
                permit.go_on(&origin_state, &self.counting).await;
                continue;
            }
            if status == StatusCode::UNAUTHORIZED
                && !renewed
                && let Some(refused) = &token
            {
                renewed = true;
                let newer = self.tokens.renew(&self.settings.auth, &self.engines, refused).await;
                if newer.map_err(|error| last(&hop.url, error))?.is_some() {
                    permit.go_on(&origin_state, &self.counting).await;
                    continue;
                }
            }
            let is_part = ask.range.is_some()
                && matches!(status, StatusCode::PARTIAL_CONTENT | StatusCode::RANGE_NOT_SATISFIABLE);
            if status == StatusCode::OK
                || status == StatusCode::NON_AUTHORITATIVE_INFORMATION
                || is_part
                || ask.accepts == Accepts::Jobs && status.is_success()
                || is_empty(status)
            {
                return self.answered(request, &hop, response, permit, tries).await;
            }
            let refused = RefusedAnswer { response, permit: &permit, tries };
            return Err(self.refused(request, &hop, refused, token.as_ref()).await);
        }
        Err(last(&hop.url, HttpError::Redirect { url: request.shown(), reason: "without end".to_owned() }))
    }

    async fn token(&self, url: &Url) -> Result<Option<BearerToken>, HttpError> {
        if !self.credentials.are_for(url) {
            return Ok(None);
        }
        self.tokens.current(&self.settings.auth, &self.engines).await
    }

    fn not_away(
        &self,
        origin_state: &super::admission::OriginState,
        request: &Request,
    ) -> Result<(), HttpError> {
        let limit = self.settings.retry_limits.longest_wait;
        match origin_state.away(limit) {
            None => Ok(()),
            Some((asked, status)) => {
                Err(HttpError::LongWait { url: request.shown(), status, asked: whole_seconds(asked), limit })
            }
        }
    }

    /// Sends one hop and waits for the head of its answer.
    async fn exchange(
        &self,
        ask: &Ask<'_>,
        hop: &Hop,
        token: Option<&BearerToken>,
    ) -> Result<Response, FailedTry> {
        let failed = |failure, error| FailedTry::of(failure, &hop.url, error);
        let last = |error| failed(FailureKind::Final, error);
        let named = self.credentials.are_for(&hop.url);
        let mut request = reqwest::Request::new(hop.verb.clone(), hop.url.clone());
        let headers = request.headers_mut();
        headers.insert(http::header::ACCEPT, HeaderValue::from_static("*/*"));
        if hop.body.is_some() {
            let content_type = ask.request.body_kind.content_type();
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        }
        self.credentials
            .apply(&hop.url, ask.request, token.map(|token| &token.secret), headers)
            .map_err(last)?;
        let encodings = match ask.encodings {
            // What is looked for in the first bytes must stand there.
            Encodings::Identity => "identity",
            _ if !self.settings.throttle_signs.is_empty() => "identity",
            Encodings::Compressed => "gzip",
            Encodings::Whole => "gzip, zstd",
        };
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static(encodings));
        if let Some((from, etag)) = ask.range {
            headers.insert(
                RANGE,
                HeaderValue::try_from(format!("bytes={from}-"))
                    .unwrap_or(HeaderValue::from_static("bytes=0-")),
            );
            if let Ok(etag) = HeaderValue::from_str(etag) {
                headers.insert(IF_RANGE, etag);
            }
        }
        let mut signed_by = Vec::new();
        // Elsewhere it is somebody else's.
        let at_home = Origin::of(&hop.url) == Origin::of(&ask.request.url);
        let signer = ask.request.signing.signer().filter(|_| at_home);
        if let Some(signer) = signer.or_else(|| self.settings.signing.signer().filter(|_| named)) {
            let body = hop.body.clone().map(Bytes::from).unwrap_or_default();
            let unsigned = Unsigned { method: &hop.verb, url: &hop.url, headers, body };
            let signed = signer.sign(unsigned).await;
            let refused = |reason| last(HttpError::Unsigned { url: ask.request.shown(), reason });
            headers.extend(signed.map_err(refused)?);
            signed_by = signer.query();
        }
        let has_secrets = !ask.request.secrets.is_empty() || !ask.request.in_body.is_empty();
        let carries = named && has_secrets || has_credentials(headers) || !signed_by.is_empty();
        for (name, value) in signed_by {
            query::add(request.url_mut(), &name, value.reveal());
        }
        *request.body_mut() = hop.body.clone().map(Into::into);
        if let Some(proxy) = self.engines.proxies.would_read(&hop.url).filter(|_| carries) {
            return Err(last(HttpError::OpenProxy { url: ask.request.shown(), proxy }));
        }
        // A cookie is the server's own, not ours: a proxy has read it before.
        self.cookies.add(&hop.url, request.headers_mut(), SystemTime::now());
        let engine = self.engines.of(&hop.url, named).map_err(last)?;
        Counting::one(&self.counting.requests);
        let timeouts = self.settings.timeouts;
        // Connecting has a limit of its own, and comes before.
        match tokio::time::timeout(timeouts.connect + timeouts.first_byte, engine.execute(request)).await {
            Ok(Ok(response)) => {
                self.cookies.keep(&hop.url, response.headers(), SystemTime::now());
                Ok(response)
            }
            Ok(Err(error)) => {
                let (failure, error) = broken(ask.request, hop, error, self.engines.proxies.of_url(&hop.url));
                Err(failed(failure, error))
            }
            Err(_) => Err(failed(
                FailureKind::Connection,
                HttpError::Timeout {
                    url: asked_at(ask.request, hop),
                    what: "answer",
                    after: timeouts.first_byte,
                },
            )),
        }
    }

    /// A success: with the first bytes of its body, so that a server that breaks before them is asked again.
    async fn answered(
        &self,
        request: &Request,
        hop: &Hop,
        mut response: Response,
        permit: RequestPermit,
        tries: u32,
    ) -> Result<Answer, FailedTry> {
        let failed = |error| FailedTry::of(FailureKind::Connection, &hop.url, error);
        let times = &self.settings.timeouts;
        let limit = times.whole.map_or(times.idle, |whole| whole.min(times.idle));
        let first = match tokio::time::timeout(limit, response.chunk()).await {
            Ok(Ok(first)) => first,
            Ok(Err(error)) => {
                let reason = innermost(&error.without_url());
                return Err(failed(HttpError::Connection { url: request.shown(), reason }));
            }
            Err(_) => {
                return Err(failed(HttpError::Timeout { url: request.shown(), what: "body", after: limit }));
            }
        };
        let origin_state = self.limiter.origin(&hop.url);
        if let Some(said) = self.throttled(first.as_deref()) {
            Counting::one(&self.counting.refused);
            let asked = retry_after::asked(response.headers(), SystemTime::now());
            let refusal = Throttled::TooFast;
            let limited = Some(permit.refused(refusal, asked, tries));
            let error = HttpError::Status { url: request.shown(), status: response.status(), said };
            let failed = FailedTry::of(FailureKind::Refused(refusal), &hop.url, error);
            return Err(FailedTry { limited, ..failed });
        }
        permit.accepted();
        // What is further away is the server's to refuse: it may not be meant so.
        let longest = self.settings.retry_limits.longest_wait;
        let used_up = retry_after::used_up(response.headers(), SystemTime::now());
        if let Some(pause) = used_up.filter(|pause| *pause <= longest) {
            origin_state.close(pause);
        }
        origin_state.budget().succeeded();
        Ok(Answer { response, first, url: hop.url.clone(), _permit: permit })
    }

    /// What an answer says that comes to nothing but a limit. Such are short: their first bytes are all.
    fn throttled(&self, first: Option<&[u8]>) -> Option<String> {
        let signs = &self.settings.throttle_signs;
        let text = first.filter(|_| !signs.is_empty()).and_then(|first| std::str::from_utf8(first).ok())?;
        let sign = signs.iter().find(|sign| sign.is_in(text))?;
        Some(format!("it says at {} that requests come too fast", sign.pointer))
    }

    /// An answer that is no success.
    async fn refused(
        &self,
        request: &Request,
        hop: &Hop,
        RefusedAnswer { response, permit, tries }: RefusedAnswer<'_>,
        token: Option<&BearerToken>,
    ) -> FailedTry {
        let mut limited = None;
        let (status, url) = (response.status(), asked_at(request, hop));
        let origin_state = self.limiter.origin(&hop.url);
        let is_limit =
            status == StatusCode::FORBIDDEN && retry_after::is_limit(response.headers(), SystemTime::now());
        let failure =
            if is_limit { FailureKind::Refused(Throttled::TooFast) } else { FailureKind::of(status) };
        if let FailureKind::Refused(refusal) = failure {
            Counting::one(&self.counting.refused);
            let asked = retry_after::asked(response.headers(), SystemTime::now());
            let limit = self.settings.retry_limits.longest_wait;
            if let Some(asked) = asked.filter(|asked| *asked > limit) {
                let asked = whole_seconds(asked);
                origin_state.leave_alone(asked, status);
                let error = HttpError::LongWait { url, status, asked, limit };
                return FailedTry::of(FailureKind::Final, &hop.url, error);
            }
            limited = Some(permit.refused(refusal, asked, tries));
        } else {
            permit.accepted();
        }
        let region = response.headers().get(REGION_HEADER).and_then(|region| region.to_str().ok());
        let elsewhere = matches!(status.as_u16(), 301 | 307 | 400);
        let region =
            region.filter(|_| elsewhere).map(|region| format!(" (its bucket is in the region {region})"));
        let said = said(response).await + &region.unwrap_or_default();
        let said = self.credentials.strike_out(&said, request, token.map(|token| &token.secret));
        let said = self.cookies.strike_out(said);
        let said = said.chars().take(SAID_CHARS_MAX).collect();
        FailedTry { limited, ..FailedTry::of(failure, &hop.url, HttpError::Status { url, status, said }) }
    }
}

const fn is_empty(status: StatusCode) -> bool {
    matches!(status, StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT)
}

/// For people: tenths of a second.
const fn rounded(time: Duration) -> Duration {
    const TENTH_MS: u64 = 100;
    #[expect(clippy::cast_possible_truncation, reason = "a time that somebody has waited")]
    let tenths = time.as_millis() as u64 / TENTH_MS;
    Duration::from_millis(tenths * TENTH_MS)
}

/// Years are not told in nanoseconds, nor shown in them.
fn whole_seconds(time: Duration) -> Duration {
    const A_CENTURY: u64 = 100 * 365 * 86_400;
    Duration::from_secs(time.as_secs().saturating_add(u64::from(time.subsec_nanos() > 0)).min(A_CENTURY))
}

/// What was asked for, with the origin that answered for it behind a redirect. What is behind the origin may
/// be a secret of the server.
fn asked_at(request: &Request, hop: &Hop) -> String {
    let (asked, there) = (Origin::of(&request.url), Origin::of(&hop.url));
    if asked == there && request.url.path() == hop.url.path() {
        return request.shown();
    }
    format!("{} (redirected to {there})", request.shown())
}

/// What an error of the engine means. `proxy`: that it went through.
fn broken(
    request: &Request,
    hop: &Hop,
    error: reqwest::Error,
    proxy: Option<String>,
) -> (FailureKind, HttpError) {
    let (error, url) = (error.without_url(), asked_at(request, hop));
    if let Some(proxy) = proxy.filter(|_| error.is_connect() && is_from_proxy(&error)) {
        let reason = format!("the proxy {proxy} does not let it through ({})", innermost(&error));
        return (FailureKind::Connection, HttpError::Connection { url, reason });
    }
    if let Some(why) = find::<rustls::Error>(&error) {
        return (FailureKind::Final, tls::untrusted(&Origin::of(&hop.url), why));
    }
    if find::<hyper::Error>(&error).is_some_and(hyper::Error::is_parse) {
        let reason = innermost(&error);
        return (FailureKind::Final, HttpError::NotHttp { url, reason });
    }
    if error.is_builder() {
        let reason = innermost(&error);
        return (FailureKind::Final, HttpError::BadUrl { word: request.shown(), reason });
    }
    (FailureKind::Connection, HttpError::Connection { url, reason: innermost(&error) })
}

/// Whether the tunnel through a proxy was refused. The engine has no type for it that could be asked.
fn is_from_proxy(error: &reqwest::Error) -> bool {
    let mut next: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = next {
        let words = error.to_string();
        if words.contains("tunnel") || words.contains("proxy") {
            return true;
        }
        next = error.source();
    }
    false
}

/// A cause of this kind, also inside of I/O errors.
fn find<'e, E: Error + 'static>(error: &'e (dyn Error + 'static)) -> Option<&'e E> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<E>() {
            return Some(found);
        }
        let inner = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        next = match inner {
            Some(inner) => Some(inner),
            None => error.source(),
        };
    }
    None
}
