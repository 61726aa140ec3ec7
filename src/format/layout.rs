//! How the fields of a source's records are found and named: its format, its header, and the constants that
//! every record of it gets (the fields that a list of URLs adds to what their endpoints return).
//!
//! A constant is one more field behind those of the record. One that goes to the same column as a field of
//! the record is two fields on one column, and refused like any two. Pure.

use std::borrow::Cow;

use super::decode::{DecodeError, DecodeLimits, Each, decode_block};
use super::{Fields, Format, MendedValue, columns};
use crate::record::{Block, Content};

/// A field that every record of a source gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Constant {
    /// Name of the field that each record gets.
    pub name: String,
    /// Its value as JSON.
    json: String,
    /// Its value as delimited text has it; `None` is NULL.
    text: Option<String>,
}

impl Constant {
    /// A constant of this value, a JSON text: what is no string stays as it is written, numbers digit for
    /// digit.
    #[must_use]
    pub fn new(name: impl Into<String>, json: &str) -> Self {
        let text = match json.as_bytes().first() {
            Some(b'n') => None,
            // A string that has no characters (half a surrogate pair) is refused where it is read.
            Some(b'"') => Some(serde_json::from_str(json).unwrap_or_else(|_| json.to_owned())),
            _ => Some(json.to_owned()),
        };
        Self { name: name.into(), json: json.to_owned(), text }
    }
}

/// What the records of one source are decoded by.
#[derive(Debug, Clone)]
pub struct Layout {
    /// The format of the source.
    pub format: Format,
    /// Names of positional fields.
    pub header: Vec<String>,
    /// Further fields, the same in each record.
    pub constants: Vec<Constant>,
}

impl Layout {
    /// Names of positional fields with those of the constants behind them: what [`Fields::Positional`]
    /// follows.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        if self.header.is_empty() && !self.format.has_header() {
            return Vec::new();
        }
        self.header.iter().chain(self.constants.iter().map(|constant| &constant.name)).cloned().collect()
    }

    /// Names of the constants.
    pub fn constant_names(&self) -> impl Iterator<Item = &str> {
        self.constants.iter().map(|constant| constant.name.as_str())
    }

    /// Values are pieces of their record's text: what must be escaped in one stands in the other too.
    #[must_use]
    pub fn has_values_from_text(&self) -> bool {
        self.format.has_values_from_text() && self.constants.is_empty()
    }

    /// The record as JSON, of a block that has no bytes of it.
    #[must_use]
    pub fn shown(&self, block: &Block, i: usize) -> Option<String> {
        match &block.content {
            Content::Text(_) => None,
            Content::Columns(rows) => columns::row_as_json(rows, i),
        }
    }

    /// Decodes each record of the block in order: `each` is called exactly once a span.
    pub fn decode(&self, block: &Block, limits: &DecodeLimits, each: &mut Each<'_>) {
        if self.constants.is_empty() {
            return self.decode_own(block, limits, each);
        }
        self.decode_own(block, limits, &mut |i, fields| self.extend(i, fields, each));
    }

    fn decode_own(&self, block: &Block, limits: &DecodeLimits, each: &mut Each<'_>) {
        match &block.content {
            Content::Text(_) => decode_block(&self.format, &self.header, block, limits, each),
            Content::Columns(rows) => columns::decode(rows, limits, each),
        }
    }

    fn extend(&self, i: usize, fields: Result<Fields<'_, '_>, DecodeError>, each: &mut Each<'_>) {
        match fields {
            Err(error) => each(i, Err(error)),
            Ok(Fields::Named(members)) => {
                let constants =
                    self.constants.iter().map(|c| (Cow::Borrowed(c.name.as_str()), c.json.as_str()));
                let members: Vec<_> =
                    members.iter().map(|(name, raw)| (name.clone(), *raw)).chain(constants).collect();
                each(i, Ok(Fields::Named(&members)));
            }
            Ok(Fields::Mended(members)) => {
                let constants = self.constants.iter().map(|constant| {
                    let text = constant.text.as_deref();
                    let value = text.map_or(MendedValue::Null, |text| MendedValue::Text(text.into()));
                    (Cow::Borrowed(constant.name.as_str()), value)
                });
                let members: Vec<_> = members.iter().cloned().chain(constants).collect();
                each(i, Ok(Fields::Mended(&members)));
            }
            Ok(Fields::Positional(values)) => {
                let constants = self.constants.iter().map(|constant| constant.text.as_deref());
                let values: Vec<_> = values.iter().copied().chain(constants).collect();
                each(i, Ok(Fields::Positional(&values)));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::{Dialect, Limits, Splitter};
    use crate::record::{Position, Text};

    fn fields(format: Format, header: &[&str], text: &str) -> Vec<String> {
        let constants = ["{\"a\":1}", "\"x\"", "null"];
        let constants = constants.iter().enumerate();
        let constants = constants.map(|(i, json)| Constant::new(format!("c{i}"), json));
        let header = header.iter().map(|name| (*name).to_owned()).collect();
        let layout = Layout { format, header, constants: constants.collect() };
        let start = Position::start_of(0);
        let mut splitter = Splitter::new(&layout.format, Limits::default(), start);
        let mut spans = Vec::new();
        splitter.split(text.as_bytes(), true, &mut spans).expect("records");
        let bytes = bytes::Bytes::copy_from_slice(text.as_bytes());
        let block = Block::of_text(start, splitter.position(), Text { bytes, spans });
        let mut seen = Vec::new();
        layout.decode(&block, &DecodeLimits::default(), &mut |_, fields| {
            seen.push(match fields {
                Ok(Fields::Named(members)) => format!("{members:?}"),
                Ok(Fields::Mended(members)) => format!("{members:?}"),
                Ok(Fields::Positional(values)) => format!("{:?} {values:?}", layout.names()),
                Err(error) => error.to_string(),
            });
        });
        seen
    }

    #[test]
    fn constants_are_fields_behind_those_of_the_record() {
        assert_eq!(
            fields(Format::Jsonl, &[], "{\"v\":2}\nx\n"),
            [
                r#"[("v", "2"), ("c0", "{\"a\":1}"), ("c1", "\"x\""), ("c2", "null")]"#,
                "expected a JSON object, found no JSON (byte 1 of the record)"
            ]
        );
        assert_eq!(
            fields(Format::Csv(Dialect::delimited_by(b',')), &["v", "w"], "2,\n1\n"),
            [
                r#"["v", "w", "c0", "c1", "c2"] [Some("2"), None, Some("{\"a\":1}"), Some("x"), None]"#,
                "expected 2 fields as in the header, found 1 (byte 1 of the record)"
            ]
        );
    }
}
