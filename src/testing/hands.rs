//! Connections that administer a test server: opened when they are needed, and kept for the next statement.
//!
//! One of them holds the lock of this process, which says to others that it lives. Were that one lost, the
//! next one takes it.

use tokio::sync::{Mutex, Semaphore};

use super::names::{OWNERS, Tag};
use crate::pg::{Administrator, DbError, StatementResult};

/// Statements at once: each takes a core of the server, or waits for the same checkpoint as the others.
const AT_ONCE: usize = 4;
/// Connections that stay open between statements, besides the one with the lock: opening one takes longer
/// than most of what is said there.
const IDLE: usize = AT_ONCE;

/// What `run` gave.
pub(super) type HandAnswers = Result<Vec<StatementResult>, DbError>;

/// The connections of this process.
pub(super) struct Hands {
    url: String,
    owner: Tag,
    idle: Mutex<Vec<Hand>>,
    permits: Semaphore,
}

struct Hand {
    administrator: Administrator,
    holds_lock: bool,
}

impl Hands {
    /// None is open yet.
    pub(super) fn new(url: &str, owner: Tag) -> Self {
        let (idle, permits) = (Mutex::new(Vec::new()), Semaphore::new(AT_ONCE));
        Self { url: url.to_owned(), owner, idle, permits }
    }

    /// Opens the first one, with the lock.
    ///
    /// # Errors
    /// The server does not let us in.
    pub(super) async fn open(url: &str, owner: Tag) -> Result<Self, DbError> {
        let hands = Self::new(url, owner);
        let first = hands.another().await?;
        hands.idle.lock().await.push(first);
        Ok(hands)
    }

    /// Runs statements on whichever is free. After a lost connection they are tried once more, on another
    /// one.
    ///
    /// # Errors
    /// The server refuses them, or is gone.
    pub(super) async fn run(&self, sql: &str) -> HandAnswers {
        // Never closed.
        let _permit = self.permits.acquire().await;
        let kept = self.idle.lock().await.pop();
        if let Some(hand) = kept {
            let answers = hand.administrator.run(sql).await;
            if !answers.as_ref().is_err_and(DbError::is_lost) {
                self.keep(hand).await;
                return answers;
            }
        }
        let hand = self.another().await?;
        let answers = hand.administrator.run(sql).await;
        self.keep(hand).await;
        answers
    }

    async fn another(&self) -> Result<Hand, DbError> {
        let administrator = Administrator::connect(&self.url).await?;
        let lock = format!("SELECT pg_catalog.pg_try_advisory_lock({OWNERS}, {})", self.owner.lock());
        let answers = administrator.run(&lock).await?;
        let holds_lock = answers.first().and_then(|answer| answer.value()) == Some("t");
        Ok(Hand { administrator, holds_lock })
    }

    async fn keep(&self, hand: Hand) {
        let mut idle = self.idle.lock().await;
        if hand.holds_lock || idle.iter().filter(|hand| !hand.holds_lock).count() < IDLE {
            idle.push(hand);
        }
    }
}

/// The first field of each row of the first answer.
pub(super) fn first_fields(answers: Vec<StatementResult>) -> Vec<String> {
    let rows = answers.into_iter().next().unwrap_or_default().rows;
    rows.into_iter().filter_map(|row| row.into_iter().next().flatten()).collect()
}
