//! Intervals: a sum of months, days and microseconds, which must come out even.

use super::loss::Loss;
use crate::schema::Field;

const MICROS_OF_SECOND: i128 = 1_000_000;
const MICROS_OF_MINUTE: i128 = 60 * MICROS_OF_SECOND;
const MICROS_OF_HOUR: i128 = 60 * MICROS_OF_MINUTE;
const MICROS_OF_DAY: i128 = 24 * MICROS_OF_HOUR;
/// Digits behind a point that are looked at; further ones would lie below any unit.
const FRACTION_DIGITS_MAX: usize = 18;

/// What a number counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    Months(i128),
    Days(i128),
    Micros(i128),
}

/// What an interval of these fields would lose. Of what it does not understand it says nothing.
pub(super) fn interval(text: &str, least: Field, digits: u8) -> Option<Loss> {
    match sum(text, least) {
        Ok(sum) => sum.lost(least, digits),
        Err(NoSum::Loss(loss)) => Some(loss),
        Err(NoSum::Unknown) => None,
    }
}

#[derive(Debug, Default)]
struct Sum {
    months: i128,
    days: i128,
    micros: i128,
}

enum NoSum {
    Loss(Loss),
    Unknown,
}

/// `whole.fraction`, as an integer and a power of ten.
#[derive(Debug, Clone, Copy)]
struct Number {
    digits: i128,
    ten: i128,
}

impl Number {
    fn parse(text: &str) -> Result<Self, NoSum> {
        let (whole, fraction) = text.split_once(['.', ',']).unwrap_or((text, ""));
        let fraction = fraction.trim_end_matches('0');
        let is_digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
        if whole.is_empty() && fraction.is_empty() && !text.contains('0')
            || !is_digits(whole)
            || !is_digits(fraction)
        {
            return Err(NoSum::Unknown);
        }
        if fraction.len() > FRACTION_DIGITS_MAX {
            return Err(NoSum::Loss(Loss::Fraction));
        }
        let digits = format!("0{whole}{fraction}").parse().map_err(|_| NoSum::Unknown)?;
        let exponent = u32::try_from(fraction.len()).unwrap_or(0);
        Ok(Self { digits, ten: 10_i128.pow(exponent) })
    }

    /// So many units of this size, if that is an integer.
    fn times(self, size: i128) -> Option<i128> {
        let product = self.digits.checked_mul(size)?;
        (product % self.ten == 0).then(|| product / self.ten)
    }
}

impl Sum {
    fn add(&mut self, number: Number, sign: i128, unit: Unit) -> Result<(), NoSum> {
        let to = |sum: &mut i128, n: i128| {
            *sum = sum.checked_add(sign * n).ok_or(NoSum::Unknown)?;
            Ok(())
        };
        match unit {
            Unit::Months(size) => match number.times(size) {
                Some(n) => to(&mut self.months, n),
                None => Err(NoSum::Loss(Loss::PartOfMonth)),
            },
            Unit::Days(size) => match (number.times(size), number.times(size * MICROS_OF_DAY)) {
                (Some(n), _) => to(&mut self.days, n),
                // The rest of a day is hours.
                (None, Some(n)) => to(&mut self.micros, n),
                (None, None) => Err(NoSum::Loss(Loss::Fraction)),
            },
            Unit::Micros(size) => match number.times(size) {
                Some(n) => to(&mut self.micros, n),
                None => Err(NoSum::Loss(Loss::Fraction)),
            },
        }
    }

    fn lost(&self, least: Field, digits: u8) -> Option<Loss> {
        let (months, days, micros) = (self.months != 0, self.days != 0, self.micros != 0);
        let is_lost = match least {
            Field::Year => days || micros || months && self.months % 12 != 0,
            Field::Month => days || micros,
            Field::Day => micros,
            Field::Hour => self.micros % MICROS_OF_HOUR != 0,
            Field::Minute => self.micros % MICROS_OF_MINUTE != 0,
            Field::Second => {
                let kept = 10_i128.pow(6 - u32::from(digits.min(6)));
                return (self.micros % kept != 0).then_some(Loss::Fraction);
            }
        };
        is_lost.then_some(Loss::LowerField)
    }
}

/// Microseconds of an interval as it is compared: with months of 30 days. Of those alone that read the same
/// in any style: numbers with their units and a time of day behind them, `1 day 02:30:00`.
pub(in crate::map) fn of_equal_intervals(text: &str) -> Option<i128> {
    let mut words = text.split_ascii_whitespace().peekable();
    words.peek()?;
    while let Some(word) = words.next() {
        let number = word.strip_prefix(['-', '+']).unwrap_or(word);
        let has_fraction = match number.split(':').collect::<Vec<_>>().as_slice() {
            [number] => {
                let unit = words.next()?.to_ascii_lowercase();
                let unit = unit.strip_suffix('s').unwrap_or(&unit);
                if !UNITS.contains(&unit) {
                    return None;
                }
                unit == "second" && is_decimal(number)
            }
            [_, _, seconds] => words.peek().is_none() && is_decimal(seconds),
            _ => return None,
        };
        let whole =
            if has_fraction { number.rsplit_once('.').map_or(number, |(whole, _)| whole) } else { number };
        if whole.is_empty() || !whole.bytes().all(|b| b.is_ascii_digit() || b == b':') {
            return None;
        }
    }
    let sum = sum(text, Field::Second).ok().filter(|sum| sum.lost(Field::Second, 6).is_none())?;
    let days = sum.months.checked_mul(30)?.checked_add(sum.days)?;
    days.checked_mul(MICROS_OF_DAY)?.checked_add(sum.micros)
}

fn is_decimal(text: &str) -> bool {
    text.split_once('.')
        .is_some_and(|(_, fraction)| !fraction.is_empty() && fraction.bytes().all(|b| b.is_ascii_digit()))
}

/// One of each.
const UNITS: [&str; 8] = ["year", "month", "mon", "week", "day", "hour", "minute", "second"];

/// A number or a unit that is left over: the server takes it for days or seconds, or leaves it away.
const ODD: NoSum = NoSum::Loss(Loss::OddField);

fn sum(text: &str, least: Field) -> Result<Sum, NoSum> {
    let text = text.trim_ascii();
    if let Some(iso) = text.strip_prefix(['P', 'p']) {
        return iso_sum(iso);
    }
    let mut sum = Sum::default();
    let words = words(text);
    let mut at = 0;
    while let Some(word) = words.get(at) {
        let next = words.get(at + 1);
        let unit_is_next = next.is_some_and(|next| next.is_name() && !next.is_ago());
        let text = word.text;
        at += 1;
        if word.is_ago() && at == words.len() && at > 1 {
            continue;
        } else if word.is_name() {
            // A unit of nothing; a word that is none is the server's to refuse.
            return Err(if word.is_ago() || unit(text).is_ok() { ODD } else { NoSum::Unknown });
        } else if word.is_bound_to_a_number {
            return Err(ODD);
        } else if text.contains(':') {
            if unit_is_next {
                return Err(ODD);
            }
            clock(&mut sum, text, word.sign)?;
        } else if let Some((years, months)) = text.split_once('-') {
            if unit_is_next {
                return Err(ODD);
            }
            sum.add(Number::parse(years)?, word.sign, Unit::Months(12))?;
            sum.add(Number::parse(months)?, word.sign, Unit::Months(1))?;
        } else {
            let number = Number::parse(text)?;
            let unit = match next {
                Some(next) if unit_is_next => {
                    at += 1;
                    unit(next.text)?
                }
                Some(next) if next.text.contains(':') => Unit::Days(1),
                // `1 2` of `interval day to hour`.
                Some(next) if least == Field::Hour && words.len() == 2 && !next.is_ago() => Unit::Days(1),
                None if words.len() == 1 || least == Field::Hour && words.len() == 2 => default_unit(least),
                Some(next) if next.is_ago() && words.len() == 2 => default_unit(least),
                _ => return Err(ODD),
            };
            sum.add(number, word.sign, unit)?;
        }
    }
    Ok(sum)
}

fn signed(word: &str) -> (i128, &str) {
    match word.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, word.strip_prefix('+').unwrap_or(word)),
    }
}

/// A number, a time of day, or a name.
#[derive(Debug, Clone, Copy)]
struct SpanWord<'a> {
    sign: i128,
    text: &'a str,
    /// By a comma or the like, which the server does not read: `1,5`.
    is_bound_to_a_number: bool,
}

impl SpanWord<'_> {
    fn is_name(&self) -> bool {
        self.text.starts_with(|c: char| c.is_ascii_alphabetic())
    }

    fn is_ago(&self) -> bool {
        self.text.eq_ignore_ascii_case("ago")
    }
}

/// Names apart from numbers: `1h30m` is four. A sign is that of the number behind it, and what else is
/// neither is nothing.
fn words(text: &str) -> Vec<SpanWord<'_>> {
    let mut words: Vec<SpanWord<'_>> = Vec::new();
    let (mut sign, mut rest) = (1, text);
    while let Some(first) = rest.chars().next() {
        let is_name = first.is_ascii_alphabetic();
        let is_number = |c: char| c.is_ascii_digit() || c == '.';
        let end = if is_name {
            rest.find(|c: char| !c.is_ascii_alphabetic())
        } else if is_number(first) {
            rest.find(|c: char| !is_number(c) && !matches!(c, ':' | '-'))
        } else {
            match first {
                '-' => sign = -1,
                '+' => sign = 1,
                _ => {}
            }
            rest = &rest[first.len_utf8()..];
            continue;
        };
        let (word, behind) = rest.split_at(end.unwrap_or(rest.len()));
        let mut before = text[..text.len() - rest.len()].chars().rev();
        let is_bound_to_a_number = !is_name
            && before.next().is_some_and(|c| c.is_ascii_punctuation() && !matches!(c, '+' | '-'))
            && before.next().is_some_and(|c| c.is_ascii_digit());
        words.push(SpanWord { sign, text: word, is_bound_to_a_number });
        (sign, rest) = (1, behind);
    }
    words
}

/// `H:MM`, `H:MM:SS.f`.
fn clock(sum: &mut Sum, text: &str, sign: i128) -> Result<(), NoSum> {
    let sizes = [MICROS_OF_HOUR, MICROS_OF_MINUTE, MICROS_OF_SECOND];
    let mut parts = 0;
    for (part, size) in text.split(':').zip(sizes) {
        // `MM:SS.f`: two parts with a fraction.
        let size = if parts == 1 && part.contains('.') { MICROS_OF_SECOND } else { size };
        sum.add(Number::parse(part)?, sign, Unit::Micros(size))?;
        parts += 1;
    }
    if parts == text.split(':').count() { Ok(()) } else { Err(NoSum::Unknown) }
}

fn default_unit(least: Field) -> Unit {
    match least {
        Field::Year => Unit::Months(12),
        Field::Month => Unit::Months(1),
        Field::Day => Unit::Days(1),
        Field::Hour => Unit::Micros(MICROS_OF_HOUR),
        Field::Minute => Unit::Micros(MICROS_OF_MINUTE),
        Field::Second => Unit::Micros(MICROS_OF_SECOND),
    }
}

fn unit(word: &str) -> Result<Unit, NoSum> {
    Ok(match word.to_ascii_lowercase().as_str() {
        "millennium" | "millennia" | "mil" | "mils" => Unit::Months(12_000),
        "century" | "centuries" | "cent" | "c" => Unit::Months(1_200),
        "decade" | "decades" | "dec" | "decs" => Unit::Months(120),
        "year" | "years" | "yr" | "yrs" | "y" => Unit::Months(12),
        "month" | "months" | "mon" | "mons" => Unit::Months(1),
        "week" | "weeks" | "w" => Unit::Days(7),
        "day" | "days" | "d" => Unit::Days(1),
        "hour" | "hours" | "hr" | "hrs" | "h" => Unit::Micros(MICROS_OF_HOUR),
        "minute" | "minutes" | "min" | "mins" | "m" => Unit::Micros(MICROS_OF_MINUTE),
        "second" | "seconds" | "sec" | "secs" | "s" => Unit::Micros(MICROS_OF_SECOND),
        "millisecond" | "milliseconds" | "millisecon" | "msecond" | "mseconds" | "msec" | "msecs" | "ms" => {
            Unit::Micros(1_000)
        }
        "microsecond" | "microseconds" | "microsecon" | "usecond" | "useconds" | "usec" | "usecs" | "us" => {
            Unit::Micros(1)
        }
        _ => return Err(NoSum::Unknown),
    })
}

/// Behind the P: `1Y2M3DT4H5M6.7S`, or `0001-02-03T04:05:06`.
fn iso_sum(text: &str) -> Result<Sum, NoSum> {
    let mut sum = Sum::default();
    let (days, time) = match text.find(['T', 't']) {
        Some(at) => (&text[..at], &text[at + 1..]),
        None => (text, ""),
    };
    let has_digits = |part: &str, n: usize| part.len() == n && part.bytes().all(|b| b.is_ascii_digit());
    let is_plain = |part: &str| !part.contains(|c: char| c.is_ascii_alphabetic());
    if is_plain(days) && days.trim_start_matches('-').contains('-') {
        for (part, unit) in days.split('-').zip([Unit::Months(12), Unit::Months(1), Unit::Days(1)]) {
            sum.add(Number::parse(part)?, 1, unit)?;
        }
    } else if has_digits(days, 8) {
        basic(&mut sum, days, [Unit::Months(12), Unit::Months(1), Unit::Days(1)])?;
    } else {
        designated(&mut sum, days, |letter| match letter {
            'Y' => Some(Unit::Months(12)),
            'M' => Some(Unit::Months(1)),
            'W' => Some(Unit::Days(7)),
            'D' => Some(Unit::Days(1)),
            _ => None,
        })?;
    }
    if is_plain(time) && time.contains(':') {
        clock(&mut sum, time, 1)?;
    } else if has_digits(time, 6) {
        basic(&mut sum, time, [MICROS_OF_HOUR, MICROS_OF_MINUTE, MICROS_OF_SECOND].map(Unit::Micros))?;
    } else {
        designated(&mut sum, time, |letter| match letter {
            'H' => Some(Unit::Micros(MICROS_OF_HOUR)),
            'M' => Some(Unit::Micros(MICROS_OF_MINUTE)),
            'S' => Some(Unit::Micros(MICROS_OF_SECOND)),
            _ => None,
        })?;
    }
    Ok(sum)
}

/// Numbers, each with a letter behind it.
fn designated(sum: &mut Sum, text: &str, unit: impl Fn(char) -> Option<Unit>) -> Result<(), NoSum> {
    let mut rest = text;
    while let Some(at) = rest.find(|c: char| c.is_ascii_alphabetic()) {
        let (sign, number) = signed(&rest[..at]);
        let letter = rest.as_bytes()[at].to_ascii_uppercase();
        sum.add(Number::parse(number)?, sign, unit(char::from(letter)).ok_or(NoSum::Unknown)?)?;
        rest = &rest[at + 1..];
    }
    // The server takes a number that is left over for years or hours.
    if rest.is_empty() { Ok(()) } else { Err(ODD) }
}

/// Numbers of two digits, the first perhaps of more: `00010203`.
fn basic(sum: &mut Sum, text: &str, units: [Unit; 3]) -> Result<(), NoSum> {
    let (rest, last) = text.split_at(text.len() - 2);
    let (first, middle) = rest.split_at(rest.len() - 2);
    [first, middle, last]
        .into_iter()
        .zip(units)
        .try_for_each(|(text, unit)| sum.add(Number::parse(text)?, 1, unit))
}
