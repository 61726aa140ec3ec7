//! Dates and times: which of their parts a text has.
//!
//! Most are ISO 8601 and are seen at a glance; the others are looked through word by word, as the server
//! does. What cannot be told is taken for the part that would be lost.

use super::clocks::Clocks;
use super::loss::Loss;
use crate::schema::TimeOfDay;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Zone {
    #[default]
    None,
    /// Zero, by whatever name.
    Utc,
    Other,
}

impl Zone {
    /// Without it the text would say something else.
    const fn matters(self, clocks: Clocks) -> bool {
        match self {
            Self::None => false,
            Self::Utc => !clocks.are_utc,
            Self::Other => true,
        }
    }
}

/// What a text has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Parts {
    /// Numbers and months of a date.
    day: u8,
    /// Digits of the longest of them.
    longest: usize,
    /// Its year needs no century: it is before our era, or a day is counted otherwise.
    full_year: bool,
    clock: bool,
    hour: u32,
    /// Behind the hour there is nothing but zeros.
    even: bool,
    afternoon: bool,
    leap: bool,
    /// Of a second's fraction, up to the last that is not zero.
    digits: usize,
    zone: Zone,
    /// The server hears another offset than is written.
    odd_offset: bool,
    /// The server hears minutes and seconds: `12:30.5`.
    odd_clock: bool,
    /// More digits in a row than a whole day has: the server takes all but the last four for the year.
    far_year: bool,
    year: u32,
    /// `2024-366`, and that year has none.
    no_such_day: bool,
    /// `now` and the like.
    moment: bool,
    /// The server knows no such word.
    unknown: bool,
}

impl Parts {
    const fn is_midnight(&self) -> bool {
        !self.clock || self.hour == 0 && self.even && !self.afternoon
    }

    const fn has_short_year(&self) -> bool {
        self.day > 0 && self.longest < 3 && !self.full_year
    }

    fn lost_of_day(&self) -> Option<Loss> {
        match () {
            () if self.moment => Some(Loss::Moment),
            () if self.has_short_year() => Some(Loss::ShortYear),
            () if self.far_year => Some(Loss::FarYear),
            () if self.no_such_day => Some(Loss::NoSuchDay),
            () => None,
        }
    }

    fn lost_of_clock(&self, clock: TimeOfDay, clocks: Clocks) -> Option<Loss> {
        match () {
            () if !clock.zoned && self.zone.matters(clocks) => Some(Loss::Offset),
            () if clock.zoned && self.odd_offset => Some(Loss::OddOffset),
            () if self.odd_clock => Some(Loss::OddClock),
            () if self.leap => Some(Loss::LeapSecond),
            () if self.digits > usize::from(clock.digits) => Some(Loss::Fraction),
            () => None,
        }
    }
}

pub(super) fn date(text: &str, clocks: Clocks) -> Option<Loss> {
    let parts = iso(text.as_bytes()).unwrap_or_else(|| look(text, Wanted::Day));
    match parts.lost_of_day() {
        None if parts.zone.matters(clocks) => Some(Loss::Offset),
        None if !parts.is_midnight() => Some(Loss::Clock),
        lost => lost,
    }
}

pub(super) fn timestamp(text: &str, clock: TimeOfDay, clocks: Clocks) -> Option<Loss> {
    let parts = iso(text.as_bytes()).unwrap_or_else(|| look(text, Wanted::Day));
    parts.lost_of_day().or_else(|| parts.lost_of_clock(clock, clocks))
}

pub(super) fn time(text: &str, clock: TimeOfDay, clocks: Clocks) -> Option<Loss> {
    let parts = with_clock(Parts::default(), text.as_bytes()).unwrap_or_else(|| look(text, Wanted::Clock));
    match () {
        () if parts.moment => Some(Loss::Moment),
        () if parts.day > 0 => Some(Loss::Day),
        // A zone with summer time has the offset of the day.
        () if clock.zoned && parts.clock && parts.zone == Zone::None && !clocks.are_utc => {
            Some(Loss::NoOffset)
        }
        () => parts.lost_of_clock(clock, clocks),
    }
}

/// `YYYY-MM-DD`, `YYYY-MM-DD HH:MM:SS`, with `T`, a fraction, `Z`, `+HH`, `+HH:MM`; `None`: something else.
fn iso(text: &[u8]) -> Option<Parts> {
    let (day, rest) = text.split_at_checked(10)?;
    if day[4] != b'-' || day[7] != b'-' || !day[..4].iter().all(u8::is_ascii_digit) {
        return None;
    }
    two(&day[5..7])?;
    two(&day[8..])?;
    let parts = Parts { day: 3, longest: 4, ..Parts::default() };
    if rest.is_empty() {
        return Some(parts);
    }
    if !matches!(rest[0], b' ' | b'T') {
        return None;
    }
    with_clock(parts, &rest[1..])
}

/// `HH:MM:SS`, likewise.
fn with_clock(mut parts: Parts, text: &[u8]) -> Option<Parts> {
    let (clock, mut rest) = text.split_at_checked(8)?;
    if clock[2] != b':' || clock[5] != b':' {
        return None;
    }
    let (hour, minute, second) = (two(&clock[..2])?, two(&clock[3..5])?, two(&clock[6..])?);
    parts.clock = true;
    parts.hour = hour;
    parts.leap = second >= 60;
    if let [b'.', behind @ ..] = rest {
        let end = behind.iter().position(|b| !b.is_ascii_digit()).unwrap_or(behind.len());
        parts.digits = significant(&behind[..end]);
        rest = &behind[end..];
    }
    parts.even = minute == 0 && second == 0 && parts.digits == 0;
    parts.zone = match rest {
        [] => Zone::None,
        [b'Z'] => Zone::Utc,
        [b'+' | b'-', hours @ ..] if hours.len() == 2 => offset(two(hours)?),
        [b'+' | b'-', h, i, b':', minutes @ ..] if minutes.len() == 2 => {
            offset(two(&[*h, *i])? + two(minutes)?)
        }
        _ => return None,
    };
    Some(parts)
}

const fn offset(sum: u32) -> Zone {
    if sum == 0 { Zone::Utc } else { Zone::Other }
}

fn two(digits: &[u8]) -> Option<u32> {
    match digits {
        [a @ b'0'..=b'9', b @ b'0'..=b'9'] => Some(u32::from(a - b'0') * 10 + u32::from(b - b'0')),
        _ => None,
    }
}

/// Digits up to the last that is not zero.
fn significant(digits: &[u8]) -> usize {
    digits.iter().rposition(|b| *b != b'0').map_or(0, |last| last + 1)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted {
    Day,
    Clock,
}

/// Word by word.
fn look(text: &str, wanted: Wanted) -> Parts {
    let text = text.as_bytes();
    let mut looking = Looking { text, rest: text, parts: Parts::default(), wanted, time_is_next: false };
    while let Some(&byte) = looking.rest.first() {
        match byte {
            b'0'..=b'9' => looking.number(),
            b'+' => looking.sign(),
            b'-' if looking.parts.clock || looking.parts.day >= 3 || looking.is_behind_a_blank() => {
                looking.sign();
            }
            b if b.is_ascii_alphabetic() => looking.word(),
            _ => looking.rest = &looking.rest[1..],
        }
    }
    if looking.parts.unknown {
        return Parts::default();
    }
    // Words alone are no offset of anything.
    if looking.parts.day == 0 && !looking.parts.clock {
        looking.parts.zone = Zone::None;
    }
    looking.parts
}

struct Looking<'a> {
    text: &'a [u8],
    rest: &'a [u8],
    parts: Parts,
    wanted: Wanted,
    /// Behind a `T`.
    time_is_next: bool,
}

impl<'a> Looking<'a> {
    fn take(&mut self, is: impl Fn(u8) -> bool) -> &'a [u8] {
        let end = self.rest.iter().position(|b| !is(*b)).unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at(end);
        self.rest = rest;
        taken
    }

    fn is_behind_a_blank(&self) -> bool {
        let at = self.text.len() - self.rest.len();
        at.checked_sub(1).is_some_and(|before| self.text[before].is_ascii_whitespace())
    }

    fn number(&mut self) {
        let before = self.rest;
        let digits = self.take(|b| b.is_ascii_digit());
        if digits.len() <= 2 && self.rest.first() == Some(&b':') {
            self.rest = before;
            let clock = self.take(|b| b.is_ascii_digit() || b == b':');
            let mut fields = clock.split(|b| *b == b':');
            let hour = fields.next().map_or(0, value);
            let others: Vec<u32> = fields.map(value).collect();
            self.parts.odd_clock |= others.len() == 1 && self.rest.first() == Some(&b'.');
            self.clock(hour, &others);
        } else if self.is_clock(digits.len()) {
            let (hour, rest) = digits.split_at(digits.len().min(2));
            self.clock(value(hour), &rest.chunks(2).map(value).collect::<Vec<_>>());
        } else {
            // Eight digits or six are a whole day, where they are not a far year.
            let is_whole = digits.len() >= 6 && !matches!(self.rest, [b'-' | b'/', b'0'..=b'9', ..]);
            if is_whole {
                self.parts.day = 3;
                self.parts.far_year |= !matches!(digits.len(), 6 | 8) && ends_in_a_day(digits);
            } else {
                self.number_of_day(digits);
            }
            // The year's are those that are not of month and day.
            let of_year = if is_whole { digits.len() - 4 } else { digits.len() };
            self.parts.longest = self.parts.longest.max(of_year);
        }
    }

    /// A year, a month, a day; three digits behind a year count its days.
    fn number_of_day(&mut self, digits: &[u8]) {
        let parts = &mut self.parts;
        parts.no_such_day |=
            parts.day == 1 && digits.len() == 3 && value(digits) > 365 && !is_leap_year(parts.year);
        if parts.day == 0 {
            parts.year = value(digits);
        }
        parts.day = parts.day.saturating_add(1);
    }

    /// Whether a number without colons is a time of day.
    fn is_clock(&self, digits: usize) -> bool {
        let is_of_day = match self.rest {
            [b'-', ..] => digits != 6,
            [b'/', ..] => true,
            [b'.', behind @ ..] => {
                let end = behind.iter().position(|b| !b.is_ascii_digit()).unwrap_or(behind.len());
                end > 0 && behind.get(end) == Some(&b'.')
            }
            _ => false,
        };
        match self.wanted {
            _ if self.parts.clock => false,
            _ if self.time_is_next || self.parts.day >= 3 => true,
            Wanted::Clock => digits < 7 && !is_of_day && self.parts.day == 0,
            Wanted::Day => false,
        }
    }

    fn clock(&mut self, hour: u32, others: &[u32]) {
        let mut digits = 0;
        if let [b'.', behind @ ..] = self.rest {
            self.rest = behind;
            digits = significant(self.take(|b| b.is_ascii_digit()));
        }
        let parts = &mut self.parts;
        parts.clock = true;
        parts.hour = hour;
        parts.leap |= others.iter().skip(1).any(|n| *n >= 60);
        parts.digits = parts.digits.max(digits);
        parts.even = others.iter().all(|n| *n == 0) && digits == 0;
    }

    /// An offset: `+02`, `-05:30`. Behind a blank (`12:00 - 13:00`) it may be meant otherwise.
    fn sign(&mut self) {
        self.rest = &self.rest[1..];
        let is_apart = !self.take(|b| b.is_ascii_whitespace()).is_empty();
        let digits = self.take(|b| b.is_ascii_digit() || b == b':');
        if digits.is_empty() {
            return;
        }
        let is_zero = digits.iter().all(|b| matches!(b, b'0' | b':'));
        // Behind a name it is part of it: `UTC+3`.
        self.parts.zone = if is_zero && self.parts.zone != Zone::Other { Zone::Utc } else { Zone::Other };
        self.parts.odd_offset |= is_apart || !is_plain_offset(digits);
    }

    fn word(&mut self) {
        let before = self.rest;
        let word = self.take(|b| b.is_ascii_alphabetic()).to_ascii_lowercase();
        // With a number bound to it, it is the name of a zone, whatever the word: `PM-2`. But `Jan-02-2024`.
        let is_bound = matches!(self.rest, [b'-' | b'/' | b'.', b'0'..=b'9', ..]);
        if is_bound && !(is_month(&word) && self.parts.day < 3) {
            self.zone(before, &word);
            return;
        }
        let parts = &mut self.parts;
        match word.as_slice() {
            b"now" | b"today" | b"tomorrow" | b"yesterday" => parts.moment = true,
            b"t" if self.rest.first().is_some_and(u8::is_ascii_digit) => self.time_is_next = true,
            b"am" => parts.hour %= 12,
            b"pm" => parts.afternoon = true,
            b"bc" => parts.full_year = true,
            b"ad" | b"at" | b"on" | b"t" | b"infinity" | b"inf" | b"epoch" | b"allballs" => {}
            b"j" | b"jd" | b"julian" => self.julian(),
            word if is_month(word) => {
                parts.day = parts.day.saturating_add(1);
            }
            word if is_weekday(word) => {}
            // No zone has so short a name, but for Z.
            [letter] if !matches!(letter, b'z' | b'd' | b'h' | b'm' | b's' | b'y') => parts.unknown = true,
            word => self.zone(before, word),
        }
    }

    /// The name of a zone. With a number in it the server takes it for a rule of POSIX, where `UTC+2` lies
    /// two hours west, and `GMT+0100` a hundred.
    fn zone(&mut self, before: &'a [u8], word: &[u8]) {
        self.rest = before;
        let zone =
            self.take(|b| b.is_ascii_alphanumeric() || matches!(b, b'/' | b'_' | b'+' | b'-' | b'.' | b':'));
        self.parts.zone = if is_utc(zone) { Zone::Utc } else { Zone::Other };
        // `h12` is an hour.
        let is_field = word.len() == 1 && word != b"z" && zone[1..].iter().all(u8::is_ascii_alphanumeric);
        self.parts.odd_offset |=
            zone.iter().any(u8::is_ascii_digit) && !is_field && !is_zone_with_digits(zone);
    }

    /// A count of days, whose fraction is a time of day.
    fn julian(&mut self) {
        self.take(|b| b == b' ');
        self.take(|b| b.is_ascii_digit());
        self.parts.day = 3;
        self.parts.full_year = true;
        if let [b'.', behind @ ..] = self.rest {
            self.rest = behind;
            let fraction = self.take(|b| b.is_ascii_digit());
            self.parts.clock = true;
            self.parts.even = significant(fraction) == 0;
        }
    }
}

/// `5`, `05`, `0530`, `05:30`, `05:30:00`.
fn is_plain_offset(text: &[u8]) -> bool {
    let mut fields = text.split(|b| *b == b':');
    let hours = fields.next().map_or(0, <[u8]>::len);
    let mut has_more = false;
    let others_are_two = fields.all(|field| {
        has_more = true;
        field.len() == 2
    });
    others_are_two && (matches!(hours, 1 | 2) || hours == 4 && !has_more)
}

/// Four digits that are a month and a day; of others (seconds since 1970, say) the server makes no date.
fn ends_in_a_day(digits: &[u8]) -> bool {
    let (month, day) = digits[digits.len() - 4..].split_at(2);
    (1..=12).contains(&value(month)) && (1..=31).contains(&value(day))
}

const fn is_leap_year(year: u32) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

/// Of a few digits.
fn value(digits: &[u8]) -> u32 {
    digits.iter().fold(0, |n: u32, b| n.saturating_mul(10).saturating_add(u32::from(b - b'0')))
}

fn is_month(word: &[u8]) -> bool {
    const MONTHS: [&str; 12] = [
        "january",
        "february",
        "march",
        "april",
        "may",
        "june",
        "july",
        "august",
        "september",
        "october",
        "november",
        "december",
    ];
    word == b"sept" || MONTHS.iter().any(|month| word == month.as_bytes() || word == &month.as_bytes()[..3])
}

fn is_weekday(word: &[u8]) -> bool {
    const DAYS: [&str; 7] = ["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"];
    word.len() >= 3 && DAYS.iter().any(|day| day.as_bytes().starts_with(word)) || word == b"weds"
}

fn is_utc(zone: &[u8]) -> bool {
    const NAMES: [&str; 12] = [
        "z",
        "utc",
        "gmt",
        "uct",
        "zulu",
        "universal",
        "greenwich",
        "etc/utc",
        "etc/gmt",
        "gmt0",
        "gmt+0",
        "gmt-0",
    ];
    NAMES.iter().any(|name| zone.eq_ignore_ascii_case(name.as_bytes()))
}

/// Names of the time zone database.
fn is_zone_with_digits(zone: &[u8]) -> bool {
    const NAMES: [&str; 7] = ["gmt0", "gmt+0", "gmt-0", "est5edt", "cst6cdt", "mst7mdt", "pst8pdt"];
    const NAUTICAL: &[u8] = b"etc/gmt";
    NAMES.iter().any(|name| zone.eq_ignore_ascii_case(name.as_bytes()))
        || zone.get(..NAUTICAL.len()).is_some_and(|start| start.eq_ignore_ascii_case(NAUTICAL))
}
