//! Where a bucket is, and the URLs of its objects and listings. Pure.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use url::Url;

use super::error::StoreError;
use super::pattern::Question;
use super::settings::StoreSettings;

/// All but what a signature leaves alone.
pub(super) const STRICT: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// The same, of a key: its slashes are those of the URL.
const STRICT_KEY: AsciiSet = STRICT.remove(b'/');

/// Keys of a page: the most that S3 gives.
const PAGE_KEYS: u32 = 1000;

/// Where a bucket is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Address {
    /// The bucket's URL, without a slash at its end.
    base: String,
}

impl Address {
    /// A bucket that is a folder of a server.
    pub(super) fn at(server: &str, bucket: &str) -> Result<Self, StoreError> {
        let server = server.trim_end_matches('/');
        check_server(server)?;
        Ok(Self { base: format!("{server}/{bucket}") })
    }

    /// Of S3. `endpoint`: of another server than Amazon's. That has its buckets in paths, unless it is said
    /// otherwise.
    pub(super) fn of_s3(
        bucket: &str,
        region: &str,
        endpoint: Option<&str>,
        settings: &StoreSettings,
    ) -> Result<Self, StoreError> {
        let variables = &settings.variables;
        let style = variables.get("AWS_S3_ADDRESSING_STYLE");
        let is_virtual = style == Some("virtual")
            || variables
                .get("AWS_VIRTUAL_HOSTED_STYLE_REQUEST")
                .is_some_and(|yes| yes.eq_ignore_ascii_case("true"));
        // A certificate for *.s3.amazonaws.com is none for names with dots.
        let in_path = style == Some("path") || bucket.contains('.') || endpoint.is_some() && !is_virtual;
        let tail = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
        let endpoint = match endpoint {
            Some(endpoint) => endpoint.trim_end_matches('/').to_owned(),
            None => format!("https://s3.{region}.{tail}"),
        };
        check_server(&endpoint)?;
        let base = match (in_path, endpoint.split_once("://")) {
            (false, Some((scheme, host))) => format!("{scheme}://{bucket}.{host}"),
            _ => format!("{endpoint}/{bucket}"),
        };
        Ok(Self { base })
    }

    /// The URL of an object.
    pub(super) fn of_object(&self, word: &str, key: &str) -> Result<Url, StoreError> {
        let text = format!("{}/{}", self.base, utf8_percent_encode(key, &STRICT_KEY));
        // Behind scheme, host and port: where it is not what was written, parts of it were taken for ways.
        let path = text.splitn(4, '/').nth(3).unwrap_or_default();
        let url = Url::parse(&text).ok().filter(|url| url.path().get(1..) == Some(path));
        url.ok_or_else(|| StoreError::Key { word: word.to_owned() })
    }

    /// The URL of a page of a listing, as S3 and Google Cloud Storage are asked for it.
    pub(super) fn of_listing(&self, question: &Question, next: Option<&str>) -> Result<Url, StoreError> {
        let encoded = |text: &str| utf8_percent_encode(text, &STRICT).to_string();
        let mut text = format!("{}?list-type=2&encoding-type=url&max-keys={PAGE_KEYS}", self.base);
        if !self.base.trim_start_matches("https://").trim_start_matches("http://").contains('/') {
            text = text.replacen('?', "/?", 1);
        }
        text += &format!("&prefix={}", encoded(&question.prefix));
        if question.one_level {
            text += "&delimiter=%2F";
        }
        if let Some(next) = next {
            text += &format!("&continuation-token={}", encoded(next));
        }
        parsed(&text)
    }

    /// The same, as Azure is asked for it.
    pub(super) fn of_azure_listing(
        &self,
        question: &Question,
        next: Option<&str>,
    ) -> Result<Url, StoreError> {
        let encoded = |text: &str| utf8_percent_encode(text, &STRICT).to_string();
        let mut text = format!("{}?restype=container&comp=list&maxresults={PAGE_KEYS}", self.base);
        text += &format!("&prefix={}", encoded(&question.prefix));
        if question.one_level {
            text += "&delimiter=%2F";
        }
        if let Some(next) = next {
            text += &format!("&marker={}", encoded(next));
        }
        parsed(&text)
    }
}

fn parsed(text: &str) -> Result<Url, StoreError> {
    Url::parse(text).map_err(|error| bad_server(&error.to_string()))
}

fn bad_server(reason: &str) -> StoreError {
    StoreError::Setting { what: "the endpoint".to_owned(), reason: reason.to_owned() }
}

/// A scheme, a host, perhaps a port and a path.
fn check_server(server: &str) -> Result<(), StoreError> {
    let url = Url::parse(server).map_err(|error| bad_server(&format!("it is no URL ({error})")))?;
    if !["http", "https"].contains(&url.scheme()) || url.host_str().is_none() {
        return Err(bad_server("write it as https://HOST[:PORT]"));
    }
    if url.query().is_some() || url.fragment().is_some() || !url.username().is_empty() {
        return Err(bad_server("it is a scheme, a host and a port, and no more"));
    }
    Ok(())
}

/// Adds the version that is wanted.
pub(super) fn at_version(mut url: Url, version: &str) -> Url {
    url.set_query(Some(&format!("versionId={}", utf8_percent_encode(version, &STRICT))));
    url
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(bucket: &str, region: &str, endpoint: Option<&str>) -> Address {
        Address::of_s3(bucket, region, endpoint, &StoreSettings::default()).unwrap()
    }

    #[test]
    fn buckets_are_found_as_amazon_and_others_have_them() {
        for (bucket, region, endpoint, expected) in [
            ("b", "eu-west-1", None, "https://b.s3.eu-west-1.amazonaws.com/k"),
            ("b.with.dots", "us-east-1", None, "https://s3.us-east-1.amazonaws.com/b.with.dots/k"),
            ("b", "cn-north-1", None, "https://b.s3.cn-north-1.amazonaws.com.cn/k"),
            (
                "b",
                "auto",
                Some("https://x.r2.cloudflarestorage.com"),
                "https://x.r2.cloudflarestorage.com/b/k",
            ),
            ("b", "us-east-1", Some("http://127.0.0.1:9000/"), "http://127.0.0.1:9000/b/k"),
        ] {
            assert_eq!(address(bucket, region, endpoint).of_object("w", "k").unwrap().as_str(), expected);
        }
        let variables = |name: &str| (name == "AWS_S3_ADDRESSING_STYLE").then(|| "virtual".to_owned());
        let settings =
            StoreSettings { variables: crate::store::Variables::read(variables), ..StoreSettings::default() };
        let address = Address::of_s3("b", "r", Some("https://ceph.example:8443"), &settings).unwrap();
        assert_eq!(address.of_object("w", "k").unwrap().as_str(), "https://b.ceph.example:8443/k");
        for wrong in ["127.0.0.1:9000", "ftp://x", "https://", "https://u:p@x", "https://x?y"] {
            assert!(Address::of_s3("b", "r", Some(wrong), &StoreSettings::default()).is_err(), "{wrong}");
        }
    }

    /// A4: keys are bytes, not paths.
    #[test]
    fn a4_keys_stand_in_urls_byte_for_byte() {
        let address = address("b", "r", Some("http://h"));
        for (key, path) in [
            ("a//b", "/b/a//b"),
            ("/a", "/b//a"),
            ("a/", "/b/a/"),
            ("~.-_", "/b/~.-_"),
            ("50% + 1=\u{e4} {x}*'(!)", "/b/50%25%20%2B%201%3D%C3%A4%20%7Bx%7D%2A%27%28%21%29"),
            ("%2e%2e/x", "/b/%252e%252e/x"),
            ("a\u{1}b?c#d&e;f:g@h,i\\j", "/b/a%01b%3Fc%23d%26e%3Bf%3Ag%40h%2Ci%5Cj"),
            ("...", "/b/..."),
        ] {
            assert_eq!(address.of_object("w", key).unwrap().path(), path, "{key}");
        }
        for key in ["..", "../x", "a/./b", "a/..", ".", "x/../b", "./b"] {
            assert!(matches!(address.of_object("w", key), Err(StoreError::Key { .. })), "{key}");
        }
    }

    #[test]
    fn containers_are_folders_of_their_account_and_listed_as_azure_wants_it() {
        let address = Address::at("https://acc.blob.core.windows.net/", "$web").unwrap();
        assert_eq!(
            address.of_object("w", "a b/c").unwrap().as_str(),
            "https://acc.blob.core.windows.net/$web/a%20b/c"
        );
        let question = Question { prefix: "a/\u{e4}".into(), one_level: true };
        assert_eq!(
            address.of_azure_listing(&question, Some("2!7=")).unwrap().as_str(),
            "https://acc.blob.core.windows.net/$web?restype=container&comp=list&maxresults=1000&prefix=a%2F%C3%A4&delimiter=%2F&marker=2%217%3D"
        );
        assert!(Address::at("acc.blob.core.windows.net", "c").is_err());
    }

    #[test]
    fn listings_are_asked_for_as_they_are_signed() {
        let question = Question { prefix: "a b/+*'".into(), one_level: true };
        let url = address("b", "r", Some("http://h")).of_listing(&question, Some("1/+=")).unwrap();
        assert_eq!(
            url.as_str(),
            "http://h/b?list-type=2&encoding-type=url&max-keys=1000&prefix=a%20b%2F%2B%2A%27&delimiter=%2F&continuation-token=1%2F%2B%3D"
        );
        let url =
            address("b", "r", None).of_listing(&Question { prefix: String::new(), one_level: false }, None);
        assert_eq!(
            url.unwrap().as_str(),
            "https://b.s3.r.amazonaws.com/?list-type=2&encoding-type=url&max-keys=1000&prefix="
        );
    }
}
