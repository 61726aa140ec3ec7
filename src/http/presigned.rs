//! Presigned URLs: which parameters are the signature and what belongs to it. They are made anew for each
//! start, so they say nothing about what is fetched: no part of a source's identity, never stored or shown,
//! taken from the command line each time.

use url::Url;

use super::query;
use crate::secret::Secret;

/// What an Azure shared access signature consists of, beside `sig`.
const AZURE: [&str; 23] = [
    "sv", "ss", "srt", "sr", "se", "st", "sp", "spr", "sip", "si", "skoid", "sktid", "skt", "ske", "sks",
    "skv", "saoid", "suoid", "scid", "sdd", "ses", "skdutid", "sduoid",
];
/// Of these, one is always there.
const AZURE_SIGNS: [&str; 4] = ["sv", "se", "sp", "si"];
/// What stands beside `Signature`: CloudFront, older S3 and Google Storage, Google's CDN, Alibaba, Huawei.
const BESIDE_SIGNATURE: [&str; 11] = [
    "expires",
    "policy",
    "key-pair-id",
    "hash-algorithm",
    "awsaccesskeyid",
    "googleaccessid",
    "ossaccesskeyid",
    "accesskeyid",
    "keyname",
    "urlprefix",
    "security-token",
];
/// Of these, only a signature has any of.
const SIGNATURE_SIGNS: [&str; 8] = [
    "expires",
    "policy",
    "key-pair-id",
    "awsaccesskeyid",
    "googleaccessid",
    "ossaccesskeyid",
    "accesskeyid",
    "keyname",
];

/// Which kinds of signature a query has.
#[derive(Debug, Clone, Copy)]
pub(super) struct Signing {
    azure: bool,
    named: bool,
    tencent: bool,
}

impl Signing {
    /// Of the parameters with these names.
    fn of<'n>(names: impl Iterator<Item = &'n str> + Clone) -> Self {
        let has =
            |wanted: &[&str]| names.clone().any(|name| wanted.iter().any(|w| name.eq_ignore_ascii_case(w)));
        Self {
            azure: has(&["sig"]) && has(&AZURE_SIGNS),
            named: has(&["signature"]) && has(&SIGNATURE_SIGNS),
            tencent: has(&["q-signature"]),
        }
    }

    /// How a URL is signed, by its parameters.
    pub(super) fn of_url(url: &Url) -> Self {
        let names: Vec<String> = url.query().unwrap_or_default().split('&').map(query::name).collect();
        Self::of(names.iter().map(String::as_str))
    }

    /// Whether the parameter of this name belongs to a signature.
    pub(super) fn has(self, name: &str) -> bool {
        let name = name.to_ascii_lowercase();
        let begins = |prefix: &str| name.starts_with(prefix);
        begins("x-amz-")
            || begins("x-goog-")
            || begins("x-oss-") && name != "x-oss-process"
            || ["x-cos-security-token", "x-obs-security-token"].contains(&name.as_str())
            || self.tencent && begins("q-")
            || self.azure && (name == "sig" || AZURE.contains(&name.as_str()))
            || self.named && (name == "signature" || BESIDE_SIGNATURE.contains(&name.as_str()))
    }
}

/// Takes the signature out of a URL.
pub(super) fn take_out(url: &mut Url) -> Vec<(String, Secret)> {
    let signing = Signing::of_url(url);
    let taken = query::take_out(url, |piece| signing.has(&query::name(piece)));
    taken.iter().map(|piece| (query::name(piece), Secret::new(query::value(piece)))).collect()
}

/// What is left of these parameters without a signature.
pub(super) fn without(parameters: &[(String, Secret)]) -> Vec<(String, Secret)> {
    let signing = Signing::of(parameters.iter().map(|(name, _)| name.as_str()));
    parameters.iter().filter(|(name, _)| !signing.has(name)).cloned().collect()
}

/// A source word without its signature, else letter by letter as it is.
#[must_use]
pub fn unsigned(word: &str) -> String {
    let (before, fragment) = word.split_once('#').map_or((word, None), |(before, rest)| (before, Some(rest)));
    let Some((place, query)) = before.split_once('?') else { return word.to_owned() };
    let names: Vec<String> = query.split('&').map(query::name).collect();
    let signing = Signing::of(names.iter().map(String::as_str));
    if !names.iter().any(|name| signing.has(name)) {
        return word.to_owned();
    }
    let kept: Vec<&str> = query.split('&').filter(|piece| !signing.has(&query::name(piece))).collect();
    let query = if kept.is_empty() { String::new() } else { format!("?{}", kept.join("&")) };
    let fragment = fragment.map_or_else(String::new, |fragment| format!("#{fragment}"));
    format!("{place}{query}{fragment}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_no_part_of_what_is_fetched() {
        for signed in [
            "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AK%2F2026%2Fs3&X-Amz-Date=2026&X-Amz-Expires=60&X-Amz-SignedHeaders=host&X-Amz-Signature=ab&X-Amz-Security-Token=t",
            "AWSAccessKeyId=AK&Signature=a%2Bb%3D&Expires=1764424800",
            "X-Goog-Algorithm=GOOG4-RSA-SHA256&X-Goog-Credential=c&X-Goog-Date=d&X-Goog-Expires=60&X-Goog-SignedHeaders=host&X-Goog-Signature=ab",
            "GoogleAccessId=a@b&Expires=17&Signature=s",
            "sv=2022-11-02&ss=b&srt=o&sp=r&se=2026-11-30T00%3A00Z&st=2026-11-29T00%3A00Z&spr=https&sig=x%3D",
            "sp=r&st=a&se=b&skoid=c&sktid=d&skt=e&ske=f&sks=b&skv=2022&spr=https&sv=2022&sr=b&sig=x",
            "Expires=17&Signature=s~_&Key-Pair-Id=K",
            "Policy=p&Signature=s&Key-Pair-Id=K&Hash-Algorithm=SHA256",
            "Expires=17&KeyName=k&Signature=s",
            "OSSAccessKeyId=a&Expires=1&Signature=s",
            "x-oss-signature-version=OSS4&x-oss-date=d&x-oss-expires=1&x-oss-credential=c&x-oss-signature=s",
            "q-sign-algorithm=sha1&q-ak=a&q-sign-time=1;2&q-key-time=1;2&q-header-list=&q-url-param-list=&q-signature=s",
        ] {
            let word = format!("https://h/f.jsonl?versionId=7&{signed}");
            assert_eq!(unsigned(&word), "https://h/f.jsonl?versionId=7", "{signed}");
            let mut url = Url::parse(&word).unwrap();
            assert_eq!(take_out(&mut url).len(), signed.split('&').count(), "{signed}");
            assert_eq!(url.as_str(), "https://h/f.jsonl?versionId=7");
            assert_eq!(unsigned(&format!("https://h/{{1..3}}?{signed}#f")), "https://h/{1..3}#f");
        }
    }

    #[test]
    fn what_is_no_signature_stays() {
        for word in [
            "https://h/a",
            "https://h/a?sp=1&se=2&sv=3",
            "https://h/a?expires=soon&policy=x",
            "https://h/a?q-1=x&Q={a,b}",
            "https://h/a?sig=1",
            "https://h/a?x-oss-process=image",
            "https://h/?",
        ] {
            assert_eq!(unsigned(word), word);
        }
    }
}
