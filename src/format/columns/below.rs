//! Digits that are finer than what PostgreSQL keeps of a time.

/// What becomes of the digits of a time below the microsecond, which PostgreSQL does not keep
/// (`--sub-microseconds`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum SubMicroseconds {
    /// They are handed on: a column of times refuses them where they are not zero, text keeps them.
    #[default]
    Keep,
    /// They are left out.
    Truncate,
    /// To the nearest microsecond, a half to the later one.
    Round,
}
