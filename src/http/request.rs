//! One request, and what identifies the version of what it answers. What is stored of it has no secrets.

use http::header::{CONTENT_RANGE, ETAG, HeaderMap, HeaderName, LAST_MODIFIED};
use serde::{Deserialize, Serialize};
use url::Url;

use super::origin::Origin;
use super::post::{self, BodyKind, PostBody};
use super::presigned;
use super::query;
use super::sign::RequestSigner;
use crate::secret::Secret;

/// How a request asks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Method {
    /// Reads without a body, by GET.
    #[default]
    Get,
    /// POST, with a body.
    Post,
}

/// A request. Serialized, it has no secrets: secret parameters are kept beside the URL, and are given again
/// ([`Request::with_secrets`]) when a stored request is sent again.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Request {
    /// Where to, without secret parameters and without a user's name.
    pub url: Url,
    /// The method that it is sent with.
    #[serde(default)]
    pub method: Method,
    /// A body, for POST; of a form, the object of its fields.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// What the body is.
    #[serde(default, skip_serializing_if = "BodyKind::is_json")]
    pub body_kind: BodyKind,
    /// The source's place in the order, from 0: the first unfinished source never waits for a slot
    /// ([`Client::prioritize`](super::Client::prioritize)), and the landing copy's names sort by it.
    #[serde(skip)]
    pub ordinal: u64,
    /// The page, from 0.
    #[serde(default)]
    pub page: u64,
    /// Parameters that are sent, to origins that were named, but never stored or shown.
    #[serde(skip)]
    pub(super) secrets: Vec<(String, Secret)>,
    /// The user and password that stood in the URL, likewise.
    #[serde(skip)]
    pub(super) login: Option<(String, Secret)>,
    /// Secrets of the body, likewise: where they stand in it, and their JSON texts.
    #[serde(skip)]
    pub(super) in_body: Vec<(String, Secret)>,
    /// Who signs it: an object of a store.
    #[serde(skip)]
    pub(super) signing: RequestSigner,
}

impl Request {
    /// A GET of an object in a store, or of what the store has: its URL has no secrets, and who signs it is
    /// all that is sent beside.
    #[must_use]
    pub fn signed(url: Url, signing: RequestSigner) -> Self {
        Self {
            url,
            method: Method::Get,
            body: None,
            body_kind: BodyKind::Json,
            ordinal: 0,
            page: 0,
            secrets: Vec::new(),
            login: None,
            in_body: Vec::new(),
            signing,
        }
    }

    /// Whether it is an object of a store: its bytes are what was put there, whatever they are.
    #[must_use]
    pub const fn is_object(&self) -> bool {
        self.signing.is_some()
    }

    /// A GET. Parameters of the URL that are secret by their names are taken out of it and sent all the same.
    #[must_use]
    pub fn get(url: Url) -> Self {
        let (url, secrets, login) = super::shown::split_secrets(url);
        Self { secrets, login, ..Self::signed(url, RequestSigner::default()) }
    }

    /// A POST of a JSON text.
    #[must_use]
    pub fn post(url: Url, json: String) -> Self {
        Self { method: Method::Post, body: Some(json), ..Self::get(url) }
    }

    /// Makes it a POST of this body.
    #[must_use]
    pub fn posting(mut self, body: &PostBody) -> Self {
        self.method = Method::Post;
        self.body_kind = body.kind();
        self.body = Some(body.text().to_owned());
        self.in_body = body.secrets().to_vec();
        self
    }

    /// The URL that says what is fetched: without secrets, and without a signature that 0.1.0 stored.
    #[must_use]
    pub fn place(&self) -> Url {
        let mut url = self.url.clone();
        presigned::take_out(&mut url);
        url
    }

    /// The secrets of another request, for one that comes from the ledger.
    #[must_use]
    pub fn with_secrets(mut self, of: &Self) -> Self {
        self.url = self.place();
        self.in_body.clone_from(&of.in_body);
        self.secrets.clone_from(&of.secrets);
        self.login.clone_from(&of.login);
        self.signing.clone_from(&of.signing);
        self.ordinal = of.ordinal;
        self
    }

    /// Takes the URL that a server named for the next page. A secret parameter that it repeats is taken out
    /// again; one of that name with another value is the server's own, and is sent instead of ours. So is a
    /// signature of its own, which is never stored.
    pub(super) fn take_url(&mut self, mut url: Url) {
        url.set_fragment(None);
        let signature = presigned::take_out(&mut url);
        if !signature.is_empty() {
            self.secrets = presigned::without(&self.secrets);
            self.secrets.extend(signature);
        }
        let ours = |piece: &str| {
            self.secrets
                .iter()
                .any(|(name, secret)| *name == query::name(piece) && secret.reveal() == query::value(piece))
        };
        query::take_out(&mut url, ours);
        self.url = url;
    }

    /// Makes it a GET of what a server has named: with what is ours for its origin, and with nothing of it
    /// elsewhere, where what is signed is signed as it stands.
    pub(super) fn get_instead(&mut self, url: Url) {
        (self.method, self.body, self.body_kind) = (Method::Get, None, BodyKind::Json);
        self.in_body.clear();
        if Origin::of(&url) == Origin::of(&self.url) {
            self.take_url(url);
        } else {
            self.secrets.clear();
            self.login = None;
            self.url = url;
        }
    }

    /// The URL as it is sent to an origin that was named.
    pub(super) fn url_with_secrets(&self) -> Url {
        let mut url = self.url.clone();
        for (name, secret) in &self.secrets {
            if !query::has(&self.url, name) {
                query::add(&mut url, name, secret.reveal());
            }
        }
        url
    }

    /// The body as it is sent.
    pub(super) fn body_with_secrets(&self) -> Option<String> {
        self.body.as_deref().map(|body| post::sent(self.body_kind, body, &self.in_body))
    }

    /// The URL as it may be shown.
    #[must_use]
    pub fn shown(&self) -> String {
        super::shown(&self.url)
    }
}

/// Which version of a representation an answer had.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    /// A strong validator: equal ones mean equal bytes. Weak ones are left out.
    pub etag: Option<String>,
    /// When the server says that it changed.
    pub last_modified: Option<String>,
    /// All its bytes, as they are sent.
    pub length: Option<u64>,
    /// What a store calls it, which has it still when there are newer ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
}

/// The headers that say what a store calls a version.
const VERSION_IDS: [&str; 1] = ["x-amz-version-id"];

impl Version {
    /// What the headers of an answer say. `length`: of the whole representation.
    pub(super) fn of(headers: &HeaderMap, length: Option<u64>) -> Self {
        let text =
            |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let etag = text(ETAG).filter(|etag| etag.len() > 2 && etag.starts_with('"') && etag.ends_with('"'));
        let id = VERSION_IDS.iter().find_map(|name| text(HeaderName::from_static(name)));
        // Of what was there before the bucket had versions.
        let id = id.filter(|id| id != "null");
        Self { etag, last_modified: text(LAST_MODIFIED), length, id }
    }

    /// Whether `now` may be the same version: nothing that both know differs.
    #[must_use]
    pub fn may_be(&self, now: &Self) -> bool {
        fn agree<T: PartialEq>(left: Option<&T>, right: Option<&T>) -> bool {
            left.zip(right).is_none_or(|(left, right)| left == right)
        }
        // A strong validator that came or went is another version: it was promised for these bytes.
        self.etag == now.etag
            && agree(self.last_modified.as_ref(), now.last_modified.as_ref())
            && agree(self.length.as_ref(), now.length.as_ref())
    }
}

/// Where to go on in a body: at this byte of this version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resume {
    /// Bytes of the body, as they are sent (compressed ones of a compressed file), that are not wanted again.
    pub offset: u64,
    /// The version that they are of.
    pub version: Version,
}

/// `Content-Range: bytes 5-9/10`: first, last, and how many there are, if that is known.
pub(super) fn content_range(headers: &HeaderMap) -> Option<(u64, u64, Option<u64>)> {
    let text = headers.get(CONTENT_RANGE)?.to_str().ok()?.trim();
    let (range, total) = text.strip_prefix("bytes ")?.split_once('/')?;
    let (first, last) = range.trim().split_once('-')?;
    let (first, last) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
    let total = match total.trim() {
        "*" => None,
        digits => Some(digits.parse().ok()?),
    };
    (first <= last && total.is_none_or(|total| last < total)).then_some((first, last, total))
}

/// `Content-Range: bytes */10`, behind a range that is not there: how many bytes there are.
pub(super) fn length_behind(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_RANGE)?.to_str().ok()?.trim().strip_prefix("bytes */")?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn range(text: &str) -> Option<(u64, u64, Option<u64>)> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_RANGE, HeaderValue::from_str(text).unwrap());
        content_range(&headers)
    }

    #[test]
    fn content_ranges_are_read_strictly() {
        assert_eq!(range("bytes 5-9/10"), Some((5, 9, Some(10))));
        assert_eq!(range("bytes 0-0/*"), Some((0, 0, None)));
        for wrong in [
            "bytes */10",
            "bytes 9-5/10",
            "bytes 5-10/10",
            "5-9/10",
            "bytes 5-9",
            "bytes -5/10",
            "items 1-2/3",
            "bytes 1-2/x",
        ] {
            assert_eq!(range(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn only_strong_validators_count() {
        let of = |etag: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(ETAG, HeaderValue::from_static(etag));
            Version::of(&headers, None).etag
        };
        assert_eq!(of("\"a\"").as_deref(), Some("\"a\""));
        for weak in ["W/\"a\"", "w/\"a\"", "\"\"", "a", "\"", "*"] {
            assert_eq!(of(weak), None, "{weak}");
        }
    }

    #[test]
    fn a_stored_request_has_no_secrets() {
        let request = Request::get(Url::parse("https://u:p@h/x?a=1&api_key=CANARY&b=2").unwrap());
        let stored = serde_json::to_string(&request).unwrap();
        assert!(!stored.contains("CANARY") && !stored.contains("p@"), "{stored}");
        assert!(!format!("{request:?}").contains("CANARY"));
        let back: Request = serde_json::from_str(&stored).unwrap();
        assert!(back.secrets.is_empty());
        assert_eq!(back.with_secrets(&request).secrets[0].1.reveal(), "CANARY");
    }
}
