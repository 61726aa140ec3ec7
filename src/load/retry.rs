//! Retries: steps that are tried again while the server is away: what closes a load does no harm when it is
//! repeated.

use std::time::Duration;

use futures::future::BoxFuture;

use crate::causes::with_causes;
use crate::event::{Event, Totals};
use crate::ledger::LedgerError;
use crate::pg::Session;
use crate::pg::sqlstate::is_transient;
use crate::prepared::Prepared;
use crate::write::{Retry, RetryPolicy};

use super::outcome::Watch;

/// A session for a step.
pub(super) async fn session(prepared: &Prepared, doing: &'static str) -> Result<Session, LedgerError> {
    Session::open(&prepared.pool).await.map_err(|source| LedgerError::Server { doing, source })
}

/// Repeats a step that does no harm when repeated, until it is done or patience ends. Who is `told` hears why
/// it waits, as from a writer.
pub(super) async fn with_retries<'s, T>(
    retry_for: Duration,
    told: Option<&Watch<'_>>,
    mut step: impl FnMut() -> BoxFuture<'s, Result<T, LedgerError>>,
) -> Result<T, LedgerError> {
    let mut retry = Retry::new(RetryPolicy { retry_for });
    let tell = |event: Event| {
        if let Some(watch) = told {
            (watch.listener)(&event, &Totals::default());
        }
    };
    loop {
        let (doing, source) = match step().await {
            Err(LedgerError::Server { doing, source }) if is_transient(&source) => (doing, source),
            done => {
                if retry.tries() > 0 {
                    tell(Event::GoesOn { partition: None });
                }
                return done;
            }
        };
        let Some(pause) = retry.pause() else { return Err(LedgerError::Server { doing, source }) };
        tell(Event::Waiting { partition: None, reason: format!("{doing}: {}", with_causes(&source)) });
        tokio::time::sleep(pause).await;
    }
}
