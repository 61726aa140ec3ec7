//! Where a redirect leads, and whether it is followed. Pure.

use http::header::{HeaderMap, LOCATION};
use http::{Method as Verb, StatusCode};
use url::Url;

use super::origin::Origin;

/// Redirects of one request: more are a circle.
const REDIRECTS_MAX: u32 = 10;

/// One hop of a request.
pub(super) struct Hop {
    pub(super) url: Url,
    pub(super) verb: Verb,
    pub(super) body: Option<String>,
}

/// The next hop of a redirect, or why it is not followed. The reason shows origins only: what is behind them
/// may be a secret of the server.
pub(super) fn redirect(hop: &Hop, headers: &HeaderMap, status: StatusCode, hops: u32) -> Result<Hop, String> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use http::header::HeaderValue;

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
