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
    OddOffset,
    OddClock,
    FarYear,
    NoSuchDay,
    PartOfMonth,
    LowerField,
    OddField,
    Spaces,
    Bytes,
    Sign,
    Octal,
    NoUnsigned,
    Commas,
    NoDigit,
    NoOffset,
    DoubledKey,
    DoubledPair,
    Position,
    LeadingZero,
    Underscore,
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
            | Self::NoUnsigned
            | Self::Commas
            | Self::NoDigit
            | Self::LeadingZero
            | Self::Underscore
            | Self::Plus
            | Self::Exponent
            | Self::Digits => reject_codes::NO_NUMBER,
            Self::Clock
            | Self::Day
            | Self::Offset
            | Self::OddOffset
            | Self::OddClock
            | Self::Fraction
            | Self::LeapSecond => reject_codes::NO_TIME,
            Self::ShortYear | Self::FarYear | Self::NoSuchDay | Self::Moment | Self::NoOffset => {
                reject_codes::NO_DATE
            }
            Self::PartOfMonth | Self::LowerField | Self::OddField => reject_codes::NO_INTERVAL,
            Self::Spaces | Self::Bytes | Self::Position => reject_codes::NO_ROOM,
            Self::DoubledKey | Self::DoubledPair => reject_codes::DUPLICATE_MEMBER,
        }
    }

    /// Newer servers refuse some of it themselves.
    pub(in crate::map) const fn can_be_allowed(self) -> bool {
        !matches!(self, Self::NoUnsigned)
    }

    pub(in crate::map) const fn words(self) -> &'static str {
        match self {
            Self::Decimals => "its decimals would be rounded",
            Self::Clock => "its time of day would be dropped",
            Self::Day => "its date would be dropped",
            Self::Offset => "its offset from UTC would be dropped",
            Self::Fraction => "its fraction of a second would be rounded",
            Self::LeapSecond => "its second 60 would become another minute",
            Self::ShortYear => "its year has no century",
            Self::Moment => "it would become the moment of the load",
            Self::OddOffset => "its offset may be read as another one",
            Self::OddClock => "its time of day would be read as minutes and seconds",
            Self::FarYear => "its digits would be read as a far year",
            Self::NoSuchDay => "its year has no such day",
            Self::OddField => "a number or unit of it may be read as something else",
            Self::PartOfMonth => "its part of a month would become days",
            Self::LowerField => "it has a field that the column drops",
            Self::Spaces => "spaces at its end would be dropped",
            Self::Bytes => "its end would be dropped",
            Self::Sign => "its sign would be lost",
            Self::Octal => "its leading zero may make it octal",
            Self::NoUnsigned => "it is no number without a sign that fits",
            Self::Commas => "its commas part no thousands and would be dropped",
            Self::NoDigit => "it has no digit and would be 0",
            Self::NoOffset => "its offset would be that of the day of the load",
            Self::DoubledPair => "of pairs with the same key the first alone would be kept",
            Self::Position => "a position of a word would be dropped",
            Self::Underscore => "its underscore would be lost",
            Self::DoubledKey => "of members with the same key one alone would be kept",
            Self::LeadingZero => "its leading zero would be lost",
            Self::Plus => "its plus sign would be lost",
            Self::Exponent => "its exponent would be lost",
            Self::Digits => "its last digits would be lost",
        }
    }

    /// What the server refuses in some spellings, and takes for something else in others.
    const fn is_uncertain(self) -> bool {
        matches!(self, Self::OddOffset | Self::OddClock | Self::FarYear | Self::NoSuchDay | Self::OddField)
    }

    /// The reason of a reject, with what takes the value as it is.
    pub(in crate::map) fn reason(self, type_name: &str, column: &str) -> String {
        let words = self.words();
        if self.is_uncertain() {
            format!("{words} as {type_name} (--narrowing {column}=allow leaves it to the server)")
        } else if self.can_be_allowed() {
            format!("{words} as {type_name} (--narrowing {column}=allow takes it so)")
        } else {
            format!("{words} into {type_name}")
        }
    }
}
