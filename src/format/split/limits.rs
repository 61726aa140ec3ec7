//! What splitting holds a record to.

/// Longest record, in bytes: far above any sane row, far below what hurts; a row of PostgreSQL ends at 1 GB
/// and a COPY line near it, but a batch must hold several.
pub const RECORD_BYTES: usize = 8 * 1024 * 1024;

/// What a splitter holds its records to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Longest record in bytes, without its terminator.
    pub record_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { record_bytes: RECORD_BYTES }
    }
}
