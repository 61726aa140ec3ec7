//! What was said of records by expressions: which are loaded, which delete, and what columns are set to.

use super::expression::{Expression, SOFT_DELETE};
use super::shaping::Shaping;

impl Shaping {
    /// Records for which this expression of SQL is true are loaded; the others are skipped. Names in it are
    /// fields of the record, all of them text.
    ///
    /// # Errors
    /// In words, when it does not end where its own brackets do. What it says, the server judges.
    pub fn filter(&mut self, text: &str) -> Result<(), String> {
        if self.expressions.condition.is_some() {
            return Err("--where is said once: join conditions with and".to_owned());
        }
        self.expressions.condition = Some(Expression::parse(text)?);
        Ok(())
    }

    /// A record for which this expression of SQL is true deletes the row of its key, and needs nothing but
    /// that. Names in it are those of [`filter`](Self::filter).
    ///
    /// # Errors
    /// In words, when it does not end where its own brackets do. What it says, the server judges.
    pub fn delete_when(&mut self, text: &str) -> Result<(), String> {
        if self.expressions.deletion.is_some() {
            return Err("--delete-when is said once: join conditions with or".to_owned());
        }
        self.expressions.deletion = Some(Expression::parse(text)?);
        Ok(())
    }

    /// A row that would be [deleted](Self::delete_when) is marked in this column instead: true, or the run's
    /// first start. A later record of its key that does not delete takes the mark away.
    pub fn soft_delete(&mut self, column: impl Into<String>) {
        self.expressions.mark = Some(column.into());
    }

    /// The value of a column is that of an expression of SQL over the record: `COLUMN=SQL`.
    ///
    /// # Errors
    /// In words, when it is not so written, or does not end where its own brackets do.
    pub fn set(&mut self, text: &str) -> Result<(), String> {
        let (column, sql) = match text.split_once('=') {
            Some((column, sql)) if !column.is_empty() => (column, sql),
            _ => return Err(format!("{text:?} is not COLUMN=SQL")),
        };
        if self.expressions.sets.iter().any(|(other, _)| other == column) {
            return Err(format!("column {column:?} is set twice"));
        }
        self.expressions.sets.push((column.to_owned(), Expression::parse(sql)?));
        Ok(())
    }

    /// Which records are loaded.
    #[must_use]
    pub const fn condition(&self) -> Option<&Expression> {
        self.expressions.condition.as_ref()
    }

    /// Which records delete.
    #[must_use]
    pub const fn deletion(&self) -> Option<&Expression> {
        self.expressions.deletion.as_ref()
    }

    /// The column that marks rows in place of deleting them.
    #[must_use]
    pub fn mark(&self) -> Option<&str> {
        self.expressions.mark.as_deref()
    }

    /// Columns and what they are set to.
    pub fn sets(&self) -> impl Iterator<Item = (&str, &Expression)> {
        self.expressions.sets.iter().map(|(column, expression)| (column.as_str(), expression))
    }

    /// Something is asked of the server before records are mapped.
    #[must_use]
    pub const fn asks(&self) -> bool {
        self.expressions.condition.is_some()
            || self.expressions.deletion.is_some()
            || !self.expressions.sets.is_empty()
    }
}

impl Shaping {
    /// Refuses what contradicts what was said of columns elsewhere.
    pub(super) fn check_expressions(&self) -> Result<(), String> {
        for (column, expression) in self.sets() {
            let text = expression.text();
            if let Some((field, _)) = self.maps().find(|(_, mapped)| *mapped == column) {
                return Err(format!(
                    "--set {column}={text} beside --map {field}={column}: name the field in the expression"
                ));
            }
            if self.mask_of(column).is_some() {
                return Err(format!(
                    "--set {column}={text}: the column is masked, and a value of an expression would not be"
                ));
            }
        }
        self.check_mark()
    }

    /// A mark is written by the loader alone.
    fn check_mark(&self) -> Result<(), String> {
        let Some(mark) = self.mark() else { return Ok(()) };
        if self.deletion().is_none() {
            return Err(format!("--soft-delete {mark} is of --delete-when, and there is none"));
        }
        let other = self.columns().find(|(column, words)| *column == mark && !words.starts_with(SOFT_DELETE));
        match other {
            Some((_, words)) => Err(format!(
                "{words} beside --soft-delete {mark}: the column says whether a row is deleted, and nothing else"
            )),
            None => Ok(()),
        }
    }
}
