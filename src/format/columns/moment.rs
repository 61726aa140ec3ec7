//! Days, clocks and spans as PostgreSQL reads them, digit for digit: a count of units since 1970 says exactly
//! what it says.

use std::fmt::Write as _;

use arrow_schema::TimeUnit;

use super::below::SubMicroseconds;
use crate::calendar::date_of;

const NANOS_A_SECOND: i128 = 1_000_000_000;
const SECONDS_A_DAY: i128 = 86_400;
const NANOS_A_MICRO: i128 = 1_000;

impl SubMicroseconds {
    fn apply(self, nanos: i128) -> i128 {
        match self {
            Self::Keep => nanos,
            Self::Truncate => nanos.div_euclid(NANOS_A_MICRO) * NANOS_A_MICRO,
            Self::Round => (nanos + NANOS_A_MICRO / 2).div_euclid(NANOS_A_MICRO) * NANOS_A_MICRO,
        }
    }
}

fn nanos_of(value: i64, unit: TimeUnit) -> i128 {
    let factor = match unit {
        TimeUnit::Second => NANOS_A_SECOND,
        TimeUnit::Millisecond => 1_000_000,
        TimeUnit::Microsecond => NANOS_A_MICRO,
        TimeUnit::Nanosecond => 1,
    };
    i128::from(value) * factor
}

/// A date, by its days since 1970.
pub(super) fn push_date(out: &mut String, days: i64) {
    let (year, month, day) = date_of(days);
    if year > 0 {
        let _ = write!(out, "{year:04}-{month:02}-{day:02}");
    } else {
        // There is no year 0: it is the first before.
        let _ = write!(out, "{:04}-{month:02}-{day:02} BC", 1 - year);
    }
}

/// Milliseconds since 1970 that are to be a date: with their clock, where they are no whole day.
pub(super) fn push_date64(out: &mut String, millis: i64) {
    const MILLIS_A_DAY: i64 = 86_400_000;
    match millis % MILLIS_A_DAY {
        0 => push_date(out, millis / MILLIS_A_DAY),
        _ => push_timestamp(out, millis, TimeUnit::Millisecond, false, SubMicroseconds::Keep),
    }
}

/// A moment since 1970: with the zone of an instant, or as a wall clock shows it.
pub(super) fn push_timestamp(
    out: &mut String,
    value: i64,
    unit: TimeUnit,
    is_instant: bool,
    below: SubMicroseconds,
) {
    let nanos = below.apply(nanos_of(value, unit));
    let (seconds, fraction) = (nanos.div_euclid(NANOS_A_SECOND), nanos.rem_euclid(NANOS_A_SECOND));
    let (days, clock) = (seconds.div_euclid(SECONDS_A_DAY), seconds.rem_euclid(SECONDS_A_DAY));
    // No count of seconds in 64 bits has more days than that.
    let (year, month, day) = date_of(i64::try_from(days).unwrap_or(i64::MAX / 2));
    let shown = if year > 0 { year } else { 1 - year };
    let _ = write!(out, "{shown:04}-{month:02}-{day:02} ");
    push_clock(out, clock, fraction);
    if is_instant {
        out.push_str("+00");
    }
    if year <= 0 {
        out.push_str(" BC");
    }
}

/// A time of day.
pub(super) fn push_time(out: &mut String, value: i64, unit: TimeUnit, below: SubMicroseconds) {
    let nanos = below.apply(nanos_of(value, unit));
    if nanos < 0 {
        // No time of day; the server says so.
        out.push('-');
    }
    let nanos = nanos.abs();
    push_clock(out, nanos / NANOS_A_SECOND, nanos % NANOS_A_SECOND);
}

fn push_clock(out: &mut String, seconds: i128, fraction: i128) {
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let _ = write!(out, "{hour:02}:{minute:02}:{second:02}");
    push_fraction(out, fraction);
}

/// Nanoseconds of a second: as many digits as they need, three by three.
fn push_fraction(out: &mut String, nanos: i128) {
    let _ = match nanos {
        0 => Ok(()),
        n if n % 1_000_000 == 0 => write!(out, ".{:03}", n / 1_000_000),
        n if n % NANOS_A_MICRO == 0 => write!(out, ".{:06}", n / NANOS_A_MICRO),
        n => write!(out, ".{n:09}"),
    };
}

/// A span of time as a count of units.
pub(super) fn push_duration(out: &mut String, value: i64, unit: TimeUnit, below: SubMicroseconds) {
    push_seconds(out, below.apply(nanos_of(value, unit)));
}

fn push_seconds(out: &mut String, nanos: i128) {
    if nanos < 0 {
        out.push('-');
    }
    let nanos = nanos.abs();
    let _ = write!(out, "{}", nanos / NANOS_A_SECOND);
    push_fraction(out, nanos % NANOS_A_SECOND);
    out.push_str(" seconds");
}

/// A span of months, days and nanoseconds, which are kept apart.
pub(super) fn push_interval(out: &mut String, months: i32, days: i32, nanos: i64, below: SubMicroseconds) {
    let _ = write!(out, "{months} mons {days} days ");
    push_seconds(out, below.apply(i128::from(nanos)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_written_digit_for_digit() {
        use SubMicroseconds::{Keep, Round, Truncate};
        use TimeUnit::{Microsecond, Millisecond, Nanosecond, Second};
        for (value, unit, is_instant, below, expected) in [
            (0, Second, false, Keep, "1970-01-01 00:00:00"),
            (0, Second, true, Keep, "1970-01-01 00:00:00+00"),
            (-1, Nanosecond, false, Keep, "1969-12-31 23:59:59.999999999"),
            (-1, Nanosecond, false, Truncate, "1969-12-31 23:59:59.999999"),
            (-1, Nanosecond, false, Round, "1970-01-01 00:00:00"),
            (1_500, Nanosecond, false, Round, "1970-01-01 00:00:00.000002"),
            (1_499, Nanosecond, true, Round, "1970-01-01 00:00:00.000001+00"),
            (1_499, Millisecond, true, Keep, "1970-01-01 00:00:01.499+00"),
            (951_782_400, Second, false, Keep, "2000-02-29 00:00:00"),
            (253_402_300_800, Second, false, Keep, "10000-01-01 00:00:00"),
            (-62_135_596_801, Second, true, Keep, "0001-12-31 23:59:59+00 BC"),
            (i64::MAX, Microsecond, false, Keep, "294247-01-10 04:00:54.775807"),
        ] {
            let mut out = String::new();
            push_timestamp(&mut out, value, unit, is_instant, below);
            assert_eq!(out, expected);
        }
        // The furthest that can be said is said somehow.
        push_timestamp(&mut String::new(), i64::MIN, Second, true, Round);
    }

    #[test]
    fn spans_keep_their_parts() {
        let mut out = String::new();
        push_interval(&mut out, -1, 2, -1_000, SubMicroseconds::Keep);
        push_duration(&mut out, 61_001, TimeUnit::Millisecond, SubMicroseconds::Keep);
        push_time(&mut out, 86_399_999_999_999, TimeUnit::Nanosecond, SubMicroseconds::Round);
        push_date64(&mut out, 86_400_000);
        push_date64(&mut out, 86_400_001);
        push_date(&mut out, -719_163);
        let expected = "-1 mons 2 days -0.000001 seconds61.001 seconds24:00:00\
                        1970-01-021970-01-02 00:00:00.0010001-12-31 BC";
        assert_eq!(out, expected);
    }
}
