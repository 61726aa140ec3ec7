//! Source words to endpoints: plain URLs, templates with ranges, lists and names to be filled in, and lists
//! of URLs.
//!
//! ```text
//! https://host/items/{1..1000}       {1..100..5} by fives, {001..100} with leading zeros
//! https://host/{2024-01-01..2024-01-31}  by days, {2024-01..2024-12} by months
//! https://host/{a,b,c}.jsonl
//! https://host/items/{id}            filled from a column (--each)
//! ```
//!
//! What is filled in is encoded, so that a value cannot leave its place in the URL; nothing is filled into
//! the host. Pure.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::value::RawValue;
use url::Url;

use super::date_range::DateRange;
use super::error::HttpError;
use super::query_lists::QueryLists;
use super::request::Request;
use super::settings::Settings;
use super::shown::shown;

/// Endpoints of one word: more than this is rather a mistake in a range.
pub const ENDPOINTS_MAX: u64 = 1_000_000;

/// Everything but what RFC 3986 calls unreserved.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Something to fetch: a source.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// Its request, or that of its first page.
    pub request: Request,
    /// Its name: the URL as it may be shown.
    pub name: String,
    /// Fields to add to each of its records: names, and values as JSON texts.
    pub fields: Vec<(String, String)>,
}

impl Endpoint {
    /// The endpoint of a URL.
    ///
    /// # Errors
    /// When it is none that can be fetched, or a secret cannot be read.
    pub fn new(url: &str, settings: &Settings) -> Result<Self, HttpError> {
        let url = parse(url)?;
        let mut request = Request::get(url);
        for parameter in &settings.parameters {
            request.secrets.push((parameter.name.clone(), parameter.value.resolve()?));
        }
        let name = request.shown();
        Ok(Self { request, name, fields: Vec::new() })
    }

    /// One line of a list of URLs: a URL, or a JSON object with `url` and fields to add to each record. None
    /// for blank lines and `#` comments.
    ///
    /// # Errors
    /// When it is neither.
    pub fn from_line(line: &str, settings: &Settings) -> Result<Option<Self>, HttpError> {
        let line = line.trim().trim_start_matches('\u{feff}');
        if line.is_empty() || line.starts_with('#') {
            return Ok(None);
        }
        if !line.starts_with('{') {
            return Self::new(line, settings).map(Some);
        }
        let bad = |reason: String| HttpError::BadUrl { word: "a line of the list".to_owned(), reason };
        // Raw values: numbers travel as the digits in the list.
        let object: BTreeMap<String, &RawValue> =
            serde_json::from_str(line).map_err(|error| bad(format!("it is no JSON object ({error})")))?;
        let text = |value: &&RawValue| serde_json::from_str::<String>(value.get());
        let Some(Ok(url)) = object.get("url").map(text) else {
            return Err(bad("the object has no text \"url\"".to_owned()));
        };
        let mut endpoint = Self::new(&url, settings)?;
        for (name, value) in object.iter().filter(|(name, _)| *name != "url") {
            if value.get().starts_with('"')
                && let Err(error) = text(value)
            {
                return Err(bad(format!("{name:?} is no text ({error})")));
            }
            endpoint.fields.push((name.clone(), value.get().to_owned()));
        }
        Ok(Some(endpoint))
    }
}

/// Whether a source word is for this room.
#[must_use]
pub fn is_http(word: &str) -> bool {
    let scheme = word.split_once("://").map(|(scheme, _)| scheme.to_ascii_lowercase());
    matches!(scheme.as_deref(), Some("http" | "https"))
}

fn parse(word: &str) -> Result<Url, HttpError> {
    let bad = |shown: String, reason: String| HttpError::BadUrl { word: shown, reason };
    // What is no URL may hold a secret anywhere: only its beginning is shown.
    let url = Url::parse(word).map_err(|error| bad(before_secrets(word), error.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(bad(shown(&url), "only http and https can be fetched".to_owned()));
    }
    Ok(url)
}

fn before_secrets(word: &str) -> String {
    let end = word.find(['?', '@', '#']).unwrap_or(word.len());
    let (scheme, rest) = word[..end].split_once("://").unwrap_or(("", &word[..end]));
    let cut = if word[end..].starts_with('@') { "***" } else { rest };
    if scheme.is_empty() { cut.to_owned() } else { format!("{scheme}://{cut}") }
}

/// A word with places to be filled in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template(Vec<Piece>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    Range { first: u64, last: u64, step: u64, width: usize },
    Dates(DateRange),
    List(Vec<String>),
    Name(String),
}

impl Template {
    /// Reads a word. Braces with anything else inside than a range, a list of plain words or a name stay as
    /// they are.
    ///
    /// # Errors
    /// When a range is empty or too long, or the host is to be filled in.
    pub fn parse(word: &str, in_query: QueryLists) -> Result<Self, HttpError> {
        let bad = |reason: &str| HttpError::BadUrl { word: before_secrets(word), reason: reason.to_owned() };
        let mut pieces = Vec::new();
        let mut text = String::new();
        let mut rest = word;
        while let Some((before, behind)) = rest.split_once('{') {
            text.push_str(before);
            let piece = behind.split_once('}').map(|(inside, after)| (piece(inside), after));
            let is_query = in_query == QueryLists::Kept && word[..word.len() - behind.len()].contains('?');
            match piece {
                Some((Ok(Some(Piece::List(_))), _)) if is_query => {
                    text.push('{');
                    rest = behind;
                }
                Some((Ok(Some(piece)), after)) => {
                    pieces.push(Piece::Text(std::mem::take(&mut text)));
                    pieces.push(piece);
                    rest = after;
                }
                Some((Err(reason), _)) => return Err(bad(reason)),
                Some((Ok(None), _)) | None => {
                    text.push('{');
                    rest = behind;
                }
            }
        }
        text.push_str(rest);
        pieces.push(Piece::Text(text));
        let template = Self(pieces);
        if template.0.len() > 1 && !template.begins_with_host() {
            return Err(bad("scheme, host and port cannot be filled in: credentials are bound to them"));
        }
        if template.len() > ENDPOINTS_MAX {
            return Err(bad("it stands for more than a million URLs"));
        }
        Ok(template)
    }

    /// Whether the first place stands behind the host.
    fn begins_with_host(&self) -> bool {
        let Some(Piece::Text(first)) = self.0.first() else { return false };
        first.split_once("://").is_some_and(|(_, rest)| rest.contains(['/', '?', '#']))
    }

    /// Names that are to be filled in.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|piece| match piece {
            Piece::Name(name) => Some(name.as_str()),
            Piece::Text(_) | Piece::Range { .. } | Piece::Dates(_) | Piece::List(_) => None,
        })
    }

    /// How many URLs it stands for, for each row of values.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.0.iter().fold(1, |product: u64, piece| product.saturating_mul(piece.len()))
    }

    /// Whether it stands for none: never.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        false
    }

    /// The `at`th URL; the last place turns fastest. `value`: what a name stands for.
    ///
    /// # Errors
    /// The name that has no value.
    pub fn url(&self, at: u64, value: impl Fn(&str) -> Option<String>) -> Result<String, HttpError> {
        let mut left = at;
        let mut chosen = vec![0; self.0.len()];
        for (choice, piece) in chosen.iter_mut().zip(&self.0).rev() {
            *choice = left % piece.len();
            left /= piece.len();
        }
        let mut url = String::new();
        for (piece, choice) in self.0.iter().zip(chosen) {
            match piece {
                Piece::Text(text) => url.push_str(text),
                Piece::Range { first, step, width, .. } => {
                    let _ = write!(url, "{:0width$}", first + choice * step);
                }
                Piece::Dates(dates) => dates.write(choice, &mut url),
                Piece::List(words) => url.push_str(&words[usize::try_from(choice).unwrap_or_default()]),
                Piece::Name(name) => {
                    let value =
                        value(name).filter(|value| !value.is_empty()).ok_or_else(|| HttpError::BadUrl {
                            word: self.shown(),
                            reason: format!(
                                "there is no value for {{{name}}} (--each has them; a brace that is meant as such is %7B)"
                            ),
                        })?;
                    url.push_str(&encode(&value));
                }
            }
        }
        Ok(url)
    }

    fn shown(&self) -> String {
        match self.0.first() {
            Some(Piece::Text(text)) => before_secrets(text),
            _ => String::new(),
        }
    }
}

/// A value as it may stand in a path or a query. `.` and `..` would climb.
pub(super) fn encode(value: &str) -> String {
    match value {
        "." => "%2E".to_owned(),
        ".." => "%2E%2E".to_owned(),
        _ => utf8_percent_encode(value, ENCODED).to_string(),
    }
}

impl Piece {
    fn len(&self) -> u64 {
        match self {
            Self::Text(_) | Self::Name(_) => 1,
            Self::Range { first, last, step, .. } => (last - first) / step + 1,
            Self::Dates(dates) => dates.len(),
            Self::List(words) => words.len() as u64,
        }
    }
}

fn piece(inside: &str) -> Result<Option<Piece>, &'static str> {
    let is_word =
        |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "_-.".contains(c));
    if let Some((first, rest)) = inside.split_once("..") {
        let (last, step) = rest.split_once("..").unwrap_or((rest, "1"));
        if let Some(dates) = DateRange::parse(first, last, step) {
            return dates.map(|dates| Some(Piece::Dates(dates)));
        }
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if ![first, last, step].into_iter().all(digits) {
            return Ok(None);
        }
        let number = |text: &str| text.parse::<u64>().map_err(|_| "a number of the range is too large");
        let width = if first.starts_with('0') && first.len() > 1 { first.len() } else { 0 };
        let (first, last, step) = (number(first)?, number(last)?, number(step)?);
        if last < first || step == 0 {
            return Err("the range is empty");
        }
        return Ok(Some(Piece::Range { first, last, step, width }));
    }
    if inside.contains(',') {
        let words: Vec<String> = inside.split(',').map(str::to_owned).collect();
        return Ok(words.iter().all(|word| is_word(word)).then_some(Piece::List(words)));
    }
    let is_name = inside.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && inside.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    Ok(is_name.then(|| Piece::Name(inside.to_owned())))
}

/// Whether a list of words stands in the query of a word.
#[must_use]
pub fn has_list_in_query(word: &str) -> bool {
    let lists = |in_query| Template::parse(word, in_query).map(|template| template.len()).unwrap_or_default();
    is_http(word) && lists(QueryLists::Kept) != lists(QueryLists::Expanded)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(word: &str) -> Vec<String> {
        let template = Template::parse(word, QueryLists::Expanded).unwrap();
        (0..template.len())
            .map(|at| template.url(at, |name| Some(format!("<{name}>/../ä"))).unwrap())
            .collect()
    }

    #[test]
    fn templates_stand_for_urls() {
        assert_eq!(all("https://h/a"), ["https://h/a"]);
        assert_eq!(all("https://h/{1..3}"), ["https://h/1", "https://h/2", "https://h/3"]);
        assert_eq!(all("https://h/{08..12..2}"), ["https://h/08", "https://h/10", "https://h/12"]);
        assert_eq!(all("https://h/{a,b}/{1..2}?x={c,d}").len(), 8);
        assert_eq!(all("https://h/{a,b}/{1..2}")[1], "https://h/a/2");
        assert_eq!(all("https://h/{id}"), ["https://h/%3Cid%3E%2F..%2F%C3%A4"]);
        assert_eq!(all("https://h/{2024-02-28..2024-03-01}.csv")[1], "https://h/2024-02-29.csv");
        assert_eq!(all("https://h/?m={2023-12..2024-01}"), ["https://h/?m=2023-12", "https://h/?m=2024-01"]);
        let kept = |word: &str| Template::parse(word, QueryLists::Kept).unwrap();
        assert_eq!(kept("https://h/{1..1000000}").len(), 1_000_000);
        let fields = kept("https://h/{a,b}?fields={id,name}&p={1..2}");
        assert_eq!(
            (fields.len(), fields.url(3, |_| None).unwrap()),
            (4, "https://h/b?fields={id,name}&p=2".to_owned())
        );
        assert!(
            has_list_in_query("https://h/?fields={id,name}")
                && !has_list_in_query("https://h/{a,b}?p={1..2}")
        );
    }

    #[test]
    fn other_braces_stay() {
        for word in [
            r#"https://h/?q={"a":1}"#,
            "https://h/{}",
            "https://h/{a b}",
            "https://h/{1..x}",
            "https://h/{",
            "https://h/}{",
        ] {
            assert_eq!(all(word), [word]);
        }
    }

    #[test]
    fn what_cannot_be_is_refused() {
        for word in [
            "https://{a,b}.example.com/",
            "https://h{id}/x",
            "https://h:{1..9}/",
            "{a,b}://h/",
            "https://h{a,b}",
            "https://h/{3..1}",
            "https://h/{1..5..0}",
            "https://h/{2024-02-30..2024-03-01}",
            "https://h/{1..99999999999999999999}",
            "https://h/{1..1000}/{1..1001}",
        ] {
            assert!(Template::parse(word, QueryLists::Kept).is_err(), "{word}");
        }
        let template = Template::parse("https://h/{id}", QueryLists::Kept).unwrap();
        assert!(template.url(0, |_| None).is_err());
        assert_eq!(template.url(0, |_| Some("..".to_owned())).unwrap(), "https://h/%2E%2E");
    }

    #[test]
    fn lines_of_a_list_are_urls_or_objects() {
        let settings = Settings::default();
        let line = |text: &str| Endpoint::from_line(text, &settings);
        assert!(line("  ").unwrap().is_none() && line("# x").unwrap().is_none());
        let plain = line(" https://h/a?x=1 ").unwrap().unwrap();
        assert_eq!((plain.name.as_str(), plain.fields.len()), ("https://h/a?x=1", 0));
        let object = line(
            r#"{"url":"https:\/\/h/a","region":"e\u0075", "n": 12345678901234567890.10 ,"o":{"b":1.0}}"#,
        );
        let object = object.unwrap().unwrap();
        assert_eq!(object.name, "https://h/a");
        let fields = [("n", "12345678901234567890.10"), ("o", r#"{"b":1.0}"#), ("region", r#""e\u0075""#)];
        assert_eq!(object.fields, fields.map(|(name, value)| (name.to_owned(), value.to_owned())));
        for wrong in [
            "h/a",
            "ftp://h/a",
            r#"{"url":"https://h","a":"\ud800"}"#,
            "{\"url\":1}",
            "{\"u\":\"https://h\"}",
            "{",
            "https://",
        ] {
            assert!(line(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn errors_and_names_have_no_secrets() {
        let settings = Settings::default();
        for word in [
            "https://u:CANARY@h/a?api_key=CANARY",
            "https://u:CANARY@:x/",
            "ftp://u:CANARY@h/?key=CANARY",
            "https://h:x/?api_key=CANARY",
        ] {
            let text = match Endpoint::new(word, &settings) {
                Ok(endpoint) => format!("{} {endpoint:?}", endpoint.name),
                Err(error) => format!("{error} {error:?}"),
            };
            assert!(!text.contains("CANARY"), "{text}");
        }
    }
}
