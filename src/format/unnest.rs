//! Records within records: of an order its lines, of a feature its properties. Each element of the array at a
//! place is a record, or the one object there; fields of what is around it may be handed down. Pure.

use bytes::Bytes;

use super::json;
use super::reshape::{VALUE, inside, quoted};
use crate::record::{Span, SpanKind, Text};

/// Records that are made of one at most: each takes a place in memory, though it may have two bytes.
const ELEMENTS_MAX: usize = 1 << 18;
/// Bytes that the records of one may have together, and so many times its own: what is handed down is there
/// once in each.
const MADE_BYTES_MAX: usize = 16 << 20;
const TIMES_MAX: usize = 64;
/// Of a short one they may be more.
const MADE_BYTES_MIN: usize = 4 << 10;

/// Where the records are in a piece of the source, and what they get of what is around them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Unnest {
    path: String,
    steps: Vec<String>,
    parents: Vec<HandedDown>,
    ordinal: Option<String>,
}

/// A field of what is around the records.
#[derive(Debug, Clone, PartialEq, Eq)]
struct HandedDown {
    /// As the user said it.
    path: String,
    steps: Vec<String>,
    /// The field that it becomes.
    field: String,
}

impl Unnest {
    /// The records at a dotted path or a JSON pointer.
    ///
    /// # Errors
    /// In words, when it is none.
    pub fn at(path: &str) -> Result<Self, String> {
        Ok(Self { steps: steps_of(path)?, path: path.to_owned(), ..Self::default() })
    }

    /// Each record gets a field of what is around it: `FIELD=COLUMN`, where the field may be a path.
    ///
    /// # Errors
    /// In words, when it is not so written.
    pub fn parent(&mut self, text: &str) -> Result<(), String> {
        match text.rsplit_once('=') {
            Some((path, field)) if !path.is_empty() && !field.is_empty() => {
                let (path, field) = (path.to_owned(), field.to_owned());
                self.parents.push(HandedDown { steps: steps_of(&path)?, path, field });
                Ok(())
            }
            _ => Err(format!("{text:?} is not FIELD=COLUMN")),
        }
    }

    /// Each record gets its number, from 1 on, in the list that it stands in.
    pub fn ordinal(&mut self, field: impl Into<String>) {
        self.ordinal = Some(field.into());
    }

    /// The fields that records get.
    pub fn fields(&self) -> impl Iterator<Item = &str> {
        self.parents.iter().map(|parent| parent.field.as_str()).chain(self.ordinal.as_deref())
    }

    /// What was said, flag by flag.
    #[must_use]
    pub fn settings(&self) -> Vec<(&'static str, Vec<String>)> {
        let parents = self.parents.iter().map(|parent| format!("{}={}", parent.path, parent.field)).collect();
        let ordinal = self.ordinal.iter().cloned().collect();
        vec![("unnest", vec![self.path.clone()]), ("parent", parents), ("ordinal", ordinal)]
    }

    /// Makes the records of a block of what stands in it.
    pub fn apply(&self, text: &mut Text) {
        let mut out = Vec::with_capacity(text.bytes.len());
        let mut spans = Vec::with_capacity(text.spans.len());
        for (i, span) in text.spans.iter().enumerate() {
            let raw = text.raw(i);
            let (before, first) = (out.len(), spans.len());
            let made = match (span.kind, std::str::from_utf8(raw)) {
                (SpanKind::Whole | SpanKind::Made { .. }, Ok(piece)) => {
                    self.records(piece, span, &mut out, &mut spans)
                }
                (kind, _) => Err(kind),
            };
            if let Err(kind) = made {
                out.truncate(before);
                spans.truncate(first);
                out.extend_from_slice(raw);
                let (start, end) = (at(before), at(out.len()));
                spans.push(Span { start, end, kind, ..*span });
            }
        }
        (text.bytes, text.spans) = (Bytes::from(out), spans);
    }

    /// The records of one piece; or what it is instead.
    fn records(
        &self,
        piece: &str,
        around: &Span,
        out: &mut Vec<u8>,
        spans: &mut Vec<Span>,
    ) -> Result<(), SpanKind> {
        let piece = piece.trim_matches([' ', '\t', '\r', '\n']);
        // No JSON, or no object: decoding says so.
        if !piece.starts_with('{') || serde_json::from_str::<serde::de::IgnoredAny>(piece).is_err() {
            return Err(around.kind);
        }
        let found = inside(piece, &self.steps).ok_or(SpanKind::Missing)?;
        let source_bytes = match around.kind {
            SpanKind::Made { source_bytes } => source_bytes,
            _ => around.end - around.start,
        };
        let handed: Vec<String> = self.handed_down(piece);
        let (before, first) = (out.len(), spans.len());
        let most = (MADE_BYTES_MIN + TIMES_MAX * piece.len()).min(MADE_BYTES_MAX.max(2 * piece.len()));
        let mut push = |element: &str| {
            let start = out.len();
            self.push(element, &handed, spans.len() - first + 1, out);
            let (start, end) = (at(start), at(out.len()));
            spans.push(Span { start, end, kind: SpanKind::Made { source_bytes }, ..*around });
            let is_too_much = spans.len() - first > ELEMENTS_MAX || out.len() - before > most;
            if is_too_much {
                Err(SpanKind::TooLong { record_bytes: u64::from(source_bytes) })
            } else {
                Ok(())
            }
        };
        match found.as_bytes().first() {
            Some(b'{') => push(found),
            Some(b'[') => json::elements(found).flatten().try_for_each(push),
            _ => Err(SpanKind::Missing),
        }
    }

    /// Members that each record gets, but for its number. What is missing is missing in them too.
    fn handed_down(&self, piece: &str) -> Vec<String> {
        let member = |parent: &HandedDown| {
            let value = json_at(piece, &parent.steps)?;
            Some(format!("{}:{value}", quoted(&parent.field)))
        };
        self.parents.iter().filter_map(member).collect()
    }

    /// An element as a record.
    fn push(&self, element: &str, handed: &[String], number: usize, out: &mut Vec<u8>) {
        out.push(b'{');
        let begin = out.len();
        let separate = |out: &mut Vec<u8>| {
            if out.len() > begin {
                out.push(b',');
            }
        };
        for member in handed {
            separate(out);
            out.extend_from_slice(member.as_bytes());
        }
        if let Some(field) = &self.ordinal {
            separate(out);
            out.extend_from_slice(format!("{}:{number}", quoted(field)).as_bytes());
        }
        match element.strip_prefix('{').map(str::trim_start) {
            Some(rest) => {
                if !rest.starts_with('}') {
                    separate(out);
                }
                out.extend_from_slice(rest.as_bytes());
            }
            None => {
                separate(out);
                out.extend_from_slice(format!("\"{VALUE}\":{element}}}").as_bytes());
            }
        }
    }
}

/// Positions in a block's bytes. A block's bytes are far below what its spans count in.
fn at(position: usize) -> u32 {
    u32::try_from(position).unwrap_or(u32::MAX)
}

/// The value at the end of a way, null as well; `None`: it is missing.
fn json_at<'t>(piece: &'t str, steps: &[String]) -> Option<&'t str> {
    let mut at = piece;
    for step in steps {
        at = match at.as_bytes().first()? {
            b'{' => json::members(at).flatten().filter(|(name, _)| name == step).last()?.1,
            b'[' => json::elements(at).flatten().nth(step.parse().ok()?)?,
            // Null, or another scalar, in place of what has the field.
            _ => return Some("null"),
        };
    }
    Some(at)
}

fn steps_of(path: &str) -> Result<Vec<String>, String> {
    let steps: Vec<String> = match path.strip_prefix('/') {
        Some(pointer) => pointer.split('/').map(|name| name.replace("~1", "/").replace("~0", "~")).collect(),
        None => path.split('.').map(str::to_owned).collect(),
    };
    if path.is_empty() || path == "/" || (!path.starts_with('/') && steps.iter().any(String::is_empty)) {
        return Err(format!("{path:?} is no path: a.b or /a/b"));
    }
    Ok(steps)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(unnest: &Unnest, pieces: &[&str]) -> Vec<String> {
        let (mut bytes, mut spans) = (Vec::new(), Vec::new());
        for (i, piece) in pieces.iter().enumerate() {
            let start = at(bytes.len());
            bytes.extend_from_slice(piece.as_bytes());
            let (end, line) = (at(bytes.len()), i as u64 + 1);
            bytes.push(b'\n');
            let end_offset = bytes.len() as u64;
            spans.push(Span { start, end, line, end_line: line, end_offset, kind: SpanKind::Whole });
        }
        let mut text = Text { bytes: bytes.into(), spans };
        unnest.apply(&mut text);
        (0..text.spans.len())
            .map(|i| {
                let (span, raw) = (text.spans[i], std::str::from_utf8(text.raw(i)).unwrap());
                match span.kind {
                    SpanKind::Made { .. } => format!("{} {raw}", span.line),
                    kind => format!("{} {kind:?} {raw}", span.line),
                }
            })
            .collect()
    }

    #[test]
    fn each_element_is_a_record_and_an_empty_list_has_none() {
        let mut unnest = Unnest::at("order.lines").unwrap();
        unnest.parent("id=order_id").unwrap();
        unnest.parent("order.by.name=buyer").unwrap();
        unnest.ordinal("line_no");
        assert_eq!(unnest.fields().collect::<Vec<_>>(), ["order_id", "buyer", "line_no"]);
        let pieces = [
            r#"{"id":7,"order":{"by":{"name":"A"},"lines":[{"sku":"a"}, { } ,5,null]}}"#,
            r#"{"id":8,"order":{"lines":[]}}"#,
            r#"{"id":null,"order":{"by":null,"lines":{"sku":"b"}}}"#,
            r#"{"id":9}"#,
            r#"{"id":9,"order":{"lines":null}}"#,
            r#"{"id":9,"order":{"lines":"x"}}"#,
            r#"{"id":9,"order":{"lines":[1}}"#,
            "[1]",
        ];
        assert_eq!(
            made(&unnest, &pieces),
            [
                r#"1 {"order_id":7,"buyer":"A","line_no":1,"sku":"a"}"#,
                r#"1 {"order_id":7,"buyer":"A","line_no":2}"#,
                r#"1 {"order_id":7,"buyer":"A","line_no":3,"value":5}"#,
                r#"1 {"order_id":7,"buyer":"A","line_no":4,"value":null}"#,
                r#"3 {"order_id":null,"buyer":null,"line_no":1,"sku":"b"}"#,
                r#"4 Missing {"id":9}"#,
                r#"5 Missing {"id":9,"order":{"lines":null}}"#,
                r#"6 Missing {"id":9,"order":{"lines":"x"}}"#,
                r#"7 Whole {"id":9,"order":{"lines":[1}}"#,
                "8 Whole [1]",
            ]
        );
        let plain = Unnest::at("/a~1b/0").unwrap();
        assert_eq!(made(&plain, &[" {\"a/b\":[[{\"x\":1},{}]]}\t\r"]), [r#"1 {"x":1}"#, "1 {}"]);
        for bad in ["", "/", "a..b", "."] {
            assert!(Unnest::at(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_record_of_too_many_is_one_reject() {
        let unnest = Unnest::at("a").unwrap();
        let many = format!("{{\"a\":[{}]}}", vec!["1"; ELEMENTS_MAX + 1].join(","));
        let made = made(&unnest, &[&many, r#"{"a":[1]}"#]);
        assert_eq!(made.len(), 2);
        assert!(made[0].starts_with("1 TooLong") && made[1] == r#"2 {"value":1}"#);
    }
}
