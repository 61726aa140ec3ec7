//! URLs as people may see them: without a user's name, without the values of parameters that are secret by
//! their names.

use url::Url;

use super::presigned::Signing;
use super::query;
use crate::secret::Secret;

/// Query parameters whose values are credentials wherever they occur, in lower case without `-` and `_`.
const SECRET_NAMES: [&str; 24] = [
    "accesskey",
    "accesstoken",
    "apikey",
    "apitoken",
    "appid",
    "appkey",
    "auth",
    "authkey",
    "authtoken",
    "bearer",
    "clientsecret",
    "credential",
    "jwt",
    "key",
    "password",
    "passwd",
    "pwd",
    "secret",
    "sig",
    "signature",
    "subscriptionkey",
    "token",
    "xamzsignature",
    "xgoogsignature",
];

/// Likewise: parts of names.
const SECRET_PARTS: [&str; 5] = ["secret", "password", "signature", "apikey", "accesstoken"];

/// Whether a parameter of this name holds a credential. Over-careful on purpose: it is only hidden, never
/// left out.
pub(super) fn is_secret(name: &str) -> bool {
    let plain: String =
        name.chars().filter(|c| !matches!(c, '-' | '_' | '.')).collect::<String>().to_lowercase();
    SECRET_NAMES.contains(&plain.as_str())
        || SECRET_PARTS.iter().any(|part| plain.contains(part))
        || plain.starts_with("xamz") && (plain.ends_with("token") || plain.ends_with("credential"))
        || plain.starts_with("xgoog") && plain.ends_with("credential")
}

/// The URL without secrets, the secret parameters, and the user with the password.
pub(super) type Split = (Url, Vec<(String, Secret)>, Option<(String, Secret)>);

/// Takes the secrets out of a URL.
pub(super) fn split_secrets(mut url: Url) -> Split {
    let login = take_login(&mut url);
    url.set_fragment(None);
    let signing = Signing::of_url(&url);
    let secrets = query::take_out(&mut url, |piece| {
        let name = query::name(piece);
        is_secret(&name) || signing.has(&name)
    });
    let secrets =
        secrets.iter().map(|piece| (query::name(piece), Secret::new(query::value(piece)))).collect();
    (url, secrets, login)
}

fn take_login(url: &mut Url) -> Option<(String, Secret)> {
    if url.username().is_empty() && url.password().is_none() {
        return None;
    }
    let decode = |text: &str| percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned();
    let login = (decode(url.username()), Secret::new(decode(url.password().unwrap_or_default())));
    // Both fail only on URLs that cannot have a login: then there was none.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    Some(login)
}

/// A URL as it may be shown, logged and stored. Of a signature, not even the names: what is signed anew is
/// called as before.
#[must_use]
pub fn shown(url: &Url) -> String {
    let mut url = url.clone();
    super::presigned::take_out(&mut url);
    let (mut url, secrets, _) = split_secrets(url);
    if !secrets.is_empty() {
        let query = url.query().map_or_else(String::new, |query| format!("{query}&"));
        let hidden: Vec<String> = secrets.iter().map(|(name, _)| format!("{name}=***")).collect();
        url.set_query(Some(&format!("{query}{}", hidden.join("&"))));
    }
    url.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shown_urls_have_no_secrets() {
        let show = |text: &str| shown(&Url::parse(text).unwrap());
        assert_eq!(show("https://h/a?x=1&y=a%20b"), "https://h/a?x=1&y=a%20b");
        for url in [
            "https://u:CANARY@h/a",
            "https://CANARY@h/a",
            "https://h/a?api_key=CANARY",
            "https://h/a?b=1&API-Key=CANARY&c=2",
            "https://h/a?access_token=CANARY#CANARY",
            "https://s3/h/a?X-Amz-Signature=CANARY&X-Amz-Credential=CANARY&X-Amz-Security-Token=CANARY",
            "https://h/a?client_secret=CANARY&sig=CANARY",
        ] {
            assert!(!show(url).contains("CANARY"), "{}", show(url));
        }
        assert_eq!(show("https://h/a?b=1&token=x"), "https://h/a?b=1&token=***");
        assert_eq!(show("https://h/a?b=1&sig=x&se=2026&sp=r"), "https://h/a?b=1");
    }

    #[test]
    fn cursors_are_no_secrets() {
        for name in
            ["cursor", "page_token", "nextToken", "continuationToken", "after", "offset", "keyset", "q"]
        {
            assert!(!is_secret(name), "{name}");
        }
    }
}
