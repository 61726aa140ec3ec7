//! Starts of a run: what is kept of each. A start that dies leaves its beginning, and whoever takes the run
//! over keeps when it was last heard of.

use crate::pg::{Session, literal};

use super::error::LedgerError;
use super::fence::LedgerRef;
use super::read::failed;

/// What a start came to.
#[derive(Debug)]
pub struct AttemptEnd<'a> {
    /// The exit code.
    pub code: u8,
    /// Why it did not come to a good end, in one line.
    pub error: Option<&'a str>,
    /// Where its time went, as JSON.
    pub seconds: &'a str,
}

impl LedgerRef {
    /// The statement that keeps what this start came to.
    #[must_use]
    pub fn end_attempt(&self, end: &AttemptEnd<'_>) -> String {
        format!(
            "UPDATE _dbload.attempt a SET seen_at = clock_timestamp(), ended_at = clock_timestamp(), code = {}, error = {}, seconds = {} \
             WHERE a.run = {} AND a.epoch = {};\n",
            end.code,
            end.error.map_or_else(|| "NULL".to_owned(), literal),
            literal(end.seconds),
            literal(&self.run),
            self.epoch
        )
    }

    /// Keeps what this start came to, where no completion does.
    ///
    /// # Errors
    /// When the server cannot be asked.
    pub async fn note_attempt_end(&self, session: &Session, end: &AttemptEnd<'_>) -> Result<(), LedgerError> {
        session.ask(&self.end_attempt(end)).await.map(|_| ()).map_err(failed("note how a start has ended"))
    }
}
