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

    /// As stored runs have it: under another one values have other hashes.
    #[must_use]
    pub fn stored(self) -> String {
        let time = |name: &str, time: TimeOfDay| {
            format!("{name}({}){}", time.digits, if time.zoned { " with time zone" } else { "" })
        };
        match self {
            Self::Number { scale: Some(scale) } => format!("number of scale {scale}"),
            Self::Number { scale: None } => "number".to_owned(),
            Self::CaseFolded => "text but for case".to_owned(),
            Self::Date => "date".to_owned(),
            Self::Timestamp(of_day) => time("timestamp", of_day),
            Self::Time(of_day) => time("time", of_day),
            Self::Interval => "interval".to_owned(),
            Self::Bytes => "bytes".to_owned(),
            Self::Address => "address".to_owned(),
            Self::HardwareAddress => "hardware address".to_owned(),
            Self::Byte => "byte".to_owned(),
        }
    }

    /// Each text that the server reads has a canonical one. Of the others there are some that the server
    /// alone can read: dates in words, say.
    #[must_use]
    pub const fn is_of_all_texts(self) -> bool {
        matches!(self, Self::Number { .. } | Self::CaseFolded)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stored_runs_say_of_a_type_is_what_its_hash_stands_on() {
        let form = |oid, typmod| CanonicalForm::of(oid, typmod).unwrap().stored();
        assert_eq!(form(1700, -1), "number");
        assert_eq!(form(1700, (10 << 16) + 2 + 4), "number of scale 2");
        assert_eq!(form(1700, (12 << 16) + 2 + 4), "number of scale 2");
        assert_eq!(form(1184, 3), "timestamp(3) with time zone");
        assert_eq!(form(1082, -1), "date");
        assert_eq!(CanonicalForm::CaseFolded.stored(), "text but for case");
    }
}
