//! Dagster Pipes, protocol 0.1: a load that Dagster has started reports what it came to as materialisations.
//!
//! A process is one of Pipes if `DAGSTER_PIPES_CONTEXT` is set; any other never comes here. `context` is what
//! Dagster says, `messages` the way back, `asset` what is said of a table, `session` the rest.

mod asset;
mod context;
mod messages;
mod session;

pub(crate) use session::{Pipes, within};
