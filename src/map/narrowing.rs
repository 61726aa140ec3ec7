//! `--narrowing`: the columns in which a value may become another one on its way.

use std::collections::BTreeMap;

use crate::schema::Narrows;

use super::judge::{Clocks, Loss, loss, surely_keeps_all};

/// What becomes of a record with a value that its column would not hold as the text says it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Narrowing {
    allowed: bool,
    columns: BTreeMap<String, bool>,
}

impl Narrowing {
    /// The value is stored as the column takes it, and counted.
    #[must_use]
    pub fn allow() -> Self {
        Self { allowed: true, columns: BTreeMap::new() }
    }

    /// Such records are rejects, but for those that differ in these columns alone.
    #[must_use]
    pub fn allow_in<S: Into<String>>(columns: impl IntoIterator<Item = S>) -> Self {
        let columns = columns.into_iter().map(|column| (column.into(), true)).collect();
        Self { allowed: false, columns }
    }

    /// Of words as the command line has them: `reject`, `allow`, `COLUMN=allow`, `COLUMN=reject`.
    pub fn of_words<'a>(words: impl IntoIterator<Item = &'a str>) -> Result<Self, String> {
        let rule = |word: &str| match word {
            "allow" => Ok(true),
            "reject" => Ok(false),
            _ => Err(format!("{word:?} is not reject, allow, COLUMN=allow or COLUMN=reject")),
        };
        let mut narrowing = Self::default();
        for word in words {
            match word.rsplit_once('=') {
                Some((column, of_column)) if !column.is_empty() => {
                    narrowing.columns.insert(column.to_owned(), rule(of_column)?);
                }
                _ => narrowing.allowed = rule(word)?,
            }
        }
        Ok(narrowing)
    }

    /// The words for it; none for the usual.
    #[must_use]
    pub fn words(&self) -> Vec<String> {
        let rule = |allowed: bool| if allowed { "allow" } else { "reject" };
        let usual = self.allowed.then(|| rule(true).to_owned());
        let columns = self.columns.iter().map(|(column, allowed)| format!("{column}={}", rule(*allowed)));
        usual.into_iter().chain(columns).collect()
    }

    /// Columns that have a rule of their own.
    pub fn columns(&self) -> impl Iterator<Item = &str> {
        self.columns.keys().map(String::as_str)
    }

    /// Whether it is allowed in this column.
    #[must_use]
    pub fn allows(&self, column: &str) -> bool {
        self.columns.get(column).copied().unwrap_or(self.allowed)
    }
}

/// The judge of a column.
#[derive(Debug, Clone)]
pub(super) struct Judge {
    pub(super) narrows: Narrows,
    pub(super) clocks: Clocks,
    pub(super) allowed: bool,
}

impl Judge {
    /// What need not be looked through.
    #[inline]
    pub(super) fn sees_no_loss(&self, text: &str) -> bool {
        surely_keeps_all(&self.narrows, self.clocks, text.as_bytes())
    }

    pub(super) fn loss(&self, text: &str) -> Option<Loss> {
        loss(&self.narrows, self.clocks, text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_and_written() {
        let words = |words: &[&str]| Narrowing::of_words(words.iter().copied()).map(|n| n.words());
        assert_eq!(words(&[]), Ok(vec![]));
        assert_eq!(words(&["reject"]), Ok(vec![]));
        assert_eq!(words(&["allow", "b=reject"]), Ok(vec!["allow".to_owned(), "b=reject".to_owned()]));
        assert_eq!(words(&["a=b=allow"]), Ok(vec!["a=b=allow".to_owned()]));
        for wrong in ["yes", "a=yes", "=allow", ""] {
            assert!(words(&[wrong]).is_err(), "{wrong}");
        }
        let narrowing = Narrowing::allow_in(["a"]);
        assert!(narrowing.allows("a") && !narrowing.allows("b"));
    }
}
