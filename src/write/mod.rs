//! Writing: one batch, one transaction, its checkpoint last.
//!
//! Two paths give one result. *Fast*: COPY into staging, then a set-based merge. *Careful*: the reference
//! itself, one record after the other in a loop on the server. The fast path is taken where it cannot be told
//! from the careful one; `plan` says when, and why not. This room speaks SQL; it never touches files, HTTP or
//! the terminal.

mod ask;
mod changed;
mod commit;
mod contents;
mod context;
mod direct;
mod encoding;
mod event;
mod mark;
mod merge_executor;
mod met;
mod outcome;
mod plan;
mod predictor;
mod reject;
mod rejects;
#[cfg(test)]
mod simulation;
mod sql;
mod stage;
mod strategy;
mod target;
mod transaction;
mod verify;

pub use ask::Asker;
pub use changed::TargetState;
pub use commit::retry::{Retry, RetryPolicy};
pub use commit::writer::Writer;
pub use contents::{
    begin_whole, count_both, count_rows, create_beside, held_rows, lock_beside, lock_whole, look_for_gone,
    put, remove_all, remove_each,
};
pub use event::{Carried, Verdict, WriteError, WriterEvent};
pub use mark::{MarkColumn, Marked};
pub use outcome::Committed;
pub use plan::{DatabaseEncoding, Staging, WritePlan, staging_fits};
pub use predictor::{Direct, Predictor};
pub use reject::{Originals, ReasonOfBatch, Rejected};
pub use target::Watched;
pub use verify::Verifier;
