//! Sources from the network: URLs and templates on the command line, lists of URLs, and the rows that fill
//! templates in.
//!
//! Order: words as named, a template's URLs in the order of its ranges, for each row in the order of the
//! rows; then the lists, line by line. Reads the lists, sends nothing.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::error::SourceError;
use super::spec::{Location, MAX_SOURCES, SourceSpec};
use crate::format::sniff::{SaidOfDialect, SourceHead};
use crate::format::{
    DecodeLimits, Fields, Format, HeaderLimits, Layout, Limits, MendedValue, Splitter, detect,
};
use crate::http::urls::{Endpoint, Template};
use crate::http::{HttpError, JsonBody, Settings, unsigned};
use crate::record::{Block, Position, Span, Text};

/// Most bytes of a list: it is whole in memory, and more would be more sources than a run can have.
const LIST_BYTES_MAX: u64 = 256 << 20;

/// What says which sources there are, beside the words.
#[derive(Debug, Clone, Default)]
pub struct Lists {
    /// How to speak to servers: secret parameters belong to a request.
    pub http: Settings,
    /// Files with a URL a line, or a JSON object with `url` and fields to add.
    pub urls: Vec<PathBuf>,
    /// Rows that fill in the names of templates.
    pub each: Option<PathBuf>,
    /// Columns of those rows that become fields of the records.
    pub each_fields: Vec<String>,
    /// A JSON body: requests are POST.
    pub body: Option<JsonBody>,
}

/// One row: values by column, as JSON texts, so that numbers keep their digits.
type EndpointRow = HashMap<String, String>;

/// The rows of `--each`, with the name of their file.
pub(super) struct Rows {
    name: String,
    rows: Vec<EndpointRow>,
}

/// Reads the rows of `--each`, if there are any.
pub(super) fn rows(lists: &Lists) -> Result<Option<Rows>, SourceError> {
    let Some(path) = &lists.each else { return Ok(None) };
    let name = path.display().to_string();
    let bytes = Bytes::from(read(path)?);
    let rows = decode(&name, &bytes)?;
    if let Some(field) =
        lists.each_fields.iter().find(|field| rows.iter().any(|row| !row.contains_key(*field)))
    {
        return Err(SourceError::List { name, line: 0, reason: format!("not every row has {field:?}") });
    }
    Ok(Some(Rows { name, rows }))
}

fn read(path: &Path) -> Result<Vec<u8>, SourceError> {
    let failed = |source| SourceError::Open { name: path.display().to_string(), source };
    if fs::metadata(path).map_err(failed)?.len() > LIST_BYTES_MAX {
        return Err(SourceError::TooMany { pattern: path.display().to_string(), limit: MAX_SOURCES });
    }
    fs::read(path).map_err(failed)
}

/// The URLs of one word.
pub(super) fn expand(
    word: &str,
    lists: &Lists,
    each: Option<&Rows>,
    sources: &mut Vec<SourceSpec>,
) -> Result<(), SourceError> {
    let bad = |source| SourceError::Url { source };
    let template = Template::parse(word).map_err(bad)?;
    let named = template.names().next().is_some();
    let none = EndpointRow::new();
    let rows = match each {
        Some(each) if named => each.rows.iter().collect(),
        _ => vec![&none],
    };
    for row in rows {
        for at in 0..template.len() {
            let url = template.url(at, |name| row.get(name).and_then(|value| text_of(value))).map_err(bad)?;
            let mut endpoint = Endpoint::new(&url, &lists.http).map_err(bad)?;
            let field = |name: &String| Some((name.clone(), row.get(name)?.clone()));
            endpoint.fields = lists.each_fields.iter().filter_map(field).collect();
            push(endpoint, lists, sources, word)?;
        }
    }
    if let (Some(each), true) = (each, named)
        && each.rows.is_empty()
    {
        return Err(SourceError::List {
            name: each.name.clone(),
            line: 0,
            reason: "it has no rows".to_owned(),
        });
    }
    Ok(())
}

/// The URLs of the lists.
pub(super) fn listed(lists: &Lists, sources: &mut Vec<SourceSpec>) -> Result<(), SourceError> {
    for path in &lists.urls {
        let name = path.display().to_string();
        let bad = |line: usize, reason: String| SourceError::List { name: name.clone(), line, reason };
        let text = String::from_utf8(read(path)?).map_err(|_| bad(0, "it is not UTF-8".to_owned()))?;
        let before = sources.len();
        for (number, line) in text.lines().enumerate() {
            let endpoint = Endpoint::from_line(line, &lists.http);
            let endpoint = endpoint.map_err(|error: HttpError| bad(number + 1, error.to_string()))?;
            if let Some(endpoint) = endpoint {
                push(endpoint, lists, sources, &name)?;
            }
        }
        if sources.len() == before {
            return Err(bad(0, "it has no URLs".to_owned()));
        }
    }
    Ok(())
}

fn push(
    endpoint: Endpoint,
    lists: &Lists,
    sources: &mut Vec<SourceSpec>,
    word: &str,
) -> Result<(), SourceError> {
    if sources.len() == MAX_SOURCES {
        return Err(SourceError::TooMany { pattern: unsigned(word), limit: MAX_SOURCES });
    }
    let Endpoint { mut request, name, fields } = endpoint;
    if let Some(body) = &lists.body {
        request = request.posting(body);
    }
    let location = Location::Http(Box::new(request));
    sources.push(SourceSpec { name, location, fields });
    Ok(())
}

/// What a value is in a URL: a text, digits as they are written, a flag.
fn text_of(json: &str) -> Option<String> {
    match json.as_bytes().first()? {
        b'"' => serde_json::from_str(json).ok(),
        b'n' | b'[' | b'{' => None,
        _ => Some(json.to_owned()),
    }
}

/// The rows of a CSV or JSON file, whole in memory.
fn decode(name: &str, bytes: &Bytes) -> Result<Vec<EndpointRow>, SourceError> {
    let head = &bytes[..bytes.len().min(detect::HEAD_BYTES)];
    let detected = detect::detect(name, head);
    let mut format = detected.map_err(|source| SourceError::Detect { name: name.to_owned(), source })?.format;
    format.decodable(name)?;
    format.settle(SaidOfDialect::default(), SourceHead::of(bytes, true), None);
    let (header, start) = format
        .read_header(0, bytes, true, &HeaderLimits::default())
        .map_err(|source| SourceError::Header { name: name.to_owned(), source })?
        .map_or((Vec::new(), Position::start_of(0)), |header| (header.names, header.end));
    let layout = Layout { format, header, constants: Vec::new() };
    let (spans, end) = split(name, &layout.format, bytes, start)?;
    let block = Block::of_text(start, end, Text { bytes: bytes.clone(), spans });
    let mut rows = Vec::with_capacity(block.len());
    let mut failed = None;
    layout.decode(&block, &DecodeLimits::default(), &mut |i, fields| match fields {
        Ok(Fields::Named(members)) => {
            rows.push(members.iter().map(|(name, raw)| (name.to_string(), (*raw).to_owned())).collect());
        }
        Ok(Fields::Mended(members)) => {
            let text = |value: &MendedValue<'_>| match value {
                MendedValue::Null => "null".to_owned(),
                MendedValue::Text(text) => serde_json::Value::from(text.as_ref()).to_string(),
                MendedValue::Json(raw) => (*raw).to_owned(),
            };
            rows.push(members.iter().map(|(name, value)| (name.to_string(), text(value))).collect());
        }
        Ok(Fields::Positional(values)) => {
            let values = values.iter().map(|value| serde_json::Value::from(*value).to_string());
            rows.push(layout.header.iter().cloned().zip(values).collect());
        }
        Err(error) => {
            let line = usize::try_from(block.line_of(i)).unwrap_or_default();
            failed.get_or_insert(SourceError::List {
                name: name.to_owned(),
                line,
                reason: error.to_string(),
            });
        }
    });
    failed.map_or(Ok(rows), Err)
}

fn split(
    name: &str,
    format: &Format,
    bytes: &Bytes,
    start: Position,
) -> Result<(Vec<Span>, Position), SourceError> {
    let mut splitter = Splitter::new(format, Limits::default(), start);
    let mut spans = Vec::new();
    let mut done = usize::try_from(start.offset).unwrap_or(usize::MAX).min(bytes.len());
    loop {
        let mut found: Vec<Span> = Vec::new();
        let consumed = splitter
            .split(&bytes[done..], true, &mut found)
            .map_err(|source| SourceError::Split { name: name.to_owned(), source })?;
        if consumed == 0 && found.is_empty() {
            return Ok((spans, splitter.position()));
        }
        let from = u32::try_from(done).unwrap_or(u32::MAX);
        spans.extend(found.into_iter().map(|span| Span {
            start: span.start + from,
            end: span.end + from,
            ..span
        }));
        done += consumed;
    }
}
