//! Fields at fixed places of a line: `id:1-8,name:9-40`. Places count characters, from 1 on. Pure.

use super::Dialect;

/// Longest line that a place may be in.
const PLACE_MAX: usize = 1 << 30;

/// How fields lie in lines.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct FixedWidth {
    /// The fields, in the order in which they were named.
    pub fields: Vec<FixedField>,
    /// A field equal to one of these is NULL; without any, a blank one.
    #[serde(default)]
    pub null_as: Vec<String>,
    /// Lines before the first record.
    #[serde(default)]
    pub skip_lines: u32,
}

/// A field, and its place.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct FixedField {
    /// Its name.
    pub name: String,
    /// Its first character, from 1 on.
    pub from: usize,
    /// Its last one; `None`: that of the line.
    pub to: Option<usize>,
}

/// Why a text says no places.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FixedError {
    /// It has another form.
    #[error(
        "{0:?} is no field with its place: NAME:FROM-TO, as in id:1-8,name:9-40 (or name:9- to the end of the line)"
    )]
    Field(String),
    /// The characters are counted from 1, and a place ends behind its beginning.
    #[error(
        "no characters lie in the place of {0:?}: they are counted from 1, and the last one is counted too"
    )]
    Place(String),
    /// A name twice.
    #[error("two fields are named {0:?}")]
    Twice(String),
}

impl FixedWidth {
    /// Reads fields and places.
    ///
    /// # Errors
    /// When the text says none.
    pub fn parse(text: &str) -> Result<Self, FixedError> {
        let mut fields: Vec<FixedField> = Vec::new();
        for word in text.split(',') {
            let field = field(word)?;
            if fields.iter().any(|known| known.name == field.name) {
                return Err(FixedError::Twice(field.name));
            }
            fields.push(field);
        }
        Ok(Self { fields, null_as: Vec::new(), skip_lines: 0 })
    }

    /// Lines without delimiters and quotes, with the names of the fields.
    pub(super) fn lines(&self) -> Dialect {
        let names = self.fields.iter().map(|field| field.name.clone()).collect();
        // No line is cut at a delimiter: records alone are found so.
        Dialect {
            quote: None,
            columns: Some(names),
            skip_lines: self.skip_lines,
            null_as: self.null_as.clone(),
            ..Dialect::delimited_by(b'\0')
        }
    }
}

/// As the user writes it.
impl std::fmt::Display for FixedWidth {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (i, FixedField { name, from, to }) in self.fields.iter().enumerate() {
            let comma = if i == 0 { "" } else { "," };
            let to = to.map_or_else(String::new, |to| to.to_string());
            write!(f, "{comma}{name}:{from}-{to}")?;
        }
        Ok(())
    }
}

fn field(word: &str) -> Result<FixedField, FixedError> {
    let wrong = || FixedError::Field(word.to_owned());
    let (name, place) = word.rsplit_once(':').ok_or_else(wrong)?;
    let number = |text: &str| text.trim().parse::<usize>().ok().filter(|place| *place <= PLACE_MAX);
    let (from, to) = match place.split_once('-') {
        None => (number(place).ok_or_else(wrong)?, Some(number(place).ok_or_else(wrong)?)),
        Some((from, to)) if to.trim().is_empty() => (number(from).ok_or_else(wrong)?, None),
        Some((from, to)) => (number(from).ok_or_else(wrong)?, Some(number(to).ok_or_else(wrong)?)),
    };
    let name = name.trim().to_owned();
    if name.is_empty() {
        return Err(wrong());
    }
    if from == 0 || to.is_some_and(|to| to < from) {
        return Err(FixedError::Place(name));
    }
    Ok(FixedField { name, from, to })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_read_as_they_are_written() {
        let fixed = FixedWidth::parse("id:1-8, name:9-40,x:41,rest:42-").unwrap();
        let places: Vec<_> =
            fixed.fields.iter().map(|field| (field.name.as_str(), field.from, field.to)).collect();
        assert_eq!(
            places,
            [("id", 1, Some(8)), ("name", 9, Some(40)), ("x", 41, Some(41)), ("rest", 42, None)]
        );
        assert_eq!(fixed.to_string(), "id:1-8,name:9-40,x:41-41,rest:42-");
        assert_eq!(FixedWidth::parse(&fixed.to_string()), Ok(fixed));
        for (text, error) in [
            ("id", "\"id\" is no field with its place"),
            ("id:", "\"id:\" is no field with its place"),
            (":1-2", "\":1-2\" is no field"),
            ("id:x-2", "\"id:x-2\" is no field"),
            ("id:1-2,", "\"\" is no field"),
            ("id:-1-2", "\"id:-1-2\" is no field"),
            ("id:1-99999999999", "is no field"),
            ("id:0-2", "no characters lie in the place of \"id\""),
            ("id:3-2", "no characters lie in the place of \"id\""),
            ("id:1-2,id:3-4", "two fields are named \"id\""),
        ] {
            let found = FixedWidth::parse(text).unwrap_err().to_string();
            assert!(found.contains(error), "{text}: {found}");
        }
    }
}
