//! What a text may lose, in the words of a reject.

use crate::reject_codes;

/// What a text would lose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::map) enum Loss {
    Decimals,
    Clock,
    Day,
    Offset,
    Fraction,
    LeapSecond,
    ShortYear,
    Moment,
    PartOfMonth,
    LowerField,
    Spaces,
    Bytes,
    Sign,
    Octal,
    DoubledKey,
    LeadingZero,
    Plus,
    Exponent,
    Digits,
}

impl Loss {
    /// The code that the server has for a value of that kind.
    pub(in crate::map) const fn sqlstate(self) -> &'static str {
        match self {
            Self::Decimals
            | Self::Sign
            | Self::Octal
            | Self::LeadingZero
            | Self::Plus
            | Self::Exponent
            | Self::Digits => reject_codes::NO_NUMBER,
            Self::Clock | Self::Day | Self::Offset | Self::Fraction | Self::LeapSecond => {
                reject_codes::NO_TIME
            }
            Self::ShortYear | Self::Moment => reject_codes::NO_DATE,
            Self::PartOfMonth | Self::LowerField => reject_codes::NO_INTERVAL,
            Self::Spaces | Self::Bytes => reject_codes::NO_ROOM,
            Self::DoubledKey => reject_codes::DUPLICATE_MEMBER,
        }
    }

    const fn words(self) -> &'static str {
        match self {
            Self::Decimals => "its decimals would be rounded",
            Self::Clock => "its time of day would be dropped",
            Self::Day => "its date would be dropped",
            Self::Offset => "its offset from UTC would be dropped",
            Self::Fraction => "its fraction of a second would be rounded",
            Self::LeapSecond => "its second 60 would become another minute",
            Self::ShortYear => "its year has no century",
            Self::Moment => "it would become the moment of the load",
            Self::PartOfMonth => "its part of a month would become days",
            Self::LowerField => "it has a field that the column drops",
            Self::Spaces => "spaces at its end would be dropped",
            Self::Bytes => "its end would be dropped",
            Self::Sign => "its sign would be lost",
            Self::Octal => "its leading zero may make it octal",
            Self::DoubledKey => "of members with the same key one alone would be kept",
            Self::LeadingZero => "its leading zero would be lost",
            Self::Plus => "its plus sign would be lost",
            Self::Exponent => "its exponent would be lost",
            Self::Digits => "its last digits would be lost",
        }
    }

    /// The reason of a reject, with what takes the value as it is.
    pub(in crate::map) fn reason(self, type_name: &str, column: &str) -> String {
        format!("{} as {type_name} (--narrowing {column}=allow takes it so)", self.words())
    }
}
