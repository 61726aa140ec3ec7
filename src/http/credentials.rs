//! Credentials: what is sent to the origins that were named, and to no other. Also what must be struck out of
//! texts.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use url::Url;

use super::error::HttpError;
use super::origin::{Origin, Origins};
use super::post;
use super::request::Request;
use super::settings::{Auth, Settings};
use super::shown::is_secret;
use super::sign::RequestSigner;
use crate::secret::Secret;

/// A shorter text is not struck out: it would be found everywhere.
pub(super) const HIDDEN_BYTES_MIN: usize = 4;

/// A shorter part of a signature is a right or a version.
const SIGNATURE_BYTES_MIN: usize = 8;

/// The headers of the settings, read once.
pub(super) struct Credentials {
    origins: Origins,
    headers: HeaderMap,
    hidden: Vec<Secret>,
    signing: RequestSigner,
}

impl Credentials {
    pub(super) fn new(settings: &Settings, origins: Origins) -> Result<Self, HttpError> {
        let mut headers = HeaderMap::new();
        let mut hidden = Vec::new();
        for header in &settings.headers {
            let bad = |reason: &str| HttpError::BadSetting {
                what: format!("the header {}", header.name),
                reason: reason.to_owned(),
            };
            let name =
                HeaderName::try_from(header.name.as_str()).map_err(|_| bad("that is no name of a header"))?;
            if is_ours(&name) {
                return Err(bad("dbload sets it itself"));
            }
            let value = sensitive(header.value.resolve()?.reveal())
                .ok_or_else(|| bad("its value cannot stand in a header"))?;
            headers.append(name, value);
            hidden.push(header.value.bare()?);
        }
        for parameter in &settings.parameters {
            hidden.push(parameter.value.bare()?);
        }
        if let Auth::Basic { user, password } = &settings.auth {
            let (user, password) = (user.resolve()?, password.resolve()?);
            let encoded = basic(user.reveal(), &password);
            hidden.push(Secret::new(encoded.reveal().trim_start_matches("Basic ").to_owned()));
            hidden.push(password);
            let value =
                sensitive(encoded.reveal()).ok_or_else(|| bad_basic("it cannot stand in a header"))?;
            headers.insert(AUTHORIZATION, value);
        }
        Ok(Self { origins, headers, hidden, signing: settings.signing.clone() })
    }

    /// Whether the URL's origin was named.
    pub(super) fn are_for(&self, url: &Url) -> bool {
        self.origins.has(url)
    }

    /// Sets what belongs to the URL's origin: nothing where it was not named.
    pub(super) fn apply(
        &self,
        url: &Url,
        request: &Request,
        token: Option<&Secret>,
        to: &mut HeaderMap,
    ) -> Result<(), HttpError> {
        if self.are_for(url) {
            for name in self.headers.keys() {
                to.remove(name);
                for value in self.headers.get_all(name) {
                    to.append(name, value.clone());
                }
            }
            if let Some(token) = token {
                let value =
                    sensitive(&format!("Bearer {}", token.reveal())).ok_or_else(|| HttpError::Token {
                        from: "its source".to_owned(),
                        reason: "it cannot stand in a header".to_owned(),
                    })?;
                to.insert(AUTHORIZATION, value);
            }
        }
        // What stands in a URL is for its own origin alone, and goes before what is for all of them.
        if let Some((user, password)) =
            request.login.as_ref().filter(|_| Origin::of(url) == Origin::of(&request.url))
        {
            let value = sensitive(basic(user, password).reveal())
                .ok_or_else(|| bad_basic("it cannot stand in a header"))?;
            to.insert(AUTHORIZATION, value);
        }
        Ok(())
    }

    /// A text of the server without the secrets that we know: it may repeat what it was sent, as it was or as
    /// it stood in the URL.
    pub(super) fn strike_out(&self, text: &str, request: &Request, token: Option<&Secret>) -> String {
        let of_url = request.secrets.iter().flat_map(|(name, secret)| struck(name, secret.reveal()));
        let of_login = request.login.iter().map(|(_, secret)| secret.reveal().to_owned());
        let of_request =
            of_url.chain(of_login).chain(request.in_body.iter().map(|(_, secret)| post::bare(secret)));
        let login = request
            .login
            .iter()
            .map(|(user, password)| basic(user, password).reveal().trim_start_matches("Basic ").to_owned());
        let signers = [request.signing.signer(), self.signing.signer()].into_iter().flatten();
        let signed_with: Vec<Secret> = signers.flat_map(|signer| signer.secrets()).collect();
        let known =
            self.hidden.iter().chain(token).chain(&signed_with).map(|secret| secret.reveal().to_owned());
        let plain = known.chain(of_request).chain(login).filter(|secret| secret.len() >= HIDDEN_BYTES_MIN);
        let mut secrets: Vec<String> = plain.flat_map(spellings).collect();
        // Longer ones first: one may be a part of another.
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        secrets.iter().fold(text.to_owned(), |text, secret| text.replace(secret, "***"))
    }
}

/// What is struck out for a parameter. Of a signature, times and words such as `host` are none; a credential
/// begins with the name of the key.
fn struck(name: &str, value: &str) -> Vec<String> {
    let name = name.to_ascii_lowercase();
    let is_time = value.bytes().all(|byte| byte.is_ascii_digit() || b"-:.TZ".contains(&byte));
    let is_word = name.ends_with("signedheaders") || name.ends_with("algorithm");
    if name.ends_with("credential") {
        let key = value.split('/').next().map(str::to_owned);
        return std::iter::once(value.to_owned()).chain(key).collect();
    }
    let is_plain = is_time || is_word || value.len() < SIGNATURE_BYTES_MIN;
    if is_plain && !is_secret(&name) { Vec::new() } else { vec![value.to_owned()] }
}

/// A secret as it is, and as it stands in a path, a query or a form.
fn spellings(secret: String) -> [String; 3] {
    let encoded = utf8_percent_encode(&secret, NON_ALPHANUMERIC).to_string();
    let form = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect();
    [secret, encoded, form]
}

/// Headers that frame a request: another value would break it.
fn is_ours(name: &HeaderName) -> bool {
    [
        "host",
        "content-length",
        "transfer-encoding",
        "connection",
        "range",
        "if-range",
        "accept-encoding",
        "te",
        "upgrade",
    ]
    .contains(&name.as_str())
}

fn bad_basic(reason: &str) -> HttpError {
    HttpError::BadSetting { what: "the user and password".to_owned(), reason: reason.to_owned() }
}

/// The value of an Authorization header for a user and a password.
pub(super) fn basic(user: &str, password: &Secret) -> Secret {
    Secret::new(format!("Basic {}", STANDARD.encode(format!("{user}:{}", password.reveal()))))
}

/// A value that is neither shown by Debug nor remembered by HTTP/2's tables.
pub(super) fn sensitive(text: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}
