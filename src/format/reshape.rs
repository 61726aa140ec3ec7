//! From the pieces that a splitter finds in a JSON text to records: the member of an element that is the
//! record, an object with the name that it had in another, a row with the names of its values.
//!
//! Pieces that are records themselves, which are nearly all, are none of its business. Pure.

use std::borrow::Cow;

use bytes::Bytes;

use super::records_path::{PieceOf, RecordsPath};
use super::{Format, json};
use crate::record::{Span, SpanKind, Text};

/// The field that a member without members of its own gets: `{"2024-01-01": 1.08}`.
pub(super) const VALUE: &str = "value";

/// More bytes are not made of one block: spans count them in 32 bits.
const BYTES_MAX: usize = 1 << 31;

/// What records are made of.
#[derive(Debug, Clone)]
pub struct Reshape {
    inner: Vec<String>,
    /// Pieces are members: the field that their names become, if any.
    member: Option<Option<String>>,
}

/// What a piece of the source came to.
enum Reshaped<'t> {
    /// The record stands in it.
    Within(&'t str),
    Text(String),
    None(SpanKind),
}

impl Reshape {
    /// For the pieces of a source of this format; `None`: they are its records. `rows`: some may be arrays.
    #[must_use]
    pub fn of(format: &Format, rows: bool) -> Option<Self> {
        let path = match format {
            // What is there is one piece, and becomes records of its own.
            Format::JsonColumns { .. } => return None,
            Format::Json { records: Some(path) } => RecordsPath::of(path),
            Format::Json { records: None } | Format::Jsonl => RecordsPath::of(""),
            Format::Xml { .. }
            | Format::Bulk
            | Format::Csv(_)
            | Format::Fixed(_)
            | Format::Rejects
            | Format::Columns { .. } => {
                return None;
            }
        };
        let needed = rows || path.has_shape();
        let member = match path.each {
            PieceOf::Element => None,
            PieceOf::Member(name) => Some(name),
        };
        needed.then_some(Self { inner: path.inner, member })
    }

    /// Makes the records of a block. `names`: of the values of rows.
    pub fn apply(&self, text: &mut Text, names: Option<&[String]>) {
        let makes_text = names.is_some() || matches!(self.member, Some(Some(_)));
        let mut out = Vec::new();
        for i in 0..text.spans.len() {
            let Span { start, end, kind, .. } = text.spans[i];
            let raw = text.raw(i);
            let made = match (kind, std::str::from_utf8(raw)) {
                (SpanKind::Whole, Ok(piece)) => self.record(piece, names),
                (kind, _) => Reshaped::None(kind),
            };
            let (record, kind) = match &made {
                Reshaped::Within(part) => (part.as_bytes(), SpanKind::Made { source_bytes: end - start }),
                Reshaped::Text(text) => (text.as_bytes(), SpanKind::Made { source_bytes: end - start }),
                Reshaped::None(kind) => (raw, *kind),
            };
            let length = record.len();
            let begin = if makes_text {
                out.extend_from_slice(record);
                out.len() - length
            } else {
                record.as_ptr().addr() - text.bytes.as_ptr().addr()
            };
            let place = (u32::try_from(begin), u32::try_from(begin + length));
            let span = &mut text.spans[i];
            (span.start, span.end, span.kind) = match place {
                (Ok(start), Ok(end)) if out.len() <= BYTES_MAX => (start, end, kind),
                _ => {
                    out.truncate(begin);
                    (0, 0, SpanKind::TooLong { record_bytes: u64::from(end - start) })
                }
            };
        }
        if makes_text {
            text.bytes = Bytes::from(out);
        }
    }

    fn record<'t>(&self, piece: &'t str, names: Option<&[String]>) -> Reshaped<'t> {
        let (key, value) = match &self.member {
            None => (None, piece),
            Some(field) => match member_of(piece) {
                Some((key, value)) => (field.as_deref().map(|field| (field, key)), value),
                // No JSON: decoding says so.
                None => return Reshaped::Within(piece),
            },
        };
        let Some(value) = inside(value, &self.inner) else { return Reshaped::None(SpanKind::Missing) };
        let row = match names {
            Some(names) if value.starts_with('[') => match row(value, names) {
                Ok(object) => Cow::Owned(object),
                Err(kind) => return Reshaped::None(kind),
            },
            _ => Cow::Borrowed(value),
        };
        match (key, row) {
            (Some((field, key)), row) => Reshaped::Text(with_key(field, key, &row)),
            (None, Cow::Owned(object)) => Reshaped::Text(object),
            (None, Cow::Borrowed(value)) => Reshaped::Within(value),
        }
    }
}

/// Name (with its quotes) and value of a piece that is a member.
fn member_of(piece: &str) -> Option<(&str, &str)> {
    let bytes = piece.as_bytes();
    let mut at = 1;
    loop {
        at += memchr::memchr2(b'"', b'\\', bytes.get(at..)?)?;
        if bytes[at] == b'"' {
            break;
        }
        at += 2;
    }
    let (key, rest) = piece.split_at_checked(at + 1)?;
    Some((key, rest.trim_start().strip_prefix(':')?.trim_start()))
}

/// The value at the end of a way; `None`: it leads nowhere.
pub(super) fn inside<'t>(value: &'t str, way: &[String]) -> Option<&'t str> {
    let mut at = value;
    for step in way {
        at = match at.as_bytes().first()? {
            b'{' => json::members(at).flatten().filter(|(name, _)| name == step).last()?.1,
            b'[' => json::elements(at).flatten().nth(step.parse().ok()?)?,
            _ => return None,
        };
    }
    (way.is_empty() || at != "null").then_some(at)
}

/// An object of the values of a row.
fn row(array: &str, names: &[String]) -> Result<String, SpanKind> {
    let mut object =
        String::with_capacity(array.len() + names.iter().map(|name| name.len() + 4).sum::<usize>());
    let mut found = 0;
    for value in json::elements(array) {
        // No JSON: what is wrong with it is said by decoding.
        let Ok(value) = value else { return Ok(array.to_owned()) };
        if let Some(name) = names.get(found) {
            object.push(if found == 0 { '{' } else { ',' });
            object.push_str(&quoted(name));
            object.push(':');
            object.push_str(value);
        }
        found += 1;
    }
    if found != names.len() {
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        return Err(SpanKind::Ragged { expected: count(names.len()), found: count(found) });
    }
    object.push_str(if found == 0 { "{}" } else { "}" });
    Ok(object)
}

/// A record with the name that it had.
fn with_key(field: &str, key: &str, record: &str) -> String {
    let field = quoted(field);
    let members = record.strip_prefix('{').map(str::trim_start);
    match members {
        Some(rest) if rest.starts_with('}') => format!("{{{field}:{key}}}"),
        Some(rest) => format!("{{{field}:{key},{rest}"),
        None => format!("{{{field}:{key},\"{VALUE}\":{record}}}"),
    }
}

pub(super) fn quoted(name: &str) -> String {
    serde_json::Value::from(name).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::{Limits, Splitter};
    use crate::record::Position;

    /// The records of a text as they are decoded, cut in pieces of so many bytes.
    fn records(path: &str, names: Option<&[&str]>, text: &str, step: usize) -> Vec<String> {
        let format = Format::Json { records: Some(path.to_owned()).filter(|path| !path.is_empty()) };
        let names: Option<Vec<String>> =
            names.map(|names| names.iter().map(|&name| name.to_owned()).collect());
        let reshape = Reshape::of(&format, names.is_some()).expect("a shape");
        let mut splitter = Splitter::new(&format, Limits::default(), Position::start_of(0));
        let (mut from, mut to, mut seen) = (0, 0, Vec::new());
        loop {
            let mut spans = Vec::new();
            let last = to == text.len();
            let done = splitter.split(&text.as_bytes()[from..to], last, &mut spans).expect(text);
            let bytes = Bytes::copy_from_slice(&text.as_bytes()[from..from + done]);
            let mut block = Text { bytes, spans };
            reshape.apply(&mut block, names.as_deref());
            for (i, span) in block.spans.iter().enumerate() {
                let raw = String::from_utf8(block.raw(i).to_vec()).unwrap();
                seen.push(match span.kind {
                    SpanKind::Made { .. } => raw,
                    kind => format!("{kind:?} {raw}"),
                });
            }
            from += done;
            if last && done == 0 && block.spans.is_empty() {
                return seen;
            }
            to = text.len().min(to + step);
        }
    }

    #[track_caller]
    fn check(path: &str, names: Option<&[&str]>, text: &str, expected: &[&str]) {
        for step in [text.len(), 1, 2, 3, 7] {
            assert_eq!(records(path, names, text, step), expected, "{path} in steps of {step}");
        }
    }

    #[test]
    fn a_member_of_each_element_is_the_record() {
        check(
            "data.orders.edges[].node",
            None,
            r#"{"data":{"orders":{"edges":[{"cursor":"a","node":{"id":1}},{"node" : {"id":2},"node":{"id":3}}]}}}"#,
            &[r#"{"id":1}"#, r#"{"id":3}"#],
        );
        check(
            "hits[]._source",
            None,
            r#"{"hits":[{"_source":{"a":"]}"}},{"_id":"7"},{"_source":null},4]}"#,
            &[r#"{"a":"]}"}"#, r#"Missing {"_id":"7"}"#, r#"Missing {"_source":null}"#, "Missing 4"],
        );
        check("[].r.1", None, r#"[{"r":[0,{"a":1}]}]"#, &[r#"{"a":1}"#]);
    }

    #[test]
    fn members_of_an_object_are_records_with_their_names() {
        check(
            "rates.{date}",
            None,
            "{\"base\":{\"a\":1},\"rates\":{ \"2024-01-01\" : {\"USD\":1.1} ,\n\"b\\\"}\":{ },\"c\":1.08,\"d\":[1]},\"x\":{\"y\":[]}}",
            &[
                r#"{"date":"2024-01-01","USD":1.1}"#,
                r#"{"date":"b\"}"}"#,
                r#"{"date":"c","value":1.08}"#,
                r#"{"date":"d","value":[1]}"#,
            ],
        );
        check("{}", None, r#"{"a":{"id":1},"b":{"id":2}} {}"#, &[r#"{"id":1}"#, r#"{"id":2}"#]);
        check(
            "data.{sym}.quote",
            None,
            r#"{"data":{"BTC":{"quote":{"p":1}},"ETH":{}}}"#,
            &[r#"{"sym":"BTC","p":1}"#, r#"Missing "ETH":{}"#],
        );
        check("/1/{k}", None, r#"[{"k":{"x":{}}},{"a":{"v":1}}]"#, &[r#"{"k":"a","v":1}"#]);
    }

    #[test]
    fn rows_get_the_names_of_their_values() {
        check(
            "rows",
            Some(&["id", "a\"b"]),
            r#"{"rows":[[1,"x,]"],[2],[3,null,4],{"id":9},[ ]]}"#,
            &[
                r#"{"id":1,"a\"b":"x,]"}"#,
                "Ragged { expected: 2, found: 1 } [2]",
                "Ragged { expected: 2, found: 3 } [3,null,4]",
                r#"{"id":9}"#,
                "Ragged { expected: 2, found: 0 } [ ]",
            ],
        );
        check("", Some(&["a"]), "[[1],[2]]", &[r#"{"a":1}"#, r#"{"a":2}"#]);
        check("{day}", Some(&["n"]), r#"{"mon":[1]}"#, &[r#"{"day":"mon","n":1}"#]);
    }
}
