//! What stands around the records of a JSON answer. An API may say there what went wrong: beside its data, as
//! GraphQL does, or instead of it, with status 200. Pure.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

use crate::record::Span;

/// More than this around the records is no envelope.
const ENVELOPE_BYTES_MAX: usize = 64 << 10;
/// A larger document is not looked into as a whole.
const DOCUMENT_BYTES_MAX: usize = 1 << 20;
/// How much of a server's words is shown.
const WORDS_CHARS_MAX: usize = 200;
/// Members that hold the words, best first.
const WORDS: [&str; 11] = [
    "message",
    "faultstring",
    "error_description",
    "errormessage",
    "error_message",
    "detail",
    "msg",
    "title",
    "reason",
    "error",
    "code",
];
/// Members of an answer that is an error and nothing else.
const OF_ERRORS: [&str; 27] = [
    "errors",
    "fault",
    "error",
    "data",
    "result",
    "message",
    "msg",
    "ok",
    "success",
    "status",
    "statuscode",
    "code",
    "errorcode",
    "errordescription",
    "errormessage",
    "extensions",
    "detail",
    "details",
    "title",
    "type",
    "reason",
    "requestid",
    "traceid",
    "timestamp",
    "documentationurl",
    "jsonrpc",
    "hint",
];

/// What a server says in a successful answer about what went wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Said {
    /// Its words, of some length at most.
    pub(super) words: String,
    /// Nothing stands beside it: the answer failed.
    pub(super) instead: bool,
}

/// What stands around the records of one answer, as it goes by.
#[derive(Debug, Default)]
pub(super) struct Around {
    before: Vec<u8>,
    behind: Vec<u8>,
    records: u64,
    too_long: bool,
}

impl Around {
    /// Of a whole answer.
    pub(super) fn of(bytes: &[u8], spans: &[Span]) -> Self {
        let mut around = Self::default();
        around.pass(bytes, spans);
        around
    }

    pub(super) const fn records(&self) -> u64 {
        self.records
    }

    /// The words of an answer without records, whose rest is `behind`.
    pub(super) fn words_before(&self, behind: &[u8]) -> Option<String> {
        (self.records == 0).then(|| words_of(&[&self.before, behind].concat()))?
    }

    /// Nothing stands around the records: they are all there is.
    pub(super) fn is_blank(&self) -> bool {
        let blank = |text: &[u8]| text.trim_ascii().is_empty();
        !self.too_long && blank(&self.before) && blank(&self.behind)
    }

    /// What stands around the records, as a JSON text without them; empty where there is none.
    pub(super) fn envelope(&self) -> String {
        let whole = |text: &String| members(text).is_some();
        self.texts().into_iter().flatten().find(whole).unwrap_or_default()
    }

    /// What is left of an array of records is an empty one, of a single record a gap.
    fn texts(&self) -> Option<[String; 2]> {
        let before = std::str::from_utf8(&self.before).ok()?;
        let behind = std::str::from_utf8(&self.behind).ok()?;
        Some([format!("{before}{behind}"), format!("{before}null{behind}")]).filter(|_| !self.too_long)
    }

    /// Takes the next bytes, with the records in them.
    pub(super) fn pass(&mut self, bytes: &[u8], spans: &[Span]) {
        self.records += spans.len() as u64;
        if self.too_long {
            return;
        }
        let begins = self.records == spans.len() as u64;
        let (first, last) = match (spans.first(), spans.last()) {
            (Some(first), Some(last)) => (first.start as usize, last.end as usize),
            _ if self.records == 0 => (bytes.len(), bytes.len()),
            _ => (0, 0),
        };
        if begins {
            self.before.extend_from_slice(bytes.get(..first).unwrap_or_default());
        }
        if !spans.is_empty() {
            self.behind.clear();
        }
        self.behind.extend_from_slice(bytes.get(last..).unwrap_or_default());
        if self.before.len() + self.behind.len() > ENVELOPE_BYTES_MAX {
            // Between the records of a stream only a comma stands: what is longer is beside them.
            *self = Self { too_long: true, records: self.records, ..Self::default() };
        }
    }

    /// What it says about what went wrong.
    pub(super) fn said(&self) -> Option<Said> {
        let speaks = |text: &[u8]| {
            ["rror", "\"ok\"", "\"success\"", "fail", "\"exception\""]
                .iter()
                .any(|word| find(text, word.as_bytes()))
        };
        if self.too_long || !(speaks(&self.before) || speaks(&self.behind)) {
            return None;
        }
        let texts = self.texts()?;
        let members = texts.iter().find_map(|text| members(text))?;
        let words = complaint(&members)?;
        let aborted = members.get("exception").is_some_and(|value| value.get().starts_with('"'));
        Some(Said { words, instead: self.records == 0 || aborted || is_null(&members, "data") })
    }

    /// An answer that is a single object: it may be an error as a whole.
    pub(super) fn said_by(document: &[u8]) -> Option<Said> {
        let members = members(std::str::from_utf8(document).ok()?)?;
        let words = complaint(&members)?;
        let jsonrpc = members.keys().any(|name| name == "jsonrpc");
        let of_errors = |name: &String| OF_ERRORS.contains(&plain(name).as_str()) || jsonrpc && name == "id";
        let has_data =
            ["data", "result"].iter().any(|name| members.contains_key(*name) && !is_null(&members, name));
        let has_ended = members.contains_key("data") && members.contains_key("exception");
        let instead = is_null(&members, "data") || has_ended || !has_data && members.keys().all(of_errors);
        let beside = members.contains_key("data") && members.contains_key("errors");
        (instead || beside).then_some(Said { words, instead })
    }
}

/// An object that was taken for a record, and has a list of objects in it: rather a page of an API.
#[derive(Debug)]
pub(super) struct ListInside {
    /// The object.
    pub(super) text: String,
    /// The name of the longest list.
    pub(super) member: String,
    /// How many objects it has.
    pub(super) records: u64,
}

/// Looks for the list in a document that is one object. What has an `id` is something, and no page.
pub(super) fn list_inside(document: &[u8]) -> Option<ListInside> {
    let text = std::str::from_utf8(document).ok().filter(|text| text.len() <= DOCUMENT_BYTES_MAX)?;
    let members = members(text)?;
    if members.contains_key("id") {
        return None;
    }
    let lists = members.iter().filter_map(|(name, value)| Some((name, objects(value).filter(|n| *n > 0)?)));
    let (member, records) = lists.max_by_key(|(_, count)| *count)?;
    Some(ListInside { text: text.to_owned(), member: member.clone(), records })
}

/// How many objects there are in a list of nothing else.
fn objects(value: &RawValue) -> Option<u64> {
    let items: Vec<&RawValue> = serde_json::from_str(value.get()).ok()?;
    items.iter().all(|item| item.get().starts_with('{')).then_some(items.len() as u64)
}

/// The note about words that stand beside records.
pub(super) fn beside(name: &str, words: &str) -> String {
    format!("{name} says beside its records that something went wrong: {words:?}")
}

/// The words of a text in which records were looked for in vain, as far as it was read: any, since something
/// is wrong.
pub(super) fn words_of(text: &[u8]) -> Option<String> {
    let members = members(std::str::from_utf8(text.get(..ENVELOPE_BYTES_MAX).unwrap_or(text)).ok()?)?;
    complaint(&members).or_else(|| {
        let names = ["message", "detail", "title", "msg", "error_description"];
        names.iter().find_map(|name| words(members.get(*name)?.get()))
    })
}

fn find(text: &[u8], word: &[u8]) -> bool {
    memchr::memmem::find(text, word).is_some()
}

fn members(text: &str) -> Option<BTreeMap<String, &RawValue>> {
    let text = text.trim_start_matches('\u{feff}');
    if !text.trim_start().starts_with('{') {
        return None;
    }
    serde_json::from_str(text).ok()
}

fn plain(name: &str) -> String {
    name.chars().filter(|c| !matches!(c, '_' | '-')).collect::<String>().to_lowercase()
}

fn is_null(members: &BTreeMap<String, &RawValue>, name: &str) -> bool {
    members.get(name).is_some_and(|value| value.get() == "null")
}

/// What is complained of: `errors`, `error`, `ok: false`, `success: false`, `status: "error"`, failed shards.
fn complaint(members: &BTreeMap<String, &RawValue>) -> Option<String> {
    let get = |name: &str| members.get(name).map(|value| value.get());
    for name in ["errors", "error", "fault"] {
        if let Some(words) = get(name).and_then(words) {
            return Some(words);
        }
    }
    // Of a server that failed while it sent.
    if let Some(said) = get("exception").and_then(words) {
        return Some(said);
    }
    let refused = ["ok", "success"].iter().any(|name| get(name) == Some("false"))
        || get("error") == Some("true")
        || get("status").is_some_and(|status| matches!(status, "\"error\"" | "\"fail\"" | "\"failed\""));
    if refused {
        let said = WORDS.iter().find_map(|name| get(name).and_then(words));
        return Some(said.unwrap_or_else(|| "no more than that it failed".to_owned()));
    }
    let shards: BTreeMap<String, &RawValue> = serde_json::from_str(get("_shards")?).ok()?;
    words(shards.get("failures")?.get())
}

/// The words in a JSON text: a text, the message of an object, the first of a list and how many there are.
/// None where nothing is said.
fn words(json: &str) -> Option<String> {
    let said = match json.as_bytes().first()? {
        b'"' => serde_json::from_str::<String>(json).ok()?,
        b'{' => {
            let members: BTreeMap<String, &RawValue> = serde_json::from_str(json).ok()?;
            let found = WORDS.iter().find_map(|name| words(members.get(*name)?.get()));
            found.or_else(|| (!members.is_empty()).then(|| json.to_owned()))?
        }
        b'[' => {
            let items: Vec<&RawValue> = serde_json::from_str(json).ok()?;
            let first = words(items.first()?.get())?;
            if items.len() > 1 { format!("{first} (and {} more)", items.len() - 1) } else { first }
        }
        b'0'..=b'9' if json != "0" => json.to_owned(),
        _ => return None,
    };
    let one_line = said.split_whitespace().collect::<Vec<_>>().join(" ");
    let shown: String = one_line.chars().filter(|c| !c.is_control()).take(WORDS_CHARS_MAX).collect();
    (!shown.is_empty()).then_some(shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(text: &str, record: &str) -> Vec<Span> {
        let spans = text.match_indices(record).map(|(at, _)| Span {
            start: u32::try_from(at).unwrap(),
            end: u32::try_from(at + record.len()).unwrap(),
            line: 1,
            end_line: 1,
            end_offset: 0,
            kind: crate::record::SpanKind::Whole,
        });
        spans.collect()
    }

    fn said(text: &str) -> Option<(String, bool)> {
        let spans = span(text, "{\"id\":1}");
        Around::of(text.as_bytes(), &spans).said().map(|said| (said.words, said.instead))
    }

    #[test]
    fn errors_beside_records_are_said_and_instead_of_them_they_are_failures() {
        for (text, words, instead) in [
            (
                r#"{"data":{"o":[{"id":1},{"id":1}]},"errors":[{"message":"no b"},{"message":"x"}]}"#,
                "no b (and 1 more)",
                false,
            ),
            (r#"{"errors":[{"message":"slow\n down"}],"data":{"o":{"id":1}}}"#, "slow down", false),
            (r#"{"data":{"o":[]},"errors":[{"message":"no"}]}"#, "no", true),
            (r#"{"items":[],"ok":false,"error":"invalid_auth"}"#, "invalid_auth", true),
            (r#"{"items":[],"success":false}"#, "no more than that it failed", true),
            (r#"{"items":[],"status":"error","msg":"m"}"#, "m", true),
            (
                r#"{"_shards":{"failed":1,"failures":[{"reason":{"reason":"gone"}}]},"hits":[{"id":1}]}"#,
                "gone",
                false,
            ),
            (r#"{"items":[{"id":1}],"error":{"code":7}}"#, "7", false),
        ] {
            assert_eq!(said(text), Some((words.to_owned(), instead)), "{text}");
        }
        for fine in [
            r#"{"data":{"o":[{"id":1}]}}"#,
            r#"{"errors":[],"error":null,"success":true,"ok":true,"o":[{"id":1}]}"#,
            r#"{"errors":{},"error":"","error_code":0,"o":[]}"#,
            r#"[{"id":1}]"#,
            r#"{"o":[],"message":"no errors"}"#,
            r#"{"error":false,"o":[]"#,
        ] {
            assert_eq!(said(fine), None, "{fine}");
        }
    }

    #[test]
    fn a_single_object_may_be_an_error_as_a_whole() {
        let by = |text: &str| Around::said_by(text.as_bytes()).map(|said| said.instead);
        assert_eq!(by(r#"{"data":null,"errors":[{"message":"x"}]}"#), Some(true));
        assert_eq!(by(r#"{"errors":[{"message":"x"}]}"#), Some(true));
        assert_eq!(by(r#"{"ok":false,"error":"invalid_auth"}"#), Some(true));
        assert_eq!(by(r#"{"jsonrpc":"2.0","id":1,"error":{"code":-1,"message":"x"}}"#), Some(true));
        assert_eq!(by(r#"{"data":{"a":1},"errors":[{"message":"x"}]}"#), Some(false));
        for record in [
            r#"{"id":7,"errors":["x"]}"#,
            r#"{"id":7,"status":"error","message":"m"}"#,
            r#"{"error":null,"ok":true}"#,
            r#"{"name":"n","ok":false}"#,
        ] {
            assert_eq!(by(record), None, "{record}");
        }
    }

    #[test]
    fn it_is_told_from_pieces_and_is_bounded() {
        let text = format!(r#"{{"data":[{}],"errors":["e"]}}"#, r#"{"id":1},"#.repeat(9) + r#"{"id":1}"#);
        let mut around = Around::default();
        for piece in text.as_bytes().chunks(9) {
            let piece = std::str::from_utf8(piece).unwrap();
            around.pass(piece.as_bytes(), &span(piece, "{\"id\":1}"));
        }
        assert_eq!(around.said().map(|said| said.words).as_deref(), Some("e"));
        let mut endless = Around::default();
        (0..100).for_each(|_| endless.pass(&[b' '; 4096], &[]));
        assert!(endless.said().is_none());
        assert_eq!(words(&format!("{:?}", "x".repeat(500))).unwrap().len(), WORDS_CHARS_MAX);
        assert_eq!(words_of(br#"{"message":"look there"}"#).as_deref(), Some("look there"));
    }
}
