//! Values of cells, as PostgreSQL reads them.

use calamine::{Data, ExcelDateTime};

const MILLIS_A_DAY: f64 = 86_400_000.0;

/// The value of a cell, as PostgreSQL reads it; of one that has none, why.
pub(super) fn text_of(cell: &Data) -> Option<String> {
    Some(match cell {
        Data::Empty => return None,
        Data::Int(number) => number.to_string(),
        Data::Float(number) => number_text(*number),
        Data::String(text) | Data::DurationIso(text) => text.clone(),
        Data::Bool(value) => value.to_string(),
        Data::DateTime(time) => time_text(time),
        Data::DateTimeIso(text) => text.clone(),
        Data::Error(error) => format!("\0{error}"),
    })
}

/// All digits, and no `.0`.
fn number_text(number: f64) -> String {
    /// Beyond these it is shorter with an exponent.
    const PLAIN: std::ops::Range<f64> = 1e-5..1e17;
    if number == 0.0 || PLAIN.contains(&number.abs()) { format!("{number}") } else { format!("{number:e}") }
}

/// A day, a time of day, both, or how long.
fn time_text(time: &ExcelDateTime) -> String {
    let value = time.as_f64();
    if time.is_duration() {
        #[expect(clippy::cast_possible_truncation, reason = "a float beyond an i64 becomes its bound")]
        let millis = (value * MILLIS_A_DAY).round() as i64;
        let (sign, millis) = (if millis < 0 { "-" } else { "" }, millis.unsigned_abs());
        let (hours, minutes) = (millis / 3_600_000, millis / 60_000 % 60);
        return format!("{sign}{hours:02}:{minutes:02}:{}", seconds(millis % 60_000));
    }
    let (year, month, day, hour, minute, second, milli) = time.to_ymd_hms_milli();
    let clock = format!("{hour:02}:{minute:02}:{}", seconds(u64::from(second) * 1_000 + u64::from(milli)));
    if (0.0..1.0).contains(&value) {
        return clock;
    }
    let date = format!("{year:04}-{month:02}-{day:02}");
    if clock == "00:00:00" { date } else { format!("{date} {clock}") }
}

fn seconds(millis: u64) -> String {
    match millis % 1_000 {
        0 => format!("{:02}", millis / 1_000),
        part => format!("{:02}.{part:03}", millis / 1_000),
    }
}

#[cfg(test)]
mod tests {
    use calamine::ExcelDateTimeType;

    use super::*;

    #[test]
    fn numbers_and_times_are_as_they_are_stored() {
        for (number, text) in [
            (1.0, "1"),
            (-0.5, "-0.5"),
            (0.1 + 0.2, "0.30000000000000004"),
            (1e16, "10000000000000000"),
            (1e300, "1e300"),
            (1.5e-7, "1.5e-7"),
            (0.0, "0"),
        ] {
            assert_eq!(number_text(number), text);
        }
        let of = |value, kind, is_1904| time_text(&ExcelDateTime::new(value, kind, is_1904));
        let (at, long) = (ExcelDateTimeType::DateTime, ExcelDateTimeType::TimeDelta);
        assert_eq!(of(45_943.5, at, false), "2025-10-13 12:00:00");
        assert_eq!(of(45_943.0, at, false), "2025-10-13");
        assert_eq!(of(44_481.0, at, true), "2025-10-13");
        assert_eq!(of(0.75, at, false), "18:00:00");
        assert_eq!(of(1.0, at, false), "1900-01-01");
        assert_eq!(of(61.0, at, false), "1900-03-01");
        assert_eq!(of(1.5, long, false), "36:00:00");
        assert_eq!(of(45_943.000_011_574_08, at, false), "2025-10-13 00:00:01");
    }
}
