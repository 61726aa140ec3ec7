//! What the environment says of proxies, as it is. Whoever has an environment reads it: the room has none.

use crate::secret::Secret;

/// The variables that name proxies, as curl reads them: `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY`, `NO_PROXY`,
/// in small letters too. A proxy may have a password.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProxyVariables {
    /// The proxy for `http://`, if any.
    pub(super) http: Option<Secret>,
    /// The proxy for `https://`, if any.
    pub(super) https: Option<Secret>,
    /// For what has none of its own.
    pub(super) all: Option<Secret>,
    /// Hosts that are asked without one.
    pub(super) without: String,
}

impl ProxyVariables {
    /// Reads them; `variable` looks one up.
    pub fn read(variable: impl Fn(&str) -> Option<String>) -> Self {
        let first = |names: [&str; 2]| names.into_iter().find_map(&variable);
        // In a CGI script HTTP_PROXY is what a client has sent as the header `Proxy`: none is believed there.
        let is_cgi = variable("REQUEST_METHOD").is_some();
        let proxy = |names| first(names).filter(|_| !is_cgi).map(Secret::new);
        Self {
            http: proxy(["HTTP_PROXY", "http_proxy"]),
            https: proxy(["HTTPS_PROXY", "https_proxy"]),
            all: proxy(["ALL_PROXY", "all_proxy"]),
            without: first(["NO_PROXY", "no_proxy"]).unwrap_or_default(),
        }
    }
}
