//! Connections before there is a pipeline: our own session that was just closed still counts for the server,
//! and the ledger needs one beside the pool's.

use std::time::{Duration, Instant};

use crate::pg::sqlstate::is_out_of_connections;
use crate::pg::{Lease, Session};
use crate::prepared::LoadError;

/// A session that was closed counts against the limit of connections until the server has noticed.
const SLOT_PATIENCE: Duration = Duration::from_secs(5);
const SLOT_PAUSE: Duration = Duration::from_millis(50);

/// Makes room for the ledger's connection: there are never more than the pool may have.
pub(super) fn leave_one(pool: &Lease) {
    if pool.max_size() == 1 {
        pool.make_room();
    }
}

/// Opens a session for the slots.
pub(super) async fn open(pool: &Lease) -> Result<Session, LoadError> {
    let since = Instant::now();
    loop {
        match Session::open(pool).await {
            Ok(session) => return Ok(session),
            Err(error) if is_out_of_connections(&error) && since.elapsed() < SLOT_PATIENCE => {
                tokio::time::sleep(SLOT_PAUSE).await;
            }
            Err(source) => return Err(LoadError::Prepare { doing: "open a session", source }),
        }
    }
}
