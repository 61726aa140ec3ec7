//! Values of a watermark: integers and instants, in the form in which they arrived.

use std::fmt::Write as _;

use crate::calendar::{date_of, days_since_1970};

/// How the values of a watermark are ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MarkOrder {
    /// As integers.
    Integer,
    /// As instants, or dates.
    Moment,
}

/// A value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MarkValue {
    /// As it arrived.
    pub text: String,
    /// A number that orders values of one kind: the integer, or nanoseconds since 1970.
    pub order: i128,
}

/// What a stored value is lowered by, before it is asked from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lag {
    /// Of integers.
    Integer(u64),
    /// Of instants.
    Time(std::time::Duration),
}

const NANOS: i128 = 1_000_000_000;
const DAY_SECONDS: i64 = 86_400;

/// An instant as it is written: what it takes to write another one in the same way.
struct Spelling<'t> {
    separator: Option<char>,
    has_seconds: bool,
    /// Digits of the fraction of a second.
    digits: usize,
    /// `Z`, `+02:00`, or nothing, as it is.
    zone: &'t str,
    offset_seconds: i64,
    nanos: i128,
}

impl MarkOrder {
    /// Reads a value; nothing where it is none of this kind. No such value is refused elsewhere: what is no
    /// mark is counted.
    #[must_use]
    pub fn order_of(self, text: &str) -> Option<i128> {
        match self {
            Self::Integer => text.parse::<i64>().ok().map(i128::from),
            Self::Moment => written(text).map(|written| written.nanos),
        }
    }

    /// Likewise, with its text.
    #[must_use]
    pub fn mark(self, text: &str) -> Option<MarkValue> {
        self.order_of(text).map(|order| MarkValue { text: text.to_owned(), order })
    }

    /// The kind of a value that a person has written.
    #[must_use]
    pub fn guess(text: &str) -> Option<Self> {
        [Self::Integer, Self::Moment].into_iter().find(|kind| kind.order_of(text).is_some())
    }
}

impl MarkValue {
    /// The value to ask from: lowered, and written as this one is. Nothing where the lag is of the other
    /// kind, or leads out of the calendar.
    #[must_use]
    pub fn lowered(&self, lag: Option<Lag>) -> Option<String> {
        match lag {
            None => Some(self.text.clone()),
            Some(Lag::Integer(lag)) => {
                let value: i64 = self.text.parse().ok()?;
                i64::try_from(i128::from(value) - i128::from(lag)).ok().map(|value| value.to_string())
            }
            Some(Lag::Time(lag)) => {
                let written = written(&self.text)?;
                written.again(written.nanos - i128::try_from(lag.as_nanos()).ok()?)
            }
        }
    }
}

impl Spelling<'_> {
    fn again(&self, nanos: i128) -> Option<String> {
        let local = i64::try_from(nanos.div_euclid(NANOS)).ok()?.checked_add(self.offset_seconds)?;
        let (year, month, day) = date_of(local.div_euclid(DAY_SECONDS));
        if !(1..=9999).contains(&year) {
            return None;
        }
        let mut out = format!("{year:04}-{month:02}-{day:02}");
        if let Some(separator) = self.separator {
            let seconds = local.rem_euclid(DAY_SECONDS);
            let _ = write!(out, "{separator}{:02}:{:02}", seconds / 3600, seconds / 60 % 60);
            if self.has_seconds {
                let _ = write!(out, ":{:02}", seconds % 60);
            }
            if self.digits > 0 {
                let fraction = format!("{:09}", nanos.rem_euclid(NANOS));
                out.push('.');
                out.push_str(&fraction[..self.digits]);
            }
            out.push_str(self.zone);
        }
        Some(out)
    }
}

/// `2026-01-02`, `2026-01-02T03:04:05.678Z`, with a space in place of the T, with an offset or without.
/// Without one it is taken as of UTC: all of a load are.
fn written(text: &str) -> Option<Spelling<'_>> {
    let (day, rest) = (text.get(..10)?, text.get(10..)?);
    let mut parts = day.split('-');
    let mut part = |digits: usize| number(parts.next()?, digits);
    let (year, month, day) = (part(4)?, part(2)?, part(2)?);
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) || year == 0 || parts.next().is_some() {
        return None;
    }
    let midnight = days_since_1970(year, month, day) * DAY_SECONDS;
    if rest.is_empty() {
        return Some(Spelling {
            separator: None,
            has_seconds: false,
            digits: 0,
            zone: "",
            offset_seconds: 0,
            nanos: i128::from(midnight) * NANOS,
        });
    }
    let separator = rest.chars().next().filter(|c| matches!(c, 'T' | 't' | ' '))?;
    let rest = &rest[1..];
    let clock_ends =
        rest.find(|c: char| !c.is_ascii_digit() && !matches!(c, ':' | '.')).unwrap_or(rest.len());
    let (clock, zone) = rest.split_at(clock_ends);
    let (clock, fraction) = clock.split_once('.').map_or((clock, ""), |(clock, fraction)| (clock, fraction));
    let mut parts = clock.split(':');
    let mut part = || number(parts.next()?, 2);
    let (hour, minute) = (part()?, part()?);
    let second = part();
    if hour > 24 || minute > 59 || second.is_some_and(|second| second > 60) || parts.next().is_some() {
        return None;
    }
    if fraction.len() > 9 || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let offset_seconds = offset(zone)?;
    let seconds = midnight + hour * 3600 + minute * 60 + second.unwrap_or(0) - offset_seconds;
    let nanos: i128 = format!("{fraction:0<9}").parse().ok()?;
    Some(Spelling {
        separator: Some(separator),
        has_seconds: second.is_some(),
        digits: fraction.len(),
        zone,
        offset_seconds,
        nanos: i128::from(seconds) * NANOS + nanos,
    })
}

fn number(text: &str, digits: usize) -> Option<i64> {
    let is_it = text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit());
    is_it.then(|| text.parse().ok()).flatten()
}

/// `Z`, `+02`, `+02:00`, `+0200`; nothing is UTC.
fn offset(zone: &str) -> Option<i64> {
    if matches!(zone, "" | "Z" | "z") {
        return Some(0);
    }
    let sign = match zone.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let digits = zone[1..].replace(':', "");
    let (hours, minutes) = match digits.len() {
        2 => (number(&digits, 2)?, 0),
        4 => (number(&digits[..2], 2)?, number(&digits[2..], 2)?),
        _ => return None,
    };
    (hours < 24 && minutes < 60).then_some(sign * (hours * 3600 + minutes * 60))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn instants_are_ordered_as_such_however_they_are_written() {
        let order = |text: &str| MarkOrder::Moment.order_of(text).unwrap_or_else(|| panic!("{text}"));
        assert_eq!(order("1970-01-01"), 0);
        assert_eq!(order("2026-11-30T00:00:00Z"), order("2026-11-30 02:00:00.000+02"));
        assert_eq!(order("2000-02-29T23:59:59.5-0130"), 951_874_199_500_000_000);
        assert!(order("2026-03-01") > order("2026-02-28T23:59:59.999999999Z"));
        for text in [
            "",
            "2026",
            "2026-13-01",
            "2026-01-01X",
            "2026-01-01T1:00",
            "2026-01-01T10:00:00+2",
            "now",
            "ä026-01-01",
        ] {
            assert_eq!(MarkOrder::Moment.order_of(text), None, "{text}");
        }
    }

    #[test]
    fn a_lowered_value_is_written_as_it_arrived() {
        let lowered = |text: &str, lag: Lag| {
            MarkOrder::guess(text).and_then(|kind| kind.mark(text)).unwrap().lowered(Some(lag))
        };
        let minutes = |n: u64| Lag::Time(Duration::from_secs(n * 60));
        assert_eq!(
            lowered("2026-03-01T00:02:03.450+02:00", minutes(5)).as_deref(),
            Some("2026-02-28T23:57:03.450+02:00")
        );
        assert_eq!(lowered("2026-01-01 00:00Z", minutes(1)).as_deref(), Some("2025-12-31 23:59Z"));
        assert_eq!(lowered("2026-01-01", minutes(24 * 60)).as_deref(), Some("2025-12-31"));
        assert_eq!(lowered("1700000000", Lag::Integer(100)).as_deref(), Some("1699999900"));
        assert_eq!(lowered("17", minutes(5)), None);
        assert_eq!(lowered("0001-01-01T00:00:00Z", minutes(5)), None);
        let mark = MarkOrder::Integer.mark("-5").unwrap();
        assert_eq!(mark.lowered(None).as_deref(), Some("-5"));
    }
}
