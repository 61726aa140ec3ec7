//! Origins: scheme, host and port, which is what credentials and rate limits belong to.

use std::collections::BTreeSet;
use std::fmt;

use url::Url;

/// A scheme, a host and a port.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Origin(String);

impl Origin {
    /// The origin of a URL; its port is written out, so that `https://h` and `https://h:443` are one.
    #[must_use]
    pub fn of(url: &Url) -> Self {
        let port = url.port_or_known_default().map_or_else(String::new, |port| format!(":{port}"));
        Self(format!("{}://{}{port}", url.scheme(), url.host_str().unwrap_or_default()))
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The origins that were named for a load: credentials go there and nowhere else.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origins(BTreeSet<Origin>);

impl Origins {
    /// The origins of these URLs.
    pub fn of<'a>(urls: impl IntoIterator<Item = &'a Url>) -> Self {
        Self(urls.into_iter().map(Origin::of).collect())
    }

    /// Whether the URL is at one of them.
    #[must_use]
    pub fn has(&self, url: &Url) -> bool {
        self.0.contains(&Origin::of(url))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn same(left: &str, right: &str) -> bool {
        Origins::of([&Url::parse(left).unwrap()]).has(&Url::parse(right).unwrap())
    }

    #[test]
    fn an_origin_is_scheme_host_and_port() {
        assert!(same("https://api.example.com/a?b#c", "https://API.example.com:443/x"));
        assert!(same("http://[::1]:8080/", "http://[::1]:8080/x"));
        for other in [
            "http://api.example.com/",
            "https://api.example.com:8443/",
            "https://example.com/",
            "https://api.example.com.evil.net/",
            "https://api.example.com@evil.net/",
            "https://api.example.com%2eevil.net/",
            "https://evil.net/https://api.example.com/",
            "https://xn--pi-8cd.example.com/",
        ] {
            assert!(!same("https://api.example.com/", other), "{other}");
        }
    }
}
