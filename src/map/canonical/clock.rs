//! Dates and times in ISO 8601, as most are written. Their numbers are days and microseconds.

use crate::calendar::days_since_1970;
use crate::map::judge::Clocks;
use crate::schema::TimeOfDay;

use super::outcome::{Canonical, has_no_digit, push, unless_refused};

const MICROS_OF_SECOND: i64 = 1_000_000;
const SECONDS_OF_DAY: i64 = 86_400;
/// The server refuses offsets of more hours.
const OFFSET_HOURS_MAX: i64 = 15;
/// Digits of a second that the server keeps.
const DIGITS_MAX: usize = 6;

/// A time of day as it is written.
struct WrittenTime {
    micros: i64,
    /// Seconds east of UTC.
    offset: Option<i64>,
}

/// A time of day is dropped, and so is an offset.
pub(super) fn date(out: &mut Vec<u8>, text: &str) -> Canonical {
    match moment(text, DIGITS_MAX) {
        Some((day, _)) => Canonical::Number(day),
        None => word(out, text),
    }
}

pub(super) fn timestamp(out: &mut Vec<u8>, text: &str, time: TimeOfDay, clocks: Clocks) -> Canonical {
    let Some((day, clock)) = moment(text, usize::from(time.digits)) else { return word(out, text) };
    let micros = day * SECONDS_OF_DAY * MICROS_OF_SECOND + clock.micros;
    match offset(&clock, time, clocks) {
        Some(offset) => Canonical::Number(micros - offset * MICROS_OF_SECOND),
        None => Canonical::Unread,
    }
}

/// Equal are those with offsets alone that have the same one.
pub(super) fn time(out: &mut Vec<u8>, text: &str, time: TimeOfDay, clocks: Clocks) -> Canonical {
    let Some(clock) = clock_of(trimmed(text).as_bytes(), usize::from(time.digits)) else {
        return word(out, text);
    };
    match offset(&clock, time, clocks) {
        Some(_) if !time.zoned => Canonical::Number(clock.micros),
        Some(offset) => push(out, format!("{}+{offset}", clock.micros).as_bytes()),
        None => Canonical::Unread,
    }
}

/// What the server takes off: nothing where it hears no offset.
fn offset(clock: &WrittenTime, time: TimeOfDay, clocks: Clocks) -> Option<i64> {
    match clock.offset {
        _ if !time.zoned => Some(0),
        None if clocks.are_utc => Some(0),
        offset => offset,
    }
}

fn trimmed(text: &str) -> &str {
    text.trim_matches([' ', '\t', '\n', '\r', '\x0b', '\x0c'])
}

/// Infinity; of other words some are moments, and the rest is refused.
fn word(out: &mut Vec<u8>, text: &str) -> Canonical {
    const MOMENTS: [&str; 7] = ["now", "today", "tomorrow", "yesterday", "epoch", "inf", "allballs"];
    let word = trimmed(text).to_ascii_lowercase();
    match word.as_str() {
        "infinity" | "-infinity" => push(out, word.as_bytes()),
        _ => {
            let is_moment = MOMENTS.iter().any(|moment| word.contains(moment));
            unless_refused(out, text, has_no_digit(&word) && !is_moment)
        }
    }
}

/// `YYYY-MM-DD` or `YYYYMMDD`, alone or with a time of day behind a space or a `T`. Days since 1970, and the
/// time.
fn moment(text: &str, digits: usize) -> Option<(i64, WrittenTime)> {
    let (date, month, day, rest) = match trimmed(text).as_bytes() {
        [y, e, a, r, b'-', m, o, b'-', d, i, rest @ ..] | [y, e, a, r, m, o, d, i, rest @ ..] => {
            ([*y, *e, *a, *r], [*m, *o], [*d, *i], rest)
        }
        _ => return None,
    };
    let [y, e, a, r] = date;
    let year = two([y, e])? * 100 + two([a, r])?;
    let (month, day) = (two(month)?, two(day)?);
    if year == 0 || !(1..=12).contains(&month) {
        return None;
    }
    let clock = match rest {
        [] => WrittenTime { micros: 0, offset: None },
        [b' ' | b'T', clock @ ..] => clock_of(clock, digits)?,
        _ => return None,
    };
    // A day beyond its month's last is refused by the server.
    Some((days_since_1970(year, month, day), clock))
}

/// `HH:MM`, `HH:MM:SS`, with a fraction of no more significant digits than that, and an offset.
fn clock_of(text: &[u8], digits: usize) -> Option<WrittenTime> {
    let (clock, mut rest) = text.split_at_checked(5)?;
    let [h, o, b':', m, i] = clock else { return None };
    let (hours, minutes) = (two([*h, *o])?, two([*m, *i])?);
    let (mut seconds, mut fraction) = (0, 0);
    if let [b':', s, e, behind @ ..] = rest {
        seconds = two([*s, *e])?;
        rest = behind;
        if let [b'.', behind @ ..] = rest {
            let end = behind.iter().position(|b| !b.is_ascii_digit()).unwrap_or(behind.len());
            fraction = micros_of(&behind[..end], digits)?;
            rest = &behind[end..];
        }
    }
    // The 60th second is the next minute, which is seldom meant. What else is too much the server refuses.
    if hours > 24 || minutes > 59 || seconds > 59 {
        return None;
    }
    let micros = (hours * 3_600 + minutes * 60 + seconds) * MICROS_OF_SECOND + fraction;
    Some(WrittenTime { micros, offset: zone(rest)? })
}

/// Of the digits of a fraction. `None`: there is none, or it would be rounded.
fn micros_of(fraction: &[u8], digits: usize) -> Option<i64> {
    let significant = fraction.iter().rposition(|b| *b != b'0').map_or(0, |last| last + 1);
    if fraction.is_empty() || significant > digits.min(DIGITS_MAX) {
        return None;
    }
    let digit = |n: usize| i64::from(fraction.get(n).map_or(0, |b| b - b'0'));
    Some((0..DIGITS_MAX).fold(0, |micros, n| micros * 10 + digit(n)))
}

/// `Z`, `UTC`, `+HH`, `+HHMM`, `+HH:MM`, behind a space or not. `None`: something else; `Some(None)`:
/// nothing.
fn zone(text: &[u8]) -> Option<Option<i64>> {
    let text = text.strip_prefix(b" ").unwrap_or(text);
    let (sign, digits) = match text {
        [] => return Some(None),
        [b'+', digits @ ..] => (1, digits),
        [b'-', digits @ ..] => (-1, digits),
        name => {
            let is_utc = [&b"z"[..], b"utc", b"gmt"].iter().any(|utc| name.eq_ignore_ascii_case(utc));
            return is_utc.then_some(Some(0));
        }
    };
    let (hours, minutes) = match digits {
        [h, o] => (two([*h, *o])?, 0),
        [h, o, m, i] | [h, o, b':', m, i] => (two([*h, *o])?, two([*m, *i])?),
        _ => return None,
    };
    let is_known = hours <= OFFSET_HOURS_MAX && minutes <= 59;
    is_known.then_some(Some(sign * (hours * 3_600 + minutes * 60)))
}

fn two(digits: [u8; 2]) -> Option<i64> {
    let [a @ b'0'..=b'9', b @ b'0'..=b'9'] = digits else { return None };
    Some(i64::from(a - b'0') * 10 + i64::from(b - b'0'))
}
