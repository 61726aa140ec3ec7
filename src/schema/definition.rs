//! A column as the user defines it, for a table that is made, or a column that is added.

use std::fmt;

use super::ident::Ident;

/// A column in SQL: its name, and what a CREATE TABLE says of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnDefinition {
    name: Ident,
    definition: String,
}

impl ColumnDefinition {
    /// Of `amount numeric(12,2) not null`. The name is as it stands; in double quotes it may have blanks.
    ///
    /// # Errors
    /// In words, when it is not so written, or says more than one column.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (name, definition) = named(text.trim()).ok_or_else(|| format!("{text:?} is not 'NAME TYPE'"))?;
        let definition = definition.trim();
        if definition.is_empty() {
            return Err(format!("{text:?} says no type"));
        }
        ends_by_itself(definition).map_err(|what| format!("{text:?}: {what}"))?;
        let name = Ident::new(name).map_err(|error| error.to_string())?;
        Ok(Self { name, definition: definition.to_owned() })
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.name.raw()
    }

    /// What is said of it behind the name: its type, and constraints.
    #[must_use]
    pub fn definition(&self) -> &str {
        &self.definition
    }
}

impl fmt::Display for ColumnDefinition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name, self.definition)
    }
}

/// Columns that every table has, beside those that it shows.
const OF_THE_SYSTEM: [&str; 6] = ["tableoid", "xmin", "cmin", "xmax", "cmax", "ctid"];

/// The name of a column that is made for a field: the field's, without blanks around it.
///
/// # Errors
/// In words, when no column can have it.
pub fn new_column_name(field: &str) -> Result<Ident, String> {
    let name = Ident::new(field.trim_matches([' ', '\t'])).map_err(|error| error.to_string())?;
    if OF_THE_SYSTEM.contains(&name.raw()) {
        return Err("every table has a column of this name for itself".to_owned());
    }
    Ok(name)
}

/// The name, and what stands behind it.
fn named(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let (name, rest) = text.split_once(char::is_whitespace)?;
        return Some((name.to_owned(), rest));
    };
    let mut name = String::new();
    let mut chars = quoted.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' if quoted[at + 1..].starts_with('"') => {
                name.push('"');
                chars.next();
            }
            '"' => return Some((name, &quoted[at + 1..])),
            c => name.push(c),
        }
    }
    None
}

/// It ends no statement and begins no other column: whatever it says is of one.
fn ends_by_itself(sql: &str) -> Result<(), &'static str> {
    let (mut depth, mut quote) = (0_u32, None);
    for (at, c) in sql.char_indices() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (_, '\\' | '$') => return Err("a definition has no backslash and no $"),
            (Some(_), _) => {}
            (None, '\'' | '"') => quote = Some(c),
            (None, '(') => depth += 1,
            (None, ')') => depth = depth.checked_sub(1).ok_or("a closing bracket too many")?,
            (None, ',') if depth == 0 => return Err("one column, without a comma: --column may be repeated"),
            (None, ';') => return Err("a definition has no semicolon"),
            (None, '-') if sql[at..].starts_with("--") => return Err("a definition has no comment"),
            (None, '/') if sql[at..].starts_with("/*") => return Err("a definition has no comment"),
            (None, _) => {}
        }
    }
    if depth > 0 || quote.is_some() { Err("a bracket or quote is not closed") } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_definition_is_one_column_and_nothing_behind_it() {
        let parsed = |text| ColumnDefinition::parse(text).map(|c| format!("{}|{}", c.name(), c.definition()));
        assert_eq!(parsed("amount numeric(12,2) not null").unwrap(), "amount|numeric(12,2) not null");
        assert_eq!(parsed("\"Full \"\"Name\"\"\" text").unwrap(), "Full \"Name\"|text");
        assert_eq!(parsed("a text DEFAULT 'it''s; (ok'").unwrap(), "a|text DEFAULT 'it''s; (ok'");
        assert_eq!(parsed("A  text COLLATE \"C\"").unwrap(), "A|text COLLATE \"C\"");
        for (text, says) in [
            ("amount", "NAME TYPE"),
            ("", "NAME TYPE"),
            ("\"a text", "NAME TYPE"),
            ("\"a\" ", "no type"),
            ("a text, b text", "may be repeated"),
            ("a text); DROP TABLE t", "closing bracket"),
            ("a text; DROP TABLE t", "semicolon"),
            ("a text -- x", "comment"),
            ("a text /* x", "comment"),
            ("a numeric(1", "not closed"),
            ("a text DEFAULT 'x", "not closed"),
            ("a text DEFAULT E'\\'", "backslash"),
            ("a text DEFAULT $$x$$", "no $"),
        ] {
            assert!(parsed(text).unwrap_err().contains(says), "{text}: {:?}", parsed(text));
        }
    }
}
