//! How delimiter-separated values are written, and which ways of writing cannot be told apart.

/// How delimiter-separated values are written.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Dialect {
    /// Between fields: `,` for CSV, tab for TSV.
    pub delimiter: u8,
    /// Around fields; `None` turns quoting off.
    pub quote: Option<u8>,
    /// What stands before a character that is data.
    #[serde(default)]
    pub escape: Escape,
    /// A line that begins with it is no record.
    #[serde(default)]
    pub comment: Option<u8>,
    /// Column names given by the user (`--columns`); `None`: the first record is the header.
    pub columns: Option<Vec<String>>,
    /// What becomes of a header that names no columns of a table.
    #[serde(default)]
    pub header: HeaderRule,
    /// An unquoted field equal to one of these is NULL; without any, the empty one.
    #[serde(default)]
    pub null_as: Vec<String>,
    /// Lines before the header that are neither header nor record: a title, a date, `sep=;`.
    #[serde(default)]
    pub skip_lines: u32,
    /// What ends a line.
    #[serde(default)]
    pub line_end: LineEnd,
    /// A delimiter ends each line, and is no field.
    #[serde(default)]
    pub trailing_delimiter: bool,
    /// No field begins with a quote, as far as was looked: one that does contradicts that.
    #[serde(default)]
    pub quotes_unseen: bool,
}

/// What stands before a character that is data, where it would be something else without.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Escape {
    /// Nothing: quotes are doubled within quotes.
    #[default]
    None,
    /// This character: before a quote, a delimiter, a line end and itself. Before others it is data too.
    Before(u8),
    /// A backslash, as in the text format of COPY: `\t`, `\x41`, and `\N` for NULL.
    Copy,
}

impl Escape {
    /// The character.
    #[must_use]
    pub const fn byte(self) -> Option<u8> {
        match self {
            Self::None => None,
            Self::Before(byte) => Some(byte),
            Self::Copy => Some(b'\\'),
        }
    }
}

/// What stands for NULL: one text mostly.
#[derive(Debug, Clone, Copy)]
pub enum Nulls<'d> {
    /// This text.
    One(&'d str),
    /// Each of these.
    Many(&'d [String]),
    /// One of these, or this one where there are none, whatever blanks are around it.
    Trimmed(&'d [String], &'d str),
}

impl Nulls<'_> {
    /// The same, whatever blanks are around them.
    #[must_use]
    pub const fn trimmed(self) -> Self {
        match self {
            Self::One(null) => Self::Trimmed(&[], null),
            Self::Many(nulls) => Self::Trimmed(nulls, ""),
            trimmed @ Self::Trimmed(..) => trimmed,
        }
    }

    /// Whether an unquoted field with this text is NULL.
    #[must_use]
    pub fn has(self, text: &str) -> bool {
        match self {
            Self::One(null) => text == null,
            Self::Many(nulls) => nulls.iter().any(|null| text == null),
            Self::Trimmed([], null) => text.trim() == null,
            Self::Trimmed(nulls, _) => nulls.iter().any(|null| text.trim() == null),
        }
    }
}

/// What ends a line; the other one is no line end outside of quotes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LineEnd {
    /// `\n` or `\r\n`.
    #[default]
    Feed,
    /// `\r`, as on old Macs, or `\r\n`.
    Return,
}

/// What becomes of a header with gaps, doubles, or names longer than a column's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum HeaderRule {
    /// It is refused.
    #[default]
    Strict,
    /// Gaps and doubles are numbered, long names cut, spaces around names left out.
    Fix,
}

/// What the beginning of a source shows of its dialect; the rest of it is held to that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Sniffed {
    /// See [`Dialect::delimiter`].
    pub delimiter: u8,
    /// See [`Dialect::quote`].
    pub quote: Option<u8>,
    /// See [`Dialect::line_end`].
    pub line_end: LineEnd,
    /// See [`Dialect::trailing_delimiter`].
    pub trailing_delimiter: bool,
    /// See [`Dialect::quotes_unseen`].
    pub quotes_unseen: bool,
}

/// Why values cannot be written so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DialectError {
    /// It would be taken for the end of a record, or for a part of a character.
    #[error("the {0} must be one ASCII character other than a line end")]
    NotAscii(&'static str),
    /// One byte cannot be both.
    #[error("the {0} and the {1} are the same character")]
    Same(&'static str, &'static str),
}

impl Dialect {
    /// The usual quoting around fields, with this delimiter and a header.
    #[must_use]
    pub const fn delimited_by(delimiter: u8) -> Self {
        Self {
            delimiter,
            quote: Some(b'"'),
            escape: Escape::None,
            comment: None,
            columns: None,
            header: HeaderRule::Strict,
            null_as: Vec::new(),
            skip_lines: 0,
            line_end: LineEnd::Feed,
            trailing_delimiter: false,
            quotes_unseen: false,
        }
    }

    /// The text format of COPY.
    #[must_use]
    pub fn copy_text() -> Self {
        Self { quote: None, escape: Escape::Copy, ..Self::delimited_by(b'\t') }
    }

    /// The texts of an unquoted field that are NULL.
    #[must_use]
    pub const fn nulls(&self) -> Nulls<'_> {
        match (self.null_as.as_slice(), self.escape) {
            ([], Escape::Copy) => Nulls::One("\\N"),
            ([], Escape::None | Escape::Before(_)) => Nulls::One(""),
            ([one], _) => Nulls::One(one.as_str()),
            (many, _) => Nulls::Many(many),
        }
    }

    /// What of it the beginning of its source has shown.
    #[must_use]
    pub const fn sniffed(&self) -> Sniffed {
        Sniffed {
            delimiter: self.delimiter,
            quote: self.quote,
            line_end: self.line_end,
            trailing_delimiter: self.trailing_delimiter,
            quotes_unseen: self.quotes_unseen,
        }
    }

    /// Holds it to what the beginning of its source has shown before.
    pub const fn hold_to(&mut self, sniffed: Sniffed) {
        let Sniffed { delimiter, quote, line_end, trailing_delimiter, quotes_unseen } = sniffed;
        self.delimiter = delimiter;
        self.quote = quote;
        self.line_end = line_end;
        self.trailing_delimiter = trailing_delimiter;
        self.quotes_unseen = quotes_unseen;
    }

    /// Whether records written so can be read.
    ///
    /// # Errors
    /// When a delimiter or quote could not be told from something else.
    pub fn check(&self) -> Result<(), DialectError> {
        let usable = |byte: u8| byte.is_ascii() && !matches!(byte, b'\n' | b'\r' | 0);
        let marks = [
            ("delimiter", Some(self.delimiter)),
            ("quote", self.quote),
            ("escape", self.escape.byte()),
            ("comment", self.comment),
        ];
        for (at, (name, mark)) in marks.iter().enumerate() {
            let Some(byte) = *mark else { continue };
            if !usable(byte) {
                return Err(DialectError::NotAscii(name));
            }
            if let Some((other, _)) = marks[..at].iter().find(|(_, other)| *other == Some(byte)) {
                return Err(DialectError::Same(other, name));
            }
        }
        Ok(())
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
        assert_eq!(check(b'\'', Some(b'\'')), Err(DialectError::Same("delimiter", "quote")));
        let marked = Dialect { comment: Some(b'"'), ..Dialect::delimited_by(b',') };
        assert_eq!(marked.check(), Err(DialectError::Same("quote", "comment")));
        assert_eq!(Dialect::copy_text().check(), Ok(()));
    }
}
