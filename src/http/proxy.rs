//! Proxies: `--proxy`, else those that the environment names, as far as the settings say what stands there.
//!
//! To https a proxy only carries bytes: TLS ends at the server. Over http it reads everything, so credentials
//! go through one only where `--proxy` says so, never because a variable happened to be set.

use http::Uri;
use http::header::{AUTHORIZATION, COOKIE, HeaderMap};
use hyper_util::client::proxy::matcher::Matcher;
use reqwest::{ClientBuilder, NoProxy, Proxy};
use url::Url;

use super::error::HttpError;
use super::proxy_variables::ProxyVariables;
use super::shown::is_secret;
use super::value::Value;
use crate::secret::Secret;

/// Parts of a header's name that mean a credential.
const SECRET_PARTS: [&str; 5] = ["auth", "cookie", "key", "session", "token"];

/// Which requests go through which proxy.
pub(super) struct Proxies {
    said: Option<Value>,
    variables: ProxyVariables,
    /// The variables' proxies, for questions.
    ambient: Matcher,
}

impl Proxies {
    pub(super) fn new(said: Option<&Value>, variables: &ProxyVariables) -> Self {
        let text =
            |proxy: &Option<Secret>| proxy.as_ref().map_or_else(String::new, |p| p.reveal().to_owned());
        let ambient = Matcher::builder()
            .http(text(&variables.http))
            .https(text(&variables.https))
            .all(text(&variables.all))
            .no(variables.without.clone())
            .build();
        Self { said: said.cloned(), variables: variables.clone(), ambient }
    }

    /// An engine that goes through them, and through no other.
    pub(super) fn of(&self, engine: ClientBuilder) -> Result<ClientBuilder, HttpError> {
        // Else it reads the environment by itself.
        let engine = engine.no_proxy();
        let without = NoProxy::from_string(&self.variables.without);
        if let Some(said) = &self.said {
            return Ok(engine.proxy(named(said)?.no_proxy(without)));
        }
        let all = self.variables.all.as_ref();
        let http = proxy_at([self.variables.http.as_ref(), all], |url| Proxy::http(url));
        let https = proxy_at([self.variables.https.as_ref(), all], |url| Proxy::https(url));
        let proxies = [http, https].into_iter().flatten();
        Ok(proxies.fold(engine, |engine, proxy| engine.proxy(proxy.no_proxy(without.clone()))))
    }

    /// The proxy that a request goes through, without its secrets.
    pub(super) fn of_url(&self, url: &Url) -> Option<String> {
        if let Some(said) = &self.said {
            let proxy = Url::parse(said.resolve().ok()?.reveal()).ok()?;
            return Some(super::origin::Origin::of(&proxy).to_string());
        }
        let uri: Uri = url[..url::Position::AfterPort].parse().ok()?;
        let proxy = self.ambient.intercept(&uri)?;
        Some(format!("{}://{}", proxy.uri().scheme_str().unwrap_or("http"), proxy.uri().authority()?))
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

/// The proxy of `--proxy`.
fn named(said: &Value) -> Result<Proxy, HttpError> {
    let bad = |reason: &str| HttpError::BadSetting { what: "--proxy".to_owned(), reason: reason.to_owned() };
    let url = Url::parse(said.resolve()?.reveal()).map_err(|_| bad("it is no URL"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(bad("only proxies at http:// and https:// are spoken to"));
    }
    Proxy::all(url).map_err(|_| bad("it is no URL of a proxy"))
}

/// The first of these that is a proxy. A variable that names none is passed over, as curl's users know it.
fn proxy_at(texts: [Option<&Secret>; 2], proxy: impl Fn(&str) -> reqwest::Result<Proxy>) -> Option<Proxy> {
    let somewhere = Uri::from_static("http://localhost");
    let is_proxy = |text: &&str| Matcher::builder().all(*text).build().intercept(&somewhere).is_some();
    let text = texts.into_iter().flatten().map(Secret::reveal).find(is_proxy)?;
    proxy(text).ok()
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
