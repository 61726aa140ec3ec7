//! Dates in templates: `{2024-01-01..2024-01-31}` by days, `{2024-01..2024-12}` by months, and every so many
//! of them. Pure.

use std::fmt::Write as _;

use crate::calendar::{date_of, days_since_1970};

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
                let (year, month, day) = date_of(number);
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

/// Days since 1970 of a date; none where there is no such date.
fn days(year: i64, month: i64, day: i64) -> Option<i64> {
    if !(1..=MONTHS).contains(&month) || day < 1 {
        return None;
    }
    let days = days_since_1970(year, month, day);
    // A day that the month does not have is one of the next.
    (date_of(days) == (year, month, day)).then_some(days)
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
    fn days_and_months_are_stepped_through() {
        assert_eq!(
            all("2024-02-27", "2024-03-01", "1"),
            ["2024-02-27", "2024-02-28", "2024-02-29", "2024-03-01"]
        );
        assert_eq!(all("2024-01-01", "2024-01-20", "7"), ["2024-01-01", "2024-01-08", "2024-01-15"]);
        assert_eq!(all("1899-12-31", "2101-01-01", "1").len(), 73_416);
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
