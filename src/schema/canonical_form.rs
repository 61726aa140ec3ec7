//! Types of whose texts it can be told, without the server, which ones it holds equal.
//!
//! Here is only which they are; the canonical texts are `map::canonical`'s. Integers, texts, UUIDs and enums
//! have such a text too, and the server is sent that.

use super::{Narrows, TimeOfDay};

/// A type whose equal values have one canonical text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CanonicalForm {
    /// numeric, rounded to so many decimals.
    Number {
        /// Decimals; negative: digits before the point.
        scale: Option<i32>,
    },
    /// citext: letter case does not count.
    CaseFolded,
    /// date.
    Date,
    /// timestamp, timestamptz.
    Timestamp(TimeOfDay),
    /// time, timetz.
    Time(TimeOfDay),
    /// interval, with all its fields: a month is equal to 30 days.
    Interval,
    /// bytea.
    Bytes,
    /// inet.
    Address,
    /// macaddr.
    HardwareAddress,
    /// "char".
    Byte,
}

impl CanonicalForm {
    /// Of a built-in type, by its number, and its modifier.
    #[must_use]
    pub fn of(type_oid: u32, typmod: i32) -> Option<Self> {
        match (type_oid, Narrows::of(type_oid, typmod)) {
            (17, _) => Some(Self::Bytes),
            (18, _) => Some(Self::Byte),
            (829, _) => Some(Self::HardwareAddress),
            (869, _) => Some(Self::Address),
            (1082, _) => Some(Self::Date),
            (1083 | 1266, Some(Narrows::Time(time))) => Some(Self::Time(time)),
            (1114 | 1184, Some(Narrows::Timestamp(time))) => Some(Self::Timestamp(time)),
            (1186, _) if typmod == -1 => Some(Self::Interval),
            (1700, Some(Narrows::Scale(scale))) => Some(Self::Number { scale: Some(scale) }),
            (1700, _) => Some(Self::Number { scale: None }),
            _ => None,
        }
    }

    /// Each text that the server reads has a canonical one. Of the others there are some that the server
    /// alone can read: dates in words, say.
    #[must_use]
    pub const fn is_of_all_texts(self) -> bool {
        matches!(self, Self::Number { .. } | Self::CaseFolded)
    }
}
