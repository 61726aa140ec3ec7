//! What format a body from the network has: by the name at the end of its URL, else by its content type, else
//! by its first bytes. A login page instead of records, or nothing at all, is an error and never "no
//! records".

use super::error::SourceError;
use super::spec::SourceSpec;
use crate::format::{self, DetectError, Detected};

/// What the first bytes are of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ContentOf {
    /// A file over HTTP.
    File,
    /// A page of an API, or one of many answers: a JSON text is a document, also where it stands on one line.
    Page,
}

/// Bytes with which a page for people begins, whatever the server calls it.
const MARKUP: [&[u8]; 3] = [b"<!doctype", b"<html", b"<?xml"];

/// The format. `head`: the first bytes of the decoded body.
pub(super) fn detect(
    spec: &SourceSpec,
    content_type: Option<&str>,
    head: &[u8],
    body: ContentOf,
) -> Result<Detected, SourceError> {
    refuse(spec, head)?;
    let name = spec.file_name();
    let failed = |source| SourceError::Detect { name: spec.name.clone(), source };
    let named =
        if format::detect::by_name(name).is_some() { name } else { named_by_type(content_type, head, body) };
    let detected = format::detect(named, head).map_err(failed)?;
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
pub(super) fn refuse(spec: &SourceSpec, head: &[u8]) -> Result<(), SourceError> {
    let text = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head).trim_ascii_start();
    if text.is_empty() {
        return Err(SourceError::EmptyBody { name: spec.name.clone() });
    }
    let is =
        |markup: &&[u8]| text.get(..markup.len()).is_some_and(|start| start.eq_ignore_ascii_case(markup));
    if MARKUP.iter().any(is) {
        return Err(SourceError::Detect { name: spec.name.clone(), source: DetectError::Markup });
    }
    Ok(())
}

/// A file name with an ending that says what the content type does.
fn named_by_type(content_type: Option<&str>, head: &[u8], body: ContentOf) -> &'static str {
    let essence =
        content_type.unwrap_or_default().split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match essence.as_str() {
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
    use crate::format::Format;
    use crate::input::Location;

    fn check(name: &str, content_type: Option<&str>, head: &str, body: ContentOf, expected: &str) {
        let spec = SourceSpec::new(name.to_owned(), Location::File(name.into()));
        let found = match detect(&spec, content_type, head.as_bytes(), body) {
            Ok(Detected { format: Format::Csv(_), .. }) => "csv".to_owned(),
            Ok(Detected { format: Format::Jsonl, .. }) => "jsonl".to_owned(),
            Ok(Detected { format: Format::Json { .. }, .. }) => "json".to_owned(),
            Ok(other) => format!("{other:?}"),
            Err(SourceError::EmptyBody { .. }) => "empty".to_owned(),
            Err(SourceError::Words { .. }) => "words".to_owned(),
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
        ] {
            check(name, content_type, head, body, expected);
        }
    }
}
