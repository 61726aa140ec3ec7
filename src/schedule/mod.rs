//! Loads that belong together: in which order they run, up to where each has come, and what they come to.

mod mark;
mod order;
mod state;

pub use mark::{Lag, MarkOrder, MarkValue};
pub use order::{Edges, Readiness, behind, circle};
pub use state::{LoadState, gravest};
