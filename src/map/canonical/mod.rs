//! Canonical texts of key values: where the server holds two texts equal, they have one and the same.
//!
//! Records of one key must have one writer, and are known for repeats by the hash of this text. It goes
//! nowhere else: the server is sent what stood in the source. Values that differ may share a text, at the
//! cost of time; equal ones with two would be stored by two writers at once, in any order. So a spelling that
//! is not known for certain is [`Canonical::Unread`], and one that the server refuses has any text.

mod clock;
mod number;
mod octets;
mod outcome;
#[cfg(test)]
mod tests;
mod value;

pub(super) use outcome::Canonical;
pub(super) use value::read;
