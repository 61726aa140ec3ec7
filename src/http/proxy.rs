//! Proxies: `--proxy`, else those that the environment names as curl reads it (`HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY`, `NO_PROXY`, in small
//! letters too).
//!
//! To https a proxy only carries bytes: TLS ends at the server. Over http it reads everything, so credentials go through one only
//! where `--proxy` says so, never because a variable happened to be set.

use http::Uri;
use http::header::{AUTHORIZATION, COOKIE, HeaderMap};
use hyper_util::client::proxy::matcher::Matcher;
use reqwest::{ClientBuilder, NoProxy, Proxy};
use url::Url;

use super::error::HttpError;
use super::shown::is_secret;
use super::value::Value;

/// Parts of a header's name that mean a credential.
const SECRET_PARTS: [&str; 5] = ["auth", "cookie", "key", "session", "token"];

/// Which requests go through which proxy.
pub(super) struct Proxies {
    said: Option<Value>,
    ambient: Matcher,
}

impl Proxies {
    pub(super) fn new(said: Option<&Value>) -> Self {
        Self { said: said.cloned(), ambient: Matcher::from_env() }
    }

    /// An engine that goes through them.
    pub(super) fn of(&self, engine: ClientBuilder) -> Result<ClientBuilder, HttpError> {
        // The environment's are reqwest's own way.
        let Some(said) = &self.said else { return Ok(engine) };
        let bad =
            |reason: &str| HttpError::BadSetting { what: "--proxy".to_owned(), reason: reason.to_owned() };
        let url = Url::parse(said.resolve()?.reveal()).map_err(|_| bad("it is no URL"))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(bad("only proxies at http:// and https:// are spoken to"));
        }
        let proxy = Proxy::all(url).map_err(|_| bad("it is no URL of a proxy"))?;
        Ok(engine.proxy(proxy.no_proxy(NoProxy::from_env())))
    }

    /// The proxy that would read this request, credentials and all, without having been asked for.
    pub(super) fn would_read(&self, url: &Url) -> Option<String> {
        if self.said.is_some() || url.scheme() != "http" {
            return None;
        }
        let uri: Uri = url[..url::Position::AfterPort].parse().ok()?;
        let proxy = self.ambient.intercept(&uri)?;
        let proxy = proxy.uri();
        Some(format!("{}://{}", proxy.scheme_str().unwrap_or("http"), proxy.authority()?))
    }
}

/// Whether headers say who is asking.
pub(super) fn has_credentials(headers: &HeaderMap) -> bool {
    headers.keys().any(|name| {
        let text = name.as_str();
        *name == AUTHORIZATION
            || *name == COOKIE
            || is_secret(text)
            || SECRET_PARTS.iter().any(|part| text.contains(part))
    })
}
