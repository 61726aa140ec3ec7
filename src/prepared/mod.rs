//! What a load is once it is prepared, and why one fails: what the wiring makes, and the pipeline runs.

mod act;
mod error;
mod ready;
mod unledgered;

pub(crate) use act::Act;
pub use error::LoadError;
pub use ready::{Prepared, RunInHand};
pub(crate) use ready::{are_exact, are_replayable, guarantee};
pub(crate) use unledgered::{Lost, NamedReject, Unledgered};
