//! JSON by columns: `{"id":[1,2],"v":["a","b"]}`, as many APIs give series, and `{"id":{"0":1,"1":2},..}`, as
//! pandas writes frames. One such object is many records. What is not by columns stands in each of them.

use std::borrow::Cow;

use bytes::Bytes;

use super::json;
use crate::record::{Span, SpanKind, Text};

/// The field of the names that pandas gives rows, where they are no numbers of rows.
const INDEX: &str = "index";
/// Records that one object may make: more than fit into a block are no series.
const BYTES_MAX: usize = 1 << 30;

/// Whether an object seems to be columns: each member, as far as it is seen, is a list of plain values, and
/// all are equally long.
pub(super) fn looks_so(head: &[u8]) -> bool {
    let text = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head).trim_ascii_start();
    let Some(mut rest) = text.strip_prefix(b"{") else { return false };
    let (mut columns, mut length) = (0, None);
    loop {
        rest = rest.trim_ascii_start();
        let Some((_, behind)) = string(rest) else { return columns > 0 };
        let behind = behind.trim_ascii_start();
        let Some(behind) = behind.strip_prefix(b":") else { return columns > 0 && behind.is_empty() };
        let behind = behind.trim_ascii_start();
        let Some(list) = behind.strip_prefix(b"[") else { return columns > 0 && behind.is_empty() };
        columns += 1;
        match plain_values(list) {
            PlainList::Other => return false,
            PlainList::Open(count) => {
                return length.is_none_or(|length| count <= length) && (columns > 1 || count > 1);
            }
            PlainList::Closed(count, behind) => {
                if count < 2 || length.is_some_and(|length| length != count) {
                    return false;
                }
                length = Some(count);
                rest = behind.trim_ascii_start();
            }
        }
        match rest.first() {
            Some(b',') => rest = &rest[1..],
            Some(b'}') => return columns > 1 && rest[1..].trim_ascii().is_empty(),
            Some(_) => return false,
            None => return true,
        }
    }
}

enum PlainList<'t> {
    /// Some of it are objects or lists.
    Other,
    /// It ends behind what is seen.
    Open(usize),
    Closed(usize, &'t [u8]),
}

/// The plain values of a list behind its bracket.
fn plain_values(mut rest: &[u8]) -> PlainList<'_> {
    let mut count = 0;
    loop {
        rest = rest.trim_ascii_start();
        match rest.first() {
            None => return PlainList::Open(count),
            Some(b'{' | b'[') => return PlainList::Other,
            Some(b']') => return PlainList::Closed(count, &rest[1..]),
            Some(b',') => rest = &rest[1..],
            Some(b'"') => {
                count += 1;
                match string(rest) {
                    Some((_, behind)) => rest = behind,
                    None => return PlainList::Open(count),
                }
            }
            Some(_) => {
                count += 1;
                let end = rest.iter().position(|byte| matches!(byte, b',' | b']'));
                match end {
                    Some(end) => rest = &rest[end..],
                    None => return PlainList::Open(count),
                }
            }
        }
    }
}

/// A string in quotes, and what is behind it.
fn string(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let inner = text.strip_prefix(b"\"")?;
    let mut at = 0;
    loop {
        at += memchr::memchr2(b'"', b'\\', inner.get(at..)?)?;
        if inner[at] == b'"' {
            return Some((&inner[..at], &inner[at + 1..]));
        }
        at += 2;
    }
}

/// Makes records of objects. What is no object is left as it is, and refused where it is decoded.
///
/// # Errors
/// In words, when the columns of an object do not belong together.
pub fn expand(text: &mut Text) -> Result<(), String> {
    let (mut out, mut spans) = (Vec::new(), Vec::new());
    for i in 0..text.spans.len() {
        let span = text.spans[i];
        let piece = std::str::from_utf8(text.raw(i)).ok().filter(|piece| piece.starts_with('{'));
        let rows = match piece {
            Some(piece) if span.kind == SpanKind::Whole => rows_of(piece)?,
            _ => vec![String::from_utf8_lossy(text.raw(i)).into_owned()],
        };
        let kind = match span.kind {
            SpanKind::Whole => SpanKind::Made { source_bytes: span.end - span.start },
            kind => kind,
        };
        for row in rows {
            let start = out.len();
            out.extend_from_slice(row.as_bytes());
            if out.len() > BYTES_MAX {
                return Err("its records are longer than 1 GiB together".to_owned());
            }
            let narrow = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
            spans.push(Span { start: narrow(start), end: narrow(out.len()), kind, ..span });
        }
    }
    text.bytes = Bytes::from(out);
    text.spans = spans;
    Ok(())
}

/// Values with the names of their rows.
type RowValues<'t> = [(Cow<'t, str>, &'t str)];

/// A member of an object of columns.
enum JsonColumn<'t> {
    List(Vec<&'t str>),
    /// Values with the names of their rows.
    Named(Vec<(Cow<'t, str>, &'t str)>),
    /// One for all.
    Same(&'t str),
}

fn column(value: &str) -> Result<JsonColumn<'_>, String> {
    let wrong = |error: json::StringError| error.to_string();
    Ok(match value.as_bytes().first() {
        Some(b'[') => JsonColumn::List(json::elements(value).collect::<Result<_, _>>().map_err(wrong)?),
        Some(b'{') => JsonColumn::Named(json::members(value).collect::<Result<_, _>>().map_err(wrong)?),
        _ => JsonColumn::Same(value),
    })
}

/// The rows of an object, each a JSON object.
fn rows_of(object: &str) -> Result<Vec<String>, String> {
    let mut columns = Vec::new();
    for member in json::members(object) {
        let (name, value) = member.map_err(|error| error.to_string())?;
        columns.push((name, column(value)?));
    }
    let mut rows: Option<(usize, &str)> = None;
    let mut names: Option<(&RowValues<'_>, &str)> = None;
    for (name, column) in &columns {
        let length = match column {
            JsonColumn::List(values) => values.len(),
            JsonColumn::Named(values) => {
                let same = |one: &RowValues<'_>| {
                    one.iter().map(|(name, _)| name).eq(values.iter().map(|(name, _)| name))
                };
                match names {
                    Some((first, of)) if !same(first) => {
                        return Err(format!("the columns {of:?} and {name:?} have other rows"));
                    }
                    Some(_) => {}
                    None => names = Some((values, name.as_ref())),
                }
                values.len()
            }
            JsonColumn::Same(_) => continue,
        };
        match rows {
            Some((other, of)) if other != length => {
                return Err(format!("the column {of:?} has {other} values, and {name:?} has {length}"));
            }
            Some(_) => {}
            None => rows = Some((length, name.as_ref())),
        }
    }
    let Some((count, _)) = rows else { return Err("no member of its object is a column".to_owned()) };
    let index = names.map(|(names, _)| names).filter(|names| {
        let is_number = |(i, (name, _)): (usize, &(Cow<'_, str>, &str))| name.parse() == Ok(i);
        !names.iter().enumerate().all(is_number) && !columns.iter().any(|(name, _)| name == INDEX)
    });
    let fields: Vec<String> =
        columns.iter().map(|(name, _)| serde_json::Value::from(name.as_ref()).to_string()).collect();
    Ok((0..count).map(|i| row(i, index, &fields, &columns)).collect())
}

fn row(
    i: usize,
    index: Option<&RowValues<'_>>,
    fields: &[String],
    columns: &[(Cow<'_, str>, JsonColumn<'_>)],
) -> String {
    let mut object = String::from("{");
    if let Some((name, _)) = index.and_then(|names| names.get(i)) {
        object.push_str(&format!("\"{INDEX}\":{}", serde_json::Value::from(name.as_ref())));
    }
    for (field, (_, column)) in fields.iter().zip(columns) {
        let value = match column {
            JsonColumn::List(values) => values.get(i).copied(),
            JsonColumn::Named(values) => values.get(i).map(|(_, value)| *value),
            JsonColumn::Same(value) => Some(*value),
        };
        if object.len() > 1 {
            object.push(',');
        }
        object.push_str(field);
        object.push(':');
        object.push_str(value.unwrap_or("null"));
    }
    object.push('}');
    object
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_of_lists_are_told_from_records_with_lists() {
        for (head, expected) in [
            (r#"{"a":[1,2],"b":["x","]y"]}"#, true),
            (r#"{"a":[1,2],"b":["x"]}"#, false),
            (r#"{"a":[1,2]}"#, false),
            (r#"{"a":[1],"b":[2]}"#, false),
            (r#"{"a":[1,2],"b":[{"c":1},{"c":2}]}"#, false),
            (r#"{"a":[1,2],"b":3}"#, false),
            (r#"{"a":1,"b":[1,2]}"#, false),
            (r#"{"a":["2026-01-01","2026-01-"#, true),
            (r#"{"a":[1,2,3],"b":[1,2"#, true),
            (r#"{"a":[1,2],"b":[1,2,3"#, false),
            (r#"{"a":[1,2],"b":[1,2]} {"a":[1,2]}"#, false),
            (r#"[{"a":[1,2]}]"#, false),
            ("{}", false),
        ] {
            assert_eq!(looks_so(head.as_bytes()), expected, "{head}");
        }
    }

    #[test]
    fn each_place_of_the_columns_is_a_record() {
        for (object, expected) in [
            (r#"{"a":[1,2.50],"b":["x",null]}"#, Ok(r#"{"a":1,"b":"x"} {"a":2.50,"b":null}"#)),
            (r#"{"u":"C","t":[1,2]}"#, Ok(r#"{"u":"C","t":1} {"u":"C","t":2}"#)),
            (r#"{"a":{"0":1,"1":2},"b":{"0":3,"1":4}}"#, Ok(r#"{"a":1,"b":3} {"a":2,"b":4}"#)),
            (r#"{"a":{"x":1,"y":2}}"#, Ok(r#"{"index":"x","a":1} {"index":"y","a":2}"#)),
            (r#"{"a":[]}"#, Ok("")),
            (r#"{"a":[1,2],"b":[1]}"#, Err("the column \"a\" has 2 values, and \"b\" has 1")),
            (r#"{"a":{"x":1},"b":{"y":1}}"#, Err("the columns \"a\" and \"b\" have other rows")),
            (r#"{"a":1}"#, Err("no member of its object is a column")),
        ] {
            let rows = rows_of(object).map(|rows| rows.join(" "));
            assert_eq!(rows, expected.map(str::to_owned).map_err(str::to_owned), "{object}");
        }
    }
}
