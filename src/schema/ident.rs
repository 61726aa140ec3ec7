//! SQL identifiers and literals: the only things that SQL text is made of besides its own words.
//!
//! An [`Ident`] is always written quoted, so a name from a header, a catalog or a hostile file is a name and
//! nothing else. Pure; the server's limit of 63 bytes is kept by refusing, since the server would cut longer
//! names in silence (and two long names to the same one).

use std::fmt;

/// The longest identifier, in bytes (PostgreSQL's NAMEDATALEN - 1).
pub const IDENT_LIMIT_BYTES: usize = 63;

/// A name that cannot be an identifier.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdentError {
    /// No name at all.
    #[error("an SQL name must not be empty")]
    Empty,
    /// PostgreSQL has no text with NUL.
    #[error("an SQL name must not hold a NUL character")]
    Nul,
    /// The server would cut it.
    #[error("the SQL name {} has {bytes} bytes, PostgreSQL allows {IDENT_LIMIT_BYTES}", shown(.name))]
    TooLong {
        /// The name that was refused.
        name: String,
        /// Length of the name, in bytes.
        bytes: usize,
    },
    /// A table name that does not follow SQL's rules.
    #[error("cannot read {} as a table name: {what}", shown(.text))]
    NotATable {
        /// The text that is no name.
        text: String,
        /// What is wrong with the name.
        what: &'static str,
    },
}

/// A name for a message: no control characters, and not without end.
fn shown(name: &str) -> String {
    const SHOWN_CHARS: usize = 80;
    let mut text: String = name.chars().take(SHOWN_CHARS).flat_map(char::escape_debug).collect();
    if name.chars().nth(SHOWN_CHARS).is_some() {
        text.push('…');
    }
    format!("`{text}`")
}

/// An SQL identifier: the name as the catalog has it. `Display` writes it quoted.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ident(String);

impl Ident {
    /// Takes a raw name.
    ///
    /// # Errors
    /// If the name is empty, holds NUL or is longer than the server keeps.
    pub fn new(name: impl Into<String>) -> Result<Self, IdentError> {
        let name = name.into();
        if name.is_empty() {
            return Err(IdentError::Empty);
        }
        if name.contains('\0') {
            return Err(IdentError::Nul);
        }
        if name.len() > IDENT_LIMIT_BYTES {
            let bytes = name.len();
            return Err(IdentError::TooLong { name, bytes });
        }
        Ok(Self(name))
    }

    /// The raw name, for comparing with the catalog.
    #[must_use]
    pub fn raw(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Ident {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.0.replace('"', "\"\""))
    }
}

/// A table, with its schema if one was said. `Display` writes it quoted.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TableName {
    /// Name of the schema, if one was given.
    pub schema: Option<Ident>,
    /// Name of the table, without its schema.
    pub name: Ident,
}

impl TableName {
    /// Reads `[schema.]name` by SQL's rules: unquoted names fold to lower case, quoted ones are as they
    /// stand.
    ///
    /// # Errors
    /// If the text is not one or two SQL identifiers.
    pub fn parse(text: &str) -> Result<Self, IdentError> {
        let bad = |what| IdentError::NotATable { text: text.to_owned(), what };
        let mut parts = Vec::new();
        let mut rest = text.trim();
        loop {
            let (part, after) = part(rest).map_err(bad)?;
            parts.push(Ident::new(part)?);
            let after = after.trim_start();
            if after.is_empty() {
                break;
            }
            let Some(next) = after.strip_prefix('.') else {
                return Err(bad("text behind a name (names with special characters need double quotes)"));
            };
            rest = next.trim_start();
        }
        match (parts.pop(), parts.pop(), parts.pop()) {
            (Some(name), schema, None) => Ok(Self { schema, name }),
            _ => Err(bad("it has more than schema and name; the database is named in the DSN")),
        }
    }
}

impl TableName {
    /// The name for people: quoted only where SQL would read it otherwise.
    #[must_use]
    pub fn plain(&self) -> String {
        let part = |ident: &Ident| {
            let simple =
                ident.raw().chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
                    && !ident.raw().starts_with(|c: char| c.is_ascii_digit());
            if simple { ident.raw().to_owned() } else { ident.to_string() }
        };
        let schema = self.schema.as_ref().map_or(String::new(), |schema| format!("{}.", part(schema)));
        format!("{schema}{}", part(&self.name))
    }
}

impl fmt::Display for TableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(schema) = &self.schema {
            write!(f, "{schema}.")?;
        }
        write!(f, "{}", self.name)
    }
}

/// The first identifier of a text, unquoted or folded, and what follows it.
fn part(text: &str) -> Result<(String, &str), &'static str> {
    if let Some(quoted) = text.strip_prefix('"') {
        let mut name = String::new();
        let mut rest = quoted;
        loop {
            let Some((before, after)) = rest.split_once('"') else {
                return Err("a double quote is not closed");
            };
            name.push_str(before);
            match after.strip_prefix('"') {
                Some(after) => {
                    name.push('"');
                    rest = after;
                }
                None => return Ok((name, after)),
            }
        }
    }
    let is_start = |c: char| c.is_ascii_alphabetic() || c == '_' || !c.is_ascii();
    let is_inner = |c: char| is_start(c) || c.is_ascii_digit() || c == '$';
    match text.chars().next() {
        None | Some('.') => return Err("a name is missing"),
        Some(c) if !is_start(c) => {
            return Err("a name must begin with a letter or underscore, or stand in double quotes");
        }
        Some(_) => {}
    }
    let end = text.find(|c| !is_inner(c)).unwrap_or(text.len());
    // ASCII only, as the server folds in UTF-8 databases.
    Ok((text[..end].to_ascii_lowercase(), &text[end..]))
}

/// Writes a text as an SQL literal that means the same whatever `standard_conforming_strings` says. (The
/// space before an `E` keeps it apart from a word in front, as libpq does.)
///
/// # Errors
/// If the text holds NUL, which PostgreSQL cannot store.
pub fn quote_literal(text: &str) -> Result<String, IdentError> {
    if text.contains('\0') {
        return Err(IdentError::Nul);
    }
    let quoted = text.replace('\'', "''");
    Ok(if text.contains('\\') {
        format!(" E'{}'", quoted.replace('\\', "\\\\"))
    } else {
        format!("'{quoted}'")
    })
}

/// As [`quote_literal`], for text that comes from the catalog or from dbload: no NUL can be in it (one would
/// be shown as U+FFFD).
#[must_use]
pub fn literal(text: &str) -> String {
    quote_literal(&text.replace('\0', "\u{fffd}")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_quoted_or_refused() {
        let quoted = |name: &str| Ident::new(name).map(|ident| ident.to_string());
        assert_eq!(quoted("id\"; DROP TABLE x;--").unwrap(), "\"id\"\"; DROP TABLE x;--\"");
        assert_eq!(quoted("Sélect 😀\n").unwrap(), "\"Sélect 😀\n\"");
        assert_eq!(quoted(""), Err(IdentError::Empty));
        assert_eq!(quoted("a\0b"), Err(IdentError::Nul));
        assert!(quoted(&"x".repeat(63)).is_ok());
        assert!(matches!(quoted(&"x".repeat(64)), Err(IdentError::TooLong { bytes: 64, .. })));
        assert!(matches!(quoted(&"é".repeat(32)), Err(IdentError::TooLong { bytes: 64, .. })));
        let message = Ident::new("\u{1b}[2J".repeat(100)).unwrap_err().to_string();
        assert!(!message.contains('\u{1b}') && message.len() < 600, "{message}");
    }

    #[test]
    fn table_names_follow_sql() {
        let parse =
            |text: &str| TableName::parse(text).map(|table| table.to_string()).map_err(|e| e.to_string());
        for (text, expected) in [
            ("Events", "\"events\""),
            ("\"Events\"", "\"Events\""),
            ("public.Events", "\"public\".\"events\""),
            (" Public . \"E\"\"v.ents\" ", "\"public\".\"E\"\"v.ents\""),
            ("\"a.b\".c", "\"a.b\".\"c\""),
            ("_x$1", "\"_x$1\""),
            ("Ünï", "\"Ünï\""),
            ("select", "\"select\""),
        ] {
            assert_eq!(parse(text).unwrap(), expected, "{text}");
        }
        for (text, expected) in [
            ("db.public.events", "the database is named in the DSN"),
            ("a.b.c.d", "the database is named in the DSN"),
            ("", "a name is missing"),
            ("a.", "a name is missing"),
            (".a", "a name is missing"),
            ("my-table", "text behind a name"),
            ("a b", "text behind a name"),
            ("1a", "must begin with a letter"),
            ("\"a", "not closed"),
            ("\"\"", "must not be empty"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }

    #[test]
    fn literals_are_safe_under_either_string_syntax() {
        assert_eq!(quote_literal("it's").unwrap(), "'it''s'");
        assert_eq!(quote_literal("a\\'b").unwrap(), " E'a\\\\''b'");
        assert_eq!(quote_literal("a\0"), Err(IdentError::Nul));
    }
}
