//! Dates in templates: `{2024-01-01..2024-01-31}` by days, `{2024-01..2024-12}` by months, and every so many
//! of them. Pure.

use std::fmt::Write as _;

/// Dates from one to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct DateRange {
    unit: DateUnit,
    /// Days since 1970, or months since the year 0.
    first: i64,
    last: i64,
    step: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum DateUnit {
    Day,
    Month,
}

const MONTHS: i64 = 12;
/// Days from 0000-03-01 to 1970-01-01.
const EPOCH_DAYS: i64 = 719_468;
/// Days of 400 years, after which the calendar is the same again.
const ERA_DAYS: i64 = 146_097;

impl DateRange {
    /// Reads both ends; none where they do not look like dates.
    ///
    /// # Errors
    /// When there is no such date, or none is between them.
    pub(super) fn parse(first: &str, last: &str, step: &str) -> Option<Result<Self, &'static str>> {
        let (first, last) = (parts(first)?, parts(last)?);
        let unit = match (first.len(), last.len()) {
            (3, 3) => DateUnit::Day,
            (2, 2) => DateUnit::Month,
            _ => return Some(Err("both ends of a range of dates are days, or both are months")),
        };
        let number = |parts: &[i64]| match *parts {
            [year, month, day] => days(year, month, day),
            [year, month] => (1..=MONTHS).contains(&month).then(|| year * MONTHS + month - 1),
            _ => None,
        };
        let (Some(first), Some(last)) = (number(&first), number(&last)) else {
            return Some(Err("an end of the range is no date"));
        };
        let step = step.parse().unwrap_or(0);
        if last < first || step == 0 {
            return Some(Err("the range is empty"));
        }
        Some(Ok(Self { unit, first, last, step }))
    }

    pub(super) const fn len(&self) -> u64 {
        self.last.abs_diff(self.first) / self.step + 1
    }

    /// Writes the `at`th date.
    pub(super) fn write(&self, at: u64, to: &mut String) {
        let number = self.first.saturating_add_unsigned(at.saturating_mul(self.step));
        let _ = match self.unit {
            DateUnit::Month => {
                write!(to, "{:04}-{:02}", number.div_euclid(MONTHS), number.rem_euclid(MONTHS) + 1)
            }
            DateUnit::Day => {
                let (year, month, day) = date(number);
                write!(to, "{year:04}-{month:02}-{day:02}")
            }
        };
    }
}

/// The numbers of `2024-01-31` or `2024-01`.
fn parts(text: &str) -> Option<Vec<i64>> {
    let parts: Vec<&str> = text.split('-').collect();
    let widths: &[usize] = &[4, 2, 2];
    let is_date = (2..=3).contains(&parts.len())
        && parts
            .iter()
            .zip(widths)
            .all(|(part, width)| part.len() == *width && part.bytes().all(|byte| byte.is_ascii_digit()));
    is_date.then(|| parts.iter().filter_map(|part| part.parse().ok()).collect())
}

/// Days since 1970 of a date; none where there is no such date. Years begin in March here, so that the day
/// that not every year has is their last.
fn days(year: i64, month: i64, day: i64) -> Option<i64> {
    if !(1..=MONTHS).contains(&month) || day < 1 {
        return None;
    }
    let shifted = if month > 2 { year } else { year - 1 };
    let (era, of_era) = (shifted.div_euclid(400), shifted.rem_euclid(400));
    let of_year = (153 * ((month + 9) % MONTHS) + 2) / 5 + day - 1;
    let days = era * ERA_DAYS + of_era * 365 + of_era / 4 - of_era / 100 + of_year - EPOCH_DAYS;
    // A day that the month does not have is one of the next.
    (date(days) == (year, month, day)).then_some(days)
}

fn date(days: i64) -> (i64, i64, i64) {
    let days = days + EPOCH_DAYS;
    let (era, of_era) = (days.div_euclid(ERA_DAYS), days.rem_euclid(ERA_DAYS));
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / (ERA_DAYS - 1)) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (year + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(first: &str, last: &str, step: &str) -> Vec<String> {
        let range = DateRange::parse(first, last, step).unwrap().unwrap();
        let text = |at| {
            let mut text = String::new();
            range.write(at, &mut text);
            text
        };
        (0..range.len()).map(text).collect()
    }

    #[test]
    fn every_day_follows_the_one_before() {
        let days = all("1899-12-31", "2101-01-01", "1");
        assert_eq!(days.len(), 73_416);
        for pair in days.windows(2) {
            let number =
                |text: &str| -> Vec<u32> { text.split('-').map(|part| part.parse().unwrap()).collect() };
            let (before, after) = (number(&pair[0]), number(&pair[1]));
            let is_leap = before[0].is_multiple_of(4)
                && (!before[0].is_multiple_of(100) || before[0].is_multiple_of(400));
            let last = match before[1] {
                2 => 28 + u32::from(is_leap),
                4 | 6 | 9 | 11 => 30,
                _ => 31,
            };
            let expected = match (before[1], before[2]) {
                (12, 31) => [before[0] + 1, 1, 1],
                (month, day) if day == last => [before[0], month + 1, 1],
                (month, day) => [before[0], month, day + 1],
            };
            assert_eq!(after, expected, "{pair:?}");
        }
    }

    #[test]
    fn days_and_months_are_stepped_through() {
        assert_eq!(
            all("2024-02-27", "2024-03-01", "1"),
            ["2024-02-27", "2024-02-28", "2024-02-29", "2024-03-01"]
        );
        assert_eq!(all("2024-01-01", "2024-01-20", "7"), ["2024-01-01", "2024-01-08", "2024-01-15"]);
        assert_eq!(all("2023-11", "2024-02", "1"), ["2023-11", "2023-12", "2024-01", "2024-02"]);
        assert_eq!(all("2024-01", "2024-12", "3"), ["2024-01", "2024-04", "2024-07", "2024-10"]);
        for (first, last, step) in [
            ("2023-02-29", "2023-03-01", "1"),
            ("2024-13", "2025-01", "1"),
            ("2024-01-02", "2024-01-01", "1"),
            ("2024-01-01", "2024-01-02", "0"),
            ("2024-01-01", "2024-02", "1"),
        ] {
            assert!(DateRange::parse(first, last, step).unwrap().is_err(), "{first} {last} {step}");
        }
        for (first, last) in [("1", "5"), ("2024", "2025"), ("a-b", "2024-01"), ("24-01-01", "24-01-02")] {
            assert!(DateRange::parse(first, last, "1").is_none(), "{first} {last}");
        }
    }
}
