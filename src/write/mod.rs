//! Writing: one batch, one transaction, its checkpoint last.
//!
//! Two paths give one result. *Fast*: COPY into staging, then a set-based merge. *Careful*: the reference
//! itself, one record after the other in a loop on the server. The fast path is taken where it cannot be told
//! from the careful one; `plan` says when, and why not. This room speaks SQL; it never touches files, HTTP or
//! the terminal.

mod changed;
mod committer;
mod context;
mod convert;
mod dedup;
mod direct;
mod encoding;
mod event;
mod mark;
mod merge;
mod merge_executor;
mod names;
mod outcome;
mod plan;
mod predictor;
mod protocol;
mod quarantine;
mod range;
mod reject;
mod rejects;
mod retry;
mod row_by_row;
mod server;
mod settings;
#[cfg(test)]
mod simulation;
mod stage;
mod strategy;
mod target;
mod transaction;
mod unique_constraints;
mod verify;
mod writer;

pub use changed::TargetState;
pub use event::{Verdict, WriteError, WriterEvent};
pub use mark::{MarkColumn, Marked};
pub use outcome::Committed;
pub use plan::{DatabaseEncoding, Staging, WritePlan, staging_fits};
pub use predictor::{Direct, Predictor};
pub use reject::{Originals, Rejected};
pub use retry::{Retry, RetryPolicy};
pub use target::Watched;
pub use verify::Verifier;
pub use writer::Writer;
