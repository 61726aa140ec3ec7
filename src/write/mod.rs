//! Writing: one batch, one transaction, its checkpoint last.
//!
//! Two paths give one result. *Fast*: COPY into staging, then a set-based merge. *Careful*: the reference itself, one
//! record after the other in a loop on the server. The fast path is taken where it cannot be told from the careful
//! one; `plan` says when, and why not. This room speaks SQL; it never touches files, HTTP or the terminal.

mod aside;
mod careful;
mod changed;
mod committer;
mod convert;
mod direct;
mod encoding;
mod fold;
mod judge;
mod merge;
mod names;
mod outlook;
mod plan;
mod protocol;
mod range;
mod rejects;
mod retry;
mod server;
mod settings;
#[cfg(test)]
mod simulation;
mod stage;
mod target;
mod ties;
mod transaction;
mod verify;
mod writer;

pub use changed::Look;
pub use outlook::{Direct, Outlook};
pub use plan::{Encoding, Staging, WritePlan, staging_fits};
pub use rejects::{Originals, StoredReject};
pub use retry::{Patience, Retry};
pub use target::Watched;
pub use transaction::Committed;
pub use verify::{Verdict, Verifier};
pub use writer::{LedgerRef, WriteError, Writer, WriterEvent};
