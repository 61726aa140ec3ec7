//! Tables of other shapes than TPC-H's, and their files: made of numbers that follow from the row's, so that
//! they are the same on each machine.

use crate::{Outcome, data::Data};
use std::fmt::Write as _;

/// A table and its records.
pub(crate) struct Shape {
    /// The table.
    pub(crate) name: &'static str,
    /// What it must come to.
    pub(crate) base: &'static str,
    pub(crate) fresh: &'static str,
    pub(crate) all_changed: &'static str,
    pub(crate) rows: usize,
    pub(crate) key: Key,
    /// A column, and an expression that differs from it.
    pub(crate) changes: &'static str,
    pub(crate) changed_to: &'static str,
    /// Columns with their types, the key `id` left out.
    fields: fn() -> Vec<(String, Type)>,
}

/// Types of columns that the shapes have.
#[derive(Clone, Copy)]
enum Type {
    Number,
    Word,
    /// Kilobytes, with what CSV and JSON must quote.
    Text,
    Document,
}

/// The type of the key.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Key {
    Integer,
    Number,
    Day,
    /// One a second.
    Moment,
}

impl Key {
    const fn sql(self) -> &'static str {
        match self {
            Self::Integer => "bigint",
            Self::Number => "numeric",
            Self::Day => "date",
            Self::Moment => "timestamptz",
        }
    }

    /// The value of a row, by its number.
    fn text(self, id: u64) -> String {
        // Years of twelve months of 28 days, from 1000 on.
        let day = |n: u64| format!("{}-{:02}-{:02}", 1_000 + n / 336, 1 + n / 28 % 12, 1 + n % 28);
        match self {
            Self::Integer => id.to_string(),
            Self::Number => format!("{id}.50"),
            Self::Day => day(id),
            Self::Moment => {
                format!("{} {:02}:{:02}:{:02}+00", day(id / 86_400), id / 3_600 % 24, id / 60 % 60, id % 60)
            }
        }
    }

    fn json(self, id: u64) -> String {
        match self {
            Self::Integer | Self::Number => self.text(id),
            Self::Day | Self::Moment => format!("\"{}\"", self.text(id)),
        }
    }
}

/// Rows of the tables by the type of their key.
const KEYS: usize = 300_000;

fn keyed() -> Vec<(String, Type)> {
    vec![("n".to_owned(), Type::Number), ("a".to_owned(), Type::Word), ("b".to_owned(), Type::Word)]
}

const WIDE_COLUMNS: usize = 100;
/// About what a page of a document has.
const SENTENCES: u64 = 24;

impl Shape {
    pub(crate) const ALL: [Self; 8] = [
        Self {
            name: "narrow",
            base: "base.narrow",
            fresh: "narrow (2 columns), fresh",
            all_changed: "narrow (2 columns), all changed",
            rows: 1_000_000,
            key: Key::Integer,
            changes: "n",
            changed_to: "n + 1",
            fields: || vec![("n".to_owned(), Type::Number)],
        },
        Self {
            name: "wide",
            base: "base.wide",
            fresh: "wide (100 columns), fresh",
            all_changed: "wide (100 columns), all changed",
            rows: 40_000,
            key: Key::Integer,
            changes: "c_1,",
            changed_to: "c_1 || 'x',",
            fields: || {
                let column = |n| (format!("c_{n}"), if n % 2 == 0 { Type::Number } else { Type::Word });
                (1..WIDE_COLUMNS).map(column).collect()
            },
        },
        Self {
            name: "texts",
            base: "base.texts",
            fresh: "texts (2 kB), fresh",
            all_changed: "texts (2 kB), all changed",
            rows: 40_000,
            key: Key::Integer,
            changes: "body",
            changed_to: "body || 'x'",
            fields: || vec![("title".to_owned(), Type::Word), ("body".to_owned(), Type::Text)],
        },
        Self {
            name: "documents",
            base: "base.documents",
            fresh: "jsonb, fresh",
            all_changed: "jsonb, all changed",
            rows: 100_000,
            key: Key::Integer,
            changes: "doc",
            changed_to: "doc || '{\"x\": 1}'",
            fields: || vec![("n".to_owned(), Type::Number), ("doc".to_owned(), Type::Document)],
        },
        Self {
            name: "by_bigint",
            base: "base.by_bigint",
            fresh: "keys of bigint, fresh",
            all_changed: "keys of bigint, all changed",
            rows: KEYS,
            key: Key::Integer,
            changes: "n,",
            changed_to: "n + 1,",
            fields: keyed,
        },
        Self {
            name: "by_numeric",
            base: "base.by_numeric",
            fresh: "keys of numeric, fresh",
            all_changed: "keys of numeric, all changed",
            rows: KEYS,
            key: Key::Number,
            changes: "n,",
            changed_to: "n + 1,",
            fields: keyed,
        },
        Self {
            name: "by_date",
            base: "base.by_date",
            fresh: "keys of date, fresh",
            all_changed: "keys of date, all changed",
            rows: KEYS,
            key: Key::Day,
            changes: "n,",
            changed_to: "n + 1,",
            fields: keyed,
        },
        Self {
            name: "by_timestamptz",
            base: "base.by_timestamptz",
            fresh: "keys of timestamptz, fresh",
            all_changed: "keys of timestamptz, all changed",
            rows: KEYS,
            key: Key::Moment,
            changes: "n,",
            changed_to: "n + 1,",
            fields: keyed,
        },
    ];

    pub(crate) fn file(&self, ending: &str) -> String {
        format!("{}-{}.{ending}", self.name, self.rows)
    }

    /// `id,a,b`.
    pub(crate) fn columns(&self) -> String {
        let names: Vec<String> = (self.fields)().into_iter().map(|(name, _)| name).collect();
        format!("id,{}", names.join(","))
    }

    /// CREATE TABLE, without its key.
    pub(crate) fn create(&self) -> String {
        let columns = (self.fields)().into_iter().fold(String::new(), |mut text, (name, kind)| {
            let kind = match kind {
                Type::Number => "bigint",
                Type::Word | Type::Text => "text",
                Type::Document => "jsonb",
            };
            let _ = write!(text, ", {name} {kind}");
            text
        });
        format!("CREATE TABLE {} (id {} NOT NULL{columns});\n", self.base, self.key.sql())
    }

    /// Makes its files, unless they are there.
    pub(crate) fn ready(&self, data: &Data) -> Outcome<()> {
        let fields = (self.fields)();
        let numbers = || 1..=self.rows as u64;
        let csv = numbers().map(|id| {
            fields.iter().enumerate().fold(self.key.text(id), |mut line, (n, (_, kind))| {
                line.push(',');
                match kind {
                    Type::Number => line += &number(id, n).to_string(),
                    Type::Word => line += &word(id, n),
                    Type::Text => line += &quoted(&text(id)),
                    Type::Document => line += &quoted(&document(id)),
                }
                line
            })
        });
        data.make(&self.file("csv"), &self.columns(), csv)?;
        let jsonl = numbers().map(|id| {
            let start = format!("{{\"id\":{}", self.key.json(id));
            let mut line = fields.iter().enumerate().fold(start, |mut line, (n, (name, kind))| {
                let _ = write!(line, ",\"{name}\":");
                match kind {
                    Type::Number => line += &number(id, n).to_string(),
                    Type::Word => line += &serde_json::Value::from(word(id, n)).to_string(),
                    Type::Text => line += &serde_json::Value::from(text(id)).to_string(),
                    Type::Document => line += &document(id),
                }
                line
            });
            line.push('}');
            line
        });
        data.make(&self.file("jsonl"), "", jsonl)
    }
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\"\""))
}

/// A number that looks like chance and is none.
const fn number(id: u64, column: usize) -> u64 {
    (id ^ (column as u64) << 40).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 34
}

fn word(id: u64, column: usize) -> String {
    format!("word {:x}", number(id, column))
}

fn text(id: u64) -> String {
    (0..SENTENCES).fold(String::new(), |mut text, n| {
        let n = usize::try_from(n).unwrap_or(0);
        let _ = writeln!(
            text,
            "Order {} was \"{:x}\", say C:\\{}; h\u{e9}l\u{e8}ne, and nobody minded it.",
            id,
            number(id, n),
            n
        );
        text
    })
}

fn document(id: u64) -> String {
    format!(
        r#"{{"id":{id},"tags":["a{}","b","c"],"user":{{"name":"user {}","mail":"u{id}@example.org","active":true}},"price":{}.25,"items":[{{"sku":"s-{}","n":3}},{{"sku":"s-{}","n":1}}],"note":null}}"#,
        id % 10,
        number(id, 1),
        number(id, 2) % 1000,
        number(id, 3),
        number(id, 4),
    )
}
