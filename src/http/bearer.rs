//! A bearer token, and which one it is.

use std::time::Instant;

use crate::secret::Secret;

/// A token, and which one it is.
#[derive(Clone)]
pub(super) struct BearerToken {
    pub(super) secret: Secret,
    pub(super) generation: u64,
    pub(super) expires: Option<Instant>,
}

impl BearerToken {
    pub(super) const fn new(secret: Secret, expires: Option<Instant>) -> Self {
        Self { secret, generation: 0, expires }
    }
}
