//! The writer's schema, as far as it says where a value ends.
//!
//! Names are resolved as the decoder resolves them, and what it might read as something else is refused: the
//! two must agree about every byte.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::input::columns::error::ColumnsError;

/// Values within values; the decoder goes down a level of the stack for each.
const DEPTH_MAX: u32 = 64;
/// What the decoder has ready for each value of a row.
const DECODER_BYTES: u64 = 8 * 1024;
/// Copies of names and attributes that it has of each.
const COPIES: u64 = 4;
/// What a value takes at most, once decoded, beyond its own bytes: a decimal of the longer kind more.
const VALUE_BYTES: u64 = 16;
const DECIMAL_BYTES: u64 = 32;
/// Memory of a schema that is read, for each byte of it.
const PARSED: u64 = 32;
/// Words that name no type of a user's: the decoder takes them for one, where all else fails.
const RESERVED: &[&str] = &[
    "null", "boolean", "int", "long", "float", "double", "bytes", "string", "record", "enum", "array", "map",
    "fixed",
];

/// A type of values.
#[derive(Debug, Clone)]
pub(super) struct AvroType {
    pub(super) shape: AvroShape,
    /// Bytes that one takes once decoded, also where it is null; items and text come on top.
    pub(super) width: u64,
    /// Whether it takes no bytes.
    pub(super) is_empty: bool,
    /// Memory of its decoder.
    weight: u64,
    depth: u32,
}

#[derive(Debug, Clone)]
pub(super) enum AvroShape {
    Flag,
    /// An int or a long.
    Number,
    /// So many bytes; none for null.
    Bytes(usize),
    /// Bytes or text, behind their length.
    Text,
    /// One of so many symbols.
    Symbol(u64),
    Array(Arc<AvroType>),
    Map(Arc<AvroType>),
    Union(Arc<[AvroType]>),
    Record(Arc<[AvroType]>),
}

impl AvroType {
    /// Of a row, whose decoder takes no more memory than this.
    pub(super) fn of_row(schema: &[u8], limit: u64) -> Result<Self, ColumnsError> {
        let may_be = |needed: u64| match needed <= limit {
            true => Ok(()),
            false => Err(ColumnsError::TooMuchMemory { needed, limit }),
        };
        may_be(PARSED.saturating_mul(schema.len() as u64))?;
        let schema: Value = serde_json::from_slice(schema)
            .map_err(|error| ColumnsError::Damaged(format!("its schema is no JSON: {error}")))?;
        let kind = AvroNames(HashMap::new()).kind(&schema, "")?;
        may_be(kind.weight)?;
        Ok(kind)
    }

    const fn leaf(shape: AvroShape, width: u64) -> Self {
        let is_empty = matches!(shape, AvroShape::Bytes(0));
        Self { shape, width, is_empty, weight: DECODER_BYTES, depth: 1 }
    }

    /// One that holds others.
    fn around(shape: AvroShape, width: u64, is_empty: bool, inner: &[Self]) -> Result<Self, ColumnsError> {
        let depth = inner.iter().map(|kind| kind.depth).max().unwrap_or(0) + 1;
        if depth > DEPTH_MAX {
            return Err(damaged(&format!("values within values, more than {DEPTH_MAX}")));
        }
        let weight = inner.iter().fold(DECODER_BYTES, |sum, kind| sum.saturating_add(kind.weight));
        Ok(Self { shape, width, is_empty, weight, depth })
    }

    fn with_weight(mut self, bytes: usize) -> Self {
        self.weight = self.weight.saturating_add(COPIES.saturating_mul(bytes as u64));
        self
    }
}

fn damaged(how: &str) -> ColumnsError {
    ColumnsError::Damaged(format!("its schema has {how}"))
}

fn sum(kinds: &[AvroType]) -> u64 {
    kinds.iter().fold(0, |sum, kind| sum.saturating_add(kind.width))
}

fn primitive(word: &str) -> Option<AvroType> {
    Some(match word {
        "null" => AvroType::leaf(AvroShape::Bytes(0), VALUE_BYTES),
        "boolean" => AvroType::leaf(AvroShape::Flag, VALUE_BYTES),
        "int" | "long" => AvroType::leaf(AvroShape::Number, VALUE_BYTES),
        "float" => AvroType::leaf(AvroShape::Bytes(4), VALUE_BYTES),
        "double" => AvroType::leaf(AvroShape::Bytes(8), VALUE_BYTES),
        "bytes" => AvroType::leaf(AvroShape::Text, DECIMAL_BYTES),
        "string" => AvroType::leaf(AvroShape::Text, VALUE_BYTES),
        _ => return None,
    })
}

/// Types that have a name, each from behind its own definition on: the decoder knows none within itself.
struct AvroNames<'a>(HashMap<(&'a str, &'a str), AvroType>);

impl<'a> AvroNames<'a> {
    fn kind(&mut self, schema: &'a Value, space: &'a str) -> Result<AvroType, ColumnsError> {
        match schema {
            Value::String(word) => self.named(word, space),
            Value::Array(branches) => self.union(branches, space),
            Value::Object(object) => {
                let of_itself =
                    object.iter().filter(|(key, _)| !matches!(&key[..], "fields" | "items" | "values"));
                let bytes = of_itself.map(|(key, value)| key.len() + value.to_string().len()).sum();
                Ok(self.defined(object, space)?.with_weight(bytes))
            }
            _ => Err(damaged("a type that is none")),
        }
    }

    fn named(&self, word: &str, space: &str) -> Result<AvroType, ColumnsError> {
        if let Some(kind) = primitive(word) {
            return Ok(kind);
        }
        let known = self.0.get(&word.rsplit_once('.').unwrap_or((space, word)));
        let unknown = || {
            let word: String = word.chars().take(80).collect();
            damaged(&format!("the type {word:?}, which it does not define before"))
        };
        known.cloned().ok_or_else(unknown)
    }

    fn union(&mut self, branches: &'a [Value], space: &'a str) -> Result<AvroType, ColumnsError> {
        if branches.iter().any(Value::is_array) {
            return Err(damaged("a union in a union"));
        }
        let kinds = branches.iter().map(|branch| self.kind(branch, space));
        let kinds = kinds.collect::<Result<Vec<_>, _>>()?;
        let width = kinds.iter().map(|kind| kind.width).max().unwrap_or(0).saturating_add(VALUE_BYTES);
        AvroType::around(AvroShape::Union(kinds.clone().into()), width, false, &kinds)
    }

    fn defined(&mut self, object: &'a Map<String, Value>, outer: &'a str) -> Result<AvroType, ColumnsError> {
        let word =
            object.get("type").and_then(Value::as_str).ok_or_else(|| damaged("a type that is none"))?;
        let space = match object.get("namespace") {
            None | Some(Value::Null) => outer,
            Some(space) => space.as_str().ok_or_else(|| damaged("a namespace that is none"))?,
        };
        let part = |of: &str| object.get(of).ok_or_else(|| damaged(&format!("a type {word} without {of}")));
        let list = |of: &str| part(of)?.as_array().ok_or_else(|| damaged(&format!("{of} that are no list")));
        let kind = match word {
            "array" | "map" => {
                let item = self.kind(part(if word == "map" { "values" } else { "items" })?, outer)?;
                let inner = Arc::new(item.clone());
                let shape = if word == "map" { AvroShape::Map(inner) } else { AvroShape::Array(inner) };
                return AvroType::around(shape, VALUE_BYTES, false, &[item]);
            }
            "record" => {
                let mut names = 0;
                let mut kinds = Vec::new();
                for field in list("fields")? {
                    names += field.get("name").and_then(Value::as_str).map_or(0, str::len);
                    let of = field.get("type").ok_or_else(|| damaged("a field without a type"))?;
                    kinds.push(self.kind(of, space)?);
                }
                let (width, is_empty) = (sum(&kinds), kinds.iter().all(|kind| kind.is_empty));
                let width = width.saturating_add(VALUE_BYTES);
                AvroType::around(AvroShape::Record(kinds.clone().into()), width, is_empty, &kinds)?
                    .with_weight(names)
            }
            "enum" => AvroType::leaf(AvroShape::Symbol(list("symbols")?.len() as u64), VALUE_BYTES),
            "fixed" => {
                let size = part("size")?.as_u64().and_then(|size| i32::try_from(size).ok());
                let size = size.and_then(|size| usize::try_from(size).ok());
                let size = size.ok_or_else(|| damaged("a size that is none"))?;
                AvroType::leaf(AvroShape::Bytes(size), DECIMAL_BYTES.max(size as u64))
            }
            word => return self.named(word, outer),
        };
        let name = part("name")?.as_str().ok_or_else(|| damaged("a name that is none"))?;
        if RESERVED.contains(&name) {
            return Err(damaged(&format!("a type that is named {name}")));
        }
        let kind = kind.with_weight(space.len());
        self.0.insert((space, name), kind.clone());
        Ok(kind)
    }
}
