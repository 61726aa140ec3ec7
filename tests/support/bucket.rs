//! A store that speaks as S3 does, in this process: it checks each signature by a computation of its own,
//! lists in pages, has versions, and can be told to misbehave. What it knows of S3 is written down here from
//! S3's own documentation; real ones are asked by `make test-stores`.

use super::api::{Api, Ask, Reply};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use ring::{digest, hmac};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The keys that it knows, by their ids.
pub const KEY_ID: &str = "AKIAEXAMPLE";
pub const SECRET: &str = "CANARY/secret+key=1";
pub const BUCKET: &str = "b";

const STRICT: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

#[derive(Clone)]
struct Stored {
    bytes: Vec<u8>,
    etag: String,
    id: String,
}

type Misbehave = dyn Fn(&Ask, Reply) -> Reply + Send + Sync;
/// Why somebody may not ask.
type Guard = dyn Fn(&Ask) -> Result<(), &'static str> + Send + Sync;

struct State {
    objects: BTreeMap<String, Vec<Stored>>,
    keys: BTreeMap<String, String>,
    versioned: bool,
    page_keys: usize,
    /// Anybody may read, and nobody signs.
    public: bool,
    may_list: bool,
    /// Of a store that speaks like S3, but for who asks.
    guard: Option<Arc<Guard>>,
    misbehave: Arc<Misbehave>,
    puts: u64,
}

pub struct Bucket {
    pub api: Api,
    state: Arc<Mutex<State>>,
}

impl Bucket {
    pub fn new() -> Self {
        let state = Arc::new(Mutex::new(State {
            objects: BTreeMap::new(),
            keys: BTreeMap::from([(KEY_ID.to_owned(), SECRET.to_owned())]),
            versioned: false,
            page_keys: 1000,
            public: false,
            may_list: true,
            guard: None,
            misbehave: Arc::new(|_, reply| reply),
            puts: 0,
        }));
        let shared = Arc::clone(&state);
        let api = Api::serve(move |ask| {
            let state = shared.lock().unwrap_or_else(PoisonError::into_inner);
            let (reply, misbehave) = (state.answer(ask), Arc::clone(&state.misbehave));
            drop(state);
            misbehave(ask, reply)
        });
        Self { api, state }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn versioned(self) -> Self {
        self.state().versioned = true;
        self
    }

    pub fn public(self) -> Self {
        self.state().public = true;
        self
    }

    pub fn guarded(self, guard: impl Fn(&Ask) -> Result<(), &'static str> + Send + Sync + 'static) -> Self {
        self.state().guard = Some(Arc::new(guard));
        self
    }

    pub fn in_pages_of(self, keys: usize) -> Self {
        self.state().page_keys = keys;
        self
    }

    pub fn without_listing(self) -> Self {
        self.state().may_list = false;
        self
    }

    pub fn knows(&self, id: &str, secret: &str) {
        self.state().keys.insert(id.to_owned(), secret.to_owned());
    }

    pub fn put(&self, key: &str, bytes: impl Into<Vec<u8>>) {
        let mut state = self.state();
        state.puts += 1;
        let bytes = bytes.into();
        // No digest of the content, as of objects that came in parts.
        let stored = Stored { etag: format!("\"e{}-2\"", state.puts), id: format!("v{}", state.puts), bytes };
        let versions = state.objects.entry(key.to_owned()).or_default();
        versions.push(stored);
    }

    /// From now on each answer goes through this.
    pub fn misbehave(&self, how: impl Fn(&Ask, Reply) -> Reply + Send + Sync + 'static) {
        self.state().misbehave = Arc::new(how);
    }

    pub fn behave(&self) {
        self.misbehave(|_, reply| reply);
    }

    pub fn endpoint(&self) -> String {
        self.api.url("")
    }

    /// A word of it.
    pub fn word(key: &str) -> String {
        format!("s3://{BUCKET}/{key}")
    }
}

/// Whether it is a listing.
pub fn lists(ask: &Ask) -> bool {
    ask.query.contains_key("list-type")
}

/// A refusal as S3 writes it.
pub fn refusal(status: u16, code: &str, message: &str) -> Reply {
    Reply::new(
        status,
        "application/xml",
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><Message>{message}</Message><RequestId>r</RequestId></Error>"
        ),
    )
}

impl State {
    fn answer(&self, ask: &Ask) -> Reply {
        if let Some(guard) = &self.guard {
            if let Err(why) = guard(ask) {
                return refusal(401, why, "you may not ask");
            }
        } else if self.public {
            if ask.header("authorization").is_some() {
                return refusal(403, "InvalidAccessKeyId", "a signature at a public bucket");
            }
        } else if let Err(why) = checked(ask, "s3", &self.keys) {
            return refusal(403, why, "The signature is not what it must be");
        }
        let Some(key) = ask.path.strip_prefix(&format!("/{BUCKET}")) else {
            return refusal(404, "NoSuchBucket", "The specified bucket does not exist");
        };
        if lists(ask) {
            return match self.may_list {
                true => self.listing(ask),
                false => refusal(403, "AccessDenied", "Access Denied"),
            };
        }
        let key = percent_decode_str(key.strip_prefix('/').unwrap_or_default()).decode_utf8().unwrap();
        let versions = self.objects.get(key.as_ref());
        let wanted = ask.query.get("versionId");
        let stored = versions.and_then(|all| match wanted {
            Some(id) => all.iter().find(|stored| stored.id == *id),
            None => all.last(),
        });
        let Some(stored) = stored else {
            let status = if self.may_list { 404 } else { 403 };
            return refusal(
                status,
                if self.may_list { "NoSuchKey" } else { "AccessDenied" },
                "it is not there",
            );
        };
        let reply = Reply::new(200, "binary/octet-stream", stored.bytes.clone())
            .header("etag", &stored.etag)
            .header("last-modified", "Thu, 01 Jan 2026 00:00:00 GMT")
            .header("accept-ranges", "bytes");
        let mut reply = if self.versioned { reply.header("x-amz-version-id", &stored.id) } else { reply };
        // Of If-Range it knows nothing, as many of them.
        let from: Option<usize> = ask
            .header("range")
            .and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok());
        if let Some(from) = from {
            let length = stored.bytes.len();
            if from >= length {
                return refusal(416, "InvalidRange", "no such byte")
                    .header("content-range", format!("bytes */{length}"));
            }
            reply.status = 206;
            reply.body = reply.body.slice(from..);
            return reply.header("content-range", format!("bytes {from}-{}/{length}", length - 1));
        }
        reply
    }

    fn listing(&self, ask: &Ask) -> Reply {
        let get = |name: &str| ask.query.get(name).map(String::as_str);
        let (prefix, delimiter) = (get("prefix").unwrap_or_default(), get("delimiter"));
        let after = get("continuation-token").map(|token| token.strip_prefix("after ").unwrap().to_owned());
        let encoded = |text: &str| {
            if get("encoding-type") == Some("url") {
                // As S3 does: a space is a plus.
                utf8_percent_encode(text, &STRICT).to_string().replace("%2F", "/").replace("%20", "+")
            } else {
                text.to_owned()
            }
        };
        let (mut contents, mut prefixes) = (String::new(), BTreeSet::new());
        let (mut listed, mut last, mut more) = (0, String::new(), false);
        for (key, versions) in self.objects.range(prefix.to_owned()..) {
            if !key.starts_with(prefix) {
                break;
            }
            let deeper =
                delimiter.and_then(|slash| Some(prefix.len() + key[prefix.len()..].find(slash)? + 1));
            let shown = &key[..deeper.unwrap_or(key.len())];
            if after.as_deref().is_some_and(|after| shown <= after) || prefixes.contains(shown) {
                continue;
            }
            if listed == self.page_keys {
                more = true;
                break;
            }
            listed += 1;
            shown.clone_into(&mut last);
            if deeper.is_some() {
                prefixes.insert(shown.to_owned());
                continue;
            }
            let stored = versions.last().unwrap();
            let _ = write!(
                contents,
                "<Contents><Key>{}</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified><ETag>{}</ETag><Size>{}</Size></Contents>",
                encoded(key),
                stored.etag.replace('"', "&quot;"),
                stored.bytes.len()
            );
        }
        let next = if more {
            format!("<NextContinuationToken>after {last}</NextContinuationToken>")
        } else {
            String::new()
        };
        let prefixes: String = prefixes
            .iter()
            .map(|prefix| format!("<CommonPrefixes><Prefix>{}</Prefix></CommonPrefixes>", encoded(prefix)))
            .collect();
        Reply::new(
            200,
            "application/xml",
            format!(
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\
                 <Name>{BUCKET}</Name><EncodingType>url</EncodingType><IsTruncated>{more}</IsTruncated>{next}{contents}{prefixes}</ListBucketResult>"
            ),
        )
    }
}

/// Whether a request is signed as AWS documents it (Signature Version 4), with keys that are known.
pub fn checked(ask: &Ask, service: &str, keys: &BTreeMap<String, String>) -> Result<(), &'static str> {
    let authorization = ask.header("authorization").ok_or("MissingSecurityHeader")?;
    let rest = authorization.strip_prefix("AWS4-HMAC-SHA256 ").ok_or("InvalidRequest")?;
    let part = |name: &str| rest.split(", ").find_map(|part| part.strip_prefix(name)).ok_or("InvalidRequest");
    let (credential, names, signature) = (part("Credential=")?, part("SignedHeaders=")?, part("Signature=")?);
    let scope: Vec<&str> = credential.split('/').collect();
    let [id, day, region, of, "aws4_request"] = scope[..] else { return Err("InvalidRequest") };
    let secret = keys.get(id).ok_or("InvalidAccessKeyId")?;
    let names: Vec<&str> = names.split(';').collect();
    let is_amz = |name: &&str| name.starts_with("x-amz-");
    let sent: BTreeSet<&str> = ask.headers.keys().map(http::HeaderName::as_str).filter(is_amz).collect();
    if of != service || !names.contains(&"host") || !sent.iter().all(|name| names.contains(name)) {
        return Err("InvalidRequest");
    }
    let hash = ask.header("x-amz-content-sha256").ok_or("InvalidRequest")?;
    if hash != "UNSIGNED-PAYLOAD"
        && hash != hex(digest::digest(&digest::SHA256, ask.body.as_bytes()).as_ref())
    {
        return Err("XAmzContentSHA256Mismatch");
    }
    let encoded = |text: &str| utf8_percent_encode(text, &STRICT).to_string();
    let query: Vec<String> =
        ask.query.iter().map(|(name, value)| format!("{}={}", encoded(name), encoded(value))).collect();
    // Paths are encoded once more everywhere but in S3.
    let path = match service {
        "s3" => ask.path.clone(),
        _ => ask.path.split('/').map(encoded).collect::<Vec<_>>().join("/"),
    };
    let mut canonical = format!("{}\n{path}\n{}\n", ask.method, query.join("&"));
    for name in &names {
        let value = ask.header(name).ok_or("InvalidRequest")?;
        let _ = writeln!(canonical, "{name}:{}", value.trim());
    }
    let _ = write!(canonical, "\n{}\n{hash}", names.join(";"));
    let at = ask.header("x-amz-date").filter(|at| at.starts_with(day)).ok_or("InvalidRequest")?;
    let scope = scope[1..].join("/");
    let hash = hex(digest::digest(&digest::SHA256, canonical.as_bytes()).as_ref());
    let to_sign = format!("AWS4-HMAC-SHA256\n{at}\n{scope}\n{hash}");
    let mac = |key: &[u8], text: &str| {
        hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes()).as_ref().to_vec()
    };
    let mut key = format!("AWS4{secret}").into_bytes();
    for text in [day, region, of, "aws4_request"] {
        key = mac(&key, text);
    }
    if hex(&mac(&key, &to_sign)) == signature { Ok(()) } else { Err("SignatureDoesNotMatch") }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A pause between pieces that makes a load last, so that it can be killed.
pub fn slowly(reply: Reply) -> Reply {
    if reply.body.len() < 100_000 { reply } else { reply.in_pieces(32_768, Duration::from_millis(8)) }
}
