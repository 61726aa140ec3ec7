//! Expressions over records (`--set`, `--where`): their text, cut into what the server would see of it.
//!
//! No grammar: which words are names of fields, the server says. Here it is seen to that an expression ends
//! where its own brackets do, so that it can stand between brackets of a statement, and which words may be
//! names. Pure.

/// Longest expression, in bytes: longer ones are programs, and what is cached of them is held for long.
const BYTES_MAX: usize = 10_000;
/// Words of one expression that may be names: each is a column of a temporary table.
const NAMES_MAX: usize = 500;

/// Longest name of a column, in bytes: each name is one.
const NAME_BYTES_MAX: usize = 63;

/// What a record is called in an expression.
const RECORD: &str = "record";
/// What tells whether the record has a field.
const PRESENT: &str = "present";

/// What a column that marks rows is asked for by.
pub(super) const SOFT_DELETE: &str = "--soft-delete ";

/// Columns that each table of PostgreSQL has: none of a temporary table can be called so.
const OF_EVERY_TABLE: [&str; 6] = ["tableoid", "cmax", "xmax", "cmin", "xmin", "ctid"];

/// A name in an expression, as the server would look for it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct FieldName {
    /// In small letters, unless it was quoted.
    pub name: String,
    /// It was quoted: the field has this very name. Else upper and lower case are one.
    pub is_exact: bool,
}

impl FieldName {
    /// A field of this name is meant.
    #[must_use]
    pub fn is_of(&self, field: &str) -> bool {
        if self.is_exact { self.name == field } else { self.name.eq_ignore_ascii_case(field) }
    }

    /// The column that says whether the record has the field.
    #[must_use]
    pub fn presence(&self) -> String {
        format!("{PRESENT}({})", self.name)
    }
}

/// An expression over the fields of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expression {
    text: String,
    sql: String,
    names: Vec<FieldName>,
    present: Vec<FieldName>,
}

impl Expression {
    /// Cuts a text.
    ///
    /// # Errors
    /// In words, where it is none that could stand between two brackets.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.trim().is_empty() {
            return Err("an expression is missing".to_owned());
        }
        if text.len() > BYTES_MAX {
            return Err(format!("an expression has at most {BYTES_MAX} bytes"));
        }
        let tokens = tokens(text)?;
        let mut found = Self { text: text.to_owned(), sql: String::new(), names: vec![], present: vec![] };
        let mut at = 0;
        while at < tokens.len() {
            at = found.take(text, &tokens, at)?;
        }
        if found.names.len() + found.present.len() > NAMES_MAX {
            return Err(format!("an expression has at most {NAMES_MAX} names"));
        }
        Ok(found)
    }

    /// As it was written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// As the server gets it: what asks whether a field is there is a column.
    #[must_use]
    pub fn sql(&self) -> &str {
        &self.sql
    }

    /// What may be names of fields.
    #[must_use]
    pub fn names(&self) -> &[FieldName] {
        &self.names
    }

    /// Fields that are asked for whether they are there.
    #[must_use]
    pub fn present(&self) -> &[FieldName] {
        &self.present
    }

    /// Takes the token at a place, and what belongs to it; the place behind.
    fn take(&mut self, text: &str, tokens: &[Token<'_>], at: usize) -> Result<usize, String> {
        let token = tokens[at];
        let is = |at: usize, mark: &str| tokens.get(at).is_some_and(|token| token.is(mark));
        let end = |at: usize| tokens.get(at).map_or(text.len(), |token| token.from);
        let mut next = at + 1;
        match token.name() {
            // What is called, or leads to what is; but for the record itself.
            Some(name) if name.is_bare(PRESENT) && is(at + 1, "(") && !(at > 0 && is(at - 1, ".")) => {
                let (field, behind) = asked_for(tokens, at + 2)?;
                add(&mut self.present, field.clone());
                self.sql.push_str(&quoted(&field.presence()));
                // Blanks behind the bracket stay.
                let bracket = &tokens[behind - 1];
                self.sql.push_str(&text[bracket.from + bracket.text.len()..end(behind)]);
                return Ok(behind);
            }
            Some(name) if name.is_bare(RECORD) && is(at + 1, ".") => {
                let field = tokens.get(at + 2).and_then(Token::name);
                let field = field.ok_or("behind record. stands the name of a field")?;
                add(&mut self.names, field.of_field()?);
                next = at + 3;
            }
            Some(name) if name.is_bare(RECORD) => {
                return Err("a record is named with one of its fields: record.NAME".to_owned());
            }
            Some(_) if is(at + 1, "(") || is(at + 1, ".") => {}
            Some(_) if at > 0 && (is(at - 1, ".") || is(at - 1, "::")) => {}
            Some(name) => add(&mut self.names, name.of_field()?),
            None => {}
        }
        self.sql.push_str(&text[token.from..end(next)]);
        Ok(next)
    }
}

/// The expressions of a load.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Expressions {
    pub(super) condition: Option<Expression>,
    /// For which records it is true, their rows are deleted.
    pub(super) deletion: Option<Expression>,
    /// The column that marks rows in place of that.
    pub(super) mark: Option<String>,
    pub(super) sets: Vec<(String, Expression)>,
}

impl Expressions {
    /// As a run is stored with them.
    pub(super) fn settings(&self) -> [(&'static str, Vec<String>); 4] {
        let set = |(column, expression): &(String, Expression)| format!("{column}={}", expression.text());
        [
            ("where", self.condition.iter().map(|condition| condition.text().to_owned()).collect()),
            ("delete-when", self.deletion.iter().map(|deletion| deletion.text().to_owned()).collect()),
            ("soft-delete", self.mark.iter().cloned().collect()),
            ("set", self.sets.iter().map(set).collect()),
        ]
    }
}

/// The field in `present(FIELD)`, and the place behind the bracket.
fn asked_for(tokens: &[Token<'_>], at: usize) -> Result<(FieldName, usize), String> {
    let wrong = || "present(..) takes the name of a field".to_owned();
    let name = |at: usize| tokens.get(at).and_then(Token::name);
    let is = |at: usize, mark: &str| tokens.get(at).is_some_and(|token| token.is(mark));
    let of_record = name(at).is_some_and(|name| name.is_bare(RECORD)) && is(at + 1, ".");
    let at = if of_record { at + 2 } else { at };
    let field = name(at).ok_or_else(wrong)?.of_field()?;
    if !is(at + 1, ")") {
        return Err(wrong());
    }
    if field.presence().len() > NAME_BYTES_MAX {
        return Err(format!("present({}): the name is too long to be asked for", field.name));
    }
    Ok((field, at + 2))
}

fn add(names: &mut Vec<FieldName>, name: FieldName) {
    match names.iter_mut().find(|known| known.name == name.name) {
        // Quoted here and not there: what is not quoted means more.
        Some(known) => known.is_exact &= name.is_exact,
        None => names.push(name),
    }
}

/// A name in double quotes.
#[must_use]
pub fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TokenKind {
    Word,
    QuotedName,
    /// A text, a number, an operator.
    Other,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Token<'t> {
    kind: TokenKind,
    from: usize,
    text: &'t str,
}

/// A token that may be a name.
#[derive(Debug, Clone, Copy)]
struct NameToken<'t>(Token<'t>);

impl Token<'_> {
    fn is(&self, mark: &str) -> bool {
        self.kind == TokenKind::Other && self.text == mark
    }

    const fn name(&self) -> Option<NameToken<'_>> {
        match self.kind {
            TokenKind::Word | TokenKind::QuotedName => Some(NameToken(*self)),
            TokenKind::Other => None,
        }
    }
}

impl NameToken<'_> {
    fn is_bare(&self, word: &str) -> bool {
        self.0.kind == TokenKind::Word && self.0.text.eq_ignore_ascii_case(word)
    }

    fn of_field(&self) -> Result<FieldName, String> {
        let text = self.0.text;
        let field = match self.0.kind {
            TokenKind::QuotedName => {
                FieldName { name: text[1..text.len() - 1].replace("\"\"", "\""), is_exact: true }
            }
            TokenKind::Word | TokenKind::Other => {
                FieldName { name: text.to_ascii_lowercase(), is_exact: false }
            }
        };
        let name = &field.name;
        if name.is_empty() || name.len() > NAME_BYTES_MAX {
            return Err(format!("{text}: a name has between 1 and {NAME_BYTES_MAX} bytes"));
        }
        if OF_EVERY_TABLE.contains(&name.as_str()) || name.starts_with("present(") {
            return Err(format!("a field {name:?} cannot be named in an expression"));
        }
        Ok(field)
    }
}

/// The tokens of a text, as PostgreSQL would cut it where its standard strings are on.
fn tokens(text: &str) -> Result<Vec<Token<'_>>, String> {
    let bytes = text.as_bytes();
    let mut tokens = Vec::new();
    let mut open = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let rest = &bytes[at..];
        let (kind, length) = match rest[0] {
            b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c => {
                at += 1;
                continue;
            }
            b'\'' => (TokenKind::Other, string(rest, 0, false)?),
            b'e' | b'E' if rest.get(1) == Some(&b'\'') => (TokenKind::Other, string(rest, 1, true)?),
            b'b' | b'B' | b'x' | b'X' | b'n' | b'N' if rest.get(1) == Some(&b'\'') => {
                (TokenKind::Other, string(rest, 1, false)?)
            }
            b'u' | b'U' if rest.get(1) == Some(&b'&') && matches!(rest.get(2), Some(b'\'' | b'"')) => {
                return Err("texts and names with U& are not taken: write the characters".to_owned());
            }
            b'"' => (TokenKind::QuotedName, string(rest, 0, false)?),
            b'-' if rest.get(1) == Some(&b'-') => return Err(NO_COMMENT.to_owned()),
            b'/' if rest.get(1) == Some(&b'*') => return Err(NO_COMMENT.to_owned()),
            b';' => return Err("an expression has no semicolon".to_owned()),
            b'$' => return Err("an expression has no $: quote texts with '".to_owned()),
            0 => return Err("an expression has no zero bytes".to_owned()),
            b':' if rest.get(1) == Some(&b':') => (TokenKind::Other, 2),
            b if is_of_word(b) && !b.is_ascii_digit() => (TokenKind::Word, word(rest)),
            b if b.is_ascii_digit() => (TokenKind::Other, word(rest)),
            bracket => {
                balance(&mut open, bracket)?;
                (TokenKind::Other, 1)
            }
        };
        tokens.push(Token { kind, from: at, text: &text[at..at + length] });
        at += length;
    }
    match open.pop() {
        Some(bracket) => Err(format!("a closing {} is missing", char::from(bracket))),
        None => Ok(tokens),
    }
}

const NO_COMMENT: &str = "an expression has no comments (-- and /*)";

const fn is_of_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

/// Bytes of a word or number at the begin of a text.
fn word(text: &[u8]) -> usize {
    text.iter().position(|&byte| !is_of_word(byte) && byte != b'$').unwrap_or(text.len())
}

/// Bytes of a text or name in quotes, of which the first stands at `from`.
fn string(text: &[u8], from: usize, has_escapes: bool) -> Result<usize, String> {
    let quote = text[from];
    let mut at = from + 1;
    while at < text.len() {
        match text[at] {
            b'\\' if has_escapes => at += 2,
            byte if byte == quote && text.get(at + 1) == Some(&quote) => at += 2,
            byte if byte == quote => return Ok(at + 1),
            _ => at += 1,
        }
    }
    Err(format!("a closing {} is missing", char::from(quote)))
}

/// Brackets that are open, by what closes them.
fn balance(open: &mut Vec<u8>, byte: u8) -> Result<(), String> {
    match byte {
        b'(' => open.push(b')'),
        b'[' => open.push(b']'),
        b')' | b']' if open.pop() != Some(byte) => {
            return Err(format!("a {} closes nothing", char::from(byte)));
        }
        _ => {}
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Vec<String> {
        let expression = Expression::parse(text).unwrap();
        let name = |field: &FieldName| if field.is_exact { quoted(&field.name) } else { field.name.clone() };
        expression.names().iter().map(name).collect()
    }

    #[test]
    fn words_that_may_be_names_are_found_and_those_that_are_called_or_cast_to_are_not() {
        let cases: [(&str, &[&str]); 10] = [
            ("replace(Amount, ',', '.')::numeric", &["amount"]),
            ("pg_catalog.to_timestamp(ts::pg_catalog.int8)", &["ts"]),
            ("record.user || \"First Name\" || record.\"a\"\"b\"", &["user", "\"First Name\"", "\"a\"\"b\""]),
            ("a = 'it''s b; -- (' and E'\\'c' <> d", &["a", "and", "d"]),
            ("id in (1, 2e5, 0x1F) or x[1] > y", &["id", "or", "x", "y"]),
            ("1 + 1", &[]),
            ("(meta::jsonb->>'a')", &["meta"]),
            ("größe > '1'", &["größe"]),
            ("A || a || \"a\"", &["a"]),
            ("N'x' || B'1'", &[]),
        ];
        for (text, expected) in cases {
            assert_eq!(names(text), expected, "{text}");
        }
    }

    #[test]
    fn what_asks_whether_a_field_is_there_becomes_a_column() {
        let cases = [
            ("present(a)", "\"present(a)\""),
            ("not PRESENT( record.\"A b\" ) or b", "not \"present(A b)\" or b"),
            ("  present(a)and b", "\"present(a)\"and b"),
            ("(present(a))", "(\"present(a)\")"),
            ("a.present(b)", "a.present(b)"),
        ];
        for (text, sql) in cases {
            assert_eq!(Expression::parse(text).unwrap().sql(), sql, "{text}");
        }
        assert_eq!(Expression::parse("present(X)").unwrap().present()[0].name, "x");
    }

    #[test]
    fn an_expression_ends_where_its_own_brackets_do() {
        let long = "x".repeat(64);
        for text in [
            "",
            "  ",
            "a)",
            "(a",
            "a]",
            "(a]",
            "a; b",
            "a -- b",
            "a /* b",
            "a--b",
            "'a",
            "\"a",
            "E'a\\'",
            "$$a$$",
            "$1",
            "U&'a'",
            "u&\"a\"",
            "a\0b",
            "record",
            "f(record)",
            "record.*",
            "record.",
            "present()",
            "present(a, b)",
            "present('a')",
            "ctid",
            "record.xmin",
            "\"present(a)\"",
            &long,
            &"a+".repeat(6_000),
        ] {
            assert!(Expression::parse(text).is_err(), "{text}");
        }
    }
}
