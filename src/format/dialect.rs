//! How delimiter-separated values are written, and which ways of writing cannot be told apart.

/// How delimiter-separated values are written.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Dialect {
    /// Between fields: `,` for CSV, tab for TSV.
    pub delimiter: u8,
    /// Around fields; `None` turns quoting off.
    pub quote: Option<u8>,
    /// Column names given by the user (`--columns`); `None`: the first record is the header.
    pub columns: Option<Vec<String>>,
    /// An unquoted field equal to this is NULL; the unquoted empty field always is unless this is set.
    pub null_as: Option<String>,
    /// Lines before the header that are neither header nor record: a title, a date, `sep=;`.
    #[serde(default)]
    pub skip_lines: u32,
}

/// Why values cannot be written so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DialectError {
    /// It would be taken for the end of a record, or for a part of a character.
    #[error("the {0} must be one ASCII character other than a line end")]
    NotAscii(&'static str),
    /// One byte cannot be both.
    #[error("the delimiter and the quote are the same character")]
    Same,
}

impl Dialect {
    /// The usual quoting around fields, with this delimiter and a header.
    #[must_use]
    pub const fn delimited_by(delimiter: u8) -> Self {
        Self { delimiter, quote: Some(b'"'), columns: None, null_as: None, skip_lines: 0 }
    }

    /// Whether records written so can be read.
    ///
    /// # Errors
    /// When a delimiter or quote could not be told from something else.
    pub fn check(&self) -> Result<(), DialectError> {
        let usable = |byte: u8| byte.is_ascii() && !matches!(byte, b'\n' | b'\r' | 0);
        if !usable(self.delimiter) {
            return Err(DialectError::NotAscii("delimiter"));
        }
        match self.quote {
            Some(quote) if !usable(quote) => Err(DialectError::NotAscii("quote")),
            Some(quote) if quote == self.delimiter => Err(DialectError::Same),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delimiters_and_quotes_must_be_told_apart() {
        let check = |delimiter, quote| Dialect { quote, ..Dialect::delimited_by(delimiter) }.check();
        assert_eq!(check(b',', Some(b'"')), Ok(()));
        assert_eq!(check(b'\t', None), Ok(()));
        assert_eq!(check(b'\n', None), Err(DialectError::NotAscii("delimiter")));
        assert_eq!(check(0xe9, None), Err(DialectError::NotAscii("delimiter")));
        assert_eq!(check(b',', Some(b'\r')), Err(DialectError::NotAscii("quote")));
        assert_eq!(check(b'\'', Some(b'\'')), Err(DialectError::Same));
    }
}
