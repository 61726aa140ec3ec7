//! Sources from the network: URLs and templates on the command line, lists of URLs, and the rows that fill
//! templates in.
//!
//! Order: words as named, a template's URLs in the order of its ranges, for each row in the order of the
//! rows; then the lists, line by line. Reads the lists, sends nothing.

use std::fs;
use std::path::Path;

use super::error::SourceError;
use super::lists::Lists;
use super::rows::{EndpointRow, Rows};
use super::spec::{Location, MAX_SOURCES, SourceSpec};
use crate::http::urls::{Endpoint, Template};
use crate::http::{HttpError, unsigned};

/// Most bytes of a list: it is whole in memory, and more would be more sources than a run can have.
const LIST_BYTES_MAX: u64 = 256 << 20;

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
    let template = Template::parse(word, lists.http.query_lists).map_err(bad)?;
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
pub(super) fn listed(lists: &Lists) -> Result<Vec<SourceSpec>, SourceError> {
    let mut sources = Vec::new();
    for path in &lists.urls {
        let name = path.display().to_string();
        let bad = |line: usize, reason: String| SourceError::List { name: name.clone(), line, reason };
        let text = String::from_utf8(read(path)?).map_err(|_| bad(0, "it is not UTF-8".to_owned()))?;
        let before = sources.len();
        for (number, line) in text.lines().enumerate() {
            let endpoint = Endpoint::from_line(line, &lists.http);
            let endpoint = endpoint.map_err(|error: HttpError| bad(number + 1, error.to_string()))?;
            if let Some(endpoint) = endpoint {
                push(endpoint, lists, &mut sources, &name)?;
            }
        }
        if sources.len() == before {
            return Err(bad(0, "it has no URLs".to_owned()));
        }
    }
    Ok(sources)
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
    sources.push(SourceSpec { fields, ..SourceSpec::new(name, location) });
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
