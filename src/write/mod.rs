//! Writing: one batch, one transaction, its checkpoint last.
//!
//! Two paths give one result. *Fast*: COPY into staging, then a set-based merge. *Careful*: the reference itself, one
//! record after the other in a loop on the server. The fast path is taken where it cannot be told from the careful
//! one; `plan` says when, and why not. This room speaks SQL; it never touches files, HTTP or the terminal.

mod aside;
mod careful;
mod changed;
mod committer;
mod context;
mod convert;
mod direct;
mod encoding;
mod event;
mod fold;
mod judge;
mod merge;
mod names;
mod outcome;
mod outlook;
mod plan;
mod protocol;
mod range;
mod reject;
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
mod way;
mod writer;

pub use changed::Look;
pub use event::{Verdict, WriteError, WriterEvent};
pub use outcome::Committed;
pub use outlook::{Direct, Outlook};
pub use plan::{Encoding, Staging, WritePlan, staging_fits};
pub use reject::{Originals, Rejected};
pub use retry::{Patience, Retry};
pub use target::Watched;
pub use verify::Verifier;
pub use writer::Writer;
