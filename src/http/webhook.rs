//! One message to a URL that somebody gave for that: sent, tried once more, and then left. The URL is often
//! itself the secret, so that no word about it has more than what went wrong.

use std::fmt;
use std::time::Duration;

use ::http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use ::http::{Method, StatusCode};
use bytes::Bytes;
use url::Url;

use super::proxy_variables::ProxyVariables;
use super::settings::Settings;
use super::tls::Engines;
use crate::causes::innermost;
use crate::secret::Secret;

/// Between the two tries.
const PAUSE: Duration = Duration::from_secs(1);

/// Where messages go.
#[derive(Clone)]
pub struct Webhook {
    url: Secret,
    headers: HeaderMap,
}

impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Webhook").finish_non_exhaustive()
    }
}

impl Webhook {
    /// Reads a URL.
    ///
    /// # Errors
    /// What is wrong with it, without it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let is_url =
            Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
        if is_url {
            let json = (CONTENT_TYPE, HeaderValue::from_static("application/json"));
            Ok(Self { url: Secret::new(text.to_owned()), headers: HeaderMap::from_iter([json]) })
        } else {
            Err("must be a URL, http:// or https://".to_owned())
        }
    }

    /// Sends this with each message, which is JSON where no `content-type` is given. The value is taken for a
    /// secret.
    ///
    /// # Errors
    /// What is wrong with it, without the value.
    pub fn with_header(mut self, name: &str, value: &str) -> Result<Self, String> {
        let named: HeaderName = name.trim().parse().map_err(|_| "not the name of a header".to_owned())?;
        let mut value =
            HeaderValue::from_str(value.trim()).map_err(|_| format!("{named}: no value of a header"))?;
        value.set_sensitive(true);
        self.headers.insert(named, value);
        Ok(self)
    }

    /// Sends a message, at most twice; each try may take half of the time.
    ///
    /// # Errors
    /// Why it was not taken, in words without the URL.
    pub async fn post(
        &self,
        message: impl Into<Bytes>,
        proxies: &ProxyVariables,
        limit: Duration,
    ) -> Result<(), String> {
        let message = message.into();
        let engines = Engines::new(&Settings { proxy_variables: proxies.clone(), ..Settings::default() });
        let once = || self.send(&engines, message.clone(), limit / 2);
        match once().await {
            Err(NotTaken { is_passing: true, .. }) => {
                tokio::time::sleep(PAUSE.min(limit / 4)).await;
                once().await.map_err(|no| no.why)
            }
            done => done.map_err(|no| no.why),
        }
    }

    async fn send(&self, engines: &Engines, message: Bytes, limit: Duration) -> Result<(), NotTaken> {
        let for_good = |why: &str| NotTaken { why: why.to_owned(), is_passing: false };
        let passing = |why: String| NotTaken { why, is_passing: true };
        let url = Url::parse(self.url.reveal()).map_err(|_| for_good("it is no URL"))?;
        if engines.proxies.would_read(&url).is_some() {
            return Err(for_good("the proxy would read it: https:// is read by none"));
        }
        let engine = engines.of(&url, true).map_err(|_| for_good("TLS cannot be set up"))?;
        let mut request = reqwest::Request::new(Method::POST, url);
        request.headers_mut().clone_from(&self.headers);
        *request.body_mut() = Some(message.into());
        let answer = tokio::time::timeout(limit, engine.execute(request)).await;
        match answer {
            Err(_) => Err(passing(format!("no answer within {}", humantime::format_duration(limit)))),
            Ok(Err(error)) => Err(passing(innermost(&error.without_url()))),
            Ok(Ok(response)) => judge(response.status()),
        }
    }
}

/// Why a message was not taken.
struct NotTaken {
    why: String,
    /// Another try may do.
    is_passing: bool,
}

fn judge(status: StatusCode) -> Result<(), NotTaken> {
    if status.is_success() {
        return Ok(());
    }
    let is_passing = status.is_server_error() || matches!(status.as_u16(), 408 | 425 | 429);
    Err(NotTaken { why: format!("it answered {status}"), is_passing })
}
