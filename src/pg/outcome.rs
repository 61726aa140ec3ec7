//! What statements gave, as the server's text.

use tokio_postgres::{SimpleQueryMessage, SimpleQueryRow};

use super::db_error::DbError;

/// What one statement gave.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct StatementResult {
    /// Its rows, as text.
    pub rows: Vec<Vec<Option<String>>>,
    /// The number in its command tag.
    pub affected: u64,
}

impl StatementResult {
    /// The first value of the first row.
    #[must_use]
    pub fn value(&self) -> Option<&str> {
        self.rows.first()?.first()?.as_deref()
    }
}

/// A number that a statement was asked for.
pub fn number(outcome: Option<&StatementResult>, column: usize) -> Result<u64, DbError> {
    let number = outcome.and_then(|o| o.rows.first()?.get(column)?.as_deref()?.parse().ok());
    number.ok_or_else(|| DbError::Answer("the server's answer is not a number".to_owned()))
}

/// The values of a row.
pub(super) fn values(row: &SimpleQueryRow) -> Vec<Option<String>> {
    (0..row.len()).map(|i| row.get(i).map(ToOwned::to_owned)).collect()
}

/// One outcome a statement.
pub(super) fn outcomes(messages: Vec<SimpleQueryMessage>) -> Vec<StatementResult> {
    let mut outcomes = Vec::new();
    let mut current = StatementResult::default();
    for message in messages {
        match message {
            SimpleQueryMessage::Row(row) => {
                current.rows.push(values(&row));
            }
            SimpleQueryMessage::CommandComplete(affected) => {
                current.affected = affected;
                outcomes.push(std::mem::take(&mut current));
            }
            _ => {}
        }
    }
    outcomes
}
