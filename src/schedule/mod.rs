//! Loads that belong together: in which order they run, and what they come to.

mod order;
mod state;

pub use order::{Edges, Readiness, circle};
pub use state::{LoadState, gravest};
