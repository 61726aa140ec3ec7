//! Cookies: kept for the origin that has set them, sent to it and to no other, gone with the process. Who
//! wants a session sets it with the first answer, or on the way of a redirect that leads back.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use http::header::{COOKIE, HeaderMap, SET_COOKIE};
use url::Url;

use super::credentials::{HIDDEN_BYTES_MIN, sensitive};
use super::origin::Origin;
use crate::secret::Secret;

/// Cookies of one origin, and the bytes of one: a server that sets more is not remembered further.
const COOKIES_MAX: usize = 50;
const COOKIE_BYTES_MAX: usize = 4096;

/// The cookies of all origins.
#[derive(Default)]
pub(super) struct CookieJar(Mutex<HashMap<Origin, Vec<Cookie>>>);

struct Cookie {
    name: String,
    value: Secret,
    path: String,
    expires: Option<SystemTime>,
}

impl CookieJar {
    /// Keeps what an answer sets.
    pub(super) fn keep(&self, url: &Url, headers: &HeaderMap, now: SystemTime) {
        for value in headers.get_all(SET_COOKIE) {
            let Some(cookie) = value.to_str().ok().and_then(|text| Cookie::parse(text, url, now)) else {
                continue;
            };
            let mut origins = self.lock();
            let cookies = origins.entry(Origin::of(url)).or_default();
            cookies.retain(|known| {
                let is_replaced = known.name == cookie.name && known.path == cookie.path;
                !is_replaced && !known.is_over(now)
            });
            if !cookie.is_over(now) && cookies.len() < COOKIES_MAX {
                cookies.push(cookie);
            }
        }
    }

    /// Adds those of the URL's origin to a request. One of the user's own is replaced where the server has
    /// set another of its name.
    pub(super) fn add(&self, url: &Url, to: &mut HeaderMap, now: SystemTime) {
        let origins = self.lock();
        let Some(cookies) = origins.get(&Origin::of(url)) else { return };
        let mut set: Vec<&Cookie> =
            cookies.iter().filter(|cookie| !cookie.is_over(now) && cookie.is_for(url.path())).collect();
        if set.is_empty() {
            return;
        }
        // The nearer path goes first, as servers expect it.
        set.sort_by_key(|cookie| std::cmp::Reverse(cookie.path.len()));
        let given: Vec<String> =
            to.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok()).map(str::to_owned).collect();
        let own =
            given.iter().flat_map(|text| text.split(';')).map(str::trim).filter(|pair| !pair.is_empty());
        let is_set = |pair: &str| {
            let name = pair.split('=').next().unwrap_or_default().trim_end();
            set.iter().any(|cookie| cookie.name == name)
        };
        let own = own.filter(|pair| !is_set(pair)).map(str::to_owned);
        let pairs = own.chain(set.iter().map(|cookie| format!("{}={}", cookie.name, cookie.value.reveal())));
        if let Some(value) = sensitive(&pairs.collect::<Vec<_>>().join("; ")) {
            to.insert(COOKIE, value);
        }
    }

    /// A text of a server without the cookies that it has set.
    pub(super) fn strike_out(&self, text: String) -> String {
        let origins = self.lock();
        let values = origins.values().flatten().map(|cookie| cookie.value.reveal());
        values
            .filter(|value| value.len() >= HIDDEN_BYTES_MIN)
            .fold(text, |text, value| if text.contains(value) { text.replace(value, "***") } else { text })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Origin, Vec<Cookie>>> {
        // What is inside is whole between any two statements: a panic elsewhere does not spoil it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Cookie {
    /// Reads `Set-Cookie`, as far as it concerns one origin: a domain makes it no wider.
    fn parse(text: &str, url: &Url, now: SystemTime) -> Option<Self> {
        let mut parts = text.split(';');
        let (name, value) = parts.next()?.split_once('=')?;
        let (name, value) = (name.trim(), value.trim());
        if name.is_empty() || name.len() + value.len() > COOKIE_BYTES_MAX {
            return None;
        }
        let folder = url.path().rsplit_once('/').map_or("", |(folder, _)| folder);
        let path = if folder.is_empty() { "/" } else { folder };
        let mut cookie = Self {
            name: name.to_owned(),
            value: Secret::new(value.to_owned()),
            path: path.to_owned(),
            expires: None,
        };
        let mut age = None;
        for part in parts {
            let (attribute, value) = part.split_once('=').unwrap_or((part, ""));
            let value = value.trim();
            match attribute.trim().to_ascii_lowercase().as_str() {
                "path" if value.starts_with('/') => value.clone_into(&mut cookie.path),
                "max-age" => age = value.parse::<i64>().ok(),
                "expires" => cookie.expires = httpdate::parse_http_date(&dashed(value)).ok(),
                _ => {}
            }
        }
        if let Some(seconds) = age {
            let left = Duration::from_secs(u64::try_from(seconds).unwrap_or(0));
            // One that lives longer than time can be told lives as long as the load.
            cookie.expires = now.checked_add(left);
        }
        Some(cookie)
    }

    fn is_over(&self, now: SystemTime) -> bool {
        self.expires.is_some_and(|expires| expires <= now)
    }

    fn is_for(&self, path: &str) -> bool {
        path.strip_prefix(self.path.as_str())
            .is_some_and(|rest| rest.is_empty() || self.path.ends_with('/') || rest.starts_with('/'))
    }
}

/// `Wed, 09-Jun-2027 10:18:14 GMT`, as many write it, with the blanks of HTTP's dates.
fn dashed(text: &str) -> String {
    match text.split_once(", ") {
        Some((day, rest)) if rest.get(2..3) == Some("-") => {
            let (date, time) = rest.split_once(' ').unwrap_or((rest, ""));
            format!("{day}, {} {time}", date.replace('-', " "))
        }
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    const NOW: Duration = Duration::from_secs(1_784_111_777); // July 2026

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    fn kept(jar: &CookieJar, from: &str, set: &[&str]) {
        let values = set.iter().map(|text| (SET_COOKIE, HeaderValue::from_str(text).unwrap()));
        jar.keep(&url(from), &values.collect(), SystemTime::UNIX_EPOCH + NOW);
    }

    fn sent(jar: &CookieJar, to: &str, own: &[&str]) -> Option<String> {
        let mut headers: HeaderMap =
            own.iter().map(|text| (COOKIE, HeaderValue::from_str(text).unwrap())).collect();
        jar.add(&url(to), &mut headers, SystemTime::UNIX_EPOCH + NOW);
        Some(headers.get(COOKIE)?.to_str().unwrap().to_owned())
    }

    #[test]
    fn cookies_go_back_to_their_origin_and_nowhere_else() {
        let jar = CookieJar::default();
        kept(
            &jar,
            "https://h/login",
            &["sid=abcd; Path=/; HttpOnly; Secure", "t=1; Domain=example.org; path=/a"],
        );
        assert_eq!(sent(&jar, "https://h/items", &[]).as_deref(), Some("sid=abcd"));
        assert_eq!(sent(&jar, "https://h:443/a/b", &[]).as_deref(), Some("t=1; sid=abcd"));
        for elsewhere in ["http://h/items", "https://h:444/a", "https://a.h/a", "https://example.org/a"] {
            assert_eq!(sent(&jar, elsewhere, &[]), None, "{elsewhere}");
        }
        assert_eq!(sent(&jar, "https://h/ab", &[]).as_deref(), Some("sid=abcd"));
        assert_eq!(jar.strike_out("it was abcd".to_owned()), "it was ***");
    }

    #[test]
    fn later_ones_replace_earlier_ones_and_end_in_time() {
        let jar = CookieJar::default();
        kept(&jar, "https://h/x/login", &["a=1", "b=1; path=/", "c=1; path=/; Max-Age=60"]);
        kept(
            &jar,
            "https://h/x/other",
            &["a=2", "b=; path=/; Max-Age=0", "bad", "=x", "d=1; Expires=Wed, 09-Jun-2021 10:18:14 GMT"],
        );
        assert_eq!(sent(&jar, "https://h/x/y", &[]).as_deref(), Some("a=2; c=1"));
        assert_eq!(
            sent(&jar, "https://h/", &["a=own; e=own", "c=own"]).as_deref(),
            Some("a=own; e=own; c=1")
        );
        kept(&jar, "https://h/", &["c=1; path=/; expires=Wed, 09 Jun 2027 10:18:14 GMT; max-age=-1"]);
        assert_eq!(sent(&jar, "https://h/", &[]), None);
    }

    #[test]
    fn a_server_cannot_fill_the_memory() {
        let jar = CookieJar::default();
        for i in 0..200 {
            kept(&jar, "https://h/", &[&format!("c{i}={}", "x".repeat(i * 40))]);
        }
        let all = sent(&jar, "https://h/", &[]).unwrap();
        assert!(all.len() < COOKIES_MAX * COOKIE_BYTES_MAX && all.split(';').count() == COOKIES_MAX);
    }
}
