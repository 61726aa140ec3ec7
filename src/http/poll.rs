//! An export that takes its time: it is asked for, its job is asked how far it is, and what comes of it is
//! fetched. Between two questions nothing is held: no slot, no connection.
//!
//! What an answer names is followed as a redirect is: to any origin, but with credentials only to those that
//! were named, and never from https to http.

use std::time::{Duration, Instant, SystemTime};

use bytes::BytesMut;
use http::StatusCode;
use http::header::{HeaderMap, LOCATION};
use url::Url;

use super::admission::pause;
use super::error::HttpError;
use super::origin::Origin;
use super::pointer;
use super::poll_rules::{JobState, Poll, PollPlace};
use super::request::{Method, Request};
use super::response_field::ResponseField;
use super::retry::RetryState;
use super::retry_after;
use super::send::{Accepts, Answer, Ask, Encodings};
use super::shared::ClientState;
use super::urls;

/// An answer that says how far an export is has few bytes; more are none.
const JOB_BYTES_MAX: usize = 1 << 20;
/// The pause before the second question where nobody says one; it grows up to the longest.
const PAUSE_MIN: Duration = Duration::from_millis(500);
const PAUSE_MAX: Duration = Duration::from_secs(30);
const PAUSE_GROWTH: f64 = 1.5;
/// How much is shown of what a job says that has failed.
const SAID_CHARS_MAX: usize = 300;
/// Where jobs say why they have failed.
const WHY: [&str; 9] = [
    "/error/message",
    "/errors/0/message",
    "/errors/0",
    "/error",
    "/errorMessage",
    "/message",
    "/reason",
    "/detail",
    "/stateMessage",
];
/// Headers in which servers say whom to ask, beside Location.
const PLACES: [&str; 3] = ["operation-location", "azure-asyncoperation", "content-location"];

/// What is to be fetched, and its answer where that has come already.
pub(super) struct Finished {
    pub(super) request: Request,
    pub(super) answer: Option<Answer>,
}

/// What a job has answered.
struct JobAnswer {
    url: Url,
    status: StatusCode,
    headers: HeaderMap,
    text: String,
}

/// Asks for an export and waits until it can be fetched.
pub(super) async fn finished(
    shared: &ClientState,
    request: &Request,
    poll: &Poll,
    encodings: Encodings,
) -> Result<Finished, HttpError> {
    let began = Instant::now();
    let mut now = request.clone();
    let mut questions = 0_i32;
    loop {
        let mut tries = RetryState::new(shared.settings.retry_limits);
        let ask = Ask { request: &now, range: None, encodings, accepts: Accepts::Jobs };
        let answer = shared.send(&ask, &mut tries).await?;
        let is_first = questions == 0;
        let is_under_way = matches!(answer.response.status(), StatusCode::ACCEPTED | StatusCode::CREATED);
        if !is_under_way && poll.status.is_none() && !(is_first && poll.at.is_some()) {
            return Ok(Finished { request: now, answer: Some(answer) });
        }
        let job = JobAnswer::read(&now, answer, shared.settings.timeouts.idle).await?;
        match job.state(&now, poll, is_first)? {
            JobState::Done => return Ok(Finished { request: job.result(&now, poll)?, answer: None }),
            JobState::Failed => {
                let said = shared.credentials.strike_out(&job.why(poll), &now, None);
                let said: String = said.chars().filter(|c| !c.is_control()).take(SAID_CHARS_MAX).collect();
                return Err(odd(&now, format!("has failed: {said}")));
            }
            JobState::Pending => now = job.next(&now, poll, is_first)?,
        }
        let left = poll.within.saturating_sub(began.elapsed());
        if left.is_zero() {
            let within = humantime::format_duration(poll.within);
            return Err(odd(&now, format!("is not done within {within}; within=TIME allows more")));
        }
        let usual =
            poll.every.unwrap_or_else(|| PAUSE_MIN.mul_f64(PAUSE_GROWTH.powi(questions)).min(PAUSE_MAX));
        let asked = retry_after::asked(&job.headers, SystemTime::now());
        pause(asked.unwrap_or(usual).min(left), &shared.counting).await;
        questions = (questions + 1).min(20);
    }
}

impl JobAnswer {
    async fn read(request: &Request, mut answer: Answer, idle: Duration) -> Result<Self, HttpError> {
        let mut bytes = BytesMut::new();
        let broken = |error: reqwest::Error| HttpError::Connection {
            url: request.shown(),
            reason: crate::causes::innermost(&error.without_url()),
        };
        let mut next = answer.first.take();
        while let Some(more) = next {
            bytes.extend_from_slice(&more);
            if bytes.len() > JOB_BYTES_MAX {
                return Err(odd(
                    request,
                    "does not say how far it is: its answer is longer than 1 MiB".to_owned(),
                ));
            }
            let Ok(more) = tokio::time::timeout(idle, answer.response.chunk()).await else {
                return Err(HttpError::Timeout { url: request.shown(), what: "end", after: idle });
            };
            next = more.map_err(broken)?;
        }
        Ok(Self {
            url: answer.url.clone(),
            status: answer.response.status(),
            headers: answer.response.headers().clone(),
            text: String::from_utf8_lossy(&bytes).into_owned(),
        })
    }

    fn state(&self, request: &Request, poll: &Poll, is_first: bool) -> Result<JobState, HttpError> {
        let Some(field) = &poll.status else { return Ok(JobState::Pending) };
        if let Some(word) = self.scalar(request, field)? {
            return Ok(poll.state_of(&word));
        }
        let is_redirected = self.url.path() != request.url.path();
        match self.status {
            _ if is_first => Ok(JobState::Pending),
            StatusCode::ACCEPTED | StatusCode::CREATED => Ok(JobState::Pending),
            // A job that is done leads to what came of it.
            _ if is_redirected => Ok(JobState::Done),
            _ => Err(odd(request, format!("does not say how far it is: there is nothing at {field}"))),
        }
    }

    /// Why it has failed, in the words of the server.
    fn why(&self, poll: &Poll) -> String {
        let at = |at: &str| pointer::scalar(&self.text, at).ok().flatten();
        let state = poll.status.as_ref().and_then(ResponseField::in_body).and_then(|field| at(field));
        let words = WHY.iter().find_map(|place| at(place));
        [state, words].into_iter().flatten().collect::<Vec<_>>().join(", ")
    }

    /// The request that asks how far it is.
    fn next(&self, request: &Request, poll: &Poll, is_first: bool) -> Result<Request, HttpError> {
        if let Some(place) = poll.at.as_ref().filter(|_| is_first) {
            return self.follow(request, &self.fill(request, place)?);
        }
        let named = std::iter::once(LOCATION.as_str()).chain(PLACES);
        let named = named.filter_map(|name| self.headers.get(name)?.to_str().ok()).next();
        match named {
            Some(url) if is_first || self.headers.contains_key(LOCATION) => self.follow(request, url),
            _ if request.method == Method::Get => Ok(request.clone()),
            _ => Err(odd(
                request,
                "does not say whom to ask how far it is: there is no Location; say it with at=/POINTER or at=/jobs/{/id}"
                    .to_owned(),
            )),
        }
    }

    /// The request that fetches what came of it.
    fn result(&self, request: &Request, poll: &Poll) -> Result<Request, HttpError> {
        if let Some(place) = &poll.result {
            return self.follow(request, &self.fill(request, place)?);
        }
        match self.headers.get(LOCATION).and_then(|url| url.to_str().ok()) {
            Some(url) => self.follow(request, url),
            None if request.method == Method::Get => self.follow(request, self.url.as_str()),
            None => {
                let reason = "is done and does not say what to fetch: say it with result=/POINTER".to_owned();
                Err(odd(request, reason))
            }
        }
    }

    fn fill(&self, request: &Request, place: &PollPlace) -> Result<String, HttpError> {
        let missing = |at: &dyn std::fmt::Display| odd(request, format!("has no URL at {at}"));
        match place {
            PollPlace::Field(field) => self.scalar(request, field)?.ok_or_else(|| missing(field)),
            PollPlace::Template(template) => {
                let mut url = String::new();
                let mut rest = template.as_str();
                while let Some((before, (at, after))) =
                    rest.split_once('{').and_then(|(before, behind)| Some((before, behind.split_once('}')?)))
                {
                    let value = self.scalar(request, &ResponseField::Body(at.to_owned()))?;
                    url.push_str(before);
                    url.push_str(&urls::encode(&value.ok_or_else(|| missing(&at))?));
                    rest = after;
                }
                Ok(url + rest)
            }
        }
    }

    /// A text or the digits of a number; none where nothing is.
    fn scalar(&self, request: &Request, field: &ResponseField) -> Result<Option<String>, HttpError> {
        match field {
            ResponseField::Header(name) => {
                let text = self.headers.get(name).and_then(|value| value.to_str().ok());
                Ok(text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty()))
            }
            ResponseField::Body(_) if self.text.trim().is_empty() => Ok(None),
            ResponseField::Body(at) | ResponseField::LastRecord(at) => {
                match pointer::scalar(&self.text, at) {
                    Ok(found) => Ok(found),
                    // What a job that is done leads to need not be JSON.
                    Err(_) if self.url.path() != request.url.path() => Ok(None),
                    Err(reason) => Err(odd(request, format!("cannot be understood: it {reason}"))),
                }
            }
        }
    }

    /// A GET of a URL that the answer names.
    fn follow(&self, request: &Request, url: &str) -> Result<Request, HttpError> {
        let refused = |reason: String| odd(request, format!("leads {reason}"));
        let url =
            self.url.join(url.trim()).map_err(|error| refused(format!("to what is no URL ({error})")))?;
        let to = Origin::of(&url);
        if !matches!(url.scheme(), "http" | "https") {
            return Err(refused(format!("to {}://, which is not fetched", url.scheme())));
        }
        if self.url.scheme() == "https" && url.scheme() == "http" {
            return Err(refused(format!(
                "from https to {to}: what is asked for in secret is not fetched in the open"
            )));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(refused(format!("to {to} with a user's name in the URL")));
        }
        let mut next = request.clone();
        next.get_instead(url);
        Ok(next)
    }
}

fn odd(request: &Request, reason: String) -> HttpError {
    HttpError::Job { url: request.shown(), reason }
}
