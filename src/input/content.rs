//! What format a body from the network has: by the name at the end of its URL, else by its content type, else
//! by its first bytes. A login page instead of records, or nothing at all, is an error and never "no
//! records".

use super::error::SourceError;
use super::spec::SourceSpec;
use crate::format::{self, DetectError, Detected, Format};

/// What the first bytes are of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ContentOf {
    /// A file over HTTP.
    File,
    /// A page of an API, or one of many answers: a JSON text is a document, also where it stands on one line.
    Page,
}

/// Bytes with which a page for people begins, whatever the server calls it.
const MARKUP: [&[u8]; 3] = [b"<!doctype html", b"<html", b"<?xml"];

/// Parts of content types of what is not read, and what that is.
const OTHER_TYPES: [(&str, &str); 6] = [
    ("event-stream", "a stream of server-sent events, which has no end"),
    ("yaml", "YAML"),
    ("javascript", "JavaScript (JSONP?)"),
    ("ecmascript", "JavaScript (JSONP?)"),
    ("xml", "XML"),
    ("markdown", "Markdown"),
];
/// How such begins where no content type says so.
const OTHER_STARTS: [(&str, &str); 5] = [
    ("data:", "a stream of server-sent events, which has no end"),
    ("event:", "a stream of server-sent events, which has no end"),
    ("---\n", "YAML"),
    ("---\r\n", "YAML"),
    ("%YAML", "YAML"),
];
/// Parts of content types that say nothing against delimited text.
const ANY_TYPES: [&str; 15] = [
    "text/plain",
    "application/text",
    "csv",
    "comma-separated",
    "tab-separated",
    "tsv",
    "delimited",
    "excel",
    "octet-stream",
    "binary",
    "download",
    "zip",
    "zst",
    "xz",
    "compress",
];
/// How much of a content type is shown.
const TYPE_CHARS_MAX: usize = 60;

/// The format. `head`: the first bytes of the decoded body. `comment`: what begins a line that says nothing.
pub(super) fn detect(
    spec: &SourceSpec,
    content_type: Option<&str>,
    head: &[u8],
    comment: Option<u8>,
    body: ContentOf,
) -> Result<Detected, SourceError> {
    refuse(spec, head, false)?;
    let name = spec.file_name();
    let failed = |source| SourceError::Detect { name: spec.name.clone(), source };
    let is_named = format::detect::by_name(name).is_some();
    let essence = essence(content_type);
    if !is_named && essence.ends_with("json-seq") {
        // Texts of any number of lines, each behind a separator.
        return Ok(Detected { format: Format::of_texts(), because: "a sequence of JSON texts" });
    }
    let named = if is_named { name } else { named_by_type(&essence, head, body) };
    let detected = format::detect::detect_beside(named, head, comment).map_err(failed)?;
    if named == "body" && detected.format.has_header() {
        refuse_guess(spec, &essence, head)?;
    }
    // One line of words that nothing calls CSV: a header with no record below it at best, an excuse of the
    // server rather.
    if named == "body"
        && detected.format.has_header()
        && head.len() < format::detect::HEAD_BYTES
        && head
            .trim_ascii_end()
            .iter()
            .all(|byte| !matches!(byte, b'\n' | b'\r' | b',' | b'\t' | b';' | b'|'))
    {
        return Err(SourceError::Words { name: spec.name.clone() });
    }
    // A line that is an object is a document too, unless the name calls it a line.
    let says_lines = format::detect::by_name(name).is_some_and(|named| named == detected.format);
    if body == ContentOf::Page
        && named == "body.json"
        && !says_lines
        && let Some(format) = detected.format.as_document()
    {
        return Ok(Detected { format, because: "a page of JSON" });
    }
    Ok(detected)
}

/// Nothing, and pages for people, are refused also where the user has said what the format is.
pub(super) fn refuse(spec: &SourceSpec, head: &[u8], is_xml: bool) -> Result<(), SourceError> {
    let text = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head).trim_ascii_start();
    if text.is_empty() {
        return Err(SourceError::EmptyBody { name: spec.name.clone() });
    }
    let is =
        |markup: &&[u8]| text.get(..markup.len()).is_some_and(|start| start.eq_ignore_ascii_case(markup));
    let is_xml = is_xml || matches!(format::detect::by_name(spec.file_name()), Some(Format::Xml { .. }));
    if MARKUP.iter().filter(|markup| !is_xml || **markup != b"<?xml").any(is) {
        return Err(SourceError::Detect { name: spec.name.clone(), source: DetectError::Markup });
    }
    Ok(())
}

/// A content type without its parameters.
fn essence(content_type: Option<&str>) -> String {
    content_type.unwrap_or_default().split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// Refuses what would be read as delimited text for want of anything better, where its content type or its
/// first bytes say that it is something else.
fn refuse_guess(spec: &SourceSpec, essence: &str, head: &[u8]) -> Result<(), SourceError> {
    let text = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head);
    let what = OTHER_TYPES
        .iter()
        .find(|(part, _)| essence.contains(part))
        .or_else(|| OTHER_STARTS.iter().find(|(start, _)| text.starts_with(start.as_bytes())))
        .map(|(_, what)| *what);
    if what.is_none() && (essence.is_empty() || ANY_TYPES.iter().any(|part| essence.contains(part))) {
        return Ok(());
    }
    let shown = essence.chars().filter(|c| !c.is_control()).take(TYPE_CHARS_MAX).collect();
    Err(SourceError::OtherContent { name: spec.name.clone(), content_type: shown, what })
}

/// Likewise of a file, whose ending stands for a content type.
pub(super) fn refuse_file(spec: &SourceSpec, head: &[u8]) -> Result<(), SourceError> {
    let ending = spec.file_name().rsplit_once('.').map_or("", |(_, ending)| ending).to_ascii_lowercase();
    let essence = match ending.as_str() {
        "yaml" | "yml" => "yaml",
        "js" | "mjs" => "javascript",
        "md" => "markdown",
        _ => "",
    };
    refuse_guess(spec, essence, head).map_err(|error| match error {
        SourceError::OtherContent { name, what: Some(what), .. } => SourceError::OtherFile { name, what },
        error => error,
    })
}

/// A file name with an ending that says what the content type does.
fn named_by_type(essence: &str, head: &[u8], body: ContentOf) -> &'static str {
    match essence {
        "application/x-ndjson" | "application/ndjson" | "application/jsonl" | "application/x-jsonlines" => {
            "body.jsonl"
        }
        "text/csv" | "application/csv" => "body.csv",
        "text/tab-separated-values" => "body.tsv",
        "application/json" | "text/json" => "body.json",
        other if other.ends_with("+json") => "body.json",
        _ if body == ContentOf::Page && matches!(head.trim_ascii_start().first(), Some(b'{' | b'[')) => {
            "body.json"
        }
        _ => "body",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input::Location;

    const EVENTS: &str = "other: Some(\"a stream of server-sent events, which has no end\")";
    const JSONP: &str = "other: Some(\"JavaScript (JSONP?)\")";

    fn check(name: &str, content_type: Option<&str>, head: &str, body: ContentOf, expected: &str) {
        let spec = SourceSpec::new(name.to_owned(), Location::File(name.into()));
        let found = match detect(&spec, content_type, head.as_bytes(), None, body) {
            Ok(Detected { format: Format::Csv(_), .. }) => "csv".to_owned(),
            Ok(Detected { format: Format::Jsonl, .. }) => "jsonl".to_owned(),
            Ok(Detected { format: Format::Json { .. }, .. }) => "json".to_owned(),
            Ok(other) => format!("{other:?}"),
            Err(SourceError::EmptyBody { .. }) => "empty".to_owned(),
            Err(SourceError::Words { .. }) => "words".to_owned(),
            Err(SourceError::OtherContent { what, .. }) => format!("other: {what:?}"),
            Err(SourceError::Detect { source: DetectError::Markup, .. }) => "markup".to_owned(),
            Err(error) => error.to_string(),
        };
        assert_eq!(found, expected, "{name} {content_type:?} {head:?} {body:?}");
    }

    #[test]
    fn bodies_are_what_name_type_and_first_bytes_say() {
        use ContentOf::{File, Page};
        for (name, content_type, head, body, expected) in [
            ("a.jsonl", Some("text/plain"), "{\"a\":1}\n", File, "jsonl"),
            ("items", Some("application/json; charset=utf-8"), "{\"a\":1}\n", Page, "json"),
            ("items", Some("application/json"), "{\"a\":1}\n{\"a\":2}\n", File, "jsonl"),
            ("items", Some("application/json"), "{\"items\":[]}", File, "json"),
            ("items", Some("application/vnd.api+json"), "[1]", Page, "json"),
            ("items", Some("application/x-ndjson"), "{\"a\":1}\n", Page, "jsonl"),
            ("items", None, "{\"a\":1}\n", Page, "json"),
            ("items", None, "{\"a\":1}\n", File, "jsonl"),
            ("items", Some("text/csv"), "a\n", File, "csv"),
            ("items", None, "a,b\n1,2\n", Page, "csv"),
            ("items", Some("text/plain"), "OK", File, "words"),
            ("items", None, "too many users\n", Page, "words"),
            ("items", Some("text/csv"), "a\n", Page, "csv"),
            ("a.csv", Some("text/csv"), " <!DOCTYPE html><html>", File, "markup"),
            ("a.json", Some("application/json"), "<HTML>", Page, "markup"),
            ("a.csv", None, "\n", File, "empty"),
            ("items", Some("application/json-seq"), "\u{1e}{\"a\":1,\"b\":2}\n", File, "json"),
            ("items", Some("application/geo+json-seq"), "\u{1e}{\"a\":1}\n", Page, "json"),
            ("items", Some("text/event-stream"), "data: {\"a\":1,\"b\":2}\n\n", File, EVENTS),
            ("items", None, "data: {\"a\":1,\"b\":2}\n\n", File, EVENTS),
            ("items", Some("application/yaml"), "a: 1\nb: [1,2]\n", File, "other: Some(\"YAML\")"),
            ("items", Some("text/plain"), "---\na: 1,2\n", Page, "other: Some(\"YAML\")"),
            ("items", Some("text/javascript"), "cb([{\"a\":1}]);\nx,y", Page, JSONP),
            ("items", Some("text/javascript"), "[{\"a\":1}]", Page, "json"),
            ("items", Some("application/x-protobuf"), "a,b\nc,d\n", File, "other: None"),
            ("items", Some("application/vnd.ms-excel"), "a,b\nc,d\n", File, "csv"),
            ("items", Some("application/octet-stream"), "a,b\nc,d\n", File, "csv"),
        ] {
            check(name, content_type, head, body, expected);
        }
    }
}
