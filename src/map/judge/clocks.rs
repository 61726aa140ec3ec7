//! What the session adds to the meaning of a time.

/// What the session adds to the meaning of a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Clocks {
    /// Its time zone is UTC: an offset of zero says what no offset says.
    pub are_utc: bool,
}
