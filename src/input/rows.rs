//! The rows that fill in the names of templates: read as a source is, from a file or page after page from a
//! server, and kept whole. Each becomes a source.

use std::collections::{BTreeMap, HashMap};

use serde_json::value::RawValue;

use super::access::Access;
use super::begin::Begin;
use super::entry::Input;
use super::error::SourceError;
use super::lists::{EachRows, Lists};
use super::spec::{Location, MAX_SOURCES, SourceSpec, Word};
use crate::format::{DecodeLimits, Fields, Layout, MendedValue};
use crate::http::urls::Endpoint;
use crate::job::{self, EachList};
use crate::record::Block;

/// One row: values by column, as JSON texts, so that numbers keep their digits.
pub(super) type EndpointRow = HashMap<String, String>;

/// The rows of `--each`, with the name of where they are from.
#[derive(Default)]
pub(super) struct Rows {
    pub(super) name: String,
    pub(super) rows: Vec<EndpointRow>,
    /// What is worth saying about them.
    pub(super) notes: Vec<String>,
}

/// Reads the rows of `--each`, if there are any.
pub(super) async fn rows(lists: &Lists) -> Result<Option<Rows>, SourceError> {
    let rows = match &lists.each {
        None => return Ok(None),
        Some(EachRows::Given { name, rows }) => given(name, rows)?,
        Some(EachRows::List(list)) => Box::pin(listed(lists, list)).await?,
    };
    let missing = |field: &&String| rows.rows.iter().any(|row| !row.contains_key(*field));
    if let Some(field) = lists.each_fields.iter().find(missing) {
        let reason = format!("not every row has {field:?}");
        return Err(SourceError::List { name: rows.name, line: 0, reason });
    }
    Ok(Some(rows))
}

fn given(name: &str, texts: &[String]) -> Result<Rows, SourceError> {
    let bad = |reason: String| SourceError::List { name: name.to_owned(), line: 0, reason };
    let mut rows = Vec::with_capacity(texts.len());
    for text in texts {
        let row: BTreeMap<String, &RawValue> =
            serde_json::from_str(text).map_err(|error| bad(format!("a row is no object ({error})")))?;
        rows.push(row.into_iter().map(|(name, value)| (name, value.get().to_owned())).collect());
    }
    Ok(Rows { name: name.to_owned(), rows, notes: Vec::new() })
}

async fn listed(lists: &Lists, list: &EachList) -> Result<Rows, SourceError> {
    let EachList { word, records, paginate: _ } = list;
    let (spec, access) = match Word::parse(word)? {
        Word::Url(url) => {
            let endpoint = Endpoint::new(url, &lists.http).map_err(|source| SourceError::Url { source })?;
            let access = Access::of_list(&endpoint.request, lists)?;
            (SourceSpec::new(endpoint.name, Location::Http(Box::new(endpoint.request))), access)
        }
        Word::Path(path) => {
            let open = |source| SourceError::Open { name: word.clone(), source };
            let path = std::path::absolute(path).map_err(open)?;
            (SourceSpec::new(word.clone(), Location::File(path)), Access::default())
        }
        Word::Object(_) => {
            let reason = "objects of a store are no list of rows; give a file or a URL".to_owned();
            return Err(SourceError::List { name: word.clone(), line: 0, reason });
        }
        Word::Table(_) => {
            let reason = "the rows of a database are asked for by --each-query".to_owned();
            return Err(SourceError::List { name: word.clone(), line: 0, reason });
        }
        Word::Stdin => {
            let reason = "standard input is no list of rows; give a file".to_owned();
            return Err(SourceError::List { name: word.clone(), line: 0, reason });
        }
    };
    let name = spec.name.clone();
    let reading = job::Reading { records: records.clone(), ..job::Reading::default() };
    let input = Input::new(spec, 0).await?;
    let mut opened = input.open(&reading, &access, &Begin::at(input.begin)).await?;
    let mut rows = Vec::new();
    while let Some((block, _)) = opened.next(&mut 0).await? {
        decode(&name, opened.layout(), &block, &mut rows)?;
        if rows.len() > MAX_SOURCES {
            return Err(SourceError::TooMany { pattern: name, limit: MAX_SOURCES });
        }
    }
    let notes = opened.take_note().into_iter().chain(access.take_notes()).collect();
    Ok(Rows { name, rows, notes })
}

fn decode(
    name: &str,
    layout: &Layout,
    block: &Block,
    rows: &mut Vec<EndpointRow>,
) -> Result<(), SourceError> {
    let mut failed = None;
    layout.decode(block, &DecodeLimits::default(), &mut |i, fields| match fields {
        Ok(Fields::Named(members)) => {
            rows.push(members.iter().map(|(name, raw)| (name.to_string(), (*raw).to_owned())).collect());
        }
        Ok(Fields::Mended(members)) => {
            let text = |value: &MendedValue<'_>| match value {
                MendedValue::Null => "null".to_owned(),
                MendedValue::Text(text) => serde_json::Value::from(text.as_ref()).to_string(),
                MendedValue::Json(raw) => raw.to_string(),
            };
            rows.push(members.iter().map(|(name, value)| (name.to_string(), text(value))).collect());
        }
        Ok(Fields::Positional(values)) => {
            let values = values.iter().map(|value| serde_json::Value::from(*value).to_string());
            rows.push(layout.header.iter().cloned().zip(values).collect());
        }
        Err(error) => {
            let line = usize::try_from(block.line_of(i)).unwrap_or_default();
            let reason = error.to_string();
            failed.get_or_insert(SourceError::List { name: name.to_owned(), line, reason });
        }
    });
    failed.map_or(Ok(()), Err)
}
