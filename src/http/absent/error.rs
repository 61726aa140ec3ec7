//! Why nobody can be asked.

/// Why nobody can be asked.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// What is asked for is not in this build.
    #[error("this build of dbload lacks the feature `http`")]
    Absent,
    /// Never: a body that was cut off.
    #[error("{how:?}")]
    Cut {
        /// In which way the body broke off.
        how: Truncation,
    },
}

/// How a body was cut off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Truncation {
    /// Its end was not proven.
    Unproven,
}

impl HttpError {
    /// Whether a body may be asked for again.
    #[must_use]
    pub const fn is_restartable(&self) -> bool {
        false
    }

    /// What can be done about it.
    #[must_use]
    pub const fn hint(&self) -> Option<String> {
        None
    }
}
