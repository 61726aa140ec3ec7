//! How an instant says its offset.

/// Whether an instant is written with its offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::shape) enum Zones {
    /// As UTC.
    Written,
    /// Its column has none: it holds the time as it is in UTC.
    LeftOut,
}
