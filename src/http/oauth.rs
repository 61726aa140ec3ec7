//! OAuth 2 tokens: for a client's name and secret (RFC 6749, 4.4), or for a refresh token (6). Secrets go to
//! the token's URL and nowhere else: redirects of it are refused.

use std::time::{Duration, Instant};

use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use url::Url;

use super::bearer::BearerToken;
use super::credentials::{basic, sensitive};
use super::error::HttpError;
use super::shown::shown;
use super::tls::Engines;
use crate::causes::innermost;
use crate::secret::Secret;

/// How long the issuer may take, and how often it is asked: a load should not fail for one hiccup of it.
const ISSUED_WITHIN: Duration = Duration::from_secs(30);
const TRIES: u32 = 4;
/// The pause before the second try; it doubles.
const PAUSE: Duration = Duration::from_millis(500);
/// The longest answer of an authorization server that is read.
const ANSWER_BYTES_MAX: usize = 256 * 1024;
/// A token is renewed this long before it ends: a request may be on its way.
const RENEWED_BEFORE: Duration = Duration::from_secs(30);

/// Who asks, and for what.
pub(super) struct TokenClient<'a> {
    pub(super) id: Secret,
    /// None: a client that can keep none, such as an app.
    pub(super) secret: Option<Secret>,
    pub(super) scope: Option<&'a str>,
    /// For which a token is asked; none: for the client itself.
    pub(super) refresh: Option<Secret>,
}

/// What was issued.
pub(super) struct IssuedToken {
    pub(super) token: BearerToken,
    /// The refresh token that holds from now on, if it is another one.
    pub(super) refresh: Option<Secret>,
}

#[derive(Deserialize)]
struct Issued {
    access_token: String,
    token_type: Option<String>,
    expires_in: Option<serde_json::Value>,
    refresh_token: Option<String>,
}

/// What the issuer says instead; its description may repeat what it was sent and is not shown.
#[derive(Deserialize)]
struct Refused {
    error: String,
}

/// How the client says who it is: servers must know the first, some know only the second.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Style {
    Header,
    Body,
}

/// Fetches a token from the authorization server.
pub(super) async fn fetch(
    engines: &Engines,
    url: &Url,
    client: &TokenClient<'_>,
) -> Result<IssuedToken, HttpError> {
    let mut style = if client.secret.is_some() { Style::Header } else { Style::Body };
    let mut pause = PAUSE;
    let mut failed = String::new();
    for _ in 0..TRIES {
        match ask(engines, url, client, style).await? {
            Ok(token) => return Ok(token),
            Err(GrantFailure::Passing(reason)) => {
                failed = reason;
                tokio::time::sleep(pause.mul_f64(0.5 + fastrand::f64())).await;
                pause *= 2;
            }
            Err(GrantFailure::Final(_)) if style == Style::Header => style = Style::Body,
            Err(GrantFailure::Final(reason)) => {
                failed = reason;
                break;
            }
        }
    }
    Err(HttpError::Token { from: shown(url), reason: failed })
}

enum GrantFailure {
    Passing(String),
    Final(String),
}

fn request(url: &Url, client: &TokenClient<'_>, style: Style) -> reqwest::Request {
    let mut form = url::form_urlencoded::Serializer::new(String::new());
    match &client.refresh {
        Some(token) => {
            form.append_pair("grant_type", "refresh_token").append_pair("refresh_token", token.reveal())
        }
        None => form.append_pair("grant_type", "client_credentials"),
    };
    if let Some(scope) = client.scope {
        form.append_pair("scope", scope);
    }
    let mut request = reqwest::Request::new(http::Method::POST, url.clone());
    match style {
        Style::Header => {
            // RFC 6749, 2.3.1: both are encoded before they are joined.
            let encode = |text: &Secret| utf8_percent_encode(text.reveal(), NON_ALPHANUMERIC).to_string();
            let secret = client.secret.as_ref().map(encode).unwrap_or_default();
            let value = basic(&encode(&client.id), &Secret::new(secret));
            if let Some(value) = sensitive(value.reveal()) {
                request.headers_mut().insert(AUTHORIZATION, value);
            }
        }
        Style::Body => {
            form.append_pair("client_id", client.id.reveal());
            if let Some(secret) = &client.secret {
                form.append_pair("client_secret", secret.reveal());
            }
        }
    }
    let kind = HeaderValue::from_static("application/x-www-form-urlencoded");
    request.headers_mut().insert(CONTENT_TYPE, kind);
    request.headers_mut().insert(ACCEPT, HeaderValue::from_static("application/json"));
    *request.body_mut() = Some(form.finish().into());
    request
}

async fn ask(
    engines: &Engines,
    url: &Url,
    client: &TokenClient<'_>,
    style: Style,
) -> Result<Result<IssuedToken, GrantFailure>, HttpError> {
    let request = request(url, client, style);
    if let Some(proxy) = engines.proxies.would_read(url) {
        return Err(HttpError::OpenProxy { url: shown(url), proxy });
    }
    let engine = engines.of(url, true)?;
    let sent = Instant::now();
    let exchange = async {
        let mut response = engine.execute(request).await?;
        let mut answer = Vec::new();
        while let Some(bytes) = response.chunk().await? {
            answer.extend_from_slice(&bytes);
            if answer.len() > ANSWER_BYTES_MAX {
                break;
            }
        }
        Ok::<_, reqwest::Error>((response.status(), answer))
    };
    Ok(match tokio::time::timeout(ISSUED_WITHIN, exchange).await {
        Err(_) => Err(GrantFailure::Passing(format!(
            "it did not answer within {}",
            humantime::format_duration(ISSUED_WITHIN)
        ))),
        Ok(Err(error)) => Err(GrantFailure::Passing(innermost(&error.without_url()))),
        Ok(Ok((status, answer))) => judge(status, &answer, sent),
    })
}

fn judge(status: http::StatusCode, answer: &[u8], sent: Instant) -> Result<IssuedToken, GrantFailure> {
    if !status.is_success() {
        let word = serde_json::from_slice::<Refused>(answer).map(|refused| refused.error).unwrap_or_default();
        let word: String = word.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '_').take(60).collect();
        let reason = format!("it answered {status} {word}").trim_end().to_owned();
        let passing = status.is_server_error() || matches!(status.as_u16(), 408 | 425 | 429);
        return Err(if passing { GrantFailure::Passing(reason) } else { GrantFailure::Final(reason) });
    }
    let issued: Issued = serde_json::from_slice(answer)
        .map_err(|_| GrantFailure::Final("its answer is no JSON with an access_token".to_owned()))?;
    if issued.token_type.is_some_and(|kind| !kind.eq_ignore_ascii_case("bearer")) {
        return Err(GrantFailure::Final("it issues another kind of tokens than bearer".to_owned()));
    }
    // Seconds, and some servers write them as a text.
    let seconds = issued.expires_in.and_then(|value| match value {
        serde_json::Value::String(text) => text.parse().ok(),
        other => other.as_f64(),
    });
    let life = seconds.filter(|seconds| *seconds > 0.0 && *seconds < 1e9).map(Duration::from_secs_f64);
    let expires = life.map(|life| sent + life.saturating_sub(RENEWED_BEFORE).max(life / 2));
    let token = BearerToken::new(Secret::new(issued.access_token), expires);
    Ok(IssuedToken { token, refresh: issued.refresh_token.map(Secret::new) })
}
