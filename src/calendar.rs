//! The Gregorian calendar, as far back as there are years: days as numbers. Pure.
//!
//! Years begin in March here, so that the day that not every year has is their last.

/// Days from 0000-03-01 to 1970-01-01.
const EPOCH_DAYS: i64 = 719_468;
/// Days of 400 years, after which the calendar is the same again.
const ERA_DAYS: i64 = 146_097;

/// Days since 1970-01-01 of a year, a month from 1 to 12, and a day of it. A day that the month does not have
/// is one of the next.
#[must_use]
pub(crate) const fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let year = if month > 2 { year } else { year - 1 };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * ERA_DAYS + of_era * 365 + of_era / 4 - of_era / 100 + of_year - EPOCH_DAYS
}

/// Year, month and day of so many days since 1970-01-01.
#[must_use]
pub(crate) const fn date_of(days: i64) -> (i64, i64, i64) {
    let days = days + EPOCH_DAYS;
    let (era, of_era) = (days.div_euclid(ERA_DAYS), days.rem_euclid(ERA_DAYS));
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / (ERA_DAYS - 1)) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let is_next = if month <= 2 { 1 } else { 0 };
    (year + era * 400 + is_next, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Day after day, by the rule that everybody knows.
    #[test]
    fn every_day_follows_the_one_before() {
        let (mut year, mut month, mut day) = (1, 1, 1);
        let first = days_since_1970(year, month, day);
        let last = days_since_1970(2401, 1, 1);
        assert_eq!(last - first, 6 * ERA_DAYS);
        for number in first..last {
            assert_eq!(date_of(number), (year, month, day));
            assert_eq!(days_since_1970(year, month, day), number);
            let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
            let days = match month {
                2 => 28 + i64::from(is_leap),
                4 | 6 | 9 | 11 => 30,
                _ => 31,
            };
            (year, month, day) = match (month, day) {
                (12, 31) => (year + 1, 1, 1),
                (month, day) if day == days => (year, month + 1, 1),
                (month, day) => (year, month, day + 1),
            };
        }
        assert_eq!(days_since_1970(1970, 1, 1), 0);
        assert_eq!(date_of(days_since_1970(2023, 2, 29)), (2023, 3, 1));
    }
}
