//! The key of a table in SQL: rows behind one key, up to another one.
//!
//! A bound compares as the order of the rows does, by the collation of each column: two spellings that are
//! equal there are one key. What is compared otherwise than it is sorted (`ENUM` by its text, but sorted by
//! its number), or is not what its text says (floats), is no part of such a key: the table has none then.

use super::columns::CatalogColumn;
use super::connect::{quoted, text_literal};

/// Character sets whose texts come back from UTF-8 as they were.
const CHARSETS: [&str; 10] =
    ["ascii", "latin1", "latin2", "utf8", "utf8mb3", "utf8mb4", "ucs2", "utf16", "utf16le", "utf32"];

/// A column of a key, and how a value of it is written in SQL.
#[derive(Debug, Clone)]
pub(super) struct KeyColumn {
    /// Its place among all columns.
    pub(super) place: usize,
    name: String,
    literal: KeyLiteral,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum KeyLiteral {
    Number,
    Year,
    /// What is a text in quotes, of digits and signs alone: a date, a time, a UUID.
    Plain,
    Instant,
    Bytes,
    Text {
        charset: String,
        collation: String,
    },
}

/// A column as one of a key; `None`: its order is not that of its values.
pub(super) fn key_column(place: usize, column: &CatalogColumn) -> Option<KeyColumn> {
    let is_word = |word: &String| word.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    let literal = match column.data_type.as_str() {
        "tinyint" | "smallint" | "mediumint" | "int" | "bigint" | "decimal" => KeyLiteral::Number,
        "year" => KeyLiteral::Year,
        "date" | "datetime" | "time" | "uuid" => KeyLiteral::Plain,
        "timestamp" => KeyLiteral::Instant,
        "binary" | "varbinary" => KeyLiteral::Bytes,
        "char" | "varchar" => KeyLiteral::Text {
            charset: column.charset.clone().filter(|name| CHARSETS.contains(&name.as_str()))?,
            collation: column.collation.clone().filter(is_word)?,
        },
        _ => return None,
    };
    Some(KeyColumn { place, name: quoted(&column.name), literal })
}

/// What the rows are sorted by.
pub(super) fn order(key: &[KeyColumn]) -> String {
    key.iter().map(|column| column.name.as_str()).collect::<Vec<_>>().join(", ")
}

/// The condition of rows behind this key.
pub(super) fn behind(key: &[KeyColumn], values: &[String]) -> Option<String> {
    bound(key, values, ">", ">")
}

/// The condition of rows up to this key and with it.
pub(super) fn up_to(key: &[KeyColumn], values: &[String]) -> Option<String> {
    bound(key, values, "<", "<=")
}

/// Rows are compared column by column. The first one is asked by itself too: a server looks only such a
/// condition up in an index.
fn bound(key: &[KeyColumn], values: &[String], operator: &str, last: &str) -> Option<String> {
    if key.is_empty() || key.len() != values.len() {
        return None;
    }
    let mut condition = String::new();
    for (column, value) in key.iter().zip(values).rev() {
        let (name, literal) = (&column.name, column.literal.of(value)?);
        condition = match condition.is_empty() {
            true => format!("{name} {last} {literal}"),
            false => {
                format!("{name} {operator}= {literal} AND ({name} {operator} {literal} OR ({condition}))")
            }
        };
    }
    Some(condition)
}

impl KeyLiteral {
    /// A value, from the text that it was written as; `None`: it is none.
    fn of(&self, text: &str) -> Option<String> {
        let plain = |text: &str| {
            let is_plain = |c: char| c.is_ascii_hexdigit() || matches!(c, '-' | ':' | '.' | ' ');
            text.chars().all(is_plain).then(|| format!("'{text}'"))
        };
        match self {
            Self::Number => {
                let digits = text.strip_prefix('-').unwrap_or(text);
                let is_number = digits.starts_with(|c: char| c.is_ascii_digit())
                    && digits.chars().all(|c| c.is_ascii_digit() || c == '.');
                is_number.then(|| text.to_owned())
            }
            // 0 alone would be the year 2000.
            Self::Year => Some(format!("'{:04}'", text.parse::<u16>().ok()?)),
            Self::Plain => plain(text),
            Self::Instant => plain(text.strip_suffix("+00")?),
            Self::Bytes => {
                let digits = text.strip_prefix("\\x")?;
                digits.bytes().all(|byte| byte.is_ascii_hexdigit()).then(|| format!("X'{digits}'"))
            }
            Self::Text { charset, collation } => {
                Some(format!("CONVERT({} USING {charset}) COLLATE {collation}", text_literal(text)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(name: &str, data_type: &str) -> CatalogColumn {
        let charset = (data_type == "varchar").then(|| "latin1".to_owned());
        let collation = charset.as_ref().map(|_| "latin1_swedish_ci".to_owned());
        CatalogColumn {
            name: name.to_owned(),
            data_type: data_type.to_owned(),
            charset,
            collation,
            ..CatalogColumn::default()
        }
    }

    fn key(columns: &[(&str, &str)]) -> Vec<KeyColumn> {
        let all = columns.iter().map(|(name, data_type)| column(name, data_type)).enumerate();
        all.filter_map(|(place, column)| key_column(place, &column)).collect()
    }

    fn texts(values: &[&str]) -> Vec<String> {
        values.iter().map(|value| (*value).to_owned()).collect()
    }

    #[test]
    fn rows_are_compared_column_by_column() {
        let one = key(&[("id", "bigint")]);
        assert_eq!(behind(&one, &texts(&["7"])).as_deref(), Some("`id` > 7"));
        assert_eq!(up_to(&one, &texts(&["-7"])).as_deref(), Some("`id` <= -7"));
        let two = key(&[("a`b", "date"), ("id", "bigint")]);
        assert_eq!(
            behind(&two, &texts(&["2024-01-02", "7"])).as_deref(),
            Some("`a``b` >= '2024-01-02' AND (`a``b` > '2024-01-02' OR (`id` > 7))")
        );
        assert_eq!(
            up_to(&two, &texts(&["2024-01-02", "7"])).as_deref(),
            Some("`a``b` <= '2024-01-02' AND (`a``b` < '2024-01-02' OR (`id` <= 7))")
        );
        assert_eq!(order(&two), "`a``b`, `id`");
        assert_eq!(behind(&two, &texts(&["2024-01-02"])), None);
    }

    #[test]
    fn a_value_is_a_literal_or_none() {
        for (data_type, text, literal) in [
            ("bigint", "18446744073709551615", Some("18446744073709551615")),
            ("decimal", "-1.50", Some("-1.50")),
            ("bigint", "1 OR 1=1", None),
            ("bigint", "", None),
            ("datetime", "2024-01-02 03:04:05.6", Some("'2024-01-02 03:04:05.6'")),
            ("datetime", "' OR '", None),
            ("timestamp", "2024-01-02 03:04:05+00", Some("'2024-01-02 03:04:05'")),
            ("year", "0", Some("'0000'")),
            ("binary", "\\x00ff", Some("X'00ff'")),
            ("binary", "x", None),
            ("varchar", "é'", Some("CONVERT(_utf8mb4 X'c3a927' USING latin1) COLLATE latin1_swedish_ci")),
        ] {
            let found = behind(&key(&[("k", data_type)]), &texts(&[text]));
            assert_eq!(found, literal.map(|literal| format!("`k` > {literal}")), "{data_type} {text}");
        }
        for data_type in ["enum", "float", "double", "bit", "set", "text"] {
            assert!(key(&[("k", data_type)]).is_empty(), "{data_type}");
        }
    }
}
