//! What a driver's errors are to the rest (those of sqlx: `sqlx_door`): the server's word, a connection that
//! is gone, or something else.

use std::error::Error as _;
use std::sync::Arc;

use super::db_error::{DbError, ServerError, SharedCause};
use super::sqlstate::BROKEN_OFF;

impl From<tokio_postgres::Error> for DbError {
    fn from(error: tokio_postgres::Error) -> Self {
        use tokio_postgres::error::Severity;
        let Some(db) = error.as_db_error() else {
            let io = error.source().and_then(|cause| cause.downcast_ref::<std::io::Error>());
            let is_lost = error.is_closed() || io.is_some_and(is_lost);
            return of_driver(is_lost, Arc::new(error));
        };
        let ended_session = match db.parsed_severity() {
            Some(severity) => matches!(severity, Severity::Fatal | Severity::Panic),
            // Poolers leave that field out, but do not translate the other one.
            None => matches!(db.severity(), "FATAL" | "PANIC"),
        };
        Self::from(ServerError {
            sqlstate: db.code().code().to_owned(),
            ended_session: ended_session || db.code().code() == BROKEN_OFF,
            message: db.message().to_owned(),
            detail: db.detail().map(str::to_owned),
            constraint: db.constraint().map(str::to_owned),
            schema: db.schema().map(str::to_owned),
            table: db.table().map(str::to_owned),
            column: db.column().map(str::to_owned),
        })
    }
}

/// A driver's own error.
pub(super) fn of_driver(is_lost: bool, cause: SharedCause) -> DbError {
    if is_lost { DbError::Lost { place: None, cause: Some(cause) } } else { DbError::Other(cause) }
}

/// Whether an I/O error means that the connection is gone. Only what the driver refused to encode is not: it
/// never reached the socket.
pub(super) fn is_lost(error: &std::io::Error) -> bool {
    error.kind() != std::io::ErrorKind::InvalidInput
}

#[cfg(test)]
mod tests {
    use std::error::Error;
    use std::io;

    use super::*;

    #[test]
    fn causes_are_kept_and_each_is_said_once() {
        let reset = io::Error::new(io::ErrorKind::ConnectionReset, "reset by the peer");
        let broken = of_driver(is_lost(&reset), Arc::new(reset)).at(&Arc::from("h:5/db"));
        assert!(broken.is_lost());
        assert_eq!(broken.source().expect("the driver's own").to_string(), "reset by the peer");
        let words = crate::causes::with_causes(&broken);
        assert_eq!(words, "the connection was lost (server h:5/db): reset by the peer");
        let refused = DbError::other(io::Error::from(io::ErrorKind::InvalidInput));
        assert!(!refused.is_lost() && refused.at(&Arc::from("h:5/db")).is_lost());
    }
}
