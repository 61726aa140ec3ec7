//! One request until it is answered: admission, credentials, redirects, a renewed token, retries.
//!
//! Each hop of a redirect is judged like a request of its own: credentials follow to origins that were named,
//! and to no other; from https to http nothing follows at all.

use std::error::Error;
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use http::header::{ACCEPT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderValue, IF_RANGE, LOCATION, RANGE};
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
use super::rate_limiter::Throttled;
use super::request::{Method, Request};
use super::retry::{FailureKind, RetryState};
use super::retry_after;
use super::shared::ClientState;
use super::tls;

/// Redirects of one request: more are a circle.
const REDIRECTS_MAX: u32 = 10;
/// How much of what a failing server says is read, for how long, and how much of it is shown.
const SAID_BYTES_MAX: usize = 4 * 1024;
const SAID_WITHIN: Duration = Duration::from_secs(5);
const SAID_CHARS_MAX: usize = 200;

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
    /// The request's slot, held as long as the body comes.
    pub(super) _slot: RequestPermit,
}

struct FailedTry {
    failure: FailureKind,
    url: Url,
    error: HttpError,
}

/// One hop of a request.
struct Hop {
    url: Url,
    verb: Verb,
    body: Option<String>,
}

impl ClientState {
    /// Sends until there is an answer, or patience runs out.
    pub(super) async fn send(&self, ask: &Ask<'_>, tries: &mut RetryState) -> Result<Answer, HttpError> {
        loop {
            let failed = match self.attempt(ask).await {
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
            pause(wait, &self.counting).await;
        }
    }

    /// One try, with its redirects and a renewed token.
    async fn attempt(&self, ask: &Ask<'_>) -> Result<Answer, FailedTry> {
        let request = ask.request;
        let named = self.credentials.are_for(&request.url);
        let mut hop = Hop {
            url: if named { request.url_with_secrets() } else { request.url.clone() },
            verb: if request.method == Method::Post { Verb::POST } else { Verb::GET },
            body: request.body_with_secrets(),
        };
        let last = |url: &Url, error| FailedTry { failure: FailureKind::Final, url: url.clone(), error };
        let mut origin_state = self.limiter.origin(&hop.url);
        self.not_away(&origin_state, request).map_err(|error| last(&hop.url, error))?;
        let slot = self.limiter.admit(&origin_state, request.ordinal, &self.counting).await;
        self.not_away(&origin_state, request).map_err(|error| last(&hop.url, error))?;
        let mut renewed = false;
        for hops in 0.. {
            let token = self.token(&hop.url).await.map_err(|error| last(&hop.url, error))?;
            let sent = Instant::now();
            let response = self.exchange(ask, &hop, token.as_ref()).await?;
            let status = response.status();
            if status.is_redirection() && response.headers().contains_key(LOCATION) {
                origin_state.rate_limiter().accepted(Instant::now());
                let next = redirect(&hop, response.headers(), status, hops)
                    .map_err(|reason| last(&hop.url, HttpError::Redirect { url: request.shown(), reason }))?;
                Counting::one(&self.counting.redirected);
                hop = next;
                origin_state = self.limiter.origin(&hop.url);
                self.not_away(&origin_state, request).map_err(|error| last(&hop.url, error))?;
                origin_state.turn(&self.counting).await;
                continue;
            }
            if status == StatusCode::UNAUTHORIZED
                && !renewed
                && let Some(refused) = &token
            {
                renewed = true;
                let newer = self.tokens.renew(&self.settings.auth, &self.engines, refused).await;
                if newer.map_err(|error| last(&hop.url, error))?.is_some() {
                    origin_state.turn(&self.counting).await;
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
                return self.answered(request, &hop, response, slot, sent).await;
            }
            return Err(self.refused(request, &hop, response, sent, token.as_ref()).await);
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
        let failed = |failure, error| FailedTry { failure, url: hop.url.clone(), error };
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
        let has_secrets = !ask.request.secrets.is_empty() || !ask.request.in_body.is_empty();
        let carries = named && has_secrets || has_credentials(headers);
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
                let (failure, error) = broken(ask.request, error, self.engines.proxies.of_url(&hop.url));
                Err(failed(failure, error))
            }
            Err(_) => Err(failed(
                FailureKind::Connection,
                HttpError::Timeout { url: ask.request.shown(), what: "answer", after: timeouts.first_byte },
            )),
        }
    }

    /// A success: with the first bytes of its body, so that a server that breaks before them is asked again.
    async fn answered(
        &self,
        request: &Request,
        hop: &Hop,
        mut response: Response,
        slot: RequestPermit,
        sent: Instant,
    ) -> Result<Answer, FailedTry> {
        let failed = |error| FailedTry { failure: FailureKind::Connection, url: hop.url.clone(), error };
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
            origin_state.rate_limiter().refused(refusal, sent, Instant::now(), asked);
            let error = HttpError::Status { url: request.shown(), status: response.status(), said };
            return Err(FailedTry { failure: FailureKind::Refused(refusal), url: hop.url.clone(), error });
        }
        origin_state.rate_limiter().accepted(Instant::now());
        // What is further away is the server's to refuse: it may not be meant so.
        let longest = self.settings.retry_limits.longest_wait;
        let used_up = retry_after::used_up(response.headers(), SystemTime::now());
        if let Some(pause) = used_up.filter(|pause| *pause <= longest) {
            origin_state.rate_limiter().close(Instant::now(), pause);
        }
        origin_state.budget().succeeded();
        Ok(Answer { response, first, url: hop.url.clone(), _slot: slot })
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
        response: Response,
        sent: Instant,
        token: Option<&BearerToken>,
    ) -> FailedTry {
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
                return FailedTry { failure: FailureKind::Final, url: hop.url.clone(), error };
            }
            origin_state.rate_limiter().refused(refusal, sent, Instant::now(), asked);
        } else {
            origin_state.rate_limiter().accepted(Instant::now());
        }
        let said = said(response).await;
        let said = self.credentials.strike_out(&said, request, token.map(|token| &token.secret));
        let said = self.cookies.strike_out(said);
        let said = said.chars().take(SAID_CHARS_MAX).collect();
        FailedTry { failure, url: hop.url.clone(), error: HttpError::Status { url, status, said } }
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

/// The next hop of a redirect, or why it is not followed. The reason shows origins only: what is behind them
/// may be a secret of the server.
fn redirect(hop: &Hop, headers: &HeaderMap, status: StatusCode, hops: u32) -> Result<Hop, String> {
    if hops >= REDIRECTS_MAX {
        return Err(format!("again and again: more than {REDIRECTS_MAX} times"));
    }
    let location =
        headers.get(LOCATION).and_then(|location| location.to_str().ok()).ok_or("to what is no URL")?;
    let mut url = hop.url.join(location.trim()).map_err(|error| format!("to what is no URL ({error})"))?;
    let to = Origin::of(&url);
    if !matches!(url.scheme(), "http" | "https") {
        return Err(format!("to {}://, which is not fetched", url.scheme()));
    }
    if hop.url.scheme() == "https" && url.scheme() == "http" {
        return Err(format!("from https to {to}: what is asked for in secret is not fetched in the open"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(format!("to {to} with a user's name in the URL"));
    }
    url.set_fragment(None);
    let is_elsewhere = to != Origin::of(&hop.url);
    match (status, hop.verb == Verb::POST) {
        (StatusCode::SEE_OTHER, _) => Ok(Hop { url, verb: Verb::GET, body: None }),
        (
            StatusCode::MOVED_PERMANENTLY
            | StatusCode::FOUND
            | StatusCode::TEMPORARY_REDIRECT
            | StatusCode::PERMANENT_REDIRECT,
            false,
        ) => Ok(Hop { url, verb: Verb::GET, body: None }),
        (StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT, true) if !is_elsewhere => {
            Ok(Hop { url, verb: Verb::POST, body: hop.body.clone() })
        }
        (_, true) => Err(format!("a POST to {to} ({status}): its body is not sent there")),
        (_, false) => Err(format!("to {to} in a way that is not followed ({status})")),
    }
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
fn broken(request: &Request, error: reqwest::Error, proxy: Option<String>) -> (FailureKind, HttpError) {
    let error = error.without_url();
    if let Some(proxy) = proxy.filter(|_| error.is_connect() && is_from_proxy(&error)) {
        let reason = format!("the proxy {proxy} does not let it through ({})", innermost(&error));
        return (FailureKind::Connection, HttpError::Connection { url: request.shown(), reason });
    }
    if let Some(why) = find::<rustls::Error>(&error) {
        return (FailureKind::Final, tls::untrusted(&Origin::of(&request.url), why));
    }
    if find::<hyper::Error>(&error).is_some_and(hyper::Error::is_parse) {
        let reason = innermost(&error);
        return (FailureKind::Final, HttpError::NotHttp { url: request.shown(), reason });
    }
    if error.is_builder() {
        let reason = innermost(&error);
        return (FailureKind::Final, HttpError::BadUrl { word: request.shown(), reason });
    }
    (FailureKind::Connection, HttpError::Connection { url: request.shown(), reason: innermost(&error) })
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

/// The beginning of what a server says, in one line.
async fn said(mut response: Response) -> String {
    let mut bytes = Vec::new();
    let read = async {
        while bytes.len() < SAID_BYTES_MAX
            && let Ok(Some(more)) = response.chunk().await
        {
            bytes.extend_from_slice(&more);
        }
    };
    // What did not come in time is not quoted.
    let _ = tokio::time::timeout(SAID_WITHIN, read).await;
    bytes.truncate(SAID_BYTES_MAX);
    let text = String::from_utf8_lossy(&bytes);
    let text = title(&text).unwrap_or(&text);
    let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What a page for people is called: all that an error needs of it.
fn title(text: &str) -> Option<&str> {
    let begin = text.find("<title>")? + "<title>".len();
    let title = text[begin..].split("</title>").next()?.trim();
    Some(title).filter(|title| !title.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redirected(verb: Verb, from: &str, status: u16, to: &'static str) -> Result<(Verb, String), String> {
        let body = (verb == Verb::POST).then(|| "{}".to_owned());
        let hop = Hop { url: Url::parse(from).unwrap(), verb, body };
        let headers = HeaderMap::from_iter([(LOCATION, HeaderValue::from_static(to))]);
        redirect(&hop, &headers, StatusCode::from_u16(status).unwrap(), 0)
            .map(|hop| (hop.verb, hop.url.to_string()))
    }

    #[test]
    fn redirects_are_followed_where_nothing_is_given_away() {
        let get = |from: &str, status, to| redirected(Verb::GET, from, status, to);
        assert_eq!(get("https://h/a/b", 302, "../c?d"), Ok((Verb::GET, "https://h/c?d".to_owned())));
        assert_eq!(get("http://h/a", 301, "https://h/a#x"), Ok((Verb::GET, "https://h/a".to_owned())));
        assert_eq!(get("https://h/a", 308, "https://other/a"), Ok((Verb::GET, "https://other/a".to_owned())));
        assert_eq!(
            redirected(Verb::POST, "https://h/a", 303, "/b"),
            Ok((Verb::GET, "https://h/b".to_owned()))
        );
        assert_eq!(
            redirected(Verb::POST, "https://h/a", 307, "/b"),
            Ok((Verb::POST, "https://h/b".to_owned()))
        );
        for (status, to) in [
            (302, "http://h/a"),
            (302, "http://other/"),
            (302, "ftp://h/"),
            (302, "file:///etc/passwd"),
            (302, "https://h@other/"),
            (302, "https://u:p@h/"),
            (300, "/b"),
            (304, "/b"),
            (302, "https://"),
        ] {
            assert!(get("https://h/a", status, to).is_err(), "{status} {to}");
        }
        for (status, to) in [(301, "/b"), (302, "/b"), (307, "https://other/b"), (308, "https://h:444/b")] {
            assert!(redirected(Verb::POST, "https://h/a", status, to).is_err(), "{status} {to}");
        }
    }
}
