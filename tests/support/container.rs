//! An account of Azure Blob Storage in this process, with one container: it checks the shared key's signature
//! by a computation of its own, knows shared access signatures and tokens, and lists in pages. What it knows
//! is written down from Azure's own documentation; Azurite is asked by `make test-stores`.

use super::api::{Api, Ask, Reply};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use percent_encoding::percent_decode_str;
use ring::hmac;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub const ACCOUNT: &str = "acc";
pub const CONTAINER: &str = "c";
/// Of the account: `CANARY shared key` in base64.
pub const KEY: &str = "Q0FOQVJZIHNoYXJlZCBrZXk=";
/// A shared access signature, as the portal shows it.
pub const SIGNATURE: &str =
    "?sv=2022-11-02&sp=rl&sr=c&se=2099-01-01T00%3A00%3A00Z&sig=CANARY%2Fsignature%2B1%3D";
const SIG: &str = "CANARY/signature+1=";
pub const TOKEN: &str = "CANARY-azure-token";

struct State {
    objects: BTreeMap<String, (Vec<u8>, String)>,
    page: usize,
    public: bool,
    may_list: bool,
    puts: u64,
}

pub struct Container {
    pub api: Api,
    state: Arc<Mutex<State>>,
}

impl Container {
    pub fn new() -> Self {
        let (objects, page) = (BTreeMap::new(), 1000);
        let state = Arc::new(Mutex::new(State { objects, page, public: false, may_list: true, puts: 0 }));
        let shared = Arc::clone(&state);
        let api = Api::serve(move |ask| shared.lock().unwrap_or_else(PoisonError::into_inner).answer(ask));
        Self { api, state }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn public(self) -> Self {
        self.state().public = true;
        self
    }

    pub fn in_pages_of(self, objects: usize) -> Self {
        self.state().page = objects;
        self
    }

    pub fn without_listing(self) -> Self {
        self.state().may_list = false;
        self
    }

    pub fn put(&self, key: &str, bytes: impl Into<Vec<u8>>) {
        let mut state = self.state();
        state.puts += 1;
        let etag = format!("0x8D{}", state.puts);
        state.objects.insert(key.to_owned(), (bytes.into(), etag));
    }

    /// Where its containers are, as an emulator has them.
    pub fn endpoint(&self) -> String {
        self.api.url(&format!("/{ACCOUNT}"))
    }
}

fn refusal(status: u16, code: &str) -> Reply {
    let text = format!("<?xml version=\"1.0\" encoding=\"utf-8\"?><Error><Code>{code}</Code></Error>");
    Reply::new(status, "application/xml", text).header("x-ms-error-code", code)
}

impl State {
    fn answer(&self, ask: &Ask) -> Reply {
        if !self.public
            && let Err(why) = checked(ask)
        {
            return refusal(403, why);
        }
        let Some(key) = ask.path.strip_prefix(&format!("/{ACCOUNT}/{CONTAINER}")) else {
            return refusal(404, "ContainerNotFound");
        };
        if ask.query.get("comp").is_some_and(|comp| comp == "list") {
            return if self.may_list { self.listing(ask) } else { refusal(404, "ResourceNotFound") };
        }
        let key = percent_decode_str(key.strip_prefix('/').unwrap_or_default()).decode_utf8().unwrap();
        let Some((bytes, etag)) = self.objects.get(key.as_ref()) else {
            return refusal(404, "BlobNotFound");
        };
        let reply = Reply::file(ask, bytes.clone(), &format!("\"{etag}\""));
        reply.header("x-ms-blob-type", "BlockBlob")
    }

    fn listing(&self, ask: &Ask) -> Reply {
        assert_eq!(ask.query.get("restype").map(String::as_str), Some("container"));
        let get = |name: &str| ask.query.get(name).map(String::as_str);
        let (prefix, delimiter) = (get("prefix").unwrap_or_default(), get("delimiter"));
        let after = get("marker").map(|marker| marker.strip_prefix("2!").unwrap().to_owned());
        let escaped = |text: &str| text.replace('&', "&amp;").replace('<', "&lt;");
        let (mut blobs, mut seen) = (String::new(), BTreeSet::new());
        let (mut last, mut more) = (String::new(), false);
        for (key, (bytes, etag)) in self.objects.iter().filter(|(key, _)| key.starts_with(prefix)) {
            let deeper =
                delimiter.and_then(|slash| Some(prefix.len() + key[prefix.len()..].find(slash)? + 1));
            let shown = &key[..deeper.unwrap_or(key.len())];
            if after.as_deref().is_some_and(|after| shown <= after) || seen.contains(shown) {
                continue;
            }
            if seen.len() == self.page {
                more = true;
                break;
            }
            seen.insert(shown.to_owned());
            shown.clone_into(&mut last);
            if deeper.is_some() {
                let _ = write!(blobs, "<BlobPrefix><Name>{}</Name></BlobPrefix>", escaped(shown));
                continue;
            }
            let _ = write!(
                blobs,
                "<Blob><Name>{}</Name><Properties><Etag>{etag}</Etag><Content-Length>{}</Content-Length><BlobType>BlockBlob</BlobType></Properties></Blob>",
                escaped(key),
                bytes.len()
            );
        }
        let next = if more { format!("2!{}", escaped(&last)) } else { String::new() };
        Reply::new(
            200,
            "application/xml",
            format!(
                "\u{feff}<?xml version=\"1.0\" encoding=\"utf-8\"?><EnumerationResults ContainerName=\"{CONTAINER}\"><Blobs>{blobs}</Blobs><NextMarker>{next}</NextMarker></EnumerationResults>"
            ),
        )
    }
}

/// Whether a request is signed as Azure documents it.
fn checked(ask: &Ask) -> Result<(), &'static str> {
    if ask.query.contains_key("sig") {
        let is_ours =
            ask.query["sig"] == SIG && ask.query.get("se").is_some_and(|se| se == "2099-01-01T00:00:00Z");
        let is_alone = ask.header("authorization").is_none();
        return if is_ours && is_alone { Ok(()) } else { Err("AuthenticationFailed") };
    }
    let authorization = ask.header("authorization").ok_or("NoAuthenticationInformation")?;
    let version = ask.header("x-ms-version").ok_or("MissingRequiredHeader")?;
    if let Some(token) = authorization.strip_prefix("Bearer ") {
        // Older versions know no tokens.
        return if token == TOKEN && version >= "2017-11-09" { Ok(()) } else { Err("AuthenticationFailed") };
    }
    let signature =
        authorization.strip_prefix(&format!("SharedKey {ACCOUNT}:")).ok_or("AuthenticationFailed")?;
    let mut to_sign = format!("{}\n", ask.method);
    for name in [
        "content-encoding",
        "content-language",
        "content-length",
        "content-md5",
        "content-type",
        "date",
        "if-modified-since",
        "if-match",
        "if-none-match",
        "if-unmodified-since",
        "range",
    ] {
        let value = ask.header(name).filter(|value| name != "content-length" || *value != "0");
        let _ = writeln!(to_sign, "{}", value.unwrap_or_default());
    }
    let ours: BTreeMap<&str, &str> = ask
        .headers
        .iter()
        .filter(|(name, _)| name.as_str().starts_with("x-ms-"))
        .map(|(name, value)| (name.as_str(), value.to_str().unwrap()))
        .collect();
    for (name, value) in ours {
        let _ = writeln!(to_sign, "{name}:{value}");
    }
    let _ = write!(to_sign, "/{ACCOUNT}{}", ask.path);
    for (name, value) in &ask.query {
        let _ = write!(to_sign, "\n{}:{value}", name.to_lowercase());
    }
    let key = hmac::Key::new(hmac::HMAC_SHA256, &BASE64_STANDARD.decode(KEY).unwrap());
    let expected = BASE64_STANDARD.encode(hmac::sign(&key, to_sign.as_bytes()));
    if expected == signature { Ok(()) } else { Err("AuthenticationFailed") }
}
