//! Seconds and milliseconds since 1970, exact to the microsecond.

use crate::calendar::date_of;

use super::zones::Zones;

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EpochUnit {
    /// Seconds, perhaps with a fraction.
    Seconds,
    /// Milliseconds.
    Milliseconds,
}

const MICROSECONDS_OF_DAY: i128 = 86_400_000_000;
/// The last year of PostgreSQL's timestamps; the first one here is 1.
const YEAR_MAX: i64 = 294_276;

impl EpochUnit {
    /// Powers of ten from the unit to microseconds.
    const fn power(self) -> i32 {
        match self {
            Self::Seconds => 6,
            Self::Milliseconds => 3,
        }
    }

    /// The instant, in UTC.
    pub(super) fn read(self, text: &str, zones: Zones) -> Option<String> {
        let microseconds = scaled(text, self.power())?;
        let (days, of_day) = (
            i64::try_from(microseconds.div_euclid(MICROSECONDS_OF_DAY)).ok()?,
            microseconds.rem_euclid(MICROSECONDS_OF_DAY),
        );
        // Far beyond the years that there are.
        if days.unsigned_abs() > 200_000_000 {
            return None;
        }
        let (year, month, day) = date_of(days);
        if !(1..=YEAR_MAX).contains(&year) {
            return None;
        }
        let (seconds, fraction) = (of_day / 1_000_000, of_day % 1_000_000);
        let mut out = format!(
            "{year:04}-{month:02}-{day:02} {:02}:{:02}:{:02}",
            seconds / 3600,
            seconds / 60 % 60,
            seconds % 60
        );
        if fraction != 0 {
            out.push('.');
            out.push_str(format!("{fraction:06}").trim_end_matches('0'));
        }
        if zones == Zones::Written {
            out.push_str("+00");
        }
        Some(out)
    }
}

/// A decimal number times a power of ten, if that is whole.
fn scaled(text: &str, power: i32) -> Option<i128> {
    /// More digits than any instant has.
    const DIGITS_MAX: usize = 36;
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok().filter(|e| e.abs() <= 40)?),
        None => (text, 0),
    };
    let (sign, digits) = match mantissa.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, mantissa),
    };
    let (whole, fraction) = match digits.split_once('.') {
        Some((_, "")) => return None,
        Some((whole, fraction)) => (whole, fraction),
        None => (digits, ""),
    };
    let are_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !are_digits(whole) || !are_digits(fraction) {
        return None;
    }
    let fraction = fraction.trim_end_matches('0');
    if whole.len() + fraction.len() > DIGITS_MAX {
        return None;
    }
    let number: i128 = format!("{whole}{fraction}").parse().ok()?;
    let power = power + exponent - i32::try_from(fraction.len()).ok()?;
    let shift = 10_i128.checked_pow(power.unsigned_abs())?;
    let value = if power >= 0 {
        number.checked_mul(shift)?
    } else {
        (number % shift == 0).then_some(number / shift)?
    };
    Some(sign * value)
}
