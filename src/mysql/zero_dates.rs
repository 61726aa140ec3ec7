//! Dates that are none: MySQL stores `0000-00-00`, and dates whose month or day is zero.

/// What becomes of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ZeroDates {
    /// They are read as they are: the target refuses each, by its row.
    #[default]
    Reject,
    /// They are NULL.
    Null,
}

/// Whether the year is followed by a month or a day of zero.
#[cfg_attr(not(feature = "mysql"), expect(dead_code, reason = "values are read by that feature alone"))]
pub(super) fn is_zero_date(text: &[u8]) -> bool {
    text.get(5..7) == Some(b"00") || text.get(8..10) == Some(b"00")
}

#[cfg(test)]
mod tests {
    use super::is_zero_date;

    #[test]
    fn a_month_or_a_day_of_zero_is_no_date() {
        for (text, is_zero) in [
            ("0000-00-00", true),
            ("0000-00-00 00:00:00", true),
            ("2024-00-10", true),
            ("2024-10-00 10:00:00.5", true),
            ("2024-10-10 00:00:00", false),
            ("0000-01-01", false),
            ("2000-01-01", false),
            ("", false),
        ] {
            assert_eq!(is_zero_date(text.as_bytes()), is_zero, "{text}");
        }
    }
}
