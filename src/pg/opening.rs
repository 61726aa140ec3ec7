//! How a transaction with a COPY begins, and one that was begun ahead of its rows.

use bytes::Bytes;
use tokio_postgres::CopyInSink;

use super::outcome::StatementResult;

/// How a transaction with a COPY begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Opening {
    pub(super) begin: String,
    pub(super) copy: String,
}

/// A transaction that has begun, and its COPY, which waits for rows.
pub(super) struct OpenCopy {
    pub(super) opening: Opening,
    /// What the statements that began it gave.
    pub(super) begun: Vec<StatementResult>,
    pub(super) sink: CopyInSink<Bytes>,
}

/// How this transaction of a session began, and one that was begun ahead of its rows.
#[derive(Default)]
pub(super) struct Openings {
    pub(super) last: Option<Opening>,
    pub(super) ahead: Option<OpenCopy>,
}
