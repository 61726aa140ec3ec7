//! What a load has of an engine.

use crate::engine::{Engine, Share};
use crate::job::Job;

/// A load's share of an engine: of its own, if nobody gives it one.
pub(super) fn enter(engine: Option<&Engine>, job: &Job) -> Share {
    engine.map_or_else(|| Engine::of(&job.resources).enter(), Engine::enter)
}
