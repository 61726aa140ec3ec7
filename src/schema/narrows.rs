//! Types whose input functions take a text and store something else, without an error: a digit less, another
//! day, an hour without its offset. Here is only which they are; the judge is `map::judge`.

/// What a value's text may lose on its way into a column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Narrows {
    /// numeric(p, s): decimals beyond so many are rounded. Negative: digits before the point.
    Scale(i32),
    /// date: time of day and offset are dropped.
    Date,
    /// timestamp, timestamptz.
    Timestamp(TimeOfDay),
    /// time, timetz: a date is dropped.
    Time(TimeOfDay),
    /// interval: fractions of months become days of a month of 30; fields and digits behind the last are
    /// dropped.
    Interval {
        /// The least field that is kept.
        least: Field,
        /// Digits of a second's fraction.
        digits: u8,
    },
    /// varchar(n): spaces beyond so many characters are dropped.
    Length(usize),
    /// "char": what follows the first byte is dropped.
    Char,
    /// name: what follows its 63rd byte is dropped.
    Name,
    /// oid, xid, cid, xid8, of so many bits: a negative number is taken modulo, one with a leading zero may
    /// be read as octal, and PostgreSQL 15 takes any text for some xid.
    Unsigned(u8),
    /// money: as of a scale of 2; commas are passed over wherever they stand.
    Money,
    /// tsvector: positions beyond 16383, and more than 255 of one word.
    Positions,
    /// hstore: of pairs with one key the first is kept.
    Pairs,
    /// jsonb: of members with one key the last is kept.
    Keys,
    /// An integer, in a table that was made from the sample of this run: a leading zero and an exponent were
    /// no sign of a number there.
    WrittenInteger,
    /// numeric, likewise.
    WrittenNumber,
    /// double precision, likewise: nor were digits that it would not keep.
    WrittenDouble,
    /// Elements of an array, with their delimiter.
    Array(Box<Narrows>, char),
    /// Bounds of a range or of the ranges of a multirange.
    Range(Box<Narrows>),
    /// Words between spaces (oidvector).
    Words(Box<Narrows>),
    /// Attributes of a composite type.
    Composite(Vec<Option<Narrows>>),
}

/// A time of day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeOfDay {
    /// Digits of a second's fraction.
    pub digits: u8,
    /// An offset is kept, or heard.
    pub zoned: bool,
}

/// A field of an interval, from the greatest to the least.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    /// Years.
    Year,
    /// Months.
    Month,
    /// Days.
    Day,
    /// Hours.
    Hour,
    /// Minutes.
    Minute,
    /// Seconds.
    Second,
}

/// Digits of a second that the server keeps.
const DIGITS: u8 = 6;
/// What the modifier of a length or a scale is greater by.
const MODIFIER_HEAD: i32 = 4;

impl Narrows {
    /// Of a built-in type, by its number, and its modifier.
    #[must_use]
    pub fn of(type_oid: u32, typmod: i32) -> Option<Self> {
        let digits = u8::try_from(typmod).unwrap_or(DIGITS).min(DIGITS);
        let beyond_head = typmod.checked_sub(MODIFIER_HEAD).filter(|n| *n >= 0);
        match type_oid {
            18 => Some(Self::Char),
            19 => Some(Self::Name),
            26 | 28 | 29 => Some(Self::Unsigned(32)),
            // tid: of a block and a place in it.
            27 => Some(Self::Composite(vec![Some(Self::Unsigned(32)), Some(Self::Unsigned(16))])),
            30 => Some(Self::Words(Box::new(Self::Unsigned(32)))),
            790 => Some(Self::Money),
            1043 => beyond_head.and_then(|n| usize::try_from(n).ok()).map(Self::Length),
            1082 => Some(Self::Date),
            1083 => Some(Self::Time(TimeOfDay { digits, zoned: false })),
            1114 => Some(Self::Timestamp(TimeOfDay { digits, zoned: false })),
            1184 => Some(Self::Timestamp(TimeOfDay { digits, zoned: true })),
            1186 => Some(interval(typmod)),
            1266 => Some(Self::Time(TimeOfDay { digits, zoned: true })),
            // Eleven bits with a sign.
            1700 => beyond_head.map(|n| Self::Scale(((n & 0x7ff) ^ 1024) - 1024)),
            3614 => Some(Self::Positions),
            3802 => Some(Self::Keys),
            5069 => Some(Self::Unsigned(64)),
            _ => None,
        }
    }

    /// The same of a type that a sample has chosen: what the sample would have read otherwise has no place in
    /// it.
    #[must_use]
    pub fn written(type_name: &str) -> Option<Self> {
        match type_name {
            "bigint" => Some(Self::WrittenInteger),
            "numeric" => Some(Self::WrittenNumber),
            "double precision" => Some(Self::WrittenDouble),
            _ => None,
        }
    }
}

/// The modifier has a bit for each field, and the digits.
fn interval(typmod: i32) -> Narrows {
    const FIELDS: [(i32, Field); 6] = [
        (1 << 12, Field::Second),
        (1 << 11, Field::Minute),
        (1 << 10, Field::Hour),
        (1 << 3, Field::Day),
        (1 << 1, Field::Month),
        (1 << 2, Field::Year),
    ];
    if typmod < 0 {
        return Narrows::Interval { least: Field::Second, digits: DIGITS };
    }
    let least = FIELDS.iter().find(|(bit, _)| (typmod >> 16) & bit != 0).map_or(Field::Second, |f| f.1);
    let digits = u8::try_from(typmod & 0xffff).unwrap_or(DIGITS).min(DIGITS);
    Narrows::Interval { least, digits }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modifiers_are_those_of_the_server() {
        // select atttypid, atttypmod from pg_attribute
        assert_eq!(Narrows::of(1700, 655_366), Some(Narrows::Scale(2)));
        assert_eq!(Narrows::of(1700, 329_729), Some(Narrows::Scale(-3)));
        assert_eq!(Narrows::of(1700, -1), None);
        assert_eq!(Narrows::of(1043, 7), Some(Narrows::Length(3)));
        assert_eq!(Narrows::of(1043, -1), None);
        assert_eq!(Narrows::of(1114, 3), Some(Narrows::Timestamp(TimeOfDay { digits: 3, zoned: false })));
        assert_eq!(Narrows::of(1184, -1), Some(Narrows::Timestamp(TimeOfDay { digits: 6, zoned: true })));
        assert_eq!(Narrows::of(1186, 458_751), Some(Narrows::Interval { least: Field::Month, digits: 6 }));
        assert_eq!(
            Narrows::of(1186, 2_147_418_115),
            Some(Narrows::Interval { least: Field::Second, digits: 3 })
        );
    }
}
